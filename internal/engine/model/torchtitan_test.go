package model

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/engine/device"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/device/ref"
)

func tinyTitan() Config {
	c := tiny()
	return Config{
		ModelType: Torchtitan, VocabSize: c.VocabSize, HiddenSize: 8, NumHiddenLayers: 2, NumAttentionHeads: 4,
		NumKeyValueHeads: 2, HeadDim: 6, IntermediateSize: 5, RMSNormEps: 1e-5, RopeTheta: 100,
		MaxPositionEmbeddings: 16, InitializerRange: 0.4, RoutedScalingFactor: 1, TieWordEmbeddings: true,
	}
}

// llamaName returns the name in Hugging Face's libraries of one of torchtitan's.
func llamaName(name string) string {
	switch name {
	case "norm.weight":
		return "model.norm.weight"
	case "output.weight":
		return "lm_head.weight"
	case "tok_embeddings.weight":
		return "model.embed_tokens.weight"
	}
	for old, other := range map[string]string{
		"attention.wq": "self_attn.q_proj", "attention.wk": "self_attn.k_proj", "attention.wv": "self_attn.v_proj", "attention.wo": "self_attn.o_proj",
		"feed_forward.w1": "mlp.gate_proj", "feed_forward.w2": "mlp.down_proj", "feed_forward.w3": "mlp.up_proj",
		"attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
	} {
		name = strings.Replace(name, old, other, 1)
	}
	return "model." + name
}

// apartRows returns rows (heads*d, cols) in Hugging Face's order, in which the
// columns of a head that are turned together stand half a head apart.
func apartRows(x []float32, heads, d int) []float32 {
	cols := len(x) / (heads * d)
	out := make([]float32, len(x))
	for h := range heads {
		for j := range d {
			from, to := h*d+j, h*d+j/2+j%2*d/2
			copy(out[to*cols:(to+1)*cols], x[from*cols:(from+1)*cols])
		}
	}
	return out
}

// asLlama returns values of parameters, or gradients of them, by Hugging Face's
// names and in its order.
func asLlama(c Config, values map[string][]float32) map[string][]float32 {
	out := map[string][]float32{}
	for name, x := range values {
		switch {
		case strings.HasSuffix(name, "wq.weight"):
			x = apartRows(x, c.NumAttentionHeads, c.HeadDim)
		case strings.HasSuffix(name, "wk.weight"):
			x = apartRows(x, c.NumKeyValueHeads, c.HeadDim)
		}
		out[llamaName(name)] = x
	}
	return out
}

// TestTorchtitanIsLlama computes the same by both names: loss, and gradient of
// every parameter.
func TestTorchtitanIsLlama(t *testing.T) {
	for name, dev := range map[string]device.Device{"ref": ref.New(), "cpu": cpu.New(1)} {
		for _, tied := range []bool{true, false} {
			c := tinyTitan()
			c.TieWordEmbeddings = tied
			twin := c
			twin.ModelType = Llama
			titan, err := New(dev, c, testLen)
			if err != nil {
				t.Fatal(err)
			}
			llama, err := New(dev, twin, testLen)
			if err != nil {
				t.Fatal(err)
			}
			titan.Init("test")
			rng := rand.New(rand.NewPCG(5, 6)) // the usual start is next to linear
			values := map[string][]float32{}
			for _, p := range titan.params {
				x := make([]float32, p.Hi-p.Lo)
				for i := range x {
					x[i] = float32(rng.NormFloat64() / 2)
				}
				dev.Upload(titan.Weights(p), x)
				values[p.Name] = x
			}
			same := asLlama(c, values)
			for _, p := range llama.params {
				dev.Upload(llama.Weights(p), same[p.Name])
			}
			ids, targets := tokens(c)
			if a, b := sum(titan, ids, targets), sum(llama, ids, targets); math.Abs(a-b) > 1e-5*a {
				t.Errorf("%s, tied %v: loss %v, Llama's %v", name, tied, a, b)
			}
			want := gradient(llama, ids, targets, all)
			got := asLlama(c, gradient(titan, ids, targets, all))
			if len(got) != len(want) {
				t.Fatalf("%d gradients, want %d", len(got), len(want))
			}
			for p, g := range want {
				for i := range g {
					if math.Abs(float64(g[i]-got[p][i])) > 1e-4 {
						t.Errorf("%s, tied %v: gradient %d of %s is %v, Llama's is %v", name, tied, i, p, got[p][i], g[i])
						break
					}
				}
			}
		}
	}
}

// TestNamed holds the order of parameters against that of named_parameters.
func TestNamed(t *testing.T) {
	titan := tinyTitan()
	llama := titan
	llama.ModelType, llama.TieWordEmbeddings = Llama, false
	biased := llama
	biased.QKVBias, biased.OutBias, biased.MLPBias, biased.NumHiddenLayers = true, true, true, 1
	for _, tt := range []struct {
		Config
		want string
	}{
		{titan, `tok_embeddings
			layers.0.attention.wq layers.0.attention.wk layers.0.attention.wv layers.0.attention.wo
			layers.0.feed_forward.w1 layers.0.feed_forward.w2 layers.0.feed_forward.w3 layers.0.attention_norm layers.0.ffn_norm
			layers.1.attention.wq layers.1.attention.wk layers.1.attention.wv layers.1.attention.wo
			layers.1.feed_forward.w1 layers.1.feed_forward.w2 layers.1.feed_forward.w3 layers.1.attention_norm layers.1.ffn_norm
			norm`},
		{llama, `model.embed_tokens
			model.layers.0.self_attn.q_proj model.layers.0.self_attn.k_proj model.layers.0.self_attn.v_proj model.layers.0.self_attn.o_proj
			model.layers.0.mlp.gate_proj model.layers.0.mlp.up_proj model.layers.0.mlp.down_proj
			model.layers.0.input_layernorm model.layers.0.post_attention_layernorm
			model.layers.1.self_attn.q_proj model.layers.1.self_attn.k_proj model.layers.1.self_attn.v_proj model.layers.1.self_attn.o_proj
			model.layers.1.mlp.gate_proj model.layers.1.mlp.up_proj model.layers.1.mlp.down_proj
			model.layers.1.input_layernorm model.layers.1.post_attention_layernorm
			model.norm lm_head`},
		{biased, `model.embed_tokens
			model.layers.0.self_attn.q_proj + model.layers.0.self_attn.k_proj + model.layers.0.self_attn.v_proj + model.layers.0.self_attn.o_proj +
			model.layers.0.mlp.gate_proj + model.layers.0.mlp.up_proj + model.layers.0.mlp.down_proj +
			model.layers.0.input_layernorm model.layers.0.post_attention_layernorm
			model.norm lm_head`},
	} {
		var got, want []string
		for _, p := range Named(tt.Params()) {
			got = append(got, p.Name)
		}
		for _, name := range strings.Fields(tt.want) {
			if name == "+" { // and its bias
				name = strings.TrimSuffix(want[len(want)-1], ".weight") + ".bias"
			} else {
				name += ".weight"
			}
			want = append(want, name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.ModelType, diff)
		}
	}
	// Nothing is lost of models whose parts are not in the table.
	for _, c := range []Config{tiny(), Small(64, 2)} {
		if got := Named(c.Params()); len(got) != len(c.Params()) || got[0].Name != "model.embed_tokens.weight" || got[len(got)-1].Name != "lm_head.weight" {
			t.Errorf("%d of %d parameters, from %s to %s", len(got), len(c.Params()), got[0].Name, got[len(got)-1].Name)
		}
	}
}

// TestTorchtitanStart measures how large parameters start.
func TestTorchtitanStart(t *testing.T) {
	c := tinyTitan()
	c.VocabSize, c.HiddenSize, c.IntermediateSize = 500, 64, 200
	for _, tt := range []struct {
		tied bool
		name string
		std  float64
	}{
		{true, "tok_embeddings.weight", 0.9866 / 8}, // cut off at three deviations
		{false, "tok_embeddings.weight", 1},
		{false, "output.weight", 0.9866 / 8},
		{true, "layers.1.attention.wq.weight", 0.02},
		{true, "layers.1.feed_forward.w1.weight", 0.02},
		{true, "layers.0.attention.wo.weight", 0.02 / math.Sqrt2},
		{true, "layers.1.attention.wo.weight", 0.01},
		{true, "layers.1.feed_forward.w2.weight", 0.01},
		{true, "layers.1.feed_forward.w3.weight", 0.01},
		{true, "layers.1.ffn_norm.weight", 1},
	} {
		c.TieWordEmbeddings = tt.tied
		m := newModel(t, c)
		found := false
		for _, p := range m.params {
			if p.Name != tt.name {
				continue
			}
			found = true
			squares, most, w := 0.0, 0.0, get(m, m.Weights(p))
			for _, x := range w {
				squares += float64(x) * float64(x)
				most = max(most, math.Abs(float64(x)))
			}
			if std := math.Sqrt(squares / float64(len(w))); math.Abs(std/tt.std-1) > 0.05 {
				t.Errorf("%s, tied %v: deviation %v, want %v", tt.name, tt.tied, std, tt.std)
			}
			if tt.std < 0.2 && tt.std > 0.1 && most > 3.0/8 {
				t.Errorf("%s starts at up to %v, want %v at most", tt.name, most, 3.0/8)
			}
		}
		if !found {
			t.Errorf("no parameter %s, tied %v", tt.name, tt.tied)
		}
	}
}

// TestSizes counts the parameters of all sizes, in both libraries.
func TestSizes(t *testing.T) {
	for _, tt := range []struct {
		model, size string
		vocab, want int
	}{
		{Llama, "1B", 32000, 1_204_881_408}, // as a network of them has it
		{Torchtitan, "70B", 262144, 70_599_843_840},
		{Torchtitan, "toy", 300, 300*32 + 4*32*32 + 3*32*256 + 3*32},
	} {
		c, err := Sized(tt.model, tt.size, tt.vocab)
		if err == nil {
			err = c.Validate()
		}
		if got := c.Count(2048).Params; err != nil || got != tt.want {
			t.Errorf("%s %s has %d parameters, want %d: %v", tt.model, tt.size, got, tt.want, err)
		}
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseConfig(data); err != nil || back != c {
			t.Errorf("%s came back as %+v: %v", data, back, err)
		}
	}
	if _, err := Sized(Llama, "2B", 100); err == nil || !strings.Contains(err.Error(), "toy, 150M, 1B, 70B") {
		t.Errorf("an unknown size: %v", err)
	}
	if _, err := Sized(GPT2, "1B", 100); err == nil {
		t.Error("a GPT-2 of a size of Llama's")
	}
}
