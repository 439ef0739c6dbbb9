package connito

import (
	"fmt"
	"math"
	"testing"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

func TestRank(t *testing.T) {
	for _, tt := range []struct {
		name    string
		rules   Rules
		entries []Entry // baseline 4
		want    []float64
	}{
		{"by loss", Local, []Entry{{UID: 1, Loss: 3.5}, {UID: 2, Loss: 3}, {UID: 3, Loss: 3.9}, {UID: 4, Loss: 3.95}}, []float64{1.5, 2.25, 1, 0}},
		{"no drop", Local, []Entry{{UID: 1, Loss: 4}, {UID: 2, Loss: 5}, {UID: 3, Loss: 3}}, []float64{0, 0, 2.25}},
		{"a copy gets none", Local, []Entry{{UID: 1, Loss: 3, Committed: 20}, {UID: 2, Loss: 3, Committed: 10}, {UID: 3, Loss: 3.5}}, []float64{0, 2.25, 1.5}},
		{"same block, lower uid", Local, []Entry{{UID: 2, Loss: 3, Committed: 10}, {UID: 1, Loss: 3, Committed: 10}}, []float64{0, 2.25}},
		{"upstream: all lose", G3, []Entry{{UID: 1, Loss: 3, Committed: 20}, {UID: 2, Loss: 3, Committed: 10}, {UID: 3, Loss: 3.5}}, []float64{0, 0, 2.25}},
		{"upstream: three equal", G3, []Entry{{UID: 1, Loss: 3}, {UID: 2, Loss: 3}, {UID: 3, Loss: 3}}, []float64{0, 0, 0}},
		{"not finite", Local, []Entry{{UID: 1, Loss: math.NaN()}, {UID: 2, Loss: math.Inf(1)}, {UID: 3, Loss: math.Inf(-1)}}, []float64{0, 0, 0}},
		{"refused", Local, []Entry{{UID: 1, Loss: 1, Refused: "hash mismatch"}, {UID: 2, Loss: 3}}, []float64{0, 2.25}},
	} {
		tt.rules.rank(4, tt.entries)
		for i, e := range tt.entries {
			if e.Points != tt.want[i] {
				t.Errorf("%s: uid %d has %v points, want %v (%s)", tt.name, e.UID, e.Points, tt.want[i], e.Reason)
			}
			if e.Reason == "" {
				t.Errorf("%s: uid %d has no reason", tt.name, e.UID)
			}
		}
	}
}

// scored makes scores: points of uids by cycle, the first cycle first.
func scored(r Rules, group int, points map[subnet.UID][]float64) Scores {
	s := make(Scores)
	for uid, list := range points {
		for cycle, p := range list {
			s.add(r.roundID(uint64(cycle)), "", Entry{UID: uid, Hotkey: "h", Group: group, Points: p})
		}
	}
	return s
}

func TestWeigh(t *testing.T) {
	for _, tt := range []struct {
		name   string
		rules  Rules
		scores Scores
		round  uint64
		want   string
	}{
		{"local pays the first round", Local, scored(Local, 0, map[subnet.UID][]float64{1: {2.25}, 2: {1.5}, 3: {0}}), 0, "1:0.600 2:0.400"},
		{"local: the fourth is in the second pool", Local, scored(Local, 0, map[subnet.UID][]float64{1: {2}, 2: {2}, 3: {2}, 4: {1}}), 0, "1:0.327 2:0.327 3:0.327 4:0.020"},
		{"nobody qualifies", Local, scored(Local, 0, map[subnet.UID][]float64{1: {0}}), 0, "0:1.000"},
		{"g3 wants three records", G3, scored(G3, 0, map[subnet.UID][]float64{1: {2, 2}, 2: {2, 2, 2}}), 2, "1:0.020 2:0.980"},
		{"g3 wants both last rounds", G3, scored(G3, 0, map[subnet.UID][]float64{1: {2, 2, 0}, 2: {0, 2, 2}}), 2, "1:0.020 2:0.980"},
		{"g3 burns the empty pool", G3, scored(G3, 0, map[subnet.UID][]float64{1: {2, 2}}), 1, "0:0.980 1:0.020"},
		{"the window forgets", G3, scored(G3, 0, map[subnet.UID][]float64{1: {9, 9, 0, 0, 0, 0, 0, 0, 1, 1}, 2: {0, 0, 0, 0, 0, 0, 0, 0, 1, 1}}), 9, "1:0.500 2:0.500"},
	} {
		got := ""
		for _, w := range tt.rules.weigh(tt.scores, []int{0}, tt.rules.roundID(tt.round)) {
			got += fmt.Sprintf(" %d:%.3f", w.UID, w.Value)
		}
		if got != " "+tt.want {
			t.Errorf("%s: weights%s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestWeighGroups checks that groups share equally, whoever scores higher.
func TestWeighGroups(t *testing.T) {
	s := scored(Local, 0, map[subnet.UID][]float64{1: {2.25}, 2: {1.5}})
	for uid, h := range scored(Local, 1, map[subnet.UID][]float64{3: {2.25}}) {
		s[uid] = h
	}
	got := ""
	for _, w := range Local.weigh(s, []int{0, 1}, Local.roundID(0)) {
		got += fmt.Sprintf(" %d:%.2f", w.UID, w.Value)
	}
	if want := " 1:0.30 2:0.20 3:0.50"; got != want {
		t.Errorf("weights%s, want%s", got, want)
	}
}

func TestScoresChangeHands(t *testing.T) {
	s := make(Scores)
	s.add(1, "", Entry{UID: 4, Hotkey: "old", Points: 2})
	s.add(2, "", Entry{UID: 4, Hotkey: "new", Points: 1})
	s.add(2, "", Entry{UID: 4, Hotkey: "new", Points: 1.5}) // the same round again, after a restart
	if h := s[4]; h.Hotkey != "new" || len(h.Points) != 1 || h.Points[0].Score != 1.5 {
		t.Errorf("history = %+v, want one point of 1.5 for the new hotkey", h)
	}
}

func TestOuterStep(t *testing.T) {
	dict := func(v ...float32) tensor.Dict {
		return tensor.Dict{"k": tensor.FromFloats(tensor.F32, []int{len(v)}, v)}
	}
	o := Outer{LR: 0.7, Momentum: 0.9}
	// g = 1-0 = 1: v = 1, step 0.7*(1+0.9) = 1.33.
	next, err := o.step(dict(1), []tensor.Dict{dict(0.5), dict(-0.5)})
	if err != nil {
		t.Fatal(err)
	}
	first := func(d tensor.Dict) float32 {
		vals, err := d["k"].Floats(nil)
		if err != nil {
			t.Fatal(err)
		}
		return vals[0]
	}
	if got := first(next); math.Abs(float64(got)-(1-1.33)) > 1e-6 {
		t.Errorf("first step = %v, want -0.33", got)
	}
	// g = 0: v = 0.9, step 0.7*0.81 = 0.567.
	if next, err = o.step(dict(0), []tensor.Dict{dict(0)}); err != nil {
		t.Fatal(err)
	}
	if got := first(next); math.Abs(float64(got)+0.567) > 1e-6 {
		t.Errorf("second step = %v, want -0.567", got)
	}
	if _, err := o.step(dict(0), []tensor.Dict{dict(float32(math.NaN()))}); err == nil {
		t.Error("a shard that is not finite was merged")
	}
	if _, err := o.step(dict(0), []tensor.Dict{dict(1, 2)}); err == nil {
		t.Error("a shard of another shape was merged")
	}
}

func TestConfigDefaultsNeedPlaces(t *testing.T) {
	c := NewConfig().(*Config)
	if err := c.Validate(); err == nil {
		t.Fatal("defaults without model, text and repository were accepted")
	}
	c.Model.ModelPath, c.Task.Data, c.HF.CheckpointRepo = "m", "d", "me/co"
	c.Task.Groups = []Group{{ID: 0, Assignment: Assignment{1: {{0, 0}}}}}
	if err := c.Validate(); err != nil {
		t.Errorf("Validate = %v, want nil", err)
	}
}

// TestCopied has a copy of a model that could not be had.
func TestCopied(t *testing.T) {
	down := Why{{Name: gateDownload, Reason: "hub down"}}
	for _, tt := range []struct {
		name  string
		other Entry
		paid  bool
	}{
		{"signed earlier", Entry{UID: 1, Hash: "aa", Committed: 9, Refused: "hub down", Why: down}, false},
		{"signed later", Entry{UID: 1, Hash: "aa", Committed: 11, Refused: "hub down", Why: down}, true},
		{"of another hash", Entry{UID: 1, Hash: "bb", Committed: 9, Refused: "hub down", Why: down}, true},
		{"not signed", Entry{UID: 1, Hash: "aa", Committed: 9, Refused: "no signature", Why: Why{{Name: gateSignature, Reason: "no signature"}}}, true},
	} {
		entries := []Entry{tt.other, {UID: 2, Hash: "aa", Committed: 10, Loss: 1}}
		Local.rank(2, entries)
		if paid := entries[1].Points > 0; paid != tt.paid {
			t.Errorf("%s: %+v", tt.name, entries[1])
		}
	}
}
