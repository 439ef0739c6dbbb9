package model

import "adit/internal/engine/device"

// split returns columns of x side by side, of these widths, which share its
// memory. Each is read once.
func (p *pass) split(x *value, widths ...int) []*value {
	parts, at := make([]*value, len(widths)), 0
	for i, w := range widths {
		parts[i] = &value{Mat: columns(x.Mat, at, at+w), needs: x.needs, whole: x, column: at}
		at += w
	}
	return parts
}

// copy returns a copy of x, for others to add to. It goes right after the norm
// of x, so that on the way back the norm adds to the gradient that came through
// the copy.
func (p *pass) copy(x *value) *value {
	y := p.value(x.Rows, x.Cols, x.needs)
	p.dev.Copy(y.Buf, x.Buf)
	p.back(y, func() {
		if x.grad.Buf == nil { // nobody reads that of y any more
			x.grad, x.mem = y.grad, y.mem
			return
		}
		p.dev.Add(x.grad.Buf, y.grad.Buf)
	})
	return y
}

// linear is x·wᵀ + b, (N, in) to (N, out).
func (p *pass) linear(x *value, w *weight) *value {
	y := p.value(x.Rows, w.out(), x.needs || w.trained())
	w.multiply(p.dev, y.Mat, x.Mat, false)
	p.back(y, func() { p.linearBack(x, y.grad, w) })
	return y
}

// addLinear adds x·wᵀ + b to y (N, out).
func (p *pass) addLinear(y, x *value, w *weight) {
	y.needs = y.needs || p.record && (x.needs || w.trained())
	w.multiply(p.dev, y.Mat, x.Mat, true)
	p.back(y, func() { p.linearBack(x, y.grad, w) })
}

func (p *pass) linearBack(x *value, dy device.Mat, w *weight) {
	w.addGrad(p.dev, dy, x.Mat)
	if x.needs {
		dx, acc := p.gradient(x)
		p.dev.Gemm(dx, dy, false, w.Mat, w.transposed, acc) // (N, out)·(out, in)
	}
}

// rmsNorm is x/rms(x)*w. Each part of a row that is as long as w is normalised
// by itself.
func (p *pass) rmsNorm(x *value, w *weight) *value { return p.rmsNormEps(x, w, p.m.eps) }

func (p *pass) rmsNormEps(x *value, w *weight, eps float32) *value {
	y := p.value(x.Rows, x.Cols, x.needs || w.trained())
	rstd := p.floats(x.Rows * x.Cols / w.Cols)
	p.dev.RMSNorm(y.Mat, x.Mat, w.Buf, rstd, eps)
	p.back(y, func() { p.dev.RMSNormGrad(p.sum(x), w.grad(p.dev), y.grad, x.Mat, w.Buf, rstd) })
	return y
}

// layerNorm is (x-mean(x))/std(x)*w + b.
func (p *pass) layerNorm(x *value, w *weight) *value {
	y := p.value(x.Rows, x.Cols, x.needs || w.trained())
	mean, rstd := p.floats(x.Rows), p.floats(x.Rows)
	p.dev.LayerNorm(y.Mat, x.Mat, w.Buf, w.bias.Buf, mean, rstd, p.m.eps)
	p.back(y, func() {
		p.dev.LayerNormGrad(p.sum(x), w.grad(p.dev), w.bias.grad(p.dev), y.grad, x.Mat, w.Buf, mean, rstd)
	})
	return y
}

// rope turns columns of x by their row's position, in place.
func (p *pass) rope(x *value, r device.Rotation) {
	r.T = p.t
	cos, sin := p.angles()
	p.dev.Rope(x.Mat, cos, sin, r)
	p.back(x, func() {
		r.Inverse = true
		p.dev.Rope(x.grad, cos, sin, r)
	})
}

// angles returns the cosines and sines of the pass's positions (T, d/2).
func (p *pass) angles() (cos, sin device.Buf) {
	half := p.m.rot.half
	lo, hi := p.past*half, (p.past+p.t)*half
	return p.m.rot.cos.Slice(lo, hi), p.m.rot.sin.Slice(lo, hi)
}

// attend is causal attention of q (N, H*d) to k (N, KV*d) and v (N, KV*dv),
// (N, H*dv). layer is whose keys and values are remembered in generation.
func (p *pass) attend(layer int, q, k, v *value, a device.Attention) *value {
	a.B, a.T, a.Past = p.b, p.t, p.past
	y := p.value(q.Rows, a.H*a.DimV, q.needs || k.needs || v.needs)
	lse := p.floats(q.Rows * a.H)
	keys, values := k.Mat, v.Mat
	if p.cache != nil {
		keys, values = p.cache.extend(p, layer, keys, values)
	}
	p.dev.Attend(y.Mat, lse, q.Mat, keys, values, a)
	p.back(y, func() {
		dq, _ := p.gradient(q)
		dk, _ := p.gradient(k)
		dv, _ := p.gradient(v)
		p.dev.AttendGrad(dq, dk, dv, y.grad, y.Mat, lse, q.Mat, k.Mat, v.Mat, a)
	})
	return y
}

// swiglu is silu(g)*u of gu (N, 2F), which holds g and u side by side; (N, F).
// The gradient takes gu's place, which nothing else reads.
func (p *pass) swiglu(gu *value) *value {
	h := p.value(gu.Rows, gu.Cols/2, gu.needs)
	p.dev.SwiGLU(h.Mat, gu.Mat)
	p.back(h, func() {
		p.dev.SwiGLUGrad(gu.Mat, h.grad, gu.Mat)
		gu.grad = gu.Mat
	})
	return h
}

// gelu is that of x (N, F), whose place the gradient takes.
func (p *pass) gelu(x *value) *value {
	h := p.value(x.Rows, x.Cols, x.needs)
	p.dev.Gelu(h.Mat, x.Mat)
	p.back(h, func() {
		p.dev.GeluGrad(x.Mat, h.grad, x.Mat)
		x.grad = x.Mat
	})
	return h
}

// embed returns the rows of w (V, D) that ids name (N, D).
func (p *pass) embed(ids device.Ints, w *weight) *value {
	x := p.value(ids.Len(), w.Cols, w.trained())
	p.dev.Embed(x.Mat, w.Mat, ids)
	p.back(x, func() { p.dev.EmbedGrad(device.M(w.grad(p.dev), w.Rows, w.Cols), x.grad, ids) })
	return x
}

// joinHeads returns what heads of these values (N, …) have, side by side in
// each of H heads: part i is width[i] wide and found in x at from[i].
func (p *pass) joinHeads(h int, parts ...headPart) *value {
	width, needs := 0, false
	for _, part := range parts {
		width += part.width
		needs = needs || part.x.needs
	}
	y := p.value(parts[0].x.Rows, h*width, needs)
	at := 0
	for _, part := range parts {
		from := device.Heads{N: h, Stride: part.stride, First: part.first, Width: part.width}
		to := device.Heads{N: h, Stride: width, First: at, Width: part.width}
		p.dev.CopyHeads(y.Mat, to, part.x.Mat, from, false)
		at += part.width
		if part.x.needs {
			p.back(y, func() { p.dev.CopyHeads(p.sum(part.x), from, y.grad, to, true) })
		}
	}
	return y
}

// A headPart is width columns of each head of x, which stand stride apart, from
// first on. With stride 0 all heads have the same.
type headPart struct {
	x                    *value
	stride, first, width int
}
