package train

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/checkpoint"
	"adit/internal/engine/device"
	"adit/internal/engine/device/ref"
	"adit/internal/engine/model"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

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

func options() subnet.TrainOptions {
	return subnet.TrainOptions{
		Params: func(string) bool { return true }, Batch: 4, LR: 1e-2, WarmupSteps: 3, TotalSteps: 60,
		Beta1: 0.9, Beta2: 0.95, WeightDecay: 0.1, ClipNorm: 1,
	}
}

func newTrainer(t *testing.T, opts subnet.TrainOptions, read Reader) *Trainer {
	t.Helper()
	dev := ref.New()
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

func TestRate(t *testing.T) {
	o := subnet.TrainOptions{LR: 8, WarmupSteps: 4, TotalSteps: 12}
	for n, want := range map[int]float64{1: 2, 2: 4, 4: 8, 5: 8, 9: 4, 13: 0, 100: 0} {
		if got := Rate(o, n); math.Abs(got-want) > 1e-12 {
			t.Errorf("step %d: rate %v, want %v", n, got, want)
		}
	}
	for n := 5; n <= 12; n++ {
		if Rate(o, n+1) >= Rate(o, n) {
			t.Errorf("rate does not fall after step %d", n)
		}
	}
	o.TotalSteps = 0
	if got := Rate(o, 1000); got != 8 {
		t.Errorf("rate without an end is %v", got)
	}
}

// file is a subnet.File in memory.
type file struct {
	*bytes.Reader
	name string
}

func (f file) Name() string { return f.name }
func (f file) Close() error { return nil }

func saved(t *testing.T, tr *Trainer) file {
	t.Helper()
	var w bytes.Buffer
	if err := tr.Save(&w); err != nil {
		t.Fatal(err)
	}
	return file{bytes.NewReader(w.Bytes()), "state"}
}

func TestResumeToTheBit(t *testing.T) {
	opts := options()
	opts.Params = func(n string) bool { return !strings.Contains(n, "self_attn") }
	straight := newTrainer(t, opts, counting)
	steps(t, straight, 5)

	resumed := newTrainer(t, opts, counting)
	for _, p := range straight.m.Params() {
		resumed.opt.dev.Upload(resumed.m.Weights(p), weights(straight, all)[p.Name])
	}
	if err := resumed.Resume(saved(t, straight)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(steps(t, straight, 5), steps(t, resumed, 5)); diff != "" {
		t.Errorf("steps (-straight +resumed):\n%s", diff)
	}
	if !cmp.Equal(weights(straight, all), weights(resumed, all)) {
		t.Error("parameters differ")
	}
}

func TestResumeRefuses(t *testing.T) {
	tr := newTrainer(t, options(), counting)
	steps(t, tr, 2)
	whole := func() tensor.Dict {
		d, err := checkpoint.Read(saved(t, tr), 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	const norm = "exp_avg_sq.model.norm.weight"
	untouched := whole()
	for name, tt := range map[string]struct {
		change func(tensor.Dict)
		want   string
	}{
		"no position": {func(d tensor.Dict) { delete(d, "position") }, "position is missing"},
		"no moment":   {func(d tensor.Dict) { delete(d, norm) }, norm + " is missing"},
		"other shape": {func(d tensor.Dict) { d[norm] = tensor.FromFloats(tensor.F32, []int{2}, make([]float32, 2)) }, norm + " is F32[2], want F32[8]"},
		"not finite": {func(d tensor.Dict) {
			d[norm] = tensor.FromFloats(tensor.F32, []int{8}, []float32{7: float32(math.NaN())})
		}, norm + " is not finite"},
		"something else":   {func(d tensor.Dict) { d["else"] = d[norm] }, "tensors"},
		"negative":         {func(d tensor.Dict) { d["position"].Data[7] = 0x80 }, "negative"},
		"too many updates": {func(d tensor.Dict) { d["position"].Data[8] = 3 }, "3 updates in 2 steps"},
	} {
		d := whole()
		tt.change(d)
		var w bytes.Buffer
		if err := checkpoint.Write(&w, subnet.Safetensors, d); err != nil {
			t.Fatal(err)
		}
		err := tr.Resume(file{bytes.NewReader(w.Bytes()), "damaged"})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if diff := cmp.Diff(untouched, whole()); diff != "" || tr.steps != 2 {
		t.Errorf("a refused state changed the trainer: %d steps %s", tr.steps, diff)
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

// TestDecay takes a step without a gradient: matrices shrink, norms stay.
func TestDecay(t *testing.T) {
	tr := newTrainer(t, options(), counting)
	before := weights(tr, all)
	tr.opt.Clear()
	if _, ok := tr.opt.Update(0.5, Rules{Beta1: 0.9, Beta2: 0.95, WeightDecay: 0.1}); !ok {
		t.Fatal("nothing was updated")
	}
	for name, after := range weights(tr, all) {
		factor := float32(0.95)
		if strings.HasSuffix(name, "norm.weight") {
			factor = 1
		}
		for i, w := range before[name] {
			if math.Abs(float64(after[i]-w*factor)) > 1e-6 {
				t.Errorf("%s went from %v to %v", name, w, after[i])
				break
			}
		}
	}
}

// TestClip trains with a bound far below the gradient's norm and with one far
// above: SGD's step would shrink, AdamW's first moment shows it.
func TestClip(t *testing.T) {
	moment := func(clip float64) (norm, first float64) {
		opts := options()
		opts.ClipNorm = clip
		tr := newTrainer(t, opts, counting)
		s := steps(t, tr, 1)[0]
		return s.GradNorm, math.Sqrt(tr.opt.dev.SumSquares(tr.opt.m))
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

func TestEvaluate(t *testing.T) {
	tr := newTrainer(t, options(), counting)
	read := func(nan int64) Reader {
		return func(dst []int32, i int64) error {
			for k := range dst {
				dst[k] = int32(k)
			}
			if i == nan {
				dst[0] = 12
			}
			return nil
		}
	}
	ten := []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	good, err := Evaluate(t.Context(), tr.m, read(-1), ten)
	if err != nil || good.Bad != 0 || good.Tokens != 60 || !(good.Mean < 4) {
		t.Fatalf("loss = %+v, %v", good, err)
	}
	one, _ := Evaluate(t.Context(), tr.m, read(-1), ten[:1])
	if math.Abs(one.Mean-good.Mean) > 1e-6 {
		t.Errorf("one sequence %v, the same ten times %v", one.Mean, good.Mean)
	}

	// An embedding of NaN: only the batch with its token is bad.
	p := tr.m.Params()[0]
	w := weights(tr, all)[p.Name]
	w[12*8] = float32(math.NaN())
	tr.opt.dev.Upload(tr.m.Weights(p), w)
	bad, err := Evaluate(t.Context(), tr.m, read(9), ten)
	if err != nil || bad.Bad != 1 || !math.IsInf(bad.Mean, 1) || bad.Tokens != 60 {
		t.Errorf("with one bad batch of two: %+v, %v", bad, err)
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

func TestNewRefuses(t *testing.T) {
	m := newTrainer(t, options(), counting).m
	for want, change := range map[string]func(*subnet.TrainOptions){
		"no parameter":         func(o *subnet.TrainOptions) { o.Params = func(string) bool { return false } },
		"no choice":            func(o *subnet.TrainOptions) { o.Params = nil },
		"batch size":           func(o *subnet.TrainOptions) { o.Batch = 0 },
		"warmup is longer":     func(o *subnet.TrainOptions) { o.WarmupSteps = 61 },
		"negative number of s": func(o *subnet.TrainOptions) { o.TotalSteps = -1 },
	} {
		opts := options()
		change(&opts)
		if _, err := New(ref.New(), m, opts, counting); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
