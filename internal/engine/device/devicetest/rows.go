package devicetest

import (
	"math"

	"adit/internal/engine/device"
)

// rows are the operations that work row by row, and their gradients.
var rows = []operation{
	{"AddBias", func(t *trial) {
		n, width := t.shape()
		t.AddBias(t.matrix(n, width), t.normal(width))
	}},
	{"BiasGrad", func(t *trial) {
		n, width := t.shape()
		t.BiasGrad(t.normal(width), t.matrix(n, width))
	}},
	{"RMSNorm", func(t *trial) {
		for parts := 1; parts <= 3; parts++ {
			n, width := t.shape()
			t.RMSNorm(t.matrix(n, parts*width), t.matrix(n, parts*width), t.normal(width), t.normal(n*parts), 1e-5)
		}
	}},
	{"RMSNormGrad", func(t *trial) {
		for parts := 1; parts <= 3; parts++ {
			n, width := t.shape()
			var dw device.Buf
			if parts != 2 {
				dw = t.normal(width)
			}
			m := func() device.Mat { return t.matrix(n, parts*width) }
			t.RMSNormGrad(m(), dw, m(), m(), t.normal(width), t.positive(n*parts))
		}
	}},
	{"LayerNorm", func(t *trial) {
		n, width := t.shape()
		t.LayerNorm(t.matrix(n, width), t.matrix(n, width), t.normal(width), t.normal(width), t.normal(n), t.normal(n), 1e-5)
	}},
	{"LayerNormGrad", func(t *trial) {
		for flags := range 4 {
			n, width := t.shape()
			var dw, db device.Buf
			if flags&1 != 0 {
				dw = t.normal(width)
			}
			if flags&2 != 0 {
				db = t.normal(width)
			}
			m := func() device.Mat { return t.matrix(n, width) }
			t.LayerNormGrad(m(), dw, db, m(), m(), t.normal(width), t.normal(n), t.positive(n))
		}
	}},
	{"Rope", func(t *trial) {
		for flags := range 4 {
			r := device.Rotation{
				T: t.between(1, 9), Heads: t.between(1, 4), First: t.between(0, 5), Dim: 2 * t.between(1, 20),
				Pairs: flags&1 != 0, Inverse: flags&2 != 0,
			}
			r.Stride = r.Dim + t.between(0, 5)
			x := t.matrix(r.T*t.between(1, 3), r.First+r.Heads*r.Stride)
			cos, sin := make([]float32, r.T*r.Dim/2), make([]float32, r.T*r.Dim/2)
			for i := range cos {
				s, c := math.Sincos(t.r.NormFloat64())
				cos[i], sin[i] = float32(c), float32(s)
			}
			t.Rope(x, t.of(cos), t.of(sin), r)
		}
	}},
	{"CopyHeads", func(t *trial) {
		for way := range 18 {
			heads, width, n := t.between(1, 5), t.between(1, 20), t.between(1, 40)
			side := func(apart int) (device.Mat, device.Heads) {
				h := device.Heads{N: heads, First: t.between(0, 5), Width: width}
				h.Stride = [3]int{0, width, width + t.between(1, 5)}[apart]
				return t.matrix(n, h.First+heads*(width+5)), h
			}
			dst, to := side(way % 3)
			src, from := side(way / 3 % 3)
			t.CopyHeads(dst, to, src, from, way >= 9)
		}
	}},
	{"SwiGLU", func(t *trial) {
		n, width := t.shape()
		t.SwiGLU(t.matrix(n, width), t.matrix(n, 2*width))
	}},
	{"SwiGLUGrad", func(t *trial) {
		n, width := t.shape()
		gu := t.matrix(n, 2*width)
		t.SwiGLUGrad(t.matrix(n, 2*width), t.matrix(n, width), gu)
		t.SwiGLUGrad(gu, t.matrix(n, width), gu)
	}},
	{"Gelu", func(t *trial) {
		n, width := t.shape()
		t.Gelu(t.matrix(n, width), t.matrix(n, width))
	}},
	{"GeluGrad", func(t *trial) {
		n, width := t.shape()
		x := t.matrix(n, width)
		t.GeluGrad(t.matrix(n, width), t.matrix(n, width), x)
		t.GeluGrad(x, t.matrix(n, width), x)
	}},
	{"CrossEntropy", func(t *trial) {
		for _, scale := range []float32{0, 0.25} {
			n, vocabulary := t.shape()
			targets := make([]int32, n)
			for i := range targets {
				targets[i] = int32(t.between(-1, vocabulary-1))
			}
			t.CrossEntropy(t.normal(n), t.matrix(n, vocabulary), t.integers(targets...), scale)
		}
	}},
}

// shape returns the rows and columns of a matrix.
func (t *trial) shape() (rows, cols int) { return t.between(1, 40), t.between(2, 70) }
