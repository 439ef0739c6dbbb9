package score

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var nan, inf = math.NaN(), math.Inf(1)

func TestMoving(t *testing.T) {
	for _, test := range []struct{ average, sample, alpha, want float64 }{
		{10, 20, 0.1, 11},
		{10, 20, 0, 10},
		{10, 20, 1, 20},
		{10, nan, 0.5, 5},
		{10, inf, 0.5, 5},
		{nan, 4, 0.5, 2},
		{-inf, -inf, 0.5, 0},
	} {
		if got := Moving(test.average, test.sample, test.alpha); !near(got, test.want) {
			t.Errorf("Moving(%v, %v, %v) = %v, want %v", test.average, test.sample, test.alpha, got, test.want)
		}
	}
}

func TestMovingBinary(t *testing.T) {
	average := 0.0
	for i, want := range []float64{0.05, 0.0975, 0.142625, 0.08549375} {
		average = MovingBinary(average, i < 3, 0.05)
		if !near(average, want) {
			t.Errorf("after sample %d: %v, want %v", i, average, want)
		}
	}
}

func TestNormalise(t *testing.T) {
	for _, test := range []struct{ scores, want []float64 }{
		{nil, []float64{}},
		{[]float64{1, 3}, []float64{0.25, 0.75}},
		{[]float64{-1, 2, 2}, []float64{0, 0.5, 0.5}},
		{[]float64{-1, 0}, []float64{0, 0}},
		{[]float64{nan, 5, inf, -inf}, []float64{0, 1, 0, 0}},
		{[]float64{1.5e308, 1.5e308}, []float64{0.5, 0.5}},
		{[]float64{5e-324, 0}, []float64{1, 0}},
	} {
		got := Normalise(test.scores)
		if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
			t.Errorf("Normalise(%v): (-want +got)\n%s", test.scores, diff)
		}
	}
}

// The wanted values of the mean are those of torch.quantile and a mean between.
func TestMiddles(t *testing.T) {
	for _, test := range []struct {
		values       []float64
		median, mean float64
	}{
		{nil, nan, nan},
		{[]float64{7}, 7, 7},
		{[]float64{2, 1}, 1, nan}, // no value lies from 1.25 to 1.75
		{[]float64{3, 1, 2}, 2, 2},
		{[]float64{4, 1, 3, 2}, 2, 2.5},
		{[]float64{9, 1, 1, 1, 1}, 1, 1},
		{[]float64{0, 10, 20, 30, 40, 50, 60, 70, 1000}, 40, 40},
		{[]float64{1, 2, 3, 4, inf}, 3, 3},
		{[]float64{1, nan, 3}, nan, nan},
	} {
		given := append([]float64(nil), test.values...)
		if got := LowerMedian(given); !same(got, test.median) {
			t.Errorf("LowerMedian(%v) = %v, want %v", test.values, got, test.median)
		}
		if got := InterquartileMean(given); !same(got, test.mean) {
			t.Errorf("InterquartileMean(%v) = %v, want %v", test.values, got, test.mean)
		}
		if diff := cmp.Diff(test.values, given, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("the values were put in order: %s", diff)
		}
	}
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
