package devicetest

import "adit/internal/engine/device"

// experts are the operations that send tokens to experts and back.
var experts = []operation{
	{"TopK", func(t *trial) {
		for _, r := range routings {
			n, experts := t.between(1, 40), 12
			t.TopK(t.matrix(n, experts), t.integers(make([]int32, n*r.K)...), t.normal(n*r.K), t.logits(n, experts), t.allowed(experts), r)
		}
	}},
	{"TopKGrad", func(t *trial) {
		for _, r := range routings {
			n, experts := t.between(1, 40), 12
			probs, chosen := t.matrix(n, experts), t.integers(make([]int32, n*r.K)...)
			t.TopK(probs, chosen, t.normal(n*r.K), t.logits(n, experts), t.allowed(experts), r)
			t.TopKGrad(t.matrix(n, experts), probs, chosen, t.normal(n*r.K), r)
		}
	}},
	{"Balance", func(t *trial) {
		for _, grad := range []bool{true, false} {
			runs, length, experts, k := t.between(1, 3), t.between(1, 40), t.between(2, 20), t.between(1, 4)
			n := runs * length
			var dlogits device.Mat
			if grad {
				dlogits = t.matrix(n, experts)
			}
			t.Balance(t.normal(runs), dlogits, t.matrix(n, experts), t.below(n*k, experts), k, length, 0.3)
		}
	}},
	{"Group", func(t *trial) {
		n, experts := t.between(1, 200), t.between(1, 20)
		t.Group(t.integers(make([]int32, experts+1)...), t.integers(make([]int32, n)...), t.below(n, experts))
	}},
	{"Scatter", func(t *trial) {
		t.exact = true
		n, k, width := t.choices()
		t.Scatter(t.matrix(n*k, width), t.matrix(n, width), t.shuffled(n*k), k)
	}},
	{"ScatterGrad", func(t *trial) {
		n, k, width := t.choices()
		t.ScatterGrad(t.matrix(n, width), t.matrix(n*k, width), t.shuffled(n*k), k)
	}},
	{"Combine", func(t *trial) {
		n, k, width := t.choices()
		t.Combine(t.matrix(n, width), t.matrix(n*k, width), t.shuffled(n*k), t.normal(n*k), k)
	}},
	{"CombineGrad", func(t *trial) {
		n, k, width := t.choices()
		for _, dweight := range []device.Buf{t.normal(n * k), nil} {
			t.CombineGrad(t.matrix(n*k, width), dweight, t.matrix(n, width), t.matrix(n*k, width), t.shuffled(n*k), t.normal(n*k), k)
		}
	}},
}

// routings are ways to choose among 12 experts, of which 8 are allowed: all
// ways together, and one whose groups do not have enough.
var routings = []device.Routing{
	{K: 2, Scale: 1},
	{K: 3, Scale: 2.5, Normal: true},
	{K: 1, Scale: 1, Normal: true},
	{K: 3, Scale: 16, Groups: 4, TopGroups: 2},
	{K: 4, Scale: 0.5, Normal: true, Groups: 6, TopGroups: 1},
	{K: 8, Scale: 1},
}

// allowed allows two of three.
func (t *trial) allowed(experts int) device.Ints {
	x, off := make([]int32, experts), t.between(0, 2)
	for e := range x {
		if (e+off)%3 != 0 {
			x[e] = 1
		}
	}
	return t.integers(x...)
}

// logits are coarse: two are equal, or too far apart to be taken for another.
func (t *trial) logits(n, experts int) device.Mat {
	b := t.numbers(n*experts, func() float64 { return float64(t.between(-16, 16)) / 8 })
	return device.M(b, n, experts)
}

// choices returns numbers of tokens and of choices of each, and a width.
func (t *trial) choices() (n, k, width int) {
	return t.between(1, 40), t.between(1, 4), t.between(1, 70)
}
