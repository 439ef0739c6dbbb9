package train

import (
	"math"
	"slices"
	"testing"

	"adit/internal/engine/device"
	"adit/internal/tensor"
)

// TestScaler follows PyTorch's rule: a step that overflows multiplies the scale
// with backoff and begins the count anew; the interval-th good one in a row
// multiplies it with growth.
func TestScaler(t *testing.T) {
	s := NewScaler(ScalerRules{Init: 1024, Growth: 2, Backoff: 0.5, Interval: 3})
	for i, tt := range []struct {
		finite bool
		want   float64
	}{
		{true, 1024}, {true, 1024}, {true, 2048}, {true, 2048}, {false, 1024}, {true, 1024},
		{true, 1024}, {true, 2048}, {false, 1024}, {false, 512}, {true, 512}, {true, 512}, {true, 1024},
	} {
		if s.Next(tt.finite); s.Scale() != tt.want {
			t.Errorf("after step %d: %v, want %v", i+1, s.Scale(), tt.want)
		}
	}
	s = NewScaler(ScalerRules{})
	for range 1999 {
		s.Next(true)
	}
	if s.Scale() != 65536 {
		t.Errorf("after 1999 good steps: %v", s.Scale())
	}
	if s.Next(true); s.Scale() != 131072 {
		t.Errorf("after 2000 good steps: %v", s.Scale())
	}
	for range 1000 {
		s.Next(false)
	}
	if s.Scale() != minScale {
		t.Errorf("after a thousand bad steps: %v", s.Scale())
	}
	for range 2000 * 100 {
		s.Next(true)
	}
	if s.Scale() != maxScale {
		t.Errorf("after 200,000 good steps: %v", s.Scale())
	}
}

// TestOverflowIsSkipped begins with a scale at which no gradient fits into 16
// bits.
func TestOverflowIsSkipped(t *testing.T) {
	opts := options()
	opts.Precision, opts.Scaler = FP16Mixed, ScalerRules{Init: 0x1p30, Growth: 2, Backoff: 0x1p-6, Interval: 4}
	tr := newTrainer(t, opts, counting)
	before, scale := weights(tr, all), 0x1p30
	for n := 1; ; n++ {
		s := steps(t, tr, 1)[0]
		if s.Scale != scale || s.Number != n || n > 4 {
			t.Fatalf("step %d at scale %v: %+v", n, scale, s)
		}
		changed := false
		for name, w := range weights(tr, all) {
			for i := range w {
				changed = changed || w[i] != before[name][i]
			}
		}
		if changed == s.Skipped || s.Skipped != (math.IsInf(s.GradNorm, 0) || math.IsNaN(s.GradNorm)) {
			t.Fatalf("parameters changed: %v in step %+v", changed, s)
		}
		if !s.Skipped {
			if n == 1 {
				t.Error("nothing overflowed")
			}
			break
		}
		scale /= 64
	}
	// The gradient in 16 bits, its scale taken off, is that in 32, nearly.
	opts.Precision, opts.Scaler = FP32, ScalerRules{}
	exact := steps(t, newTrainer(t, opts, counting), 1)[0]
	opts.Precision = FP16Mixed
	if s := steps(t, newTrainer(t, opts, counting), 1)[0]; math.Abs(s.GradNorm/exact.GradNorm-1) > 1e-3 || s.Loss != exact.Loss || s.Scale != 65536 || s.Skipped {
		t.Errorf("in 16 bits %+v, in 32 %+v", s, exact)
	}
}

// TestPrecisions looks at the gradient that an update had: each number is one
// that the precision has, and together they are not those of another.
func TestPrecisions(t *testing.T) {
	kinds := map[Precision]func(float32) float32{
		FP32:      func(x float32) float32 { return x },
		FP16Mixed: func(x float32) float32 { return tensor.F16ToF32(tensor.F32ToF16(x)) },
		BF16Mixed: func(x float32) float32 { return tensor.BF16ToF32(tensor.F32ToBF16(x)) },
	}
	for p := range kinds {
		opts := options()
		opts.Precision, opts.Accumulate = p, 2
		tr := newTrainer(t, opts, counting)
		steps(t, tr, 1)
		for kind, narrow := range kinds {
			same := true
			for _, x := range gradient(tr.opt) {
				same = same && narrow(x) == x
			}
			if want := kind == p || kind == FP32; same != want {
				t.Errorf("the gradient of %s fits into %s: %v", p, kind, same)
			}
		}
	}
}

// TestRoundsEachBatch adds the second batch's gradient to what 16 bits kept of
// the first's.
func TestRoundsEachBatch(t *testing.T) {
	opts := options()
	opts.Precision, opts.Accumulate = BF16Mixed, 2
	tr, by := newTrainer(t, opts, counting), newTrainer(t, opts, counting)
	steps(t, tr, 1)
	b := NewBatch(by.m, 4)
	for k := range 2 {
		if err := b.Read(counting, int64(4*k)); err != nil {
			t.Fatal(err)
		}
		b.Learn(by.m, 0.5)
		by.opt.dev.Round(by.opt.grad, device.BF16)
	}
	if !slices.Equal(gradient(tr.opt), gradient(by.opt)) {
		t.Error("the gradient is not that of its batches one by one")
	}
}

func gradient(o *Optimizer) []float32 { return download(o.dev, o.grad) }

func download(dev device.Device, b device.Buf) []float32 {
	out := make([]float32, b.Len())
	dev.Download(out, b)
	return out
}
