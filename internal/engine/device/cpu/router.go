package cpu

import (
	"slices"

	"adit/internal/engine/device"
)

// router is the memory of one worker for the choice of groups of experts.
type router struct {
	scores []float32 // of groups
	usable ints      // groups that have experts to choose from
	groups ints      // chosen
}

// TopK chooses by the probabilities as they are rounded to 32 bits, so that
// equals are equal on every device.
func (d *Device) TopK(probs device.Mat, chosen device.Ints, weight device.Buf, logits device.Mat, allowed device.Ints, r device.Routing) {
	pv, lv, ch, w, may := open(probs), open(logits), chosen.(ints), weight.(buf), allowed.(ints)
	k := r.K
	if !pv.fits(lv.rows, lv.cols) || len(may) != lv.cols || len(ch) != lv.rows*k || len(w) != len(ch) {
		misfit("topk", pv.rows, pv.cols, lv.rows, lv.cols, len(may), len(ch), len(w), k)
	}
	if r.Groups > 1 && (lv.cols%r.Groups != 0 || r.TopGroups < 1 || r.TopGroups > r.Groups) {
		misfit("topk: groups", lv.cols, r.Groups, r.TopGroups)
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
	d.pool.rows(lv.rows, (expCost+2)*lv.cols, func(worker, lo, hi int) {
		for i := lo; i < hi; i++ {
			p, top := pv.row(i), ch[i*k:][:k]
			d.softmax(p, lv.row(i))
			if r.Groups > 1 {
				d.routers[worker].choose(top, p, may, r)
			} else {
				pick(top, 0, 0, p, may, 0, len(p))
			}
			norm, _ := weigh(p, top, r)
			for c, e := range top {
				w[i*k+c] = p[e] * norm * r.Scale
			}
		}
	})
}

// pick puts those of the numbers from lo to hi with the greatest p into top,
// which has n in it of which the first fixed stay. It returns how many there are
// then. Numbers must come in order: the lower goes before its equals. NaNs,
// which make the whole row NaN, are equals too, so that a broken row still
// chooses experts that exist.
func pick(top ints, n, fixed int, p []float32, may ints, lo, hi int) int {
	if fixed == len(top) {
		return n
	}
	var least float32 // of those in top, if it is full
	if n == len(top) {
		least = p[top[n-1]]
	}
	for e := lo; e < hi; e++ {
		q := p[e]
		if n == len(top) && !(q > least) || may[e] == 0 {
			continue
		}
		if n < len(top) {
			n++
		}
		j := n - 1
		for ; j > fixed && q > p[top[j-1]]; j-- {
			top[j] = top[j-1]
		}
		top[j] = int32(e)
		least = p[top[n-1]]
	}
	return n
}

// choose picks from the best groups and, if these have too few, from the others.
func (m *router) choose(top ints, p []float32, may ints, r device.Routing) {
	size := len(p) / r.Groups
	m.scores, m.usable, m.groups = grow(m.scores, r.Groups), growInts(m.usable, r.Groups), growInts(m.groups, r.TopGroups)
	for g := range r.Groups {
		var best [1]int32
		m.usable[g] = int32(pick(best[:], 0, 0, p, may, g*size, (g+1)*size))
		m.scores[g] = p[best[0]]
	}
	groups := m.groups[:pick(m.groups, 0, 0, m.scores, m.usable, 0, r.Groups)]
	slices.Sort(groups)
	n := 0
	for _, g := range groups {
		n = pick(top, n, 0, p, may, int(g)*size, (int(g)+1)*size)
	}
	for g, fixed := 0, n; g < r.Groups && fixed < len(top); g++ {
		if !slices.Contains(groups, int32(g)) {
			n = pick(top, n, fixed, p, may, g*size, (g+1)*size)
		}
	}
}

// weigh returns what makes the chosen probabilities weights, but for Scale, and
// whether it follows from their sum.
func weigh(p []float32, chosen ints, r device.Routing) (norm float32, bySum bool) {
	if !r.Normal {
		return 1, false
	}
	sum := float32(0)
	for _, e := range chosen {
		sum += p[e]
	}
	if sum < device.LeastSum {
		return 1 / device.LeastSum, false
	}
	return 1 / sum, true
}

// TopKGrad sets dlogits[j] = Σ_c g_c w_c ([j is c] - p_j), where w is the weight
// and g its gradient. If weights are divided by their sum, it is a softmax over
// the chosen alone: p_j is w_j without Scale, and 0 of those not chosen.
func (d *Device) TopKGrad(dlogits, probs device.Mat, chosen device.Ints, dweight device.Buf, r device.Routing) {
	dv, pv, ch, dw, k := open(dlogits), open(probs), chosen.(ints), dweight.(buf), r.K
	if !dv.fits(pv.rows, pv.cols) || len(ch) != pv.rows*k || len(dw) != len(ch) {
		misfit("topk gradient", dv.rows, dv.cols, pv.rows, pv.cols, len(ch), len(dw), k)
	}
	rowsIn("topk gradient: expert", ch, pv.cols)
	d.pool.rows(pv.rows, pv.cols, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			out, p, chose, g := dv.row(i), pv.row(i), ch[i*k:][:k], dw[i*k:][:k]
			norm, bySum := weigh(p, chose, r)
			sum := float32(0)
			for c, e := range chose {
				sum += g[c] * (norm * p[e])
			}
			if bySum {
				d.scaled(out, p, 0) // 0, or NaN
				for c, e := range chose {
					out[e] = (g[c] - sum) * (norm * p[e]) * r.Scale
				}
				continue
			}
			d.scaled(out, p, -sum*r.Scale)
			for c, e := range chose {
				out[e] += g[c] * (norm * p[e]) * r.Scale
			}
		}
	})
}

// Balance counts choices and sums probabilities over blocks of rows, then over
// these in order.
func (d *Device) Balance(loss device.Buf, dlogits, probs device.Mat, chosen device.Ints, k, t int, scale float32) {
	p, l, ch := open(probs), loss.(buf), chosen.(ints)
	experts := p.cols
	if k <= 0 || t <= 0 || p.rows%t != 0 || len(l) != p.rows/t || len(ch) != p.rows*k {
		misfit("balance", p.rows, p.cols, k, t, len(l), len(ch))
	}
	rowsIn("balance: expert", ch, experts)
	// Of each block of a run, how often each expert was chosen, and the sum of
	// its probabilities; then of the whole run, in its first block.
	blocks, width := pieces(t, blockRows), 2*experts
	d.partial = grow(d.partial, len(l)*blocks*width)
	sums := d.partial
	d.pool.run(len(l)*blocks, p.rows*experts, func(_, piece int) {
		sum := sums[piece*width:][:width]
		often, mean := sum[:experts], sum[experts:]
		clear(sum)
		run, b := piece/blocks, piece%blocks
		for i := run*t + b*blockRows; i < run*t+min(t, (b+1)*blockRows); i++ {
			for _, e := range ch[i*k:][:k] {
				often[e]++
			}
			d.add(mean, p.row(i))
		}
	})
	for run := range l {
		sum := sums[run*blocks*width:][:width]
		often, mean := sum[:experts], sum[experts:]
		for b := 1; b < blocks; b++ {
			d.add(sum, sums[(run*blocks+b)*width:][:width])
		}
		d.scaled(often, often, float32(experts)/float32(k*t))
		l[run] = d.dot(often, mean) / float32(t)
	}
	if dlogits.Buf == nil {
		return
	}
	out := open(dlogits)
	if !out.fits(p.rows, experts) {
		misfit("balance", out.rows, out.cols, p.rows, experts)
	}
	d.pool.rows(p.rows, 4*experts, func(w, lo, hi int) {
		s := &d.workers[w]
		s.a = grow(s.a, experts)
		for i := lo; i < hi; i++ {
			often, row := sums[i/t*blocks*width:][:experts], p.row(i)
			copy(s.a, often)
			d.softmaxGrad(s.a, row, d.dot(often, row), scale/float32(t))
			d.add(out.row(i), s.a)
		}
	})
}
