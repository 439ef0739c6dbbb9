package devicetest

import "adit/internal/engine/device"

// A faulty device does the one operation op almost right.
type faulty struct {
	device.Device
	op string
}

// off changes numbers by a thousandth if op is the faulty operation.
func (f *faulty) off(op string, b device.Buf) {
	if f.op != op || b == nil || b.Len() == 0 {
		return
	}
	x := make([]float32, b.Len())
	f.Download(x, b)
	for i := range x {
		x[i] *= 1.001
	}
	f.Upload(b, x)
}

func (f *faulty) offInts(op string, v device.Ints) {
	if f.op != op {
		return
	}
	x := make([]int32, v.Len())
	f.DownloadInts(x, v)
	x[len(x)-1]++
	f.UploadInts(v, x)
}

func (f *faulty) Zero(x device.Buf) {
	if f.op != "Zero" {
		f.Device.Zero(x)
	}
}

func (f *faulty) Copy(dst, src device.Buf) { f.Device.Copy(dst, src); f.off("Copy", dst) }
func (f *faulty) Add(dst, src device.Buf)  { f.Device.Add(dst, src); f.off("Add", dst) }
func (f *faulty) Scale(x device.Buf, a float32) {
	f.Device.Scale(x, a)
	f.off("Scale", x)
}

func (f *faulty) SumSquares(x device.Buf) float64 {
	s := f.Device.SumSquares(x)
	if f.op == "SumSquares" {
		s *= 1.001
	}
	return s
}

// Finite is content with everything.
func (f *faulty) Finite(x device.Buf) bool {
	return f.op == "Finite" || f.Device.Finite(x)
}

func (f *faulty) AdamW(p, g, m, v device.Buf, a device.Adam) {
	f.Device.AdamW(p, g, m, v, a)
	f.off("AdamW", v)
}

func (f *faulty) Nesterov(p, g, v device.Buf, lr, momentum float32) {
	f.Device.Nesterov(p, g, v, lr, momentum)
	f.off("Nesterov", p)
}

// Round takes the one kind for the other.
func (f *faulty) Round(x device.Buf, to device.Float16) {
	if f.op == "Round" {
		to = device.BF16 - to
	}
	f.Device.Round(x, to)
}

func (f *faulty) Gemm(c, a device.Mat, ta bool, b device.Mat, tb bool, acc bool) {
	f.Device.Gemm(c, a, ta, b, tb, acc && f.op != "Gemm")
}

func (f *faulty) Grouped(c, a device.Mat, offsets device.Ints, b device.Buf, tb bool, acc bool) {
	f.Device.Grouped(c, a, offsets, b, tb, acc && f.op != "Grouped")
}

func (f *faulty) GroupedGrad(db device.Buf, dc, a device.Mat, offsets device.Ints, acc bool) {
	f.Device.GroupedGrad(db, dc, a, offsets, acc)
	f.off("GroupedGrad", db)
}

func (f *faulty) Embed(x, table device.Mat, ids device.Ints) {
	f.Device.Embed(x, table, ids)
	f.off("Embed", x.Buf)
}

func (f *faulty) EmbedGrad(dtable, dx device.Mat, ids device.Ints) {
	f.Device.EmbedGrad(dtable, dx, ids)
	f.off("EmbedGrad", dtable.Buf)
}

func (f *faulty) AddBias(x device.Mat, b device.Buf) {
	f.Device.AddBias(x, b)
	f.off("AddBias", x.Buf)
}

func (f *faulty) BiasGrad(db device.Buf, dy device.Mat) {
	f.Device.BiasGrad(db, dy)
	f.off("BiasGrad", db)
}

func (f *faulty) RMSNorm(y, x device.Mat, w, rstd device.Buf, eps float32) {
	f.Device.RMSNorm(y, x, w, rstd, eps)
	f.off("RMSNorm", rstd)
}

func (f *faulty) RMSNormGrad(dx device.Mat, dw device.Buf, dy, x device.Mat, w, rstd device.Buf) {
	f.Device.RMSNormGrad(dx, dw, dy, x, w, rstd)
	f.off("RMSNormGrad", dw)
}

func (f *faulty) LayerNorm(y, x device.Mat, w, b, mean, rstd device.Buf, eps float32) {
	f.Device.LayerNorm(y, x, w, b, mean, rstd, eps)
	f.off("LayerNorm", mean)
}

func (f *faulty) LayerNormGrad(dx device.Mat, dw, db device.Buf, dy, x device.Mat, w, mean, rstd device.Buf) {
	f.Device.LayerNormGrad(dx, dw, db, dy, x, w, mean, rstd)
	f.off("LayerNormGrad", db)
}

func (f *faulty) Rope(x device.Mat, cos, sin device.Buf, r device.Rotation) {
	r.Inverse = r.Inverse && (f.op != "Rope" || !r.Pairs)
	f.Device.Rope(x, cos, sin, r)
}

func (f *faulty) CopyHeads(dst device.Mat, to device.Heads, src device.Mat, from device.Heads, acc bool) {
	f.Device.CopyHeads(dst, to, src, from, acc && f.op != "CopyHeads")
}

func (f *faulty) Attend(o device.Mat, lse device.Buf, q, k, v device.Mat, a device.Attention) {
	f.Device.Attend(o, lse, q, k, v, a)
	f.off("Attend", lse)
}

func (f *faulty) AttendGrad(dq, dk, dv, do, o device.Mat, lse device.Buf, q, k, v device.Mat, a device.Attention) {
	f.Device.AttendGrad(dq, dk, dv, do, o, lse, q, k, v, a)
	f.off("AttendGrad", dk.Buf)
}

func (f *faulty) SwiGLU(h, gu device.Mat) { f.Device.SwiGLU(h, gu); f.off("SwiGLU", h.Buf) }
func (f *faulty) SwiGLUGrad(dgu, dh, gu device.Mat) {
	f.Device.SwiGLUGrad(dgu, dh, gu)
	f.off("SwiGLUGrad", dgu.Buf)
}

func (f *faulty) Gelu(h, x device.Mat) { f.Device.Gelu(h, x); f.off("Gelu", h.Buf) }
func (f *faulty) GeluGrad(dx, dh, x device.Mat) {
	f.Device.GeluGrad(dx, dh, x)
	f.off("GeluGrad", dx.Buf)
}

func (f *faulty) CrossEntropy(loss device.Buf, logits device.Mat, targets device.Ints, scale float32) {
	f.Device.CrossEntropy(loss, logits, targets, scale)
	f.off("CrossEntropy", loss)
}

func (f *faulty) TopK(probs device.Mat, chosen device.Ints, weight device.Buf, logits device.Mat, allowed device.Ints, r device.Routing) {
	if f.op == "TopK" {
		r.Groups = 0
	}
	f.Device.TopK(probs, chosen, weight, logits, allowed, r)
}

func (f *faulty) TopKGrad(dlogits, probs device.Mat, chosen device.Ints, dweight device.Buf, r device.Routing) {
	r.Normal = r.Normal && f.op != "TopKGrad"
	f.Device.TopKGrad(dlogits, probs, chosen, dweight, r)
}

func (f *faulty) Balance(loss device.Buf, dlogits, probs device.Mat, chosen device.Ints, k, t int, scale float32) {
	f.Device.Balance(loss, dlogits, probs, chosen, k, t, scale)
	f.off("Balance", loss)
}

func (f *faulty) Group(offsets, slot, chosen device.Ints) {
	f.Device.Group(offsets, slot, chosen)
	f.offInts("Group", slot)
}

func (f *faulty) Scatter(xs, x device.Mat, slot device.Ints, k int) {
	f.Device.Scatter(xs, x, slot, k)
	f.off("Scatter", xs.Buf)
}

func (f *faulty) ScatterGrad(dx, dxs device.Mat, slot device.Ints, k int) {
	f.Device.ScatterGrad(dx, dxs, slot, k)
	f.off("ScatterGrad", dx.Buf)
}

func (f *faulty) Combine(y, ys device.Mat, slot device.Ints, weight device.Buf, k int) {
	f.Device.Combine(y, ys, slot, weight, k)
	f.off("Combine", y.Buf)
}

func (f *faulty) CombineGrad(dys device.Mat, dweight device.Buf, dy, ys device.Mat, slot device.Ints, weight device.Buf, k int) {
	f.Device.CombineGrad(dys, dweight, dy, ys, slot, weight, k)
	f.off("CombineGrad", dweight)
}
