package ref

import (
	"math"

	"adit/internal/engine/device"
)

func (ref) RMSNorm(y, x device.Mat, w, rstd device.Buf, eps float32) {
	m := openAll(y, x)
	ww, rr := w.(buf), rstd.(buf)
	must(y.Cols == x.Cols && len(ww) == x.Cols && len(rr) == x.Rows, "rmsnorm", y.Cols, x.Cols, len(ww), len(rr))
	for i := range x.Rows {
		in, s := m[1].row(i), 0.0
		for _, v := range in {
			s += float64(v) * float64(v)
		}
		r := 1 / math.Sqrt(s/float64(len(in))+float64(eps))
		for j, v := range in {
			m[0].row(i)[j] = float32(float64(v) * r * float64(ww[j]))
		}
		rr[i] = float32(r)
	}
}

func (ref) RMSNormGrad(dx device.Mat, dw device.Buf, dy, x device.Mat, w, rstd device.Buf) {
	m := openAll(dx, dy, x)
	ww, rr := w.(buf), rstd.(buf)
	must(dx.Cols == x.Cols && dy.Cols == x.Cols && len(ww) == x.Cols && len(rr) == x.Rows, "rmsnorm gradient", dx.Cols, dy.Cols, x.Cols, len(ww), len(rr))
	sum := make([]float64, x.Cols) // of dw
	for i := range x.Rows {
		out, g, in, r := m[0].row(i), m[1].row(i), m[2].row(i), float64(rr[i])
		dot := 0.0 // of the gradient and x, through w
		for j := range in {
			dot += float64(g[j]) * float64(ww[j]) * float64(in[j])
			sum[j] += float64(g[j]) * float64(in[j]) * r
		}
		c := dot * r * r * r / float64(len(in))
		for j := range in {
			out[j] += float32(float64(g[j])*float64(ww[j])*r - float64(in[j])*c)
		}
	}
	if dw != nil {
		d := dw.(buf)
		must(len(d) == x.Cols, "rmsnorm gradient", len(d), x.Cols)
		for j, s := range sum {
			d[j] += float32(s)
		}
	}
}

func (ref) Rope(x device.Mat, t, heads, dim int, cos, sin device.Buf, inverse bool) {
	m, c, s := open(x), cos.(buf), sin.(buf)
	half := dim / 2
	must(x.Cols == heads*dim && dim%2 == 0 && x.Rows%t == 0 && len(c) == t*half && len(s) == t*half, "rope", x.Rows, x.Cols, t, heads, dim, len(c), len(s))
	for i := range x.Rows {
		pos := i % t
		for h := range heads {
			head := m.row(i)[h*dim:][:dim]
			for j := range half {
				co, si := float64(c[pos*half+j]), float64(s[pos*half+j])
				if inverse {
					si = -si
				}
				a, b := float64(head[j]), float64(head[j+half])
				head[j], head[j+half] = float32(a*co-b*si), float32(b*co+a*si)
			}
		}
	}
}

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
