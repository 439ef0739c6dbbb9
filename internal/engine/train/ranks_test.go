package train

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

// A meeting is where ranks in one process add up.
type meeting struct {
	mu    sync.Mutex
	all   sync.Cond
	world int
	grads [][]float32
	loss  []float64
	came  int
	round int
	sum   []float32
	total float64
	fail  error
}

func newMeeting(world int) *meeting {
	m := &meeting{world: world, grads: make([][]float32, world), loss: make([]float64, world)}
	m.all.L = &m.mu
	return m
}

func (m *meeting) rank(rank int) Ranks {
	return Ranks{World: m.world, Rank: rank, Sum: func(_ context.Context, grad []float32, loss float64) (float64, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.grads[rank], m.loss[rank] = grad, loss
		m.came++
		if round := m.round; m.came < m.world {
			for m.round == round {
				m.all.Wait()
			}
		} else {
			m.sum = make([]float32, len(grad))
			AddInOrder(m.sum, m.grads...)
			m.total = 0
			for _, l := range m.loss {
				m.total += l
			}
			m.came = 0
			m.round++
			m.all.Broadcast()
		}
		copy(grad, m.sum)
		return m.total, m.fail
	}}
}

// TestRanks trains with several ranks, and with one process that learns from the
// same batches in the same order and adds up in the same way: every bit is the
// same, in all of them.
func TestRanks(t *testing.T) {
	const world, steps = 3, 5
	for _, precision := range []Precision{FP32, FP16Mixed} {
		opts := options()
		opts.Batch, opts.Accumulate, opts.Precision = 2, 2, precision
		at := newMeeting(world)
		var trainers []*Trainer
		var got [world][]subnet.Step
		for rank := range world {
			o := opts
			o.Ranks = at.rank(rank)
			trainers = append(trainers, newTrainer(t, o, counting))
		}
		var ranks sync.WaitGroup
		for rank, tr := range trainers {
			ranks.Go(func() {
				for range steps {
					s, err := tr.Step(t.Context())
					if err != nil {
						t.Error(err)
					}
					s.Wait = 0
					got[rank] = append(got[rank], s)
				}
			})
		}
		ranks.Wait()

		// Alone: a trainer of one rank whose sum is what the others would say. It
		// asks trainers that have the same parameters, one after another.
		var alone []*Trainer
		shares := make([][]float32, world)
		losses := make([]float64, world)
		errShare := errors.New("only the gradient is wanted")
		for rank := range world {
			o := opts
			o.Ranks = Ranks{World: world, Rank: rank, Sum: func(_ context.Context, grad []float32, loss float64) (float64, error) {
				shares[rank], losses[rank] = slices.Clone(grad), loss
				if rank > 0 {
					return 0, errShare
				}
				sum := losses[0]
				for _, l := range losses[1:] {
					sum += l
				}
				AddInOrder(grad, shares...)
				return sum, nil
			}}
			alone = append(alone, newTrainer(t, o, counting))
		}
		for step := range steps {
			for rank := world - 1; rank > 0; rank-- {
				copyParams(alone[rank], alone[0])
				alone[rank].next, alone[rank].steps = alone[0].next, alone[0].steps
				if alone[rank].scaler != nil {
					*alone[rank].scaler = *alone[0].scaler
				}
				if _, err := alone[rank].Step(t.Context()); !errors.Is(err, errShare) {
					t.Fatal(err)
				}
			}
			want, err := alone[0].Step(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want.Wait = 0
			for rank := range world {
				if got[rank][step] != want {
					t.Errorf("%s: step %d of rank %d is %+v, want %+v", precision, step, rank, got[rank][step], want)
				}
			}
		}
		want := weights(alone[0], all)
		for rank, tr := range trainers {
			if diff := cmp.Diff(want, weights(tr, all)); diff != "" {
				t.Errorf("%s: rank %d has other parameters than one process:\n%s", precision, rank, diff)
			}
		}
	}
}

// copyParams makes the parameters of to those of from.
func copyParams(to, from *Trainer) {
	for _, p := range from.m.Params() {
		vals := make([]float32, p.Hi-p.Lo)
		from.opt.dev.Download(vals, from.m.Weights(p))
		to.opt.dev.Upload(to.m.Weights(p), vals)
	}
}

// TestRanksRefuse leaves a step untaken that could not be added up, and says which
// ranks there cannot be.
func TestRanksRefuse(t *testing.T) {
	opts := options()
	vanished := errors.New("a process vanished")
	fail := true
	opts.Ranks = Ranks{World: 2, Rank: 1, Sum: func(_ context.Context, grad []float32, loss float64) (float64, error) {
		if fail {
			return 0, vanished
		}
		return 2 * loss, nil
	}}
	tr := newTrainer(t, opts, counting)
	before := weights(tr, all)
	if _, err := tr.Step(t.Context()); !errors.Is(err, vanished) {
		t.Fatalf("Step error = %v", err)
	}
	if !cmp.Equal(weights(tr, all), before) {
		t.Error("a step that failed has changed the parameters")
	}
	fail = false
	if s, err := tr.Step(t.Context()); err != nil || s.Number != 1 {
		t.Errorf("the step after that is %+v, %v", s, err)
	}
	for _, bad := range []Ranks{{World: 2}, {World: 2, Rank: 2, Sum: opts.Ranks.Sum}, {Rank: 1}, {World: -1}} {
		o := options()
		o.Ranks = bad
		if o.Validate() == nil {
			t.Errorf("ranks %+v are taken", bad)
		}
	}
}
