package train

import (
	"math"
	"slices"
	"strings"
	"testing"

	"adit/internal/engine/device"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/device/ref"
	"adit/internal/engine/model"
)

// recorded are two vectors after five updates by PyTorch 1.13, from
// p0[i] = (i-3)/4 and p1[i] = (i+1)/2 with the gradients
// ((7*j + 5*step) mod 11 - 5)/8, where j is i for p0 and i+8 for p1.
var recorded = []struct {
	rules  Rules
	lr     float64
	p0, p1 []float32
}{
	{ // AdamW([{p0}, {p1, lr=0.005, weight_decay=0, betas=(0.8, 0.99), eps=1e-3}], lr=0.01, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
		Rules{Beta1: 0.9, Beta2: 0.95, WeightDecay: 0.1, Groups: []Group{{Rate: 0.5, Beta1: 0.8, Beta2: 0.99, Eps: 1e-3}}}, 0.01,
		[]float32{-0.767899454, -0.469034702, -0.257210195, -0.000865956186, 0.26214385, 0.501770735, 0.759173334, 0.963753164},
		[]float32{0.499111176, 1.01288176, 1.49016368, 1.98914957, 2.51332641, 2.99659586, 3.49949861, 4.00525808},
	},
	{ // SGD([{p0}, {p1, lr=0.05, weight_decay=0, momentum=0.5}], lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1)
		Rules{Method: SGD, Momentum: 0.9, WeightDecay: 0.1, Groups: []Group{{Rate: 0.5, Momentum: 0.5}}}, 0.1,
		[]float32{-0.916685402, -0.160529077, -0.200239852, -0.0859057903, 0.211453483, 0.630539834, 0.744873762, 0.443913043},
		[]float32{0.502929688, 1.09550786, 1.45390618, 1.92617178, 2.54882812, 3.01035142, 3.48261738, 3.97636724},
	},
}

func TestUpdatesArePyTorchs(t *testing.T) {
	for _, dev := range []device.Device{ref.New(), cpu.New(1)} {
		for _, tt := range recorded {
			grad, p := dev.NewBuf(16), dev.NewBuf(16)
			begin := make([]float32, 16)
			for i := range 8 {
				begin[i], begin[8+i] = float32(i-3)/4, float32(i+1)/2
			}
			dev.Upload(p, begin)
			o := &Optimizer{dev: dev, grad: grad, rule: newRule(dev, tt.rules.Method, 16)}
			for k := range 2 {
				s := model.Segment{Weights: p.Slice(8*k, 8*k+8), Grad: grad.Slice(8*k, 8*k+8), Decay: true, Group: k}
				o.spans = append(o.spans, span{s, 8 * k, 8*k + 8, tt.rules.constants(s)})
			}
			for step := 1; step <= 5; step++ {
				// As after a backward pass of a loss times eight.
				g := make([]float32, 16)
				for j := range g {
					g[j] = float32((7*j+5*step)%11 - 5)
				}
				dev.Upload(grad, g)
				if _, ok := o.Update(tt.lr, 8); !ok {
					t.Fatal("nothing was updated")
				}
			}
			for i, got := range download(dev, p) {
				if want := append(tt.p0[:8:8], tt.p1...)[i]; math.Abs(float64(got-want)) > 1e-6 {
					t.Errorf("%s, %s: parameter %d is %v, want %v", dev.Name(), o.rule.method(), i, got, want)
				}
			}
		}
	}
}

// TestDecay takes a step without a gradient: matrices shrink, norms stay, and a
// group does as it says.
func TestDecay(t *testing.T) {
	opts := options()
	opts.Rules.Groups = []Group{
		{Names: []string{"model.layers.1.*norm.weight"}, WeightDecay: 0.2, DecayAll: true},
		{Names: []string{"model.layers.1.*"}, WeightDecay: 0.3, Rate: 0.5},
		{Names: []string{"model.layers.0.*"}},
	}
	tr := newTrainer(t, opts, counting)
	before := weights(tr, all)
	tr.opt.Clear()
	if _, ok := tr.opt.Update(0.5, 1); !ok {
		t.Fatal("nothing was updated")
	}
	for name, after := range weights(tr, all) {
		factor := 0.95
		switch norm := strings.HasSuffix(name, "norm.weight"); {
		case strings.HasPrefix(name, "model.layers.0."):
			factor = 1
		case strings.HasPrefix(name, "model.layers.1.") && norm:
			factor = 0.9
		case strings.HasPrefix(name, "model.layers.1."):
			factor = 0.925
		case norm:
			factor = 1
		}
		for i, w := range before[name] {
			if math.Abs(float64(after[i])-float64(w)*factor) > 1e-6 {
				t.Errorf("%s went from %v to %v, want %v of it", name, w, after[i], factor)
				break
			}
		}
	}
}

// TestGroupsMoveAtTheirRate takes a step of plain gradient descent: what each
// parameter moves by is its group's rate times its gradient, which shows, too,
// that gradients lie in the order of the parameters.
func TestGroupsMoveAtTheirRate(t *testing.T) {
	opts := options()
	opts.Params, opts.Trained = nil, []string{"!model.layers.0.*", "*q_proj*"}
	opts.Schedule = Schedule{Peak: 0.5}
	opts.Rules = Rules{Method: SGD, Groups: []Group{
		{Names: []string{"*.experts.2.*"}, Rate: 4},
		{Names: []string{"*.experts.*", "*norm*"}, Rate: 2},
	}}
	tr := newTrainer(t, opts, counting)
	before := weights(tr, all)
	steps(t, tr, 1)
	g := gradient(tr.opt)
	for _, p := range tr.opt.trained {
		lr := 0.5
		switch {
		case strings.Contains(p.Name, ".experts.2."):
			lr = 2
		case strings.Contains(p.Name, ".experts.") || strings.Contains(p.Name, "norm"):
			lr = 1
		}
		for i, w := range weights(tr, all)[p.Name] {
			if want := float64(before[p.Name][i]) - lr*float64(g[i]); math.Abs(float64(w)-want) > 1e-6 {
				t.Errorf("%s went from %v to %v, want %v", p.Name, before[p.Name][i], w, want)
				break
			}
		}
		g = g[len(before[p.Name]):]
	}
	if len(g) != 0 {
		t.Errorf("%d numbers of the gradient are left over", len(g))
	}
}

// TestSpansFollowTheParameters marks every parameter of models with biases,
// tied heads and latent attention: the spans of an optimizer go through them in
// the model's order, as the state that is saved does.
func TestSpansFollowTheParameters(t *testing.T) {
	for name, config := range map[string]string{
		"gpt2":  `{"model_type":"gpt2","vocab_size":13,"n_embd":8,"n_layer":2,"n_head":2,"n_positions":16}`,
		"qwen2": `{"model_type":"qwen2","vocab_size":13,"hidden_size":8,"num_hidden_layers":2,"num_attention_heads":2,"num_key_value_heads":1,"intermediate_size":8,"tie_word_embeddings":true,"max_position_embeddings":16}`,
		"deepseek_v2": `{"model_type":"deepseek_v2","vocab_size":13,"hidden_size":8,"num_hidden_layers":2,"num_attention_heads":2,"num_key_value_heads":2,
			"intermediate_size":8,"kv_lora_rank":4,"q_lora_rank":4,"qk_nope_head_dim":4,"qk_rope_head_dim":2,"v_head_dim":4,"n_routed_experts":4,
			"n_shared_experts":1,"num_experts_per_tok":2,"moe_intermediate_size":4,"first_k_dense_replace":1,"n_group":1,"topk_group":1,"topk_method":"greedy","max_position_embeddings":16}`,
	} {
		c, err := model.ParseConfig([]byte(config))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		dev := ref.New()
		m, err := model.New(dev, c, 6)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		chosen := func(name string) bool { return !strings.Contains(name, "layers.0") && !strings.Contains(name, "h.0") }
		o, err := NewOptimizer(dev, m, chosen, Rules{WeightDecay: 0.1, Groups: []Group{{Names: []string{"*1*"}, Rate: 2}}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var want, got []float32
		for i, p := range o.trained {
			mark := slices.Repeat([]float32{float32(i + 1)}, p.Hi-p.Lo)
			dev.Upload(m.Weights(p), mark)
			want = append(want, mark...)
		}
		for _, s := range o.spans {
			got = append(got, download(dev, s.Weights)...)
			if s.lo != len(got)-s.Grad.Len() || s.hi != len(got) || (s.rate == 2) != (s.Group == 1) || (s.decay == 0) != (s.Group == 1 || !s.Decay) {
				t.Errorf("%s: span %+v ends at %d", name, s, len(got))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: the spans hold %v, want %v", name, slices.Compact(got), slices.Compact(want))
		}
	}
}

// TestAccumulates holds a step of three batches against passes of them one by
// one, to the bit, and against one batch as large as all.
func TestAccumulates(t *testing.T) {
	opts := options()
	opts.Batch, opts.Accumulate = 2, 3
	tr := newTrainer(t, opts, counting)
	s := steps(t, tr, 1)[0]

	by := newTrainer(t, opts, counting)
	b := NewBatch(by.m, 2)
	for k := range 3 {
		if err := b.Read(counting, int64(2*k)); err != nil {
			t.Fatal(err)
		}
		b.Learn(by.m, 1./3)
	}
	opts.Batch, opts.Accumulate = 6, 0
	whole := newTrainer(t, opts, counting)
	once := steps(t, whole, 1)[0]
	if s.Tokens != 36 || once.Tokens != 36 || tr.next != 6 || math.Abs(s.Loss-once.Loss) > 1e-6 || math.Abs(s.GradNorm/once.GradNorm-1) > 1e-6 {
		t.Errorf("three batches %+v, one %+v", s, once)
	}
	one, large := gradient(by.opt), gradient(whole.opt)
	for i, x := range gradient(tr.opt) {
		if x != one[i] || math.Abs(float64(x-large[i])) > 1e-6 {
			t.Fatalf("gradient %d: %v, one by one %v, at once %v", i, x, one[i], large[i])
		}
	}
}
