package devicetest

import (
	"math/rand/v2"

	"adit/internal/engine/device"
)

// A trial is an operation on one device, and all that it may read and write.
type trial struct {
	device.Device
	r     *rand.Rand
	bufs  []device.Buf
	ints  []device.Ints
	exact bool // no arithmetic that could be rounded in two ways

	results     []float64 // of what returns a number
	floatsAfter [][]float32
	intsAfter   [][]int32
}

// between returns a number from lo to hi.
func (t *trial) between(lo, hi int) int { return lo + t.r.IntN(hi-lo+1) }

// numbers returns n numbers made by f.
func (t *trial) numbers(n int, f func() float64) device.Buf {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(f())
	}
	return t.of(x)
}

// of returns the numbers x.
func (t *trial) of(x []float32) device.Buf {
	b := t.NewBuf(len(x))
	t.Upload(b, x)
	t.bufs = append(t.bufs, b)
	return b
}

// normal returns n numbers around 0.
func (t *trial) normal(n int) device.Buf { return t.numbers(n, t.r.NormFloat64) }

// positive returns n numbers from 0.5 to 1.5.
func (t *trial) positive(n int) device.Buf {
	return t.numbers(n, func() float64 { return 0.5 + t.r.Float64() })
}

// matrix returns a matrix of numbers around 0 whose rows are up to 3 elements
// apart, with nothing behind the last.
func (t *trial) matrix(rows, cols int) device.Mat {
	stride := cols + t.between(0, 3)
	return device.Mat{Buf: t.normal((rows-1)*stride + cols), Rows: rows, Cols: cols, Stride: stride}
}

// integers returns these numbers.
func (t *trial) integers(x ...int32) device.Ints {
	v := t.NewInts(len(x))
	t.UploadInts(v, x)
	t.ints = append(t.ints, v)
	return v
}

// below returns n numbers from 0 to limit-1.
func (t *trial) below(n, limit int) device.Ints {
	x := make([]int32, n)
	for i := range x {
		x[i] = t.r.Int32N(int32(limit))
	}
	return t.integers(x...)
}

// shuffled returns the numbers below n in any order.
func (t *trial) shuffled(n int) device.Ints {
	x := make([]int32, n)
	for i, j := range t.r.Perm(n) {
		x[i] = int32(j)
	}
	return t.integers(x...)
}

// download fetches what the operation left behind.
func (t *trial) download() {
	for _, b := range t.bufs {
		x := make([]float32, b.Len())
		t.Download(x, b)
		t.floatsAfter = append(t.floatsAfter, x)
	}
	for _, v := range t.ints {
		x := make([]int32, v.Len())
		t.DownloadInts(x, v)
		t.intsAfter = append(t.intsAfter, x)
	}
}
