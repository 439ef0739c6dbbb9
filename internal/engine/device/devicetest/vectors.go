package devicetest

import (
	"math"

	"adit/internal/engine/device"
)

// vectors are the operations on memory and on vectors.
var vectors = []operation{
	{"NewBuf", func(t *trial) {
		t.exact = true
		t.bufs = append(t.bufs, t.NewBuf(t.between(1, 3000)))
		t.ints = append(t.ints, t.NewInts(t.between(1, 3000)))
	}},
	{"Upload", func(t *trial) { // and slices share memory
		t.exact = true
		n := t.between(9, 3000)
		t.Upload(t.normal(n).Slice(3, 6), []float32{1, 2, 3})
		t.UploadInts(t.below(n, 9).Slice(3, 6), []int32{1, 2, 3})
	}},
	{"Zero", func(t *trial) {
		t.exact = true
		n := t.between(4, 3000)
		t.Zero(t.normal(n).Slice(2, n-1))
	}},
	{"Copy", func(t *trial) {
		t.exact = true
		n := t.between(4, 3000)
		t.Copy(t.normal(n).Slice(1, n), t.normal(n).Slice(0, n-1))
	}},
	{"Add", func(t *trial) {
		n := t.between(4, 3000)
		t.Add(t.normal(n).Slice(1, n), t.normal(n).Slice(0, n-1))
	}},
	{"Scale", func(t *trial) { t.Scale(t.normal(t.between(1, 3000)), 0.3) }},
	{"SumSquares", func(t *trial) {
		for _, size := range []float64{1, 1e25} { // squares beyond 32 bits
			x := t.numbers(t.between(1, 3000), func() float64 { return t.r.NormFloat64() * size })
			t.results = append(t.results, t.SumSquares(x))
		}
	}},
	{"Finite", func(t *trial) {
		n := t.between(1, 3000)
		for _, x := range []float64{0, math.MaxFloat32, math.Inf(1), math.Inf(-1), math.NaN()} {
			b := t.normal(n)
			t.Upload(b.Slice(n/2, n/2+1), []float32{float32(x)})
			is := 0.0
			if t.Finite(b) {
				is = 1
			}
			t.results = append(t.results, is)
		}
	}},
	{"AdamW", func(t *trial) {
		n := t.between(1, 3000)
		t.AdamW(t.normal(n), t.normal(n), t.normal(n), t.positive(n),
			device.Adam{LR: 0.1, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, Step: t.between(1, 9), GradScale: 0.5})
	}},
	{"Nesterov", func(t *trial) {
		n := t.between(1, 3000)
		t.Nesterov(t.normal(n), t.normal(n), t.normal(n), 0.7, 0.9)
	}},
	{"Round", func(t *trial) {
		t.exact = true
		for _, kind := range []device.Float16{device.F16, device.BF16} {
			x := t.numbers(t.between(100, 3000), func() float64 { return t.r.NormFloat64() * math.Exp2(float64(t.between(-30, 20))) })
			t.Round(x, kind)
			t.Round(t.of(rounded), kind)
		}
	}},
}

// rounded are numbers at which rounding to 16 bits goes another way.
var rounded = []float32{
	0, float32(math.Copysign(0, -1)), 1, -2,
	1 + 0x1p-11, 1 + 3*0x1p-11, 1 + 0x1p-11 + 0x1p-20, // in the middle of two halves
	1 + 0x1p-8, -1 - 3*0x1p-8, 1 + 0x1p-8 + 0x1p-20, // of two bfloat16s
	65504, 65519, 65520, -65536, // where halves end
	0x1p-14, 0x1p-15, 0x1.004p-15, 3 * 0x1p-25, 0x1p-25, 0x1.8p-26, // where they become small
	math.MaxFloat32, -math.MaxFloat32, 0x1.fep127, 0x1.fefp127, // where bfloat16s end
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
}
