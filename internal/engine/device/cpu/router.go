package cpu

import (
	"slices"

	"adit/internal/engine/device"
)

// TopK chooses by the probabilities as they are rounded to 32 bits, so that
// equals are equal on every device.
func (d *Device) TopK(probs device.Mat, chosen device.Ints, weight device.Buf, logits device.Mat, allowed device.Ints, k int, scale float32) {
	pv, lv, ch, w, may := open(probs), open(logits), chosen.(ints), weight.(buf), allowed.(ints)
	if !pv.fits(lv.rows, lv.cols) || len(may) != lv.cols || len(ch) != lv.rows*k || len(w) != len(ch) {
		misfit("topk", pv.rows, pv.cols, lv.rows, lv.cols, len(may), len(ch), len(w), k)
	}
	permitted := 0
	for _, m := range may {
		if m != 0 {
			permitted++
		}
	}
	if permitted < k {
		misfit("topk: experts allowed", permitted, k)
	}
	d.pool.rows(lv.rows, expCost*lv.cols, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			p := pv.row(i)
			d.softmax(p, lv.row(i))
			top := ch[i*k:][:k]
			for c := range top {
				best := -1
				// A NaN is taken if it comes first and never else: a broken
				// row still chooses experts that exist.
				for e, q := range p {
					if (best < 0 || q > p[best]) && may[e] != 0 && !slices.Contains(top[:c], int32(e)) {
						best = e
					}
				}
				top[c] = int32(best)
				w[i*k+c] = p[best] * scale
			}
		}
	})
}

// TopKGrad sets dlogits[j] = Σ_c g_c p_c ([j is c] - p_j), where g is dweight*scale.
func (d *Device) TopKGrad(dlogits, probs device.Mat, chosen device.Ints, dweight device.Buf, k int, scale float32) {
	dv, pv, ch, dw := open(dlogits), open(probs), chosen.(ints), dweight.(buf)
	if !dv.fits(pv.rows, pv.cols) || len(ch) != pv.rows*k || len(dw) != len(ch) {
		misfit("topk gradient", dv.rows, dv.cols, pv.rows, pv.cols, len(ch), len(dw), k)
	}
	rowsIn("topk gradient: expert", ch, pv.cols)
	d.pool.rows(pv.rows, pv.cols, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			out, p := dv.row(i), pv.row(i)
			sum := float32(0)
			for c, e := range ch[i*k:][:k] {
				sum += dw[i*k+c] * scale * p[e]
			}
			d.scaled(out, p, -sum)
			for c, e := range ch[i*k:][:k] {
				out[e] += dw[i*k+c] * scale * p[e]
			}
		}
	})
}

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
