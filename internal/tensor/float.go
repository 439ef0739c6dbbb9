package tensor

import (
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
	n := t.Numel()
	dst = slices.Grow(dst[:0], n)[:n]
	switch t.DType {
	case F32:
		readF32(dst, t.Data)
	case F16:
		readF16(dst, t.Data)
	case BF16:
		readBF16(dst, t.Data)
	case F64:
		readF64(dst, t.Data)
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
	switch dtype {
	case F32:
		writeF32(t.Data, vals)
	case F16:
		writeF16(t.Data, vals)
	case BF16:
		writeBF16(t.Data, vals)
	case F64:
		writeF64(t.Data, vals)
	}
	return t
}

// F16ToF32 widens an IEEE half; every half is a float32, and a NaN keeps its
// payload.
func F16ToF32(h uint16) float32 {
	// The exponents differ by their biases, 127-15. Multiplying by 2^112
	// instead of adding also normalises the subnormal halves.
	bits := uint32(h&0x7fff) << 13
	wide := math.Float32bits(math.Float32frombits(bits) * 0x1p112)
	if bits >= 0x0f800000 { // Inf and NaN; chosen without a jump
		wide |= 0x7f800000
	}
	return math.Float32frombits(wide | uint32(h&0x8000)<<16)
}

// F32ToF16 rounds to the nearest half, ties to even; a NaN becomes a quiet one
// and keeps the upper bits of its payload.
func F32ToF16(f float32) uint16 {
	bits := math.Float32bits(f)
	sign := uint16(bits>>16) & 0x8000
	bits &= 0x7fffffff
	if bits-0x38800000 < 0x477ff000-0x38800000 { // neither subnormal nor too large
		bits -= (127 - 15) << 23
		bits += 0x0fff + bits>>13&1
		return sign | uint16(bits>>13)
	}
	switch {
	case bits > 0x7f800000:
		return sign | 0x7e00 | uint16(bits>>13)&0x03ff
	case bits >= 0x477ff000: // halfway between the largest half and what would be the next
		return sign | 0x7c00
	}
	// Below 2^-14 halves are subnormal, in steps of 2^-24. Adding 0.5, whose
	// float32 neighbours are 2^-24 apart from it, makes the processor round;
	// the steps stand in the low bits of the sum.
	sum := math.Float32frombits(bits) + 0.5
	return sign | uint16(math.Float32bits(sum)-0x3f000000)
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
