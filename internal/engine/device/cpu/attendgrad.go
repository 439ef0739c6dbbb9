package cpu

import "adit/internal/engine/device"

// gradHeads is what the gradient adds to heads.
type gradHeads struct {
	heads
	dq, dk, dv, do view
}

// AttendGrad computes the probabilities again from lse. It gives the heads of a
// sequence that share keys to one worker, which adds up their dk and dv in
// order.
func (d *Device) AttendGrad(dq, dk, dv, do, o device.Mat, lse device.Buf, q, k, v device.Mat, a device.Attention) {
	g := gradHeads{openHeads(o, lse, q, k, v, a), open(dq), open(dk), open(dv), open(do)}
	if !g.dq.fits(g.q.rows, g.q.cols) || !g.dk.fits(g.k.rows, g.k.cols) || !g.dv.fits(g.v.rows, g.v.cols) || !g.do.fits(g.o.rows, g.o.cols) {
		misfit("attention gradient", g.dq.rows, g.dq.cols, g.dk.rows, g.dk.cols, g.dv.rows, g.dv.cols, g.do.rows, g.do.cols)
	}
	if a.Past != 0 {
		misfit("attention gradient: past", a.Past)
	}
	d.pool.run(a.B*a.KV, 2*a.B*a.H*a.T*a.T*(a.Dim+a.DimV)/multiplications, func(w, i int) {
		b, kv := i/a.KV, i%a.KV
		for t := b * a.T; t < (b+1)*a.T; t++ {
			clear(g.dk.row(t)[kv*a.Dim:][:a.Dim])
			clear(g.dv.row(t)[kv*a.DimV:][:a.DimV])
		}
		for n := kv * a.H / a.KV; n < (kv+1)*a.H/a.KV; n++ {
			d.attendGrad(&d.workers[w], &g, b, n)
		}
	})
}

// attendGrad computes head n of sequence b. With p the probabilities and
// dp = do·vᵀ, ds = p*(dp - Σ do*o)*Scale, and then dv = pᵀ·do, dq = ds·k and
// dk = dsᵀ·q.
func (k *kernel) attendGrad(s *scratch, g *gradHeads, b, n int) {
	kv := n * g.KV / g.H
	s.sum = grow(s.sum, g.T) // Σ do*o of each row
	begun := g.Window > 0
	for i := range g.T {
		s.sum[i] = k.dot(g.query(g.do, b, i, n, g.DimV).x[:g.DimV], g.query(g.o, b, i, n, g.DimV).x[:g.DimV])
		if begun {
			clear(g.query(g.dq, b, i, n, g.Dim).x[:g.Dim])
		}
	}
	s.probs, s.scores = grow(s.probs, queryBlock*keyBlock), grow(s.scores, queryBlock*keyBlock)
	for first := 0; first < g.T; first += keyBlock {
		keys := min(keyBlock, g.T-first)
		key, value := g.key(g.k, b, first, kv, g.Dim), g.key(g.v, b, first, kv, g.DimV)
		kt := k.packIn(&s.keys, key.transposed(), g.Dim, keys)
		vt := k.packIn(&s.values, value.transposed(), g.DimV, keys)
		kp := k.packIn(&s.keyRows, key, keys, g.Dim)
		from, to := g.seeing(first, first+keys)
		for i := from; i < to; i += queryBlock {
			rows := min(queryBlock, to-i)
			_, seen := g.seen(i+rows-1, first, keys)
			for r := 0; r < rows; r += k.mr {
				k.gradRows(s, g, b, n, i+r, min(k.mr, rows-r), first, seen, begun || first > 0, kt, vt, kp, s.probs[r*keyBlock:], s.scores[r*keyBlock:])
			}
			gp := k.packIn(&s.grads, g.query(g.do, b, i, n, g.DimV), rows, g.DimV)
			dv := g.key(g.dv, b, first, kv, g.DimV)
			k.tiles(dv.x, dv.rs, operand{s.probs, 1, keyBlock}, gp, seen, g.DimV, rows, true)
			qp := k.packIn(&s.queries, g.query(g.q, b, i, n, g.Dim), rows, g.Dim)
			dk := g.key(g.dk, b, first, kv, g.Dim)
			k.tiles(dk.x, dk.rs, operand{s.scores, 1, keyBlock}, qp, seen, g.Dim, rows, true)
		}
	}
}

// gradRows sets probs and ds, and dq or what these keys add to it, of rows
// queries from i on. The part of the block that they do not see becomes 0.
func (k *kernel) gradRows(s *scratch, g *gradHeads, b, n, i, rows, first, block int, acc bool, kt, vt, kp packed, probs, ds []float32) {
	_, seen := g.seen(i+rows-1, first, block)
	k.tiles(probs, keyBlock, g.query(g.q, b, i, n, g.Dim), kt, rows, seen, g.Dim, false)
	k.tiles(ds, keyBlock, g.query(g.do, b, i, n, g.DimV), vt, rows, seen, g.DimV, false)
	for r := range rows {
		lo, hi := g.seen(i+r, first, block)
		p, d := probs[r*keyBlock:][:block], ds[r*keyBlock:][:block]
		k.expSum(p[lo:hi], p[lo:hi], g.Scale, -g.lse[(b*g.T+i+r)*g.H+n])
		k.softmaxGrad(d[lo:hi], p[lo:hi], s.sum[i+r], g.Scale)
		clear(p[:lo])
		clear(d[:lo])
		clear(p[hi:])
		clear(d[hi:])
	}
	dq := g.query(g.dq, b, i, n, g.Dim)
	k.tiles(dq.x, dq.rs, operand{ds, keyBlock, 1}, kp, rows, g.Dim, seen, acc)
}
