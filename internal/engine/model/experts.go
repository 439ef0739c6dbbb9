package model

import (
	"fmt"

	"adit/internal/engine/device"
)

// A mixture is a sparse feed-forward part: the K experts that the router finds
// most probable, each times its weight, and the shared one.
type mixture struct {
	router  *weight // (E, D)
	gateUp  *weight // (E*2F, D)
	down    *weight // (E*D, F)
	shared  *mlp    // may be nil
	routing device.Routing
	balance float32 // the share of the balance loss in the loss
	each    bool    // balance is asked of each sequence, not of the batch

	allowed device.Ints
	k       int       // of those allowed
	routed  []float64 // summed weights, by expert; nil if nobody counts
}

func (b *builder) mixture(prefix string, l int, c Config) *mixture {
	d, f, e := c.HiddenSize, c.MoEIntermediateSize, c.NRoutedExperts
	mx := &mixture{
		router: b.matrix(prefix+"gate.weight", e, d),
		routing: device.Routing{
			K: c.NumExpertsPerTok, Scale: float32(c.RoutedScalingFactor), Normal: c.NormTopKProb,
			Groups: c.NGroup, TopGroups: c.TopKGroup,
		},
		balance: float32(c.BalanceAlpha), each: c.BalanceEach,
	}
	var gateUp, down []Param
	for i := range e {
		gateUp = append(gateUp, c.expertParams(fmt.Sprintf("%sexperts.%d.", prefix, i))...)
		down = append(down, c.expertDown(fmt.Sprintf("%sexperts.%d.", prefix, i)))
	}
	mx.gateUp = b.weight(d, gateUp...) // (E*2F, D)
	mx.down = b.weight(f, down...)     // (E*D, F)
	if c.NSharedExperts > 0 {
		mx.shared = b.mlp(prefix+"shared_experts.", c, c.NSharedExperts*f)
	}
	b.mixtures[l] = mx
	return mx
}

// expertParams describes an expert's gate and up matrices. Networks of expert
// groups exchange them as one, (2F, D); everybody else has two, (F, D).
func (c Config) expertParams(prefix string) []Param {
	d, f := c.HiddenSize, c.MoEIntermediateSize
	if c.ModelType == DeepSeek {
		return []Param{{Name: prefix + "gate_up_proj", Shape: []int{2 * f, d}, use: chosen}}
	}
	return []Param{
		{Name: prefix + "gate_proj.weight", Shape: []int{f, d}, use: chosen},
		{Name: prefix + "up_proj.weight", Shape: []int{f, d}, use: chosen},
	}
}

// expertDown describes an expert's down matrix.
func (c Config) expertDown(prefix string) Param {
	name := prefix + "down_proj.weight"
	if c.ModelType == DeepSeek {
		name = prefix + "down_proj"
	}
	return Param{Name: name, Shape: []int{c.HiddenSize, c.MoEIntermediateSize}, Out: true, use: chosen}
}

// forward adds to y (N, D). Which experts a token gets is chosen by x (N, D).
func (mx *mixture) forward(p *pass, y, x *value) {
	if mx.shared != nil {
		mx.shared.forward(p, y, x)
	}
	if mx.k == 0 {
		return
	}
	n, k, r := x.Rows, mx.k, mx.routing
	r.K = k
	logits := p.linear(x, mx.router) // (N, E)
	probs, weight := p.take(n, logits.Cols), p.floats(n*k)
	chosen, slot, offsets := p.ints(n*k), p.ints(n*k), p.ints(logits.Cols+1)
	p.dev.TopK(probs, chosen, weight, logits.Mat, mx.allowed, r)
	if mx.routed != nil {
		mx.count(p.dev, chosen, weight)
	}
	p.dev.Group(offsets, slot, chosen)
	dweight := p.floats(n * k)
	p.back(logits, func() {
		dlogits, _ := p.gradient(logits)
		p.dev.TopKGrad(dlogits, probs, chosen, dweight, r)
		p.addBalance(mx, dlogits, probs, chosen)
	})

	xs := p.scatter(x, slot, k)                                 // (N*K, D)
	gu := p.grouped(xs, mx.gateUp, offsets)                     // (N*K, 2F)
	ys := p.grouped(p.swiglu(gu), mx.down, offsets)             // (N*K, D)
	y.needs = y.needs || p.record && (ys.needs || logits.needs) //
	p.dev.Combine(y.Mat, ys.Mat, slot, weight, k)               // (N, D)
	p.back(y, func() {
		dys, _ := p.gradient(ys)
		dw := dweight
		if !logits.needs {
			dw = nil
		}
		p.dev.CombineGrad(dys, dw, y.grad, ys.Mat, slot, weight, k)
	})
}

// addBalance adds the gradient of the balance loss, and keeps the loss for the
// report.
func (p *pass) addBalance(mx *mixture, dlogits, probs device.Mat, chosen device.Ints) {
	if mx.balance == 0 {
		return
	}
	t, runs := p.b*p.t, 1
	if mx.each {
		t, runs = p.t, p.b
	}
	loss := p.m.balances(runs)
	share := mx.balance / float32(runs)
	p.dev.Balance(loss, dlogits, probs, chosen, mx.k, t, share*p.scale*float32(p.b*p.t))
	p.m.addBalance(loss, share)
}

// scatter brings the rows of x (N, D) that go to one expert together, (N*K, D).
func (p *pass) scatter(x *value, slot device.Ints, k int) *value {
	xs := p.value(x.Rows*k, x.Cols, x.needs)
	p.dev.Scatter(xs.Mat, x.Mat, slot, k)
	p.back(xs, func() { p.dev.ScatterGrad(p.sum(x), xs.grad, slot, k) })
	return xs
}

// grouped multiplies the rows of each expert with its own matrix of w
// (E*out, in): (N*K, in) to (N*K, out).
func (p *pass) grouped(x *value, w *weight, offsets device.Ints) *value {
	out := w.Rows / (offsets.Len() - 1)
	y := p.value(x.Rows, out, x.needs || w.trained())
	p.dev.Grouped(y.Mat, x.Mat, offsets, w.Buf, true, false)
	p.back(y, func() {
		for i := range w.grads {
			r := &w.grads[i]
			p.dev.GroupedGrad(r.grad, y.grad, x.Mat, offsets.Slice(r.lo/out, r.hi/out+1), r.touch())
		}
		if x.needs {
			dx, acc := p.gradient(x)
			p.dev.Grouped(dx, y.grad, offsets, w.Buf, false, acc)
		}
	})
	return y
}

// Route lets the router of a layer choose among these experts only. A layer
// that is not in the map chooses among all. Where fewer are allowed than the
// model chooses for a token, all of them are chosen.
func (m *Model) Route(experts map[int][]int) error {
	var err error
	for l, mx := range m.mixtures {
		list, limited := experts[l]
		allowed := make([]int32, m.cfg.NRoutedExperts)
		for e := range allowed {
			if !limited {
				allowed[e] = 1
			}
		}
		for _, e := range list {
			if e < 0 || e >= len(allowed) {
				err = fmt.Errorf("route: layer %d has no expert %d", l, e)
				continue
			}
			allowed[e] = 1
		}
		n := 0
		for _, a := range allowed {
			n += int(a)
		}
		if mx.allowed == nil {
			mx.allowed = m.dev.NewInts(len(allowed))
		}
		m.dev.UploadInts(mx.allowed, allowed)
		mx.k = min(n, mx.routing.K)
	}
	return err
}
