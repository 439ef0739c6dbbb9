package sample

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var inf = float32(math.Inf(1))

// ln returns logits that give tokens these probabilities.
func ln(ps ...float64) []float32 {
	out := make([]float32, len(ps))
	for i, p := range ps {
		out[i] = float32(math.Log(p))
	}
	return out
}

func newSampler(t testing.TB, r Rules, seed uint64) *Sampler {
	t.Helper()
	s, err := New(r, seed)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFrequencies draws many tokens and counts them against probabilities that
// were worked out by hand.
func TestFrequencies(t *testing.T) {
	for _, tt := range []struct {
		rules  Rules
		logits []float32
		want   []float64
	}{
		{Rules{Temperature: 1}, ln(0.1, 0.2, 0.3, 0.4), []float64{0.1, 0.2, 0.3, 0.4}},
		{Rules{Temperature: 1, TopP: 1}, ln(0.5, 0.5), []float64{0.5, 0.5}},
		// Halving the temperature squares: 1:4:9:16.
		{Rules{Temperature: 0.5}, ln(0.1, 0.2, 0.3, 0.4), []float64{1. / 30, 4. / 30, 9. / 30, 16. / 30}},
		{Rules{Temperature: 1, TopK: 2}, ln(0.1, 0.2, 0.3, 0.4), []float64{0, 0, 3. / 7, 4. / 7}},
		{Rules{Temperature: 1, TopK: 9}, ln(0.25, 0.75), []float64{0.25, 0.75}},
		// 0.4 and 0.3 are 0.7, which is enough for 0.65 and not for 0.75.
		{Rules{Temperature: 1, TopP: 0.65}, ln(0.1, 0.2, 0.3, 0.4), []float64{0, 0, 3. / 7, 4. / 7}},
		{Rules{Temperature: 1, TopP: 0.75}, ln(0.1, 0.2, 0.3, 0.4), []float64{0, 2. / 9, 3. / 9, 4. / 9}},
		// Of the three that are kept, 0.4 alone has 4/9, and with 0.3 7/9.
		{Rules{Temperature: 1, TopK: 3, TopP: 0.75}, ln(0.1, 0.2, 0.3, 0.4), []float64{0, 0, 3. / 7, 4. / 7}},
		{Rules{Temperature: 1, TopP: 1e-9}, ln(0.3, 0.7), []float64{0, 1}},
		// Of equals the first are kept.
		{Rules{Temperature: 1, TopK: 2}, []float32{1, 1, 1, 1}, []float64{0.5, 0.5, 0, 0}},
		{Rules{Temperature: 1}, []float32{-inf, 1000, -inf, 1000}, []float64{0, 0.5, 0, 0.5}},
		{Rules{}, ln(0.3, 0.4, 0.3), []float64{0, 1, 0}},
		{Rules{}, []float32{2, 2, 1}, []float64{1, 0, 0}},
		{Rules{Temperature: 3, TopK: 1}, ln(0.3, 0.4, 0.3), []float64{0, 1, 0}},
	} {
		const draws = 20_000
		s := newSampler(t, tt.rules, 7)
		count := make([]int, len(tt.want))
		for range draws {
			id, err := s.Next(tt.logits)
			if err != nil {
				t.Fatal(err)
			}
			count[id]++
		}
		for i, want := range tt.want {
			got := float64(count[i]) / draws
			// Five standard deviations; what cannot be must not be.
			if math.Abs(got-want) > 5*math.Sqrt(want*(1-want)/draws) {
				t.Errorf("%+v of %v: token %d came in %v, want %v", tt.rules, tt.logits, i, got, want)
			}
		}
	}
}

// TestKeepsTheMostLikely compares the heap with a sort, over random logits with
// many equals.
func TestKeepsTheMostLikely(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logits := rapid.SliceOfN(rapid.Map(rapid.IntRange(-3, 3), func(i int) float32 { return float32(i) }), 1, 40).Draw(t, "logits")
		k := rapid.IntRange(1, 45).Draw(t, "k")
		var all []choice
		for i, l := range logits {
			all = append(all, choice{id: int32(i), logit: l})
		}
		slices.SortFunc(all, likelier)
		s := &Sampler{rules: Rules{TopK: k}}
		got := s.keep(logits, k)
		if !slices.Equal(got, all[:min(k, len(all))]) {
			t.Fatalf("kept %v of %v, want %v", got, logits, all)
		}
	})
}

func TestSeedsDecide(t *testing.T) {
	logits := make([]float32, 500)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range logits {
		logits[i] = rng.Float32()
	}
	draw := func(seed uint64) (out []int32) {
		s := newSampler(t, Rules{Temperature: 1, TopP: 0.9}, seed)
		for range 20 {
			id, err := s.Next(logits)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, id)
		}
		return out
	}
	one := draw(1)
	if !slices.Equal(one, draw(1)) {
		t.Error("the same seed chose otherwise")
	}
	if slices.Equal(one, draw(2)) {
		t.Error("another seed chose the same")
	}
}

func TestBrokenLogits(t *testing.T) {
	nan := float32(math.NaN())
	for _, rules := range []Rules{{}, {Temperature: 1}, {Temperature: 1, TopK: 1}} {
		for _, tt := range []struct {
			logits []float32
			want   error
		}{
			{[]float32{1, nan, 3}, errNaN},
			{[]float32{nan}, errNaN},
			{[]float32{1, inf}, errInf},
			{[]float32{-inf, -inf}, errNone},
			{nil, errNone},
		} {
			if id, err := newSampler(t, rules, 0).Next(tt.logits); err != tt.want {
				t.Errorf("%+v of %v: token %d, %v, want %v", rules, tt.logits, id, err, tt.want)
			}
		}
	}
}

func TestBadRules(t *testing.T) {
	for _, r := range []Rules{
		{Temperature: -1}, {Temperature: math.NaN()}, {Temperature: math.Inf(1)},
		{TopK: -1}, {TopP: -0.1}, {TopP: 1.1}, {TopP: math.NaN()},
	} {
		if s, err := New(r, 0); err == nil {
			t.Errorf("%+v made %v", r, s)
		}
	}
}
