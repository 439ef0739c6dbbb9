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
// updates made and the next sequence; a trained parameter has its two moments
// under PyTorch's names for them.
const (
	position = "position"
	moment1  = "exp_avg."
	moment2  = "exp_avg_sq."
)

// Save writes the trainer's state as a safetensors file. With the parameters,
// saved in 32 bits, training goes on from it to the bit.
func (t *Trainer) Save(w io.Writer) error {
	d := tensor.Dict{position: {DType: tensor.I64, Shape: []int{3}}}
	at := d[position]
	for _, n := range []int64{int64(t.steps), int64(t.opt.updates), t.next} {
		at.Data = binary.LittleEndian.AppendUint64(at.Data, uint64(n))
	}
	d[position] = at
	lo := 0
	for _, p := range t.m.Params() {
		if !t.opts.Params(p.Name) {
			continue
		}
		hi := lo + p.Hi - p.Lo
		vals := make([]float32, hi-lo)
		t.opt.dev.Download(vals, t.opt.m.Slice(lo, hi))
		d[moment1+p.Name] = tensor.FromFloats(tensor.F32, p.Shape, vals)
		t.opt.dev.Download(vals, t.opt.v.Slice(lo, hi))
		d[moment2+p.Name] = tensor.FromFloats(tensor.F32, p.Shape, vals)
		lo = hi
	}
	if err := checkpoint.Write(w, subnet.Safetensors, d); err != nil {
		return fmt.Errorf("save training state: %w", err)
	}
	return nil
}

// Resume takes up the state that f holds. It must be that of a trainer of the
// same parameters; if not, or if anything in it is not as Save writes it, the
// trainer is as it was.
func (t *Trainer) Resume(f subnet.File) error {
	d, err := checkpoint.Read(f, fileLimit(2*t.opt.Len()))
	if err != nil {
		return fmt.Errorf("resume training: %w", err) // it names the file
	}
	if err := t.resume(d); err != nil {
		return fmt.Errorf("resume training from %s: %w", f.Name(), err)
	}
	return nil
}

func (t *Trainer) resume(d tensor.Dict) (err error) {
	at := d[position]
	if at.DType != tensor.I64 || !slices.Equal(at.Shape, []int{3}) || at.Check() != nil {
		return fmt.Errorf("%s is missing or not three numbers", position)
	}
	var n [3]int64
	for i := range n {
		n[i] = int64(binary.LittleEndian.Uint64(at.Data[8*i:]))
		if n[i] < 0 {
			return fmt.Errorf("%s %v is negative", position, n)
		}
	}
	if n[1] > n[0] {
		return fmt.Errorf("%s has %d updates in %d steps", position, n[1], n[0])
	}
	m, v := make([]float32, 0, t.opt.Len()), make([]float32, 0, t.opt.Len())
	var vals []float32
	names := 1
	for _, p := range t.m.Params() {
		if !t.opts.Params(p.Name) {
			continue
		}
		for _, of := range []struct {
			prefix string
			dst    *[]float32
		}{{moment1, &m}, {moment2, &v}} {
			names++
			x, ok := d[of.prefix+p.Name]
			switch {
			case !ok:
				return fmt.Errorf("%s%s is missing", of.prefix, p.Name)
			case x.DType != tensor.F32 || !slices.Equal(x.Shape, p.Shape):
				return fmt.Errorf("%s%s is %v%v, want %v%v", of.prefix, p.Name, x.DType, x.Shape, tensor.F32, p.Shape)
			case !x.Finite():
				return fmt.Errorf("%s%s is not finite", of.prefix, p.Name)
			}
			if vals, err = x.Floats(vals); err != nil {
				return fmt.Errorf("%s%s: %w", of.prefix, p.Name, err)
			}
			*of.dst = append(*of.dst, vals...)
		}
	}
	if len(d) != names {
		return fmt.Errorf("it holds %d tensors, and this training has %d", len(d), names)
	}
	t.opt.dev.Upload(t.opt.m, m)
	t.opt.dev.Upload(t.opt.v, v)
	t.steps, t.opt.updates, t.next = int(n[0]), int(n[1]), n[2]
	return nil
}

// fileLimit is the size that a file of n numbers in 32 bits cannot exceed,
// header included.
func fileLimit(n int) int64 { return 4*int64(n) + 64<<20 }
