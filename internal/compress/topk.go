package compress

import (
	"cmp"
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

// A table counts elements by the first bits of their magnitude: the exponent
// and three bits of the fraction.
type table struct {
	count [notFinite >> tableShift]uint16
	edge  []uint32 // those among which choice ends

	candidates candidates // of other kernels
}

const tableShift = 20

// candidates is the memory for a few elements that the choice is among, with
// some to write beyond.
type candidates struct {
	place            [MaxChunk + 32]uint16
	value, magnitude [MaxChunk + 16]uint32
}

func (t *table) top(x []float32, index []uint16, value []float32) error {
	clear(t.count[:])
	for _, v := range x {
		m := magnitude(v)
		if m >= notFinite {
			return errNotFinite
		}
		t.count[m>>tableShift]++
	}
	// All in the rows above this one are chosen, and some in it.
	row, left := uint32(len(t.count)-1), len(index)
	for ; row > 0 && int(t.count[row]) <= left; row-- {
		left -= int(t.count[row])
	}
	t.edge = t.edge[:0]
	for _, v := range x {
		if m := magnitude(v); m>>tableShift == row {
			t.edge = append(t.edge, m)
		}
	}
	slices.SortFunc(t.edge, func(a, b uint32) int { return cmp.Compare(b, a) })
	// Of those that are equal to the last one chosen, only so many are.
	last, equal := uint32(math.MaxUint32), 0
	if left > 0 {
		last = t.edge[left-1]
		for i := left - 1; i >= 0 && t.edge[i] == last; i-- {
			equal++
		}
	} else {
		last = (row + 1) << tableShift
		equal = len(index)
	}
	choose(x, last, equal, index, value)
	return nil
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
