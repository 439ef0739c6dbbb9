package train

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/engine/device"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/device/ref"
	"adit/internal/engine/model"
	"adit/internal/subnet"
)

// given returns the i-th sequence of counting, as one that is given.
func given(i int64) subnet.Sequence {
	var ids [7]int32
	_ = counting(ids[:], i)
	return subnet.Sequence{Tokens: ids[:6], Targets: ids[1:]}
}

// feed gives these batches, and then no more.
func feed(batches ...[]subnet.Sequence) func(context.Context) ([]subnet.Sequence, error) {
	return func(context.Context) ([]subnet.Sequence, error) {
		if len(batches) == 0 {
			return nil, io.EOF
		}
		next := batches[0]
		batches = batches[1:]
		return next, nil
	}
}

// fours returns n batches of four sequences, as options read them.
func fours(n int) (out [][]subnet.Sequence) {
	for k := range n {
		i := int64(4 * k)
		out = append(out, []subnet.Sequence{given(i), given(i + 1), given(i + 2), given(i + 3)})
	}
	return out
}

// ignoring returns s without the targets from lo to hi.
func ignoring(s subnet.Sequence, lo, hi int) subnet.Sequence {
	s.Targets = slices.Clone(s.Targets)
	for i := lo; i < hi; i++ {
		s.Targets[i] = -1
	}
	return s
}

func devices() map[string]device.Device {
	return map[string]device.Device{"ref": ref.New(), "cpu": cpu.New(2)}
}

// TestFedAsRead trains on text that is read, and on the same that is fed: no bit
// differs, in steps and in steps that are taken apart.
func TestFedAsRead(t *testing.T) {
	for name, dev := range devices() {
		for _, precision := range []Precision{FP32, FP16Mixed} {
			opts := options()
			opts.Accumulate, opts.Precision = 2, precision
			read := newTrainerOn(t, dev, opts, counting)
			want := steps(t, read, 3)
			fed := opts
			fed.Feed, fed.Batch = feed(fours(6)...), 0
			tr := newTrainerOn(t, dev, fed, nil)
			if diff := cmp.Diff(want, steps(t, tr, 3)); diff != "" || !cmp.Equal(weights(read, all), weights(tr, all)) {
				t.Errorf("%s, %s: fed (-read +fed):\n%s", name, precision, diff)
			}
			if _, err := tr.Step(t.Context()); err != io.EOF || tr.steps != 3 {
				t.Errorf("at the end: %v after %d steps", err, tr.steps)
			}

			// Halves are exact, so that the mean of the sums is the sum of the means.
			apart := newTrainerOn(t, dev, opts, counting)
			for range 3 {
				tokens := 0
				for range 2 {
					s, err := apart.Accumulate(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					tokens += s.Tokens
				}
				s, err := apart.Apply(t.Context(), 0.5)
				s.Wait = 0
				if err != nil || s != want[s.Number-1] || tokens != s.Tokens {
					t.Errorf("%s, %s: apart %+v, want %+v: %v", name, precision, s, want[s.Number-1], err)
				}
			}
			if !cmp.Equal(weights(read, all), weights(apart, all)) {
				t.Errorf("%s, %s: a step apart gives other parameters", name, precision)
			}
		}
	}
}

// TestSumAndMean updates with the sum of three batches and with their mean: plain
// gradient descent goes three times as far.
func TestSumAndMean(t *testing.T) {
	way := func(share float64) (norm, far float64) {
		opts := options()
		opts.Rules = Rules{Method: SGD}
		opts.Schedule = Schedule{Of: func(int) float64 { return 0.25 }}
		opts.Feed = feed(fours(3)...)
		tr := newTrainer(t, opts, nil)
		before := weights(tr, all)
		for range 3 {
			if _, err := tr.Accumulate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s, err := tr.Apply(t.Context(), share)
		if err != nil {
			t.Fatal(err)
		}
		for name, w := range weights(tr, all) {
			for i := range w {
				d := float64(w[i] - before[name][i])
				far += d * d
			}
		}
		return s.GradNorm, math.Sqrt(far)
	}
	norm, far := way(1)
	third, near := way(1. / 3)
	if math.Abs(norm/third-3) > 1e-6 || math.Abs(far/near-3) > 1e-3 || math.Abs(far-0.25*norm) > 1e-4 {
		t.Errorf("the sum has norm %v and goes %v, the mean %v and %v", norm, far, third, near)
	}
}

// gradients returns what has been accumulated.
func gradients(t *testing.T, tr *Trainer) map[string][]float32 {
	t.Helper()
	out := map[string][]float32{}
	for _, p := range tr.m.Params() {
		out[p.Name] = make([]float32, p.Hi-p.Lo)
		if err := tr.Read(subnet.Gradient, p.Name, out[p.Name]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// size returns a gradient's norm.
func size(g map[string][]float32) float64 {
	sum := 0.0
	for _, x := range g {
		for _, v := range x {
			sum += float64(v) * float64(v)
		}
	}
	return math.Sqrt(sum)
}

// near reports whether two gradients are, to a part of the larger one's norm.
func near(a, b map[string][]float32) bool {
	diff := map[string][]float32{}
	for name := range a {
		for i, x := range a[name] {
			diff[name] = append(diff[name], x-b[name][i])
		}
	}
	return len(a) == len(b) && size(diff) <= 1e-5*max(size(a), size(b))
}

// TestIgnoredTargets learns from the first four targets of a sequence, as from a
// sequence of four tokens, beside one that is whole: the mean is over ten tokens.
func TestIgnoredTargets(t *testing.T) {
	cut := given(5)
	cut.Tokens, cut.Targets = cut.Tokens[:4], cut.Targets[:4]
	for name, dev := range devices() {
		learned := func(batch ...subnet.Sequence) (subnet.Step, map[string][]float32) {
			opts := options()
			opts.Feed = feed(batch)
			tr := newTrainerOn(t, dev, opts, nil)
			s, err := tr.Accumulate(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return s, gradients(t, tr)
		}
		whole, g1 := learned(given(3))
		short, g2 := learned(cut)
		want := (6*whole.Loss + 4*short.Loss) / 10
		mixed := map[string][]float32{}
		for p := range g1 {
			for i := range g1[p] {
				mixed[p] = append(mixed[p], 0.6*g1[p][i]+0.4*g2[p][i])
			}
		}
		for kind, batch := range map[string][]subnet.Sequence{
			"ignored": {given(3), ignoring(given(5), 4, 6)},
			"short":   {given(3), cut},
		} {
			s, g := learned(batch...)
			if s.Tokens != 10 || math.Abs(s.Loss-want) > 1e-6 || !near(g, mixed) {
				t.Errorf("%s, %s: loss %v of %d tokens, want %v", name, kind, s.Loss, s.Tokens, want)
			}
		}
	}
}

// TestNothingCounted takes steps of batches without a target: they say so, and
// change nothing, not even by decay.
func TestNothingCounted(t *testing.T) {
	none := []subnet.Sequence{ignoring(given(1), 0, 6), ignoring(given(2), 0, 6)}
	opts := options()
	opts.Accumulate = 2
	opts.Feed = feed(slices.Concat(fours(2), [][]subnet.Sequence{none, none, none}, fours(2))...)
	tr := newTrainer(t, opts, nil)
	steps(t, tr, 1)
	before := weights(tr, all)
	want := subnet.Step{Number: 2, Skipped: true, LR: tr.opts.Schedule.Rate(2)}
	if s := steps(t, tr, 1)[0]; s != want || !cmp.Equal(before, weights(tr, all)) {
		t.Errorf("step = %+v, want %+v and no change", s, want)
	}
	s := steps(t, tr, 1)[0]
	if s.Skipped || s.Tokens != 24 || !(s.Loss > 0) || math.IsNaN(s.GradNorm) || cmp.Equal(before, weights(tr, all)) {
		t.Errorf("step with one batch of two = %+v", s)
	}
	tr.Clear()
	if s, err := tr.Apply(t.Context(), 1); err != nil || !s.Skipped || s.Tokens != 0 {
		t.Errorf("applying nothing: %+v, %v", s, err)
	}
}

// TestFeedFails feeds what cannot be learned from. A step that lacks one of its
// batches keeps the others.
func TestFeedFails(t *testing.T) {
	long := given(1)
	long.Tokens, long.Targets = append(long.Tokens[:6:6], 1), append(long.Targets[:6:6], 1)
	uneven := given(1)
	uneven.Targets = uneven.Targets[:5]
	strange, beyond := ignoring(given(1), 0, 0), ignoring(given(1), 0, 0)
	strange.Tokens = []int32{1, 2, 13, 4, 5, 6}
	beyond.Targets[2] = 13
	for _, tt := range []struct {
		batch []subnet.Sequence
		want  string
	}{
		{nil, "batch that was fed: no sequences"},
		{[]subnet.Sequence{given(1), long}, "sequence 2 of 2: 7 tokens with 7 targets; there must be as many, from 1 to 6"},
		{[]subnet.Sequence{uneven}, "6 tokens with 5 targets"},
		{[]subnet.Sequence{{}}, "0 tokens"},
		{[]subnet.Sequence{strange}, "token 13 in a vocabulary of 13"},
		{[]subnet.Sequence{beyond}, "target 13 in a vocabulary of 13"},
	} {
		opts := options()
		opts.Feed = feed(tt.batch)
		if _, err := newTrainer(t, opts, nil).Step(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("step: %v, want %q", err, tt.want)
		}
	}

	opts := options()
	opts.Accumulate = 2
	want := steps(t, newTrainer(t, opts, counting), 2)
	failing, calls := errors.New("disk gone"), 0
	from := feed(fours(4)...)
	opts.Feed = func(ctx context.Context) ([]subnet.Sequence, error) {
		if calls++; calls == 2 || calls == 5 {
			return nil, failing
		}
		return from(ctx)
	}
	tr := newTrainer(t, opts, nil)
	for _, w := range want {
		if _, err := tr.Step(t.Context()); !errors.Is(err, failing) {
			t.Errorf("step: %v", err)
		}
		if got := steps(t, tr, 1)[0]; got != w {
			t.Errorf("step after one that failed %+v, want %+v", got, w)
		}
	}
	if calls != 6 {
		t.Errorf("fed %d times", calls)
	}
}

// TestRateOf trains at rates that a function says.
func TestRateOf(t *testing.T) {
	o := FromSubnet(subnet.TrainOptions{Params: all, Batch: 4, Beta1: 0.9, Beta2: 0.95, Eps: 1e-3, WeightDecay: 0.1, DecayAll: true,
		Rate: func(step int) float64 { return 1 / float64(step) / float64(max(0, 4-step)) }})
	tr := newTrainer(t, o, counting)
	for i, s := range steps(t, tr, 3) {
		if want := 1 / float64(i+1) / float64(3-i); s.LR != want {
			t.Errorf("step %d at rate %v, want %v", i+1, s.LR, want)
		}
	}
	for _, s := range tr.opt.spans {
		if s.eps != 1e-3 || s.decay != 0.1 {
			t.Errorf("updates with %+v", s.constants)
		}
	}
	if _, err := tr.Step(t.Context()); err == nil || err.Error() != "the learning rate of step 4 is +Inf" || tr.steps != 3 {
		t.Errorf("at an infinite rate: %v", err)
	}
	o.Schedule.Peak = 1
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "give one of them") {
		t.Errorf("a rate said twice: %v", err)
	}
}

// TestKept takes a step on a gradient that another trainer found, and one from
// moments that were scaled.
func TestKept(t *testing.T) {
	for _, precision := range []Precision{FP32, FP16Mixed} {
		opts := options()
		opts.Precision = precision
		one, two := newTrainer(t, opts, counting), newTrainer(t, opts, counting)
		if _, err := one.Accumulate(t.Context()); err != nil {
			t.Fatal(err)
		}
		found := gradients(t, one)
		if s := steps(t, newTrainer(t, options(), counting), 1)[0]; math.Abs(size(found)/s.GradNorm-1) > 1e-3 {
			t.Errorf("%s: a gradient of norm %v, want %v", precision, size(found), s.GradNorm)
		}
		for name, g := range found {
			if err := two.Write(subnet.Gradient, name, g); err != nil {
				t.Fatal(err)
			}
		}
		for _, tr := range []*Trainer{one, two} {
			if s, err := tr.Apply(t.Context(), 1); err != nil || s.Skipped {
				t.Fatalf("%+v, %v", s, err)
			}
			for name, g := range gradients(t, tr) {
				if slices.ContainsFunc(g, func(x float32) bool { return x != 0 }) {
					t.Errorf("%s has a gradient after the update", name)
				}
			}
		}
		if !cmp.Equal(weights(one, all), weights(two, all)) {
			t.Errorf("%s: the same gradient gives other parameters", precision)
		}
		// By what is left of the clipped gradient, which is a tenth of it.
		for _, name := range []string{"model.norm.weight", "model.layers.1.mlp.experts.2.down_proj"} {
			g := found[name]
			m, v := make([]float32, len(g)), make([]float32, len(g))
			if err := errors.Join(one.Read(subnet.Moment1, name, m), one.Read(subnet.Moment2, name, v)); err != nil {
				t.Fatal(err)
			}
			for i := range g {
				clipped := float64(m[i]) / 0.1
				if math.Abs(float64(v[i])-0.05*clipped*clipped) > 1e-6*clipped*clipped || (clipped > 0) != (g[i] > 0) {
					t.Errorf("%s: moments %v and %v of a gradient of %v", name, m[i], v[i], g[i])
				}
				m[i] *= 2
			}
			again := make([]float32, len(g))
			if err := errors.Join(one.Write(subnet.Moment1, name, m), one.Read(subnet.Moment1, name, again)); err != nil || !slices.Equal(m, again) {
				t.Errorf("%s came back as %v, want %v: %v", name, again, m, err)
			}
		}
	}
	opts := options()
	opts.Trained, opts.Params = []string{"model.norm.weight"}, nil
	tr := newTrainer(t, opts, counting)
	sgd := opts
	sgd.Rules = Rules{Method: SGD}
	x := make([]float32, 8)
	bad := append(make([]float32, 7), float32(math.NaN()))
	below := append(make([]float32, 7), -1)
	for want, err := range map[string]error{
		`read grad: "lm_head.weight" is not a parameter that is trained`: tr.Read(subnet.Gradient, "lm_head.weight", x),
		`read exp_avg: "model.norm.weight" has 8 numbers, not 7`:         tr.Read(subnet.Moment1, "model.norm.weight", x[:7]),
		`write exp_avg: NaN in it`:                                       tr.Write(subnet.Moment1, "model.norm.weight", bad),
		`write exp_avg_sq: -1 in it`:                                     tr.Write(subnet.Moment2, "model.norm.weight", below),
		`read max_exp_avg_sq: adamw keeps none`:                          tr.Read("max_exp_avg_sq", "model.norm.weight", x),
		`write exp_avg: sgd keeps none`:                                  newTrainer(t, sgd, counting).Write(subnet.Moment1, "model.norm.weight", x),
		"a share of 0 of the gradient; give a number above 0":            second(tr.Apply(t.Context(), 0)),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func second(_ subnet.Step, err error) error { return err }

// TestClearGoesOn reads on after what was cleared, and a step does not.
func TestClearGoesOn(t *testing.T) {
	opts := options()
	opts.Accumulate = 2
	for _, fed := range []bool{false, true} {
		if fed {
			opts.Feed = feed(fours(8)...)
		}
		tr := newTrainer(t, opts, counting)
		losses := map[int64]float64{} // of batches
		next := func() float64 {
			s, err := tr.Accumulate(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return s.Loss
		}
		for k := range int64(3) {
			losses[k] = next()
		}
		tr.Clear()
		losses[3] = next()
		seen := map[float64]bool{}
		for _, l := range losses {
			seen[l] = true
		}
		if len(seen) != 4 {
			t.Errorf("fed %v: losses %v of four batches", fed, losses)
		}
		s := steps(t, tr, 1)[0] // of the fourth and the fifth
		again := options()
		again.Feed = feed(slices.Concat(fours(5)[3:]...))
		whole, err := newTrainer(t, again, nil).Accumulate(t.Context())
		if err != nil || math.Abs(whole.Loss-s.Loss) > 1e-6 || s.Tokens != whole.Tokens {
			t.Errorf("fed %v: step of loss %v, want %v: %v", fed, s.Loss, whole.Loss, err)
		}
	}
}

// TestFedRanks feeds ranks, one of which has nothing to learn from, and one process
// with what the other has.
func TestFedRanks(t *testing.T) {
	none := []subnet.Sequence{ignoring(given(1), 0, 6)}
	for name, batches := range map[string][2][][]subnet.Sequence{
		"one without": {{fours(2)[1], none}, {none, none}},
		"uneven":      {{fours(1)[0], none}, {{ignoring(given(9), 2, 6)}, none}},
	} {
		at := newMeeting(2)
		done := make(chan []subnet.Step)
		var trainers [2]*Trainer
		for rank := range trainers {
			opts := options()
			opts.Ranks, opts.Feed = at.rank(rank), feed(batches[rank]...)
			trainers[rank] = newTrainer(t, opts, nil)
		}
		go func() {
			out := make([]subnet.Step, 0, 2)
			for range 2 {
				s, err := trainers[1].Step(t.Context())
				if err != nil {
					t.Error(err)
				}
				out = append(out, s)
			}
			done <- out
		}()
		got := steps(t, trainers[0], 2)
		other := <-done
		for i := range other {
			other[i].Wait = 0
		}
		if diff := cmp.Diff(got, other); diff != "" || !cmp.Equal(weights(trainers[0], all), weights(trainers[1], all)) {
			t.Errorf("%s: ranks differ:\n%s", name, diff)
		}
		if got[0].Skipped || !got[1].Skipped || got[1].Tokens != 0 {
			t.Errorf("%s: steps %+v", name, got)
		}
		want := map[string]int{"one without": 24, "uneven": 26}[name]
		if got[0].Tokens != want || !(got[0].Loss > 2 && got[0].Loss < 3) {
			t.Errorf("%s: loss %v of %d tokens, want %d", name, got[0].Loss, got[0].Tokens, want)
		}
	}
}

// TestFedRankWithNothing leaves a rank without a target after a step in which it had
// some: the gradient is half the other's, and nothing of the step before.
func TestFedRankWithNothing(t *testing.T) {
	none := []subnet.Sequence{ignoring(given(1), 0, 6)}
	at := newMeeting(2)
	var trainers [2]*Trainer
	for rank, batches := range [2][][]subnet.Sequence{fours(2), {fours(3)[2], none}} {
		opts := options()
		opts.Ranks, opts.Feed = at.rank(rank), feed(batches...)
		trainers[rank] = newTrainer(t, opts, nil)
	}
	both := func() subnet.Step {
		var other sync.WaitGroup
		other.Go(func() {
			if _, err := trainers[1].Step(t.Context()); err != nil {
				t.Error(err)
			}
		})
		defer other.Wait()
		return steps(t, trainers[0], 1)[0]
	}
	both()
	opts := options()
	opts.Feed = feed(fours(2)[1])
	alone := newTrainer(t, opts, nil)
	copyParams(alone, trainers[0])
	want, got := steps(t, alone, 1)[0], both()
	if math.Abs(2*got.GradNorm/want.GradNorm-1) > 1e-6 || math.Abs(got.Loss-want.Loss) > 1e-6 || got.Tokens != 24 {
		t.Errorf("step %+v, alone %+v", got, want)
	}
}

// TestTurns lists where the batches of two ranks begin, when they take more of them
// than a step has, and what the next step begins with.
func TestTurns(t *testing.T) {
	for rank, want := range [][]int64{{100, 102, 108, 110}, {104, 106, 112, 114}} {
		tr := &Trainer{next: 100, opts: Options{Batch: 2, Accumulate: 2, Ranks: Ranks{World: 2, Rank: rank}}}
		for k, first := range want {
			if got := tr.at(k); got != first {
				t.Errorf("batch %d of rank %d begins with %d, want %d", k, rank, got, first)
			}
		}
		for _, after := range []struct {
			batches int
			next    int64
		}{{0, 100}, {1, 108}, {2, 116}, {3, 132}} {
			tr.batches = after.batches
			if tr.pass(); tr.next != after.next {
				t.Errorf("after %d more batches sequence %d is next, want %d", after.batches, tr.next, after.next)
			}
		}
	}
}

// TestEvaluateGiven evaluates sequences of several lengths, and one without a
// target, in batches of any size: no bit changes.
func TestEvaluateGiven(t *testing.T) {
	for name, dev := range devices() {
		m, err := model.New(dev, tiny(), 6)
		if err != nil {
			t.Fatal(err)
		}
		m.Init("test")
		held, err := Evaluate(t.Context(), m, counting, []int64{3, 4})
		if err != nil {
			t.Fatal(err)
		}
		same, err := EvaluateGiven(t.Context(), m, []subnet.Sequence{given(3), given(4)})
		if diff := cmp.Diff(held, same); err != nil || diff != "" {
			t.Errorf("%s: given (-held out +given): %v\n%s", name, err, diff)
		}
		short := given(5)
		short.Tokens, short.Targets = short.Tokens[:2], short.Targets[:2]
		sequences := []subnet.Sequence{given(3), short, ignoring(given(4), 0, 6), ignoring(given(4), 1, 5), given(5)}
		want, err := evaluateGiven(t.Context(), m, sequences, 1)
		if err != nil {
			t.Fatal(err)
		}
		mean := (6*want.Sequences[0] + 2*want.Sequences[1] + 2*want.Sequences[3] + 6*want.Sequences[4]) / 16
		if want.Tokens != 16 || want.Sequences[2] != 0 || math.Abs(mean-want.Mean) > 1e-9 {
			t.Errorf("%s: %+v, want a mean of %v", name, want, mean)
		}
		for _, size := range []int{2, 5, 8} {
			got, err := evaluateGiven(t.Context(), m, sequences, size)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %d at once (-1 +%d): %v\n%s", name, size, size, err, diff)
			}
		}
		if got, err := EvaluateGiven(t.Context(), m, sequences[2:3]); err != nil || got.Mean != 0 || got.Tokens != 0 {
			t.Errorf("%s: of no target: %+v, %v", name, got, err)
		}
	}
}

// BenchmarkFed compares text that is read with the same that is fed: the median
// step of each.
func BenchmarkFed(b *testing.B) {
	const seqLen, batch, vocab = 128, 4, 2048
	c := model.Config{
		ModelType: model.Llama, VocabSize: vocab, HiddenSize: 128, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 4,
		HeadDim: 32, IntermediateSize: 384, RMSNormEps: 1e-6, RopeTheta: 10000, MaxPositionEmbeddings: 2048, InitializerRange: 0.02, RoutedScalingFactor: 1,
	}
	text := func(dst []int32, i int64) error {
		for k := range dst {
			dst[k] = int32((int(i)*7919 + k*k) % vocab)
		}
		return nil
	}
	next, ids := int64(0), make([]int32, seqLen+1)
	fed := func(context.Context) ([]subnet.Sequence, error) {
		out := make([]subnet.Sequence, batch)
		for k := range out {
			_ = text(ids, next)
			next++
			own := slices.Clone(ids)
			out[k] = subnet.Sequence{Tokens: own[:seqLen], Targets: own[1:]}
		}
		return out, nil
	}
	trainer := func(feed func(context.Context) ([]subnet.Sequence, error)) *Trainer {
		dev := cpu.New(0)
		m, err := model.New(dev, c, seqLen)
		if err != nil {
			b.Fatal(err)
		}
		m.Init("bench")
		opts := options()
		opts.Batch, opts.Feed = batch, feed
		tr, err := New(dev, m, opts, text)
		if err != nil {
			b.Fatal(err)
		}
		return tr
	}
	trainers := [2]*Trainer{trainer(nil), trainer(fed)}
	var times [2][]time.Duration
	for b.Loop() {
		for k, tr := range trainers { // by turns, so that both see the machine as it is
			start := time.Now()
			if _, err := tr.Step(b.Context()); err != nil {
				b.Fatal(err)
			}
			times[k] = append(times[k], time.Since(start))
		}
	}
	for k, by := range []string{"read", "fed"} {
		slices.Sort(times[k])
		b.ReportMetric(batch*seqLen/times[k][len(times[k])/2].Seconds(), by+"-tokens/s")
	}
}
