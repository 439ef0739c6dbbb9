package model

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// The families of models that this package computes, as config.json names them
// in model_type.
const (
	Llama      = "llama"
	Mistral    = "mistral"
	Qwen2      = "qwen2"
	Qwen3MoE   = "qwen3_moe"
	DeepSeekV2 = "deepseek_v2"
	GPT2       = "gpt2"
	// DeepSeek is Llama with routed experts: what networks of expert groups
	// train. It has no latent attention.
	DeepSeek = "deepseek"
	// Torchtitan is Llama as torchtitan has it: by other names, and with the
	// columns of a head that are turned together side by side. No config.json is
	// published by this name.
	Torchtitan = "torchtitan"
)

// A Config gives the shape of a model, mostly in the words of Hugging Face's
// config.json. A size that a family does not have is nought.
type Config struct {
	ModelType             string
	VocabSize             int
	HiddenSize            int
	NumHiddenLayers       int
	NumAttentionHeads     int
	NumKeyValueHeads      int
	HeadDim               int
	IntermediateSize      int // of the dense layers
	RMSNormEps            float64
	MaxPositionEmbeddings int
	TieWordEmbeddings     bool
	InitializerRange      float64

	RopeTheta float64
	Rope      RopeScaling

	QKVBias, OutBias, MLPBias bool
	SlidingWindow             int    // how many tokens one sees, itself included; 0 for all before it
	FullLayers                int    // the first layers, without a window
	ScaleAttention            bool   // GPT-2: scores are divided by the root of the head's width
	ScaleByLayer              bool   // GPT-2: and by the layer's number from 1
	Dropout                   string // the field of config.json that asks for dropout, which is not built

	// Latent attention. QLoraRank is 0 if queries are not compressed.
	KVLoraRank, QLoraRank                  int
	QKNopeHeadDim, QKRopeHeadDim, VHeadDim int

	NRoutedExperts      int
	NSharedExperts      int
	NumExpertsPerTok    int
	MoEIntermediateSize int
	RoutedScalingFactor float64
	NormTopKProb        bool
	NGroup, TopKGroup   int     // 0 for a choice among all
	BalanceAlpha        float64 // of the balance loss of each layer, as [device.Device]'s Balance has it
	BalanceEach         bool    // of each sequence, not of the batch

	FirstKDenseReplace int    // the first layers are dense
	SparseStep         int    // of the others, every so many are sparse, counted from 1; 0 is 1
	DenseLayers        string // and these are not: their numbers, between commas
}

// Sparse reports whether layer l has routed experts.
func (c Config) Sparse(l int) bool {
	if c.NRoutedExperts == 0 || l < c.FirstKDenseReplace || (l+1)%max(c.SparseStep, 1) != 0 {
		return false
	}
	return !listed(c.DenseLayers, l)
}

// maxLayers is how many layers a model may have.
const maxLayers = 1 << 10

// sparseLayers counts them.
func (c Config) sparseLayers() int {
	n := 0
	for l := range min(c.NumHiddenLayers, maxLayers) {
		if c.Sparse(l) {
			n++
		}
	}
	return n
}

// latent reports whether attention is to a compressed key and value.
func (c Config) latent() bool { return c.KVLoraRank > 0 }

// Validate returns every problem, joined, each beginning with the field's name
// in config.json.
func (c Config) Validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	size := func(name string, n, lo, hi int) {
		if n < lo || n > hi {
			bad("%s: %d is not from %d to %d", name, n, lo, hi)
		}
	}
	positive := func(name string, x float64) {
		if !(x > 0) || math.IsInf(x, 0) {
			bad("%s: %v is not a positive number", name, x)
		}
	}
	if _, ok := familyOf(c.ModelType); !ok {
		bad("model_type: %q is none of %s", c.ModelType, strings.Join(Families(), ", "))
	}
	size("vocab_size", c.VocabSize, 1, 1<<20)
	size("hidden_size", c.HiddenSize, 1, 1<<16)
	size("num_hidden_layers", c.NumHiddenLayers, 1, maxLayers)
	size("num_attention_heads", c.NumAttentionHeads, 1, 1<<10)
	size("num_key_value_heads", c.NumKeyValueHeads, 1, 1<<10)
	if kv := c.NumKeyValueHeads; kv > 0 && c.NumAttentionHeads%kv != 0 {
		bad("num_key_value_heads: %d does not divide num_attention_heads %d", kv, c.NumAttentionHeads)
	}
	if c.latent() {
		size("kv_lora_rank", c.KVLoraRank, 1, 1<<16)
		size("q_lora_rank", c.QLoraRank, 0, 1<<16)
		size("qk_nope_head_dim", c.QKNopeHeadDim, 1, 1<<10)
		size("qk_rope_head_dim", c.QKRopeHeadDim, 2, 1<<10)
		size("v_head_dim", c.VHeadDim, 1, 1<<10)
		if c.QKRopeHeadDim%2 != 0 {
			bad("qk_rope_head_dim: %d is odd", c.QKRopeHeadDim)
		}
	} else {
		size("head_dim", c.HeadDim, 2, 1<<10)
		if c.HeadDim%2 != 0 && c.ModelType != GPT2 {
			bad("head_dim: %d is odd", c.HeadDim)
		}
	}
	size("max_position_embeddings", c.MaxPositionEmbeddings, 1, 1<<24)
	size("sliding_window", c.SlidingWindow, 0, 1<<24)
	positive("rms_norm_eps", c.RMSNormEps)
	positive("initializer_range", c.InitializerRange)
	if c.ModelType != GPT2 {
		positive("rope_theta", c.RopeTheta)
		if err := c.Rope.validate(); err != nil {
			problems = append(problems, err)
		}
	}

	size("n_routed_experts", c.NRoutedExperts, 0, 1<<12)
	size("first_k_dense_replace", c.FirstKDenseReplace, 0, maxLayers)
	size("decoder_sparse_step", c.SparseStep, 0, maxLayers)
	if c.sparseLayers() < min(c.NumHiddenLayers, maxLayers) {
		size("intermediate_size", c.IntermediateSize, 1, 1<<18)
	}
	if e := c.NRoutedExperts; e > 0 {
		size("moe_intermediate_size", c.MoEIntermediateSize, 1, 1<<18)
		size("n_shared_experts", c.NSharedExperts, 0, 1<<8)
		size("num_experts_per_tok", c.NumExpertsPerTok, 1, e)
		positive("routed_scaling_factor", c.RoutedScalingFactor)
		if !(c.BalanceAlpha >= 0) || math.IsInf(c.BalanceAlpha, 0) {
			bad("aux_loss_alpha: %v is not a number from 0 up", c.BalanceAlpha)
		}
		if c.NGroup != 0 {
			size("n_group", c.NGroup, 1, e)
			size("topk_group", c.TopKGroup, 1, max(c.NGroup, 1))
			if e%max(c.NGroup, 1) != 0 {
				bad("n_group: %d does not divide n_routed_experts %d", c.NGroup, e)
			} else if inside := e / c.NGroup * c.TopKGroup; inside < c.NumExpertsPerTok {
				bad("topk_group: %d groups hold %d experts, of which num_experts_per_tok %d cannot be chosen", c.TopKGroup, inside, c.NumExpertsPerTok)
			}
		}
	}
	return errors.Join(problems...)
}

// Small returns the shape of a model that learns something worth seeing within
// a minute on a processor. Each of its four layers has, for each group, eight
// narrow routed experts of which four are used, and one shared by all groups:
// most of what it learns in a network is learned by routed experts, so most of it
// is made of them. Their weights, which do not sum to 1, are scaled back to about
// that. It starts from larger numbers than the usual 0.02, which is for wider
// models and cost it a third of a nat early on.
func Small(vocab, groups int) Config {
	return Config{
		ModelType:             DeepSeek,
		VocabSize:             vocab,
		HiddenSize:            160,
		NumHiddenLayers:       4,
		NumAttentionHeads:     5,
		NumKeyValueHeads:      5,
		HeadDim:               32,
		IntermediateSize:      384,
		NRoutedExperts:        8 * groups,
		NSharedExperts:        1,
		NumExpertsPerTok:      4,
		MoEIntermediateSize:   128,
		FirstKDenseReplace:    0,
		RoutedScalingFactor:   4,
		RMSNormEps:            1e-6,
		RopeTheta:             10000,
		MaxPositionEmbeddings: 2048,
		InitializerRange:      0.05,
	}
}
