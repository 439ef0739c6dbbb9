package ref

import (
	"math"

	"adit/internal/engine/device"
)

// parts cuts the rows of m into parts of width columns: the rows of a matrix of
// their own.
func (m mat) parts(width int) [][]float32 {
	must(width > 0 && m.cols%width == 0, "parts of rows", m.cols, width)
	var all [][]float32
	for i := range m.rows {
		for j := 0; j < m.cols; j += width {
			all = append(all, m.row(i)[j:j+width])
		}
	}
	return all
}

func (ref) RMSNorm(y, x device.Mat, w, rstd device.Buf, eps float32) {
	m := openAll(y, x)
	ww, rr := w.(buf), rstd.(buf)
	ys, xs := m[0].parts(len(ww)), m[1].parts(len(ww))
	must(y.Cols == x.Cols && len(rr) == len(xs), "rmsnorm", y.Cols, x.Cols, len(ww), len(rr))
	for i, in := range xs {
		r := 1 / math.Sqrt(dot(in, in)/float64(len(in))+float64(eps))
		for j, v := range in {
			ys[i][j] = float32(float64(v) * r * float64(ww[j]))
		}
		rr[i] = float32(r)
	}
}

func (ref) RMSNormGrad(dx device.Mat, dw device.Buf, dy, x device.Mat, w, rstd device.Buf) {
	m := openAll(dx, dy, x)
	ww, rr := w.(buf), rstd.(buf)
	outs, gs, xs := m[0].parts(len(ww)), m[1].parts(len(ww)), m[2].parts(len(ww))
	must(dx.Cols == x.Cols && dy.Cols == x.Cols && len(rr) == len(xs), "rmsnorm gradient", dx.Cols, dy.Cols, x.Cols, len(ww), len(rr))
	sum := make([]float64, len(ww)) // of dw
	for i, in := range xs {
		out, g, r := outs[i], gs[i], float64(rr[i])
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
	addSums(dw, sum)
}

// addSums adds sums to dw, unless that is nil.
func addSums(dw device.Buf, sum []float64) {
	if dw == nil {
		return
	}
	d := dw.(buf)
	must(len(d) == len(sum), "gradient of a weight", len(d), len(sum))
	for j, s := range sum {
		d[j] += float32(s)
	}
}

func (ref) LayerNorm(y, x device.Mat, w, b, mean, rstd device.Buf, eps float32) {
	m := openAll(y, x)
	ww, bb, mm, rr := w.(buf), b.(buf), mean.(buf), rstd.(buf)
	must(y.Cols == x.Cols && len(ww) == x.Cols && len(bb) == x.Cols && len(mm) == x.Rows && len(rr) == x.Rows,
		"layernorm", y.Cols, x.Cols, len(ww), len(bb), len(mm), len(rr))
	for i := range x.Rows {
		in, n := m[1].row(i), float64(x.Cols)
		mu, variance := 0.0, 0.0
		for _, v := range in {
			mu += float64(v) / n
		}
		for _, v := range in {
			variance += (float64(v) - mu) * (float64(v) - mu) / n
		}
		r := 1 / math.Sqrt(variance+float64(eps))
		for j, v := range in {
			m[0].row(i)[j] = float32((float64(v)-mu)*r*float64(ww[j]) + float64(bb[j]))
		}
		mm[i], rr[i] = float32(mu), float32(r)
	}
}

func (ref) LayerNormGrad(dx device.Mat, dw, db device.Buf, dy, x device.Mat, w, mean, rstd device.Buf) {
	m := openAll(dx, dy, x)
	ww, mm, rr := w.(buf), mean.(buf), rstd.(buf)
	must(dx.Cols == x.Cols && dy.Cols == x.Cols && len(ww) == x.Cols && len(mm) == x.Rows && len(rr) == x.Rows,
		"layernorm gradient", dx.Cols, dy.Cols, x.Cols, len(ww), len(mm), len(rr))
	dwSum, dbSum := make([]float64, x.Cols), make([]float64, x.Cols)
	for i := range x.Rows {
		out, g, in, r := m[0].row(i), m[1].row(i), m[2].row(i), float64(rr[i])
		h := make([]float64, len(in)) // x centred and scaled
		g1, gh := 0.0, 0.0            // means of the gradient through w, and of that times h
		for j := range in {
			h[j] = (float64(in[j]) - float64(mm[i])) * r
			through := float64(g[j]) * float64(ww[j])
			g1 += through / float64(len(in))
			gh += through * h[j] / float64(len(in))
			dwSum[j] += float64(g[j]) * h[j]
			dbSum[j] += float64(g[j])
		}
		for j := range in {
			out[j] += float32((float64(g[j])*float64(ww[j]) - g1 - h[j]*gh) * r)
		}
	}
	addSums(dw, dwSum)
	addSums(db, dbSum)
}
