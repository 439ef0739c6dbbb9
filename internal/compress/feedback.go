package compress

import "fmt"

// A Feedback encodes the differences of one tensor, round after round, and
// remembers what its messages left out.
type Feedback struct {
	grid   Grid
	keep   int
	rule   Rule
	cosine *Cosine
	kernel *kernel

	// What is unsaid, chunk after chunk, but for the last message: it is taken
	// off when the chunk is next read, rather than read all over again now.
	rest  []float32
	kept  *Kept // the last message, if it is not yet taken off
	made  *Kept // the memory for messages
	value []float32
	chunk []float32
	table table
}

// A Rule says how differences are encoded.
type Rule struct {
	// Decay multiplies what is unsaid, and Gain the difference that is added:
	// upstream 0.95 and 1, but before its version 2.1.13 the outer learning rate.
	Decay, Gain float32
	Keep        int // elements of a chunk: upstream 64, before 32
	Bins        int // upstream 4, before 256
	// Cosine says to keep coefficients of the cosine transform, as networks of
	// the DeMo kind do.
	Cosine bool
}

// NewFeedback returns an encoder to which nothing is unsaid.
func NewFeedback(shape []int, r Rule) (*Feedback, error) {
	g, err := NewGrid(shape)
	if err != nil {
		return nil, err
	}
	keep, err := g.Keep(r.Keep)
	if err != nil {
		return nil, err
	}
	if r.Bins < 2 || r.Bins > 256 {
		return nil, fmt.Errorf("%d bins", r.Bins)
	}
	n := g.Chunks() * keep
	f := &Feedback{
		grid: g, keep: keep, rule: r, kernel: fastest(),
		rest: make([]float32, g.Len()), value: make([]float32, n), chunk: make([]float32, g.Size()),
		made: &Kept{Grid: g, Keep: keep, Index: make([]uint16, n), Code: make([]uint8, n)},
	}
	if r.Cosine {
		f.cosine = NewCosine(g)
	}
	return f, nil
}

// Encode adds delta, a tensor, to what is unsaid, and returns what of it is to
// be said now, which is valid until the next call:
//
//	rest = decay*rest + gain*delta
//	kept = quantised top of each chunk of rest
//	rest = rest - kept
//
// If delta has a value that is not finite it fails, and nothing is unsaid any
// more, as after a round without a message upstream.
func (f *Feedback) Encode(delta []float32) (*Kept, error) {
	if len(delta) != f.grid.Len() {
		return nil, fmt.Errorf("%d elements for a tensor of %d", len(delta), f.grid.Len())
	}
	size := f.grid.Size()
	var said []float32
	if f.kept != nil {
		said = f.kept.Quant.Values()
	}
	for c := range f.grid.Chunks() {
		rest := f.rest[c*size : (c+1)*size]
		index, value := f.made.Index[c*f.keep:][:f.keep], f.value[c*f.keep:][:f.keep]
		var err error
		if said != nil {
			subtract(rest, index, f.made.Code[c*f.keep:][:f.keep], said)
		}
		if from := f.grid.origin(c); f.cosine == nil && f.grid.W == Side {
			err = f.kernel.pick(rest, delta[from:], f.grid.Cols, f.rule.Decay, f.rule.Gain, index, value, &f.table)
		} else {
			f.grid.cut(f.chunk, delta, c)
			if f.cosine != nil {
				f.cosine.Forward(f.chunk)
			}
			err = portablePick(rest, f.chunk, f.grid.W, f.grid.W, f.rule.Decay, f.rule.Gain, index, value, &f.table)
		}
		if err != nil {
			f.Clear()
			return nil, fmt.Errorf("chunk %d: %w", c, err)
		}
	}
	q, err := quantise(f.kernel, f.made.Code, f.value, f.rule.Bins)
	if err != nil {
		f.Clear()
		return nil, err
	}
	f.made.Quant = q
	f.kept = f.made
	return f.made, nil
}

// subtract takes what the codes stand for off the elements they belong to.
func subtract(x []float32, index []uint16, code []uint8, values []float32) {
	code = code[:len(index)]
	if len(x) == MaxChunk && len(values) == 4 { // without looking at bounds
		x, values := (*[MaxChunk]float32)(x), (*[4]float32)(values)
		for i, at := range index {
			x[at%MaxChunk] -= values[code[i]%4]
		}
		return
	}
	for i, at := range index {
		x[at] -= values[code[i]]
	}
}

// Clear forgets what is unsaid.
func (f *Feedback) Clear() {
	clear(f.rest)
	f.kept = nil
}

// Rest returns what is unsaid, the chunks of [Grid.Cut] one after another, for
// a sender to keep over a restart. It is the encoder's own memory.
func (f *Feedback) Rest() []float32 {
	if f.kept != nil {
		said := f.kept.Quant.Values()
		for c := range f.grid.Chunks() {
			at := f.rest[c*f.grid.Size():][:f.grid.Size()]
			subtract(at, f.made.Index[c*f.keep:][:f.keep], f.made.Code[c*f.keep:][:f.keep], said)
		}
		f.kept = nil
	}
	return f.rest
}

// Unsaid sets dst, a tensor, to what is unsaid: that which [Feedback.Rest] has in
// chunks, and of coefficients what they are of.
func (f *Feedback) Unsaid(dst []float32) error {
	if len(dst) != f.grid.Len() {
		return fmt.Errorf("%d elements for a tensor of %d", len(dst), f.grid.Len())
	}
	rest := f.Rest()
	if f.cosine == nil {
		f.grid.Join(dst, rest)
		return nil
	}
	for c := range f.grid.Chunks() {
		copy(f.chunk, rest[c*f.grid.Size():])
		f.cosine.Inverse(f.chunk)
		f.grid.put(dst, f.chunk, c)
	}
	return nil
}

// Restore sets what is unsaid to what [Feedback.Rest] once was.
func (f *Feedback) Restore(rest []float32) error {
	if len(rest) != len(f.rest) {
		return fmt.Errorf("%d elements unsaid of a tensor of %d", len(rest), len(f.rest))
	}
	for i, v := range rest {
		if !finite(v) {
			return fmt.Errorf("element %d unsaid: %w", i, errNotFinite)
		}
	}
	copy(f.rest, rest)
	f.kept = nil
	return nil
}
