// Package model computes decoder language models over the operations of a
// device, once for all devices.
//
// An architecture is a file: llama.go (with Mistral and Qwen2), deepseek.go,
// qwen3.go, gpt2.go. It says, forward, which operations follow one another; the
// way back follows from these. Comments give shapes: B sequences of T tokens are
// N = B*T rows of width D; attention has H query and KV key heads of width d; F
// is the width of a feed-forward part, E the number of its experts of which a
// token gets K; V is the vocabulary.
//
// Parameters have the names that Hugging Face's libraries give them in files.
package model

import (
	"fmt"

	"adit/internal/engine/device"
)

// A layer adds to the residual stream x (N, D).
type layer interface {
	forward(p *pass, x *value) *value
}

// A network is what an architecture makes of a configuration.
type network struct {
	embed    func(p *pass, ids device.Ints) *value // (N, D)
	layers   []layer
	finish   func(p *pass, x *value) *value // the last norm
	head     *weight                        // (V, D); the embedding if they are tied
	rotation rotation
}

// A Model is a model's parameters on a device, and the memory to run it.
type Model struct {
	cfg    Config
	seqLen int
	dev    device.Device
	eps    float32

	buf      device.Buf // all parameters
	params   []Param
	weights  []*weight
	net      network
	owned    [][]*weight      // by layer
	mixtures map[int]*mixture // by layer
	rot      angles

	grad      device.Buf // of the trained parameters
	recompute bool
	mem       memory
	aux       device.Buf // balance losses of one layer, by sequence
	balance   float64    // their sum, weighted
}

// maxParams is how many numbers a model may have: 256 GiB of them.
const maxParams = 1 << 36

// New returns a model for sequences of seqLen tokens, all parameters nought.
func New(dev device.Device, c Config, seqLen int) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("model config: %w", err)
	}
	if most := c.Positions(); seqLen < 1 || seqLen > most {
		return nil, fmt.Errorf("sequence length %d is not from 1 to %d, which max_position_embeddings and rope_scaling allow", seqLen, most)
	}
	var count builder
	count.model(c)
	if count.off > maxParams {
		return nil, fmt.Errorf("a model of %d numbers is larger than the %d that this program is made for", count.off, maxParams)
	}
	b := builder{buf: dev.NewBuf(count.off)}
	m := b.model(c)
	m.dev, m.seqLen, m.buf, m.eps, m.mem.dev = dev, seqLen, b.buf, float32(c.RMSNormEps), dev
	m.rot = newAngles(dev, m.net.rotation, seqLen)
	return m, m.Route(nil)
}

// model takes all parameters.
func (b *builder) model(c Config) *Model {
	m := &Model{cfg: c}
	b.mixtures = map[int]*mixture{}
	b.layers = nil
	family, _ := familyOf(c.ModelType)
	m.net = family.build(b, c)
	m.params, m.weights, m.mixtures, m.owned = b.params, b.weights, b.mixtures, b.layers
	return m
}

// Config returns the model's shape.
func (m *Model) Config() Config { return m.cfg }

// SeqLen returns how many tokens a sequence has.
func (m *Model) SeqLen() int { return m.seqLen }

// Params returns the model's parameters in the order in which they are stored.
func (m *Model) Params() []Param { return m.params }

// Weights returns the memory of a parameter.
func (m *Model) Weights(p Param) device.Buf { return m.buf.Slice(p.Lo, p.Hi) }

// Recompute makes Backward keep only what goes into each layer, and compute the
// rest of it again on the way back: a third more work for a fraction of the
// memory, and the same bits.
func (m *Model) Recompute(on bool) { m.recompute = on }

// Forward runs the model on batch sequences one after another. The target of
// ids[i] (N) is targets[i], or none if that is negative. It sets losses[i], in
// nats, to 0 where there is no target.
func (m *Model) Forward(losses []float32, ids, targets []int32, batch int) {
	p := m.begin(batch, len(ids)/batch, false)
	defer p.end()
	x := p.run(ids)
	p.crossEntropy(losses, x, targets, 0)
}

// Backward runs the model as Forward does and adds to the gradients of the
// trained parameters that of the sum of all losses times scale, and that of the
// balance loss, which is a mean, times scale and the number of tokens.
func (m *Model) Backward(losses []float32, ids, targets []int32, batch int, scale float32) {
	p := m.begin(batch, len(ids)/batch, true)
	defer p.end()
	p.scale, m.balance = scale, 0
	x := p.run(ids)
	p.crossEntropy(losses, x, targets, scale)
	p.walk(0)
	m.SettleGradient() // what the pass did not come by
}

// ClearGradient makes the next Backward set the gradients, and not add to them:
// until then they are what they were.
func (m *Model) ClearGradient() {
	for _, w := range m.weights {
		for i := range w.grads {
			w.grads[i].unset = true
		}
	}
}

// SettleGradient makes the gradients what they are said to be: nought, if they have
// been cleared and nothing has been added since.
func (m *Model) SettleGradient() {
	for _, w := range m.weights {
		for i := range w.grads {
			w.grads[i].settle(m.dev)
		}
	}
}

// Balance returns the balance loss of the last Backward, as it counts in the
// loss that is minimised; nought if the configuration asks for none.
func (m *Model) Balance() float64 { return m.balance }

// begin starts a pass over batch sequences of t tokens.
func (m *Model) begin(batch, t int, record bool) *pass {
	return &pass{m: m, dev: m.dev, b: batch, t: t, record: record}
}

// end gives all memory back.
func (p *pass) end() {
	p.release(0, nil)
	p.m.mem.rest()
}

// run is the pass up to the head: (N, D).
func (p *pass) run(ids []int32) *value {
	rows := p.ints(len(ids))
	p.dev.UploadInts(rows, ids)
	x := p.m.net.embed(p, rows)
	for l, ly := range p.m.net.layers {
		x = p.layer(x, anyTrained(p.m.owned[l]), func(x *value) *value { return ly.forward(p, x) })
	}
	return p.m.net.finish(p, x)
}

func anyTrained(ws []*weight) bool {
	for _, w := range ws {
		if w.trained() {
			return true
		}
	}
	return false
}

// chunk is how many rows of logits are worked on at once: few enough that a
// large vocabulary does not need more memory than the model.
func (c Config) chunk(rows int) int { return min(rows, max(256, 1<<21/c.VocabSize)) }

// crossEntropy sets the loss of each row of x (N, D). Unless scale is 0, the
// head comes forward and goes backward a few rows at a time, and x gets its
// gradient at once.
func (p *pass) crossEntropy(losses []float32, x *value, targets []int32, scale float32) {
	n, head := x.Rows, p.m.net.head
	want, loss := p.ints(n), p.floats(n)
	p.dev.UploadInts(want, targets)
	size := p.m.cfg.chunk(n)
	chunk := p.take(size, head.Rows)
	var dx device.Mat
	if x.needs {
		dx, _ = p.gradient(x)
	}
	for lo := 0; lo < n; lo += size {
		hi := min(n, lo+size)
		logits, xs := rows(chunk, 0, hi-lo), rows(x.Mat, lo, hi)
		p.dev.Gemm(logits, xs, false, head.Mat, true, false) // (chunk, V)
		p.dev.CrossEntropy(loss.Slice(lo, hi), logits, want.Slice(lo, hi), scale)
		if !p.record || scale == 0 {
			continue
		}
		head.addGrad(p.dev, logits, xs)
		if x.needs {
			p.dev.Gemm(rows(dx, lo, hi), logits, false, head.Mat, false, false) // (chunk, D)
		}
	}
	p.dev.Download(losses, loss)
}

// balances returns memory for the balance losses of runs runs.
func (m *Model) balances(runs int) device.Buf {
	if m.aux == nil || m.aux.Len() < runs {
		m.aux = m.dev.NewBuf(runs)
	}
	return m.aux.Slice(0, runs)
}

// addBalance counts each of these losses with share.
func (m *Model) addBalance(loss device.Buf, share float32) {
	vals := make([]float32, loss.Len())
	m.dev.Download(vals, loss)
	for _, l := range vals {
		m.balance += float64(l) * float64(share)
	}
}
