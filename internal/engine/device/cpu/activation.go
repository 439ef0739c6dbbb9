package cpu

import "adit/internal/engine/device"

// expCost is about how many additions an exponential takes the time of.
const expCost = 4

// SwiGLU works row by row.
func (d *Device) SwiGLU(h, gu device.Mat) {
	hv, in := open(h), open(gu)
	f := hv.cols
	if !in.fits(hv.rows, 2*f) {
		misfit("swiglu", hv.rows, f, in.rows, in.cols)
	}
	d.pool.rows(hv.rows, expCost*f, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := in.row(i)
			d.silu(hv.row(i), row[:f], row[f:])
		}
	})
}

// SwiGLUGrad works row by row.
func (d *Device) SwiGLUGrad(dgu, dh, gu device.Mat) {
	out, dhv, in := open(dgu), open(dh), open(gu)
	f := dhv.cols
	if !in.fits(dhv.rows, 2*f) || !out.fits(dhv.rows, 2*f) {
		misfit("swiglu gradient", out.rows, out.cols, dhv.rows, f, in.rows, in.cols)
	}
	d.pool.rows(dhv.rows, expCost*f, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			to, row := out.row(i), in.row(i)
			d.siluGrad(to[:f], to[f:], dhv.row(i), row[:f], row[f:])
		}
	})
}

// Gelu works row by row.
func (d *Device) Gelu(h, x device.Mat) {
	out, in := open(h), open(x)
	if !out.fits(in.rows, in.cols) {
		misfit("gelu", out.rows, out.cols, in.rows, in.cols)
	}
	d.pool.rows(in.rows, expCost*in.cols, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			d.gelu(out.row(i), in.row(i))
		}
	})
}

// GeluGrad works row by row.
func (d *Device) GeluGrad(dx, dh, x device.Mat) {
	out, g, in := open(dx), open(dh), open(x)
	if !out.fits(in.rows, in.cols) || !g.fits(in.rows, in.cols) {
		misfit("gelu gradient", out.rows, out.cols, g.rows, g.cols, in.rows, in.cols)
	}
	d.pool.rows(in.rows, expCost*in.cols, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			d.geluGrad(out.row(i), g.row(i), in.row(i))
		}
	})
}
