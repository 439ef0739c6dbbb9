// Package ref implements every device operation as slow, obvious loops. It is
// the oracle that the fast devices are tested against, so it is written to be
// seen to be right: sums are kept in 64 bits and rounded once, nothing is
// fused, and sizes that do not fit panic.
package ref

import (
	"fmt"
	"math"

	"adit/internal/engine/device"
	"adit/internal/tensor"
)

type ref struct{}

// New returns the reference device.
func New() device.Device { return ref{} }

type buf []float32

func (b buf) Len() int                    { return len(b) }
func (b buf) Slice(lo, hi int) device.Buf { return b[lo:hi:hi] }

type ints []int32

func (v ints) Len() int                     { return len(v) }
func (v ints) Slice(lo, hi int) device.Ints { return v[lo:hi:hi] }

// mat is a device.Mat with its memory in reach.
type mat struct {
	x                  []float32
	rows, cols, stride int
}

func (m mat) row(i int) []float32 { return m.x[i*m.stride:][:m.cols] }

func open(m device.Mat) mat {
	x := m.Buf.(buf)
	if m.Rows > 0 && (m.Stride < m.Cols || (m.Rows-1)*m.Stride+m.Cols > len(x)) {
		panic(fmt.Sprintf("ref: %d by %d matrix of stride %d in %d elements", m.Rows, m.Cols, m.Stride, len(x)))
	}
	return mat{x, m.Rows, m.Cols, m.Stride}
}

// openAll opens matrices that must have the same number of rows.
func openAll(ms ...device.Mat) []mat {
	out := make([]mat, len(ms))
	for i, m := range ms {
		out[i] = open(m)
		must(m.Rows == ms[0].Rows, "rows differ", m.Rows, ms[0].Rows)
	}
	return out
}

func must(ok bool, what string, sizes ...int) {
	if !ok {
		panic(fmt.Sprint("ref: ", what, " ", sizes))
	}
}

func (ref) Name() string { return "reference" }

func (ref) NewBuf(n int) device.Buf   { return make(buf, n) }
func (ref) NewInts(n int) device.Ints { return make(ints, n) }

func (ref) Upload(dst device.Buf, src []float32) {
	must(dst.Len() == len(src), "upload", dst.Len(), len(src))
	copy(dst.(buf), src)
}

func (ref) Download(dst []float32, src device.Buf) {
	must(src.Len() == len(dst), "download", len(dst), src.Len())
	copy(dst, src.(buf))
}

func (ref) UploadInts(dst device.Ints, src []int32) {
	must(dst.Len() == len(src), "upload ints", dst.Len(), len(src))
	copy(dst.(ints), src)
}

func (ref) DownloadInts(dst []int32, src device.Ints) {
	must(src.Len() == len(dst), "download ints", len(dst), src.Len())
	copy(dst, src.(ints))
}

func (ref) Sync() {}

func (ref) Zero(x device.Buf) { clear(x.(buf)) }

func (ref) Copy(dst, src device.Buf) {
	must(dst.Len() == src.Len(), "copy", dst.Len(), src.Len())
	copy(dst.(buf), src.(buf))
}

func (ref) Add(dst, src device.Buf) {
	must(dst.Len() == src.Len(), "add", dst.Len(), src.Len())
	d := dst.(buf)
	for i, s := range src.(buf) {
		d[i] += s
	}
}

func (ref) Scale(x device.Buf, a float32) {
	v := x.(buf)
	for i := range v {
		v[i] *= a
	}
}

func (ref) SumSquares(x device.Buf) float64 {
	s := 0.0
	for _, v := range x.(buf) {
		s += float64(v) * float64(v)
	}
	return s
}

func (ref) Finite(x device.Buf) bool {
	for _, v := range x.(buf) {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return false
		}
	}
	return true
}

func (ref) AdamW(p, g, m, v device.Buf, a device.Adam) {
	must(p.Len() == g.Len() && p.Len() == m.Len() && p.Len() == v.Len(), "adamw", p.Len(), g.Len(), m.Len(), v.Len())
	b1, b2 := float64(a.Beta1), float64(a.Beta2)
	c1, c2 := 1-math.Pow(b1, float64(a.Step)), 1-math.Pow(b2, float64(a.Step))
	pp, gg, mm, vv := p.(buf), g.(buf), m.(buf), v.(buf)
	for i := range pp {
		grad := float64(gg[i]) * float64(a.GradScale)
		m := b1*float64(mm[i]) + (1-b1)*grad
		v := b2*float64(vv[i]) + (1-b2)*grad*grad
		w := float64(pp[i])
		w -= float64(a.LR) * (m/c1/(math.Sqrt(v/c2)+float64(a.Eps)) + float64(a.WeightDecay)*w)
		pp[i], mm[i], vv[i] = float32(w), float32(m), float32(v)
	}
}

func (ref) Nesterov(p, g, v device.Buf, lr, momentum float32) {
	must(p.Len() == g.Len() && p.Len() == v.Len(), "nesterov", p.Len(), g.Len(), v.Len())
	pp, gg, vv := p.(buf), g.(buf), v.(buf)
	for i := range pp {
		speed := float64(momentum)*float64(vv[i]) + float64(gg[i])
		pp[i] = float32(float64(pp[i]) - float64(lr)*(float64(gg[i])+float64(momentum)*speed))
		vv[i] = float32(speed)
	}
}

func (ref) Round(x device.Buf, to device.Float16) {
	v := x.(buf)
	for i, f := range v {
		switch to {
		case device.F16:
			v[i] = tensor.F16ToF32(tensor.F32ToF16(f))
		case device.BF16:
			v[i] = tensor.BF16ToF32(tensor.F32ToBF16(f))
		default:
			must(false, "round to", int(to))
		}
	}
}
