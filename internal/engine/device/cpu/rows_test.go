package cpu_test

import (
	"math"
	"testing"

	"adit/internal/engine/device"
)

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

func TestVectors(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, n := range []int{0, 1, 3, 8, 15, 16, 17, 31, 33, 100, 1000, 40001} {
			v := normal(r, n) // a mean square
			for i := range v {
				v[i] *= v[i]
			}
			in := data{bufs: [][]float32{normal(r, n), normal(r, n), normal(r, n), v}}
			for name, op := range map[string]func(d device.Device, b []device.Buf, _ []device.Ints){
				"zero":  func(d device.Device, b []device.Buf, _ []device.Ints) { d.Zero(b[0]) },
				"copy":  func(d device.Device, b []device.Buf, _ []device.Ints) { d.Copy(b[0], b[1]) },
				"add":   func(d device.Device, b []device.Buf, _ []device.Ints) { d.Add(b[0], b[1]) },
				"scale": func(d device.Device, b []device.Buf, _ []device.Ints) { d.Scale(b[0], 0.3) },
				"part": func(d device.Device, b []device.Buf, _ []device.Ints) {
					d.Add(b[0].Slice(n/3, n), b[1].Slice(0, n-n/3))
				},
				"nesterov": func(d device.Device, b []device.Buf, _ []device.Ints) { d.Nesterov(b[0], b[1], b[2], 0.7, 0.9) },
				"adamw": func(d device.Device, b []device.Buf, _ []device.Ints) {
					d.AdamW(b[0], b[1], b[2], b[3], device.Adam{LR: 1e-2, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, Step: 3, GradScale: 0.5})
				},
			} {
				t.Run(name, func(t *testing.T) { same(t, d, in, 1e-6, op) })
			}
		}
	})
}

func TestSumSquares(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		for _, n := range []int{0, 1, 17, 8191, 100000} {
			x := d.NewBuf(n)
			v := normal(source(), n)
			want := 0.0
			for i := range v {
				v[i] *= 1e25 // the squares exceed 32 bits
				want += float64(v[i]) * float64(v[i])
			}
			d.Upload(x, v)
			if got := d.SumSquares(x); !near(got, want, 1e-12) {
				t.Errorf("sum of %d squares = %v, want %v", n, got, want)
			}
		}
	})
}

func TestFinite(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		for _, n := range []int{1, 16, 37, 300001} {
			for _, bad := range []float32{nan, inf, -inf} {
				x := d.NewBuf(n)
				v := normal(source(), n)
				v[n/2] = math.MaxFloat32
				d.Upload(x, v)
				if !d.Finite(x) {
					t.Errorf("%d numbers are not finite", n)
				}
				for _, at := range []int{0, n / 2, n - 1} {
					v := normal(source(), n)
					v[at] = bad
					d.Upload(x, v)
					if d.Finite(x) {
						t.Errorf("%d numbers with %v at %d are finite", n, bad, at)
					}
					if s := d.SumSquares(x); !math.IsNaN(s - s) {
						t.Errorf("sum of squares of %d numbers with %v at %d = %v", n, bad, at, s)
					}
				}
			}
		}
	})
}

// shapes are rows and columns for what works row by row.
var shapes = [][2]int{{1, 1}, {3, 5}, {7, 16}, {2, 33}, {70, 47}, {40, 192}, {300, 130}}

func TestSwiGLU(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, s := range shapes {
			n, f := s[0], s[1]
			in := data{bufs: [][]float32{normal(r, n*f), normal(r, n*2*f), normal(r, n*2*f)}}
			for i, extreme := range []float32{0, 30, -30, 88, -88, 104, -104, 3e36, -3e36, nan, inf} {
				in.bufs[1][i*(2*n*f-1)/10] = extreme
			}
			same(t, d, in, 1e-5, func(d device.Device, b []device.Buf, _ []device.Ints) {
				d.SwiGLU(device.M(b[0], n, f), device.M(b[1], n, 2*f))
			})
			same(t, d, in, 1e-5, func(d device.Device, b []device.Buf, _ []device.Ints) {
				d.SwiGLUGrad(device.M(b[2], n, 2*f), device.M(b[0], n, f), device.M(b[1], n, 2*f))
			})
			same(t, d, in, 1e-5, func(d device.Device, b []device.Buf, _ []device.Ints) {
				d.SwiGLUGrad(device.M(b[1], n, 2*f), device.M(b[0], n, f), device.M(b[1], n, 2*f))
			})
		}
	})
}

func TestGelu(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, s := range shapes {
			n, width := s[0], s[1]
			gap := func(b device.Buf) device.Mat { return device.Mat{Buf: b, Rows: n, Cols: width, Stride: width + 1} }
			in := data{bufs: [][]float32{normal(r, n*(width+1)), normal(r, n*(width+1)), normal(r, n*(width+1))}}
			for i, extreme := range []float32{0, 3, -3, 5, -5, 10, -10, 1e15, -1e15, nan, inf, -inf} {
				in.bufs[1][i*(n*(width+1)-2)/11] = extreme
			}
			for name, op := range map[string]func(d device.Device, b []device.Buf, _ []device.Ints){
				"forward":  func(d device.Device, b []device.Buf, _ []device.Ints) { d.Gelu(gap(b[0]), gap(b[1])) },
				"gradient": func(d device.Device, b []device.Buf, _ []device.Ints) { d.GeluGrad(gap(b[0]), gap(b[2]), gap(b[1])) },
				"in place": func(d device.Device, b []device.Buf, _ []device.Ints) { d.GeluGrad(gap(b[1]), gap(b[2]), gap(b[1])) },
			} {
				t.Run(name, func(t *testing.T) { same(t, d, in, 1e-5, op) })
			}
		}
	})
}

func TestCrossEntropy(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, s := range shapes {
			n, vocabulary := s[0], s[1]
			targets := below(r, n, vocabulary)
			targets[n/2] = -1
			for _, bad := range []float32{0, 1e4, -1e4, -inf, inf, nan} {
				in := data{bufs: [][]float32{normal(r, n), normal(r, n*vocabulary)}, ints: [][]int32{targets}}
				if bad != 0 {
					in.bufs[1][0] = bad
				}
				for _, scale := range []float32{0, 0.25} {
					same(t, d, in, 1e-5, func(d device.Device, b []device.Buf, v []device.Ints) {
						d.CrossEntropy(b[0], device.M(b[1], n, vocabulary), v[0], scale)
					})
				}
			}
		}
	})
}
