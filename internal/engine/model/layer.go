package model

import (
	"fmt"

	"adit/internal/engine/device"
)

// decoders is the network that Llama and its descendants are: a table of tokens,
// layers that are alike but for their attention and their feed-forward part, and
// a norm. turned is how many columns of a head have positions. attention takes
// the parameters of layer l's, those of its projection into the stream apart.
func (b *builder) decoders(c Config, turned int, attention func(prefix string, l int, c Config) (mixer, *weight)) network {
	names := c.naming()
	embed := b.embedding(names.embed, c)
	layers := make([]layer, c.NumHiddenLayers)
	for l := range layers {
		prefix := fmt.Sprintf(names.layer, l)
		layers[l] = b.own(func() layer {
			ly := &decoder{attnNorm: b.norm(prefix+names.attnNorm, c.HiddenSize)}
			ly.attn, ly.attnOut = attention(prefix+names.attn, l, c)
			ly.mlpNorm = b.norm(prefix+names.mlpNorm, c.HiddenSize)
			ly.mlp = b.feed(prefix+names.mlp, l, c)
			return ly
		})
	}
	norm := b.norm(names.norm, c.HiddenSize)
	return network{
		embed:    func(p *pass, ids device.Ints) *value { return p.embed(ids, embed) },
		layers:   layers,
		finish:   func(p *pass, x *value) *value { return p.rmsNorm(x, norm) },
		head:     b.head(names.head, c, embed),
		rotation: c.rotation(turned),
	}
}

// A mixer is the part of a layer in which tokens see one another: it takes the
// normalised stream (N, D) to what the layer's projection adds to the stream
// from.
type mixer interface {
	forward(p *pass, x *value) *value
}

// A feed is the part of a layer in which each token is by itself. It adds to y
// (N, D) what it makes of x (N, D).
type feed interface {
	forward(p *pass, y, x *value)
}

// A decoder is a layer of RMSNorm, attention, RMSNorm and a feed-forward part.
type decoder struct {
	attnNorm *weight // (D)
	attn     mixer
	attnOut  *weight // (D, H*dv)
	mlpNorm  *weight // (D)
	mlp      feed
}

func (ly *decoder) forward(p *pass, x *value) *value {
	h := p.rmsNorm(x, ly.attnNorm) // (N, D)
	mid := p.copy(x)               // (N, D)
	h = ly.attn.forward(p, h)      // (N, H*dv)
	p.addLinear(mid, h, ly.attnOut)

	h = p.rmsNorm(mid, ly.mlpNorm) // (N, D)
	y := p.copy(mid)               // (N, D)
	ly.mlp.forward(p, y, h)
	return y
}

// feed takes the feed-forward part of layer l.
func (b *builder) feed(prefix string, l int, c Config) feed {
	if c.Sparse(l) {
		return b.mixture(prefix, l, c)
	}
	return b.mlp(prefix, c, c.IntermediateSize)
}
