package model

import "adit/internal/engine/device"

// qwen3MoE is the network of Qwen3's mixtures (2025): Llama's with norms of each
// head's queries and keys, and routed experts without a shared one.
func qwen3MoE(b *builder, c Config) network { return b.decoders(c, c.HeadDim, b.normedAttention) }

// A normedAttention is grouped-query attention whose queries and keys are
// normalised, head by head, before they are turned.
type normedAttention struct {
	layer        int
	q, k, v      *weight // (H*d, D), (KV*d, D), (KV*d, D)
	qNorm, kNorm *weight // (d)
	shape        device.Attention
}

func (b *builder) normedAttention(prefix string, l int, c Config) (mixer, *weight) {
	d := c.HiddenSize
	project := func(name string, heads int) *weight {
		w := b.matrix(prefix+name+".weight", heads*c.HeadDim, d)
		if c.QKVBias {
			b.biased(w, vector(prefix+name+".bias", heads*c.HeadDim))
		}
		return w
	}
	a := &normedAttention{
		layer: l,
		q:     project("q_proj", c.NumAttentionHeads),
		k:     project("k_proj", c.NumKeyValueHeads),
		v:     project("v_proj", c.NumKeyValueHeads),
		qNorm: b.norm(prefix+"q_norm.weight", c.HeadDim),
		kNorm: b.norm(prefix+"k_norm.weight", c.HeadDim),
		shape: c.grouped(l),
	}
	out := b.out(prefix+"o_proj.weight", d, c.NumAttentionHeads*c.HeadDim)
	if c.OutBias {
		b.biased(out, vector(prefix+"o_proj.bias", d))
	}
	return a, out
}

func (a *normedAttention) forward(p *pass, x *value) *value {
	s := a.shape
	q := p.rmsNorm(p.linear(x, a.q), a.qNorm) // (N, H*d)
	k := p.rmsNorm(p.linear(x, a.k), a.kNorm) // (N, KV*d)
	v := p.linear(x, a.v)                     // (N, KV*d)
	p.rope(q, device.Rotation{Heads: s.H, Stride: s.Dim, Dim: s.Dim})
	p.rope(k, device.Rotation{Heads: s.KV, Stride: s.Dim, Dim: s.Dim})
	return p.attend(a.layer, q, k, v, s) // (N, H*d)
}
