package train

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"adit/internal/checkpoint"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// The tensors of a trainer's state: position is I64 (3), the steps taken, the
// updates made and the next sequence; scale is F32 (1) and good I64 (1), both
// of the loss scaler where there is one; a trained parameter has what its
// optimizer remembers of it, under PyTorch's names.
const (
	position = "position"
	scale    = "scaler.scale"
	good     = "scaler._growth_tracker"
)

// Save writes the trainer's state as a safetensors file. With the parameters,
// saved in 32 bits, a training by the same options goes on from it to the bit.
func (t *Trainer) Save(w io.Writer) error {
	d := tensor.Dict{position: integers(int64(t.steps), int64(t.opt.updates), t.next)}
	if t.scaler != nil {
		d[scale] = tensor.FromFloats(tensor.F32, []int{1}, []float32{t.scaler.scale})
		d[good] = integers(int64(t.scaler.good))
	}
	for _, of := range t.opt.rule.memory() {
		lo := 0
		for _, p := range t.opt.trained {
			vals := make([]float32, p.Hi-p.Lo)
			t.opt.dev.Download(vals, of.buf.Slice(lo, lo+len(vals)))
			d[of.name+p.Name] = tensor.FromFloats(tensor.F32, p.Shape, vals)
			lo += len(vals)
		}
	}
	if err := checkpoint.Write(w, subnet.Safetensors, d); err != nil {
		return fmt.Errorf("save training state: %w", err)
	}
	return nil
}

// integers returns vals as an I64 tensor.
func integers(vals ...int64) tensor.Tensor {
	t := tensor.Tensor{DType: tensor.I64, Shape: []int{len(vals)}}
	for _, n := range vals {
		t.Data = binary.LittleEndian.AppendUint64(t.Data, uint64(n))
	}
	return t
}

// counts reads n numbers that are not negative.
func counts(d tensor.Dict, name string, n int) ([]int64, error) {
	t := d[name]
	if t.DType != tensor.I64 || !slices.Equal(t.Shape, []int{n}) || t.Check() != nil {
		return nil, fmt.Errorf("%s is missing or not %d whole numbers", name, n)
	}
	out := make([]int64, n)
	for i := range out {
		if out[i] = int64(binary.LittleEndian.Uint64(t.Data[8*i:])); out[i] < 0 {
			return nil, fmt.Errorf("%s has %d, which is negative", name, out[i])
		}
	}
	return out, nil
}

// Resume takes up the state that f holds. It must be that of a trainer of the
// same parameters; if not, or if anything in it is not as Save writes it, the
// trainer is as it was.
func (t *Trainer) Resume(f subnet.File) error {
	d, err := checkpoint.Read(f, fileLimit(len(t.opt.rule.memory())*t.opt.Len()))
	if err != nil {
		return fmt.Errorf("resume training: %w", err) // it names the file
	}
	if err := t.resume(d); err != nil {
		return fmt.Errorf("resume training from %s: %w", f.Name(), err)
	}
	return nil
}

func (t *Trainer) resume(d tensor.Dict) error {
	at, err := counts(d, position, 3)
	if err != nil {
		return err
	}
	if at[1] > at[0] {
		return fmt.Errorf("%s has %d updates in %d steps", position, at[1], at[0])
	}
	scaler, err := t.resumeScaler(d)
	if err != nil {
		return err
	}
	known := 1
	if _, ok := d[scale]; ok {
		known += 2
	}
	memory := t.opt.rule.memory()
	for _, other := range []rule{&adamw{}, &sgd{}} {
		for _, of := range other.memory() {
			if _, ok := d[of.name+t.opt.trained[0].Name]; ok && other.method() != t.opt.rule.method() {
				return fmt.Errorf("it was saved by %s, and this training is by %s", other.method(), t.opt.rule.method())
			}
		}
	}
	vals := make([][]float32, len(memory))
	for i, of := range memory {
		for _, p := range t.opt.trained {
			if vals[i], err = read(vals[i], d, of.name+p.Name, p.Shape); err != nil {
				return err
			}
			known++
		}
	}
	if len(d) != known {
		return fmt.Errorf("it holds %d tensors, and this training has %d", len(d), known)
	}
	for i, of := range memory {
		t.opt.dev.Upload(of.buf, vals[i])
	}
	t.steps, t.opt.updates, t.next, t.scaler = int(at[0]), int(at[1]), at[2], scaler
	t.queue = nil
	t.forget()
	return nil
}

// resumeScaler returns the scaler as d has it. A training that scales goes on
// from a state without a scale, as it was saved by one that does not, with the
// first scale; one that does not scale leaves the scale alone.
func (t *Trainer) resumeScaler(d tensor.Dict) (*Scaler, error) {
	if _, ok := d[scale]; !ok {
		if t.scaler == nil {
			return nil, nil
		}
		return NewScaler(t.opts.Scaler), nil
	}
	at, err := read(nil, d, scale, []int{1})
	if err != nil {
		return nil, err
	}
	if !(at[0] >= minScale && at[0] <= maxScale) {
		return nil, fmt.Errorf("%s is %v, want from %v to %v", scale, at[0], minScale, maxScale)
	}
	n, err := counts(d, good, 1)
	if err != nil || t.scaler == nil {
		return nil, err
	}
	s := NewScaler(t.opts.Scaler)
	s.scale, s.good = at[0], int(n[0])
	return s, nil
}

// read appends the finite numbers of a tensor that must have this shape.
func read(dst []float32, d tensor.Dict, name string, shape []int) ([]float32, error) {
	x, ok := d[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("%s is missing", name)
	case x.DType != tensor.F32 || !slices.Equal(x.Shape, shape):
		return nil, fmt.Errorf("%s is %v%v, want %v%v", name, x.DType, x.Shape, tensor.F32, shape)
	case x.Check() != nil:
		return nil, fmt.Errorf("%s: %w", name, x.Check())
	case !x.Finite():
		return nil, fmt.Errorf("%s is not finite", name)
	}
	vals, err := x.Floats(nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err) // unreachable: checked above
	}
	return append(dst, vals...), nil
}

// fileLimit is the size that a file of n numbers in 32 bits cannot exceed,
// header included.
func fileLimit(n int) int64 { return 4*int64(n) + 64<<20 }
