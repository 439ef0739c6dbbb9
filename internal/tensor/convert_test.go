package tensor

import (
	"encoding/binary"
	"math"
	"testing"
)

// TestWordsAgreeWithElements compares the loops over words with the
// conversions of single elements: for all halves of both kinds, and for every
// length and place within a word.
func TestWordsAgreeWithElements(t *testing.T) {
	halves := make([]byte, 2<<16)
	for h := range 1 << 16 {
		binary.LittleEndian.PutUint16(halves[2*h:], uint16(h))
	}
	for _, tt := range []struct {
		dtype DType
		widen func(uint16) float32
		round func(float32) uint16
	}{{F16, F16ToF32, F32ToF16}, {BF16, BF16ToF32, F32ToBF16}} {
		for from := range 5 {
			for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 1<<16 - from} {
				x := Tensor{DType: tt.dtype, Shape: []int{n}, Data: halves[2*from:][:2*n]}
				vals, err := x.Floats(nil)
				if err != nil {
					t.Fatal(err)
				}
				back := FromFloats(tt.dtype, []int{n}, vals)
				for i, v := range vals {
					h := uint16(from + i)
					if math.Float32bits(v) != math.Float32bits(tt.widen(h)) {
						t.Fatalf("%v %#04x at %d of %d is %x", tt.dtype, h, i, n, math.Float32bits(v))
					}
					if got, want := binary.LittleEndian.Uint16(back.Data[2*i:]), tt.round(v); got != want {
						t.Fatalf("%v %#04x at %d of %d comes back as %#04x, not %#04x", tt.dtype, h, i, n, got, want)
					}
				}
			}
		}
	}
}

// TestPayload keeps the payload of a half's NaN, signalling or not, and that
// of a bfloat16's but for the quiet bit.
func TestPayload(t *testing.T) {
	for h := uint32(0x7c01); h <= 0x7fff; h++ {
		if got := math.Float32bits(F16ToF32(uint16(h) | 0x8000)); got != 0xff800000|(h&0x3ff)<<13 {
			t.Fatalf("NaN %#04x becomes %#08x", h, got)
		}
		if got := F32ToF16(F16ToF32(uint16(h))); got != uint16(h)|0x0200 {
			t.Fatalf("NaN %#04x comes back as %#04x", h, got)
		}
	}
	for h := uint32(0x7f81); h <= 0x7fff; h++ {
		if got := F32ToBF16(BF16ToF32(uint16(h))); got != uint16(h)|0x0040 {
			t.Fatalf("NaN %#04x comes back as %#04x", h, got)
		}
	}
}

// TestWide has the two types that are no halves, at every length up to some
// words.
func TestWide(t *testing.T) {
	vals := []float32{0, float32(math.Copysign(0, -1)), 1e-45, -math.MaxFloat32, 0.1, float32(math.Inf(1)), 1.5}
	for n := range len(vals) + 1 {
		for _, d := range []DType{F32, F64} {
			got, err := FromFloats(d, []int{n}, vals[:n]).Floats(nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				if math.Float32bits(v) != math.Float32bits(vals[i]) {
					t.Errorf("%v: %v comes back as %v", d, vals[i], v)
				}
			}
		}
	}
	// To float32 rounds ties to even and overflows to infinity.
	for _, tt := range []struct {
		in   float64
		want float32
	}{
		{1 + 0x1p-24, 1}, {1 + 3*0x1p-24, 1 + 0x1p-22}, {1 + 0x1p-24 + 0x1p-50, 1 + 0x1p-23},
		{0x1p-150, 0}, {0x1.8p-149, 0x1p-148}, {-1e300, float32(math.Inf(-1))}, {math.MaxFloat32, math.MaxFloat32},
		{0x1.ffffffp127, float32(math.Inf(1))}, {0x1.fffffefp127, math.MaxFloat32},
	} {
		x := Tensor{DType: F64, Data: binary.LittleEndian.AppendUint64(nil, math.Float64bits(tt.in))}
		if got, err := x.Floats(nil); err != nil || got[0] != tt.want {
			t.Errorf("%x becomes %x, %v; want %x", tt.in, got, err, tt.want)
		}
	}
	nan := Tensor{DType: F64, Data: binary.LittleEndian.AppendUint64(nil, 0x7ff0000000000001)}
	if got, err := nan.Floats(nil); err != nil || got[0] == got[0] {
		t.Errorf("a NaN with the lowest bit alone becomes %v, %v", got, err)
	}
}

// spread are values as weights have them: most are normal halves, some are
// subnormal.
func spread(n int) []float32 {
	vals, x := make([]float32, n), uint32(1)
	for i := range vals {
		x = x*1664525 + 1013904223
		vals[i] = (float32(x>>8)/(1<<23) - 1) * 0.05
	}
	return vals
}

func BenchmarkFloats(b *testing.B) {
	for _, d := range []DType{F32, F16, BF16, F64} {
		x := FromFloats(d, []int{1 << 16}, spread(1<<16))
		dst := make([]float32, 1<<16)
		b.Run(d.String(), func(b *testing.B) {
			b.SetBytes(4 << 16) // of float32
			for b.Loop() {
				if _, err := x.Floats(dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFromFloats(b *testing.B) {
	vals := spread(1 << 16)
	for _, d := range []DType{F32, F16, BF16, F64} {
		b.Run(d.String(), func(b *testing.B) {
			b.SetBytes(4 << 16) // of float32
			for b.Loop() {
				FromFloats(d, []int{1 << 16}, vals)
			}
		})
	}
}
