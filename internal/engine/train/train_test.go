package train

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"adit/internal/engine/device"
	"adit/internal/engine/device/ref"
	"adit/internal/engine/model"
	"adit/internal/subnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func tiny() model.Config {
	return model.Config{
		ModelType: model.DeepSeek, VocabSize: 13, HiddenSize: 8, NumHiddenLayers: 2,
		NumAttentionHeads: 2, NumKeyValueHeads: 2, HeadDim: 4, IntermediateSize: 8,
		NRoutedExperts: 4, NSharedExperts: 1, NumExpertsPerTok: 2, MoEIntermediateSize: 4,
		FirstKDenseReplace: 1, RoutedScalingFactor: 1,
		RMSNormEps: 1e-6, RopeTheta: 100, MaxPositionEmbeddings: 16, InitializerRange: 0.2,
	}
}

// counting is a text in which each token is the one before plus one.
func counting(dst []int32, i int64) error {
	rng := rand.New(rand.NewPCG(uint64(i), 1))
	first := rng.Int32N(13)
	for k := range dst {
		dst[k] = (first + int32(k)) % 13
	}
	return nil
}

func options() Options {
	return Options{
		Params: all, Batch: 4,
		Schedule: Schedule{Curve: Cosine, Peak: 1e-2, Warmup: 3, Total: 60},
		Rules:    Rules{Beta1: 0.9, Beta2: 0.95, WeightDecay: 0.1, ClipNorm: 1},
	}
}

func newTrainer(t *testing.T, opts Options, read Reader) *Trainer {
	t.Helper()
	return newTrainerOn(t, ref.New(), opts, read)
}

func newTrainerOn(t *testing.T, dev device.Device, opts Options, read Reader) *Trainer {
	t.Helper()
	m, err := model.New(dev, tiny(), 6)
	if err != nil {
		t.Fatal(err)
	}
	m.Init("test")
	tr, err := New(dev, m, opts, read)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func steps(t *testing.T, tr *Trainer, n int) (out []subnet.Step) {
	t.Helper()
	for range n {
		s, err := tr.Step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.Wait = 0 // it is the clock's
		out = append(out, s)
	}
	return out
}

func weights(tr *Trainer, keep func(string) bool) map[string][]float32 {
	out := map[string][]float32{}
	for _, p := range tr.m.Params() {
		if keep(p.Name) {
			out[p.Name] = make([]float32, p.Hi-p.Lo)
			tr.opt.dev.Download(out[p.Name], tr.m.Weights(p))
		}
	}
	return out
}

func all(string) bool { return true }

func TestLearnsToCount(t *testing.T) {
	tr := newTrainer(t, options(), counting)
	before, err := Evaluate(t.Context(), tr.m, counting, []int64{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	steps(t, tr, 60)
	after, err := Evaluate(t.Context(), tr.m, counting, []int64{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(before.Mean-math.Log(13)) > 0.5 || after.Mean > 0.7 {
		t.Errorf("loss went from %.3f to %.3f, want from about %.3f to below 0.7", before.Mean, after.Mean, math.Log(13))
	}
}

// poisoned gives gradients that are not finite, when told to.
type poisoned struct {
	device.Device
	now bool
}

func (p *poisoned) SumSquares(x device.Buf) float64 {
	if p.now {
		return math.NaN()
	}
	return p.Device.SumSquares(x)
}

func TestSkipsWhatIsNotFinite(t *testing.T) {
	tr := newTrainer(t, options(), counting)
	dev := &poisoned{Device: tr.opt.dev, now: true}
	tr.opt.dev = dev
	before := weights(tr, all)
	s := steps(t, tr, 1)[0]
	if !s.Skipped || s.Number != 1 || !math.IsNaN(s.GradNorm) {
		t.Errorf("step = %+v, want the first, skipped", s)
	}
	if !cmp.Equal(before, weights(tr, all)) {
		t.Error("a skipped step changed parameters")
	}
	dev.now = false
	if s := steps(t, tr, 1)[0]; s.Skipped || s.Number != 2 || tr.next != 8 || tr.opt.updates != 1 {
		t.Errorf("step = %+v, next sequence %d, %d updates", s, tr.next, tr.opt.updates)
	}
}

// TestFreezes trains one expert: nothing else moves, not even by weight decay.
func TestFreezes(t *testing.T) {
	opts := options()
	opts.Params = func(n string) bool { return n == "model.layers.1.mlp.experts.2.gate_up_proj" }
	tr := newTrainer(t, opts, counting)
	frozen := func(n string) bool { return !opts.Params(n) }
	others, it := weights(tr, frozen), weights(tr, opts.Params)
	steps(t, tr, 3)
	if !cmp.Equal(others, weights(tr, frozen)) {
		t.Error("a frozen parameter moved")
	}
	if cmp.Equal(it, weights(tr, opts.Params)) {
		t.Error("the trained parameter did not move")
	}
}

// TestClip trains with a bound far below the gradient's norm and with one far
// above: SGD's step would shrink, AdamW's first moment shows it.
func TestClip(t *testing.T) {
	moment := func(clip float64) (norm, first float64) {
		opts := options()
		opts.Rules.ClipNorm = clip
		tr := newTrainer(t, opts, counting)
		s := steps(t, tr, 1)[0]
		return s.GradNorm, math.Sqrt(tr.opt.dev.SumSquares(tr.opt.rule.(*adamw).m))
	}
	norm, free := moment(0)
	again, clipped := moment(norm / 4)
	if again != norm {
		t.Errorf("norm before clipping is %v and %v", norm, again)
	}
	if math.Abs(free/clipped-4) > 1e-3 || math.Abs(free-0.1*norm) > 1e-3*norm {
		t.Errorf("first moment %v, clipped to a quarter %v", free, clipped)
	}
}

func TestReadersAreNotTrusted(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		read Reader
		want string
	}{
		{func([]int32, int64) error { return broken }, "read sequence 0: broken"},
		{func(dst []int32, _ int64) error { dst[2] = 13; return nil }, "token 13 in a vocabulary of 13"},
		{func(dst []int32, _ int64) error { dst[6] = -1; return nil }, "token -1"},
	} {
		tr := newTrainer(t, options(), tt.read)
		if _, err := tr.Step(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) || tr.steps != 0 {
			t.Errorf("step: %v, want %q", err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tr := newTrainer(t, options(), counting)
	if _, err := tr.Step(ctx); !errors.Is(err, context.Canceled) || tr.steps != 0 {
		t.Errorf("cancelled step: %v", err)
	}
}
