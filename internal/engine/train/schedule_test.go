package train

import (
	"math"
	"testing"

	"adit/internal/subnet"
)

func TestRate(t *testing.T) {
	base := Schedule{Peak: 8, Warmup: 4, Total: 12}
	curve := func(c Curve, change func(*Schedule)) Schedule {
		s := base
		s.Curve = c
		if change != nil {
			change(&s)
		}
		return s
	}
	spent := func(x float64) func(*Schedule) {
		return func(s *Schedule) { s.Spent, s.Total = func() float64 { return x }, 0 }
	}
	for _, tt := range []struct {
		name string
		s    Schedule
		want map[int]float64
	}{
		{"constant", curve(Constant, nil), map[int]float64{1: 2, 2: 4, 4: 8, 5: 8, 100: 8}},
		{"unnamed", curve("", nil), map[int]float64{1: 2, 100: 8}},
		{"linear", curve(Linear, nil), map[int]float64{1: 2, 4: 8, 5: 8, 7: 6, 9: 4, 12: 1, 13: 0, 100: 0}},
		{"cosine", curve(Cosine, nil), map[int]float64{1: 2, 2: 4, 4: 8, 5: 8, 9: 4, 13: 0, 100: 0}},
		// The transformers library's: peak/sqrt((n+shift)/timescale) of n
		// updates made, where the timescale is the warmup, or 10,000.
		{"inverse root", curve(InverseSqrt, nil), map[int]float64{1: 2, 4: 8, 5: 8, 9: 8 / math.Sqrt2, 17: 4, 401: 0.8}},
		{"inverse root, no warmup", Schedule{Curve: InverseSqrt, Peak: 8}, map[int]float64{1: 8, 10_001: 8 / math.Sqrt2, 30_001: 4}},
		{"linear to a floor", curve(Linear, func(s *Schedule) { s.Floor = 0.25 }), map[int]float64{1: 2, 5: 8, 9: 5, 13: 2, 100: 2}},
		{"cosine to a floor", curve(Cosine, func(s *Schedule) { s.Floor = 0.25 }), map[int]float64{1: 2, 5: 8, 9: 5, 13: 2, 100: 2}},
		{"inverse root to a floor", curve(InverseSqrt, func(s *Schedule) { s.Floor = 0.25 }), map[int]float64{17: 4, 401: 2}},
		{"linear by time", curve(Linear, spent(0.25)), map[int]float64{1: 2, 5: 6, 100: 6}},
		{"cosine by time", curve(Cosine, spent(0.5)), map[int]float64{1: 2, 5: 4, 100: 4}},
		{"after the time", curve(Cosine, spent(1.5)), map[int]float64{5: 0}},
		{"before the time", curve(Cosine, spent(-1)), map[int]float64{5: 8}},
		{"all warmup", Schedule{Curve: Cosine, Peak: 8, Warmup: 4, Total: 4}, map[int]float64{4: 8, 5: 0}},
	} {
		for n, want := range tt.want {
			if got := tt.s.Rate(n); math.Abs(got-want) > 1e-14*want {
				t.Errorf("%s, step %d: rate %v, want %v", tt.name, n, got, want)
			}
		}
	}
	for _, c := range []Curve{Linear, Cosine, InverseSqrt} {
		for n := 5; n <= 12; n++ {
			if s := curve(c, nil); s.Rate(n+1) >= s.Rate(n) {
				t.Errorf("%s: rate does not fall after step %d", c, n)
			}
		}
	}
}

// TestRateOfTheNetworks holds the rate of a network's options against the
// formula that its miners began with, to the bit.
func TestRateOfTheNetworks(t *testing.T) {
	for _, o := range []subnet.TrainOptions{
		{LR: 1e-5, WarmupSteps: 7, TotalSteps: 1000},
		{LR: 3e-4, TotalSteps: 50},
		{LR: 0.3, WarmupSteps: 3, Spent: func() float64 { return 0.3 }},
		{LR: 0.3, WarmupSteps: 3},
	} {
		s := FromSubnet(o).Schedule
		for n := 1; n < 1100; n++ {
			var want float64
			switch w := o.WarmupSteps; {
			case n <= w:
				want = o.LR * float64(n) / float64(w)
			case o.Spent != nil:
				want = o.LR * (1 + math.Cos(math.Pi*0.3)) / 2
			case o.TotalSteps == 0:
				want = o.LR
			case n <= o.TotalSteps:
				want = o.LR * (1 + math.Cos(math.Pi*(float64(n-1-w)/float64(o.TotalSteps-w)))) / 2
			}
			if got := s.Rate(n); got != want {
				t.Fatalf("%+v, step %d: rate %v, want %v", s, n, got, want)
			}
		}
	}
}
