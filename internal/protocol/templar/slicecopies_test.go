package templar

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestCopied(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	own, a, b := make([]float32, 5000), make([]float32, 5000), make([]float32, 5000)
	for i := range own {
		own[i] = float32(random.NormFloat64())
		step := 0.001 * random.NormFloat64()
		a[i] = own[i] + float32(step)
		b[i] = own[i] + float32(0.9*step+0.001*math.Sqrt(1-0.81)*random.NormFloat64())
	}
	noisy := func(share float64) []float32 {
		c := make([]float32, len(a))
		for i := range c {
			c[i] = a[i] + float32(0.001*share*random.NormFloat64())
		}
		return c
	}
	for _, tt := range []struct {
		name string
		a, b []float32
		want bool
	}{
		{"itself", a, a, true},
		{"with a hundredth of noise", noisy(0.01), a, true},
		{"with a tenth of noise", noisy(0.1), a, false},
		{"another that points nearly the same way", b, a, false},
		{"another length", a[:4999], a, false},
	} {
		if got := copied(tt.a, tt.b, own); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// The samples of two slices of a window are at the same places, wherever its
// parameters end.
func TestSampled(t *testing.T) {
	var slice []SliceValues
	next := float32(0)
	for _, n := range []int{1, 3000, 2, 9000, 7, 5000} {
		p := SliceValues{Values: make([]float32, n)}
		for i := range p.Values {
			p.Values[i] = next
			next++
		}
		slice = append(slice, p)
	}
	got := sampled(slice)
	step := valuesIn(slice) / samplesOf
	if len(got) != (valuesIn(slice)+step-1)/step {
		t.Fatalf("%d samples of %d values", len(got), valuesIn(slice))
	}
	for i, v := range got {
		if v != float32(i*step) {
			t.Fatalf("sample %d is value %g, want %d", i, v, i*step)
		}
	}
}
