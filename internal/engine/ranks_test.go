package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"adit/internal/engine/ranks"
	"adit/internal/engine/train"
	"adit/internal/subnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A helper is a rank in this process.
type helper struct {
	cancel context.CancelFunc
	done   chan struct{}
	words  string
}

func (h *helper) Done() <-chan struct{} { return h.done }
func (h *helper) End() string           { h.cancel(); <-h.done; return h.words }

// helpers are the ranks that were started.
type helpers struct {
	mu      sync.Mutex
	all     []*helper
	warned  []string
	running sync.WaitGroup
}

// with gives an engine ranks that are engines like it.
func (hs *helpers) with(t *testing.T, base []subnet.File) *Engine {
	like := func(o *Options) { o.Base = base }
	return newEngine(func(o *Options) {
		like(o)
		o.Ranks.Warn = func(text string, err error) { hs.warned = append(hs.warned, text+": "+err.Error()) }
		o.Ranks.Start = func(o ranks.Order) (ranks.Hand, error) {
			ctx, cancel := context.WithCancel(t.Context())
			h := &helper{cancel: cancel, done: make(chan struct{})}
			hs.mu.Lock()
			defer hs.mu.Unlock()
			hs.all = append(hs.all, h)
			hs.running.Go(func() {
				defer close(h.done)
				if err := Help(ctx, o, ranks.Limits{}, func() (*Engine, error) { return newEngine(like), nil }); err != nil && ctx.Err() == nil {
					h.words = err.Error()
				}
			})
			return h, nil
		}
	})
}

// ofRanks is a small training, of the experts alone.
func ofRanks(world int, precision string) subnet.TrainOptions {
	return subnet.TrainOptions{
		Params: func(name string) bool { return strings.Contains(name, ".experts.") },
		Domain: 1, Seed: "ranks", Batch: 2, Accumulate: 2, Precision: precision,
		LR: 0.01, WarmupSteps: 2, Beta1: 0.9, Beta2: 0.95, WeightDecay: 0.1, ClipNorm: 1,
		Ranks: subnet.Ranks{World: world, At: netip.MustParseAddrPort("127.0.0.1:0")},
	}
}

// files are a base model and a shard that is laid over it.
func files(t *testing.T) (base, shard file) {
	t.Helper()
	l := fresh(t, newEngine(nil))
	base = save(t, l, "base", all)
	l.m.Init("another")
	return base, save(t, l, "shard", func(name string) bool { return strings.Contains(name, ".experts.1.") })
}

// alone is one process that learns from the batches of all ranks, one rank after
// the other, and adds up in their order; rates are its learning rates.
func alone(t *testing.T, o subnet.TrainOptions, rates []float64, base, shard subnet.File) (*loaded, []subnet.Step) {
	t.Helper()
	world := o.Ranks.World
	o.Rate = func(step int) float64 { return rates[step-1] }
	o.Spent = nil
	rows, losses := make([][]float32, world), make([]float64, world)
	errShare := errors.New("only the gradient is wanted")
	var models []*loaded
	var trainers []*train.Trainer
	for rank := range world {
		e := newEngine(nil)
		m, err := e.Open(t.Context(), base, shard)
		if err != nil {
			t.Fatal(err)
		}
		l := m.(*loaded)
		l.Route(subnet.Experts{1: {0, 1, 2}})
		to := train.FromSubnet(o)
		to.Ranks = train.Ranks{World: world, Rank: rank, Sum: func(_ context.Context, grad []float32, loss float64) (float64, error) {
			rows[rank], losses[rank] = slices.Clone(grad), loss
			if rank > 0 {
				return 0, errShare
			}
			total := losses[0]
			for _, l := range losses[1:] {
				total += l
			}
			train.AddInOrder(grad, rows...)
			return total, nil
		}}
		tr, err := train.New(e.opts.Device, l.m, to, e.reader(o.Domain, o.Seed))
		if err != nil {
			t.Fatal(err)
		}
		models, trainers = append(models, l), append(trainers, tr)
	}
	var steps []subnet.Step
	for range rates {
		var state bytes.Buffer
		params, err := save(t, models[0], "params", all), trainers[0].Save(&state)
		for rank := world - 1; rank > 0; rank-- {
			err = errors.Join(err, models[rank].Load(params), trainers[rank].Resume(file{bytes.NewReader(state.Bytes()), "state"}))
			if _, stepErr := trainers[rank].Step(t.Context()); !errors.Is(stepErr, errShare) {
				t.Fatal(stepErr)
			}
		}
		s, stepErr := trainers[0].Step(t.Context())
		if err = errors.Join(err, stepErr); err != nil {
			t.Fatal(err)
		}
		s.Wait = 0
		steps = append(steps, s)
	}
	return models[0], steps
}

// TestRanks trains with processes of their own, but for the process: over a base
// model, a shard, a limit on the experts and a schedule by time of which the ranks
// know what the first one says. In between a rank dies, the state is saved and
// resumed, and a file is loaded. All of it is to the bit what one process does.
func TestRanks(t *testing.T) {
	const steps = 9
	for _, world := range []int{2, 3} {
		for _, precision := range []string{"fp32", "fp16-mixed"} {
			t.Run(fmt.Sprint(world, precision), func(t *testing.T) {
				t.Parallel()
				base, shard := files(t)
				hs := &helpers{}
				m, err := hs.with(t, []subnet.File{base}).Open(t.Context(), shard)
				if err != nil {
					t.Fatal(err)
				}
				l := m.(*loaded)
				l.Route(subnet.Experts{1: {0, 1, 2}})
				o := ofRanks(world, precision)
				var asked int
				o.Spent = func() float64 { asked++; return float64(asked*asked%11) / 12 }
				tr, err := l.Train(o)
				if err != nil {
					t.Fatal(err)
				}
				var got []subnet.Step
				var rates []float64
				for k := range steps {
					switch k {
					case 3: // one dies, or is about to: either is noticed
						hs.all[len(hs.all)-1].End()
					case 5:
						var state bytes.Buffer
						err := tr.Save(&state)
						if err = errors.Join(err, m.Load(save(t, m, "params", all)), tr.Resume(file{bytes.NewReader(state.Bytes()), "state"})); err != nil {
							t.Fatal(err)
						}
					}
					s, err := tr.Step(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					s.Wait = 0
					got, rates = append(got, s), append(rates, s.LR)
				}
				if n := len(hs.all); n != 3*(world-1) {
					t.Errorf("%d ranks were started", n)
				}
				if len(hs.warned) != 1 || !strings.Contains(hs.warned[0], fmt.Sprintf("rank %d of %d", world-1, world)) {
					t.Errorf("warned of %q", hs.warned)
				}
				one, want := alone(t, o, rates, base, shard)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("steps (-alone +ranks):\n%s", diff)
				}
				if diff := cmp.Diff(snapshot(t, one), snapshot(t, l)); diff != "" {
					t.Errorf("parameters (-alone +ranks):\n%s", diff)
				}
				if slices.Equal(rates, slices.Repeat(rates[:1], steps)) {
					t.Errorf("the schedule stands still: %v", rates)
				}
				if err := m.Close(); err != nil {
					t.Error(err)
				}
				hs.running.Wait() // they end with the model
			})
		}
	}
}

// TestRanksFail says which rank it was that failed twice, and why; what cannot be
// shared out is refused at once.
func TestRanksFail(t *testing.T) {
	t.Parallel()
	base, shard := files(t)
	hs := &helpers{}
	e := hs.with(t, []subnet.File{base})
	start, started := e.opts.Ranks.Start, 0
	e.opts.Ranks.Start = func(o ranks.Order) (ranks.Hand, error) {
		started++
		ctx, cancel := context.WithCancel(t.Context())
		h := &helper{cancel: cancel, done: make(chan struct{})}
		hs.running.Go(func() {
			defer close(h.done)
			_ = Help(ctx, o, ranks.Limits{}, func() (*Engine, error) { return nil, errors.New("the disk is gone") })
		})
		return h, nil
	}
	m, err := e.Open(t.Context(), shard)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	tr, err := m.Train(ofRanks(2, "fp32"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = tr.Step(t.Context())
	if err == nil || !errors.Is(err, subnet.ErrTemporary) || !strings.Contains(err.Error(), `rank 1 of 2: it says: "the disk is gone"`) || started != 2 {
		t.Errorf("%d ranks were started: %v", started, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tr.Step(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a step that was to end: %v", err)
	}
	e.opts.Ranks.Start = start
	if s, err := tr.Step(t.Context()); err != nil || s.Number != 1 {
		t.Errorf("the step after that is %+v, %v", s, err)
	}
	if _, err := tr.Accumulate(t.Context()); !errors.Is(err, errShared) {
		t.Errorf("Accumulate: %v", err)
	}
	o := ofRanks(2, "fp32")
	o.Feed = func(context.Context) ([]subnet.Sequence, error) { return nil, io.EOF }
	if _, err := m.Train(o); err == nil {
		t.Error("text that is fed is shared out")
	}
	lone, err := newEngine(nil).Open(t.Context(), base)
	if err != nil {
		t.Fatal(err)
	}
	defer lone.Close()
	if _, err := lone.Train(ofRanks(2, "fp32")); err == nil || !strings.Contains(err.Error(), "cannot start 2 processes") {
		t.Errorf("an engine without ranks: %v", err)
	}
}
