package model

import (
	"errors"
	"fmt"
)

// common are the fields of the families that descend from Llama.
type common struct {
	ModelType             string  `json:"model_type"`
	VocabSize             int     `json:"vocab_size"`
	HiddenSize            int     `json:"hidden_size"`
	NumHiddenLayers       int     `json:"num_hidden_layers"`
	NumAttentionHeads     int     `json:"num_attention_heads"`
	NumKeyValueHeads      *int    `json:"num_key_value_heads"`
	HeadDim               *int    `json:"head_dim,omitempty"`
	IntermediateSize      int     `json:"intermediate_size"`
	HiddenAct             string  `json:"hidden_act"`
	AttentionDropout      decimal `json:"attention_dropout"`
	RMSNormEps            decimal `json:"rms_norm_eps"`
	MaxPositionEmbeddings int     `json:"max_position_embeddings"`
	TieWordEmbeddings     bool    `json:"tie_word_embeddings"`
	InitializerRange      decimal `json:"initializer_range"`

	RopeTheta      decimal     `json:"rope_theta"`
	RopeScaling    *ropeFields `json:"rope_scaling"`
	RopeParameters *ropeFields `json:"rope_parameters,omitempty"` // what transformers 5 has for both
	OriginalMax    *int        `json:"original_max_position_embeddings,omitempty"`
}

func newCommon(positions int) common {
	return common{
		HiddenAct: "silu", RMSNormEps: 1e-6, RopeTheta: 10000,
		MaxPositionEmbeddings: positions, InitializerRange: 0.02,
	}
}

// ropeFields are those of rope_scaling.
type ropeFields struct {
	RopeType        string   `json:"rope_type,omitempty"`
	Type            string   `json:"type,omitempty"` // an older name
	RopeTheta       *decimal `json:"rope_theta,omitempty"`
	Factor          *decimal `json:"factor,omitempty"`
	OriginalMax     *int     `json:"original_max_position_embeddings,omitempty"`
	LowFreqFactor   decimal  `json:"low_freq_factor,omitempty"`
	HighFreqFactor  decimal  `json:"high_freq_factor,omitempty"`
	BetaFast        decimal  `json:"beta_fast,omitempty"`
	BetaSlow        decimal  `json:"beta_slow,omitempty"`
	MScale          decimal  `json:"mscale,omitempty"`
	MScaleAllDim    decimal  `json:"mscale_all_dim,omitempty"`
	AttentionFactor decimal  `json:"attention_factor,omitempty"`
	Truncate        *bool    `json:"truncate,omitempty"`
	Partial         *decimal `json:"partial_rotary_factor,omitempty"`
}

// config is what all these families have in common.
func (f *common) config() (Config, error) {
	c := Config{
		VocabSize: f.VocabSize, HiddenSize: f.HiddenSize, NumHiddenLayers: f.NumHiddenLayers,
		NumAttentionHeads: f.NumAttentionHeads, NumKeyValueHeads: f.NumAttentionHeads,
		IntermediateSize: f.IntermediateSize, RMSNormEps: float64(f.RMSNormEps), MaxPositionEmbeddings: f.MaxPositionEmbeddings,
		TieWordEmbeddings: f.TieWordEmbeddings, InitializerRange: float64(f.InitializerRange), RopeTheta: float64(f.RopeTheta),
		RoutedScalingFactor: 1,
	}
	if f.NumKeyValueHeads != nil {
		c.NumKeyValueHeads = *f.NumKeyValueHeads
	}
	switch {
	case f.HeadDim != nil:
		c.HeadDim = *f.HeadDim
	case f.NumAttentionHeads > 0:
		c.HeadDim = f.HiddenSize / f.NumAttentionHeads
	}
	if f.AttentionDropout != 0 {
		c.Dropout = "attention_dropout"
	}
	var problems []error
	if f.HiddenAct != "silu" && f.HiddenAct != "swish" {
		problems = append(problems, must("hidden_act", f.HiddenAct, "silu"))
	}
	scaling := f.RopeParameters
	if f.RopeScaling != nil {
		scaling = f.RopeScaling
	}
	if scaling != nil {
		problems = append(problems, scaling.read(&c, f.OriginalMax))
	}
	return c, errors.Join(problems...)
}

func (f *ropeFields) read(c *Config, original *int) error {
	if f.RopeTheta != nil {
		c.RopeTheta = float64(*f.RopeTheta)
	}
	if f.Partial != nil && *f.Partial != 1 {
		return must("rope_scaling: partial_rotary_factor", *f.Partial, 1)
	}
	kind := f.RopeType
	if kind == "" {
		kind = f.Type
	}
	if kind == "" || kind == "default" {
		return nil
	}
	r := RopeScaling{Kind: kind, OriginalMax: c.MaxPositionEmbeddings}
	if f.OriginalMax != nil {
		r.OriginalMax = *f.OriginalMax
	}
	if original != nil {
		r.OriginalMax = *original
	}
	if f.Factor != nil {
		r.Factor = float64(*f.Factor)
	} else if kind == RopeYarn && r.OriginalMax > 0 {
		r.Factor = float64(c.MaxPositionEmbeddings) / float64(r.OriginalMax)
	}
	switch kind {
	case RopeLinear, RopeDynamic:
		r.OriginalMax = 0 // they do not look at it
	case RopeLlama3:
		r.LowFreqFactor, r.HighFreqFactor = float64(f.LowFreqFactor), float64(f.HighFreqFactor)
	case RopeYarn:
		r.BetaFast, r.BetaSlow = 32, 1
		if f.BetaFast != 0 {
			r.BetaFast = float64(f.BetaFast)
		}
		if f.BetaSlow != 0 {
			r.BetaSlow = float64(f.BetaSlow)
		}
		r.MScale, r.MScaleAllDim, r.AttentionFactor = float64(f.MScale), float64(f.MScaleAllDim), float64(f.AttentionFactor)
		r.NoTruncate = f.Truncate != nil && !*f.Truncate
	}
	c.Rope = r
	return nil
}

// set makes the fields mean c.
func (f *common) set(c Config) {
	f.ModelType, f.VocabSize, f.HiddenSize, f.NumHiddenLayers = c.ModelType, c.VocabSize, c.HiddenSize, c.NumHiddenLayers
	f.NumAttentionHeads, f.NumKeyValueHeads = c.NumAttentionHeads, &c.NumKeyValueHeads
	f.IntermediateSize, f.RMSNormEps, f.MaxPositionEmbeddings = c.IntermediateSize, decimal(c.RMSNormEps), c.MaxPositionEmbeddings
	f.TieWordEmbeddings, f.InitializerRange, f.RopeTheta = c.TieWordEmbeddings, decimal(c.InitializerRange), decimal(c.RopeTheta)
	if c.HeadDim > 0 {
		f.HeadDim = &c.HeadDim
	}
	r := c.Rope
	if r.Kind == RopeDefault {
		return
	}
	factor := decimal(r.Factor)
	f.RopeScaling = &ropeFields{
		RopeType: r.Kind, Factor: &factor, LowFreqFactor: decimal(r.LowFreqFactor), HighFreqFactor: decimal(r.HighFreqFactor),
		BetaFast: decimal(r.BetaFast), BetaSlow: decimal(r.BetaSlow), MScale: decimal(r.MScale),
		MScaleAllDim: decimal(r.MScaleAllDim), AttentionFactor: decimal(r.AttentionFactor),
	}
	if r.OriginalMax > 0 {
		f.RopeScaling.OriginalMax = &r.OriginalMax
	}
	if r.NoTruncate {
		f.RopeScaling.Truncate = new(bool)
	}
}

type llamaFields struct {
	common
	AttentionBias bool `json:"attention_bias"`
	MLPBias       bool `json:"mlp_bias"`
}

func newLlamaFields() fields { return &llamaFields{common: newCommon(2048)} }

func (f *llamaFields) config() (Config, error) {
	c, err := f.common.config()
	c.QKVBias, c.OutBias, c.MLPBias = f.AttentionBias, f.AttentionBias, f.MLPBias
	return c, err
}

func (f *llamaFields) set(c Config) {
	f.common.set(c)
	f.AttentionBias, f.MLPBias = c.QKVBias, c.MLPBias
}

type mistralFields struct {
	common
	SlidingWindow *int `json:"sliding_window"`
}

func newMistralFields() fields {
	window := 4096 // of a file that does not say
	return &mistralFields{newCommon(4096 * 32), &window}
}

func (f *mistralFields) config() (Config, error) {
	c, err := f.common.config()
	if f.SlidingWindow != nil {
		c.SlidingWindow = *f.SlidingWindow
	}
	return c, err
}

func (f *mistralFields) set(c Config) {
	f.common.set(c)
	f.SlidingWindow = nil
	if c.SlidingWindow > 0 {
		f.SlidingWindow = &c.SlidingWindow
	}
}

type qwen2Fields struct {
	common
	UseSlidingWindow bool     `json:"use_sliding_window"`
	SlidingWindow    *int     `json:"sliding_window"`
	MaxWindowLayers  int      `json:"max_window_layers"`
	UseMRope         bool     `json:"use_mrope,omitempty"`
	LayerTypes       []string `json:"layer_types,omitempty"`
}

func newQwen2Fields() fields {
	window := 4096
	return &qwen2Fields{common: newCommon(32768), SlidingWindow: &window, MaxWindowLayers: 28}
}

func (f *qwen2Fields) config() (Config, error) {
	c, err := f.common.config()
	err = errors.Join(err, must("use_mrope", f.UseMRope, false))
	c.QKVBias = true
	if !f.UseSlidingWindow || f.SlidingWindow == nil {
		return c, err
	}
	c.SlidingWindow, c.FullLayers = *f.SlidingWindow, f.MaxWindowLayers
	if f.LayerTypes == nil {
		return c, err
	}
	const full, sliding = "full_attention", "sliding_attention"
	c.FullLayers = 0
	for l, kind := range f.LayerTypes {
		switch {
		case kind == full && c.FullLayers == l:
			c.FullLayers++
		case kind != sliding:
			return c, errors.Join(err, fmt.Errorf("layer_types: %q in layer %d is not supported; the layers with %s must come first, the others have %s", kind, l, full, sliding))
		}
	}
	return c, err
}

func (f *qwen2Fields) set(c Config) {
	f.common.set(c)
	if f.UseSlidingWindow = c.SlidingWindow > 0; f.UseSlidingWindow {
		f.SlidingWindow, f.MaxWindowLayers = &c.SlidingWindow, c.FullLayers
	}
}
