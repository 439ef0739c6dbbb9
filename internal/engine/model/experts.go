package model

import "adit/internal/engine/device"

// experts is the sparse feed-forward part: the K experts that the router finds
// most probable, each times its probability, and the shared expert.
type experts struct {
	router  *weight // (E, D)
	gateUp  *weight // (E*2F, D)
	down    *weight // (E*D, F)
	shared  *mlp    // may be nil
	allowed device.Ints
	k       int // of those allowed
}

// at returns the activations of k experts per token.
func (a expertActs) at(n, k int) expertActs {
	a.chosen, a.slot, a.weight = a.chosen.Slice(0, n*k), a.slot.Slice(0, n*k), a.weight.Slice(0, n*k)
	a.xs, a.ys = resize(a.xs, n*k, a.xs.Cols), resize(a.ys, n*k, a.ys.Cols)
	a.gu, a.h = resize(a.gu, n*k, a.gu.Cols), resize(a.h, n*k, a.h.Cols)
	return a
}

// forward adds to y (N, D). The input is the normalised stream.
func (x *experts) forward(m *Model, y device.Mat, all *layerActs) {
	dev, in, scale := m.dev, all.midn, float32(m.cfg.RoutedScalingFactor)
	if x.shared != nil {
		x.shared.forward(dev, y, in, all.mlp)
	}
	if x.k == 0 {
		return
	}
	a := all.experts.at(in.Rows, x.k)
	dev.Gemm(a.logits, in, false, x.router.Mat, true, false)                                         // (N, E)
	dev.TopK(a.probs, a.chosen, a.weight, a.logits, x.allowed, device.Routing{K: x.k, Scale: scale}) // (N, E), (N*K), (N*K)
	dev.Group(a.offsets, a.slot, a.chosen)                                                           // (E+1), (N*K)
	dev.Scatter(a.xs, in, a.slot, x.k)                                                               // (N*K, D)
	dev.Grouped(a.gu, a.xs, a.offsets, x.gateUp.Buf, true, false)                                    // (N*K, 2F)
	dev.SwiGLU(a.h, a.gu)                                                                            // (N*K, F)
	dev.Grouped(a.ys, a.h, a.offsets, x.down.Buf, true, false)                                       // (N*K, D)
	dev.Combine(y, a.ys, a.slot, a.weight, x.k)                                                      // (N, D)
}

// backward sets dx (N, D) unless nothing below is trained.
func (x *experts) backward(m *Model, l int, dx, dy device.Mat, all *layerActs, g *layerGrads) {
	dev, in, scale := m.dev, all.midn, float32(m.cfg.RoutedScalingFactor)
	if m.below(l, mlpInStage) {
		dev.Zero(dx.Buf)
	}
	if x.shared != nil {
		x.shared.backward(m, l, dx, dy, in, all.mlp, g, true)
	}
	if x.k == 0 {
		return
	}
	n, k := in.Rows, x.k
	a := all.experts.at(n, k)
	dys := resize(g.ys, n*k, g.ys.Cols)
	routed := len(x.router.grads) > 0 || m.below(l, mlpInStage) // the choice passes a gradient on
	var dweight device.Buf
	if routed {
		dweight = g.weight.Slice(0, n*k)
	}
	dev.CombineGrad(dys, dweight, dy, a.ys, a.slot, a.weight, k) // (N*K, D), (N*K)
	if routed {
		dev.TopKGrad(g.logits, a.probs, a.chosen, dweight, device.Routing{K: k, Scale: scale}) // (N, E)
		x.router.addGrad(dev, g.logits, in)
		if m.below(l, mlpInStage) {
			dev.Gemm(dx, g.logits, false, x.router.Mat, false, true) // (N, D)
		}
	}

	x.down.addGroupedGrad(dev, m.cfg.HiddenSize, dys, a.h, a.offsets)
	if !m.below(l, mlpOutStage) {
		return
	}
	dh := resize(g.eh, n*k, g.eh.Cols)
	dev.Grouped(dh, dys, a.offsets, x.down.Buf, false, false) // (N*K, F)
	dev.SwiGLUGrad(a.gu, dh, a.gu)                            // (N*K, 2F)
	x.gateUp.addGroupedGrad(dev, 2*m.cfg.MoEIntermediateSize, a.gu, a.xs, a.offsets)
	if m.below(l, mlpInStage) {
		dxs := resize(g.xs, n*k, g.xs.Cols)
		dev.Grouped(dxs, a.gu, a.offsets, x.gateUp.Buf, false, false) // (N*K, D)
		dev.ScatterGrad(dx, dxs, a.slot, k)                           // (N, D)
	}
}

// addGroupedGrad adds to the gradients of w's trained experts, of rows rows
// each, what dy (N*K, rows) and x (N*K, cols) give.
func (w *weight) addGroupedGrad(dev device.Device, rows int, dy, x device.Mat, offsets device.Ints) {
	for _, r := range w.grads {
		dev.GroupedGrad(r.grad, dy, x, offsets.Slice(r.lo/rows, r.hi/rows+1))
	}
}
