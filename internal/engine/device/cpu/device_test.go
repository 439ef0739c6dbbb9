package cpu_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"adit/internal/engine/device"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/device/devicetest"
	"adit/internal/engine/device/ref"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// each runs a test on every kernel that this machine has, with one thread and
// with three.
func each(t *testing.T, test func(t *testing.T, d device.Device)) {
	for _, name := range cpu.Kernels() {
		for _, threads := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s x%d", name, threads), func(t *testing.T) {
				d, err := cpu.NewKernel(threads, name)
				if err != nil {
					t.Fatal(err)
				}
				test(t, d)
			})
		}
	}
}

// TestCompare runs everything once more, as a program does that asks whether it
// can rely on a device.
func TestCompare(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		for seed := range uint64(5) {
			if err := devicetest.Compare(d, ref.New(), seed); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
	})
}

// data are the vectors that an operation reads and writes.
type data struct {
	bufs [][]float32
	ints [][]int32
}

// on runs op over copies of the data on d and returns what became of them.
func (in data) on(d device.Device, op func(d device.Device, b []device.Buf, v []device.Ints)) data {
	var b []device.Buf
	var v []device.Ints
	for _, x := range in.bufs {
		y := d.NewBuf(len(x))
		d.Upload(y, x)
		b = append(b, y)
	}
	for _, x := range in.ints {
		y := d.NewInts(len(x))
		d.UploadInts(y, x)
		v = append(v, y)
	}
	op(d, b, v)
	d.Sync()
	var out data
	for _, x := range b {
		y := make([]float32, x.Len())
		d.Download(y, x)
		out.bufs = append(out.bufs, y)
	}
	for _, x := range v {
		y := make([]int32, x.Len())
		d.DownloadInts(y, x)
		out.ints = append(out.ints, y)
	}
	return out
}

// same runs op on d and on the reference, and compares every vector. Differences
// may be tolerance, or that part of the number. What is not finite on the one
// must not be on the other.
func same(t *testing.T, d device.Device, in data, tolerance float64, op func(d device.Device, b []device.Buf, v []device.Ints)) {
	t.Helper()
	got, want := in.on(d, op), in.on(ref.New(), op)
	for n := range want.bufs {
		for i, w := range want.bufs[n] {
			g := float64(got.bufs[n][i])
			if !near(g, float64(w), tolerance) {
				t.Fatalf("vector %d, element %d of %d = %v, want %v", n, i, len(want.bufs[n]), g, w)
			}
		}
	}
	for n := range want.ints {
		for i, w := range want.ints[n] {
			if g := got.ints[n][i]; g != w {
				t.Fatalf("integers %d, element %d of %d = %v, want %v", n, i, len(want.ints[n]), g, w)
			}
		}
	}
}

func near(got, want, tolerance float64) bool {
	if finite := !math.IsNaN(want - want); !finite {
		return math.IsNaN(got - got)
	}
	return math.Abs(got-want) <= tolerance*max(1, math.Abs(want))
}

// normal returns n numbers around 0.
func normal(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// below returns n whole numbers from 0 to limit-1.
func below(r *rand.Rand, n, limit int) []int32 {
	x := make([]int32, n)
	for i := range x {
		x[i] = r.Int32N(int32(limit))
	}
	return x
}

func source() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
