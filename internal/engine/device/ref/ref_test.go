package ref

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"adit/internal/engine/device"
)

// Gradients are compared with finite differences. Here is what that does not
// see: conventions.

func mat2(rows, cols int, x ...float32) device.Mat { return device.M(buf(x), rows, cols) }

func TestGemm(t *testing.T) {
	a, at := mat2(2, 3, 1, 2, 3, 4, 5, 6), mat2(3, 2, 1, 4, 2, 5, 3, 6)
	b, bt := mat2(3, 2, 7, 8, 9, 10, 11, 12), mat2(2, 3, 7, 9, 11, 8, 10, 12)
	for _, tt := range []struct {
		a, b   device.Mat
		ta, tb bool
	}{{a, b, false, false}, {at, b, true, false}, {a, bt, false, true}, {at, bt, true, true}} {
		c := buf{1, 1, 9, 1, 1, 9} // the nines lie between the rows
		cm := device.Mat{Buf: c, Rows: 2, Cols: 2, Stride: 3}
		New().Gemm(cm, tt.a, tt.ta, tt.b, tt.tb, false)
		New().Gemm(cm, tt.a, tt.ta, tt.b, tt.tb, true)
		if want := (buf{116, 128, 9, 278, 308, 9}); !slices.Equal(c, want) {
			t.Errorf("transposed %v %v: %v, want %v", tt.ta, tt.tb, c, want)
		}
	}
}

// TestGroups multiplies with a window of the experts, whose rows do not begin
// at nought.
func TestGroups(t *testing.T) {
	a := mat2(4, 1, 1, 2, 3, 4)
	c := buf{9, 9, 9, 9}
	New().Grouped(device.M(c, 4, 1), a, ints{1, 3, 3, 4}, buf{10, 20, 30}, true, false)
	if want := (buf{9, 20, 30, 120}); !slices.Equal(c, want) {
		t.Errorf("grouped: %v, want %v", c, want)
	}
	db := buf{1, 1}
	New().GroupedGrad(db, mat2(4, 1, 1, 1, 1, 2), a, ints{1, 3, 4}, true)
	if want := (buf{6, 9}); !slices.Equal(db, want) {
		t.Errorf("grouped gradient: %v, want %v", db, want)
	}
	New().GroupedGrad(db, mat2(4, 1, 1, 1, 1, 2), a, ints{1, 3, 3}, false)
	if want := (buf{5, 0}); !slices.Equal(db, want) {
		t.Errorf("grouped gradient, set: %v, want %v", db, want)
	}
	// A matrix of two outputs and three inputs, both ways.
	w := buf{1, 2, 3, 4, 5, 6}
	y := make(buf, 2)
	New().Grouped(device.M(y, 1, 2), mat2(1, 3, 1, 0, 2), ints{0, 1}, w, true, false)
	x := make(buf, 3)
	New().Grouped(device.M(x, 1, 3), mat2(1, 2, 1, 2), ints{0, 1}, w, false, false)
	if !slices.Equal(y, buf{7, 16}) || !slices.Equal(x, buf{9, 12, 15}) {
		t.Errorf("y = %v, x = %v", y, x)
	}
}

func TestTopK(t *testing.T) {
	nan := float32(math.NaN())
	half := float32(math.Log(2))
	for _, tt := range []struct {
		logits  []float32
		allowed ints
		want    ints
		weight  buf
	}{
		{[]float32{0, half, 0, 0}, ints{1, 1, 1, 1}, ints{1, 0}, buf{0.8, 0.4}},
		{[]float32{0, half, 0, 0}, ints{1, 0, 0, 1}, ints{0, 3}, buf{0.4, 0.4}},
		{[]float32{nan, 1, 2, 3}, ints{0, 1, 1, 1}, ints{1, 2}, nil},
	} {
		probs, chosen, weight := make(buf, 4), make(ints, 2), make(buf, 2)
		New().TopK(device.M(probs, 1, 4), chosen, weight, mat2(1, 4, tt.logits...), tt.allowed, device.Routing{K: 2, Scale: 2})
		if !slices.Equal(chosen, tt.want) {
			t.Errorf("%v of %v: chose %v, want %v", tt.allowed, tt.logits, chosen, tt.want)
		}
		if tt.weight != nil && !cmp.Equal(weight, tt.weight, cmpopts.EquateApprox(0, 1e-6)) {
			t.Errorf("%v of %v: weights %v, want %v", tt.allowed, tt.logits, weight, tt.weight)
		}
	}
}

func TestGroupIsStable(t *testing.T) {
	offsets, slot := make(ints, 5), make(ints, 6)
	New().Group(offsets, slot, ints{3, 1, 3, 0, 1, 3})
	if !slices.Equal(offsets, ints{0, 1, 3, 3, 6}) || !slices.Equal(slot, ints{3, 1, 4, 0, 2, 5}) {
		t.Errorf("offsets %v, slots %v", offsets, slot)
	}
}

func TestScatterAndCombine(t *testing.T) {
	slot := ints{2, 0, 1, 3}
	xs := make(buf, 4)
	New().Scatter(device.M(xs, 4, 1), mat2(2, 1, 10, 20), slot, 2)
	if !slices.Equal(xs, buf{10, 20, 10, 20}) {
		t.Errorf("scattered: %v", xs)
	}
	y := buf{1, 1}
	New().Combine(device.M(y, 2, 1), mat2(4, 1, 1, 2, 3, 4), slot, buf{1, 10, 100, 1000}, 2)
	if !slices.Equal(y, buf{1 + 3 + 10, 1 + 200 + 4000}) {
		t.Errorf("combined: %v", y)
	}
}

func TestCrossEntropy(t *testing.T) {
	logits := mat2(2, 2, 0, float32(math.Log(3)), 5, 6)
	loss := make(buf, 2)
	New().CrossEntropy(loss, logits, ints{0, -1}, 0)
	approx := cmpopts.EquateApprox(0, 1e-6)
	if want := (buf{float32(math.Log(4)), 0}); !cmp.Equal(loss, want, approx) {
		t.Errorf("loss %v, want %v", loss, want)
	}
	if !slices.Equal(logits.Buf.(buf), buf{0, float32(math.Log(3)), 5, 6}) {
		t.Errorf("scale 0 changed the logits: %v", logits.Buf)
	}
	New().CrossEntropy(loss, logits, ints{0, -1}, 2)
	if want := (buf{-1.5, 1.5, 0, 0}); !cmp.Equal(logits.Buf, want, approx) {
		t.Errorf("gradient %v, want %v", logits.Buf, want)
	}
}

func TestRope(t *testing.T) {
	// One head of two pairs, positions 0 and 1 with angles 90° and 0.
	x := mat2(2, 4, 1, 2, 3, 4, 1, 2, 3, 4)
	cos, sin := buf{1, 1, 0, 1}, buf{0, 0, 1, 0}
	r := device.Rotation{T: 2, Heads: 1, Stride: 4, Dim: 4}
	New().Rope(x, cos, sin, r)
	if want := (buf{1, 2, 3, 4, -3, 2, 1, 4}); !slices.Equal(x.Buf.(buf), want) {
		t.Errorf("turned: %v, want %v", x.Buf, want)
	}
	r.Inverse = true
	New().Rope(x, cos, sin, r)
	if want := (buf{1, 2, 3, 4, 1, 2, 3, 4}); !slices.Equal(x.Buf.(buf), want) {
		t.Errorf("turned back: %v, want %v", x.Buf, want)
	}
}

func TestAdamW(t *testing.T) {
	// The first step moves by the learning rate whatever the gradient's size.
	p, m, v := buf{1, 1}, make(buf, 2), make(buf, 2)
	New().AdamW(p, buf{4, -0.5}, m, v, device.Adam{LR: 0.1, Beta1: 0.9, Beta2: 0.99, WeightDecay: 0.5, Step: 1, GradScale: 0.5})
	approx := cmpopts.EquateApprox(0, 1e-6)
	if !cmp.Equal(p, buf{0.85, 1.05}, approx) || !cmp.Equal(m, buf{0.2, -0.025}, approx) || !cmp.Equal(v, buf{0.04, 0.000625}, approx) {
		t.Errorf("p = %v, m = %v, v = %v", p, m, v)
	}
}

func TestFinite(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, bad := range []float32{inf, -inf, inf - inf} {
		if New().Finite(buf{0, bad, 1}) {
			t.Errorf("%v is called finite", bad)
		}
	}
	if !New().Finite(buf{math.MaxFloat32, 0}) {
		t.Error("the largest number is called infinite")
	}
}

func TestSizesPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"gemm": func() { New().Gemm(mat2(1, 1, 0), mat2(1, 2, 0, 0), false, mat2(1, 2, 0, 0), false, false) },
		"mat":  func() { New().SwiGLU(mat2(2, 2, 0, 0, 0), mat2(2, 4, 0, 0, 0, 0, 0, 0, 0, 0)) },
		"copy": func() { New().Copy(buf{0}, buf{0, 0}) },
		"expert": func() {
			New().TopK(mat2(1, 2, 0, 0), make(ints, 2), make(buf, 2), mat2(1, 2, 0, 0), ints{1, 0}, device.Routing{K: 2, Scale: 1})
		},
		"groups": func() {
			New().TopK(mat2(1, 3, 0, 0, 0), make(ints, 1), make(buf, 1), mat2(1, 3, 0, 0, 0), ints{1, 1, 1}, device.Routing{K: 1, Groups: 2, TopGroups: 1})
		},
		"parts": func() { New().RMSNorm(mat2(1, 3, 0, 0, 0), mat2(1, 3, 0, 0, 0), buf{0, 0}, buf{0, 0}, 0) },
		"heads": func() {
			New().CopyHeads(mat2(1, 2, 0, 0), device.Heads{N: 2, Width: 2}, mat2(1, 2, 0, 0), device.Heads{N: 2, Stride: 1, Width: 2}, false)
		},
		"columns": func() {
			New().Rope(mat2(1, 3, 0, 0, 0), buf{0}, buf{0}, device.Rotation{T: 1, Heads: 1, First: 2, Dim: 2})
		},
		"runs":   func() { New().Balance(make(buf, 1), device.Mat{}, mat2(3, 1, 0, 0, 0), ints{0, 0, 0}, 1, 2, 1) },
		"round":  func() { New().Round(buf{0}, 7) },
		"choice": func() { New().Group(make(ints, 3), make(ints, 1), ints{2}) },
		"token":  func() { New().Embed(mat2(1, 1, 0), mat2(1, 1, 0), ints{1}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: sizes that do not fit passed", name)
				}
			}()
			f()
		}()
	}
}
