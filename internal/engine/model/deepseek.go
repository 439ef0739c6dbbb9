package model

import (
	"math"

	"adit/internal/engine/device"
)

// deepseekV2 is the network of DeepSeek-V2 (2024): latent attention, and routed
// and shared experts after the first dense layers. What it is called in files,
// and what it computes, is as in transformers.
func deepseekV2(b *builder, c Config) network { return b.decoders(c, c.QKRopeHeadDim, b.latent) }

// latentEps is what the norms of the compressed queries, keys and values have,
// whatever the configuration says of the others.
const latentEps = 1e-6

// A latent is attention whose keys and values, and maybe queries, are expanded
// from a few numbers, C of a token. Part of each head, R columns, has positions;
// of the keys that part is the same in all heads. The rest, P columns, has none.
type latent struct {
	layer   int
	down    *weight // (Cq, D); nil if queries are not compressed
	norm    *weight // (Cq)
	q       *weight // (H*(P+R), Cq), or of D
	kvDown  *weight // (C+R, D)
	kvNorm  *weight // (C)
	kv      *weight // (H*(P+dv), C): keys and values
	shape   device.Attention
	p, r, c int
}

func (b *builder) latent(prefix string, l int, c Config) (mixer, *weight) {
	d, h := c.HiddenSize, c.NumAttentionHeads
	p, r, v := c.QKNopeHeadDim, c.QKRopeHeadDim, c.VHeadDim
	a := &latent{layer: l, p: p, r: r, c: c.KVLoraRank, shape: device.Attention{
		H: h, KV: h, Dim: p + r, DimV: v, Scale: c.latentScale(),
	}}
	if rank := c.QLoraRank; rank > 0 {
		a.down = b.matrix(prefix+"q_a_proj.weight", rank, d)
		if c.OutBias {
			b.biased(a.down, vector(prefix+"q_a_proj.bias", rank))
		}
		a.norm = b.norm(prefix+"q_a_layernorm.weight", rank)
		a.q = b.matrix(prefix+"q_b_proj.weight", h*(p+r), rank)
	} else {
		a.q = b.matrix(prefix+"q_proj.weight", h*(p+r), d)
	}
	a.kvDown = b.matrix(prefix+"kv_a_proj_with_mqa.weight", c.KVLoraRank+r, d)
	if c.OutBias {
		b.biased(a.kvDown, vector(prefix+"kv_a_proj_with_mqa.bias", c.KVLoraRank+r))
	}
	a.kvNorm = b.norm(prefix+"kv_a_layernorm.weight", c.KVLoraRank)
	a.kv = b.matrix(prefix+"kv_b_proj.weight", h*(p+v), c.KVLoraRank)
	out := b.out(prefix+"o_proj.weight", d, h*v)
	if c.OutBias {
		b.biased(out, vector(prefix+"o_proj.bias", d))
	}
	return a, out
}

// latentScale is what scores are multiplied by; with YaRN, its correction for
// all columns comes in twice.
func (c Config) latentScale() float32 {
	scale := 1 / math.Sqrt(float64(c.QKNopeHeadDim+c.QKRopeHeadDim))
	if c.Rope.Kind != RopeDefault && c.Rope.MScaleAllDim != 0 {
		m := c.Rope.mscale(c.Rope.MScaleAllDim)
		scale *= m * m
	}
	return float32(scale)
}

func (a *latent) forward(p *pass, x *value) *value {
	s := a.shape
	q := x
	if a.down != nil {
		q = p.rmsNormEps(p.linear(x, a.down), a.norm, latentEps) // (N, Cq)
	}
	q = p.linear(q, a.q) // (N, H*(P+R))
	p.rope(q, device.Rotation{Heads: s.H, Stride: s.Dim, First: a.p, Dim: a.r, Pairs: true})

	low := p.linear(x, a.kvDown)                        // (N, C+R)
	place := p.joinHeads(1, headPart{low, 0, a.c, a.r}) // (N, R)
	low = p.joinHeads(1, headPart{low, 0, 0, a.c})      // (N, C)
	low = p.rmsNormEps(low, a.kvNorm, latentEps)        // (N, C)
	p.rope(place, device.Rotation{Heads: 1, Stride: a.r, Dim: a.r, Pairs: true})

	kv := p.linear(low, a.kv)                                                             // (N, H*(P+dv))
	k := p.joinHeads(s.H, headPart{kv, a.p + s.DimV, 0, a.p}, headPart{place, 0, 0, a.r}) // (N, H*(P+R))
	v := p.joinHeads(s.H, headPart{kv, a.p + s.DimV, a.p, s.DimV})                        // (N, H*dv)
	return p.attend(a.layer, q, k, v, s)                                                  // (N, H*dv)
}
