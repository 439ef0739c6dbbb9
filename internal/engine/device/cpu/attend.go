package cpu

import (
	"math"

	"adit/internal/engine/device"
)

// Attention is computed in blocks: keyBlock keys at a time are packed, and the
// queries that see any of them go by, a few rows at a time. No more of the
// matrix of scores is in memory than those rows by those keys, and the half in
// which a query would look ahead is left out.
const (
	keyBlock   = 256
	queryBlock = 64 // rows of the gradient that are worked on together
)

// attention is the memory of one worker for it.
type attention struct {
	keys, values   []float32 // packed: keyᵀ and value, or valueᵀ
	keyRows        []float32 // packed: key, for the gradient
	queries, grads []float32 // packed: query and dO, for the gradient
	scores, probs  []float32 // (rows, keyBlock)
	top, sum       []float32 // running maximum and sum of each row
}

// heads is an attention with its matrices in reach.
type heads struct {
	device.Attention
	q, k, v, o view
	lse        buf
}

// openHeads opens the matrices and panics unless they fit.
func openHeads(o device.Mat, lse device.Buf, q, k, v device.Mat, a device.Attention) heads {
	s := heads{a, open(q), open(k), open(v), open(o), lse.(buf)}
	n, keys := a.B*a.T, a.B*(a.Past+a.T)
	if a.KV <= 0 || a.H%a.KV != 0 || a.Past < 0 || a.Window < 0 || !(a.Scale >= 0) || !s.q.fits(n, a.H*a.Dim) || !s.k.fits(keys, a.KV*a.Dim) ||
		!s.v.fits(keys, a.KV*a.DimV) || !s.o.fits(n, a.H*a.DimV) || len(s.lse) != n*a.H {
		misfit("attention", n, a.H, a.KV, s.q.rows, s.q.cols, s.k.rows, s.k.cols, s.v.rows, s.v.cols, s.o.rows, s.o.cols, len(s.lse))
	}
	return s
}

// query returns what head n of sequence b has in v, a matrix with the rows of
// the queries and heads of that width, from query t on.
func (h *heads) query(v view, b, t, n, width int) operand {
	return operand{v.x[(b*h.T+t)*v.stride+n*width:], v.stride, 1}
}

// key is query for a matrix with the rows of the keys.
func (h *heads) key(v view, b, t, n, width int) operand {
	return operand{v.x[(b*(h.Past+h.T)+t)*v.stride+n*width:], v.stride, 1}
}

// seeing returns the first query that sees any of the keys from first on, and
// the one after the last that sees any of those before end.
func (h *heads) seeing(first, end int) (from, to int) {
	to = h.T
	if h.Window > 0 {
		to = min(to, end-1+h.Window-h.Past)
	}
	return max(0, first-h.Past), to
}

// seen returns which of the keys from first to first+n query i sees, counted
// from first.
func (h *heads) seen(i, first, n int) (lo, hi int) {
	at := h.Past + i - first
	if h.Window > 0 {
		lo = min(max(0, at-h.Window+1), n)
	}
	return lo, max(lo, min(n, at+1))
}

func (o operand) transposed() operand { return operand{o.x, o.cs, o.rs} }

// Attend gives each head of each sequence to one worker.
func (d *Device) Attend(o device.Mat, lse device.Buf, q, k, v device.Mat, a device.Attention) {
	h := openHeads(o, lse, q, k, v, a)
	d.pool.run(a.B*a.H, a.B*a.H*a.T*a.T*(a.Dim+a.DimV)/multiplications, func(w, i int) {
		d.attend(&d.workers[w], &h, i/a.H, i%a.H)
	})
}

// attend computes head n of sequence b. While keys go by, o holds the sum of
// exp(score - top)*value, and top the greatest score so far.
func (k *kernel) attend(s *scratch, h *heads, b, n int) {
	kv, all := n*h.KV/h.H, h.Past+h.T
	s.top, s.sum = grow(s.top, h.T), grow(s.sum, h.T)
	s.scores = grow(s.scores, k.mr*keyBlock)
	begun := h.Window > 0 // queries meet their first keys in different blocks
	for i := range h.T {
		s.top[i], s.sum[i] = float32(math.Inf(-1)), 0
		if begun {
			clear(h.query(h.o, b, i, n, h.DimV).x[:h.DimV])
		}
	}
	for first := 0; first < all; first += keyBlock {
		keys := min(keyBlock, all-first)
		from, to := h.seeing(first, first+keys)
		if from >= to {
			continue
		}
		kt := k.packIn(&s.keys, h.key(h.k, b, first, kv, h.Dim).transposed(), h.Dim, keys)
		vp := k.packIn(&s.values, h.key(h.v, b, first, kv, h.DimV), keys, h.DimV)
		for i := from; i < to; i += k.mr {
			rows := min(k.mr, to-i)
			_, seen := h.seen(i+rows-1, first, keys)
			k.tiles(s.scores, keyBlock, h.query(h.q, b, i, n, h.Dim), kt, rows, seen, h.Dim, false)
			o := h.query(h.o, b, i, n, h.DimV)
			for r := range rows {
				k.attendRow(s, h, i+r, first, keys, s.scores[r*keyBlock:][:seen], o.x[r*o.rs:][:h.DimV])
			}
			k.tiles(o.x, o.rs, operand{s.scores, keyBlock, 1}, vp, rows, h.DimV, seen, begun || first > 0)
		}
	}
	for i := range h.T {
		row := h.query(h.o, b, i, n, h.DimV).x[:h.DimV]
		k.scaled(row, row, 1/s.sum[i])
		h.lse[(b*h.T+i)*h.H+n] = s.top[i] + float32(math.Log(float64(s.sum[i])))
	}
}

// attendRow turns the scores of query i for keys from first on into what their
// values count, and brings what o holds of earlier keys to the same measure.
func (k *kernel) attendRow(s *scratch, h *heads, i, first, keys int, scores, o []float32) {
	lo, hi := h.seen(i, first, keys)
	hi = min(hi, len(scores))
	clear(scores[:min(lo, hi)])
	clear(scores[hi:])
	if lo >= hi {
		return
	}
	mine := scores[lo:hi]
	// Not a number: it stays, and makes all that it touches none.
	if top := k.max(mine) * h.Scale; !(top <= s.top[i]) {
		if old := s.top[i]; s.sum[i] != 0 {
			shrink := float32(math.Exp(float64(old - top)))
			s.sum[i] *= shrink
			k.scaled(o, o, shrink)
		}
		s.top[i] = top
	}
	s.sum[i] += k.expSum(mine, mine, h.Scale, -s.top[i])
}

// packIn packs (depth, n) of b into the memory at dst.
func (k *kernel) packIn(dst *[]float32, b operand, depth, n int) packed {
	*dst = grow(*dst, pieces(n, k.nr)*depth*k.nr)
	k.pack(*dst, b, depth, n)
	return packed{x: *dst, panel: depth * k.nr, row: k.nr}
}
