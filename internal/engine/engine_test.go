package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/checkpoint"
	"adit/internal/engine/device/ref"
	"adit/internal/engine/model"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

const vocab = 13

func tiny() model.Config {
	return model.Config{
		ModelType: model.DeepSeek, VocabSize: vocab, HiddenSize: 8, NumHiddenLayers: 2,
		NumAttentionHeads: 2, NumKeyValueHeads: 2, HeadDim: 4, IntermediateSize: 8,
		NRoutedExperts: 4, NSharedExperts: 1, NumExpertsPerTok: 2, MoEIntermediateSize: 4,
		FirstKDenseReplace: 1, RoutedScalingFactor: 1,
		RMSNormEps: 1e-6, RopeTheta: 100, MaxPositionEmbeddings: 16, InitializerRange: 0.2,
	}
}

// counting is a text in which each token is the one before plus one in domain
// 0, and minus one in domain 1.
type counting struct{}

func (counting) fill(dst []int32, domain int, seed uint64, i int64) error {
	x := rand.New(rand.NewPCG(seed, uint64(i))).Int32N(vocab)
	for k := range dst {
		dst[k] = x
		x = (x + []int32{1, vocab - 1}[domain]) % vocab
	}
	return nil
}

func (c counting) Sequence(dst []int32, domain int, seed string, i int64) error {
	return c.fill(dst, domain, uint64(len(seed)), i)
}
func (c counting) HeldOut(dst []int32, domain int, i int64) error {
	return c.fill(dst, domain, 1<<40, i)
}
func (counting) HeldOutLen(domain, n int) int64 {
	if domain > 1 || n != 7 {
		return 0
	}
	return 9
}

func newEngine(change func(*Options)) *Engine {
	o := Options{Device: ref.New(), Config: tiny(), Data: counting{}, SeqLen: 6}
	if change != nil {
		change(&o)
	}
	return New(o)
}

// fresh returns a model of no training.
func fresh(t *testing.T, e *Engine) *loaded {
	t.Helper()
	l, err := e.blank()
	if err != nil {
		t.Fatal(err)
	}
	l.m.Init("test")
	t.Cleanup(func() { l.Close() })
	return l
}

type file struct {
	*bytes.Reader
	name string
}

func (f file) Name() string { return f.name }
func (f file) Close() error { return nil }

func save(t *testing.T, m subnet.Model, name string, keep func(string) bool) file {
	t.Helper()
	var w bytes.Buffer
	if err := m.Save(&w, subnet.Safetensors, keep); err != nil {
		t.Fatal(err)
	}
	return file{bytes.NewReader(w.Bytes()), name}
}

func write(t *testing.T, d tensor.Dict) file {
	t.Helper()
	var w bytes.Buffer
	if err := checkpoint.Write(&w, subnet.Safetensors, d); err != nil {
		t.Fatal(err)
	}
	return file{bytes.NewReader(w.Bytes()), "bad.safetensors"}
}

func all(string) bool        { return true }
func expert(n string) bool   { return strings.Contains(n, ".experts.") }
func shared(n string) bool   { return !expert(n) }
func group0() subnet.Experts { return subnet.Experts{1: {0, 2}} }
func group1() subnet.Experts { return subnet.Experts{1: {1, 3}} }
func inGroup0(name string) bool {
	return strings.Contains(name, "experts.0.") || strings.Contains(name, "experts.2.")
}
func snapshot(t *testing.T, l *loaded) tensor.Dict {
	t.Helper()
	f := save(t, l, "snapshot", all)
	d, err := checkpoint.Read(f, f.Size())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOpenPutsFilesTogether(t *testing.T) {
	e := newEngine(nil)
	a := fresh(t, e)
	want := snapshot(t, a)
	m, err := e.Open(t.Context(), save(t, a, "shared", shared), save(t, a, "experts", expert))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, snapshot(t, m.(*loaded))); diff != "" {
		t.Errorf("opened (-saved +opened):\n%s", diff)
	}
	_, err = e.Open(t.Context(), save(t, a, "experts", expert))
	if want := "open model: 22 of 30 parameters are in none of 1 files, such as model.embed_tokens.weight"; err == nil || err.Error() != want {
		t.Errorf("half a model: %v, want %q", err, want)
	}
}

func TestSaveRounds(t *testing.T) {
	e := newEngine(func(o *Options) { o.DType = tensor.BF16 })
	d := snapshot(t, fresh(t, e))
	if got := d["model.norm.weight"]; got.DType != tensor.BF16 || !slices.Equal(got.Shape, []int{8}) {
		t.Errorf("saved as %v%v", got.DType, got.Shape)
	}
	if _, err := newEngine(func(o *Options) { o.DType = tensor.I64 }).blank(); err == nil {
		t.Error("parameters as I64 were accepted")
	}
}

// TestLoadTornFile is a disk that fails in the middle: no half of a model is used,
// and the next whole file mends it.
func TestLoadTornFile(t *testing.T) {
	l := fresh(t, newEngine(nil))
	before := snapshot(t, l)
	zeros := make(tensor.Dict)
	for name, x := range before {
		zeros[name] = tensor.FromFloats(tensor.F32, x.Shape, make([]float32, x.Numel()))
	}
	// A small .pt file is read whole before anything of it is used.
	var w bytes.Buffer
	if err := checkpoint.Write(&w, subnet.Safetensors, zeros); err != nil {
		t.Fatal(err)
	}
	if err := l.Load(&failing{w.Bytes(), int64(w.Len())/2 - 100, int64(w.Len()) / 2}); !errors.Is(err, errDisk) {
		t.Fatalf("%v, want %v", err, errDisk)
	}
	if _, err := l.Loss(t.Context(), subnet.Sample{}); err == nil || !strings.Contains(err.Error(), "not read to the end") {
		t.Errorf("half a model was evaluated: %v", err)
	}
	if err := l.Save(io.Discard, subnet.Safetensors, all); err == nil || !strings.Contains(err.Error(), "not read to the end") {
		t.Errorf("half a model was saved: %v", err)
	}
	if err := l.Load(write(t, before)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, snapshot(t, l)); diff != "" {
		t.Errorf("after a whole file (-want +got):\n%s", diff)
	}
	w.Reset()
	if err := errors.Join(checkpoint.Write(&w, subnet.Torch, zeros), l.Load(file{bytes.NewReader(w.Bytes()), "zeros.pt"})); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(zeros, snapshot(t, l)); diff != "" {
		t.Errorf("after a .pt file (-want +got):\n%s", diff)
	}
}

var errDisk = errors.New("input/output error")

// A failing file cannot be read between two places.
type failing struct {
	data     []byte
	from, to int64
}

func (f *failing) ReadAt(p []byte, off int64) (int, error) {
	if off < f.to && off+int64(len(p)) > f.from {
		return 0, errDisk
	}
	return bytes.NewReader(f.data).ReadAt(p, off)
}
func (f *failing) Name() string { return "failing" }
func (f *failing) Size() int64  { return int64(len(f.data)) }
func (f *failing) Close() error { return nil }

func TestLoadIsAllOrNothing(t *testing.T) {
	l := fresh(t, newEngine(nil))
	before := snapshot(t, l)
	ones := func(shape ...int) tensor.Tensor {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return tensor.FromFloats(tensor.F32, shape, slices.Repeat([]float32{1}, n))
	}
	for want, d := range map[string]tensor.Dict{
		`load bad.safetensors: parameter "model.norm": the model has no such parameter`:       {"lm_head.weight": ones(13, 8), "model.norm": ones(8)},
		`load bad.safetensors: parameter "model.norm.weight": its shape is [9], want [8]`:     {"lm_head.weight": ones(13, 8), "model.norm.weight": ones(9)},
		`load bad.safetensors: parameter "model.norm.weight": I32 elements are not floats`:    {"lm_head.weight": ones(13, 8), "model.norm.weight": {DType: tensor.I32, Shape: []int{8}, Data: make([]byte, 32)}},
		`load bad.safetensors: parameter "lm_head.weight": its shape is [8 13], want [13 8]`:  {"lm_head.weight": ones(8, 13), "model.norm.weight": ones(8)},
		`load bad.safetensors: parameter "lm_head.weight": its shape is [104 1], want [13 8]`: {"lm_head.weight": ones(104, 1)},
	} {
		if err := l.Load(write(t, d)); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := l.Load(file{bytes.NewReader([]byte("not a model")), "x"}); err == nil {
		t.Error("a file that is no model was loaded")
	}
	if diff := cmp.Diff(before, snapshot(t, l)); diff != "" {
		t.Errorf("a refused file changed the model:\n%s", diff)
	}
	if err := l.Load(write(t, tensor.Dict{"model.norm.weight": ones(8)})); err != nil {
		t.Fatal(err)
	}
	after := snapshot(t, l)
	if !cmp.Equal(after["model.norm.weight"], ones(8)) || !cmp.Equal(after["lm_head.weight"], before["lm_head.weight"]) {
		t.Error("a part was not loaded as a part")
	}
}

// TestTrainsAGroup is a miner's cycle: the group's experts learn its text, and
// nothing else moves.
func TestTrainsAGroup(t *testing.T) {
	l := fresh(t, newEngine(nil))
	before := snapshot(t, l)
	l.Route(group0())
	sample := subnet.Sample{Domain: 0}
	was, err := l.Loss(t.Context(), sample)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := l.Train(subnet.TrainOptions{
		Params: inGroup0, Domain: 0, Seed: "me", Batch: 4, LR: 2e-2, TotalSteps: 30, Beta1: 0.9, Beta2: 0.95, ClipNorm: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	var last subnet.Step
	for range 30 {
		if last, err = tr.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if last.Number != 30 || last.Tokens != 24 {
		t.Errorf("last step = %+v", last)
	}
	is, err := l.Loss(t.Context(), sample)
	if err != nil {
		t.Fatal(err)
	}
	if !(is.Mean < was.Mean-0.1) || is.Tokens != 54 {
		t.Errorf("loss went from %+v to %+v", was, is)
	}
	for name, p := range snapshot(t, l) {
		if moved := !cmp.Equal(p, before[name]); moved != inGroup0(name) {
			t.Errorf("%s moved: %v", name, moved)
		}
	}
}

func TestRouteMatters(t *testing.T) {
	l := fresh(t, newEngine(nil))
	means := map[float64]string{}
	for name, r := range map[string]subnet.Experts{"all": nil, "0": group0(), "1": group1(), "none": {1: {}}} {
		l.Route(r)
		loss, err := l.Loss(t.Context(), subnet.Sample{})
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := means[loss.Mean]; ok {
			t.Errorf("routes %s and %s give the same loss", name, other)
		}
		means[loss.Mean] = name
	}
	l.Route(subnet.Experts{1: {0, 4}})
	const want = "evaluate: route: layer 1 has no expert 4"
	if _, err := l.Loss(t.Context(), subnet.Sample{}); err == nil || err.Error() != want {
		t.Errorf("%v, want %q", err, want)
	}
}

func TestLossFails(t *testing.T) {
	l := fresh(t, newEngine(nil))
	if _, err := l.Loss(t.Context(), subnet.Sample{Domain: 2}); err == nil || !strings.Contains(err.Error(), "domain 2 has no held-out text") {
		t.Errorf("domain without text: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Loss(ctx, subnet.Sample{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	l.Close()
	if _, err := l.Loss(t.Context(), subnet.Sample{}); !errors.Is(err, errClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := l.Train(subnet.TrainOptions{}); !errors.Is(err, errClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestPick(t *testing.T) {
	for _, tt := range []struct {
		s    subnet.Sample
		want []int64
	}{
		{subnet.Sample{}, []int64{0, 1, 2, 3, 4}},
		{subnet.Sample{Seed: "a"}, []int64{0, 1, 2, 3, 4}},
		{subnet.Sample{Sequences: 2}, []int64{0, 1}},
		{subnet.Sample{Seed: "a", Sequences: 9}, []int64{0, 1, 2, 3, 4}},
	} {
		if got := pick(tt.s, 5); !slices.Equal(got, tt.want) {
			t.Errorf("%+v picks %v, want %v", tt.s, got, tt.want)
		}
	}
	// Recorded once: validators of all versions must pick the same.
	if got, want := pick(subnet.Sample{Seed: "round 7", Sequences: 6}, 1000), []int64{336, 889, 571, 588, 271, 51}; !slices.Equal(got, want) {
		t.Errorf("pick = %v, want %v", got, want)
	}
	seen := [20]int{}
	for seed := range 2000 {
		got := pick(subnet.Sample{Seed: fmt.Sprint(seed), Sequences: 10}, 20)
		slices.Sort(got)
		if len(slices.Compact(got)) != 10 {
			t.Fatalf("seed %d picks %v", seed, got)
		}
		for _, i := range got {
			seen[i]++
		}
	}
	for i, n := range seen {
		if n < 900 || n > 1100 {
			t.Errorf("place %d was picked %d times in 2000, want about 1000", i, n)
		}
	}
}

func TestGenesis(t *testing.T) {
	e := newEngine(nil)
	opts := DefaultGenesis()
	opts.Groups, opts.Steps, opts.LR, opts.WarmupSteps = []subnet.Experts{group0(), group1()}, 80, 2e-2, 5
	genesis := func() (*loaded, []subnet.Step) {
		var steps []subnet.Step
		m, err := e.Genesis(t.Context(), opts, func(s subnet.Step) { steps = append(steps, s) })
		if err != nil {
			t.Fatal(err)
		}
		return m.(*loaded), steps
	}
	l, steps := genesis()
	again, _ := genesis()
	if !cmp.Equal(snapshot(t, l), snapshot(t, again)) {
		t.Error("the same options gave another model")
	}
	if len(steps) != 80 || steps[79].Number != 80 || steps[0].Tokens != 2*4*6 || steps[79].LR > steps[4].LR/100 {
		t.Errorf("%d steps, the last %+v", len(steps), steps[len(steps)-1])
	}
	for domain, right := range opts.Groups {
		l.Route(right)
		own, err := l.Loss(t.Context(), subnet.Sample{Domain: domain})
		if err != nil {
			t.Fatal(err)
		}
		l.Route(opts.Groups[1-domain])
		other, err := l.Loss(t.Context(), subnet.Sample{Domain: domain})
		if err != nil {
			t.Fatal(err)
		}
		if own.Mean > 1.5 || own.Mean > other.Mean-0.2 {
			t.Errorf("domain %d: loss %.3f with its own experts, %.3f with the others", domain, own.Mean, other.Mean)
		}
	}
}

func TestGenesisEnds(t *testing.T) {
	e := newEngine(nil)
	opts := DefaultGenesis()
	opts.Groups = []subnet.Experts{nil}

	// The deadline ends it with a model, the rate having come down on the way.
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var last subnet.Step
		_, err := e.Genesis(ctx, opts, func(s subnet.Step) { last = s; time.Sleep(500 * time.Millisecond) })
		if err != nil {
			t.Errorf("at the deadline: %v", err)
		}
		if last.Number != 20 || last.LR > opts.LR/100 || last.LR == 0 {
			t.Errorf("last step = %+v, want the 20th at a rate near nought", last)
		}
	})

	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	if _, err := e.Genesis(ctx, opts, func(subnet.Step) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for want, change := range map[string]func(*GenesisOptions){
		"neither a number of steps nor a deadline": func(*GenesisOptions) {},
		"no groups":             func(o *GenesisOptions) { o.Steps, o.Groups = 1, nil },
		"batch size below 1":    func(o *GenesisOptions) { o.Steps, o.Batch = 1, 0 },
		"layer 1 has no expert": func(o *GenesisOptions) { o.Steps, o.Groups = 1, []subnet.Experts{{1: {4}}} },
	} {
		o := opts
		change(&o)
		if _, err := e.Genesis(t.Context(), o, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestInfo(t *testing.T) {
	got := newEngine(nil).Info()
	// Embedding and head 104 each; attention 4*64 and dense 3*64 in layer 0;
	// attention 256, router 32, shared 96 and four experts of 96 in layer 1;
	// five norms of 8.
	want := model.Count{Params: 208 + 448 + 256 + 32 + 96 + 4*96 + 40, Active: 104 + 448 + 256 + 32 + 96 + 2*96}
	want.FLOPs = 6*float64(want.Active) + 2*12*8*3
	if math.Abs(got.FLOPs-want.FLOPs) > 1e-6 || got.Params != want.Params || got.Active != want.Active {
		t.Errorf("info = %+v, want %+v", got, want)
	}
}
