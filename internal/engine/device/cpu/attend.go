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
	n := a.B * a.T
	if a.KV <= 0 || a.H%a.KV != 0 || !(a.Scale >= 0) || !s.q.fits(n, a.H*a.Dim) || !s.k.fits(n, a.KV*a.Dim) ||
		!s.v.fits(n, a.KV*a.DimV) || !s.o.fits(n, a.H*a.DimV) || len(s.lse) != n*a.H {
		misfit("attention", n, a.H, a.KV, s.q.rows, s.q.cols, s.k.rows, s.k.cols, s.v.rows, s.v.cols, s.o.rows, s.o.cols, len(s.lse))
	}
	return s
}

// part returns what one head of sequence b has in v, from row t on: its columns
// begin at column.
func (h *heads) part(v view, b, t, column int) operand {
	return operand{v.x[(b*h.T+t)*v.stride+column:], v.stride, 1}
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
	kv := n * h.KV / h.H
	s.top, s.sum = grow(s.top, h.T), grow(s.sum, h.T)
	s.scores = grow(s.scores, k.mr*keyBlock)
	for first := 0; first < h.T; first += keyBlock {
		keys := min(keyBlock, h.T-first)
		kt := k.packIn(&s.keys, h.part(h.k, b, first, kv*h.Dim).transposed(), h.Dim, keys)
		vp := k.packIn(&s.values, h.part(h.v, b, first, kv*h.DimV), keys, h.DimV)
		for i := first; i < h.T; i += k.mr {
			rows := min(k.mr, h.T-i)
			seen := min(keys, i+rows-first)
			k.tiles(s.scores, keyBlock, h.part(h.q, b, i, n*h.Dim), kt, rows, seen, h.Dim, false)
			o := h.part(h.o, b, i, n*h.DimV)
			for r := range rows {
				row := s.scores[r*keyBlock:][:seen]
				mine := row[:min(seen, i+r-first+1)]
				clear(row[len(mine):])
				top := k.max(mine) * h.Scale
				if first == 0 {
					s.top[i+r], s.sum[i+r] = top, 0
				} else if old := s.top[i+r]; top > old {
					shrink := float32(math.Exp(float64(old - top)))
					s.top[i+r] = top
					s.sum[i+r] *= shrink
					out := o.x[r*o.rs:][:h.DimV]
					k.scaled(out, out, shrink)
				}
				s.sum[i+r] += k.expSum(mine, mine, h.Scale, -s.top[i+r])
			}
			k.tiles(o.x, o.rs, operand{s.scores, keyBlock, 1}, vp, rows, h.DimV, seen, first > 0)
		}
	}
	out := h.part(h.o, b, 0, n*h.DimV)
	for i := range h.T {
		row := out.x[i*out.rs:][:h.DimV]
		k.scaled(row, row, 1/s.sum[i])
		h.lse[(b*h.T+i)*h.H+n] = s.top[i] + float32(math.Log(float64(s.sum[i])))
	}
}

// packIn packs (depth, n) of b into the memory at dst.
func (k *kernel) packIn(dst *[]float32, b operand, depth, n int) packed {
	*dst = grow(*dst, pieces(n, k.nr)*depth*k.nr)
	k.pack(*dst, b, depth, n)
	return packed{x: *dst, panel: depth * k.nr, row: k.nr}
}
