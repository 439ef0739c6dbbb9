package cpu

import (
	"math"

	"adit/internal/engine/device"
)

// parted returns how many parts of width elements a row of v has.
func parted(what string, v view, width int) int {
	if width <= 0 || v.cols%width != 0 {
		misfit(what, v.rows, v.cols, width)
	}
	return v.cols / width
}

// RMSNorm sums the squares of each part in 64 bits.
func (d *Device) RMSNorm(y, x device.Mat, w, rstd device.Buf, eps float32) {
	yv, xv, ww, rr := open(y), open(x), w.(buf), rstd.(buf)
	width := len(ww)
	parts := parted("rmsnorm", xv, width)
	if !yv.fits(xv.rows, xv.cols) || len(rr) != xv.rows*parts {
		misfit("rmsnorm", yv.rows, yv.cols, xv.rows, xv.cols, width, len(rr))
	}
	d.pool.rows(xv.rows, 2*xv.cols, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			in, out := xv.row(i), yv.row(i)
			for p := range parts {
				part := in[p*width:][:width]
				r := float32(1 / math.Sqrt(d.sumSquares(part)/float64(width)+float64(eps)))
				d.norm(out[p*width:][:width], part, ww, r)
				rr[i*parts+p] = r
			}
		}
	})
}

// RMSNormGrad sums dw over blocks of rows, then over these in order.
func (d *Device) RMSNormGrad(dx device.Mat, dw device.Buf, dy, x device.Mat, w, rstd device.Buf) {
	dxv, dyv, xv, ww, rr := open(dx), open(dy), open(x), w.(buf), rstd.(buf)
	n, width := xv.rows, len(ww)
	parts := parted("rmsnorm gradient", xv, width)
	if !dxv.fits(n, xv.cols) || !dyv.fits(n, xv.cols) || len(rr) != n*parts {
		misfit("rmsnorm gradient", dxv.rows, dxv.cols, dyv.rows, dyv.cols, n, xv.cols, width, len(rr))
	}
	weight := summed("rmsnorm gradient", dw, width)
	d.blocks(n, width, 4*xv.cols, func(_, lo, hi int, sum []float32) {
		for i := lo; i < hi; i++ {
			out, g, in := dxv.row(i), dyv.row(i), xv.row(i)
			for p := range parts {
				from, to, r := p*width, (p+1)*width, rr[i*parts+p]
				if weight != nil {
					d.weightGrad(sum, g[from:to], in[from:to], r)
				}
				c := d.dot3(g[from:to], ww, in[from:to]) * r * r * r / float32(width)
				d.normGrad(out[from:to], g[from:to], in[from:to], ww, r, c)
			}
		}
	})
	d.addBlocks(weight, n, width, 0)
}

// LayerNorm sums in 64 bits.
func (d *Device) LayerNorm(y, x device.Mat, w, b, mean, rstd device.Buf, eps float32) {
	yv, xv, ww, bb, mm, rr := open(y), open(x), w.(buf), b.(buf), mean.(buf), rstd.(buf)
	n, width := xv.rows, xv.cols
	if !yv.fits(n, width) || len(ww) != width || len(bb) != width || len(mm) != n || len(rr) != n {
		misfit("layernorm", yv.rows, yv.cols, n, width, len(ww), len(bb), len(mm), len(rr))
	}
	d.pool.rows(n, 4*width, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			in, out := xv.row(i), yv.row(i)
			mm[i] = float32(d.sum(in) / float64(width))
			rr[i] = float32(1 / math.Sqrt(d.spread(in, mm[i])/float64(width)+float64(eps)))
			d.center(out, in, mm[i], rr[i])
			d.mulAdd(out, ww, bb)
		}
	})
}

// LayerNormGrad computes h = (x-mean)*rstd again, row by row. With c1 and c2 the
// means of dy*w and of dy*w*h, dx is (dy*w - c1 - h*c2)*rstd.
func (d *Device) LayerNormGrad(dx device.Mat, dw, db device.Buf, dy, x device.Mat, w, mean, rstd device.Buf) {
	dxv, dyv, xv, ww, mm, rr := open(dx), open(dy), open(x), w.(buf), mean.(buf), rstd.(buf)
	n, width := xv.rows, xv.cols
	if !dxv.fits(n, width) || !dyv.fits(n, width) || len(ww) != width || len(mm) != n || len(rr) != n {
		misfit("layernorm gradient", dxv.rows, dxv.cols, dyv.rows, dyv.cols, n, width, len(ww), len(mm), len(rr))
	}
	weight, bias := summed("layernorm gradient", dw, width), summed("layernorm gradient", db, width)
	d.blocks(n, 2*width, 7*width, func(worker, lo, hi int, sum []float32) {
		s := &d.workers[worker]
		s.a = grow(s.a, width)
		h := s.a
		for i := lo; i < hi; i++ {
			g := dyv.row(i)
			d.center(h, xv.row(i), mm[i], rr[i])
			if weight != nil {
				d.weightGrad(sum[:width], g, h, 1)
			}
			if bias != nil {
				d.add(sum[width:], g)
			}
			c1, c2 := d.dot(g, ww)/float32(width), d.dot3(g, ww, h)/float32(width)
			d.centerGrad(dxv.row(i), g, h, ww, rr[i], c1, c2)
		}
	})
	d.addBlocks(weight, n, 2*width, 0)
	d.addBlocks(bias, n, 2*width, width)
}
