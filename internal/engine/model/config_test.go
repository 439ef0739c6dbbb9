package model

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseConfig(t *testing.T) {
	llama := `{"architectures":["LlamaForCausalLM"],"hidden_act":"silu","model_type":"llama","vocab_size":100,"hidden_size":32,
		"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":null,"intermediate_size":64,"torch_dtype":"bfloat16"`
	c, err := ParseConfig([]byte(llama + "}"))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		ModelType: Llama, VocabSize: 100, HiddenSize: 32, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 4,
		HeadDim: 8, IntermediateSize: 64, RoutedScalingFactor: 1, RMSNormEps: 1e-6, RopeTheta: 10000,
		MaxPositionEmbeddings: 2048, InitializerRange: 0.02,
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}

	for _, tt := range []struct{ more, want string }{
		{`,"surprise":1`, "surprise: a llama model has no such field"},
		{`,"Vocab_Size":7`, "Vocab_Size: a llama model has no such field"},
		{`,"kv_lora_rank":512`, "kv_lora_rank: a llama model has no such field"},
		{`,"rope_scaling":{"type":"longrope"}`, `rope_type: "longrope" is none of`},
		{`,"rope_scaling":{"rope_type":"llama3","factor":8}`, "high_freq_factor: 0 is not a number from"},
		{`,"rope_scaling":{"rope_type":"linear","factor":0.5}`, "factor: 0.5 is not a number from 1 up"},
		{`,"hidden_act":"gelu"`, `hidden_act: gelu is not supported; it must be silu`},
		{`,"num_key_value_heads":3`, "num_key_value_heads: 3 does not divide num_attention_heads 4"},
		{`,"vocab_size":99999999`, "vocab_size: 99999999 is not from 1 to 1048576"},
		{`,"rms_norm_eps":0`, "rms_norm_eps: 0 is not a positive number"},
		{`,"model_type":"phi3"`, `model_type: "phi3" is none of llama, `},
		{`,"head_dim":7`, "head_dim: 7 is odd"},
	} {
		_, err := ParseConfig([]byte(llama + tt.more + "}"))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("with %s: %v, want %q", tt.more, err, tt.want)
		}
	}
}

func TestConfigRoundTrip(t *testing.T) {
	dense := tiny()
	dense.ModelType, dense.NRoutedExperts, dense.NSharedExperts, dense.NumExpertsPerTok = Llama, 0, 0, 0
	dense.MoEIntermediateSize, dense.FirstKDenseReplace, dense.RoutedScalingFactor = 0, 0, 1
	for _, c := range []Config{tiny(), Small(2048, 3), dense} {
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseConfig(data)
		if err != nil {
			t.Errorf("%s: %v", data, err)
		} else if back != c {
			t.Errorf("%s came back as %+v", data, back)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	data, err := json.Marshal(tiny())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"vocab_size":-1}`))
	f.Add([]byte(`{"model_type":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig(data)
		if err != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("accepted %s: %v", data, err)
		}
	})
}

func TestParameterNames(t *testing.T) {
	got := map[string][]int{}
	for _, p := range tiny().Params() {
		got[p.Name] = p.Shape
	}
	want := map[string][]int{
		"model.embed_tokens.weight": {11, 6}, "model.norm.weight": {6}, "lm_head.weight": {11, 6},
		"model.layers.0.mlp.gate_proj.weight": {5, 6}, "model.layers.0.mlp.up_proj.weight": {5, 6}, "model.layers.0.mlp.down_proj.weight": {6, 5},
	}
	for _, l := range []string{"0", "1", "2"} {
		layer := "model.layers." + l + "."
		want[layer+"input_layernorm.weight"] = []int{6}
		want[layer+"post_attention_layernorm.weight"] = []int{6}
		want[layer+"self_attn.q_proj.weight"] = []int{8, 6}
		want[layer+"self_attn.k_proj.weight"] = []int{4, 6}
		want[layer+"self_attn.v_proj.weight"] = []int{4, 6}
		want[layer+"self_attn.o_proj.weight"] = []int{6, 8}
		if l == "0" {
			continue
		}
		want[layer+"mlp.gate.weight"] = []int{4, 6}
		want[layer+"mlp.shared_experts.gate_proj.weight"] = []int{6, 6}
		want[layer+"mlp.shared_experts.up_proj.weight"] = []int{6, 6}
		want[layer+"mlp.shared_experts.down_proj.weight"] = []int{6, 6}
		for _, e := range []string{"0", "1", "2", "3"} {
			want[layer+"mlp.experts."+e+".gate_up_proj"] = []int{6, 6}
			want[layer+"mlp.experts."+e+".down_proj"] = []int{6, 3}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestInit(t *testing.T) {
	c := tiny()
	c.HiddenSize, c.MoEIntermediateSize, c.IntermediateSize, c.VocabSize = 40, 24, 48, 32
	c.HeadDim, c.NRoutedExperts, c.InitializerRange, c.NumHiddenLayers = 10, 2, 0.02, 2
	m := newModel(t, c)
	values := func(seed string) []float32 { m.Init(seed); return get(m, m.buf) }
	one := values("1")
	if !cmp.Equal(one, values("1")) {
		t.Error("the same seed gave another model")
	}
	if cmp.Equal(one, values("2")) {
		t.Error("another seed gave the same model")
	}
	m.Init("1")
	for _, p := range m.params {
		mean, sq := 0.0, 0.0
		for _, x := range get(m, m.Weights(p)) {
			mean += float64(x) / float64(p.Hi-p.Lo)
			sq += float64(x) * float64(x) / float64(p.Hi-p.Lo)
		}
		want := 0.02
		switch {
		case p.Kind == Norm:
			want = 1
		case p.Out:
			want = 0.02 / math.Sqrt(4)
		}
		if std := math.Sqrt(sq); math.Abs(std/want-1) > 0.1 {
			t.Errorf("%s: root mean square %.4f, want %.4f", p.Name, std, want)
		}
	}
}
