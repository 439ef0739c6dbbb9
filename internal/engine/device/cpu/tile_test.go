package cpu

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestTiles multiplies in every shape of tile, from matrices as they lie and
// transposed, and looks at what lies around the product.
func TestTiles(t *testing.T) {
	for _, k := range kernels() {
		t.Run(k.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 6))
			for _, depth := range []int{1, 2, 3, 8, 17} {
				for h := 1; h <= k.mr; h++ {
					for n := 1; n <= k.nr; n++ {
						for layout := range 4 {
							testTile(t, r, k, depth, h, n, layout&1, layout>>1)
						}
					}
				}
			}
		})
	}
}

func testTile(t *testing.T, r *rand.Rand, k *kernel, depth, h, n, transposed, acc int) {
	t.Helper()
	ars, acs, bs, cs := depth+2, 1, k.nr+5*transposed, n+3
	if transposed == 1 {
		ars, acs = 1, h+1
	}
	a, b := make([]float32, (h-1)*ars+(depth-1)*acs+1), make([]float32, (depth-1)*bs+k.nr)
	for _, x := range [][]float32{a, b} {
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
	}
	c, one := make([]float32, (h-1)*cs+n+guardLen), make([]float32, n)
	for i := range c {
		c[i] = guard
	}
	var want []float64
	for i := range h {
		for j := range n {
			s := 0.0
			c[i*cs+j] = float32(r.NormFloat64())
			if acc == 1 {
				s = float64(c[i*cs+j])
			}
			for p := range depth {
				s += float64(a[i*ars+p*acs]) * float64(b[p*bs+j])
			}
			want = append(want, s)
		}
	}
	before := append([]float32(nil), c...)
	k.tile[h-1](depth, &a[0], ars, acs, &b[0], bs, &c[0], cs, n, acc)
	for at, got := range c {
		i, j := at/cs, at%cs
		if i >= h || j >= n {
			if got != guard {
				t.Fatalf("(%d, %d)·(%d, %d): element (%d, %d) was overwritten with %v", h, depth, depth, n, i, j, got)
			}
			continue
		}
		if !agree(float64(got), want[i*n+j], 1e-5) {
			t.Fatalf("(%d, %d)·(%d, %d): element (%d, %d) = %v, want %v", h, depth, depth, n, i, j, got, want[i*n+j])
		}
	}
	// A row has the same bits whatever tile it is in.
	i := r.IntN(h)
	copy(one, before[i*cs:])
	k.tile[0](depth, &a[i*ars], ars, acs, &b[0], bs, &one[0], cs, n, acc)
	for j, w := range one {
		if got := c[i*cs+j]; math.Float32bits(got) != math.Float32bits(w) {
			t.Fatalf("(%d, %d)·(%d, %d): element (%d, %d) = %v, in a tile of one row %v", h, depth, depth, n, i, j, got, w)
		}
	}
}

func TestPanel(t *testing.T) {
	for _, k := range kernels() {
		for n := 1; n < 20; n += 3 {
			stride := k.nr + n%4
			src, dst := numbered((n-1)*stride+k.nr), make([]float32, n*k.nr+1)
			k.panel(dst, src, n, stride)
			for i, got := range dst[:n*k.nr] {
				if want := src[i/k.nr*stride+i%k.nr]; got != want {
					t.Fatalf("%s: panel of %d rows, element %d = %v, want %v", k.name, n, i, got, want)
				}
			}
			if dst[n*k.nr] != 0 {
				t.Fatalf("%s: panel of %d rows writes beyond its end", k.name, n)
			}
		}
	}
}

func TestTranspose(t *testing.T) {
	for _, k := range kernels() {
		for rows := range 13 {
			for cols := range 40 {
				to, from := rows+2, cols+1
				src, dst := numbered(rows*from), make([]float32, cols*to)
				k.transpose(dst, src, rows, cols, to, from)
				for at, got := range dst {
					want := float32(0)
					if i, j := at%to, at/to; i < rows {
						want = src[i*from+j]
					}
					if got != want {
						t.Fatalf("%s: (%d, %d) transposed, element %d = %v, want %v", k.name, rows, cols, at, got, want)
					}
				}
			}
		}
	}
}

// TestPeakLoop only runs the loop: what it computes nobody reads.
func TestPeakLoop(t *testing.T) {
	for _, k := range kernels() {
		k.peak(3)
		if k.flops <= 0 {
			t.Errorf("%s: %d operations", k.name, k.flops)
		}
	}
}

// numbered returns 1, 2, 3 up to n.
func numbered(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i + 1)
	}
	return x
}
