package templar

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"adit/internal/subnet"
)

// What became of a delta is told to its end, or to where it was stopped, by anybody
// who can see it.
func TestExplainSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hparams = quickly
		validator := w.add("slices")
		stopValidator := validator.play(validateSlices)
		cheat := w.add("slices")
		cheat.cfg.Cheat, cheat.cfg.Subtensor.Network = cheatNaN, "local"
		stopCheat := cheat.play(mineSlices)
		miners, stop := crew(w, "slices", 1)
		silent := w.add("slices")
		w.sleepTo(12, 3*blockTime)
		stopValidator()
		stopCheat()
		stop()
		w.mu.Lock()
		w.neurons[0].Weights = []subnet.Weight{{UID: 2, Value: 1}}
		w.mu.Unlock()
		for _, tt := range []struct {
			of         *testNeuron
			round, who string
			want       string
		}{
			{miners[0], "", "", "registered:passed bucket:passed delta:passed whole:passed judged:unknown weight:passed"},
			{validator, "", "2", "registered:passed bucket:passed delta:passed whole:passed judged:passed score:passed average:passed weight:passed"},
			{validator, "", string(cheat.hotkey), "registered:passed bucket:passed delta:passed whole:stopped weight:stopped"},
			{validator, "259", "2", "registered:passed bucket:passed delta:passed whole:passed judged:passed score:passed average:passed weight:passed"},
			{validator, "", string(silent.hotkey), "registered:passed bucket:stopped weight:stopped"},
			{validator, "", string(hotkey(77)), "registered:stopped"},
			{silent, "next", "2", "registered:passed bucket:passed delta:passed whole:passed judged:unknown weight:passed"},
		} {
			x, err := explain(t.Context(), tt.of.env(), subnet.ExplainOptions{Round: tt.round, Who: tt.who})
			if err != nil {
				t.Errorf("%+v: %v", tt, err)
				continue
			}
			var got []string
			for _, g := range x.Gates {
				got = append(got, fmt.Sprintf("%s:%s", g.Name, g.Outcome))
				if g.Text == "" {
					t.Errorf("gate %s says nothing", g.Name)
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("of %q in %q: %s\nwant %s", tt.who, tt.round, s, tt.want)
			}
		}
		for _, tt := range []subnet.ExplainOptions{{Round: "yesterday"}, {Round: "99999"}, {Who: "99"}} {
			if _, err := explain(t.Context(), validator.env(), tt); err == nil {
				t.Errorf("%+v was told", tt)
			}
		}
	})
}

func TestChecksOfSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hparams = quickly
		n := w.add("slices")
		run := func() (all []string) {
			for _, c := range checks {
				f := c.Run(t.Context(), n.env())
				all = append(all, string(f.State))
				if f.Text == "" || f.State == subnet.Bad && f.Cure == "" {
					t.Errorf("%s: %+v", c.Name, f)
				}
			}
			return all
		}
		if got := strings.Join(run(), " "); got != "ok ok ok ok ok ok" {
			t.Errorf("checks: %s", got)
		}
		n.secret = nil
		w.serverDown = true
		if got := strings.Join(run(), " "); got != "ok ok fail skip skip fail" {
			t.Errorf("checks without keys and text: %s", got)
		}
	})
}
