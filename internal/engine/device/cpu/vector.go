package cpu

import (
	"math"
	"sync/atomic"

	"adit/internal/engine/device"
)

// Zero sets all of x to 0.
func (d *Device) Zero(x device.Buf) {
	v := x.(buf)
	d.pool.elements(len(v), func(lo, hi int) { clear(v[lo:hi]) })
}

// pair opens two vectors of equal length.
func pair(what string, dst, src device.Buf) (x, y buf) {
	if dst.Len() != src.Len() {
		misfit(what, dst.Len(), src.Len())
	}
	return dst.(buf), src.(buf)
}

// Copy sets dst to src.
func (d *Device) Copy(dst, src device.Buf) {
	to, from := pair("copy", dst, src)
	d.pool.elements(len(to), func(lo, hi int) { copy(to[lo:hi], from[lo:hi]) })
}

// Add adds src to dst.
func (d *Device) Add(dst, src device.Buf) {
	to, from := pair("add", dst, src)
	d.pool.elements(len(to), func(lo, hi int) { d.add(to[lo:hi], from[lo:hi]) })
}

// Scale multiplies x by a.
func (d *Device) Scale(x device.Buf, a float32) {
	v := x.(buf)
	d.pool.elements(len(v), func(lo, hi int) { d.scaled(v[lo:hi], v[lo:hi], a) })
}

// SumSquares is summed in 64 bits within pieces of fixed length, then over
// these in order.
func (d *Device) SumSquares(x device.Buf) float64 {
	v := x.(buf)
	sums := make([]float64, pieces(len(v), pieceLen))
	d.pool.run(len(sums), len(v), func(_, i int) {
		sums[i] = d.sumSquares(v[i*pieceLen : min(len(v), (i+1)*pieceLen)])
	})
	total := 0.0
	for _, s := range sums {
		total += s
	}
	return total
}

// Finite reports whether x holds neither NaN nor an infinity: times 0, these
// alone are not 0.
func (d *Device) Finite(x device.Buf) bool {
	v := x.(buf)
	var found atomic.Bool
	d.pool.elements(len(v), func(lo, hi int) {
		if !found.Load() && d.timesZero(v[lo:hi]) != 0 {
			found.Store(true)
		}
	})
	return !found.Load()
}

// adam holds the constants of an update as the kernels want them.
type adam struct {
	gradScale       float32
	beta1, oneLess1 float32 // of the mean, and 1 less it
	beta2, oneLess2 float32 // of the mean square
	rate            float32 // learning rate over the bias of the mean
	root            float32 // 1 over the root of the bias of the mean square
	eps             float32
	decay           float32 // learning rate times weight decay
}

// AdamW updates p, m and v. The weight decay acts on p as it was.
func (d *Device) AdamW(p, g, m, v device.Buf, a device.Adam) {
	if n := p.Len(); g.Len() != n || m.Len() != n || v.Len() != n {
		misfit("adamw", n, g.Len(), m.Len(), v.Len())
	}
	b1, b2 := float64(a.Beta1), float64(a.Beta2)
	c := adam{
		gradScale: a.GradScale,
		beta1:     a.Beta1, oneLess1: float32(1 - b1),
		beta2: a.Beta2, oneLess2: float32(1 - b2),
		rate:  float32(float64(a.LR) / (1 - math.Pow(b1, float64(a.Step)))),
		root:  float32(1 / math.Sqrt(1-math.Pow(b2, float64(a.Step)))),
		eps:   a.Eps,
		decay: float32(float64(a.LR) * float64(a.WeightDecay)),
	}
	pp, gg, mm, vv := p.(buf), g.(buf), m.(buf), v.(buf)
	d.pool.elements(len(pp), func(lo, hi int) { d.adamW(pp[lo:hi], gg[lo:hi], mm[lo:hi], vv[lo:hi], &c) })
}
