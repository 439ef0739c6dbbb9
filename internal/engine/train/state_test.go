package train

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/checkpoint"
	"adit/internal/engine/device"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/device/ref"
	"adit/internal/engine/model"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

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

// TestResumeToTheBit takes ten steps in one go, and four, and six more by a
// trainer that took up the state.
func TestResumeToTheBit(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"adamw":        func(*Options) {},
		"frozen":       func(o *Options) { o.Params, o.Trained = nil, []string{"!*self_attn*"} },
		"inverse root": func(o *Options) { o.Schedule = Schedule{Curve: InverseSqrt, Peak: 1e-2, Warmup: 2} },
		"accumulated":  func(o *Options) { o.Batch, o.Accumulate = 2, 3 },
		"groups": func(o *Options) {
			o.Rules.Groups = []Group{{Names: []string{"*experts*"}, Rate: 0.5, WeightDecay: 0.2}}
		},
		"sgd":        func(o *Options) { o.Rules.Method, o.Rules.Momentum = SGD, 0.9 },
		"bf16":       func(o *Options) { o.Precision = BF16Mixed },
		"sgd in f16": func(o *Options) { o.Rules.Method, o.Rules.Momentum, o.Precision = SGD, 0.9, FP16Mixed },
		// The first three steps overflow; the scale grows again by the sixth.
		"f16": func(o *Options) {
			o.Precision, o.Scaler = FP16Mixed, ScalerRules{Init: 0x1p40, Growth: 4, Backoff: 0x1p-8, Interval: 2}
		},
	} {
		for _, dev := range []func() device.Device{ref.New, func() device.Device { return cpu.New(2) }} {
			opts := options()
			change(&opts)
			straight := newTrainerOn(t, dev(), opts, counting)
			steps(t, straight, 4)
			state, params := saved(t, straight), weights(straight, all)
			resumed := newTrainerOn(t, dev(), opts, counting)
			for _, p := range resumed.m.Params() {
				resumed.opt.dev.Upload(resumed.m.Weights(p), params[p.Name])
			}
			if err := resumed.Resume(state); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(steps(t, straight, 6), steps(t, resumed, 6)); diff != "" {
				t.Errorf("%s on %s: steps (-straight +resumed):\n%s", name, straight.opt.dev.Name(), diff)
			}
			if !cmp.Equal(weights(straight, all), weights(resumed, all)) || !cmp.Equal(straight.scaler, resumed.scaler, cmp.AllowUnexported(Scaler{})) {
				t.Errorf("%s on %s: parameters or scales differ", name, straight.opt.dev.Name())
			}
		}
	}
}

// TestResumeDropsWhatWasReadAhead takes an earlier state up: the batch that was
// read for the step after is another one.
func TestResumeDropsWhatWasReadAhead(t *testing.T) {
	tr := newTrainer(t, options(), counting)
	state, params := saved(t, tr), weights(tr, all)
	want := steps(t, tr, 3)
	for _, p := range tr.m.Params() {
		tr.opt.dev.Upload(tr.m.Weights(p), params[p.Name])
	}
	if err := tr.Resume(state); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, steps(t, tr, 3)); diff != "" {
		t.Errorf("again (-first +second):\n%s", diff)
	}
}

// TestResumesStatesOfBefore takes up what was saved before there were scales
// and other methods than AdamW.
func TestResumesStatesOfBefore(t *testing.T) {
	opts := options()
	opts.Trained, opts.Params = []string{"model.norm.weight"}, nil
	moment := tensor.FromFloats(tensor.F32, []int{8}, []float32{1, 2, 3, 4, 5, 6, 7, 8})
	old := tensor.Dict{
		"position":                     integers(5, 4, 20),
		"exp_avg.model.norm.weight":    moment,
		"exp_avg_sq.model.norm.weight": moment,
	}
	for _, p := range []Precision{FP32, FP16Mixed} {
		opts.Precision = p
		tr := newTrainer(t, opts, counting)
		if err := tr.Resume(packed(t, old)); err != nil {
			t.Fatal(err)
		}
		if tr.steps != 5 || tr.opt.updates != 4 || tr.next != 20 || p == FP16Mixed && tr.scaler.Scale() != 65536 {
			t.Errorf("%s: resumed %+v", p, tr)
		}
		d, err := checkpoint.Read(saved(t, tr), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		delete(d, scale)
		delete(d, good)
		if diff := cmp.Diff(old, d); diff != "" {
			t.Errorf("%s: saved again (-old +new):\n%s", p, diff)
		}
	}
}

func one(x float32) tensor.Tensor { return tensor.FromFloats(tensor.F32, []int{1}, []float32{x}) }

func packed(t testing.TB, d tensor.Dict) file {
	t.Helper()
	var w bytes.Buffer
	if err := checkpoint.Write(&w, subnet.Safetensors, d); err != nil {
		t.Fatal(err)
	}
	return file{bytes.NewReader(w.Bytes()), "damaged"}
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
		"no position":      {func(d tensor.Dict) { delete(d, "position") }, "position is missing"},
		"no scale's count": {func(d tensor.Dict) { d[scale] = one(65536) }, good + " is missing"},
		"scale of nought":  {func(d tensor.Dict) { d[scale], d[good] = one(0), integers(0) }, scale + " is 0"},
		"another method":   {func(d tensor.Dict) { d["momentum_buffer.model.embed_tokens.weight"] = d[norm] }, "sgd"},
		"no moment":        {func(d tensor.Dict) { delete(d, norm) }, norm + " is missing"},
		"other shape":      {func(d tensor.Dict) { d[norm] = tensor.FromFloats(tensor.F32, []int{2}, make([]float32, 2)) }, norm + " is F32[2], want F32[8]"},
		"not finite": {func(d tensor.Dict) {
			d[norm] = tensor.FromFloats(tensor.F32, []int{8}, []float32{7: float32(math.NaN())})
		}, norm + " is not finite"},
		"something else":   {func(d tensor.Dict) { d["else"] = d[norm] }, "tensors"},
		"negative":         {func(d tensor.Dict) { d["position"].Data[7] = 0x80 }, "negative"},
		"too many updates": {func(d tensor.Dict) { d["position"].Data[8] = 3 }, "3 updates in 2 steps"},
	} {
		d := whole()
		tt.change(d)
		err := tr.Resume(packed(t, d))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if diff := cmp.Diff(untouched, whole()); diff != "" || tr.steps != 2 {
		t.Errorf("a refused state changed the trainer: %d steps %s", tr.steps, diff)
	}
}

// FuzzResume resumes from what anybody may have written: a state is taken up or
// it changes nothing.
func FuzzResume(f *testing.F) {
	opts := options()
	opts.Trained, opts.Params, opts.Precision = []string{"model.norm.weight"}, nil, FP16Mixed
	m, err := model.New(ref.New(), tiny(), 6)
	if err != nil {
		f.Fatal(err)
	}
	tr, err := New(ref.New(), m, opts, counting)
	if err != nil {
		f.Fatal(err)
	}
	state := func() []byte {
		var w bytes.Buffer
		if err := tr.Save(&w); err != nil {
			f.Fatal(err)
		}
		return w.Bytes()
	}
	f.Add(state())
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := state()
		if err := tr.Resume(file{bytes.NewReader(data), "state"}); err != nil && !bytes.Equal(before, state()) {
			t.Error("a refused state changed the trainer")
		}
		if tr.steps < 0 || tr.opt.updates > tr.steps || tr.next < 0 || !(tr.scaler.Scale() > 0) {
			t.Errorf("resumed %d steps, %d updates, sequence %d, scale %v", tr.steps, tr.opt.updates, tr.next, tr.scaler.Scale())
		}
	})
}
