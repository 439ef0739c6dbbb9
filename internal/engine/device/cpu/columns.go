package cpu

import "adit/internal/engine/device"

// columnsOf panics unless the columns that h names are in v.
func columnsOf(what string, v view, h device.Heads) {
	if h.N < 0 || h.Stride < 0 || h.First < 0 || h.Width < 0 || h.N > 0 && h.First+(h.N-1)*h.Stride+h.Width > v.cols {
		misfit(what, h.N, h.Stride, h.First, h.Width, v.cols)
	}
}

// Rope turns head by head.
func (d *Device) Rope(x device.Mat, cos, sin device.Buf, r device.Rotation) {
	v, c, s, half := open(x), cos.(buf), sin.(buf), r.Dim/2
	if r.Dim < 0 || r.Dim%2 != 0 || r.T <= 0 || v.rows%r.T != 0 || len(c) != r.T*half || len(s) != r.T*half || r.Heads > 1 && r.Stride < r.Dim {
		misfit("rope", v.rows, v.cols, r.T, r.Heads, r.Stride, r.Dim, len(c), len(s))
	}
	columnsOf("rope", v, device.Heads{N: r.Heads, Stride: r.Stride, First: r.First, Width: r.Dim})
	sign := float32(1)
	if r.Inverse {
		sign = -1
	}
	d.pool.rows(v.rows, 3*r.Heads*r.Dim, func(w, lo, hi int) {
		mem := &d.workers[w]
		if r.Pairs {
			mem.a = grow(mem.a, 2*r.Dim)
		}
		for i := lo; i < hi; i++ {
			row, at := v.row(i), i%r.T*half
			co, si := c[at:at+half], s[at:at+half]
			if r.Pairs {
				co, si = mem.a[:r.Dim], mem.a[r.Dim:]
				twice(co, c[at:at+half])
				twice(si, s[at:at+half])
			}
			for h := range r.Heads {
				head := row[r.First+h*r.Stride:][:r.Dim]
				if r.Pairs {
					d.ropePairs(head, co, si, sign)
				} else {
					d.rope(head[:half], head[half:], co, si, sign)
				}
			}
		}
	})
}

// twice sets dst to each of src twice.
func twice(dst, src []float32) {
	for j, v := range src {
		dst[2*j], dst[2*j+1] = v, v
	}
}

// CopyHeads works row by row. Heads that lie side by side in both matrices are
// one.
func (d *Device) CopyHeads(dst device.Mat, to device.Heads, src device.Mat, from device.Heads, acc bool) {
	out, in := open(dst), open(src)
	if out.rows != in.rows || to.N != from.N || to.Width != from.Width {
		misfit("copy heads", out.rows, in.rows, to.N, from.N, to.Width, from.Width)
	}
	columnsOf("copy heads", out, to)
	columnsOf("copy heads", in, from)
	n, width := to.N, to.Width
	if n > 0 && to.Stride == width && from.Stride == width {
		n, width = 1, n*width
	}
	d.pool.rows(out.rows, n*width, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			o, x := out.row(i), in.row(i)
			for h := range n {
				part, with := o[to.First+h*to.Stride:][:width], x[from.First+h*from.Stride:][:width]
				if acc {
					d.add(part, with)
				} else {
					copy(part, with)
				}
			}
		}
	})
}

// AddBias works row by row.
func (d *Device) AddBias(x device.Mat, b device.Buf) {
	v, bias := open(x), b.(buf)
	if len(bias) != v.cols {
		misfit("bias", v.rows, v.cols, len(bias))
	}
	d.pool.rows(v.rows, v.cols, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			d.add(v.row(i), bias)
		}
	})
}

// BiasGrad sums over blocks of rows, then over these in order.
func (d *Device) BiasGrad(db device.Buf, dy device.Mat) {
	v := open(dy)
	bias := summed("bias gradient", db, v.cols)
	d.blocks(v.rows, v.cols, v.cols, func(_, lo, hi int, sum []float32) {
		for i := lo; i < hi; i++ {
			d.add(sum, v.row(i))
		}
	})
	d.addBlocks(bias, v.rows, v.cols, 0)
}
