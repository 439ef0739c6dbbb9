package train

import (
	"math"

	"adit/internal/engine/device"
	"adit/internal/engine/model"
)

// eps keeps AdamW's division finite; it is everybody's choice.
const eps = 1e-8

// An Optimizer updates the trained parameters of a model by AdamW with
// decoupled weight decay (Loshchilov and Hutter, 2019) after clipping the
// gradient to a global norm. Norms' weights do not decay.
type Optimizer struct {
	dev      device.Device
	grad     device.Buf // of all trained parameters
	m, v     device.Buf // moments, of the same length
	segments []model.Segment
	updates  int // made
}

// Rules are the constants of an update.
type Rules struct {
	Beta1, Beta2, WeightDecay float64
	ClipNorm                  float64 // 0 does not clip
}

// NewOptimizer selects the parameters of m that are trained. There is one
// optimizer at a time for a model: a later one takes the gradients over.
func NewOptimizer(dev device.Device, m *model.Model, trained func(name string) bool) *Optimizer {
	o := &Optimizer{dev: dev}
	o.grad, o.segments = m.Select(trained)
	o.m, o.v = dev.NewBuf(o.grad.Len()), dev.NewBuf(o.grad.Len())
	return o
}

// Len returns how many numbers are trained.
func (o *Optimizer) Len() int { return o.grad.Len() }

// Clear begins a step: the gradient is nought.
func (o *Optimizer) Clear() { o.dev.Zero(o.grad) }

// Update ends a step at the learning rate lr. It returns the norm of the
// gradient before clipping; if that is not finite, nothing is updated.
func (o *Optimizer) Update(lr float64, r Rules) (norm float64, ok bool) {
	norm = math.Sqrt(o.dev.SumSquares(o.grad))
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, false
	}
	scale := 1.0
	if r.ClipNorm > 0 && norm > r.ClipNorm {
		scale = r.ClipNorm / norm
	}
	o.updates++
	lo := 0
	for _, s := range o.segments {
		hi := lo + s.Grad.Len()
		decay := r.WeightDecay
		if !s.Decay {
			decay = 0
		}
		o.dev.AdamW(s.Weights, s.Grad, o.m.Slice(lo, hi), o.v.Slice(lo, hi), device.Adam{
			LR: float32(lr), Beta1: float32(r.Beta1), Beta2: float32(r.Beta2), Eps: eps,
			WeightDecay: float32(decay), Step: o.updates, GradScale: float32(scale),
		})
		lo = hi
	}
	return norm, true
}
