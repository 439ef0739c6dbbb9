package ref

import (
	"math"

	"adit/internal/engine/device"
)

func (ref) TopK(probs device.Mat, chosen device.Ints, weight device.Buf, logits device.Mat, allowed device.Ints, k int, scale float32) {
	m := openAll(probs, logits)
	ch, w, may := chosen.(ints), weight.(buf), allowed.(ints)
	must(probs.Cols == logits.Cols && len(may) == logits.Cols && len(ch) == logits.Rows*k && len(w) == len(ch),
		"topk", probs.Cols, logits.Cols, len(may), len(ch), len(w))
	for i := range logits.Rows {
		p, lse := m[0].row(i), logSumExp(m[1].row(i))
		for e, l := range m[1].row(i) {
			p[e] = float32(math.Exp(float64(l) - lse))
		}
		taken := make([]bool, len(p))
		for c := range k {
			best := -1
			// A NaN wins over nothing and loses to nothing that came before
			// it, so that a broken row still chooses experts that exist.
			for e, q := range p {
				if may[e] != 0 && !taken[e] && (best < 0 || q > p[best]) {
					best = e
				}
			}
			must(best >= 0, "topk: fewer experts allowed than asked for", k)
			taken[best] = true
			ch[i*k+c] = int32(best)
			w[i*k+c] = p[best] * scale
		}
	}
}

func (ref) TopKGrad(dlogits, probs device.Mat, chosen device.Ints, dweight device.Buf, k int, scale float32) {
	m := openAll(dlogits, probs)
	ch, dw := chosen.(ints), dweight.(buf)
	must(dlogits.Cols == probs.Cols && len(ch) == probs.Rows*k && len(dw) == len(ch), "topk gradient", dlogits.Cols, probs.Cols, len(ch), len(dw))
	for i := range probs.Rows {
		d, p := m[0].row(i), m[1].row(i)
		sum := make([]float64, len(p))
		for c := range k {
			e, g := ch[i*k+c], float64(dw[i*k+c])*float64(scale)
			for j := range p {
				sum[j] -= g * float64(p[e]) * float64(p[j])
			}
			sum[e] += g * float64(p[e])
		}
		for j, s := range sum {
			d[j] = float32(s)
		}
	}
}

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
