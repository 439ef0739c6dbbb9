package model

import "errors"

type gpt2Fields struct {
	ModelType         string  `json:"model_type"`
	VocabSize         int     `json:"vocab_size"`
	Width             int     `json:"n_embd"`
	Layers            int     `json:"n_layer"`
	Heads             int     `json:"n_head"`
	Positions         int     `json:"n_positions"`
	Context           int     `json:"n_ctx,omitempty"` // an older name, not looked at
	Inner             *int    `json:"n_inner"`
	Activation        string  `json:"activation_function"`
	LayerNormEps      decimal `json:"layer_norm_epsilon"`
	InitializerRange  decimal `json:"initializer_range"`
	TieWordEmbeddings bool    `json:"tie_word_embeddings"`

	ScaleAttnWeights        bool `json:"scale_attn_weights"`
	ScaleAttnByInverseLayer bool `json:"scale_attn_by_inverse_layer_idx"`
	ReorderAndUpcastAttn    bool `json:"reorder_and_upcast_attn"` // nothing in 32 bits
	AddCrossAttention       bool `json:"add_cross_attention"`

	EmbdPdrop  decimal `json:"embd_pdrop"`
	AttnPdrop  decimal `json:"attn_pdrop"`
	ResidPdrop decimal `json:"resid_pdrop"`

	// What a head for classification would have.
	SummaryActivation    any     `json:"summary_activation,omitempty"`
	SummaryFirstDropout  decimal `json:"summary_first_dropout,omitempty"`
	SummaryProjToLabels  bool    `json:"summary_proj_to_labels,omitempty"`
	SummaryType          string  `json:"summary_type,omitempty"`
	SummaryUseProjection bool    `json:"summary_use_proj,omitempty"`
}

func newGPT2Fields() fields {
	return &gpt2Fields{
		VocabSize: 50257, Width: 768, Layers: 12, Heads: 12, Positions: 1024, Activation: "gelu_new",
		LayerNormEps: 1e-5, InitializerRange: 0.02, TieWordEmbeddings: true, ScaleAttnWeights: true,
		EmbdPdrop: 0.1, AttnPdrop: 0.1, ResidPdrop: 0.1,
	}
}

func (f *gpt2Fields) config() (Config, error) {
	c := Config{
		VocabSize: f.VocabSize, HiddenSize: f.Width, NumHiddenLayers: f.Layers, NumAttentionHeads: f.Heads,
		NumKeyValueHeads: f.Heads, IntermediateSize: 4 * f.Width, RMSNormEps: float64(f.LayerNormEps),
		MaxPositionEmbeddings: f.Positions, TieWordEmbeddings: f.TieWordEmbeddings, InitializerRange: float64(f.InitializerRange),
		RoutedScalingFactor: 1, QKVBias: true, OutBias: true, MLPBias: true,
		ScaleAttention: f.ScaleAttnWeights, ScaleByLayer: f.ScaleAttnByInverseLayer,
	}
	if f.Inner != nil {
		c.IntermediateSize = *f.Inner
	}
	if f.Heads > 0 {
		c.HeadDim = f.Width / f.Heads
	}
	for name, p := range map[string]decimal{"embd_pdrop": f.EmbdPdrop, "attn_pdrop": f.AttnPdrop, "resid_pdrop": f.ResidPdrop} {
		if p != 0 && (c.Dropout == "" || name < c.Dropout) {
			c.Dropout = name
		}
	}
	problems := []error{must("add_cross_attention", f.AddCrossAttention, false)}
	if f.Activation != "gelu_pytorch_tanh" {
		problems = append(problems, must("activation_function", f.Activation, "gelu_new"))
	}
	if f.Heads > 0 && f.Width%f.Heads != 0 {
		problems = append(problems, errors.New("n_head: it does not divide n_embd"))
	}
	return c, errors.Join(problems...)
}

func (f *gpt2Fields) set(c Config) {
	f.ModelType, f.VocabSize, f.Width, f.Layers, f.Heads = c.ModelType, c.VocabSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads
	f.Positions, f.Inner, f.LayerNormEps = c.MaxPositionEmbeddings, &c.IntermediateSize, decimal(c.RMSNormEps)
	f.InitializerRange, f.TieWordEmbeddings = decimal(c.InitializerRange), c.TieWordEmbeddings
	f.ScaleAttnWeights, f.ScaleAttnByInverseLayer = c.ScaleAttention, c.ScaleByLayer
	if c.Dropout == "" {
		f.EmbdPdrop, f.AttnPdrop, f.ResidPdrop = 0, 0, 0
	}
}
