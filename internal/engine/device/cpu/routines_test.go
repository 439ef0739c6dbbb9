package cpu

import "math"

// A routineTest runs one routine of a kernel over vectors of equal length, and
// computes the same in 64 bits.
type routineTest struct {
	name    string
	vectors int
	run     func(k *kernel, v [][]float32) float64
	want    func(v [][]float64) float64

	squares  int      // the vector that must not be negative, if it is not 0
	exponent int      // the vector that there is an exponential of, if it is not 0
	pairs    bool     // whether only lengths of pairs matter
	numbers  bool     // whether a NaN may be overlooked
	same     [][2]int // vectors that may be one
}

// The scalars of the tests, and an update as AdamW has it.
const (
	scalar1 = 0.7
	scalar2 = -0.3
	scalar3 = 0.45
)

var adamTest = adam{
	gradScale: 0.5, beta1: 0.9, oneLess1: 0.1, beta2: 0.95, oneLess2: 0.05,
	rate: 1e-2, root: 1.3, eps: 1e-3, decay: 1e-3,
}

// each calls step for every index, which ends a routine that has no result.
func each(v [][]float64, step func(i int)) float64 {
	for i := range v[0] {
		step(i)
	}
	return 0
}

func total(v [][]float64, term func(i int) float64) float64 {
	s := 0.0
	for i := range v[0] {
		s += term(i)
	}
	return s
}

func exactSigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// exactGelu is by the hyperbolic tangent, as it is defined.
func exactGelu(x float64) (y, slope float64) {
	a := math.Sqrt(2 / math.Pi)
	t := math.Tanh(a * (x + 0.044715*x*x*x))
	return x / 2 * (1 + t), (1+t)/2 + x/2*(1-t*t)*a*(1+3*0.044715*x*x)
}

var routineTests = []routineTest{
	{
		name: "add", vectors: 2,
		run:  func(k *kernel, v [][]float32) float64 { k.add(v[0], v[1]); return 0 },
		want: func(v [][]float64) float64 { return each(v, func(i int) { v[0][i] += v[1][i] }) },
	},
	{
		name: "addScaled", vectors: 2,
		run:  func(k *kernel, v [][]float32) float64 { k.addScaled(v[0], v[1], scalar1); return 0 },
		want: func(v [][]float64) float64 { return each(v, func(i int) { v[0][i] += scalar1 * v[1][i] }) },
	},
	{
		name: "scaled", vectors: 2, same: [][2]int{{0, 1}},
		run:  func(k *kernel, v [][]float32) float64 { k.scaled(v[0], v[1], scalar1); return 0 },
		want: func(v [][]float64) float64 { return each(v, func(i int) { v[0][i] = scalar1 * v[1][i] }) },
	},
	{
		name: "dot", vectors: 2, same: [][2]int{{0, 1}},
		run:  func(k *kernel, v [][]float32) float64 { return float64(k.dot(v[0], v[1])) },
		want: func(v [][]float64) float64 { return total(v, func(i int) float64 { return v[0][i] * v[1][i] }) },
	},
	{
		name: "dot3", vectors: 3,
		run: func(k *kernel, v [][]float32) float64 { return float64(k.dot3(v[0], v[1], v[2])) },
		want: func(v [][]float64) float64 {
			return total(v, func(i int) float64 { return v[0][i] * v[1][i] * v[2][i] })
		},
	},
	{
		name: "sum", vectors: 1,
		run:  func(k *kernel, v [][]float32) float64 { return k.sum(v[0]) },
		want: func(v [][]float64) float64 { return total(v, func(i int) float64 { return v[0][i] }) },
	},
	{
		name: "sumSquares", vectors: 1,
		run:  func(k *kernel, v [][]float32) float64 { return k.sumSquares(v[0]) },
		want: func(v [][]float64) float64 { return total(v, func(i int) float64 { return v[0][i] * v[0][i] }) },
	},
	{
		name: "spread", vectors: 1,
		run: func(k *kernel, v [][]float32) float64 { return k.spread(v[0], scalar1) },
		want: func(v [][]float64) float64 {
			return total(v, func(i int) float64 { return (v[0][i] - scalar1) * (v[0][i] - scalar1) })
		},
	},
	{
		name: "timesZero", vectors: 1,
		run:  func(k *kernel, v [][]float32) float64 { return float64(k.timesZero(v[0])) },
		want: func(v [][]float64) float64 { return 0 },
	},
	{
		name: "max", vectors: 1, numbers: true,
		run: func(k *kernel, v [][]float32) float64 { return float64(k.max(v[0])) },
		want: func(v [][]float64) float64 {
			top := math.Inf(-1)
			each(v, func(i int) { top = max(top, v[0][i]) })
			return top
		},
	},
	{
		name: "expSum", vectors: 2, same: [][2]int{{0, 1}},
		run: func(k *kernel, v [][]float32) float64 { return float64(k.expSum(v[0], v[1], scalar1, scalar2)) },
		want: func(v [][]float64) float64 {
			return total(v, func(i int) float64 {
				v[0][i] = math.Exp(v[1][i]*scalar1 + scalar2)
				return v[0][i]
			})
		},
	},
	{
		name: "softmaxGrad", vectors: 2,
		run: func(k *kernel, v [][]float32) float64 { k.softmaxGrad(v[0], v[1], scalar1, scalar2); return 0 },
		want: func(v [][]float64) float64 {
			return each(v, func(i int) { v[0][i] = v[1][i] * (v[0][i] - scalar1) * scalar2 })
		},
	},
	{
		name: "norm", vectors: 3, same: [][2]int{{0, 1}},
		run:  func(k *kernel, v [][]float32) float64 { k.norm(v[0], v[1], v[2], scalar1); return 0 },
		want: func(v [][]float64) float64 { return each(v, func(i int) { v[0][i] = v[1][i] * v[2][i] * scalar1 }) },
	},
	{
		name: "normGrad", vectors: 4, same: [][2]int{{0, 1}},
		run: func(k *kernel, v [][]float32) float64 {
			k.normGrad(v[0], v[1], v[2], v[3], scalar1, scalar2)
			return 0
		},
		want: func(v [][]float64) float64 {
			return each(v, func(i int) { v[0][i] += v[1][i]*v[3][i]*scalar1 - v[2][i]*scalar2 })
		},
	},
	{
		name: "weightGrad", vectors: 3,
		run:  func(k *kernel, v [][]float32) float64 { k.weightGrad(v[0], v[1], v[2], scalar1); return 0 },
		want: func(v [][]float64) float64 { return each(v, func(i int) { v[0][i] += v[1][i] * v[2][i] * scalar1 }) },
	},
	{
		name: "center", vectors: 2, same: [][2]int{{0, 1}},
		run:  func(k *kernel, v [][]float32) float64 { k.center(v[0], v[1], scalar1, scalar2); return 0 },
		want: func(v [][]float64) float64 { return each(v, func(i int) { v[0][i] = (v[1][i] - scalar1) * scalar2 }) },
	},
	{
		name: "mulAdd", vectors: 3,
		run:  func(k *kernel, v [][]float32) float64 { k.mulAdd(v[0], v[1], v[2]); return 0 },
		want: func(v [][]float64) float64 { return each(v, func(i int) { v[0][i] = v[0][i]*v[1][i] + v[2][i] }) },
	},
	{
		name: "centerGrad", vectors: 4, same: [][2]int{{0, 1}},
		run: func(k *kernel, v [][]float32) float64 {
			k.centerGrad(v[0], v[1], v[2], v[3], scalar1, scalar2, scalar3)
			return 0
		},
		want: func(v [][]float64) float64 {
			return each(v, func(i int) { v[0][i] += (v[1][i]*v[3][i] - scalar2 - v[2][i]*scalar3) * scalar1 })
		},
	},
	{
		name: "gelu", vectors: 2, exponent: 1, same: [][2]int{{0, 1}},
		run:  func(k *kernel, v [][]float32) float64 { k.gelu(v[0], v[1]); return 0 },
		want: func(v [][]float64) float64 { return each(v, func(i int) { v[0][i], _ = exactGelu(v[1][i]) }) },
	},
	{
		name: "geluGrad", vectors: 3, exponent: 2, same: [][2]int{{0, 1}, {0, 2}},
		run: func(k *kernel, v [][]float32) float64 { k.geluGrad(v[0], v[1], v[2]); return 0 },
		want: func(v [][]float64) float64 {
			return each(v, func(i int) {
				_, slope := exactGelu(v[2][i])
				v[0][i] = v[1][i] * slope
			})
		},
	},
	{
		name: "silu", vectors: 3, exponent: 1, same: [][2]int{{0, 1}, {0, 2}},
		run: func(k *kernel, v [][]float32) float64 { k.silu(v[0], v[1], v[2]); return 0 },
		want: func(v [][]float64) float64 {
			return each(v, func(i int) { v[0][i] = v[1][i] * exactSigmoid(v[1][i]) * v[2][i] })
		},
	},
	{
		name: "siluGrad", vectors: 5, exponent: 3, same: [][2]int{{0, 3}, {1, 4}},
		run: func(k *kernel, v [][]float32) float64 { k.siluGrad(v[0], v[1], v[2], v[3], v[4]); return 0 },
		want: func(v [][]float64) float64 {
			return each(v, func(i int) {
				d, g, u := v[2][i], v[3][i], v[4][i]
				s := exactSigmoid(g)
				v[0][i], v[1][i] = d*u*s*(1+g*(1-s)), d*g*s
			})
		},
	},
	{
		name: "rope", vectors: 4,
		run: func(k *kernel, v [][]float32) float64 { k.rope(v[0], v[1], v[2], v[3], -1); return 0 },
		want: func(v [][]float64) float64 {
			return each(v, func(i int) {
				x, y, c, s := v[0][i], v[1][i], v[2][i], v[3][i]
				v[0][i], v[1][i] = x*c+y*s, y*c-x*s
			})
		},
	},
	{
		name: "ropePairs", vectors: 3, pairs: true,
		run: func(k *kernel, v [][]float32) float64 { k.ropePairs(v[0], v[1], v[2], -1); return 0 },
		want: func(v [][]float64) float64 {
			x := v[0]
			for i := 0; i+1 < len(x); i += 2 {
				c, s := v[1][i], v[2][i]
				x[i], x[i+1] = x[i]*c+x[i+1]*s, x[i+1]*c-x[i]*s
			}
			return 0
		},
	},
	{
		name: "adamW", vectors: 4, squares: 3,
		run: func(k *kernel, v [][]float32) float64 { k.adamW(v[0], v[1], v[2], v[3], &adamTest); return 0 },
		want: func(v [][]float64) float64 {
			return each(v, func(i int) {
				g := v[1][i] * 0.5
				v[2][i] = 0.9*v[2][i] + 0.1*g
				v[3][i] = 0.95*v[3][i] + 0.05*g*g
				v[0][i] -= 1e-2*v[2][i]/(math.Sqrt(v[3][i])*1.3+1e-3) + 1e-3*v[0][i]
			})
		},
	},
	{
		name: "nesterov", vectors: 3,
		run: func(k *kernel, v [][]float32) float64 { k.nesterov(v[0], v[1], v[2], scalar1, scalar3); return 0 },
		want: func(v [][]float64) float64 {
			return each(v, func(i int) {
				v[2][i] = scalar3*v[2][i] + v[1][i]
				v[0][i] -= scalar1 * (v[1][i] + scalar3*v[2][i])
			})
		},
	},
}
