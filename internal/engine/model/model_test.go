package model

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/engine/device"
	"adit/internal/engine/device/ref"
)

func tiny() Config {
	return Config{
		ModelType: DeepSeek, VocabSize: 11, HiddenSize: 6, NumHiddenLayers: 3,
		NumAttentionHeads: 2, NumKeyValueHeads: 1, HeadDim: 4, IntermediateSize: 5,
		NRoutedExperts: 4, NSharedExperts: 2, NumExpertsPerTok: 2, MoEIntermediateSize: 3,
		FirstKDenseReplace: 1, RoutedScalingFactor: 1.5,
		RMSNormEps: 1e-6, RopeTheta: 100, MaxPositionEmbeddings: 16, InitializerRange: 0.4,
	}
}

const (
	testLen   = 5
	testBatch = 2
)

func newModel(t *testing.T, c Config) *Model {
	t.Helper()
	m, err := New(ref.New(), c, testLen)
	if err != nil {
		t.Fatal(err)
	}
	m.Init("test")
	return m
}

// tokens returns a batch with one place that has no target.
func tokens(c Config) (ids, targets []int32) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range testBatch * testLen {
		ids = append(ids, rng.Int32N(int32(c.VocabSize)))
		targets = append(targets, rng.Int32N(int32(c.VocabSize)))
	}
	targets[3] = -1
	return ids, targets
}

func all(string) bool { return true }

func sum(m *Model, ids, targets []int32) float64 {
	losses := make([]float32, len(ids))
	m.Forward(losses, ids, targets, testBatch)
	s := 0.0
	for _, l := range losses {
		s += float64(l)
	}
	return s
}

func get(m *Model, b device.Buf) []float32 {
	out := make([]float32, b.Len())
	m.dev.Download(out, b)
	return out
}

// gradient returns the gradient of each trained parameter by name.
func gradient(m *Model, ids, targets []int32, trained func(string) bool) map[string][]float32 {
	m.Select(Trained(trained))
	m.Backward(make([]float32, len(ids)), ids, targets, testBatch, 1)
	flat, out := get(m, m.grad), map[string][]float32{}
	for _, p := range m.params {
		if trained(p.Name) {
			out[p.Name], flat = flat[:p.Hi-p.Lo], flat[p.Hi-p.Lo:]
		}
	}
	return out
}

// TestGradients moves each parameter a little along its gradient and along a
// random direction, and compares the slope with what Backward says. Where a
// route leaves as many experts as are chosen, no step can change the choice;
// where it does not, the steps are too small to.
func TestGradients(t *testing.T) {
	tied, dense, alone := tiny(), tiny(), tiny()
	tied.TieWordEmbeddings = true
	dense.ModelType, dense.NRoutedExperts = Llama, 0
	alone.NSharedExperts, alone.FirstKDenseReplace = 0, 0
	for name, tt := range map[string]struct {
		Config
		route map[int][]int
	}{
		"routed to a group": {tiny(), map[int][]int{1: {0, 2}, 2: {1, 3}}},
		"routed freely":     {tiny(), nil},
		"routed to one":     {tiny(), map[int][]int{1: {3}, 2: {}}},
		"tied":              {tied, nil},
		"dense":             {dense, nil},
		"no shared expert":  {alone, nil},
		"torchtitan":        {tinyTitan(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, tt.Config)
			if err := m.Route(tt.route); err != nil {
				t.Fatal(err)
			}
			ids, targets := tokens(tt.Config)
			grads := gradient(m, ids, targets, all)
			rng := rand.New(rand.NewPCG(3, 4))
			for _, p := range m.params {
				g, w := grads[p.Name], get(m, m.Weights(p))
				along, random := make([]float64, len(g)), make([]float64, len(g))
				for i := range g {
					along[i], random[i] = float64(g[i]), rng.NormFloat64()
				}
				for kind, dir := range map[string][]float64{"gradient": along, "random": random} {
					want, size := 0.0, 0.0
					for i := range dir {
						want += dir[i] * float64(g[i])
						size += dir[i] * dir[i]
					}
					if size == 0 { // an expert that no token chose
						continue
					}
					const h = 2e-3
					slope := 0.0
					for _, sign := range []float64{1, -1} {
						moved := make([]float32, len(w))
						for i := range w {
							moved[i] = w[i] + float32(sign*h*dir[i]/math.Sqrt(size))
						}
						m.dev.Upload(m.Weights(p), moved)
						slope += sign * sum(m, ids, targets) / (2 * h)
					}
					m.dev.Upload(m.Weights(p), w)
					want /= math.Sqrt(size)
					if diff := math.Abs(slope - want); diff > 2e-3+5e-3*math.Abs(want) || math.IsNaN(slope) {
						t.Errorf("%s along %s: slope %.5f, Backward says %.5f", p.Name, kind, slope, want)
					}
				}
			}
		})
	}
}

// TestFrozen trains some parameters only: their gradients are those of training
// all, whatever is left out below and beside them.
func TestFrozen(t *testing.T) {
	for _, tied := range []bool{false, true} {
		c := tiny()
		c.TieWordEmbeddings = tied
		m := newModel(t, c)
		ids, targets := tokens(c)
		full := gradient(m, ids, targets, all)
		for name, trained := range map[string]func(string) bool{
			"some experts": func(n string) bool {
				return strings.Contains(n, "mlp.experts.1.") || strings.Contains(n, "mlp.experts.2.") || strings.Contains(n, "layers.2.mlp.experts.0.")
			},
			"routers":  func(n string) bool { return strings.HasSuffix(n, "mlp.gate.weight") },
			"q and v":  func(n string) bool { return strings.Contains(n, "q_proj") || strings.Contains(n, "v_proj") },
			"nothing":  func(string) bool { return false },
			"one down": func(n string) bool { return n == "model.layers.1.mlp.experts.2.down_proj" },
		} {
			compare(t, m, name, full, gradient(m, ids, targets, trained))
		}
		for _, p := range m.params {
			compare(t, m, p.Name, full, gradient(m, ids, targets, func(n string) bool { return n == p.Name }))
		}
	}
}

func compare(t *testing.T, m *Model, name string, full, part map[string][]float32) {
	t.Helper()
	for p, g := range part {
		for i := range g {
			if g[i] != full[p][i] {
				t.Errorf("%s alone: gradient of %s is %v, want %v", name, p, g, full[p])
				break
			}
		}
	}
}

// spy counts what a frozen parameter must not cost.
type spy struct {
	device.Device
	gemms, attends, embeds int
}

func (s *spy) Gemm(c, a device.Mat, ta bool, b device.Mat, tb bool, acc bool) {
	s.gemms++
	s.Device.Gemm(c, a, ta, b, tb, acc)
}

func (s *spy) AttendGrad(dq, dk, dv, do, o device.Mat, lse device.Buf, q, k, v device.Mat, a device.Attention) {
	s.attends++
	s.Device.AttendGrad(dq, dk, dv, do, o, lse, q, k, v, a)
}

func (s *spy) EmbedGrad(dtable, dx device.Mat, ids device.Ints) {
	s.embeds++
	s.Device.EmbedGrad(dtable, dx, ids)
}

func TestBackwardStopsAtTheLowestTrained(t *testing.T) {
	c := tiny()
	for _, tt := range []struct {
		trained  string
		attends  int
		embeds   int
		backward int // gemms beyond those of the forward pass
	}{
		{"lm_head.weight", 0, 0, 1},
		{"model.norm.weight", 0, 0, 1},
		{"model.layers.2.mlp.experts.0.down_proj", 0, 0, 1},
		{"model.layers.2.self_attn.q_proj.weight", 1, 0, 1 + 2 + 1 + 1 + 1}, // head; shared; router; o; q
		{"model.embed_tokens.weight", 3, 1, 1 + 2*5 + 4},
	} {
		m := newModel(t, c)
		s := &spy{Device: m.dev}
		m.dev = s
		ids, targets := tokens(c)
		m.Forward(make([]float32, len(ids)), ids, targets, testBatch)
		forward := s.gemms
		*s = spy{Device: s.Device}
		gradient(m, ids, targets, func(n string) bool { return n == tt.trained })
		if s.attends != tt.attends || s.embeds != tt.embeds || s.gemms-forward != tt.backward {
			t.Errorf("%s: %d AttendGrad, %d EmbedGrad, %d Gemm; want %d, %d, %d", tt.trained,
				s.attends, s.embeds, s.gemms-forward, tt.attends, tt.embeds, tt.backward)
		}
	}
}

// TestBatches runs sequences together and alone: their losses are the same, and
// a pass that has been run before takes no new memory.
func TestBatches(t *testing.T) {
	c := tiny()
	m := newModel(t, c)
	ids, targets := tokens(c)
	both, one := make([]float32, len(ids)), make([]float32, testLen)
	run := func() int {
		m.Forward(both, ids, targets, 2)
		m.Forward(one, ids[testLen:], targets[testLen:], 1)
		return len(m.mem.floats) + len(m.mem.ints)
	}
	if first, second := run(), run(); first != second {
		t.Errorf("%d blocks of memory, then %d", first, second)
	}
	for i, l := range one {
		if l != both[testLen+i] {
			t.Fatalf("losses = %v alone, %v beside another sequence", one, both[testLen:])
		}
	}
}

// TestRecompute forgets activations and computes them again: the gradients are
// the same to the bit, in less memory.
func TestRecompute(t *testing.T) {
	for _, trained := range []func(string) bool{all, func(n string) bool { return strings.Contains(n, "layers.1.mlp") }} {
		c := tiny()
		c.NumHiddenLayers = 6
		ids, targets := tokens(c)
		var want map[string][]float32
		var sizes [2]int
		for i, recompute := range []bool{false, true} {
			m := newModel(t, c)
			m.Recompute(recompute)
			got := gradient(m, ids, targets, trained)
			if i == 0 {
				want = got
			} else if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("gradients (-kept +computed again):\n%s", diff)
			}
			for _, b := range m.mem.floats {
				sizes[i] += b.len()
			}
		}
		if sizes[1] >= sizes[0] {
			t.Errorf("%d numbers kept, %d when computed again", sizes[0], sizes[1])
		}
	}
}

// TestCausal changes the last token: the losses before it must not see it.
func TestCausal(t *testing.T) {
	c := tiny()
	m := newModel(t, c)
	ids, targets := tokens(c)
	before, after := make([]float32, len(ids)), make([]float32, len(ids))
	m.Forward(before, ids, targets, testBatch)
	ids[len(ids)-1] = (ids[len(ids)-1] + 1) % int32(c.VocabSize)
	m.Forward(after, ids, targets, testBatch)
	for i := range len(ids) - 1 {
		if before[i] != after[i] {
			t.Errorf("loss %d changed from %v to %v", i, before[i], after[i])
		}
	}
	if before[len(ids)-1] == after[len(ids)-1] {
		t.Error("the last loss does not depend on the last token")
	}
}

func TestNewRefuses(t *testing.T) {
	huge, wrong := tiny(), tiny()
	huge.MoEIntermediateSize, huge.HiddenSize, huge.NRoutedExperts = 1<<18, 1<<16, 64
	wrong.HeadDim = 3
	for want, tt := range map[string]struct {
		Config
		seqLen int
	}{
		"larger than":                   {huge, 5},
		"head_dim: 3 is odd":            {wrong, 5},
		"from 1 to 16, which":           {tiny(), 17},
		"sequence length 0 is not from": {tiny(), 0},
	} {
		if _, err := New(ref.New(), tt.Config, tt.seqLen); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
