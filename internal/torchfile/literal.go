package torchfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// literal reads the value that follows one of the instructions for numbers and
// strings.
func (m *machine) literal(op byte) (word, error) {
	switch op {
	case opBinInt1:
		b, err := m.take(1)
		if err != nil {
			return 0, err
		}
		return newWord(kindInt, uint64(b[0])), nil
	case opBinInt2:
		b, err := m.take(2)
		if err != nil {
			return 0, err
		}
		return newWord(kindInt, uint64(le.Uint16([]byte(b)))), nil
	case opBinInt:
		b, err := m.take(4)
		if err != nil {
			return 0, err
		}
		return newWord(kindInt, uint64(int32(le.Uint32([]byte(b))))), nil
	case opLong1:
		return m.long()
	case opBinFloat:
		at := m.next
		_, err := m.take(8)
		return newWord(kindFloat, uint64(at)), err
	default: // opBinUnicode
		b, err := m.take(4)
		if err != nil {
			return 0, err
		}
		n := le.Uint32([]byte(b))
		if n > maxString {
			return 0, fmt.Errorf("string of %d bytes is too long", n)
		}
		at := m.next
		s, err := m.take(int(n))
		if err != nil {
			return 0, err
		}
		if !utf8.ValidString(s) {
			return 0, errors.New("string is not UTF-8")
		}
		return newWord(kindString, uint64(at)<<lenBits|uint64(n)), nil
	}
}

// long reads an integer of up to eight bytes in two's complement.
func (m *machine) long() (word, error) {
	n, err := m.take(1)
	if err != nil {
		return 0, err
	}
	at := m.next
	b, err := m.take(int(n[0]))
	if err != nil {
		return 0, err
	}
	if len(b) > 8 {
		return 0, fmt.Errorf("integer of %d bytes is too large", len(b))
	}
	var v int64
	for i := range len(b) {
		v |= int64(b[i]) << (8 * i)
	}
	if unused := 64 - 8*len(b); unused < 64 {
		v = v << unused >> unused
	}
	if w := newWord(kindInt, uint64(v)); w.integer() == v {
		return w, nil
	}
	return newWord(kindWide, uint64(at)), nil // which has eight bytes
}

// integer returns the number that w is, or false if it is none.
func (m *machine) integer(w word) (int64, bool) {
	switch w.kind() {
	case kindInt:
		return w.integer(), true
	case kindWide:
		return int64(le.Uint64([]byte(m.in[w.rest():][:8]))), true
	}
	return 0, false
}

// float returns the number of a kindFloat.
func (m *machine) float(w word) float64 {
	return math.Float64frombits(binary.BigEndian.Uint64([]byte(m.in[w.rest():][:8])))
}

// text returns the string that w is, or false if it is none. It is a part of
// the pickle.
func (m *machine) text(w word) (string, bool) {
	if w.kind() != kindString {
		return "", false
	}
	at, n := w.rest()>>lenBits, w.rest()&(1<<lenBits-1)
	return m.in[at : at+n], true
}
