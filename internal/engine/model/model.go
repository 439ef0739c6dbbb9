// Package model computes decoder language models over the operations of a
// device, forward and backward, once for all devices.
//
// A layer is RMSNorm, causal attention with rotary positions, RMSNorm, and a
// SwiGLU: one dense one in the first layers and in Llama models; elsewhere the
// K most probable of E routed experts and a shared one (DeepSeek). Comments
// give shapes: B sequences of T tokens are N = B*T rows of width D; attention
// has H query and KV key heads of width d; V is the vocabulary.
//
// Parameters have the names that Hugging Face's libraries give them, but for
// the routed experts, whose gate and up matrices are one parameter
// experts.<e>.gate_up_proj (2F, D), as networks of the expert-group kind
// exchange them.
package model

import (
	"fmt"
	"math"

	"adit/internal/engine/device"
)

// A Model is a model's parameters on a device, and the memory to run it.
type Model struct {
	cfg    Config
	seqLen int
	dev    device.Device

	buf     device.Buf // all parameters
	params  []Param
	weights []*weight

	embed    *weight // (V, D)
	layers   []*layer
	norm     *weight    // (D)
	head     *weight    // (V, D); the embedding if they are tied
	cos, sin device.Buf // (T, d/2)

	grad   device.Buf // of the trained parameters
	lowest int        // the lowest trained stage
	arena  *arena
	acts   *acts
}

// maxParams is how many numbers a model may have: 256 GiB of them.
const maxParams = 1 << 36

// New returns a model for sequences of seqLen tokens, all parameters nought.
func New(dev device.Device, c Config, seqLen int) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("model config: %w", err)
	}
	if seqLen < 1 || seqLen > c.MaxPositionEmbeddings {
		return nil, fmt.Errorf("sequence length %d is not from 1 to max_position_embeddings %d", seqLen, c.MaxPositionEmbeddings)
	}
	var count builder
	count.model(c)
	if count.off > maxParams {
		return nil, fmt.Errorf("a model of %d numbers is larger than the %d that this program is made for", count.off, maxParams)
	}
	b := builder{buf: dev.NewBuf(count.off)}
	m := b.model(c)
	m.dev, m.seqLen, m.buf = dev, seqLen, b.buf
	m.lowest = m.nothing()
	m.rotations()
	m.Route(nil)
	return m, nil
}

// rotations fills the tables of angles: position t turns pair j by
// t / theta^(2j/d).
func (m *Model) rotations() {
	t, half := m.seqLen, m.cfg.HeadDim/2
	cos, sin := make([]float32, t*half), make([]float32, t*half)
	for i := range cos {
		a := float64(i/half) / math.Pow(m.cfg.RopeTheta, float64(i%half)/float64(half))
		cos[i], sin[i] = float32(math.Cos(a)), float32(math.Sin(a))
	}
	m.cos, m.sin = m.dev.NewBuf(len(cos)), m.dev.NewBuf(len(sin))
	m.dev.Upload(m.cos, cos)
	m.dev.Upload(m.sin, sin)
}

// Config returns the model's shape.
func (m *Model) Config() Config { return m.cfg }

// SeqLen returns how many tokens a sequence has.
func (m *Model) SeqLen() int { return m.seqLen }

// Params returns the model's parameters in the order in which they are stored.
func (m *Model) Params() []Param { return m.params }

// Weights returns the memory of a parameter.
func (m *Model) Weights(p Param) device.Buf { return m.buf.Slice(p.Lo, p.Hi) }

// Route lets the router of a layer choose among these experts only. A layer
// that is not in the map chooses among all. Where fewer are allowed than the
// model chooses for a token, all of them are chosen.
func (m *Model) Route(experts map[int][]int) error {
	var err error
	for l, ly := range m.layers {
		if ly.experts == nil {
			continue
		}
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
		if ly.experts.allowed == nil {
			ly.experts.allowed = m.dev.NewInts(len(allowed))
		}
		m.dev.UploadInts(ly.experts.allowed, allowed)
		ly.experts.k = min(n, m.cfg.NumExpertsPerTok)
	}
	return err
}

// Forward runs the model on batch sequences one after another. The target of
// ids[i] (N) is targets[i], or none if that is negative. It sets losses[i], in
// nats, to 0 where there is no target.
func (m *Model) Forward(losses []float32, ids, targets []int32, batch int) {
	a := m.run(ids, targets, batch)
	m.eachChunk(a, func(lo, hi int) {
		m.logits(a, lo, hi)
		m.dev.CrossEntropy(a.loss.Slice(lo, hi), resize(a.logits, hi-lo, m.cfg.VocabSize), a.targets.Slice(lo, hi), 0)
	})
	m.dev.Download(losses, a.loss)
}

// Backward runs the model as Forward does and adds to the gradients of the
// trained parameters that of the sum of all losses times scale.
func (m *Model) Backward(losses []float32, ids, targets []int32, batch int, scale float32) {
	a := m.run(ids, targets, batch)
	top := len(m.layers)
	// The head comes forward and goes backward a few rows at a time.
	m.eachChunk(a, func(lo, hi int) {
		m.logits(a, lo, hi)
		dlogits := resize(a.logits, hi-lo, m.cfg.VocabSize)
		m.dev.CrossEntropy(a.loss.Slice(lo, hi), dlogits, a.targets.Slice(lo, hi), scale) // (chunk, V)
		m.head.addGrad(m.dev, dlogits, rows(a.xn, lo, hi))
		if m.below(top, qkvStage) {
			m.dev.Gemm(rows(a.dxn, lo, hi), dlogits, false, m.head.Mat, false, false) // (chunk, D)
		}
	})
	if m.below(top, qkvStage) {
		m.dev.Zero(a.dx.Buf)
		m.dev.RMSNormGrad(a.dx, m.norm.grad(), a.dxn, a.x, m.norm.Buf, a.rstd) // (N, D)
	}
	for l := top - 1; l >= 0 && m.walked(l); l-- {
		m.layers[l].backward(m, l, a)
	}
	if m.lowest == 0 {
		m.dev.EmbedGrad(device.M(m.embed.grad(), m.cfg.VocabSize, m.cfg.HiddenSize), a.dx, a.ids)
	}
	m.dev.Download(losses, a.loss)
}

// run is the forward pass up to the head.
func (m *Model) run(ids, targets []int32, batch int) *acts {
	a := m.prepare(batch)
	m.dev.UploadInts(a.ids, ids)
	m.dev.UploadInts(a.targets, targets)
	m.dev.Embed(a.layers[0].x, m.embed.Mat, a.ids) // (N, D)
	for l, ly := range m.layers {
		next := a.x
		if l+1 < len(m.layers) {
			next = a.layers[l+1].x
		}
		ly.forward(m, next, a.layers[l], batch)
	}
	m.dev.RMSNorm(a.xn, a.x, m.norm.Buf, a.rstd, float32(m.cfg.RMSNormEps)) // (N, D)
	return a
}

func (m *Model) logits(a *acts, lo, hi int) {
	m.dev.Gemm(resize(a.logits, hi-lo, m.cfg.VocabSize), rows(a.xn, lo, hi), false, m.head.Mat, true, false) // (chunk, V)
}

func (m *Model) eachChunk(a *acts, f func(lo, hi int)) {
	n := a.x.Rows
	for lo := 0; lo < n; lo += a.logits.Rows {
		f(lo, min(n, lo+a.logits.Rows))
	}
}

// rows returns rows lo to hi of a matrix without gaps.
func rows(m device.Mat, lo, hi int) device.Mat {
	return device.M(m.Buf.Slice(lo*m.Cols, hi*m.Cols), hi-lo, m.Cols)
}
