package score

import (
	"fmt"
	"math"
)

// A Likeness says how alike two messages are. Both numbers are means over the
// messages' chunks, each weighted by how much of it the two could have in
// common: so one chunk of rubbish, however large its values, hides no copy.
type Likeness struct {
	// Overlap is the share of coordinates sent by both, from 0 to 1: of a chunk
	// it is the number of common indices by the size of the smaller set.
	Overlap float64
	// Cosine is the cosine between the values, from −1 to 1, where what was not
	// sent is 0. Neither the scale of a chunk nor the order of what is in it
	// changes it, and noise of a tenth of the values lowers it to 0.995.
	Cosine float64
}

// A Comparison measures how alike two messages are, exactly, chunk by chunk.
// The zero value is ready. It holds 128 KiB, to be used again after [Comparison.Reset].
type Comparison struct {
	overlap, cosine ratio
	// at is, for an index of the chunk of a at hand, one more than its place.
	at [1 << 16]uint16
}

// Reset makes the comparison ready for another pair.
func (c *Comparison) Reset() { c.overlap, c.cosine = ratio{}, ratio{} }

// Add compares a chunk: the indices that each message sent of it, in any order,
// and their values, which may be nil. An index that is there twice counts once,
// with its first value.
func (c *Comparison) Add(aIndices []uint16, aValues []float32, bIndices []uint16, bValues []float32) error {
	if err := checkChunk(aIndices, aValues); err != nil {
		return err
	}
	if err := checkChunk(bIndices, bValues); err != nil {
		return err
	}
	aSize, aSquares := 0, 0.0
	for i, index := range aIndices {
		if c.at[index] == 0 {
			c.at[index] = uint16(i) + 1
			aSize++
			aSquares += square(aValues, i)
		}
	}
	// What b has is marked as seen: by a place that a chunk cannot have.
	bSize, bSquares := 0, 0.0
	shared, dot := 0, 0.0
	for i, index := range bIndices {
		place := c.at[index]
		if place == seen {
			continue
		}
		c.at[index] = seen
		bSize++
		bSquares += square(bValues, i)
		if place > 0 {
			shared++
			dot += float64(value(aValues, int(place)-1) * value(bValues, i))
		}
	}
	for _, index := range aIndices {
		c.at[index] = 0
	}
	for _, index := range bIndices {
		c.at[index] = 0
	}
	smaller := float64(min(aSize, bSize))
	c.overlap.add(float64(shared), smaller)
	c.addCosine(dot, aSquares, bSquares, smaller)
	return nil
}

// AddDense compares a chunk of which both messages sent every value. It says
// nothing of the overlap.
func (c *Comparison) AddDense(a, b []float32) error {
	if len(a) != len(b) {
		return fmt.Errorf("compare %d values with %d", len(a), len(b))
	}
	aSquares, bSquares, dot := 0.0, 0.0, 0.0
	for i := range a {
		aSquares += square(a, i)
		bSquares += square(b, i)
		dot += float64(value(a, i) * value(b, i))
	}
	c.addCosine(dot, aSquares, bSquares, float64(len(a)))
	return nil
}

// addCosine counts a chunk. One that is 0 in both says nothing; in one of them,
// that they differ.
func (c *Comparison) addCosine(dot, aSquares, bSquares, size float64) {
	switch {
	case aSquares > 0 && bSquares > 0:
		c.cosine.add(size*dot/math.Sqrt(aSquares)/math.Sqrt(bSquares), size)
	case aSquares > 0 || bSquares > 0:
		c.cosine.add(0, size)
	}
}

// Likeness is how alike the two are in all chunks so far; nothing is alike
// before the first.
func (c *Comparison) Likeness() Likeness {
	return Likeness{Overlap: c.overlap.mean(), Cosine: c.cosine.mean()}
}

// A chunk has at most maxChunk indices, so that one more is no place in it.
const (
	maxChunk = 1<<16 - 2
	seen     = 1<<16 - 1
)

func checkChunk(indices []uint16, values []float32) error {
	if len(indices) > maxChunk {
		return fmt.Errorf("%d indices in a chunk, more than %d", len(indices), maxChunk)
	}
	if values != nil && len(values) != len(indices) {
		return fmt.Errorf("%d values at %d indices", len(values), len(indices))
	}
	return nil
}

// value is a value as it is compared: 0 if it is not there, or not finite, so
// that a NaN hides nothing but itself.
func value(values []float32, i int) float64 {
	if i >= len(values) {
		return 0
	}
	return finite(float64(values[i]))
}

func square(values []float32, i int) float64 {
	v := value(values, i)
	return v * v
}

// A ratio is a mean Σx/Σw over chunks with weights w, and how sure of it one
// can be from a sample of them.
type ratio struct {
	n          int32
	x, w       float64
	xx, xw, ww float64
}

func (r *ratio) add(x, w float64) {
	r.n++
	r.x += x
	r.w += w
	r.xx += float64(x * x)
	r.xw += float64(x * w)
	r.ww += float64(w * w)
}

func (r *ratio) mean() float64 {
	if r.w == 0 {
		return 0
	}
	return r.x / r.w
}

// spread is the standard error of the mean, infinite for less than two chunks.
func (r *ratio) spread() float64 {
	if r.n < 2 || r.w == 0 {
		return math.Inf(1)
	}
	m, n := r.mean(), float64(r.n)
	residuals := max(0, r.xx-float64(2*m*r.xw)+float64(m*m*r.ww))
	return math.Sqrt(n/(n-1)*residuals) / r.w
}
