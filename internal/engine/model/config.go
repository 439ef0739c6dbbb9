package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// The two families of models that this package computes, as config.json names
// them in model_type. They differ in the feed-forward part alone: Llama's is
// dense in every layer.
const (
	DeepSeek = "deepseek"
	Llama    = "llama"
)

// A Config gives the shape of a model in the words of Hugging Face's
// config.json.
type Config struct {
	ModelType             string  `json:"model_type"`
	VocabSize             int     `json:"vocab_size"`
	HiddenSize            int     `json:"hidden_size"`
	NumHiddenLayers       int     `json:"num_hidden_layers"`
	NumAttentionHeads     int     `json:"num_attention_heads"`
	NumKeyValueHeads      int     `json:"num_key_value_heads"`
	HeadDim               int     `json:"head_dim"`
	IntermediateSize      int     `json:"intermediate_size"` // of the dense layers
	NRoutedExperts        int     `json:"n_routed_experts,omitempty"`
	NSharedExperts        int     `json:"n_shared_experts,omitempty"`
	NumExpertsPerTok      int     `json:"num_experts_per_tok,omitempty"`
	MoEIntermediateSize   int     `json:"moe_intermediate_size,omitempty"`
	FirstKDenseReplace    int     `json:"first_k_dense_replace,omitempty"` // the first layers are dense
	RoutedScalingFactor   float64 `json:"routed_scaling_factor,omitempty"`
	RMSNormEps            float64 `json:"rms_norm_eps"`
	RopeTheta             float64 `json:"rope_theta"`
	MaxPositionEmbeddings int     `json:"max_position_embeddings"`
	TieWordEmbeddings     bool    `json:"tie_word_embeddings"`
	InitializerRange      float64 `json:"initializer_range"`
}

// Sparse reports whether layer l has routed experts.
func (c Config) Sparse(l int) bool { return c.NRoutedExperts > 0 && l >= c.FirstKDenseReplace }

// ParseConfig reads a config.json. Sizes that it leaves out have the defaults
// that Hugging Face's libraries give them. A field that would change what the
// model computes in a way that this package does not know is an error naming
// it: a model must not run as something it is not.
func ParseConfig(data []byte) (Config, error) {
	c, err := parse(data)
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return Config{}, fmt.Errorf("model config: %w", err)
	}
	return c, nil
}

func parse(data []byte) (Config, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return Config{}, err
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	var problems []error
	for _, name := range names {
		if err := checkField(name, fields[name]); err != nil {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return Config{}, err
	}

	c := Config{
		RoutedScalingFactor:   1,
		RMSNormEps:            1e-6,
		RopeTheta:             10000,
		MaxPositionEmbeddings: 2048,
		InitializerRange:      0.02,
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return Config{}, err
	}
	if c.NumKeyValueHeads == 0 {
		c.NumKeyValueHeads = c.NumAttentionHeads
	}
	if c.HeadDim == 0 && c.NumAttentionHeads > 0 {
		c.HeadDim = c.HiddenSize / c.NumAttentionHeads
	}
	return c, nil
}

// MarshalJSON writes a config.json, with the choices that are fixed here
// spelled out for other readers.
func (c Config) MarshalJSON() ([]byte, error) {
	type plain Config
	out := struct {
		plain
		HiddenAct    string `json:"hidden_act"`
		ScoringFunc  string `json:"scoring_func,omitempty"`
		TopKMethod   string `json:"topk_method,omitempty"`
		NormTopKProb *bool  `json:"norm_topk_prob,omitempty"`
	}{plain: plain(c), HiddenAct: "silu"}
	if c.NRoutedExperts > 0 {
		out.ScoringFunc, out.TopKMethod, out.NormTopKProb = "softmax", "greedy", new(bool)
	}
	return json.Marshal(out)
}

// Validate returns every problem, joined, each beginning with the field's name.
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
	if c.ModelType != DeepSeek && c.ModelType != Llama {
		bad("model_type: %q is neither %q nor %q", c.ModelType, DeepSeek, Llama)
	}
	size("vocab_size", c.VocabSize, 1, 1<<20)
	size("hidden_size", c.HiddenSize, 1, 1<<16)
	size("num_hidden_layers", c.NumHiddenLayers, 1, 1<<10)
	size("num_attention_heads", c.NumAttentionHeads, 1, 1<<10)
	size("num_key_value_heads", c.NumKeyValueHeads, 1, 1<<10)
	if kv := c.NumKeyValueHeads; kv > 0 && c.NumAttentionHeads%kv != 0 {
		bad("num_key_value_heads: %d does not divide num_attention_heads %d", kv, c.NumAttentionHeads)
	}
	size("head_dim", c.HeadDim, 2, 1<<10)
	if c.HeadDim%2 != 0 {
		bad("head_dim: %d is odd", c.HeadDim)
	}
	size("max_position_embeddings", c.MaxPositionEmbeddings, 1, 1<<20)
	positive("rms_norm_eps", c.RMSNormEps)
	positive("rope_theta", c.RopeTheta)
	positive("initializer_range", c.InitializerRange)

	size("n_routed_experts", c.NRoutedExperts, 0, 1<<12)
	size("first_k_dense_replace", c.FirstKDenseReplace, 0, 1<<10)
	sparse := c.Sparse(c.NumHiddenLayers - 1)
	if !sparse || c.FirstKDenseReplace > 0 {
		size("intermediate_size", c.IntermediateSize, 1, 1<<18)
	}
	if c.NRoutedExperts > 0 {
		if c.ModelType == Llama {
			bad("n_routed_experts: a %s model has none", Llama)
		}
		size("moe_intermediate_size", c.MoEIntermediateSize, 1, 1<<18)
		size("n_shared_experts", c.NSharedExperts, 0, 1<<8)
		size("num_experts_per_tok", c.NumExpertsPerTok, 1, c.NRoutedExperts)
		positive("routed_scaling_factor", c.RoutedScalingFactor)
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
