package ref

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"adit/internal/engine/device"
)

func TestRopePairs(t *testing.T) {
	// Two heads of one pair, after a column and before one, by 90°.
	x := mat2(1, 7, 9, 1, 2, 9, 3, 4, 9)
	r := device.Rotation{T: 1, Heads: 2, Stride: 3, First: 1, Dim: 2, Pairs: true}
	New().Rope(x, buf{0}, buf{1}, r)
	if want := (buf{9, -2, 1, 9, -4, 3, 9}); !slices.Equal(x.Buf.(buf), want) {
		t.Errorf("turned: %v, want %v", x.Buf, want)
	}
	// Two pairs beside one another, of which only the second is turned.
	x = mat2(1, 4, 1, 2, 3, 4)
	New().Rope(x, buf{1, 0}, buf{0, 1}, device.Rotation{T: 1, Heads: 1, Dim: 4, Pairs: true})
	if want := (buf{1, 2, -4, 3}); !slices.Equal(x.Buf.(buf), want) {
		t.Errorf("turned: %v, want %v", x.Buf, want)
	}
}

func TestCopyHeads(t *testing.T) {
	x := mat2(2, 3, 0, 1, 2, 0, 3, 4)
	same := device.Heads{N: 2, First: 1, Width: 2}
	apart := device.Heads{N: 2, Stride: 3, Width: 2}
	y := mat2(2, 6, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9)
	New().CopyHeads(y, apart, x, same, false)
	if want := (buf{1, 2, 9, 1, 2, 9, 3, 4, 9, 3, 4, 9}); !slices.Equal(y.Buf.(buf), want) {
		t.Errorf("repeated: %v, want %v", y.Buf, want)
	}
	New().CopyHeads(x, same, y, apart, true)
	if want := (buf{0, 3, 6, 0, 9, 12}); !slices.Equal(x.Buf.(buf), want) {
		t.Errorf("added up: %v, want %v", x.Buf, want)
	}
}

func TestNorms(t *testing.T) {
	approx := cmpopts.EquateApprox(0, 1e-6)
	y, mean, rstd := make(buf, 4), make(buf, 1), make(buf, 1)
	x := mat2(1, 4, 1, 3, 5, 7) // mean 4, variance 5
	New().LayerNorm(device.M(y, 1, 4), x, buf{1, 1, 2, 1}, buf{0, 1, 0, 0}, mean, rstd, 4)
	if !cmp.Equal(y, buf{-1, 1 - 1./3, 2. / 3, 1}, approx) || mean[0] != 4 || !cmp.Equal(rstd, buf{1. / 3}, approx) {
		t.Errorf("layernorm: %v, mean %v, rstd %v", y, mean, rstd)
	}
	rstd = make(buf, 2)
	New().RMSNorm(device.M(y, 1, 4), mat2(1, 4, 1, 7, 3, 1), buf{1, 10}, rstd, 0) // mean squares 25 and 5
	if !cmp.Equal(rstd, buf{0.2, 0.4472136}, approx) || !cmp.Equal(y, buf{0.2, 14, 1.3416408, 4.472136}, approx) {
		t.Errorf("rmsnorm of parts: %v, rstd %v", y, rstd)
	}
}

func TestGelu(t *testing.T) {
	h := make(buf, 5)
	New().Gelu(device.M(h, 1, 5), mat2(1, 5, 0, 1, -1, 3, -1e30))
	// By the error function it would be 0.841345, -0.158655, 2.995950.
	if want := (buf{0, 0.841192, -0.158808, 2.996363, 0}); !cmp.Equal(h, want, cmpopts.EquateApprox(0, 1e-6)) {
		t.Errorf("gelu %v, want %v", h, want)
	}
}

func TestNesterov(t *testing.T) {
	p, v := buf{1, 1}, buf{0, 2}
	New().Nesterov(p, buf{4, -2}, v, 0.5, 0.5)
	// The speeds are 4 and -1; each goes by the gradient and half its speed.
	if !slices.Equal(v, buf{4, -1}) || !slices.Equal(p, buf{1 - 3, 1 + 1.25}) {
		t.Errorf("p = %v, v = %v", p, v)
	}
}

func TestRound(t *testing.T) {
	inf := float32(math.Inf(1))
	x := buf{1 + 0x1p-11, 1 + 3*0x1p-11, 65519, -65520, 0x1p-25, 3 * 0x1p-25, 1 + 0x1p-8}
	half, brain := slices.Clone(x), slices.Clone(x)
	New().Round(half, device.F16)
	New().Round(brain, device.BF16)
	if want := (buf{1, 1 + 0x1p-9, 65504, -inf, 0, 0x1p-23, 1 + 0x1p-8}); !slices.Equal(half, want) {
		t.Errorf("halves %v, want %v", half, want)
	}
	if want := (buf{1, 1, 65536, -65536, 0x1p-25, 3 * 0x1p-25, 1}); !slices.Equal(brain, want) {
		t.Errorf("bfloat16s %v, want %v", brain, want)
	}
	x = buf{inf, -inf, math.MaxFloat32, float32(math.NaN())}
	New().Round(x, device.BF16)
	if !slices.Equal(x[:3], buf{inf, -inf, inf}) || x[3] == x[3] {
		t.Errorf("bfloat16s %v", x)
	}
}

func TestRouting(t *testing.T) {
	nan := float32(math.NaN())
	all := ints{1, 1, 1, 1, 1, 1}
	for _, tt := range []struct {
		name    string
		logits  []float32
		allowed ints
		r       device.Routing
		want    ints
	}{
		// Experts 0 and 3 are the best, in groups 0 and 1 of three.
		{"one group", []float32{5, 1, 2, 4, 3, 3}, all, device.Routing{K: 2, Groups: 3, TopGroups: 1}, ints{0, 1}},
		{"two groups", []float32{5, 1, 2, 4, 3, 3}, all, device.Routing{K: 3, Groups: 3, TopGroups: 2}, ints{0, 3, 2}},
		{"all groups", []float32{5, 1, 2, 4, 3, 3}, all, device.Routing{K: 3, Groups: 3, TopGroups: 3}, ints{0, 3, 4}},
		{"equal groups", []float32{1, 4, 0, 0, 4, 3}, all, device.Routing{K: 2, Groups: 3, TopGroups: 1}, ints{1, 0}},
		{"equals of two groups", []float32{0, 4, 0, 0, 4, 4}, all, device.Routing{K: 3, Groups: 3, TopGroups: 2}, ints{1, 4, 5}},
		{"too few", []float32{5, 1, 2, 4, 3, 3}, all, device.Routing{K: 4, Groups: 3, TopGroups: 1}, ints{0, 1, 3, 4}},
		{"the best is not allowed", []float32{5, 1, 2, 4, 3, 3}, ints{0, 1, 1, 1, 1, 1}, device.Routing{K: 2, Groups: 3, TopGroups: 1}, ints{3, 2}},
		{"a group is not allowed", []float32{5, 1, 2, 4, 3, 3}, ints{1, 1, 0, 0, 0, 1}, device.Routing{K: 3, Groups: 3, TopGroups: 2}, ints{0, 5, 1}},
		{"broken", []float32{nan, 1, 2, 4, 3, 3}, ints{0, 0, 1, 1, 1, 1}, device.Routing{K: 3, Groups: 3, TopGroups: 1}, ints{2, 3, 4}},
	} {
		chosen := make(ints, tt.r.K)
		New().TopK(device.M(make(buf, 6), 1, 6), chosen, make(buf, tt.r.K), mat2(1, 6, tt.logits...), tt.allowed, tt.r)
		if !slices.Equal(chosen, tt.want) {
			t.Errorf("%s: chose %v, want %v", tt.name, chosen, tt.want)
		}
	}

	l2, l6 := float32(math.Log(2)), float32(math.Log(6))
	weight := make(buf, 2)
	r := device.Routing{K: 2, Scale: 4, Normal: true}
	New().TopK(device.M(make(buf, 4), 1, 4), make(ints, 2), weight, mat2(1, 4, 0, l2, 0, l6), ints{1, 1, 1, 1}, r)
	if want := (buf{3, 1}); !cmp.Equal(weight, want, cmpopts.EquateApprox(0, 1e-6)) {
		t.Errorf("normal weights %v, want %v", weight, want)
	}
	// Of those allowed none has a probability that 32 bits can hold.
	New().TopK(device.M(make(buf, 3), 1, 3), make(ints, 2), weight, mat2(1, 3, 0, 1000, 0), ints{1, 0, 1}, r)
	if !slices.Equal(weight, buf{0, 0}) {
		t.Errorf("weights of nothing %v", weight)
	}
}

func TestBalance(t *testing.T) {
	probs := mat2(4, 2, 0.5, 0.5, 0.5, 0.5, 0.75, 0.25, 1, 0)
	loss := make(buf, 2)
	dlogits := mat2(4, 2, 1, 1, 1, 1, 1, 1, 1, 1)
	New().Balance(loss, dlogits, probs, ints{0, 1, 0, 0}, 1, 2, 2)
	// The first run asks for both alike; the second for 0 alone, twice as often
	// as it should.
	if want := (buf{1, 2 * 0.875}); !slices.Equal(loss, want) {
		t.Errorf("loss %v, want %v", loss, want)
	}
	if want := (buf{1, 1, 1, 1, 1.375, 0.625, 1, 1}); !slices.Equal(dlogits.Buf.(buf), want) {
		t.Errorf("gradient %v, want %v", dlogits.Buf, want)
	}
}

// TestAttendPast attends to two sequences at once, and to their ends with the
// beginnings as the past.
func TestAttendPast(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const length, past = 7, 4
	for _, window := range []int{0, 1, 3, 6, 7, 100} {
		a := device.Attention{B: 2, T: length, H: 2, KV: 1, Window: window, Dim: 3, DimV: 2, Scale: 0.5}
		q, k, v := coarse(r, 2*length*6), coarse(r, 2*length*3), coarse(r, 2*length*2)
		o, lse := make(buf, 2*length*4), make(buf, 2*length*2)
		New().Attend(device.M(o, 2*length, 4), lse, device.M(q, 2*length, 6), device.M(k, 2*length, 3), device.M(v, 2*length, 2), a)
		var ends, wantO, wantLSE buf // of the queries, the outputs and their sums
		for b := range 2 {
			lo, hi := b*length+past, (b+1)*length
			ends, wantO, wantLSE = append(ends, q[lo*6:hi*6]...), append(wantO, o[lo*4:hi*4]...), append(wantLSE, lse[lo*2:hi*2]...)
		}
		a.T, a.Past = length-past, past
		o, lse = make(buf, len(wantO)), make(buf, len(wantLSE))
		New().Attend(device.M(o, 2*a.T, 4), lse, device.M(ends, 2*a.T, 6), device.M(k, 2*length, 3), device.M(v, 2*length, 2), a)
		if !slices.Equal(o, wantO) || !slices.Equal(lse, wantLSE) {
			t.Errorf("window %d: with a past %v %v, without %v %v", window, o, lse, wantO, wantLSE)
		}
	}
}

func TestAttendWindow(t *testing.T) {
	// All keys are alike, so that each output is the mean of what is seen.
	const length = 5
	q, k, v := make(buf, length), make(buf, length), buf{1, 2, 4, 8, 16}
	for window, want := range map[int]buf{
		1:   {1, 2, 4, 8, 16},
		2:   {1, 1.5, 3, 6, 12},
		4:   {1, 1.5, 7. / 3, 3.75, 7.5},
		0:   {1, 1.5, 7. / 3, 3.75, 6.2},
		100: {1, 1.5, 7. / 3, 3.75, 6.2},
	} {
		o := make(buf, length)
		m := func(b buf) device.Mat { return device.M(b, length, 1) }
		New().Attend(m(o), make(buf, length), m(q), m(k), m(v), device.Attention{B: 1, T: length, H: 1, KV: 1, Window: window, Dim: 1, DimV: 1, Scale: 1})
		if !cmp.Equal(o, want, cmpopts.EquateApprox(0, 1e-6)) {
			t.Errorf("window %d: %v, want %v", window, o, want)
		}
	}
}
