package cpu

import (
	"math"
	"math/rand/v2"
	"testing"
)

// guard is what lies around every vector, and how much of it.
const (
	guard    = 12345
	guardLen = 19
)

// fill returns vectors of n random numbers, and each with the guards around it.
func (rt *routineTest) fill(r *rand.Rand, n int) (whole, inner [][]float32) {
	for j := range rt.vectors {
		x := make([]float32, n+2*guardLen)
		for i := range x {
			x[i] = guard
		}
		v := x[guardLen:][:n:n]
		for i := range v {
			v[i] = float32(r.NormFloat64())
			if rt.squares != 0 && j == rt.squares {
				v[i] *= v[i]
			}
		}
		if rt.pairs && j > 0 {
			for i := 1; i < n; i += 2 {
				v[i] = v[i-1]
			}
		}
		whole, inner = append(whole, x), append(inner, v)
	}
	return whole, inner
}

// alike returns vectors of their own with the same elements, and as many that
// are one where those are.
func alike(v [][]float32) [][]float32 {
	var c [][]float32
	for j, x := range v {
		y := append([]float32(nil), x...)
		for i := range j {
			if len(x) > 0 && &v[i][0] == &x[0] {
				y = c[i]
			}
		}
		c = append(c, y)
	}
	return c
}

// agree compares what is finite. What is not must be the same infinity, or NaN
// like the other.
func agree(got, want, tolerance float64) bool {
	switch {
	case math.IsNaN(want):
		return math.IsNaN(got)
	case math.IsInf(want, 0):
		return got == want
	}
	return math.Abs(got-want) <= tolerance*max(1, math.Abs(want))
}

// TestRoutines compares every routine of every kernel with its definition, in
// 64 bits, and with the portable one, and looks at what lies around.
func TestRoutines(t *testing.T) {
	for _, k := range kernels() {
		for _, rt := range routineTests {
			t.Run(k.name+"/"+rt.name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, 2))
				for n := range 71 {
					whole, v := rt.fill(r, n)
					rt.compare(t, k, v)
					for j := range whole {
						for i, g := range whole[j] {
							if (i < guardLen || i >= guardLen+n) && g != guard {
								t.Fatalf("of %d elements, %d of vector %d was overwritten with %v", n, i-guardLen, j, g)
							}
						}
					}
					for _, same := range rt.same {
						_, v := rt.fill(r, n)
						v[same[0]] = v[same[1]]
						rt.compare(t, k, v)
					}
				}
			})
		}
	}
}

// compare runs a routine on vectors of finite numbers.
func (rt *routineTest) compare(t *testing.T, k *kernel, v [][]float32) {
	t.Helper()
	exact := make([][]float64, len(v))
	for j := range v {
		for i := range j {
			if len(v[j]) > 0 && &v[i][0] == &v[j][0] {
				exact[j] = exact[i]
			}
		}
		if exact[j] == nil {
			for _, x := range v[j] {
				exact[j] = append(exact[j], float64(x))
			}
		}
	}
	want := rt.want(exact)
	plain := alike(v)
	rt.run(portable(), plain)
	got := rt.run(k, v)
	const tolerance = 1e-5
	if !agree(got, want, tolerance) {
		t.Fatalf("of %d elements = %v, want %v", len(v[0]), got, want)
	}
	for j := range v {
		for i, g := range v[j] {
			if !agree(float64(g), exact[j][i], tolerance) {
				t.Fatalf("element %d of %d of vector %d = %v, want %v", i, len(v[j]), j, g, exact[j][i])
			}
			if !agree(float64(g), float64(plain[j][i]), tolerance) {
				t.Fatalf("element %d of %d of vector %d = %v, in plain Go %v", i, len(v[j]), j, g, plain[j][i])
			}
		}
	}
}

// TestRoutinesNotFinite places what is not a finite number at every element,
// and holds the routines to what the portable ones make of it.
func TestRoutinesNotFinite(t *testing.T) {
	lengths := []int{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 34}
	bad := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
	for _, k := range kernels()[:len(kernels())-1] {
		for _, rt := range routineTests {
			t.Run(k.name+"/"+rt.name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(3, 4))
				for _, n := range lengths {
					for at := range n * rt.vectors {
						for _, x := range bad {
							if x != x && rt.numbers {
								continue
							}
							_, v := rt.fill(r, n)
							v[at/n][at%n] = x
							if rt.pairs && at/n > 0 && at%n^1 < n {
								v[at/n][at%n^1] = x
							}
							plain := alike(v)
							want, got := rt.run(portable(), plain), rt.run(k, v)
							if !agree(got, want, 1e-5) {
								t.Fatalf("of %d elements, with %v at %d of vector %d = %v, in plain Go %v", n, x, at%n, at/n, got, want)
							}
							for j := range v {
								for i, g := range v[j] {
									if w := plain[j][i]; !agree(float64(g), float64(w), 1e-5) {
										t.Fatalf("element %d of %d of vector %d, with %v at %d of vector %d = %v, in plain Go %v", i, n, j, x, at%n, at/n, g, w)
									}
								}
							}
						}
					}
				}
			})
		}
	}
}

// TestExp goes through what exp is asked for, and beyond what it can tell from
// zero and from infinity.
func TestExp(t *testing.T) {
	const n = 4001
	x := make([]float32, n)
	for i := range x {
		x[i] = -120 + 220*float32(i)/(n-1)
	}
	for _, k := range kernels() {
		y := make([]float32, n)
		k.expSum(y, x, 1, 0)
		for i, got := range y {
			// Products of x and the base's logarithm have x's relative error.
			want := math.Exp(float64(x[i]))
			tolerance := want*(2e-7+1e-7*math.Abs(float64(x[i]))) + 2*math.SmallestNonzeroFloat32
			if float32(want) > math.MaxFloat32 && !math.IsInf(float64(got), 1) || float32(want) <= math.MaxFloat32 && math.Abs(float64(got)-want) > tolerance {
				t.Errorf("%s: exp(%v) = %v, want %v", k.name, x[i], got, want)
			}
		}
	}
}

// TestRoutinesFar gives the routines with an exponential numbers far from 0.
func TestRoutinesFar(t *testing.T) {
	far := []float32{0, 1e-40, 1e-20, 5, 17, 30, 88, 89, 104, 1e4, 1e10, 1e13, 3e18, 3e36}
	for _, k := range kernels() {
		for _, rt := range routineTests {
			if rt.exponent == 0 {
				continue
			}
			v := make([][]float32, rt.vectors)
			for j := range v {
				for _, x := range far {
					if j != rt.exponent {
						x = 0.5
					}
					v[j] = append(v[j], x, -x)
				}
			}
			plain := alike(v)
			rt.run(portable(), plain)
			rt.run(k, v)
			for j := range v {
				for i, g := range v[j] {
					if w := plain[j][i]; !agree(float64(g), float64(w), 1e-5) {
						t.Errorf("%s %s: element %d of vector %d = %v, in plain Go %v", k.name, rt.name, i, j, g, w)
					}
				}
			}
		}
	}
}
