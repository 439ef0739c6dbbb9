package cpu

import "adit/internal/engine/device"

// Group counts, then places.
func (d *Device) Group(offsets, slot, chosen device.Ints) {
	off, sl, ch := offsets.(ints), slot.(ints), chosen.(ints)
	if len(sl) != len(ch) || len(off) == 0 {
		misfit("group", len(sl), len(ch), len(off))
	}
	rowsIn("group: expert", ch, len(off)-1)
	clear(off)
	for _, e := range ch {
		off[e+1]++
	}
	for e := range len(off) - 1 {
		off[e+1] += off[e]
	}
	// off[e] walks from where e begins to where it ends, which is where the
	// next begins.
	for i, e := range ch {
		sl[i] = off[e]
		off[e]++
	}
	copy(off[1:], off)
	off[0] = 0
}

// choices opens the slots of n tokens of k choices each, whose rows are in
// rows of the sorted matrix.
func choices(what string, slot device.Ints, n, k, rows int) ints {
	s := slot.(ints)
	if len(s) != n*k || rows != n*k {
		misfit(what, len(s), n, k, rows)
	}
	rowsIn(what, s, rows)
	return s
}

// Scatter copies each token's row to the places of its choices.
func (d *Device) Scatter(xs, x device.Mat, slot device.Ints, k int) {
	sv, xv := open(xs), open(x)
	if sv.cols != xv.cols {
		misfit("scatter", sv.cols, xv.cols)
	}
	s := choices("scatter", slot, xv.rows, k, sv.rows)
	d.pool.rows(xv.rows, k*xv.cols, func(_, lo, hi int) {
		for i := lo * k; i < hi*k; i++ {
			copy(sv.row(int(s[i])), xv.row(i/k))
		}
	})
}

// ScatterGrad shares out tokens: all that a row of dx gets, one worker adds.
func (d *Device) ScatterGrad(dx, dxs device.Mat, slot device.Ints, k int) {
	xv, sv := open(dx), open(dxs)
	if sv.cols != xv.cols {
		misfit("scatter gradient", sv.cols, xv.cols)
	}
	s := choices("scatter gradient", slot, xv.rows, k, sv.rows)
	d.pool.rows(xv.rows, k*xv.cols, func(_, lo, hi int) {
		for i := lo * k; i < hi*k; i++ {
			d.add(xv.row(i/k), sv.row(int(s[i])))
		}
	})
}

// Combine adds choice by choice.
func (d *Device) Combine(y, ys device.Mat, slot device.Ints, weight device.Buf, k int) {
	yv, sv, w := open(y), open(ys), weight.(buf)
	if sv.cols != yv.cols || len(w) != yv.rows*k {
		misfit("combine", sv.cols, yv.cols, len(w))
	}
	s := choices("combine", slot, yv.rows, k, sv.rows)
	d.pool.rows(yv.rows, k*yv.cols, func(_, lo, hi int) {
		for i := lo * k; i < hi*k; i++ {
			d.addScaled(yv.row(i/k), sv.row(int(s[i])), w[i])
		}
	})
}

// CombineGrad reads a row of ys before it sets that of dys.
func (d *Device) CombineGrad(dys device.Mat, dweight device.Buf, dy, ys device.Mat, slot device.Ints, weight device.Buf, k int) {
	out, g, sv, w := open(dys), open(dy), open(ys), weight.(buf)
	if !out.fits(sv.rows, sv.cols) || sv.cols != g.cols || len(w) != g.rows*k {
		misfit("combine gradient", out.rows, out.cols, sv.rows, sv.cols, g.cols, len(w))
	}
	s := choices("combine gradient", slot, g.rows, k, sv.rows)
	var dw buf
	if dweight != nil {
		if dw = dweight.(buf); len(dw) != len(w) {
			misfit("combine gradient", len(dw), len(w))
		}
	}
	d.pool.rows(g.rows, k*g.cols, func(_, lo, hi int) {
		for i := lo * k; i < hi*k; i++ {
			row := g.row(i / k)
			if dw != nil {
				dw[i] = d.dot(row, sv.row(int(s[i])))
			}
			d.scaled(out.row(int(s[i])), row, w[i])
		}
	})
}
