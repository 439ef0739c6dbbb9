package compress

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// normal returns n numbers like a pseudo-gradient's: normal ones times factors
// of rows and columns and some rare large ones, so that the tails are heavy.
func normal(seed uint64, n, cols int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	scale := make([]float64, cols)
	for i := range scale {
		scale[i] = 1e-3 * math.Exp(0.5*r.NormFloat64())
	}
	x, row := make([]float32, n), 1.0
	for i := range x {
		if i%cols == 0 {
			row = math.Exp(0.5 * r.NormFloat64())
		}
		x[i] = float32(r.NormFloat64() * row * scale[i%cols])
		if r.IntN(200) == 0 {
			x[i] *= 8
		}
	}
	return x
}

func TestSides(t *testing.T) {
	for n, want := range map[int]int{
		8192: 64, 1024: 64, 28672: 64, 262144: 64, 32000: 64, 2048: 64, 14336: 64,
		11008: 64, 50257: 29, 100: 50, 127: 1, 64: 64, 48: 48,
	} {
		if g, err := NewGrid([]int{n, n}); err != nil || g.H != want || g.W != want {
			t.Errorf("side of %d is %d, not %d (%v)", n, g.H, want, err)
		}
	}
	for _, shape := range [][]int{nil, {1, 2, 3}, {0}, {-1, 4}, {1 << 40, 1 << 40}} {
		if _, err := NewGrid(shape); err == nil {
			t.Errorf("shape %v has chunks", shape)
		}
	}
	g, _ := NewGrid([]int{127, 131})
	if _, err := g.Keep(64); err == nil {
		t.Error("one element of one is kept")
	}
	g, _ = NewGrid([]int{7, 7})
	if k, _ := g.Keep(64); k != 48 {
		t.Errorf("%d of 49 are kept", k)
	}
}

func TestCut(t *testing.T) {
	// (4, 100) in chunks of 4 by 50: element (r, c) of chunk x is (r, 50x+c).
	g, _ := NewGrid([]int{4, 100})
	x := normal(1, 400, 100)
	cut, back := make([]float32, 400), make([]float32, 400)
	g.Cut(cut, x)
	for c := range 2 {
		for r := range 4 {
			for i := range 50 {
				if cut[c*200+r*50+i] != x[r*100+c*50+i] {
					t.Fatalf("element (%d, %d) of chunk %d is another", r, i, c)
				}
			}
		}
	}
	g.Join(back, cut)
	if !slices.Equal(back, x) {
		t.Error("joined chunks are another tensor")
	}
}

func TestCosine(t *testing.T) {
	g, _ := NewGrid([]int{6, 10})
	c := NewCosine(g)
	x := normal(2, 60, 10)
	y := slices.Clone(x)
	c.Forward(y)
	// The definition, coefficient by coefficient.
	for k := range 6 {
		for l := range 10 {
			var sum float64
			for i := range 6 {
				for j := range 10 {
					sum += float64(x[i*10+j]) * math.Cos(math.Pi*(float64(i)+0.5)*float64(k)/6) * math.Cos(math.Pi*(float64(j)+0.5)*float64(l)/10)
				}
			}
			norm := math.Sqrt(2.0 / 6 * 2 / 10)
			if k == 0 {
				norm /= math.Sqrt2
			}
			if l == 0 {
				norm /= math.Sqrt2
			}
			if math.Abs(sum*norm-float64(y[k*10+l])) > 1e-8 {
				t.Fatalf("coefficient (%d, %d) is %g, not %g", k, l, y[k*10+l], sum*norm)
			}
		}
	}
	c.Inverse(y)
	for i := range x {
		if math.Abs(float64(x[i]-y[i])) > 1e-8 {
			t.Fatalf("element %d comes back as %g, not %g", i, y[i], x[i])
		}
	}
}
