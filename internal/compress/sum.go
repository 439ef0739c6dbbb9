package compress

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// MaxInputs is the most messages of one aggregate.
const MaxInputs = 64

// The bits of an input's values in an aggregate's units, and the most that a
// sum can be: 64 inputs that agree, twenty rounds of them unsaid.
const (
	tableBits = 20
	maxSum    = 1 << 30
)

// The least and the greatest exponent of an aggregate's units: those that
// follow from the values that messages can have.
const (
	minExponent = -149 - 30 - tableBits
	maxExponent = 64
)

// A State is what an aggregate left unsaid so far: an integer for each element,
// chunk after chunk, in units of two to the exponent of its tensor.
type State struct {
	Schema   *Schema
	Exponent []int
	Rest     [][]int32
}

// NewState returns the state before the first aggregate.
func NewState(s *Schema) *State {
	st := &State{Schema: s, Exponent: make([]int, len(s.Tensors)), Rest: make([][]int32, len(s.Tensors))}
	for t, g := range s.grids {
		st.Rest[t] = make([]int32, g.Len())
	}
	return st
}

// A tensorSum is what all chunks of one tensor of an aggregate have in common.
// It follows from the headers of the inputs and of the state before.
type tensorSum struct {
	decay    int64 // of 65536
	exponent int   // of the units
	shift    int   // multiplies the state before by a power of two
	tables   [][4]int64
}

// newTensorSum prepares the sum of these inputs, each clipped to the lower
// median of their lengths and divided by their number.
//
// Unlike upstream, which divides an element's sum by the number of those that
// sent it, so that one whom nobody else agrees with counts most. What an
// element loses by that here stays unsaid and is said later.
func newTensorSum(inputs []*Part, before int, decay uint32) (*tensorSum, error) {
	lengths, norms := make([]number, len(inputs)), make([]number, len(inputs))
	for i, p := range inputs {
		if p.Values == nil {
			return nil, errors.New("an aggregate is no input of another")
		}
		lengths[i] = length(p)
		norms[i] = lengths[i]
	}
	most := lowerMedian(norms)
	clipped := make([][4]number, len(inputs))
	top, some := math.MinInt, false
	for i, p := range inputs {
		clip := uint64(1 << 30)
		if l := lengths[i]; most.less(l) {
			// most/l < 1, both of 32 bits.
			clip = most.shifted(30, l.exp) / l.m
		}
		for c, v := range p.Values {
			n := split(v)
			// 24 and 30 bits, and what the division leaves of them.
			clipped[i][c] = number{m: n.m * clip / uint64(len(inputs)), exp: n.exp - 30, neg: n.neg}
			if m := clipped[i][c].m; m > 0 {
				top, some = max(top, bits.Len64(m)+n.exp-30), true
			}
		}
	}
	s := &tensorSum{decay: int64(decay), exponent: before, tables: make([][4]int64, len(inputs))}
	if some {
		s.exponent = max(top-tableBits, minExponent)
	}
	s.shift = before - s.exponent
	for i := range clipped {
		for c, n := range clipped[i] {
			v := shiftRound(int64(n.m), n.exp-s.exponent)
			if n.neg {
				v = -v
			}
			s.tables[i][c] = v
		}
	}
	return s, nil
}

// A number is m * 2**exp.
type number struct {
	m   uint64
	exp int
	neg bool
}

// split returns the magnitude and sign of a finite float.
func split(v float32) number {
	b := math.Float32bits(v)
	n := number{m: uint64(b & (1<<23 - 1)), exp: int(b>>23&255) - 150, neg: b>>31 != 0}
	if n.exp == -150 {
		n.exp++
		return n
	}
	n.m |= 1 << 23
	return n
}

// length returns the length of what an input kept, to 32 bits, from how often
// it says that each code occurs.
func length(p *Part) number {
	// Values to 30 bits of the largest: their squares have 60, and a sum 128.
	top := math.MinInt
	for c, v := range p.Values {
		if n := split(v); n.m > 0 && p.Counts[c] > 0 {
			top = max(top, bits.Len64(n.m)+n.exp)
		}
	}
	if top == math.MinInt {
		return number{}
	}
	var hi, lo uint64
	for c, v := range p.Values {
		n := split(v)
		m := uint64(shiftRound(int64(n.m), n.exp-(top-30)))
		h, l := bits.Mul64(m*m, uint64(p.Counts[c]))
		var carry uint64
		lo, carry = bits.Add64(lo, l, 0)
		hi += h + carry
	}
	// An even number of bits are dropped or appended for 64 that begin with a
	// one or two: their root has 32.
	drop := 0
	if hi > 0 {
		drop = (bits.Len64(hi) + 1) &^ 1
		lo = hi<<(64-drop) | lo>>drop
	} else {
		drop = -(bits.LeadingZeros64(lo) &^ 1)
		lo <<= -drop
	}
	return number{m: root(lo), exp: top - 30 + drop/2}
}

// root returns the integer part of the square root.
func root(x uint64) uint64 {
	var r uint64
	for bit := uint64(1) << 31; bit > 0; bit >>= 1 {
		if t := r | bit; t*t <= x {
			r = t
		}
	}
	return r
}

// less compares numbers whose m have 32 bits or are 0.
func (n number) less(o number) bool {
	if n.m == 0 || o.m == 0 {
		return n.m < o.m
	}
	return n.exp < o.exp || n.exp == o.exp && n.m < o.m
}

// shifted returns m * 2**by in units of 2**exp, for a result of 62 bits at most.
func (n number) shifted(by, exp int) uint64 {
	if d := n.exp - exp + by; d < -63 {
		return 0
	} else if d < 0 {
		return n.m >> -d
	} else {
		return n.m << d
	}
}

// lowerMedian sorts the numbers and returns the middle one, the lower of two.
func lowerMedian(n []number) number {
	for i := range n {
		for j := i; j > 0 && n[j].less(n[j-1]); j-- {
			n[j], n[j-1] = n[j-1], n[j]
		}
	}
	return n[(len(n)-1)/2]
}

// shiftRound returns v * 2**by to the nearest integer, away from zero from the
// middle of two, and at most maxSum either way.
func shiftRound(v int64, by int) int64 {
	neg := v < 0
	if neg {
		v = -v
	}
	switch {
	case by < -62:
		v = 0
	case by < 0:
		v = (v + 1<<(-by-1)) >> -by
	case v > 0 && by+bits.Len64(uint64(v)) > 31:
		v = maxSum
	default:
		v <<= min(by, 62)
	}
	v = min(v, maxSum)
	if neg {
		return -v
	}
	return v
}

// A chunkSum is the memory for one chunk.
type chunkSum struct {
	acc   [MaxChunk]int64
	index [MaxChunk]uint16
	code  [MaxChunk]uint8
	mag   [MaxChunk]float32
	zero  [MaxChunk]float32
	value [MaxChunk]float32
	table table

	kernel *kernel
}

// begin sets the sum to what was unsaid before.
func (s *tensorSum) begin(w *chunkSum, before []int32) {
	for i, v := range before {
		x := int64(v)
		if s.shift != 0 {
			x = shiftRound(x, s.shift)
		}
		half := int64(1 << 15)
		if x < 0 {
			half--
		}
		// Rounded to the nearest, away from zero from the middle.
		w.acc[i] = (x*s.decay + half) >> 16
	}
}

// add adds the next chunk of input i.
func (s *tensorSum) add(w *chunkSum, i int, c *cursor) {
	index, code := w.index[:c.Keep], w.code[:c.Keep]
	c.next(index, code)
	table := &s.tables[i]
	for j, at := range index {
		w.acc[at%MaxChunk] += table[code[j]&3]
	}
}

// end chooses what of the sum is said, and leaves the rest in after.
func (s *tensorSum) end(w *chunkSum, after []int32, index []uint16, code []uint8) (lo, hi uint8) {
	n := len(after)
	for i := range n {
		after[i] = int32(min(max(w.acc[i], -maxSum), maxSum))
	}
	topInts(w, after, index)
	var total uint64
	for _, at := range index {
		total += uint64(abs(after[at]))
	}
	// Two levels: the means of what is above the mean and of what is not.
	mean := uint32(total / uint64(len(index)))
	var sums, counts [2]uint64
	for _, at := range index {
		m, large := abs(after[at]), 0
		if m > mean {
			large = 1
		}
		sums[large] += uint64(m)
		counts[large]++
	}
	lo = levelOf(uint32(sums[0] / max(counts[0], 1)))
	hi = lo
	if counts[1] > 0 {
		hi = max(lo, levelOf(uint32(sums[1]/counts[1])))
	}
	levels := [4]int32{-int32(levelValue(hi)), -int32(levelValue(lo)), int32(levelValue(lo)), int32(levelValue(hi))}
	for i, at := range index {
		v := after[at]
		c := uint8(2)
		if abs(v) > mean {
			c = 3
		}
		if v < 0 {
			c = 3 - c
		}
		code[i] = c
		after[at] = v - levels[c]
	}
	return lo, hi
}

func abs(v int32) uint32 { return uint32(max(v, -v)) }

// topInts chooses the len(index) elements of the largest magnitude, of equal
// ones those that come first, in the order of their places.
func topInts(w *chunkSum, x []int32, index []uint16) {
	// Read as floats, magnitudes have their order, and are below those of
	// infinities. With a little more, none is so small that it is not normal.
	mag, value := w.mag[:len(x)], w.value[:len(index)]
	for i, v := range x {
		mag[i] = math.Float32frombits(abs(v) + 1<<23)
	}
	var err error
	if len(x)%Side == 0 {
		err = w.kernel.pick(mag, w.zero[:], Side, 1, 0, index, value, &w.table)
	} else {
		err = w.table.top(mag, index, value)
	}
	if err != nil {
		panic(err) // unreachable
	}
}

// Aggregate merges the parts that inputs, at most [MaxInputs] messages of the
// schema of before, have of each tensor, with what was unsaid before times decay
// of 65536. It returns what is said, for a [Writer], and what is unsaid now. All
// is in integers and the same on every machine.
func Aggregate(before *State, decay uint32, inputs []*Message) ([]*Kept, *State, error) {
	if len(inputs) == 0 || len(inputs) > MaxInputs || decay > 1<<16 {
		return nil, nil, fmt.Errorf("an aggregate of %d messages and %d/65536 of what was unsaid", len(inputs), decay)
	}
	s := before.Schema
	for i, m := range inputs {
		if m.Schema.hash != s.hash {
			return nil, nil, fmt.Errorf("message %d is of another schema", i)
		}
	}
	kept, after := make([]*Kept, len(s.Tensors)), NewState(s)
	w := &chunkSum{kernel: fastest()}
	for t, g := range s.grids {
		parts := make([]*Part, len(inputs))
		cursors := make([]cursor, len(inputs))
		for i, m := range inputs {
			parts[i] = m.Parts[t]
			cursors[i].Part = parts[i]
		}
		sum, err := newTensorSum(parts, before.Exponent[t], decay)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", s.Tensors[t].Name, err)
		}
		after.Exponent[t] = sum.exponent
		k := s.newKept(t, g.Chunks(), sum.exponent)
		sum.chunks(w, k, before.Rest[t], after.Rest[t], cursors)
		kept[t] = k
	}
	return kept, after, nil
}

// newKept returns the memory for an aggregate's chunks.
func (s *Schema) newKept(tensor, chunks, exponent int) *Kept {
	n := chunks * s.keep[tensor]
	return &Kept{Grid: s.grids[tensor], Keep: s.keep[tensor], Exponent: exponent,
		Index: make([]uint16, n), Code: make([]uint8, n), Levels: make([]uint8, 2*chunks)}
}

// chunks sums as many chunks as k has room for.
func (s *tensorSum) chunks(w *chunkSum, k *Kept, before, after []int32, inputs []cursor) {
	size := k.Grid.Size()
	for c := range len(k.Levels) / 2 {
		s.begin(w, before[c*size:][:size])
		for i := range inputs {
			s.add(w, i, &inputs[i])
		}
		k.Levels[2*c], k.Levels[2*c+1] = s.end(w, after[c*size:][:size], k.Index[c*k.Keep:][:k.Keep], k.Code[c*k.Keep:][:k.Keep])
	}
}
