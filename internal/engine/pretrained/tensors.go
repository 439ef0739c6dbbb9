package pretrained

import (
	"fmt"
	"math"
	"sort"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

// An Info describes a tensor without reading it.
type Info struct {
	DType tensor.DType
	Shape []int
	File  string // slash-separated, in the directory
}

// find returns the shard of the tensor of that name.
func (d *Dir) find(name string) (*shard, error) {
	i := sort.Search(len(d.tensors), func(i int) bool { return d.name(d.tensors[i]) >= name })
	if i == len(d.tensors) || d.name(d.tensors[i]) != name {
		return nil, subnet.WithHint(fmt.Errorf("model %s: tensor %.200q: %w", d.path, name, subnet.ErrNotFound),
			fmt.Sprintf("the weights in %s do not fit its config.json; download both again", d.path))
	}
	return d.shards[d.tensors[i].shard], nil
}

// Info describes the tensor of that name, or returns false.
func (d *Dir) Info(name string) (Info, bool) {
	s, err := d.find(name)
	if err != nil {
		return Info{}, false
	}
	if s.st == nil {
		return Info{s.dict[name].DType, s.dict[name].Shape, s.name}, true
	}
	info, _ := s.st.Info(name)
	return Info{info.DType, info.Shape, s.name}, true
}

// Tensor returns the tensor of that name. Its bytes are usually a view of the
// file: they must not be written to, nor used after Close. If somebody cuts the
// file, reading them ends the process, as it does with every program that maps
// a file; where that may happen, [Dir.Use] and [Dir.Floats] give an error.
func (d *Dir) Tensor(name string) (tensor.Tensor, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	_, t, err := d.get(name)
	return t, err
}

func (d *Dir) get(name string) (*shard, tensor.Tensor, error) {
	if d.closed {
		return nil, tensor.Tensor{}, fmt.Errorf("model %s: tensor %.200q: %w", d.path, name, ErrClosed)
	}
	s, err := d.find(name)
	if err != nil {
		return nil, tensor.Tensor{}, err
	}
	t, err := s.tensor(name)
	if err != nil {
		return nil, tensor.Tensor{}, fmt.Errorf("model %s: %w", d.path, err)
	}
	return s, t, nil
}

// Use calls f with the tensor of that name, which f must not keep or write to.
// If the file is cut or written to meanwhile, that is an error, and what f made
// of the bytes is worth nothing. For this f must read them in the goroutine it
// is called in. It must not call methods of d. Its error is returned with the
// file's and the tensor's name.
func (d *Dir) Use(name string, f func(tensor.Tensor) error) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	s, t, err := d.get(name)
	if err != nil {
		return err
	}
	if err := s.guard(func() error { return f(t) }); err != nil {
		return fmt.Errorf("model %s: %w", d.path, s.wrap(name, err))
	}
	return nil
}

// Floats converts the tensor of that name to float32 and returns it in dst,
// which is grown if it is too small. Elements that are NaN or infinite are an
// error, and so are tensors of integers.
func (d *Dir) Floats(name string, dst []float32) ([]float32, error) {
	err := d.Use(name, func(t tensor.Tensor) error {
		if !t.DType.Float() {
			return subnet.WithHint(fmt.Errorf("its elements are %v, not floats", t.DType),
				"quantised models are not read; download the model in float32, float16 or bfloat16")
		}
		finite := t.Finite()
		var err error
		if dst, err = t.Floats(dst); err != nil {
			return err
		}
		if t.DType == tensor.F64 { // which holds larger numbers than float32
			for _, v := range dst {
				finite = finite && math.Abs(float64(v)) <= math.MaxFloat32
			}
		}
		if !finite {
			return subnet.WithHint(fmt.Errorf("%s", nonFinite(dst)),
				"the weights are broken, perhaps by a run that diverged; use an earlier or another copy of the model")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return dst, nil
}

// nonFinite says where the first element is that is not finite.
func nonFinite(vals []float32) string {
	for i, v := range vals {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Sprintf("element %d is %v", i, v)
		}
	}
	return "an element is not finite"
}
