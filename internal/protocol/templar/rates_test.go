package templar

import (
	"math"
	"testing"
)

func TestRates(t *testing.T) {
	sparse, flat := sparse213Rules(), sparseRules()
	full, late := 1.3e-4, 1.17e-4
	for _, tt := range []struct {
		rules Rules
		step  int64
		want  float64
	}{
		{slicesRules(), 0, 7.5e-5},
		{slicesRules(), 2500, (7.5e-5 + 1e-5) / 2},
		{slicesRules(), 5000, 1e-5},
		{slicesRules(), 10_000, 7.5e-5},
		{r2Rules(), 0, 0},
		{r2Rules(), 250, 7.5e-5 / 4},
		{r2Rules(), 1_000_000, 7.5e-5},
		{r2Rules(), 1000 + 1e12 + 1250, 7.5e-5 / 2},
		{r2Rules(), 1000 + 1e12 + 6000, 0},
		{sparse, 0, full * 1e-6},
		{sparse, 750, full * (1 + 1e-6) / 2},
		{sparse, 1500, full},
		{sparse, 1500 + 70_000, full * 0.55},
		{sparse, 1500 + 140_000, full * 0.1},
		{flat, 2740 * 30, flat.Sparse.innerRate(2740 * 30)},
		{flat, 3000 * 30, flat.Sparse.innerRate(2740 * 30)},
		{flat, 3190 * 30, flat.Sparse.innerRate(2740 * 30)},
		{flat, 1500 + 70_000, late * 0.55},
		{flat, 1500 + 140_000 + 450*30, late * 0.1},
	} {
		if got := tt.rules.Rate(tt.step); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: rate of step %d = %v, want %v", tt.rules.Name, tt.step, got, tt.want)
		}
	}
	if flat.Rate(3190*30+1) >= flat.Rate(3190*30) {
		t.Error("the rate stands still for ever")
	}
}

func TestInnerRate(t *testing.T) {
	r := sparseRules()
	h := r.Sparse
	for _, tt := range []struct {
		global, inner, taken int64
		start                Start
		want                 float64
	}{
		{1000, 3, 1, FromNothing, h.innerRate(30_003)},
		{1000, 3, 30, FromCheckpoint, h.innerRate(10_003)},
		{1000, 3, 2, FromCheckpoint, h.innerRate(10_003) / 10},
		{1000, 3, 99, FromBootstrap, h.innerRate(10_003) / 2},
		{10, 3, 500, FromBootstrap, h.innerRate(3)},
		{6100, 0, 500, FromCheckpoint, 1.17e-4 * 1e-6},
		{6103, 10, 500, FromCheckpoint, 1.17e-4 * 0.25},
		{6103 + 75, 10, 500, FromCheckpoint, 1.17e-4 * 0.125},
		{9000, 0, 500, FromCheckpoint, 0},
	} {
		if got := r.InnerRate(tt.global, tt.inner, tt.taken, tt.start); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%+v: %v", tt, got)
		}
	}
	if n := h.Accumulate(); n != 192 {
		t.Errorf("%d micro-batches", n)
	}
}
