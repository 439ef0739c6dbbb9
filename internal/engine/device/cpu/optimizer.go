package cpu

import (
	"math"

	"adit/internal/engine/device"
)

// adam holds the constants of an update as the kernels want them.
type adam struct {
	gradScale       float32
	beta1, oneLess1 float32 // of the mean, and 1 less it
	beta2, oneLess2 float32 // of the mean square
	rate            float32 // learning rate over the bias of the mean
	root            float32 // 1 over the root of the bias of the mean square
	eps             float32
	decay           float32 // learning rate times weight decay
}

// AdamW updates p, m and v. The weight decay acts on p as it was.
func (d *Device) AdamW(p, g, m, v device.Buf, a device.Adam) {
	if n := p.Len(); g.Len() != n || m.Len() != n || v.Len() != n {
		misfit("adamw", n, g.Len(), m.Len(), v.Len())
	}
	b1, b2 := float64(a.Beta1), float64(a.Beta2)
	c := adam{
		gradScale: a.GradScale,
		beta1:     a.Beta1, oneLess1: float32(1 - b1),
		beta2: a.Beta2, oneLess2: float32(1 - b2),
		rate:  float32(float64(a.LR) / (1 - math.Pow(b1, float64(a.Step)))),
		root:  float32(1 / math.Sqrt(1-math.Pow(b2, float64(a.Step)))),
		eps:   a.Eps,
		decay: float32(float64(a.LR) * float64(a.WeightDecay)),
	}
	pp, gg, mm, vv := p.(buf), g.(buf), m.(buf), v.(buf)
	d.pool.elements(len(pp), func(lo, hi int) { d.adamW(pp[lo:hi], gg[lo:hi], mm[lo:hi], vv[lo:hi], &c) })
}

// Nesterov updates p and v.
func (d *Device) Nesterov(p, g, v device.Buf, lr, momentum float32) {
	if n := p.Len(); g.Len() != n || v.Len() != n {
		misfit("nesterov", n, g.Len(), v.Len())
	}
	pp, gg, vv := p.(buf), g.(buf), v.(buf)
	d.pool.elements(len(pp), func(lo, hi int) { d.nesterov(pp[lo:hi], gg[lo:hi], vv[lo:hi], lr, momentum) })
}
