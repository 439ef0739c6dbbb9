package cpu

import (
	"math"

	"adit/internal/engine/device"
	"adit/internal/tensor"
)

// Round works on the bits, but for the few numbers that a rounded mantissa does
// not do for.
func (d *Device) Round(x device.Buf, to device.Float16) {
	v := x.(buf)
	round := roundF16
	switch to {
	case device.F16:
	case device.BF16:
		round = roundBF16
	default:
		misfit("round to", int(to))
	}
	d.pool.elements(len(v), func(lo, hi int) { round(v[lo:hi]) })
}

// roundF16 takes the 13 bits that a half has less off the mantissa. What is
// below the normal halves, or above them all, goes through one.
func roundF16(x []float32) {
	const least, most = 0x38800000, 0x477ff000 // 2^-14; where halves end
	for i, f := range x {
		bits := math.Float32bits(f)
		if bits&0x7fffffff-least < most-least {
			bits += 0x0fff + bits>>13&1
			x[i] = math.Float32frombits(bits &^ 0x1fff)
		} else {
			x[i] = tensor.F16ToF32(tensor.F32ToF16(f))
		}
	}
}

// roundBF16 takes the lower 16 bits off, which also makes what is too large
// infinite. A NaN stays one.
func roundBF16(x []float32) {
	for i, f := range x {
		bits := math.Float32bits(f)
		if bits&0x7fffffff > 0x7f800000 {
			bits |= 0x00400000
		} else {
			bits += 0x7fff + bits>>16&1
		}
		x[i] = math.Float32frombits(bits &^ 0xffff)
	}
}
