package cpu

import (
	"fmt"
	"slices"
	"unsafe"

	"adit/internal/engine/device"
)

type buf []float32

func (b buf) Len() int                    { return len(b) }
func (b buf) Slice(lo, hi int) device.Buf { return b[lo:hi:hi] }

type ints []int32

func (v ints) Len() int                     { return len(v) }
func (v ints) Slice(lo, hi int) device.Ints { return v[lo:hi:hi] }

// aligned returns n zeros that begin with a cache line.
func aligned(n int) []float32 {
	const line = 64
	x := make([]float32, n+line/4-1)
	huge(x)
	off := 0
	if r := uintptr(unsafe.Pointer(unsafe.SliceData(x))) % line; r != 0 {
		off = int(line-r) / 4
	}
	return x[off : off+n : off+n]
}

// grow returns a slice of n elements in the memory of x, or in new memory if
// that is too small. What it holds is arbitrary.
func grow(x []float32, n int) []float32 {
	if n <= cap(x) {
		return x[:n]
	}
	return aligned(n)
}

// growInts is [grow] for integers.
func growInts(v ints, n int) ints { return slices.Grow(v[:0], n)[:n] }

// view is a device.Mat with its memory in reach.
type view struct {
	x                  []float32
	rows, cols, stride int
}

func (v view) row(i int) []float32 { return v.x[i*v.stride:][:v.cols:v.cols] }

// fits reports whether v has these sizes.
func (v view) fits(rows, cols int) bool { return v.rows == rows && v.cols == cols }

// open panics unless the matrix lies within its buffer.
func open(m device.Mat) view {
	x := m.Buf.(buf)
	if m.Rows < 0 || m.Cols < 0 || m.Rows > 0 && (m.Stride < m.Cols || (m.Rows-1)*m.Stride+m.Cols > len(x)) {
		misfit("matrix", m.Rows, m.Cols, m.Stride, len(x))
	}
	return view{x, m.Rows, m.Cols, m.Stride}
}

// misfit is where callers' sizes that do not fit end up.
func misfit(what string, sizes ...int) {
	panic(fmt.Sprintf("cpu: %s: sizes do not fit: %v", what, sizes))
}

// NewBuf returns n zeros.
func (d *Device) NewBuf(n int) device.Buf { return buf(aligned(n)) }

// NewInts returns n zeros.
func (d *Device) NewInts(n int) device.Ints { return make(ints, n) }

// Upload copies src to dst, of the same length.
func (d *Device) Upload(dst device.Buf, src []float32) { d.Copy(dst, buf(src)) }

// Download copies src to dst, of the same length.
func (d *Device) Download(dst []float32, src device.Buf) { d.Copy(buf(dst), src) }

// UploadInts copies src to dst, of the same length.
func (d *Device) UploadInts(dst device.Ints, src []int32) {
	if dst.Len() != len(src) {
		misfit("upload ints", dst.Len(), len(src))
	}
	copy(dst.(ints), src)
}

// DownloadInts copies src to dst, of the same length.
func (d *Device) DownloadInts(dst []int32, src device.Ints) {
	if src.Len() != len(dst) {
		misfit("download ints", len(dst), src.Len())
	}
	copy(dst, src.(ints))
}
