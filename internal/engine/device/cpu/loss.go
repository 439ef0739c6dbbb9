package cpu

import (
	"math"

	"adit/internal/engine/device"
)

// CrossEntropy keeps the logits when it gives no gradient.
func (d *Device) CrossEntropy(loss device.Buf, logits device.Mat, targets device.Ints, scale float32) {
	v, l, t := open(logits), loss.(buf), targets.(ints)
	if len(l) != v.rows || len(t) != v.rows {
		misfit("cross entropy", len(l), len(t), v.rows)
	}
	for _, id := range t {
		if int(id) >= v.cols {
			misfit("cross entropy: target", int(id), v.cols)
		}
	}
	d.pool.rows(v.rows, expCost*v.cols, func(w, lo, hi int) {
		s := &d.workers[w]
		for i := lo; i < hi; i++ {
			row, target := v.row(i), int(t[i])
			if target < 0 {
				l[i] = 0
				if scale != 0 {
					clear(row)
				}
				continue
			}
			exps := row
			if scale == 0 {
				s.a = grow(s.a, len(row))
				exps = s.a
			}
			top, hit := d.max(row), row[target]
			sum := d.expSum(exps, row, 1, -top)
			l[i] = float32(math.Log(float64(sum)) + float64(top) - float64(hit))
			if scale != 0 {
				d.scaled(row, row, scale/sum)
				row[target] -= scale
			}
		}
	})
}

// softmax sets p to the softmax of x.
func (k *kernel) softmax(p, x []float32) {
	sum := k.expSum(p, x, 1, -k.max(x))
	k.scaled(p, p, 1/sum)
}
