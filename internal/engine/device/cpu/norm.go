package cpu

import (
	"math"

	"adit/internal/engine/device"
)

// RMSNorm sums the squares of each row in 64 bits.
func (d *Device) RMSNorm(y, x device.Mat, w, rstd device.Buf, eps float32) {
	yv, xv, ww, rr := open(y), open(x), w.(buf), rstd.(buf)
	if !yv.fits(xv.rows, xv.cols) || len(ww) != xv.cols || len(rr) != xv.rows {
		misfit("rmsnorm", yv.rows, yv.cols, xv.rows, xv.cols, len(ww), len(rr))
	}
	d.pool.rows(xv.rows, 2*xv.cols, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := xv.row(i)
			rr[i] = float32(1 / math.Sqrt(d.sumSquares(row)/float64(len(row))+float64(eps)))
			d.norm(yv.row(i), row, ww, rr[i])
		}
	})
}

// normRows is how many rows of a gradient are summed together.
const normRows = 32

// RMSNormGrad sums dw over blocks of rows, then over these in order.
func (d *Device) RMSNormGrad(dx device.Mat, dw device.Buf, dy, x device.Mat, w, rstd device.Buf) {
	dxv, dyv, xv, ww, rr := open(dx), open(dy), open(x), w.(buf), rstd.(buf)
	n, width := xv.rows, xv.cols
	if !dxv.fits(n, width) || !dyv.fits(n, width) || len(ww) != width || len(rr) != n {
		misfit("rmsnorm gradient", dxv.rows, dxv.cols, dyv.rows, dyv.cols, n, width, len(ww), len(rr))
	}
	var weight buf
	if dw != nil {
		if weight = dw.(buf); len(weight) != width {
			misfit("rmsnorm gradient", len(weight), width)
		}
		d.partial = grow(d.partial, pieces(n, normRows)*width)
	}
	block := func(_, b int) {
		var sum []float32
		if weight != nil {
			sum = d.partial[b*width:][:width]
			clear(sum)
		}
		for i := b * normRows; i < min(n, (b+1)*normRows); i++ {
			g, row, r := dyv.row(i), xv.row(i), rr[i]
			if weight != nil {
				d.weightGrad(sum, g, row, r)
			}
			c := d.dot3(g, ww, row) * r * r * r / float32(width)
			d.normGrad(dxv.row(i), g, row, ww, r, c)
		}
	}
	d.pool.run(pieces(n, normRows), 4*n*width, block)
	if weight != nil && n > 0 {
		sum := d.partial[:width]
		for b := 1; b < pieces(n, normRows); b++ {
			d.add(sum, d.partial[b*width:][:width])
		}
		d.add(weight, sum)
	}
}

// Rope turns head by head.
func (d *Device) Rope(x device.Mat, t, heads, dim int, cos, sin device.Buf, inverse bool) {
	xv, c, s, half := open(x), cos.(buf), sin.(buf), dim/2
	if xv.cols != heads*dim || dim%2 != 0 || t <= 0 || xv.rows%t != 0 || len(c) != t*half || len(s) != t*half {
		misfit("rope", xv.rows, xv.cols, t, heads, dim, len(c), len(s))
	}
	sign := float32(1)
	if inverse {
		sign = -1
	}
	d.pool.rows(xv.rows, 3*xv.cols, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			at, row := i%t*half, xv.row(i)
			co, si := c[at:at+half], s[at:at+half]
			for h := 0; h < len(row); h += dim {
				d.rope(row[h:h+half], row[h+half:h+dim], co, si, sign)
			}
		}
	})
}
