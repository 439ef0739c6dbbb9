package model

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// torchtitanFields are those of a config.json that no other library writes, in
// the words of Hugging Face's for Llama.
type torchtitanFields struct{ common }

func newTorchtitanFields() fields {
	f := newCommon(2048)
	f.RMSNormEps = 1e-5
	return &torchtitanFields{f}
}

// startTorchtitan is the start of a matrix as torchtitan has it for its Llama. An
// embedding that is the head too starts as the head: that one has its turn last.
func (c Config) startTorchtitan(p Param) (std, most float64) {
	const usual = 0.02
	names := c.naming()
	head := 1 / math.Sqrt(float64(c.HiddenSize))
	switch {
	case p.Name == names.head || p.Name == names.embed && c.TieWordEmbeddings:
		return head, 3 * head
	case p.Name == names.embed:
		return 1, math.Inf(1)
	case p.Out || strings.HasSuffix(p.Name, names.mlp+names.up):
		std = usual / math.Sqrt(2*float64(p.layer+1))
	default:
		std = usual
	}
	// Two is the bound of trunc_normal_ that is not told another.
	return std, 2
}

// A size is how large a Llama is.
type size struct {
	name                             string
	width, layers, heads, keys, feed int
	theta                            float64
}

// sizes lists those that networks of Llamas have trained. Unlike upstream, whose
// settings of the two smaller ones name a feed-forward part of 128 and of 2688,
// they are as wide as what is made of that: torchtitan rounds up to 256.
var sizes = []size{
	{"toy", 32, 1, 4, 4, 256, 10000},
	{"150M", 1024, 12, 16, 16, 2816, 10000},
	{"1B", 2048, 16, 8, 8, 8192, 10000},
	{"70B", 8192, 80, 64, 8, 28672, 500000},
}

// Sizes names the sizes that there are.
func Sizes() []string {
	var names []string
	for _, s := range sizes {
		names = append(names, s.name)
	}
	return names
}

// Sized returns the shape of a Llama of one of the [Sizes], for sequences of 2048
// tokens: modelType is [Llama], with a head of its own, or [Torchtitan], whose head
// is its embedding.
func Sized(modelType, name string, vocab int) (Config, error) {
	i := slices.IndexFunc(sizes, func(s size) bool { return s.name == name })
	if i < 0 {
		return Config{}, fmt.Errorf("a model of size %q is none of %s", name, strings.Join(Sizes(), ", "))
	}
	s := sizes[i]
	c := Config{
		ModelType: modelType, VocabSize: vocab, HiddenSize: s.width, NumHiddenLayers: s.layers,
		NumAttentionHeads: s.heads, NumKeyValueHeads: s.keys, HeadDim: s.width / s.heads, IntermediateSize: s.feed,
		RMSNormEps: 1e-6, RopeTheta: s.theta, MaxPositionEmbeddings: 2048, InitializerRange: 0.02, RoutedScalingFactor: 1,
	}
	switch modelType {
	case Llama:
	case Torchtitan:
		c.RMSNormEps, c.TieWordEmbeddings = 1e-5, true
	default:
		return Config{}, fmt.Errorf("a model of size %s is a %s or a %s, no %s", name, Llama, Torchtitan, modelType)
	}
	return c, nil
}
