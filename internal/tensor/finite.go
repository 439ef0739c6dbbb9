package tensor

import "encoding/binary"

// Finite reports whether no element is NaN or infinite. Integers always are.
//
// A float is not finite if its exponent is all ones, and then adding one to
// the exponent carries into the sign's place. That is tested for all elements
// of a 64-bit word at once.
func (t Tensor) Finite() bool {
	var exponent, one, sign uint64
	switch t.DType {
	case F32:
		exponent, one, sign = 0x7f800000_7f800000, 0x00800000_00800000, 0x80000000_80000000
	case F16:
		exponent, one, sign = 0x7c00_7c00_7c00_7c00, 0x0400_0400_0400_0400, 0x8000_8000_8000_8000
	case BF16:
		exponent, one, sign = 0x7f80_7f80_7f80_7f80, 0x0080_0080_0080_0080, 0x8000_8000_8000_8000
	case F64:
		exponent, one, sign = 0x7ff0000000000000, 0x0010000000000000, 0x8000000000000000
	default:
		return true
	}
	b := t.Data
	for len(b) >= 64 {
		var carry uint64
		for i := 0; i < 64; i += 8 {
			carry |= binary.LittleEndian.Uint64(b[i:])&exponent + one
		}
		if carry&sign != 0 {
			return false
		}
		b = b[64:]
	}
	var tail [64]byte // zeros are finite
	copy(tail[:], b)
	var carry uint64
	for i := 0; i < 64; i += 8 {
		carry |= binary.LittleEndian.Uint64(tail[i:])&exponent + one
	}
	return carry&sign == 0
}
