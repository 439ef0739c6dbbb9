package templar

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"adit/internal/tensor"
	"adit/internal/torchfile"
)

// A Gradient is the content of a gradient object of the sparse generations: a
// window's pseudo-gradient, compressed.
type Gradient struct {
	Window Window
	// Digest and Count tell of the samples that the miner might train on: see
	// [SampleDigest].
	Digest     string
	Count      int64
	GlobalStep int64
	// Dummy is for the object that a miner uploads when it starts, just to be seen.
	Dummy  bool
	Params []Compressed // in the order of the model
	// Message is the whole gradient instead, as package compress writes it, where
	// the rules say [Compact].
	Message []byte
}

// A Compressed is what is sent of one parameter. How values are chosen, packed and
// quantised is not known here, but that they fit together is.
type Compressed struct {
	Name  string // canonical: see [CanonicalName]
	Idxs  []byte // 12 bits for each value: see package compress
	Shape []int  // of the values: the grid of chunks, and how many of each
	// Vals are numbers of bins, where there is Quant; otherwise Floats are the
	// values themselves.
	Vals   []byte
	Quant  *Quant
	Floats []float32
}

// A Quant says what the bins of a parameter stand for: Lookup[bin] + Shift.
type Quant struct {
	Shift  float32
	Scale  float64 // of one bin
	Offset int64   // the bin of nought, half of how many there are
	Lookup []float32
}

// Least and greatest scale that is believed.
const (
	leastScale, mostScale = 1e-12, 1e4
)

// check says what is wrong with a parameter.
func (c Compressed) check() error {
	n := len(c.Vals)
	if c.Quant == nil {
		n = len(c.Floats)
	}
	want := 1
	for _, d := range c.Shape {
		if d < 1 || d > n/want { // so that the product cannot overflow
			return fmt.Errorf("%d values in shape %v", n, c.Shape)
		}
		want *= d
	}
	switch {
	case n == 0 || want != n || len(c.Shape) < 2 || len(c.Shape) > 3:
		return fmt.Errorf("%d values in shape %v", n, c.Shape)
	case n%2 != 0 || len(c.Idxs) != n/2*3:
		return fmt.Errorf("%d bytes of indices for %d values", len(c.Idxs), n)
	}
	for _, v := range c.Floats {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return errors.New("a value that is not finite")
		}
	}
	if c.Quant == nil {
		return nil
	}
	return c.Quant.check(c.Vals)
}

// check says what is wrong with the bins of values.
//
// Unlike upstream, a value must have a place in the table: there it is looked up
// beyond its end, on the accelerator of everybody who reads the file.
func (q *Quant) check(vals []byte) error {
	if f := float64(q.Shift); math.IsNaN(f) || math.IsInf(f, 0) {
		return errors.New("a shift that is not finite")
	}
	if s := math.Abs(q.Scale); !(s >= leastScale && s <= mostScale) {
		return fmt.Errorf("a scale of %v", q.Scale)
	}
	if n := len(q.Lookup); n < 2 || n > 256 || q.Offset != int64(n/2) {
		return fmt.Errorf("a table of %d bins with its middle at %d", n, q.Offset)
	}
	for _, v := range q.Lookup {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return errors.New("a bin that is not finite")
		}
	}
	if i := slices.IndexFunc(vals, func(v byte) bool { return int(v) >= len(q.Lookup) }); i >= 0 {
		return fmt.Errorf("bin %d of %d", vals[i], len(q.Lookup))
	}
	return nil
}

// The words that are put behind a parameter's name, and the other keys.
const (
	idxsSuffix  = "idxs"
	valsSuffix  = "vals"
	quantSuffix = "quant_params"
	messageKey  = "message"
	metadataKey = "metadata"
	stateKey    = "state_dict"
)

// EncodeGradient writes a gradient as torch.save would; wire returns what a
// parameter is called there: see [SparseHParams.WireName].
func EncodeGradient(w io.Writer, g Gradient, wire func(string) string) error {
	d := &torchfile.Dict{}
	add := func(key string, v any) { d.Items = append(d.Items, torchfile.Item{Key: key, Value: v}) }
	for _, c := range g.Params {
		if err := c.check(); err != nil {
			return fmt.Errorf("gradient: %s: %w", c.Name, err)
		}
		name, values := wire(c.Name), c.values()
		add(name+idxsSuffix, values[0])
		add(name+valsSuffix, values[1])
		if c.Quant != nil {
			add(name+quantSuffix, values[2])
		}
	}
	if len(g.Message) > 0 {
		add(messageKey, tensor.Tensor{DType: tensor.U8, Shape: []int{len(g.Message)}, Data: g.Message})
	}
	meta := &torchfile.Dict{Items: []torchfile.Item{{Key: "window", Value: int64(g.Window)}}}
	if g.Dummy {
		meta.Items = append(meta.Items, torchfile.Item{Key: "dummy", Value: true})
	} else {
		meta.Items = append(meta.Items, torchfile.Item{Key: "sample_digest", Value: g.Digest}, torchfile.Item{Key: "sample_count", Value: g.Count})
	}
	add(metadataKey, meta)
	return encodeState(w, d, g.GlobalStep)
}

// encodeState writes what every .pt object of the sparse generations is.
func encodeState(w io.Writer, state *torchfile.Dict, step int64) error {
	return torchfile.Encode(w, &torchfile.Dict{Items: []torchfile.Item{{Key: stateKey, Value: state}, {Key: stepKey, Value: step}}})
}

// values returns what stands under the three keys of a parameter.
func (c Compressed) values() [3]any {
	idxs := tensor.Tensor{DType: tensor.U8, Shape: []int{len(c.Idxs)}, Data: c.Idxs}
	if c.Quant == nil {
		return [3]any{idxs, tensor.FromFloats(tensor.F32, c.Shape, c.Floats), nil}
	}
	return [3]any{idxs, tensor.Tensor{DType: tensor.U8, Shape: c.Shape, Data: c.Vals}, c.Quant.tuple()}
}

// tuple returns quant_params: (shift, scale, offset, lookup, dtype).
func (q *Quant) tuple() torchfile.Tuple {
	return torchfile.Tuple{
		tensor.FromFloats(tensor.F32, nil, []float32{q.Shift}), q.Scale, q.Offset,
		tensor.FromFloats(tensor.F32, []int{len(q.Lookup)}, q.Lookup), tensor.F32,
	}
}

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
