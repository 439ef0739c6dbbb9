package templar

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"adit/internal/subnet"
)

// What a validator keeps of a miner is told whole: its verdict of the window, each
// penalty with what it left, and what the final score is made of.
func TestExplainFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSparseWorld(t)
		n, err := newNeuron(w.add("adit/20").env())
		if err != nil {
			t.Fatal(err)
		}
		who := subnet.Neuron{UID: 2, Hotkey: hotkey(2)}
		m := &standing{Hotkey: who.Hotkey, Slashed: []slash{{8, "inactive", 3}, {9, "missing too often", 2}}}
		m.Mu, m.Sigma, m.Final, m.Moving, m.Sync = 30, 2, 12, 0.5, 1
		m.Last = []verdict{{Window: 9, Reason: "better", What: Evaluated, Score: 0.25, Better: true}}
		if err := n.WriteJSON(standingsFile, standings{Miners: map[subnet.UID]*standing{2: m}, Window: 10}); err != nil {
			t.Fatal(err)
		}
		for window, want := range map[Window]string{
			7:  "judged:unknown final score:passed",
			8:  "judged:unknown penalties:stopped final score:passed",
			9:  "score:passed penalties:stopped final score:passed",
			10: "judged:unknown final score:passed",
		} {
			var a telling
			n.explainFinal(&a, who, window)
			var got []string
			for _, g := range a.Gates {
				got = append(got, fmt.Sprintf("%s:%s", g.Name, g.Outcome))
			}
			if s := strings.Join(got, " "); s != want {
				t.Errorf("window %d: %s, want %s", window, s, want)
			}
			if final := a.Gates[len(a.Gates)-1].Facts; final[0].Value != "24" || final[1].Value != "0.5" || final[2].Value != "1" || final[3].Value != "12" {
				t.Errorf("window %d: %v", window, final)
			}
		}
	})
}
