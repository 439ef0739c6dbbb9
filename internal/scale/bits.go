package scale

import (
	"errors"
	"fmt"
	"math/bits"
)

// Bits is a vector of N bits as it is stored: in little-endian words of Word
// bytes, filled from the lowest bit, or from the highest if Msb0.
type Bits struct {
	N    uint64
	Data []byte
	Word int
	Msb0 bool
}

// At returns the i-th bit; false if there is none.
func (x Bits) At(i uint64) bool {
	k, mask, ok := x.place(i)
	return ok && x.Data[k]&mask != 0
}

// place returns the byte and the bit in it that stand for the i-th bit.
func (x Bits) place(i uint64) (k uint64, mask byte, ok bool) {
	word := 8 * uint64(x.Word)
	if i >= x.N || word == 0 {
		return 0, 0, false
	}
	in := i % word
	if x.Msb0 {
		in = word - 1 - in
	}
	k = i/word*uint64(x.Word) + in/8
	return k, 1 << (in % 8), k < uint64(len(x.Data))
}

// bitsOf returns an empty vector of a type of bits.
func (m *Metadata) bitsOf(b BitSequence) (Bits, error) {
	p := m.Types[b.Store].Def.Primitive
	if p == nil {
		return Bits{}, errors.New("bits are not stored in integers")
	}
	size, signed := p.integer()
	if size == 0 || size > 8 || signed {
		return Bits{}, errors.New("bits are not stored in unsigned integers of at most 64 bits")
	}
	return Bits{Word: size, Msb0: m.Types[b.Order].Name() == "Msb0"}, nil
}

// bytes returns how many bytes N bits take; false if they are too many to count.
func (x Bits) bytes() (uint64, bool) {
	word := 8 * uint64(x.Word)
	sum, carry := bits.Add64(x.N, word-1, 0)
	return sum / word * uint64(x.Word), carry == 0
}

func (m *Metadata) decodeBits(b BitSequence, d *Decoder) (any, error) {
	x, err := m.bitsOf(b)
	if err != nil {
		return nil, err
	}
	if x.N, err = d.Compact(); err != nil {
		return nil, err
	}
	n, ok := x.bytes()
	if !ok || n > uint64(d.Len()) {
		return nil, fmt.Errorf("%w: %d bits, %d bytes left", errShort, x.N, d.Len())
	}
	x.Data, err = d.copied(int64(n))
	return x, err
}

// bits writes Bits or a []bool.
func (e *encoder) bits(b []byte, def BitSequence, v any) ([]byte, error) {
	x, err := e.bitsOf(def)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case Bits:
		if v.Word != x.Word || v.Msb0 != x.Msb0 {
			return nil, fmt.Errorf("bits in words of %d bytes, highest first %v, where the type has %d, %v", v.Word, v.Msb0, x.Word, x.Msb0)
		}
		x = v
		if n, ok := x.bytes(); !ok || n != uint64(len(x.Data)) {
			return nil, fmt.Errorf("%d bits in %d bytes", x.N, len(x.Data))
		}
	case []bool:
		x.N = uint64(len(v))
		n, _ := x.bytes()
		x.Data = make([]byte, n)
		for i, set := range v {
			if k, mask, _ := x.place(uint64(i)); set {
				x.Data[k] |= mask
			}
		}
	default:
		return nil, fmt.Errorf("%T is no Bits", v)
	}
	return append(AppendCompact(b, x.N), x.Data...), nil
}
