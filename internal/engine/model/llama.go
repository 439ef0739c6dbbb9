package model

import (
	"math"

	"adit/internal/engine/device"
)

// llama is the network of Llama (Touvron and others, 2023), and with a switch or
// two that of Mistral, whose attention has a window, and of Qwen2, whose
// queries, keys and values have biases. With routed experts in its layers it is
// also the plain mixture that networks of expert groups train, and by torchtitan's
// names it is torchtitan's.
func llama(b *builder, c Config) network { return b.decoders(c, c.HeadDim, b.attention) }

// An attention is grouped-query attention with rotary positions.
type attention struct {
	layer int
	qkv   *weight // ((H+2KV)*d, D)
	pairs bool    // columns that are turned together are side by side
	shape device.Attention
}

func (b *builder) attention(prefix string, l int, c Config) (mixer, *weight) {
	d, q, kv := c.HiddenSize, c.NumAttentionHeads*c.HeadDim, c.NumKeyValueHeads*c.HeadDim
	a, names := &attention{layer: l, pairs: c.ModelType == Torchtitan, shape: c.grouped(l)}, c.naming()
	a.qkv = b.weight(d,
		matrixOf(prefix+names.q, q, d),
		matrixOf(prefix+names.k, kv, d),
		matrixOf(prefix+names.v, kv, d))
	if c.QKVBias {
		b.biased(a.qkv, vector(prefix+"q_proj.bias", q), vector(prefix+"k_proj.bias", kv), vector(prefix+"v_proj.bias", kv))
	}
	out := b.out(prefix+names.out, d, q)
	if c.OutBias {
		b.biased(out, vector(prefix+"o_proj.bias", d))
	}
	return a, out
}

// grouped is the attention of layer l.
func (c Config) grouped(l int) device.Attention {
	window := c.SlidingWindow
	if l < c.FullLayers {
		window = 0
	}
	return device.Attention{
		H: c.NumAttentionHeads, KV: c.NumKeyValueHeads, Dim: c.HeadDim, DimV: c.HeadDim,
		Window: window, Scale: float32(1 / math.Sqrt(float64(c.HeadDim))),
	}
}

func (a *attention) forward(p *pass, x *value) *value {
	s := a.shape
	qkv := p.linear(x, a.qkv)                               // (N, (H+2KV)*d)
	qkvs := p.split(qkv, s.H*s.Dim, s.KV*s.Dim, s.KV*s.Dim) //
	q, k, v := qkvs[0], qkvs[1], qkvs[2]                    // (N, H*d), (N, KV*d), (N, KV*d)
	p.rope(q, device.Rotation{Heads: s.H, Stride: s.Dim, Dim: s.Dim, Pairs: a.pairs})
	p.rope(k, device.Rotation{Heads: s.KV, Stride: s.Dim, Dim: s.Dim, Pairs: a.pairs})
	return p.attend(a.layer, q, k, v, s) // (N, H*d)
}

// An mlp is down(silu(gate·x) * up·x).
type mlp struct {
	gateUp *weight // (2F, D)
	down   *weight // (D, F)
}

// mlp takes a SwiGLU of width f.
func (b *builder) mlp(prefix string, c Config, f int) *mlp {
	d, names := c.HiddenSize, c.naming()
	out := &mlp{gateUp: b.weight(d,
		matrixOf(prefix+names.gate, f, d),
		matrixOf(prefix+names.up, f, d))}
	if c.MLPBias {
		b.biased(out.gateUp, vector(prefix+"gate_proj.bias", f), vector(prefix+"up_proj.bias", f))
	}
	out.down = b.out(prefix+names.down, d, f)
	if c.MLPBias {
		b.biased(out.down, vector(prefix+"down_proj.bias", d))
	}
	return out
}

func (f *mlp) forward(p *pass, y, x *value) {
	gu := p.linear(x, f.gateUp) // (N, 2F)
	h := p.swiglu(gu)           // (N, F)
	p.addLinear(y, h, f.down)   // (N, D)
}
