package model

import (
	"errors"
	"fmt"
)

// deepseekFields are those of Llama with routed experts.
type deepseekFields struct {
	common
	AttentionBias       bool    `json:"attention_bias"`
	MLPBias             bool    `json:"mlp_bias"`
	NRoutedExperts      int     `json:"n_routed_experts"`
	NSharedExperts      *int    `json:"n_shared_experts"`
	NumExpertsPerTok    int     `json:"num_experts_per_tok"`
	MoEIntermediateSize int     `json:"moe_intermediate_size"`
	FirstKDenseReplace  int     `json:"first_k_dense_replace"`
	RoutedScalingFactor decimal `json:"routed_scaling_factor"`
	mixtureFields
}

// mixtureFields are what the two DeepSeek families say of their experts alike.
type mixtureFields struct {
	MoELayerFreq int     `json:"moe_layer_freq"`
	NGroup       *int    `json:"n_group"`
	TopKGroup    *int    `json:"topk_group"`
	TopKMethod   string  `json:"topk_method"`
	ScoringFunc  string  `json:"scoring_func"`
	NormTopKProb bool    `json:"norm_topk_prob"`
	AuxLossAlpha decimal `json:"aux_loss_alpha"`
	SeqAux       bool    `json:"seq_aux"`
}

func newMixtureFields() mixtureFields {
	return mixtureFields{MoELayerFreq: 1, TopKMethod: "greedy", ScoringFunc: "softmax", SeqAux: true}
}

// read sets what they mean in c. Unlike upstream, whose two implementations
// differ in it, weights that are normalised are not supported.
func (f *mixtureFields) read(c *Config) error {
	problems := []error{must("scoring_func", f.ScoringFunc, "softmax"), must("norm_topk_prob", f.NormTopKProb, false)}
	c.SparseStep = f.MoELayerFreq
	if c.SparseStep == 1 {
		c.SparseStep = 0
	} else if c.SparseStep > 1 {
		problems = append(problems, must("moe_layer_freq", f.MoELayerFreq, 1))
	}
	switch f.TopKMethod {
	case "greedy":
	case "group_limited_greedy":
		if f.NGroup == nil || f.TopKGroup == nil {
			problems = append(problems, errors.New("n_group, topk_group: topk_method group_limited_greedy needs them"))
		} else {
			c.NGroup, c.TopKGroup = *f.NGroup, *f.TopKGroup
		}
	default:
		problems = append(problems, fmt.Errorf("topk_method: %q is neither greedy nor group_limited_greedy", f.TopKMethod))
	}
	c.BalanceAlpha, c.BalanceEach = float64(f.AuxLossAlpha), f.SeqAux
	if c.BalanceAlpha == 0 {
		c.BalanceEach = false
	}
	return errors.Join(problems...)
}

func (f *mixtureFields) set(c Config) {
	if c.NGroup > 0 {
		f.TopKMethod, f.NGroup, f.TopKGroup = "group_limited_greedy", &c.NGroup, &c.TopKGroup
	}
	f.AuxLossAlpha, f.SeqAux = decimal(c.BalanceAlpha), c.BalanceEach
}

func newDeepSeekFields() fields {
	return &deepseekFields{common: newCommon(2048), RoutedScalingFactor: 1, mixtureFields: newMixtureFields()}
}

func (f *deepseekFields) config() (Config, error) {
	c, err := f.common.config()
	c.QKVBias, c.OutBias, c.MLPBias = f.AttentionBias, f.AttentionBias, f.MLPBias
	c.NRoutedExperts, c.NumExpertsPerTok, c.MoEIntermediateSize = f.NRoutedExperts, f.NumExpertsPerTok, f.MoEIntermediateSize
	if f.NSharedExperts != nil {
		c.NSharedExperts = *f.NSharedExperts
	}
	c.FirstKDenseReplace, c.RoutedScalingFactor = f.FirstKDenseReplace, float64(f.RoutedScalingFactor)
	return c, errors.Join(err, f.mixtureFields.read(&c))
}

func (f *deepseekFields) set(c Config) {
	f.common.set(c)
	f.AttentionBias, f.MLPBias = c.QKVBias, c.MLPBias
	f.NRoutedExperts, f.NSharedExperts, f.NumExpertsPerTok, f.MoEIntermediateSize = c.NRoutedExperts, &c.NSharedExperts, c.NumExpertsPerTok, c.MoEIntermediateSize
	f.FirstKDenseReplace, f.RoutedScalingFactor = c.FirstKDenseReplace, decimal(c.RoutedScalingFactor)
	f.mixtureFields.set(c)
}

type deepseekV2Fields struct {
	deepseekFields
	EPSize        int  `json:"ep_size,omitempty"`              // how experts were spread over machines
	RouterLogits  bool `json:"output_router_logits,omitempty"` // the balance loss goes by aux_loss_alpha
	QKHeadDim     int  `json:"qk_head_dim,omitempty"`          // follows from the two below
	KVLoraRank    int  `json:"kv_lora_rank"`
	QLoraRank     *int `json:"q_lora_rank"`
	QKNopeHeadDim int  `json:"qk_nope_head_dim"`
	QKRopeHeadDim int  `json:"qk_rope_head_dim"`
	VHeadDim      int  `json:"v_head_dim"`
}

func newDeepSeekV2Fields() fields {
	rank := 1536
	f := &deepseekV2Fields{
		deepseekFields: *newDeepSeekFields().(*deepseekFields), KVLoraRank: 512, QLoraRank: &rank,
		QKNopeHeadDim: 128, QKRopeHeadDim: 64, VHeadDim: 128,
	}
	shared := 2
	f.NSharedExperts, f.NRoutedExperts, f.NumExpertsPerTok = &shared, 64, 6
	return f
}

// config takes no notice of head_dim, which transformers sets to the part with
// positions.
func (f *deepseekV2Fields) config() (Config, error) {
	c, err := f.deepseekFields.config()
	c.QKVBias, c.HeadDim = false, 0
	c.KVLoraRank, c.QKNopeHeadDim, c.QKRopeHeadDim, c.VHeadDim = f.KVLoraRank, f.QKNopeHeadDim, f.QKRopeHeadDim, f.VHeadDim
	if f.QLoraRank != nil {
		c.QLoraRank = *f.QLoraRank
	}
	return c, errors.Join(err, must("num_key_value_heads", c.NumKeyValueHeads, c.NumAttentionHeads))
}

func (f *deepseekV2Fields) set(c Config) {
	f.deepseekFields.set(c)
	f.AttentionBias = c.OutBias
	f.KVLoraRank, f.QKNopeHeadDim, f.QKRopeHeadDim, f.VHeadDim = c.KVLoraRank, c.QKNopeHeadDim, c.QKRopeHeadDim, c.VHeadDim
	if f.QLoraRank = nil; c.QLoraRank > 0 {
		f.QLoraRank = &c.QLoraRank
	}
}

type qwen3Fields struct {
	common
	AttentionBias       bool    `json:"attention_bias"`
	UseSlidingWindow    bool    `json:"use_sliding_window"`
	SlidingWindow       *int    `json:"sliding_window"`
	MaxWindowLayers     int     `json:"max_window_layers,omitempty"` // not looked at in this family
	NumExperts          *int    `json:"num_experts,omitempty"`
	NumLocalExperts     *int    `json:"num_local_experts,omitempty"` // the name in transformers 5
	NumExpertsPerTok    int     `json:"num_experts_per_tok"`
	MoEIntermediateSize int     `json:"moe_intermediate_size"`
	NormTopKProb        bool    `json:"norm_topk_prob"`
	DecoderSparseStep   int     `json:"decoder_sparse_step"`
	MLPOnlyLayers       []int   `json:"mlp_only_layers"`
	OutputRouterLogits  bool    `json:"output_router_logits"`
	RouterAuxLossCoef   decimal `json:"router_aux_loss_coef"`
}

func newQwen3Fields() fields {
	kv := 4
	f := &qwen3Fields{
		common: newCommon(32768), NumExpertsPerTok: 8, MoEIntermediateSize: 768, DecoderSparseStep: 1, RouterAuxLossCoef: 0.001,
	}
	f.NumKeyValueHeads = &kv
	return f
}

// config makes the balance loss that of each layer. Unlike upstream, which puts
// the tokens of all layers in one bin: experts of different layers have nothing
// to do with one another.
func (f *qwen3Fields) config() (Config, error) {
	c, err := f.common.config()
	c.QKVBias, c.OutBias = f.AttentionBias, f.AttentionBias
	if f.UseSlidingWindow && f.SlidingWindow != nil {
		c.SlidingWindow = *f.SlidingWindow
	}
	c.NRoutedExperts = 128
	for _, n := range []*int{f.NumExperts, f.NumLocalExperts} {
		if n != nil {
			c.NRoutedExperts = *n
		}
	}
	c.NumExpertsPerTok, c.MoEIntermediateSize, c.NormTopKProb = f.NumExpertsPerTok, f.MoEIntermediateSize, f.NormTopKProb
	if n := len(f.MLPOnlyLayers); n > maxLayers {
		return c, fmt.Errorf("mlp_only_layers: %d layers are more than %d", n, maxLayers)
	}
	c.DenseLayers = join(f.MLPOnlyLayers)
	if c.SparseStep = f.DecoderSparseStep; c.SparseStep == 1 {
		c.SparseStep = 0
	}
	if n := c.sparseLayers(); f.OutputRouterLogits && n > 0 {
		c.BalanceAlpha = float64(f.RouterAuxLossCoef) * float64(f.NumExpertsPerTok) / float64(n)
	}
	return c, err
}

func (f *qwen3Fields) set(c Config) {
	f.common.set(c)
	f.AttentionBias = c.QKVBias
	if f.UseSlidingWindow = c.SlidingWindow > 0; f.UseSlidingWindow {
		f.SlidingWindow = &c.SlidingWindow
	}
	f.NumExperts, f.NumExpertsPerTok, f.MoEIntermediateSize = &c.NRoutedExperts, c.NumExpertsPerTok, c.MoEIntermediateSize
	f.NormTopKProb, f.DecoderSparseStep, f.MLPOnlyLayers = c.NormTopKProb, max(c.SparseStep, 1), unjoin(c.DenseLayers)
	if n := c.sparseLayers(); c.BalanceAlpha > 0 && n > 0 {
		f.OutputRouterLogits, f.RouterAuxLossCoef = true, decimal(c.BalanceAlpha*float64(n)/float64(c.NumExpertsPerTok))
	}
}
