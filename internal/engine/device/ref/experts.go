package ref

import "adit/internal/engine/device"

func (ref) Group(offsets, slot, chosen device.Ints) {
	off, sl, ch := offsets.(ints), slot.(ints), chosen.(ints)
	must(len(sl) == len(ch), "group", len(sl), len(ch))
	next := int32(0)
	for e := range len(off) - 1 {
		off[e] = next
		for i, c := range ch {
			if int(c) == e {
				sl[i] = next
				next++
			}
		}
	}
	off[len(off)-1] = next
	must(int(next) == len(ch), "group: choices of experts there are not", int(next), len(ch))
}

func (ref) Scatter(xs, x device.Mat, slot device.Ints, k int) {
	must(xs.Cols == x.Cols && slot.Len() == x.Rows*k && xs.Rows == slot.Len(), "scatter", xs.Rows, xs.Cols, x.Rows, x.Cols, k)
	sm, xm := open(xs), open(x)
	for i, s := range slot.(ints) {
		copy(sm.row(int(s)), xm.row(i/k))
	}
}

func (ref) ScatterGrad(dx, dxs device.Mat, slot device.Ints, k int) {
	must(dxs.Cols == dx.Cols && slot.Len() == dx.Rows*k && dxs.Rows == slot.Len(), "scatter gradient", dxs.Rows, dxs.Cols, dx.Rows, dx.Cols, k)
	xm, sm := open(dx), open(dxs)
	for i, s := range slot.(ints) {
		out := xm.row(i / k)
		for j, g := range sm.row(int(s)) {
			out[j] += g
		}
	}
}

func (ref) Combine(y, ys device.Mat, slot device.Ints, weight device.Buf, k int) {
	w := weight.(buf)
	must(ys.Cols == y.Cols && slot.Len() == y.Rows*k && ys.Rows == slot.Len() && len(w) == slot.Len(), "combine", ys.Rows, ys.Cols, y.Rows, y.Cols, k, len(w))
	ym, sm := open(y), open(ys)
	for n := range y.Rows {
		out := ym.row(n)
		for d := range out {
			s := float64(out[d])
			for i := n * k; i < (n+1)*k; i++ {
				s += float64(w[i]) * float64(sm.row(int(slot.(ints)[i]))[d])
			}
			out[d] = float32(s)
		}
	}
}

func (ref) CombineGrad(dys device.Mat, dweight device.Buf, dy, ys device.Mat, slot device.Ints, weight device.Buf, k int) {
	w := weight.(buf)
	must(dys.Cols == dy.Cols && ys.Cols == dy.Cols && slot.Len() == dy.Rows*k && dys.Rows == slot.Len() && ys.Rows == slot.Len() && len(w) == slot.Len(),
		"combine gradient", dys.Rows, dys.Cols, dy.Rows, dy.Cols, ys.Rows, ys.Cols, k, len(w))
	dm, gm, sm := open(dys), open(dy), open(ys)
	for i, s := range slot.(ints) {
		g := gm.row(i / k)
		if dweight != nil {
			dweight.(buf)[i] = float32(dot(g, sm.row(int(s))))
		}
		for d := range g {
			dm.row(int(s))[d] = g[d] * w[i]
		}
	}
}
