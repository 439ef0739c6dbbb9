package model

import (
	"fmt"

	"adit/internal/engine/device"
)

// gpt2 is the network of GPT-2 (Radford and others, 2019): learned positions,
// LayerNorm, GELU, biases everywhere, and matrices that lie (in, out).
func gpt2(b *builder, c Config) network {
	const prefix = "transformer."
	d := c.HiddenSize
	words := b.embedding(prefix+"wte.weight", c)
	places := b.weight(d, Param{Name: prefix + "wpe.weight", Shape: []int{c.MaxPositionEmbeddings, d}, use: lookedUp})
	layers := make([]layer, c.NumHiddenLayers)
	for l := range layers {
		layers[l] = b.own(func() layer { return b.gpt2Layer(l, c) })
	}
	norm := b.layerNorm(prefix+"ln_f.", d)
	return network{
		embed: func(p *pass, ids device.Ints) *value {
			x := p.embed(ids, words)                // (N, D)
			p.addTo(x, p.embed(p.places(), places)) // (N, D)
			return x
		},
		layers: layers,
		finish: func(p *pass, x *value) *value { return p.layerNorm(x, norm) },
		head:   b.head("lm_head.weight", c, words),
	}
}

// A gpt2Layer is LayerNorm, attention, LayerNorm and an MLP of two matrices.
type gpt2Layer struct {
	layer    int
	attnNorm *weight // (D)
	qkv      *weight // (D, 3D)
	attnOut  *weight // (D, D)
	mlpNorm  *weight // (D)
	up       *weight // (D, F)
	down     *weight // (F, D)
	shape    device.Attention
}

func (b *builder) gpt2Layer(l int, c Config) layer {
	prefix, d, f := fmt.Sprintf("transformer.h.%d.", l), c.HiddenSize, c.IntermediateSize
	shape := c.grouped(l)
	if !c.ScaleAttention {
		shape.Scale = 1
	}
	if c.ScaleByLayer {
		shape.Scale /= float32(l + 1)
	}
	return &gpt2Layer{
		layer:    l,
		attnNorm: b.layerNorm(prefix+"ln_1.", d),
		qkv:      b.conv(prefix+"attn.c_attn.", d, 3*d, false),
		attnOut:  b.conv(prefix+"attn.c_proj.", d, d, true),
		mlpNorm:  b.layerNorm(prefix+"ln_2.", d),
		up:       b.conv(prefix+"mlp.c_fc.", d, f, false),
		down:     b.conv(prefix+"mlp.c_proj.", f, d, true),
		shape:    shape,
	}
}

func (ly *gpt2Layer) forward(p *pass, x *value) *value {
	h := p.layerNorm(x, ly.attnNorm) // (N, D)
	mid := p.copy(x)                 // (N, D)
	qkv := p.linear(h, ly.qkv)       // (N, 3D)
	d := mid.Cols                    //
	s := p.split(qkv, d, d, d)       // three of (N, D)
	h = p.attend(ly.layer, s[0], s[1], s[2], ly.shape)
	p.addLinear(mid, h, ly.attnOut) // (N, D)

	h = p.layerNorm(mid, ly.mlpNorm) // (N, D)
	y := p.copy(mid)                 // (N, D)
	h = p.gelu(p.linear(h, ly.up))   // (N, F)
	p.addLinear(y, h, ly.down)       // (N, D)
	return y
}

// layerNorm takes the weight and the bias of a LayerNorm.
func (b *builder) layerNorm(prefix string, d int) *weight {
	w := b.norm(prefix+"weight", d)
	w.bias = b.weight(d, Param{Name: prefix + "bias", Shape: []int{d}, Kind: Bias})
	return w
}

// conv takes a matrix (in, out) with its bias, which GPT-2 calls a convolution.
func (b *builder) conv(prefix string, in, out int, residual bool) *weight {
	w := b.weight(out, Param{Name: prefix + "weight", Shape: []int{in, out}, Out: residual})
	w.transposed = true
	return b.biased(w, vector(prefix+"bias", out))
}

// places returns the position of each row (N).
func (p *pass) places() device.Ints {
	at := make([]int32, p.b*p.t)
	for i := range at {
		at[i] = int32(p.past + i%p.t)
	}
	out := p.ints(len(at))
	p.dev.UploadInts(out, at)
	return out
}

// addTo adds x to y.
func (p *pass) addTo(y, x *value) {
	y.needs = y.needs || x.needs
	p.dev.Add(y.Buf, x.Buf)
	if x.needs {
		p.back(y, func() {
			dx, acc := p.gradient(x)
			if acc {
				p.dev.Add(dx.Buf, y.grad.Buf)
			} else {
				p.dev.Copy(dx.Buf, y.grad.Buf)
			}
		})
	}
}
