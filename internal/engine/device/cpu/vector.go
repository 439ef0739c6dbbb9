package cpu

import (
	"slices"
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
	n := pieces(len(v), pieceLen)
	d.squares = slices.Grow(d.squares[:0], n)[:n]
	sums := d.squares
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
