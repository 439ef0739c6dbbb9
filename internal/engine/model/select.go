package model

import "adit/internal/engine/device"

// A Segment is a range of trained parameters that lie together and are updated
// alike. Its gradient is the next part of the whole.
type Segment struct {
	Weights, Grad device.Buf
	Decay         bool
	Group         int // of its parameters, as Select was told
}

// Select makes the parameters that group gives a number from 0 up the trained
// ones, and allocates their gradients. The others are frozen and cost Backward
// nothing that it can do without. It returns the gradient of all trained
// parameters and the segments it consists of, in order; parameters of different
// groups are never in one.
func (m *Model) Select(group func(Param) int) (grad device.Buf, segments []Segment) {
	groups, total := make([]int, len(m.params)), 0
	for i, p := range m.params {
		if groups[i] = group(p); groups[i] >= 0 {
			total += p.Hi - p.Lo
		}
	}
	m.grad = m.dev.NewBuf(total)

	off := 0 // in the gradient
	last := -1
	for _, w := range m.weights {
		w.grads = nil
		row := 0
		for i := w.first; i < w.last; i++ {
			p := m.params[i]
			n := p.Hi - p.Lo
			rows := n / w.Cols
			if groups[i] >= 0 {
				grad := m.grad.Slice(off, off+n)
				if k := len(w.grads) - 1; k >= 0 && w.grads[k].hi == row { // join the run before
					lo := w.grads[k].lo
					w.grads[k] = run{lo: lo, hi: row + rows, grad: m.grad.Slice(off-(row-lo)*w.Cols, off+n)}
				} else {
					w.grads = append(w.grads, run{lo: row, hi: row + rows, grad: grad})
				}
				if k := len(segments) - 1; last == i-1 && k >= 0 && segments[k].Group == groups[i] && segments[k].Decay == p.Decays() {
					n += segments[k].Grad.Len()
					segments = segments[:k]
				}
				off += p.Hi - p.Lo
				segments = append(segments, Segment{m.buf.Slice(p.Hi-n, p.Hi), m.grad.Slice(off-n, off), p.Decays(), groups[i]})
				last = i
			}
			row += rows
		}
	}
	return m.grad, segments
}

// Trained is a group function for Select: those that keep accepts, all alike.
func Trained(keep func(name string) bool) func(Param) int {
	return func(p Param) int {
		if keep(p.Name) {
			return 0
		}
		return -1
	}
}
