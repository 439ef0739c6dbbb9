package compress

import (
	"errors"
	"math"
	"slices"
)

// errNotFinite is said of a chunk that holds a NaN or an infinity: nothing can
// be chosen from it.
var errNotFinite = errors.New("a value is not finite")

// magnitude is what elements are compared by. Of finite numbers the larger has
// the larger; those of infinities and NaNs are above all others.
func magnitude(v float32) uint32 { return math.Float32bits(v) &^ (1 << 31) }

// notFinite is the least magnitude that is no number's.
const notFinite = 0x7f800000

// Top chooses the len(index) elements of x, at most [MaxChunk] many, that have
// the largest magnitudes, of equal ones those that come first, and returns
// their places in order and what they are. It fails if an element is not
// finite.
//
// Unlike upstream, whose order of equal elements is that of its device, the
// choice is the same everywhere.
func Top(x []float32, index []uint16, value []float32) error {
	var t table
	return t.top(x, index, value)
}

// A table counts elements by some bits of their magnitude: first by the exponent
// and three bits of the fraction, then by ten bits more, then by the last ten.
type table struct {
	count [1 << 11]uint16
	edge  []uint32 // those among which choice ends

	candidates candidates
}

// candidates is the memory for a few elements that the choice is among, with
// some to write beyond.
type candidates struct {
	n, last          int // how many, and the magnitude of the last one chosen
	place            [MaxChunk + 32]uint16
	value, magnitude [MaxChunk + 16]uint32
}

// choose takes the candidates of magnitude above last, and the first equal ones of
// that magnitude.
func (c *candidates) choose(index []uint16, value []float32) {
	last, equal := uint32(c.last), len(index)
	for _, m := range c.magnitude[:c.n] {
		if m > last {
			equal--
		}
	}
	n := 0
	for i, m := range c.magnitude[:c.n] {
		if m < last || n == len(index) {
			continue
		}
		if m == last {
			if equal == 0 {
				continue
			}
			equal--
		}
		index[n], value[n] = c.place[i], math.Float32frombits(c.value[i])
		n++
	}
}

func (t *table) top(x []float32, index []uint16, value []float32) error {
	// The largest of each of so many parts of x: as many of them as are chosen
	// are bound or more, and so at least as many elements, but not many more.
	var most [parts]uint32
	left := x
	for ; len(left) >= parts; left = left[parts:] {
		for j, v := range (*[parts]float32)(left) {
			most[j] = max(most[j], magnitude(v))
		}
	}
	for j, v := range left {
		most[j] = max(most[j], magnitude(v))
	}
	if slices.Max(most[:]) >= notFinite {
		return errNotFinite
	}
	bound := uint32(0)
	if len(index) <= parts {
		t.edge = append(t.edge[:0], most[:]...)
		bound = t.last(len(index))
	}
	c := &t.candidates
	n := 0
	for i, v := range x {
		if m := magnitude(v); m >= bound && n < MaxChunk {
			c.place[n], c.value[n], c.magnitude[n] = uint16(i), math.Float32bits(v), m
			n++
		}
	}
	c.n = n
	t.edge = append(t.edge[:0], c.magnitude[:c.n]...)
	c.last = int(t.last(len(index)))
	c.choose(index, value)
	return nil
}

// parts is into how many an x is divided, one for every so many places.
const parts = 128

// last returns the least of the k largest magnitudes of edge.
func (t *table) last(k int) uint32 {
	const shift = 20
	clear(t.count[:])
	for _, m := range t.edge {
		t.count[m>>shift]++
	}
	// All in the rows above one are chosen, and left in it.
	row, left := t.row(int(slices.Max(t.edge)>>shift), k)
	n := 0
	for _, m := range t.edge {
		t.edge[n] = m
		if m>>shift == row {
			n++
		}
	}
	t.edge = t.edge[:n]
	row, left = t.narrow(10, row, left)
	row, _ = t.narrow(0, row, left)
	return row
}

// row returns the highest row from which on there are left elements, and how
// many of them are in it.
func (t *table) row(from, left int) (row uint32, in int) {
	for ; from > 0 && int(t.count[from]) < left; from-- {
		left -= int(t.count[from])
	}
	return uint32(from), left
}

// narrow divides those that are left in a row by ten bits more, above the last
// ones, and leaves one of the rows.
func (t *table) narrow(last int, row uint32, left int) (uint32, int) {
	const bits = 10
	clear(t.count[:1<<bits])
	for _, m := range t.edge {
		t.count[m>>last&(1<<bits-1)]++
	}
	low, left := t.row(1<<bits-1, left)
	row = row<<bits | low
	n := 0
	for _, m := range t.edge {
		t.edge[n] = m
		if m>>last == row {
			n++
		}
	}
	t.edge = t.edge[:n]
	return row, left
}
