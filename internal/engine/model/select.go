package model

import "adit/internal/engine/device"

// A Segment is a range of trained parameters that lie together and are updated
// alike.
type Segment struct {
	Weights, Grad device.Buf
	Decay         bool
}

// Select makes the parameters that trained accepts the trained ones, and
// allocates their gradients. The others are frozen and cost Backward nothing
// that it can do without. It returns the gradient of all trained parameters
// and the segments it consists of, in order.
func (m *Model) Select(trained func(name string) bool) (grad device.Buf, segments []Segment) {
	picked := make([]bool, len(m.params))
	total, lowest := 0, m.nothing()
	for i, p := range m.params {
		if picked[i] = trained(p.Name); picked[i] {
			total += p.Hi - p.Lo
			lowest = min(lowest, p.stage)
		}
	}
	m.lowest, m.grad = lowest, m.dev.NewBuf(total)
	m.arena = nil // which activations are kept depends on what is trained

	off := 0       // in the gradient
	var prev Param // the last trained one
	from := 0      // where the current segment begins in the gradient
	first := 0     // and in the parameters
	flush := func() {
		if off > from {
			segments = append(segments, Segment{m.buf.Slice(first, prev.Hi), m.grad.Slice(from, off), !prev.Norm})
		}
		from = off
	}
	for _, w := range m.weights {
		w.grads = nil
		row := 0
		for i := w.first; i < w.last; i++ {
			p := m.params[i]
			n := p.Hi - p.Lo
			rows := n / w.Cols
			if picked[i] {
				if off == 0 || prev.Hi != p.Lo || prev.Norm != p.Norm {
					flush()
					first = p.Lo
				}
				lo, gradLo := row, off
				if k := len(w.grads) - 1; k >= 0 && w.grads[k].hi == row { // join the run before
					lo = w.grads[k].lo
					gradLo -= (row - lo) * w.Cols
					w.grads = w.grads[:k]
				}
				w.grads = append(w.grads, run{lo, row + rows, m.grad.Slice(gradLo, off+n)})
				off += n
				prev = p
			}
			row += rows
		}
	}
	flush()
	return m.grad, segments
}

// nothing is the lowest trained stage of a model of which nothing is trained.
func (m *Model) nothing() int { return (len(m.layers) + 1) * stages }

// below reports whether something under a stage is trained, so that the stage
// must pass a gradient down.
func (m *Model) below(layer, stage int) bool { return m.lowest < layer*stages+stage }

// walked reports whether Backward comes through a layer.
func (m *Model) walked(layer int) bool { return m.below(layer, stages+1) }

// addGrad adds to the gradients of w's trained rows what the outputs' gradient
// dy (N, rows) and the inputs x (N, cols) give.
func (w *weight) addGrad(dev device.Device, dy, x device.Mat) {
	for _, r := range w.grads {
		dev.Gemm(device.M(r.grad, r.hi-r.lo, w.Cols), columns(dy, r.lo, r.hi), true, x, false, true) // (rows, cols)
	}
}

// columns returns columns lo to hi of m.
func columns(m device.Mat, lo, hi int) device.Mat {
	if lo == 0 && hi == m.Cols {
		return m
	}
	return device.Mat{Buf: m.Buf.Slice(lo, (m.Rows-1)*m.Stride+hi), Rows: m.Rows, Cols: hi - lo, Stride: m.Stride}
}
