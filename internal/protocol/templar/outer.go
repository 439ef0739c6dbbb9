package templar

import (
	"fmt"
	"math"

	"adit/internal/compress"
)

// A merge is what the gradients of a window come to. of sets dst, one of the
// layout's parameters as the network has it, to its part.
type merge interface {
	of(param int, dst []float32) error
}

// means is the merge that everybody computes from the gradients themselves.
type means struct {
	updates  []*update // by uid
	form     AggregateForm
	gatherer compress.Gatherer
}

func (r Rules) means(updates []*update) *means {
	return &means{updates, r.Aggregate, compress.Gatherer{Clip: true, Cosine: r.Sparse.UseDCT}}
}

func (m *means) of(param int, dst []float32) error {
	parts := partsOf(m.updates, param)
	if m.form == MeanOfSenders {
		return m.gatherer.Gather(dst, parts)
	}
	return meanOfAll(dst, parts)
}

// partsOf returns what each update has of a parameter.
func partsOf(updates []*update, param int) []*compress.Part {
	parts := make([]*compress.Part, len(updates))
	for i, u := range updates {
		parts[i] = u.parts[param]
	}
	return parts
}

// meanOfAll sets dst to the sum of the parts, each clipped to the lower median of
// their lengths, divided by their number.
func meanOfAll(dst []float32, parts []*compress.Part) error {
	clear(dst)
	if len(parts) == 0 {
		return nil
	}
	grid := parts[0].Grid
	if grid.Len() != len(dst) {
		return fmt.Errorf("%d elements for a tensor of %d", len(dst), grid.Len())
	}
	chunks, size := make([]float32, grid.Len()), grid.Size()
	clips := compress.Clips(parts)
	for i, p := range parts {
		share := clips[i] / float32(len(parts))
		p.Each(func(c int, index []uint16, value []float32) {
			for k, v := range value {
				chunks[c*size+int(index[k])] += float32(v * share)
			}
		})
	}
	grid.Join(dst, chunks)
	return nil
}

// said is a merge that an aggregator has made.
type said struct{ *compress.Message }

func (m said) of(param int, dst []float32) error { return m.Parts[param].Decode(dst) }

// outer takes one outer step: θ ← θ − rate·merge, parameter by parameter. One whose
// merge has a value that is not finite stays as it is.
func (s *sparse) outer(m merge, rate float64) error {
	for i, p := range s.layout {
		n := p.Len()
		wire, theta := s.floats(0, n), s.floats(1, n)
		if err := m.of(i, wire); err != nil {
			return fmt.Errorf("merge %s: %w", p.Name, err)
		}
		if !allFinite(wire) {
			s.Warn("merge", "a parameter's merge is not finite: it stays as it is", fmt.Errorf("merge of %s", p.Name))
			continue
		}
		step := wire
		if p.heads > 0 {
			step = s.floats(2, n)
			p.fromWire(step, wire)
		}
		if err := s.model.Read(p.engine, theta); err != nil {
			return err
		}
		Descend(theta, step, rate)
		if err := s.model.Write(p.engine, theta); err != nil {
			return err
		}
	}
	return nil
}

// Descend takes the outer step of one parameter. Both are of one length.
//
// The product is rounded before it is taken off, on every machine: with what some do
// in one operation the models of two of them would part.
func Descend(theta, merge []float32, rate float64) {
	lr := float32(rate)
	for i, g := range merge {
		theta[i] -= float32(lr * g)
	}
}

func allFinite(x []float32) bool {
	for _, v := range x {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return false
		}
	}
	return true
}

// floats returns one of a few pieces of memory, with n elements of whatever it held.
func (s *sparse) floats(which, n int) []float32 {
	if cap(s.memory[which]) < n {
		s.memory[which] = make([]float32, n)
	}
	return s.memory[which][:n]
}

// snapshot copies the model's parameters, as the engine has them.
func (s *sparse) snapshot(into [][]float32) ([][]float32, error) {
	if into == nil {
		into = make([][]float32, len(s.layout))
		for i, p := range s.layout {
			into[i] = make([]float32, p.Len())
		}
	}
	for i, p := range s.layout {
		if err := s.model.Read(p.engine, into[i]); err != nil {
			return into, fmt.Errorf("read %s: %w", p.Name, err)
		}
	}
	return into, nil
}

// restoreParams writes a snapshot back.
func (s *sparse) restoreParams(from [][]float32) error {
	for i, p := range s.layout {
		if err := s.model.Write(p.engine, from[i]); err != nil {
			return fmt.Errorf("write %s: %w", p.Name, err)
		}
	}
	return nil
}
