package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Floats converts the elements to float32 and returns them in dst, which is
// grown if it is too small. Only the float types can be converted; what F64
// holds beyond float32 becomes infinite.
func (t Tensor) Floats(dst []float32) ([]float32, error) {
	if !t.DType.Float() {
		return nil, fmt.Errorf("%v elements are not floats", t.DType)
	}
	if err := t.Check(); err != nil {
		return nil, err
	}
	n, b := t.Numel(), t.Data
	dst = slices.Grow(dst[:0], n)[:n]
	switch t.DType {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = F16ToF32(binary.LittleEndian.Uint16(b[2*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = BF16ToF32(binary.LittleEndian.Uint16(b[2*i:]))
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
		}
	}
	return dst, nil
}

// FromFloats returns a tensor of a float type that holds vals, each rounded to
// the nearest, ties to even; what is too large becomes infinite. It panics if
// dtype is no float type or if vals does not fill the shape.
func FromFloats(dtype DType, shape []int, vals []float32) Tensor {
	if !dtype.Float() {
		panic(fmt.Sprintf("tensor: floats as %v", dtype))
	}
	t := Tensor{DType: dtype, Shape: slices.Clone(shape), Data: make([]byte, len(vals)*dtype.Size())}
	if err := t.Check(); err != nil {
		panic("tensor: " + err.Error())
	}
	b := t.Data
	for i, v := range vals {
		switch dtype {
		case F32:
			binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
		case F16:
			binary.LittleEndian.PutUint16(b[2*i:], F32ToF16(v))
		case BF16:
			binary.LittleEndian.PutUint16(b[2*i:], F32ToBF16(v))
		case F64:
			binary.LittleEndian.PutUint64(b[8*i:], math.Float64bits(float64(v)))
		}
	}
	return t
}

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

// F16ToF32 widens an IEEE half; every half is a float32.
func F16ToF32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	// The exponents differ by their biases, 127-15. Multiplying by 2^112
	// instead of adding also normalises the subnormal halves.
	f := math.Float32frombits(uint32(h&0x7fff)<<13) * 0x1p112
	bits := math.Float32bits(f)
	if h&0x7c00 == 0x7c00 { // Inf and NaN
		bits = 0x7f800000 | uint32(h&0x03ff)<<13
	}
	return math.Float32frombits(sign | bits)
}

// F32ToF16 rounds to the nearest half, ties to even; a NaN becomes a quiet one.
func F32ToF16(f float32) uint16 {
	bits := math.Float32bits(f)
	sign := uint16(bits>>16) & 0x8000
	bits &= 0x7fffffff
	switch {
	case bits > 0x7f800000:
		return sign | 0x7e00 | uint16(bits>>13)&0x03ff
	case bits >= 0x477ff000: // halfway between the largest half and what would be the next
		return sign | 0x7c00
	case bits < 0x38800000: // below 2^-14 halves are subnormal, in steps of 2^-24
		// Adding 0.5, whose float32 neighbours are 2^-24 apart from it, makes
		// the processor round; the steps stand in the low bits of the sum.
		sum := math.Float32frombits(bits) + 0.5
		return sign | uint16(math.Float32bits(sum)-0x3f000000)
	}
	bits -= (127 - 15) << 23
	bits += 0x0fff + bits>>13&1
	return sign | uint16(bits>>13)
}

// BF16ToF32 widens a bfloat16; every one is a float32.
func BF16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// F32ToBF16 rounds to the nearest bfloat16, ties to even; a NaN becomes a
// quiet one.
func F32ToBF16(f float32) uint16 {
	bits := math.Float32bits(f)
	if bits&0x7fffffff > 0x7f800000 {
		return uint16(bits>>16) | 0x0040
	}
	bits += 0x7fff + bits>>16&1
	return uint16(bits >> 16)
}
