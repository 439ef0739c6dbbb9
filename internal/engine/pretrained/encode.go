package pretrained

import (
	"errors"
	"fmt"
	"io"
	"math"

	"adit/internal/safetensors"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// chunk is how many elements are converted at a time.
const chunk = 1 << 16

// encode writes a safetensors file. Its notes say that it came from PyTorch:
// transformers refuses files that do not say from where.
func (p plannedShard) encode(w io.Writer) error {
	specs := make([]safetensors.Spec, len(p.tensors))
	for i, s := range p.tensors {
		specs[i] = safetensors.Spec{Name: s.Name, DType: s.DType, Shape: s.Shape}
	}
	header, order, err := safetensors.Header(specs, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, i := range order {
		if err := p.tensors[i].encode(w); err != nil {
			return fmt.Errorf("tensor %.200q: %w", p.tensors[i].Name, err)
		}
	}
	return nil
}

// encode writes the tensor's bytes in the type that the file shall have.
func (s Source) encode(w io.Writer) error {
	want, err := s.bytes()
	if err != nil {
		return err
	}
	calls := 0
	switch {
	case s.Data != nil:
		err = s.Data(func(t tensor.Tensor) error {
			calls++
			if err := t.Check(); err != nil {
				return err
			}
			if n := int64(t.Numel()) * int64(s.DType.Size()); n != want {
				return fmt.Errorf("%v has not the elements of %v", t.Shape, s.Shape)
			}
			return s.convert(w, t)
		})
	case s.Floats != nil:
		err = s.Floats(func(vals []float32) error {
			calls++
			if !s.DType.Float() {
				return fmt.Errorf("floats cannot be written as %v", s.DType)
			}
			if int64(len(vals))*int64(s.DType.Size()) != want {
				return fmt.Errorf("%d elements do not fill %v", len(vals), s.Shape)
			}
			return s.writeFloats(w, vals)
		})
	default:
		return errors.New("there is nobody to ask for it")
	}
	if err == nil && calls != 1 {
		err = fmt.Errorf("it was given %d times, not once", calls)
	}
	return err
}

// convert writes t, through float32 if its type is not the file's.
func (s Source) convert(w io.Writer, t tensor.Tensor) error {
	if t.DType == s.DType {
		_, err := w.Write(t.Data)
		return err
	}
	if !t.DType.Float() || !s.DType.Float() {
		return fmt.Errorf("%v elements cannot be written as %v", t.DType, s.DType)
	}
	var vals []float32
	step := chunk * t.DType.Size()
	for data := t.Data; len(data) > 0; {
		n := min(step, len(data))
		part := tensor.Tensor{DType: t.DType, Shape: []int{n / t.DType.Size()}, Data: data[:n]}
		var err error
		if vals, err = part.Floats(vals); err != nil {
			return err
		}
		if !tooLarge(part, vals) {
			err = s.writeFloats(w, vals)
		} else {
			err = errOverflow(s.DType)
		}
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// tooLarge reports whether finite elements of t became infinite in vals, which
// only F64 ones can.
func tooLarge(t tensor.Tensor, vals []float32) bool {
	return t.DType == tensor.F64 && t.Finite() && !finite(vals)
}

// writeFloats writes vals in the file's type.
func (s Source) writeFloats(w io.Writer, vals []float32) error {
	for len(vals) > 0 {
		part := vals[:min(chunk, len(vals))]
		t := tensor.FromFloats(s.DType, []int{len(part)}, part)
		// What is broken already is written as it is, but nothing gets broken
		// by being written.
		if s.DType == tensor.F16 || s.DType == tensor.BF16 {
			if !t.Finite() && finite(part) {
				return errOverflow(s.DType)
			}
		}
		if _, err := w.Write(t.Data); err != nil {
			return err
		}
		vals = vals[len(part):]
	}
	return nil
}

func finite(vals []float32) bool {
	for _, v := range vals {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return false
		}
	}
	return true
}

func errOverflow(d tensor.DType) error {
	return subnet.WithHint(fmt.Errorf("an element is too large for %v", d), "write the model as F32 or BF16")
}
