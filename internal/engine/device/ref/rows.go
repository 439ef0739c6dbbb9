package ref

import (
	"math"

	"adit/internal/engine/device"
)

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func (ref) SwiGLU(h, gu device.Mat) {
	m := openAll(h, gu)
	must(gu.Cols == 2*h.Cols, "swiglu", h.Cols, gu.Cols)
	for i := range h.Rows {
		out, in := m[0].row(i), m[1].row(i)
		for j := range out {
			g, u := float64(in[j]), float64(in[h.Cols+j])
			out[j] = float32(g * sigmoid(g) * u)
		}
	}
}

func (ref) SwiGLUGrad(dgu, dh, gu device.Mat) {
	m := openAll(dgu, dh, gu)
	f := dh.Cols
	must(gu.Cols == 2*f && dgu.Cols == 2*f, "swiglu gradient", f, gu.Cols, dgu.Cols)
	for i := range dh.Rows {
		out, d, in := m[0].row(i), m[1].row(i), m[2].row(i)
		for j := range f {
			g, u, dy := float64(in[j]), float64(in[f+j]), float64(d[j])
			s := sigmoid(g)
			out[j] = float32(dy * u * s * (1 + g*(1-s)))
			out[f+j] = float32(dy * g * s)
		}
	}
}

// The constants of GELU by tanh.
const (
	geluScale = 0.7978845608028654 // sqrt(2/π)
	geluCube  = 0.044715
)

func (ref) Gelu(h, x device.Mat) {
	m := openAll(h, x)
	must(h.Cols == x.Cols, "gelu", h.Cols, x.Cols)
	for i := range x.Rows {
		for j, in := range m[1].row(i) {
			v := float64(in)
			m[0].row(i)[j] = float32(v / 2 * (1 + math.Tanh(geluScale*(v+geluCube*v*v*v))))
		}
	}
}

func (ref) GeluGrad(dx, dh, x device.Mat) {
	m := openAll(dx, dh, x)
	must(dx.Cols == x.Cols && dh.Cols == x.Cols, "gelu gradient", dx.Cols, dh.Cols, x.Cols)
	for i := range x.Rows {
		for j, in := range m[2].row(i) {
			v := float64(in)
			t := math.Tanh(geluScale * (v + geluCube*v*v*v))
			slope := (1+t)/2 + v/2*(1-t*t)*geluScale*(1+3*geluCube*v*v)
			m[0].row(i)[j] = float32(float64(m[1].row(i)[j]) * slope)
		}
	}
}

func (ref) CrossEntropy(loss device.Buf, logits device.Mat, targets device.Ints, scale float32) {
	m, l, t := open(logits), loss.(buf), targets.(ints)
	must(len(l) == logits.Rows && len(t) == logits.Rows, "cross entropy", len(l), len(t), logits.Rows)
	for i := range logits.Rows {
		row := m.row(i)
		if t[i] < 0 {
			l[i] = 0
			if scale != 0 {
				clear(row)
			}
			continue
		}
		must(int(t[i]) < len(row), "cross entropy: target", int(t[i]), len(row))
		lse := logSumExp(row)
		l[i] = float32(lse - float64(row[t[i]]))
		if scale == 0 {
			continue
		}
		for j, v := range row {
			g := math.Exp(float64(v) - lse)
			if j == int(t[i]) {
				g--
			}
			row[j] = float32(g * float64(scale))
		}
	}
}

// logSumExp is log Σ exp(x). A NaN or an infinity in x comes out as one that
// is not finite either.
func logSumExp(x []float32) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = math.Max(top, float64(v))
	}
	s := 0.0
	for _, v := range x {
		s += math.Exp(float64(v) - top)
	}
	return top + math.Log(s)
}
