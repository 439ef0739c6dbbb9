package tensor

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDTypeNames(t *testing.T) {
	for d := F32; d <= Bool; d++ {
		if got, ok := ParseDType(d.String()); !ok || got != d {
			t.Errorf("ParseDType(%q) = %v, %v", d.String(), got, ok)
		}
		if got, ok := ParseStorage(d.Storage()); !ok || got != d {
			t.Errorf("ParseStorage(%q) = %v, %v", d.Storage(), got, ok)
		}
		if got, ok := ParseTorch(d.Torch()); !ok || got != d {
			t.Errorf("ParseTorch(%q) = %v, %v", d.Torch(), got, ok)
		}
	}
	for _, name := range []string{"", "f32", "F8_E4M3", "U64", "FloatStorage"} {
		if d, ok := ParseDType(name); ok {
			t.Errorf("ParseDType(%q) = %v", name, d)
		}
	}
	if (Bool + 1).Valid() {
		t.Error("there is a type after Bool")
	}
}

func TestBytes(t *testing.T) {
	for _, tt := range []struct {
		dtype DType
		shape []int
		want  int64
		bad   bool
	}{
		{F32, nil, 4, false},
		{BF16, []int{2, 3}, 12, false},
		{U8, []int{5, 0, 7}, 0, false},
		{F64, []int{math.MaxInt, 0, math.MaxInt}, 0, true},
		{F32, []int{-1}, 0, true},
		{F32, []int{-1, -1}, 0, true},
		{F32, []int{0, -1}, 0, true},
		{F64, []int{1 << 31, 1 << 30}, 0, true},
		{I8, []int{1 << 32, 1 << 32}, 0, true},
		{U8, []int{math.MaxInt}, math.MaxInt, false},
	} {
		got, err := Bytes(tt.dtype, tt.shape)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("Bytes(%v, %v) = %d, %v; want %d, error %v", tt.dtype, tt.shape, got, err, tt.want, tt.bad)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, bad := range []Tensor{
		{DType: F32, Shape: []int{2}, Data: make([]byte, 7)},
		{DType: F32, Data: nil},
		{DType: Bool + 1, Shape: []int{1}, Data: make([]byte, 1)},
		{DType: U8, Shape: []int{-1}},
	} {
		if bad.Check() == nil {
			t.Errorf("%v passes", bad)
		}
		if _, err := bad.Floats(nil); err == nil {
			t.Errorf("Floats of %v has no error", bad)
		}
	}
	if _, err := (Tensor{DType: I32, Data: make([]byte, 4)}).Floats(nil); err == nil {
		t.Error("integers are given as floats")
	}
}

func TestFloatsRoundTrip(t *testing.T) {
	want := []float32{0, 1, -2, 0.5, 65504, -0.25}
	for _, d := range []DType{F32, F16, BF16, F64} {
		vals := slices.Clone(want)
		if d == BF16 {
			vals[4] = 65536
		}
		x := FromFloats(d, []int{2, 3}, vals)
		got, err := x.Floats(make([]float32, 1, 100))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(vals, got); diff != "" {
			t.Errorf("%v:\n%s", d, diff)
		}
	}
}

func TestFromFloatsPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"integers":    func() { FromFloats(I32, []int{1}, []float32{1}) },
		"wrong count": func() { FromFloats(F32, []int{2}, []float32{1}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestF16Exhaustive(t *testing.T) {
	exhaustive(t, 10, F16ToF32, F32ToF16)
}

func TestBF16Exhaustive(t *testing.T) {
	exhaustive(t, 7, BF16ToF32, F32ToBF16)
}

// exhaustive compares both directions over all 16-bit patterns with the
// definition of a float, computed in float64, and rounding at and beside the
// middle of every two neighbours.
func exhaustive(t *testing.T, fraction int, widen func(uint16) float32, round func(float32) uint16) {
	bias := 1<<(14-fraction) - 1
	inf := uint16(0x7fff &^ (1<<fraction - 1))
	value := func(h uint16) float64 {
		exp, frac := int(h&0x7fff)>>fraction, float64(h&(1<<fraction-1))
		v := math.Ldexp(frac, 1-bias-fraction)
		if exp > 0 {
			v = math.Ldexp(frac+math.Ldexp(1, fraction), exp-bias-fraction)
		}
		if h&0x8000 != 0 {
			v = -v
		}
		return v
	}
	for i := range 1 << 16 {
		h := uint16(i)
		f, mag := widen(h), h&0x7fff
		switch {
		case mag > inf:
			if f == f {
				t.Fatalf("%#04x is %v, not NaN", h, f)
			}
			if back := round(f); back&0x7fff <= inf || back&0x8000 != h&0x8000 {
				t.Fatalf("NaN %#04x comes back as %#04x", h, back)
			}
			continue
		case mag == inf:
			if !math.IsInf(float64(f), 1-2*int(h>>15)) {
				t.Fatalf("%#04x is %v, not infinite", h, f)
			}
		case float64(f) != value(h) || math.Signbit(float64(f)) != (h&0x8000 != 0):
			t.Fatalf("%#04x is %v, not %v", h, f, value(h))
		}
		if back := round(f); back != h {
			t.Fatalf("%#04x → %v → %#04x", h, f, back)
		}
		if mag >= inf {
			continue
		}
		// The middle between h and the next away from nought. Above the
		// largest finite value that is where infinity begins.
		mid := float32((value(h) + value(h+1)) / 2)
		if fraction == 7 && mag == inf-1 {
			mid = math.Float32frombits(uint32(h)<<16 | 0x8000)
		}
		if want := h + h&1; round(mid) != want {
			t.Fatalf("%v, between %#04x and the next, rounds to %#04x, not %#04x", mid, h, round(mid), want)
		}
		away := float32(math.Copysign(math.Inf(1), float64(mid)))
		if below := math.Nextafter32(mid, 0); round(below) != h && mid != 0 {
			t.Fatalf("%v rounds to %#04x, not %#04x", below, round(below), h)
		}
		if above := math.Nextafter32(mid, away); round(above) != h+1 {
			t.Fatalf("%v rounds to %#04x, not %#04x", above, round(above), h+1)
		}
	}
	for f, want := range map[float32]uint16{math.MaxFloat32: inf, -math.MaxFloat32: inf | 0x8000, 1e-45: 0, -1e-45: 0x8000} {
		if round(f) != want {
			t.Errorf("%v rounds to %#04x, not %#04x", f, round(f), want)
		}
	}
	if nan := round(math.Float32frombits(0x7f800001)); nan&0x7fff <= inf {
		t.Errorf("the smallest NaN becomes %#04x", nan)
	}
}

func TestFinite(t *testing.T) {
	inf := float32(math.Inf(1))
	nan := float32(math.NaN())
	for _, d := range []DType{F32, F16, BF16, F64} {
		for _, n := range []int{0, 1, 3, 8, 31, 33, 100} {
			vals := make([]float32, n)
			for i := range vals {
				vals[i] = []float32{-60000, 60000, 0, 6e-8}[i%4]
			}
			if x := FromFloats(d, []int{n}, vals); !x.Finite() {
				t.Errorf("%v[%d] of finite values is not finite", d, n)
			}
			for i := range vals {
				for _, bad := range []float32{inf, -inf, nan, -nan} {
					old := vals[i]
					vals[i] = bad
					if x := FromFloats(d, []int{n}, vals); x.Finite() {
						t.Errorf("%v[%d] with %v at %d is finite", d, n, bad, i)
					}
					vals[i] = old
				}
			}
		}
	}
	if !(Tensor{DType: I32, Shape: []int{1}, Data: []byte{255, 255, 255, 255}}).Finite() {
		t.Error("integers are not finite")
	}
}

func TestDict(t *testing.T) {
	d := Dict{
		"b":     FromFloats(F16, []int{3}, make([]float32, 3)),
		"a":     FromFloats(F32, nil, []float32{1}),
		"é":     {DType: U8, Shape: []int{0}},
		"B":     {DType: I64, Shape: []int{1}, Data: make([]byte, 8)},
		"a.b":   {DType: U8, Shape: []int{0}},
		"a\x00": {DType: U8, Shape: []int{0}},
	}
	if diff := cmp.Diff([]string{"B", "a", "a\x00", "a.b", "b", "é"}, d.Keys()); diff != "" {
		t.Error(diff)
	}
	if d.Bytes() != 18 {
		t.Errorf("Bytes() = %d, want 18", d.Bytes())
	}
}

func BenchmarkFinite(b *testing.B) {
	for _, d := range []DType{F32, BF16} {
		x := FromFloats(d, []int{1 << 20}, make([]float32, 1<<20))
		b.Run(d.String(), func(b *testing.B) {
			b.SetBytes(int64(len(x.Data)))
			for b.Loop() {
				x.Finite()
			}
		})
	}
}
