package ref

import (
	"math"

	"adit/internal/engine/device"
)

func (ref) TopK(probs device.Mat, chosen device.Ints, weight device.Buf, logits device.Mat, allowed device.Ints, r device.Routing) {
	m := openAll(probs, logits)
	ch, w, may := chosen.(ints), weight.(buf), allowed.(ints)
	must(probs.Cols == logits.Cols && len(may) == logits.Cols && len(ch) == logits.Rows*r.K && len(w) == len(ch),
		"topk", probs.Cols, logits.Cols, len(may), len(ch), len(w))
	for i := range logits.Rows {
		p, lse := m[0].row(i), logSumExp(m[1].row(i))
		for e, l := range m[1].row(i) {
			p[e] = float32(math.Exp(float64(l) - lse))
		}
		near := nearGroups(p, may, r)
		taken := make([]bool, len(p))
		sum := 0.0
		for c := range r.K {
			best := most(p, func(e int) bool { return may[e] != 0 && !taken[e] && near[e] })
			if best < 0 {
				best = most(p, func(e int) bool { return may[e] != 0 && !taken[e] })
			}
			must(best >= 0, "topk: fewer experts allowed than asked for", r.K)
			taken[best] = true
			ch[i*r.K+c] = int32(best)
			sum += float64(p[best])
		}
		for c, e := range ch[i*r.K:][:r.K] {
			v := float64(p[e]) * float64(r.Scale)
			if r.Normal {
				v /= math.Max(sum, device.LeastSum)
			}
			w[i*r.K+c] = float32(v)
		}
	}
}

// most returns the number of the greatest of those of p that may be taken, the
// first among equals, or -1. A NaN wins over nothing and loses to nothing that
// came before it, so that a broken row still chooses experts that exist.
func most(p []float32, may func(int) bool) int {
	best := -1
	for e, q := range p {
		if may(e) && (best < 0 || q > p[best]) {
			best = e
		}
	}
	return best
}

// nearGroups tells of each expert whether its group is one of those that are
// chosen from first.
func nearGroups(p []float32, may ints, r device.Routing) []bool {
	near := make([]bool, len(p))
	if r.Groups <= 1 {
		for e := range near {
			near[e] = true
		}
		return near
	}
	must(len(p)%r.Groups == 0 && 1 <= r.TopGroups && r.TopGroups <= r.Groups, "topk: groups", len(p), r.Groups, r.TopGroups)
	size := len(p) / r.Groups
	for range r.TopGroups {
		// The best expert outside the groups that we have is that of the best
		// of the other groups.
		best := most(p, func(e int) bool { return may[e] != 0 && !near[e] })
		if best < 0 {
			break
		}
		for e := best / size * size; e < (best/size+1)*size; e++ {
			near[e] = true
		}
	}
	return near
}

func (ref) TopKGrad(dlogits, probs device.Mat, chosen device.Ints, dweight device.Buf, r device.Routing) {
	m := openAll(dlogits, probs)
	ch, dw := chosen.(ints), dweight.(buf)
	must(dlogits.Cols == probs.Cols && len(ch) == probs.Rows*r.K && len(dw) == len(ch), "topk gradient", dlogits.Cols, probs.Cols, len(ch), len(dw))
	for i := range probs.Rows {
		d, p, chose, g := m[0].row(i), m[1].row(i), ch[i*r.K:][:r.K], dw[i*r.K:][:r.K]
		sum, dot := 0.0, 0.0 // of the chosen probabilities; of these times g
		for c, e := range chose {
			sum += float64(p[e])
			dot += float64(g[c]) * float64(p[e])
		}
		dp := make([]float64, len(p))
		for c, e := range chose {
			dp[e] = float64(g[c]) * float64(r.Scale)
			if r.Normal && sum >= device.LeastSum {
				dp[e] = (float64(g[c]) - dot/sum) / sum * float64(r.Scale)
			} else if r.Normal {
				dp[e] /= device.LeastSum
			}
		}
		mean := 0.0
		for e, q := range p {
			mean += dp[e] * float64(q)
		}
		for e, q := range p {
			d[e] = float32(float64(q) * (dp[e] - mean))
		}
	}
}

func (ref) Balance(loss device.Buf, dlogits, probs device.Mat, chosen device.Ints, k, t int, scale float32) {
	p, l, ch := open(probs), loss.(buf), chosen.(ints)
	must(k > 0 && t > 0 && p.rows%t == 0 && len(l) == p.rows/t && len(ch) == p.rows*k, "balance", p.rows, k, t, len(l), len(ch))
	for run := range l {
		f, mean := make([]float64, p.cols), make([]float64, p.cols)
		for _, e := range ch[run*t*k : (run+1)*t*k] {
			f[e] += float64(p.cols) / float64(k*t)
		}
		sum := 0.0
		for e := range f {
			for i := run * t; i < (run+1)*t; i++ {
				mean[e] += float64(p.row(i)[e]) / float64(t)
			}
			sum += f[e] * mean[e]
		}
		l[run] = float32(sum)
		if dlogits.Buf == nil {
			continue
		}
		d := openAll(dlogits, probs)[0]
		must(d.cols == p.cols, "balance", d.cols, p.cols)
		for i := run * t; i < (run+1)*t; i++ {
			dot := 0.0
			for e, q := range p.row(i) {
				dot += f[e] * float64(q)
			}
			for e, q := range p.row(i) {
				d.row(i)[e] += float32(float64(q) * (f[e] - dot) * float64(scale) / float64(t))
			}
		}
	}
}
