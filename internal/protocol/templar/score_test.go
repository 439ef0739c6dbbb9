package templar

import (
	"math"
	"testing"

	"adit/internal/subnet"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6 }

func TestSliceScore(t *testing.T) {
	var s SliceScore
	s.Add([]float32{3, 4}, []float32{2, 4}, []float32{2, 0})  // norm 5, cosine 1
	s.Add([]float32{0, 2}, []float32{0, 1}, []float32{0, -1}) // norm 2, cosine -1
	s.Add([]float32{1, 1}, []float32{1, 1}, []float32{1, 1})  // no difference
	if !near(s.Score(), 3) {
		t.Errorf("score %v, want 3", s.Score())
	}
	// (2 − 1) / (√2 · √(4+1+2))
	if want := 1 / (math.Sqrt2 * math.Sqrt(7)); !near(s.Cosine(), want) {
		t.Errorf("cosine %v, want %v", s.Cosine(), want)
	}
	s.Add([]float32{1}, []float32{float32(math.NaN())}, []float32{1})
	if s.Score() != 0 || s.Cosine() != 0 {
		t.Errorf("a NaN scores %v and %v", s.Score(), s.Cosine())
	}
}

func TestLossScore(t *testing.T) {
	for _, tt := range []struct {
		before, after, likeness, want float64
		reset                         bool
	}{
		{2, 1.9, 0.1, 10, false},
		{2, 1.9, 0, 0, false},
		{2, 1.9, math.NaN(), 0, false},
		{2, 2, 0.1, 0, false},
		{2, 2.5, 0.1, 0, false},
		{2, 2.6, 0.1, 0, true},
		{2, math.NaN(), 0.1, 0, true},
		{2, math.Inf(1), 0.1, 0, true},
	} {
		if got, reset := LossScore(tt.before, tt.after, tt.likeness); !near(got, tt.want) || reset != tt.reset {
			t.Errorf("%+v: %v, %v", tt, got, reset)
		}
	}
	if got := slicesRules().MovingSlice(1, 11); !near(got, 1.01) {
		t.Errorf("average %v", got)
	}
	if got := r2Rules().MovingSlice(1, 11); !near(got, 9.5) {
		t.Errorf("average %v", got)
	}
}

func TestSparseScores(t *testing.T) {
	for _, tt := range [][3]float64{{10, 9.8, 0.02}, {10, 10.1, -0.01}, {0, 1, 0}, {math.NaN(), 1, 0}, {10, math.NaN(), 0}, {10, math.Inf(1), 0}} {
		if got := GradientScore(tt[0], tt[1]); !near(got, tt[2]) {
			t.Errorf("score of %v = %v", tt, got)
		}
	}
	if !Better(0.02, 0.01) || Better(0.01, 0.01) || Better(math.NaN(), 0) {
		t.Error("others are better")
	}
	late, early := sparseRules(), sparse213Rules()
	if got := late.MovingBinary(0.5, false); !near(got, 0.425) {
		t.Error(got)
	}
	for _, tt := range []struct {
		rules               Rules
		skill, moving, sync float64
		evaluations         int64
		want                float64
	}{
		{early, 6, 0.5, 0.5, 0, 1.5},
		{early, 6, -0.5, 0.5, 0, 0},
		{early, 6, 0.05, 1, 99, 0.3},
		{late, 6, 0.05, 1, 9, 0.3},
		{late, 6, 0.05, 1, 10, 0},
		{late, 6, 0.1, 1, 10, 0.6},
		{late, math.NaN(), 0.1, 1, 10, 0},
	} {
		if got := tt.rules.Final(tt.skill, tt.moving, tt.sync, tt.evaluations); !near(got, tt.want) {
			t.Errorf("%s: final of %+v = %v, want %v", tt.rules.Name, tt, got, tt.want)
		}
	}
}

func TestSync(t *testing.T) {
	late, early := sparseRules(), sparse213Rules()
	if got := StepsBehind(1, 1.5, 0.25); !near(got, 2) {
		t.Error(got)
	}
	if got := StepsBehind(1, 1, 0); got != 0 {
		t.Error(got)
	}
	if got := MovingChange(MovingChange(0, -1, true), 2, false); !near(got, 1.2) {
		t.Error(got)
	}
	steps := []float64{0, 0.5, 1, 1.5, 2, 100, 0.2, 1}
	if got := early.AverageBehind(steps); !near(got, 1) {
		t.Errorf("median %v", got)
	}
	if got := late.AverageBehind(steps); !near(got, (0.5+1+1+1.5)/4) { // the quartiles are 0.425 and 1.625
		t.Errorf("mean of the middle %v", got)
	}
	for _, bad := range [][]float64{nil, {1, math.NaN()}} {
		if got := late.SyncScore(late.AverageBehind(bad)); got != 0 {
			t.Errorf("%v scores %v", bad, got)
		}
	}
	for _, tt := range []struct {
		rules        Rules
		behind, want float64
	}{{early, 0, 1}, {early, 2.5, math.Pow(0.5, 2.5)}, {early, 5, 0}, {early, 9, 0}, {late, 1.5, math.Pow(0.5, 2.5)}, {late, 3, 0}, {late, math.NaN(), 0}} {
		if got := tt.rules.SyncScore(tt.behind); !near(got, tt.want) {
			t.Errorf("%s: %v behind scores %v, want %v", tt.rules.Name, tt.behind, got, tt.want)
		}
	}
}

func TestWeights(t *testing.T) {
	r := sparseRules()
	sum := func(w map[subnet.UID]float64) (s float64) {
		for _, v := range w {
			s += v
		}
		return s
	}
	if w := r.Weights(nil); len(w) != 1 || w[BurnUID] != 1 {
		t.Errorf("weights of nobody %v", w)
	}
	if w := r.Weights(map[subnet.UID]float64{7: 3, 8: 0, 9: -1}); len(w) != 2 || w[7] != 0.5 || w[BurnUID] != 0.5 {
		t.Errorf("weights of one %v", w)
	}
	all := make(map[subnet.UID]float64)
	for uid := range subnet.UID(40) {
		all[uid+10] = float64(100 - uid)
	}
	all[200] = math.NaN()
	w := r.Weights(all)
	if len(w) != 31 || !near(sum(w), 1) || w[BurnUID] != 0.5 {
		t.Fatalf("%d weights of sum %v: %v", len(w), sum(w), w)
	}
	if !near(w[10]/w[29], 2) || !near((w[10]-w[11])/(w[28]-w[29]), 1) {
		t.Errorf("the ramp goes from %v to %v", w[10], w[29])
	}
	// The first in reserve would have 0.125 against 0.025 of the last who is gathered.
	if !near(w[30]/w[29], 0.5) || !near(w[31]/w[30], 0.5) {
		t.Errorf("reserve of %v and %v after %v", w[30], w[31], w[29])
	}
	r.Sparse.BurnRate = 0
	if w := r.Weights(all); !near(sum(w), 1) || w[BurnUID] != 0 {
		t.Errorf("without burning: %v", w)
	}
	slice := SliceWeights(map[subnet.UID]float64{1: 3, 2: 1, 3: -5, 4: 0, 5: math.NaN(), 6: math.Inf(1)})
	if len(slice) != 2 || !near(slice[1], 0.75) || !near(slice[2], 0.25) {
		t.Errorf("%v", slice)
	}
}
