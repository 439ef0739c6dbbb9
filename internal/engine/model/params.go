package model

import (
	"fmt"

	"adit/internal/engine/device"
)

// A Param is one named tensor of a model. Its elements are Lo to Hi of the
// buffer that holds all parameters.
type Param struct {
	Name  string
	Shape []int
	Norm  bool // the weight of a norm: starts at one and does not decay
	// Out marks the projections into the residual stream, which start smaller.
	Out    bool
	Lo, Hi int

	stage int
	use   use
}

// use is how a token meets a parameter.
type use uint8

const (
	multiplied use = iota // by all of it
	lookedUp              // by one row
	chosen                // by all of it, if its expert is chosen
)

// The stages of a layer's forward pass that have parameters. Backward stops at
// the lowest stage with one that is trained. The embedding is stage 0.
const (
	attnNormStage = 1 + iota
	qkvStage
	attnOutStage
	mlpNormStage
	mlpInStage // the router's too
	mlpOutStage
	stages = iota // in one layer
)

// A weight is a matrix, or several under one another that are multiplied at
// once: query, key and value; gate and up; the experts of a layer. Each of its
// parameters is a block of rows.
type weight struct {
	device.Mat
	first, last int // its parameters: params[first:last]
	grads       []run
}

// A run is a block of neighbouring rows that are trained, with their gradient.
type run struct {
	lo, hi int
	grad   device.Buf
}

// grad returns the gradient of a weight that is one parameter, or nil if it is
// frozen.
func (w *weight) grad() device.Buf {
	if len(w.grads) == 0 {
		return nil
	}
	return w.grads[0].grad
}

// A builder lays parameters out one after another in buf, or only counts them
// if buf is nil.
type builder struct {
	buf     device.Buf
	off     int
	params  []Param
	weights []*weight
	stage   int
}

// weight takes a matrix whose parameters have these names and numbers of rows.
func (b *builder) weight(stage, cols int, parts ...Param) *weight {
	w := &weight{first: len(b.params)}
	lo, rows := b.off, 0
	for _, p := range parts {
		p.Lo, p.Hi, p.stage = b.off, b.off+p.Shape[0]*cols, b.stage+stage
		if len(p.Shape) == 2 {
			rows += p.Shape[0]
		} else { // a vector is one row
			rows, p.Hi = 1, b.off+cols
		}
		b.off = p.Hi
		b.params = append(b.params, p)
	}
	w.last = len(b.params)
	if b.buf != nil {
		w.Mat = device.M(b.buf.Slice(lo, b.off), rows, cols)
	}
	b.weights = append(b.weights, w)
	return w
}

func (b *builder) matrix(stage int, name string, rows, cols int) *weight {
	return b.weight(stage, cols, Param{Name: name, Shape: []int{rows, cols}})
}

func (b *builder) norm(stage int, name string, width int) *weight {
	return b.weight(stage, width, Param{Name: name, Shape: []int{width}, Norm: true})
}

func (b *builder) out(stage int, name string, rows, cols int) *weight {
	return b.weight(stage, cols, Param{Name: name, Shape: []int{rows, cols}, Out: true})
}

// mlp takes a SwiGLU of width f over a residual stream of width d.
func (b *builder) mlp(prefix string, d, f int) *mlp {
	return &mlp{
		gateUp: b.weight(mlpInStage, d,
			Param{Name: prefix + "gate_proj.weight", Shape: []int{f, d}},
			Param{Name: prefix + "up_proj.weight", Shape: []int{f, d}}),
		down: b.out(mlpOutStage, prefix+"down_proj.weight", d, f),
	}
}

func (b *builder) experts(prefix string, c Config) *experts {
	d, f := c.HiddenSize, c.MoEIntermediateSize
	x := &experts{router: b.matrix(mlpInStage, prefix+"gate.weight", c.NRoutedExperts, d)} // (E, D)
	var gateUp, down []Param
	for e := range c.NRoutedExperts {
		gateUp = append(gateUp, Param{Name: fmt.Sprintf("%sexperts.%d.gate_up_proj", prefix, e), Shape: []int{2 * f, d}, use: chosen})
		down = append(down, Param{Name: fmt.Sprintf("%sexperts.%d.down_proj", prefix, e), Shape: []int{d, f}, Out: true, use: chosen})
	}
	x.gateUp = b.weight(mlpInStage, d, gateUp...) // (E*2F, D)
	x.down = b.weight(mlpOutStage, f, down...)    // (E*D, F)
	if c.NSharedExperts > 0 {
		x.shared = b.mlp(prefix+"shared_experts.", d, c.NSharedExperts*f)
	}
	return x
}

func (b *builder) layer(l int, c Config) *layer {
	d, q, kv := c.HiddenSize, c.NumAttentionHeads*c.HeadDim, c.NumKeyValueHeads*c.HeadDim
	prefix := fmt.Sprintf("model.layers.%d.", l)
	b.stage = l * stages
	ly := &layer{
		attnNorm: b.norm(attnNormStage, prefix+"input_layernorm.weight", d),
		qkv: b.weight(qkvStage, d,
			Param{Name: prefix + "self_attn.q_proj.weight", Shape: []int{q, d}},
			Param{Name: prefix + "self_attn.k_proj.weight", Shape: []int{kv, d}},
			Param{Name: prefix + "self_attn.v_proj.weight", Shape: []int{kv, d}}),
		attnOut: b.out(attnOutStage, prefix+"self_attn.o_proj.weight", d, q),
		mlpNorm: b.norm(mlpNormStage, prefix+"post_attention_layernorm.weight", d),
	}
	if c.Sparse(l) {
		ly.experts = b.experts(prefix+"mlp.", c)
	} else {
		ly.mlp = b.mlp(prefix+"mlp.", d, c.IntermediateSize)
	}
	return ly
}

func (b *builder) model(c Config) *Model {
	m := &Model{cfg: c, embed: b.weight(0, c.HiddenSize,
		Param{Name: "model.embed_tokens.weight", Shape: []int{c.VocabSize, c.HiddenSize}, use: lookedUp})}
	for l := range c.NumHiddenLayers {
		m.layers = append(m.layers, b.layer(l, c))
	}
	b.stage = c.NumHiddenLayers * stages
	m.norm = b.norm(attnNormStage, "model.norm.weight", c.HiddenSize)
	m.head = m.embed
	if !c.TieWordEmbeddings {
		m.head = b.matrix(qkvStage, "lm_head.weight", c.VocabSize, c.HiddenSize)
	}
	m.params, m.weights = b.params, b.weights
	return m
}

// Params returns the parameters that a model of this shape has, in the order
// in which they are stored.
func (c Config) Params() []Param {
	var b builder
	return b.model(c).params
}
