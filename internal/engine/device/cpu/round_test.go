package cpu_test

import (
	"math"
	"testing"

	"adit/internal/engine/device"
	"adit/internal/engine/device/cpu"
)

// TestRound rounds numbers whose exponents and upper bits are all that there
// are, with every kind of lower bits.
func TestRound(t *testing.T) {
	const lower = 1 << 13 // as many bits as a half has less
	var x []float32
	for bits := uint64(0); bits < 1<<32; bits += 3 << 12 {
		for _, low := range []uint64{0, 1, lower / 4, lower/2 - 1} {
			x = append(x, math.Float32frombits(uint32(bits+low)))
		}
	}
	d := cpu.New(3)
	for _, kind := range []device.Float16{device.F16, device.BF16} {
		same(t, d, data{bufs: [][]float32{x}}, 0, func(d device.Device, b []device.Buf, _ []device.Ints) { d.Round(b[0], kind) })
	}
}
