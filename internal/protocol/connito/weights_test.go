package connito

import (
	"fmt"
	"strings"
	"testing"

	"adit/internal/subnet"
)

func show(list []subnet.Weight) string {
	var words []string
	for _, w := range list {
		words = append(words, fmt.Sprintf("%d:%.3f", w.UID, w.Value))
	}
	return strings.Join(words, " ")
}

// TestPools checks the pools of the generations with and without groups of a
// round.
func TestPools(t *testing.T) {
	three := map[subnet.UID][]float64{1: {2, 2, 2}, 2: {2, 2, 2}, 3: {2, 2, 2}, 4: {2, 2, 2}, 5: {2, 2, 2}}
	for _, tt := range []struct {
		name   string
		rules  Rules
		scores map[subnet.UID][]float64
		cohort *cohort
		round  uint64
		want   string
	}{
		{"only A and B in the first pool", G3, three, &cohort{A: []subnet.UID{1}, B: []subnet.UID{2}, C: []subnet.UID{3}}, 2, "1:0.490 2:0.490 3:0.020"},
		{"nobody in the groups", G3, three, &cohort{}, 2, "0:1.000"},
		{"raw drops pay everybody", G2Early, map[subnet.UID][]float64{1: {0.3}, 2: {0.1}, 3: {0}, 4: {0.1, 0.3}}, nil, 1, "1:0.500 2:0.167 4:0.333"},
		{"nobody is paid", G2Early, map[subnet.UID][]float64{1: {0}}, nil, 0, ""},
		{"the best three", G2, map[subnet.UID][]float64{1: {3}, 2: {2}, 3: {1}, 4: {0.5}}, nil, 0, "1:0.500 2:0.333 3:0.167"},
		{"g4 wants three of five rounds", G4, map[subnet.UID][]float64{1: {2, 2, 2}, 2: {0, 0, 2, 2, 2}, 3: {2}}, nil, 6, "1:0.010 2:0.980 3:0.010"},
		{"g4 lets a round be missed", G4, map[subnet.UID][]float64{2: {0, 0, 2, 2, 2}}, nil, 5, "2:1.000"},
	} {
		s := scored(tt.rules, 0, tt.scores)
		list, why := tt.rules.weighWhy(s, []int{0}, tt.rules.roundID(tt.round), tt.cohort)
		got := show(list)
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		for uid := range tt.scores {
			gates := why[uid]
			if len(gates) == 0 || gates[len(gates)-1].Name != gateWeight {
				t.Errorf("%s: uid %d: %v", tt.name, uid, gates)
				continue
			}
			has := strings.Contains(" "+got, fmt.Sprintf(" %d:", uid))
			if last := gates[len(gates)-1]; last.Passed != has {
				t.Errorf("%s: uid %d has weight: %v, and is told %v", tt.name, uid, has, last)
			}
		}
	}
}

// TestWeightReasons checks what a miner without weight is told.
func TestWeightReasons(t *testing.T) {
	s := scored(G3, 0, map[subnet.UID][]float64{1: {2, 2, 2}, 2: {2, 2}, 3: {0, 0, 0}, 4: {2, 2, 0}, 5: {2, 0, 2}, 6: {2, 2, 2}, 7: {3, 3, 3}, 8: {3, 3, 3}})
	_, why := G3.weighWhy(s, []int{0}, G3.roundID(2), nil)
	for uid, want := range map[subnet.UID]string{
		1: "number 3 by average",
		2: "2 scored rounds, and the pool wants 3",
		3: "its average is nought",
		4: "no points in the round",
		5: "no points in the round before",
		6: "number 4 by average, and the pool has 3 places",
	} {
		if got := why[uid][0].Reason; got != want {
			t.Errorf("uid %d: %q, want %q", uid, got, want)
		}
	}
	_, why = G3.weighWhy(s, []int{0}, G3.roundID(2), &cohort{})
	if got := why[1][0].Reason; got != "in no group that the pool pays" {
		t.Errorf("outside the groups: %q", got)
	}
}

// TestChangedCycle checks that a change of the phase lengths does not fail the
// gate of two rounds in a row.
func TestChangedCycle(t *testing.T) {
	s := scored(G3, 0, map[subnet.UID][]float64{1: {2, 2, 2}})
	longer := G3
	longer.Schedule[Train] += 24
	s[1].Points[2].Round += 24
	if got := show(longer.weigh(s, []int{0}, G3.roundID(2)+24)); got != "1:1.000" {
		t.Errorf("weights %s, want all for uid 1", got)
	}
	s[1].Points[1].Round = 0 // the round before left nothing
	if got := show(longer.weigh(s, []int{0}, G3.roundID(2)+24)); got != "0:0.980 1:0.020" {
		t.Errorf("weights %s, want the first pool burnt", got)
	}
}

func TestFallback(t *testing.T) {
	m := func(mine []subnet.Weight) *subnet.Metagraph {
		return &subnet.Metagraph{Neurons: []subnet.Neuron{
			{UID: 0, Hotkey: "owner"},
			{UID: 1, Hotkey: "me", LastUpdate: 1000, Weights: mine, Stake: 1000},
			{UID: 2, Hotkey: "v2", Stake: 100, Weights: weights(1, 50, 10, 30, 11, 20)},
			{UID: 3, Hotkey: "v3", Stake: 300, Weights: weights(12, 40, 13, 30, 14, 10, 15, 10, 16, 10)},
			{UID: 10}, {UID: 11}, {UID: 12}, {UID: 13}, {UID: 14}, {UID: 15}, {UID: 16},
		}}
	}
	view := func(mine []subnet.Weight) fallbackView {
		return fallbackView{Metagraph: m(mine), Me: "me", Head: 1449, Validator: func(n subnet.Neuron) bool { return strings.HasPrefix(string(n.Hotkey), "v") }}
	}
	for _, tt := range []struct {
		name  string
		rules Rules
		view  func() fallbackView
		want  string
	}{
		{"its own old ones, without validators", G3, func() fallbackView { return view(weights(2, 50, 10, 30, 11, 10)) }, "10:0.750 11:0.250"},
		{"all equal, so those of others", G3, func() fallbackView { return view(weights(10, 50, 11, 50)) }, "10:0.200 12:0.200 13:0.200 14:0.200 15:0.200"},
		{"none of its own", G3, func() fallbackView { return view(nil) }, "10:0.200 12:0.200 13:0.200 14:0.200 15:0.200"},
		{"g4 burns a part", G4, func() fallbackView { return view(weights(10, 30, 11, 10)) }, "0:0.050 10:0.712 11:0.237"},
		{"not yet", G3, func() fallbackView { v := view(weights(10, 30, 11, 10)); v.Head = 1448; return v }, ""},
		{"a round's are on their way", G3, func() fallbackView { v := view(weights(10, 30, 11, 10)); v.Scheduled = true; return v }, ""},
		{"nobody knows anything", G3, func() fallbackView {
			v := view(nil)
			v.Metagraph.Neurons = v.Metagraph.Neurons[:2]
			return v
		}, ""},
		{"not registered", G3, func() fallbackView { v := view(nil); v.Me = "x"; return v }, ""},
		{"g0 has none", G0, func() fallbackView { return view(nil) }, ""},
	} {
		if got := show(tt.rules.fallback(tt.view())); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
