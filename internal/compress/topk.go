package compress

import (
	"errors"
	"math"
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

	candidates candidates // of other kernels
}

// candidates is the memory for a few elements that the choice is among, with
// some to write beyond.
type candidates struct {
	n, last          int // how many, and the magnitude of the last one chosen
	place            [MaxChunk + 32]uint16
	value, magnitude [MaxChunk + 16]uint32
}

// choose is choose among the candidates.
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
	const shift = 20
	clear(t.count[:])
	for _, v := range x {
		m := magnitude(v)
		if m >= notFinite {
			return errNotFinite
		}
		t.count[m>>shift]++
	}
	// All in the rows above one are chosen, and left in it.
	row, left := t.row(notFinite>>shift-1, len(index))
	t.edge = t.edge[:0]
	for _, v := range x {
		if m := magnitude(v); m>>shift == row {
			t.edge = append(t.edge, m)
		}
	}
	row, left = t.narrow(10, row, left)
	row, left = t.narrow(0, row, left)
	choose(x, row, left, index, value)
	return nil
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

// choose takes the elements of magnitude above last, and the first equal ones
// of that magnitude.
func choose(x []float32, last uint32, equal int, index []uint16, value []float32) {
	n := 0
	for i, v := range x {
		m := magnitude(v)
		if m < last || n == len(index) {
			continue
		}
		if m == last {
			if equal == 0 {
				continue
			}
			equal--
		}
		index[n], value[n] = uint16(i), v
		n++
	}
}
