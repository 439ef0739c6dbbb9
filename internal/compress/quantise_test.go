package compress

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestQuantise is the vector that upstream's quantiser was run on.
func TestQuantise(t *testing.T) {
	code := make([]uint8, 8)
	q, err := Quantise(code, []float32{-3, -1, -.5, .2, .9, 1.5, 2, 4}, 4)
	if err != nil {
		t.Fatal(err)
	}
	if want := []uint8{1, 2, 2, 2, 2, 2, 2, 3}; !slices.Equal(code, want) {
		t.Errorf("codes %d, not %d", code, want)
	}
	want := Quant{Shift: .5125, Scale: 3.1692648, Lookup: []float32{0, -3.5125, .0041666, 3.4875}}
	if d := cmp.Diff(want, q, cmpopts.EquateApprox(1e-5, 1e-7)); d != "" {
		t.Error(d)
	}
	if err := q.Check(4); err != nil {
		t.Error(err)
	}
}

func TestQuantiseEdges(t *testing.T) {
	for _, vals := range [][]float32{{1, 1, 1, 1}, {0, 0}, {5}} {
		code := make([]uint8, len(vals))
		q, err := Quantise(code, vals, 4)
		if err != nil || q.Scale != 1 {
			t.Errorf("%g: scale %g, %v", vals, q.Scale, err)
		}
		if v := q.Values()[code[0]]; v != vals[0] {
			t.Errorf("%g becomes %g", vals[0], v)
		}
	}
	if _, err := Quantise(make([]uint8, 2), []float32{1, float32(math.NaN())}, 4); err == nil {
		t.Error("a NaN is rounded")
	}
	vals := normal(1, 4096, 64)
	code := make([]uint8, 4096)
	q, _ := Quantise(code, vals, 256)
	for i, v := range vals {
		got := q.Values()[code[i]]
		if code[i] > 0 && code[i] < 255 && math.Abs(float64(got-v)) > float64(q.Scale) {
			t.Fatalf("%g becomes %g with bins of %g", v, got, q.Scale)
		}
	}
}

// TestMoments holds the sums to their definition.
func TestMoments(t *testing.T) {
	vals := normal(8, 1003, 64)
	var mean, want float64
	for _, v := range vals {
		mean += float64(v) / 1003
	}
	for _, v := range vals {
		want += (float64(v) - mean) * (float64(v) - mean)
	}
	q, err := Quantise(make([]uint8, 1003), vals, 4)
	if got := float64(q.Scale); err != nil || math.Abs(got/(6*math.Sqrt(want/1002)/4)-1) > 1e-6 {
		t.Errorf("scale %g", got)
	}
}

func TestQuantCheck(t *testing.T) {
	nan := float32(math.NaN())
	good := Quant{0, 1, []float32{-1, 0, 1, 2}}
	for name, q := range map[string]Quant{
		"lookup": {0, 1, []float32{1, 2, 3}},
		"scale0": {0, 1e-13, good.Lookup},
		"scale+": {0, 2e4, good.Lookup},
		"scaleN": {0, nan, good.Lookup},
		"shift":  {nan, 1, good.Lookup},
		"value":  {0, 1, []float32{1, 2, nan, 0}},
		"large":  {0, 1, []float32{1, 2, 1e30, 0}},
	} {
		if q.Check(4) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if err := good.Check(4); err != nil {
		t.Error(err)
	}
}

// TestQuantiseKernels holds every kernel to the portable one.
func TestQuantiseKernels(t *testing.T) {
	for _, n := range []int{1, 15, 16, 17, 64, 1000, 4096} {
		vals := normal(uint64(n), n, 64)
		if n > 20 {
			copy(vals, []float32{1, -1, 0, 30, -30, 1e-30, 0.0005, 0.0015})
		}
		if n == 1000 { // bins of which none is wide enough
			vals[999] = math.MaxFloat32
			vals[998] = -math.MaxFloat32
		}
		want := make([]uint8, n)
		q, err := quantise(portable(), want, vals, 4)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range kernels() {
			code := make([]uint8, n)
			got, err := quantise(k, code, vals, 4)
			if d := cmp.Diff(q, got); err != nil || d != "" || !slices.Equal(code, want) {
				t.Errorf("%s: %d values: %v %s", k.name, n, err, d)
			}
		}
	}
}
