package templar

import (
	"errors"
	"fmt"
	"io"

	"adit/internal/tensor"
	"adit/internal/torchfile"
)

// DecodeGradient reads a gradient of at most limit bytes. It checks that what it
// says of each parameter fits together, but not that these are those of the model,
// nor the indices: that they are is for whoever unpacks them to see.
func DecodeGradient(r io.ReaderAt, size, limit int64) (Gradient, error) {
	state, step, err := decodeState(r, size, limit)
	if err != nil {
		return Gradient{}, fmt.Errorf("gradient: %w", err)
	}
	g := Gradient{GlobalStep: step}
	c := newCollector(&g)
	for _, it := range state.Items {
		key, ok := it.Key.(string)
		if !ok {
			return Gradient{}, fmt.Errorf("gradient: a key of type %T", it.Key)
		}
		if err := c.take(key, it.Value); err != nil {
			return Gradient{}, fmt.Errorf("gradient: %.120q: %w", key, err)
		}
	}
	if err := c.check(); err != nil {
		return Gradient{}, err
	}
	return g, nil
}

// A collector puts a gradient together, item by item.
type collector struct {
	gradient *Gradient
	place    map[string]int
	had      map[string]bool
}

func newCollector(g *Gradient) *collector {
	return &collector{gradient: g, place: make(map[string]int), had: make(map[string]bool)}
}

// at returns the parameter that a key tells of, and false if it was told already.
func (c *collector) at(key, suffix string) (*Compressed, bool) {
	name := CanonicalName(key[:len(key)-len(suffix)])
	if c.had[name+suffix] {
		return nil, false
	}
	c.had[name+suffix] = true
	i, ok := c.place[name]
	if !ok {
		i, c.place[name] = len(c.gradient.Params), len(c.gradient.Params)
		c.gradient.Params = append(c.gradient.Params, Compressed{Name: name})
	}
	return &c.gradient.Params[i], true
}

// check says what is wrong with a parameter.
func (c *collector) check() error {
	for _, p := range c.gradient.Params {
		if err := p.check(); err != nil {
			return fmt.Errorf("gradient: %.120q: %w", p.Name, err)
		}
	}
	return nil
}

var errTwice = errors.New("it is there twice")

// take reads one item of the dict.
func (c *collector) take(key string, v any) error {
	g := c.gradient
	if key == metadataKey {
		d, ok := v.(*torchfile.Dict)
		if !ok {
			return errors.New("want a dict")
		}
		return g.takeMetadata(d)
	}
	if key == messageKey {
		t, ok := v.(tensor.Tensor)
		if !ok || t.DType != tensor.U8 || len(t.Shape) != 1 {
			return errors.New("want a row of U8")
		}
		g.Message = t.Data
		return nil
	}
	for _, suffix := range []string{idxsSuffix, valsSuffix, quantSuffix} {
		if len(key) <= len(suffix) || key[len(key)-len(suffix):] != suffix {
			continue
		}
		p, once := c.at(key, suffix)
		if !once {
			return errTwice
		}
		if suffix == quantSuffix {
			if v == nil {
				return nil
			}
			return p.takeQuant(v)
		}
		t, ok := v.(tensor.Tensor)
		switch {
		case !ok:
			return errors.New("want a tensor")
		case suffix == idxsSuffix && t.DType == tensor.U8 && len(t.Shape) == 1:
			p.Idxs = t.Data
		case suffix == idxsSuffix:
			return fmt.Errorf("%v of shape %v, want a row of U8", t.DType, t.Shape)
		case t.DType == tensor.U8:
			p.Vals, p.Shape = t.Data, t.Shape
		case t.DType.Float():
			floats, err := t.Floats(nil)
			if err != nil {
				return err
			}
			p.Floats, p.Shape = floats, t.Shape
		default:
			return fmt.Errorf("values of %v", t.DType)
		}
		return nil
	}
	return nil // a key of another version
}

func (g *Gradient) takeMetadata(d *torchfile.Dict) error {
	w, _ := d.Get("window")
	n, ok := w.(int64)
	if !ok || n < 0 {
		return errors.New("want a window")
	}
	g.Window = Window(n)
	if v, has := d.Get("dummy"); has {
		g.Dummy, _ = v.(bool)
	}
	if v, has := d.Get("sample_digest"); has {
		if g.Digest, ok = v.(string); !ok || len(g.Digest) > 64 {
			return errors.New("want a sample_digest of 32 digits")
		}
	}
	if v, has := d.Get("sample_count"); has {
		if g.Count, ok = v.(int64); !ok || g.Count < 0 {
			return errors.New("want a sample_count")
		}
	}
	return nil
}

// takeQuant reads (shift, scale, offset, lookup, dtype). Shift and scale may be
// tensors of no dimension or plain numbers.
func (c *Compressed) takeQuant(v any) error {
	t, ok := v.(torchfile.Tuple)
	if !ok || len(t) != 5 {
		return errors.New("want five values")
	}
	shift, ok1 := scalar(t[0])
	scale, ok2 := scalar(t[1])
	offset, ok3 := t[2].(int64)
	table, ok4 := t[3].(tensor.Tensor)
	_, ok5 := t[4].(tensor.DType)
	if !(ok1 && ok2 && ok3 && ok4 && ok5) || len(table.Shape) != 1 || table.Shape[0] > 256 || !table.DType.Float() {
		return errors.New("want (shift, scale, offset, lookup, dtype)")
	}
	lookup, err := table.Floats(nil)
	if err != nil {
		return err
	}
	c.Quant = &Quant{float32(shift), scale, offset, lookup}
	return nil
}

// scalar returns a number, or the only one of a tensor.
func scalar(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case tensor.Tensor:
		if v.Numel() == 1 && v.DType.Float() {
			if f, err := v.Floats(nil); err == nil && len(f) == 1 {
				return float64(f[0]), true
			}
		}
	}
	return 0, false
}

// decodeState reads {"state_dict": dict, "global_step": int}.
func decodeState(r io.ReaderAt, size, limit int64) (state *torchfile.Dict, step int64, err error) {
	v, err := torchfile.Decode(r, size, limit)
	if err != nil {
		return nil, 0, err
	}
	top, ok := v.(*torchfile.Dict)
	if !ok {
		return nil, 0, errors.New("it is no dict")
	}
	inner, _ := top.Get(stateKey)
	if state, ok = inner.(*torchfile.Dict); !ok {
		return nil, 0, errors.New("it has no state_dict")
	}
	n, _ := top.Get(stepKey)
	if step, ok = n.(int64); !ok || step < 0 {
		return nil, 0, errors.New("it has no global_step")
	}
	return state, step, nil
}
