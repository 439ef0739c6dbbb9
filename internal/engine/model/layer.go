package model

import (
	"math"

	"adit/internal/engine/device"
)

// A layer adds attention and a feed-forward part to the residual stream. One
// of mlp and experts is nil.
type layer struct {
	attnNorm *weight // (D)
	qkv      *weight // ((H+2KV)*d, D)
	attnOut  *weight // (D, H*d)
	mlpNorm  *weight // (D)
	mlp      *mlp
	experts  *experts
}

// forward sets next to the residual stream after the layer.
func (ly *layer) forward(m *Model, next device.Mat, a *layerActs, batch int) {
	dev, eps := m.dev, float32(m.cfg.RMSNormEps)
	dev.RMSNorm(a.xn, a.x, ly.attnNorm.Buf, a.rstd, eps)      // (N, D)
	dev.Gemm(a.qkv, a.xn, false, ly.qkv.Mat, true, false)     // (N, (H+2KV)*d)
	q, k, v := m.heads(a.qkv)                                 // (N, H*d), (N, KV*d), (N, KV*d)
	m.rope(q, k, false)                                       //
	dev.Attend(a.att, a.lse, q, k, v, m.attention(batch))     // (N, H*d)
	dev.Copy(a.mid.Buf, a.x.Buf)                              // (N, D)
	dev.Gemm(a.mid, a.att, false, ly.attnOut.Mat, true, true) // (N, D)

	dev.RMSNorm(a.midn, a.mid, ly.mlpNorm.Buf, a.midRstd, eps) // (N, D)
	// Layers that are not walked back through share their activations, next
	// and a.x among them: x is not read any more.
	dev.Copy(next.Buf, a.mid.Buf) // (N, D)
	if ly.experts != nil {
		ly.experts.forward(m, next, a)
	} else {
		ly.mlp.forward(dev, next, a.midn, a.mlp)
	}
}

// backward turns acts.dx from the gradient of the layer's output into that of
// its input, as far down as something is trained.
func (ly *layer) backward(m *Model, l int, all *acts) {
	dev, a, g, dx, dxn := m.dev, all.layers[l], all.scratch, all.dx, all.dxn
	in := m.below(l, mlpInStage)
	if ly.experts != nil {
		ly.experts.backward(m, l, dxn, dx, a, g)
	} else {
		ly.mlp.backward(m, l, dxn, dx, a.midn, a.mlp, g, false)
	}
	if !in {
		return
	}
	dev.RMSNormGrad(dx, ly.mlpNorm.grad(), dxn, a.mid, ly.mlpNorm.Buf, a.midRstd) // (N, D)

	if !m.below(l, mlpNormStage) {
		return
	}
	ly.attnOut.addGrad(dev, dx, a.att)
	if !m.below(l, attnOutStage) {
		return
	}
	dev.Gemm(g.att, dx, false, ly.attnOut.Mat, false, false) // (N, H*d)
	q, k, v := m.heads(a.qkv)
	dq, dk, dv := m.heads(g.qkv)
	dev.AttendGrad(dq, dk, dv, g.att, a.att, a.lse, q, k, v, m.attention(all.batch)) // (N, H*d), (N, KV*d), (N, KV*d)
	m.rope(dq, dk, true)
	ly.qkv.addGrad(dev, g.qkv, a.xn)
	if !m.below(l, qkvStage) {
		return
	}
	dev.Gemm(dxn, g.qkv, false, ly.qkv.Mat, false, false)                      // (N, D)
	dev.RMSNormGrad(dx, ly.attnNorm.grad(), dxn, a.x, ly.attnNorm.Buf, a.rstd) // (N, D)
}

// heads splits the columns of qkv (N, (H+2KV)*d).
func (m *Model) heads(qkv device.Mat) (q, k, v device.Mat) {
	h, kv := m.cfg.NumAttentionHeads*m.cfg.HeadDim, m.cfg.NumKeyValueHeads*m.cfg.HeadDim
	return columns(qkv, 0, h), columns(qkv, h, h+kv), columns(qkv, h+kv, h+2*kv)
}

func (m *Model) rope(q, k device.Mat, inverse bool) {
	c := m.cfg
	r := device.Rotation{T: m.seqLen, Heads: c.NumAttentionHeads, Stride: c.HeadDim, Dim: c.HeadDim, Inverse: inverse}
	m.dev.Rope(q, m.cos, m.sin, r)
	r.Heads = c.NumKeyValueHeads
	m.dev.Rope(k, m.cos, m.sin, r)
}

func (m *Model) attention(batch int) device.Attention {
	c := m.cfg
	return device.Attention{
		B: batch, T: m.seqLen, H: c.NumAttentionHeads, KV: c.NumKeyValueHeads,
		Dim: c.HeadDim, DimV: c.HeadDim, Scale: float32(1 / math.Sqrt(float64(c.HeadDim))),
	}
}

// An mlp is down(silu(gate·x) * up·x).
type mlp struct {
	gateUp *weight // (2F, D)
	down   *weight // (D, F)
}

// forward adds to y (N, D).
func (p *mlp) forward(dev device.Device, y, x device.Mat, a mlpActs) {
	dev.Gemm(a.gu, x, false, p.gateUp.Mat, true, false) // (N, 2F)
	dev.SwiGLU(a.h, a.gu)                               // (N, F)
	dev.Gemm(y, a.h, false, p.down.Mat, true, true)     // (N, D)
}

// backward sets dx (N, D), or adds to it if acc, unless nothing below is
// trained.
func (p *mlp) backward(m *Model, l int, dx, dy, x device.Mat, a mlpActs, g *layerGrads, acc bool) {
	p.down.addGrad(m.dev, dy, a.h)
	if !m.below(l, mlpOutStage) {
		return
	}
	dh := resize(g.h, a.h.Rows, a.h.Cols)
	m.dev.Gemm(dh, dy, false, p.down.Mat, false, false) // (N, F)
	m.dev.SwiGLUGrad(a.gu, dh, a.gu)                    // (N, 2F)
	p.gateUp.addGrad(m.dev, a.gu, x)
	if m.below(l, mlpInStage) {
		m.dev.Gemm(dx, a.gu, false, p.gateUp.Mat, false, acc) // (N, D)
	}
}
