package devicetest

import (
	"math"

	"adit/internal/engine/device"
)

// matrices are the products, tables and attention.
var matrices = []operation{
	{"Gemm", func(t *trial) {
		for flags := range 8 {
			ta, tb, acc := flags&1 != 0, flags&2 != 0, flags&4 != 0
			m, n, k := t.between(1, 70), t.between(1, 70), t.between(1, 70)
			t.Gemm(t.matrix(m, n), t.either(ta, m, k), ta, t.either(tb, k, n), tb, acc)
		}
	}},
	{"Grouped", func(t *trial) {
		for flags := range 4 {
			offsets, groups, rows := t.groups()
			n, k := t.between(1, 40), t.between(1, 40)
			t.Grouped(t.matrix(rows, n), t.matrix(rows, k), offsets, t.normal(groups*n*k), flags&1 != 0, flags&2 != 0)
		}
	}},
	{"GroupedGrad", func(t *trial) {
		for _, acc := range []bool{true, false} {
			offsets, groups, rows := t.groups()
			n, k := t.between(1, 40), t.between(1, 40)
			t.GroupedGrad(t.normal(groups*n*k), t.matrix(rows, n), t.matrix(rows, k), offsets, acc)
		}
	}},
	{"Embed", func(t *trial) {
		t.exact = true
		n, vocabulary, width := t.between(1, 40), t.between(1, 40), t.between(1, 70)
		t.Embed(t.matrix(n, width), t.matrix(vocabulary, width), t.below(n, vocabulary))
	}},
	{"EmbedGrad", func(t *trial) {
		n, vocabulary, width := t.between(1, 40), t.between(1, 20), t.between(1, 70)
		t.EmbedGrad(t.matrix(vocabulary, width), t.matrix(n, width), t.below(n, vocabulary))
	}},
	{"Attend", func(t *trial) {
		for _, a := range append(t.attentions(), t.attention(3, 0), t.attention(20, 7)) {
			n, keys := a.B*a.T, a.B*(a.Past+a.T)
			t.Attend(t.matrix(n, a.H*a.DimV), t.normal(n*a.H), t.matrix(n, a.H*a.Dim), t.matrix(keys, a.KV*a.Dim), t.matrix(keys, a.KV*a.DimV), a)
		}
	}},
	{"AttendGrad", func(t *trial) {
		for _, a := range t.attentions() {
			n := a.B * a.T
			o, lse := t.matrix(n, a.H*a.DimV), t.normal(n*a.H)
			q, k, v := t.matrix(n, a.H*a.Dim), t.matrix(n, a.KV*a.Dim), t.matrix(n, a.KV*a.DimV)
			t.Attend(o, lse, q, k, v, a)
			dq, dk, dv := t.matrix(n, a.H*a.Dim), t.matrix(n, a.KV*a.Dim), t.matrix(n, a.KV*a.DimV)
			t.AttendGrad(dq, dk, dv, t.matrix(n, a.H*a.DimV), o, lse, q, k, v, a)
		}
	}},
}

// either returns a matrix that is (rows, cols), or that is if transposed.
func (t *trial) either(transposed bool, rows, cols int) device.Mat {
	if transposed {
		rows, cols = cols, rows
	}
	return t.matrix(rows, cols)
}

// groups returns the offsets of groups in a matrix of so many rows, which
// neither begin with its first nor end with its last. Every other group is empty.
func (t *trial) groups() (offsets device.Ints, groups, rows int) {
	x := []int32{1}
	for range t.between(1, 5) {
		next := x[len(x)-1] + int32(t.between(1, 30))
		x = append(x, next, next)
	}
	return t.integers(x...), len(x) - 1, int(x[len(x)-1]) + 1
}

// attentions returns attentions without a past: whole ones, and one with a
// window.
func (t *trial) attentions() []device.Attention {
	return []device.Attention{t.attention(0, 0), t.attention(0, 5)}
}

func (t *trial) attention(past, window int) device.Attention {
	shared := t.between(1, 3)
	a := device.Attention{
		B: t.between(1, 2), T: t.between(1, 30), KV: t.between(1, 2),
		Past: past, Window: window,
		Dim: t.between(1, 20), DimV: t.between(1, 20),
	}
	a.H, a.Scale = shared*a.KV, float32(1/math.Sqrt(float64(a.Dim)))
	return a
}
