package connito

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/checkpoint"
	"adit/internal/journal"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// A still chain stays at one block.
type still struct {
	subnet.Chain
	head subnet.Block
}

func (s still) Head(context.Context) (subnet.Block, error) { return s.head, nil }
func (s still) Wait(ctx context.Context, b subnet.Block) error {
	if b <= s.head {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// scripted is an engine whose model is a shard, and whose trainer does what step
// says.
type scripted struct {
	subnet.Model // what is not called
	d            tensor.Dict
	step         func(ctx context.Context, number int) error
	lossTime     time.Duration
	saves        func() // before the model is saved
	number       int
}

func (s *scripted) Open(context.Context, ...subnet.File) (subnet.Model, error) { return s, nil }
func (s *scripted) Encode(string) ([]int32, error)                             { return nil, errors.ErrUnsupported }
func (s *scripted) Load(subnet.File) error                                     { return nil }
func (s *scripted) Route(subnet.Experts)                                       {}
func (s *scripted) Params() []subnet.Param                                     { return nil }
func (s *scripted) Close() error                                               { return nil }
func (s *scripted) Train(subnet.TrainOptions) (subnet.Trainer, error) {
	return scriptedTrainer{s: s}, nil
}
func (s *scripted) Loss(ctx context.Context, _ subnet.Sample) (subnet.Loss, error) {
	select {
	case <-time.After(s.lossTime):
		return subnet.Loss{Mean: 3, Tokens: 1}, nil
	case <-ctx.Done():
		return subnet.Loss{}, ctx.Err()
	}
}

func (s *scripted) Save(w io.Writer, f subnet.Format, keep func(string) bool) error {
	if s.saves != nil && keep("model.embed_tokens.weight") {
		s.saves()
	}
	kept := make(tensor.Dict)
	for name, t := range s.d {
		if keep(name) {
			kept[name] = t
		}
	}
	return checkpoint.Write(w, f, kept)
}

type scriptedTrainer struct {
	subnet.Trainer // what is not called
	s              *scripted
}

func (t scriptedTrainer) Step(ctx context.Context) (subnet.Step, error) {
	if err := t.s.step(ctx, t.s.number+1); err != nil {
		return subnet.Step{}, err
	}
	t.s.number++
	return subnet.Step{Number: t.s.number, Loss: 3, Tokens: 1}, nil
}
func (t scriptedTrainer) Save(w io.Writer) error   { _, err := w.Write([]byte("state")); return err }
func (t scriptedTrainer) Resume(subnet.File) error { return nil }

// TestTrainingEnds tells training to end, or lets it crash, at its third step, and
// looks at what is left and at how long it takes.
func TestTrainingEnds(t *testing.T) {
	crash := errors.New("crash")
	lost := fmt.Errorf("rank 1 of 2: it ended: %w", subnet.ErrTemporary)
	for _, tt := range []struct {
		name     string
		step     int           // at which it ends
		how      error         // nil for the order to end, crash for an error of the step, else a panic
		lossTime time.Duration // of an evaluation
		saving   time.Duration // of the whole model
		full     bool          // disk
		final    bool
		own      []string // checkpoints
		within   time.Duration
	}{
		{name: "told to end", step: 3, final: true, own: []string{"globalver_0_inneropt_2"}},
		{name: "before the first step", step: 1},
		{name: "slow to evaluate", step: 3, lossTime: time.Minute, final: true, own: []string{"globalver_0_inneropt_2"}, within: evalGrace},
		{name: "slow to save", step: 3, saving: time.Minute, own: []string{"globalver_0_inneropt_2"}, within: time.Minute},
		{name: "an error", step: 3, how: crash, final: true},
		{name: "ranks are lost", step: 3, how: lost, own: []string{"globalver_0_inneropt_2"}},
		{name: "a panic", step: 3, how: errors.New("panic"), final: true},
		{name: "a panic at once", step: 1, how: errors.New("panic"), final: true},
		{name: "a panic with a full disk", step: 3, how: errors.New("panic"), full: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := journal.NewMem()
				n, g := storing(t, dir)
				n.cfg.Ckpt.CheckpointInterval = 100
				whole := shardOf(12, 4)
				shard := "validator_checkpoint/uid_0_hotkey_v_globalver_0/" + shardFile(g.ID, subnet.Safetensors)
				if err := n.Write(shard, func(w io.Writer) error { return checkpoint.Write(w, subnet.Safetensors, whole) }); err != nil {
					t.Fatal(err)
				}
				// What a kill left of an earlier run.
				if err := n.WriteJSON(".tmp_globalver_0_inneropt_9/"+stateFile, 1); err != nil {
					t.Fatal(err)
				}
				whole["model.embed_tokens.weight"] = tensor.FromFloats(tensor.F16, []int{2}, []float32{1, 2})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var ended time.Time
				engine := &scripted{d: whole}
				engine.step = func(ctx context.Context, number int) error {
					if number < tt.step {
						return nil
					}
					if tt.full {
						dir.Fault = func(string, string) error { return errors.New("disk full") }
					}
					ended = time.Now()
					engine.lossTime, engine.saves = tt.lossTime, func() { time.Sleep(tt.saving) }
					switch tt.how {
					case nil:
						cancel()
						return ctx.Err()
					case crash, lost:
						return tt.how
					}
					panic(tt.how)
				}
				n.Engine = engine
				head := n.rules.Schedule.Start(0, Train)
				n.Chain = still{head: head}
				if err := n.clearUnfinished(func(p place) bool { return p.inner > 0 }); err != nil {
					t.Fatal(err)
				}
				func() {
					defer func() {
						if p := recover(); (p != nil) != (tt.how != nil && tt.how != crash && tt.how != lost) || p != nil && p != any(tt.how) {
							t.Errorf("panic %v", p)
						}
					}()
					want := tt.how
					if want == lost { // the round goes on with what there is
						want = nil
					}
					if err := n.trainCycle(ctx, 0, new(tally)); !errors.Is(err, want) {
						t.Errorf("trainCycle error = %v", err)
					}
				}()
				if took := time.Since(ended); took > tt.within {
					t.Errorf("took %v to end", took)
				}
				dir.Fault = nil
				f, err := dir.Open(finalFile)
				if (err == nil) != tt.final {
					t.Fatalf("%s: %v, want it %v", finalFile, err, tt.final)
				}
				if tt.final {
					d, err := checkpoint.Read(f, 1<<20)
					if err != nil || !slices.Equal(d.Keys(), whole.Keys()) {
						t.Errorf("%s has %v, %v", finalFile, d.Keys(), err)
					}
				}
				names, err := dir.List("")
				names = slices.DeleteFunc(names, func(name string) bool { return !strings.Contains(name, "globalver") })
				if err != nil || !slices.Equal(names, tt.own) {
					t.Errorf("checkpoints %v, %v, want %v", names, err, tt.own)
				}
			})
		})
	}
}
