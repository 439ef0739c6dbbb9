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
func (m *machine) literal(op byte) (any, error) {
	switch op {
	case opBinInt1:
		b, err := m.take(1)
		if err != nil {
			return nil, err
		}
		return int64(b[0]), nil
	case opBinInt2:
		b, err := m.take(2)
		if err != nil {
			return nil, err
		}
		return int64(le.Uint16(b)), nil
	case opBinInt:
		b, err := m.take(4)
		if err != nil {
			return nil, err
		}
		return int64(int32(le.Uint32(b))), nil
	case opLong1:
		n, err := m.take(1)
		if err != nil {
			return nil, err
		}
		b, err := m.take(int(n[0]))
		if err != nil {
			return nil, err
		}
		if len(b) > 8 {
			return nil, fmt.Errorf("integer of %d bytes is too large", len(b))
		}
		var v uint64
		for i, c := range b {
			v |= uint64(c) << (8 * i)
		}
		if shift := 64 - 8*len(b); len(b) > 0 { // two's complement of len(b) bytes
			return int64(v<<shift) >> shift, nil
		}
		return int64(0), nil
	case opBinFloat:
		b, err := m.take(8)
		if err != nil {
			return nil, err
		}
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	default: // opBinUnicode
		n, err := m.take(4)
		if err != nil {
			return nil, err
		}
		if le.Uint32(n) > maxString {
			return nil, fmt.Errorf("string of %d bytes is too long", le.Uint32(n))
		}
		b, err := m.take(int(le.Uint32(n)))
		if err != nil {
			return nil, err
		}
		if !utf8.Valid(b) {
			return nil, errors.New("string is not UTF-8")
		}
		return string(b), nil
	}
}
