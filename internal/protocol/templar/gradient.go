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
