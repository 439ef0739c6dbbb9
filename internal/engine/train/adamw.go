package train

import "adit/internal/engine/device"

// adamw is AdamW with decoupled decay: p -= lr*(decay*p + m/(sqrt(v)+eps)) with
// the bias of both moments corrected.
type adamw struct{ m, v device.Buf }

func (a *adamw) update(dev device.Device, s span, lr, scale float64, step int) {
	dev.AdamW(s.Weights, s.Grad, a.m.Slice(s.lo, s.hi), a.v.Slice(s.lo, s.hi), device.Adam{
		LR: float32(lr), Beta1: float32(s.beta1), Beta2: float32(s.beta2), Eps: float32(s.eps),
		WeightDecay: float32(s.decay), Step: step, GradScale: float32(scale),
	})
}

func (a *adamw) method() Method { return AdamW }

func (a *adamw) memory() []moment {
	return []moment{{"exp_avg.", a.m}, {"exp_avg_sq.", a.v}}
}
