package train

import "adit/internal/engine/device"

// sgd is torch.optim.SGD with nesterov=True and no dampening, by which the
// networks take their outer step: g += decay*p, v = momentum*v + g,
// p -= lr*(g + momentum*v). Its decay goes through the momentum, unlike AdamW's.
// With a momentum of 0 it is plain gradient descent.
type sgd struct {
	v   device.Buf
	tmp device.Buf // of decayChunk numbers
}

// decayChunk is how many parameters decay at once: their shares of the gradient
// must lie somewhere, and that need not be as long as the model.
const decayChunk = 1 << 16

func (o *sgd) update(dev device.Device, s span, lr, scale float64, _ int) {
	if scale != 1 {
		dev.Scale(s.Grad, float32(scale))
	}
	if s.decay != 0 {
		if o.tmp == nil {
			o.tmp = dev.NewBuf(decayChunk)
		}
		for lo, n := 0, s.Grad.Len(); lo < n; lo += decayChunk {
			hi := min(n, lo+decayChunk)
			tmp := o.tmp.Slice(0, hi-lo)
			dev.Copy(tmp, s.Weights.Slice(lo, hi))
			dev.Scale(tmp, float32(s.decay))
			dev.Add(s.Grad.Slice(lo, hi), tmp)
		}
	}
	dev.Nesterov(s.Weights, s.Grad, o.v.Slice(s.lo, s.hi), float32(lr), float32(s.momentum))
}

func (o *sgd) method() Method { return SGD }

func (o *sgd) memory() []moment { return []moment{{"momentum_buffer.", o.v}} }
