package model

import (
	"math"
	"testing"
)

// TestRouting compares the sums with the model's own rules: each token's weights
// add up to the scale where they are made to, experts that are not allowed get
// none, and a batch is as its sequences one by one.
func TestRouting(t *testing.T) {
	c := tiny()
	c.NormTopKProb = true
	run := func(batch int, route map[int][]int) map[int][]float64 {
		m := newModel(t, c)
		if err := m.Route(route); err != nil {
			t.Fatal(err)
		}
		m.CountRouting(true)
		const seqs = 4
		for at := 0; at < seqs; at += batch {
			n := batch * m.SeqLen()
			ids, targets := make([]int32, n), make([]int32, n)
			for i := range ids {
				ids[i] = int32((at*m.SeqLen() + i) * 7 % c.VocabSize)
			}
			m.Forward(make([]float32, n), ids, targets, batch)
		}
		sums := m.Routing()
		m.CountRouting(false)
		m.Forward(make([]float32, m.SeqLen()), make([]int32, m.SeqLen()), make([]int32, m.SeqLen()), 1)
		if len(m.Routing()[1]) != 0 {
			t.Error("it still counts")
		}
		return sums
	}
	all := run(1, nil)
	if len(all) != c.NumHiddenLayers-c.FirstKDenseReplace {
		t.Fatalf("%d layers, want the sparse ones", len(all))
	}
	for l, sums := range all {
		var total float64
		for _, s := range sums {
			total += s
		}
		tokens := float64(4 * testLen)
		if want := tokens * c.RoutedScalingFactor; math.Abs(total/want-1) > 1e-5 {
			t.Errorf("layer %d: weights of %v in all, want %v", l, total, want)
		}
		for e, s := range run(4, nil)[l] {
			if s != sums[e] {
				t.Errorf("layer %d expert %d: %v in a batch, %v one by one", l, e, s, sums[e])
			}
		}
	}
	for e, s := range run(2, map[int][]int{1: {0, 2}})[1] {
		if (s > 0) != (e == 0 || e == 2) {
			t.Errorf("expert %d has weight %v where 0 and 2 are allowed", e, s)
		}
	}
}
