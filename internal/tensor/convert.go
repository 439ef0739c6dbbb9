package tensor

import (
	"encoding/binary"
	"math"
)

// The loops below go over the bytes a 64-bit word at a time: one load or store
// for two or four elements, and one look at the lengths for each. A dst or
// vals of n elements goes with bytes that hold n.

func readF32(dst []float32, b []byte) {
	for len(dst) >= 2 && len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		dst[0] = math.Float32frombits(uint32(w))
		dst[1] = math.Float32frombits(uint32(w >> 32))
		dst, b = dst[2:], b[8:]
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
}

func readF16(dst []float32, b []byte) {
	for len(dst) >= 4 && len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		dst[0] = F16ToF32(uint16(w))
		dst[1] = F16ToF32(uint16(w >> 16))
		dst[2] = F16ToF32(uint16(w >> 32))
		dst[3] = F16ToF32(uint16(w >> 48))
		dst, b = dst[4:], b[8:]
	}
	for i := range dst {
		dst[i] = F16ToF32(binary.LittleEndian.Uint16(b[2*i:]))
	}
}

func readBF16(dst []float32, b []byte) {
	for len(dst) >= 4 && len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		dst[0] = math.Float32frombits(uint32(w) << 16)
		dst[1] = math.Float32frombits(uint32(w) & 0xffff0000)
		dst[2] = math.Float32frombits(uint32(w>>16) & 0xffff0000)
		dst[3] = math.Float32frombits(uint32(w>>32) & 0xffff0000)
		dst, b = dst[4:], b[8:]
	}
	for i := range dst {
		dst[i] = BF16ToF32(binary.LittleEndian.Uint16(b[2*i:]))
	}
}

// readF64 leaves the rounding to the processor: to the nearest, ties to even.
func readF64(dst []float32, b []byte) {
	for len(dst) >= 1 && len(b) >= 8 {
		dst[0] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		dst, b = dst[1:], b[8:]
	}
}

func writeF32(b []byte, vals []float32) {
	for len(vals) >= 2 && len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, uint64(math.Float32bits(vals[0]))|uint64(math.Float32bits(vals[1]))<<32)
		vals, b = vals[2:], b[8:]
	}
	for i, v := range vals {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
}

func writeF16(b []byte, vals []float32) {
	for len(vals) >= 4 && len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, uint64(F32ToF16(vals[0]))|uint64(F32ToF16(vals[1]))<<16|
			uint64(F32ToF16(vals[2]))<<32|uint64(F32ToF16(vals[3]))<<48)
		vals, b = vals[4:], b[8:]
	}
	for i, v := range vals {
		binary.LittleEndian.PutUint16(b[2*i:], F32ToF16(v))
	}
}

func writeBF16(b []byte, vals []float32) {
	for len(vals) >= 4 && len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, uint64(F32ToBF16(vals[0]))|uint64(F32ToBF16(vals[1]))<<16|
			uint64(F32ToBF16(vals[2]))<<32|uint64(F32ToBF16(vals[3]))<<48)
		vals, b = vals[4:], b[8:]
	}
	for i, v := range vals {
		binary.LittleEndian.PutUint16(b[2*i:], F32ToBF16(v))
	}
}

func writeF64(b []byte, vals []float32) {
	for len(vals) >= 1 && len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, math.Float64bits(float64(vals[0])))
		vals, b = vals[1:], b[8:]
	}
}
