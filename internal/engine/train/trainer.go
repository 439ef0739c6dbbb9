// Package train trains and evaluates models: batches and their loader, AdamW
// and SGD, schedules, loss scaling, and the state from which a training goes on
// to the bit.
package train

import (
	"context"
	"fmt"
	"math"
	"time"

	"adit/internal/engine/device"
	"adit/internal/engine/model"
	"adit/internal/subnet"
)

// A Trainer takes the steps that its options describe. It implements
// [subnet.Trainer].
type Trainer struct {
	m      *model.Model
	opts   Options
	opt    *Optimizer
	loader loader
	scaler *Scaler // nil if the loss is not scaled

	steps int   // taken, skipped ones included
	next  int64 // the sequence that the next step of all ranks begins with

	// Since the last update:
	batches int     // learned from
	tokens  int     // of these, with a target
	losses  float64 // of these tokens, added up
	written bool    // the gradient is, in part, another's

	queue, spare []*Batch // fed since the last update, and not in use

	exchanged []float32 // between the ranks
}

var _ subnet.Trainer = (*Trainer)(nil)

// New prepares m for training on what read gives, or opts.Feed, which read may
// be nil for. A model has one trainer at a time: a later one ends the earlier.
func New(dev device.Device, m *model.Model, opts Options, read Reader) (*Trainer, error) {
	t, err := prepare(dev, m, opts, read)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return t, nil
}

func prepare(dev device.Device, m *model.Model, opts Options, read Reader) (*Trainer, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	opts.Accumulate = max(opts.Accumulate, 1)
	trained, err := opts.trained(m)
	if err != nil {
		return nil, err
	}
	opt, err := NewOptimizer(dev, m, trained, opts.Rules)
	if err != nil {
		return nil, err
	}
	t := &Trainer{m: m, opts: opts, opt: opt}
	if opts.Feed == nil {
		t.loader = loader{read: read, now: NewBatch(m, opts.Batch), ahead: NewBatch(m, opts.Batch), first: -1}
	}
	if opts.Precision == FP16Mixed {
		t.scaler = NewScaler(opts.Scaler)
	}
	t.forget()
	return t, nil
}

// Step takes one step, and reads what the next one begins with meanwhile, unless
// it is fed. It forgets what has been accumulated. If it returns an error, it has
// not been taken: the next one learns from the same batches.
//
// Unlike upstream, a skipped step moves the schedule on, so that a training
// ends when it was to end.
func (t *Trainer) Step(ctx context.Context) (s subnet.Step, err error) {
	t.forget()
	parts := float64(t.opts.Accumulate * t.opts.Ranks.world())
	var waited time.Duration
	for k := range t.opts.Accumulate {
		last := func() (err error) {
			if k == t.opts.Accumulate-1 {
				s, err = t.apply(ctx, 1)
			}
			return err
		}
		part, err := t.accumulate(ctx, parts, last)
		if err != nil {
			t.forget()
			return subnet.Step{}, err
		}
		waited += part.Wait
	}
	t.taken()
	s.Number, s.Wait = t.steps, waited
	return s, nil
}

// Accumulate learns from one batch: the gradient of its mean loss is added to what
// has been accumulated. If it returns an error, nothing is added, and the next
// call learns from the same batch.
func (t *Trainer) Accumulate(ctx context.Context) (subnet.Step, error) {
	return t.accumulate(ctx, 1, func() error { return nil })
}

// Apply updates the parameters with share of what has been accumulated, of all
// ranks together: 1 for the sum of the batches' gradients, 1/n for the mean of n.
// If it returns an error, it has not been done.
func (t *Trainer) Apply(ctx context.Context, share float64) (subnet.Step, error) {
	if err := ctx.Err(); err != nil {
		return subnet.Step{}, err
	}
	if !(share > 0) || math.IsInf(share, 0) {
		return subnet.Step{}, fmt.Errorf("a share of %v of the gradient; give a number above 0", share)
	}
	s, err := t.apply(ctx, share)
	if err != nil {
		return subnet.Step{}, err
	}
	t.taken()
	s.Number = t.steps
	return s, nil
}

// Clear forgets the gradient, and not the text that it came from: that is not
// learned from again.
func (t *Trainer) Clear() {
	t.pass()
	t.forget()
}

// taken ends a step.
func (t *Trainer) taken() {
	t.steps++
	t.Clear()
}

// forget makes the gradient nought, so that the batches since the last update are
// learned from once more.
func (t *Trainer) forget() {
	t.opt.Clear()
	t.batches, t.tokens, t.losses, t.written = 0, 0, 0, false
}

// accumulate learns from the next batch, a parts-th of whose gradient counts, and
// calls then. What is read is read beside both.
func (t *Trainer) accumulate(ctx context.Context, parts float64, then func() error) (s subnet.Step, err error) {
	if err := ctx.Err(); err != nil {
		return subnet.Step{}, err
	}
	asked := time.Now()
	b, err := t.batch(ctx)
	if err != nil {
		return subnet.Step{}, err
	}
	wait := time.Since(asked)
	learn := func() {
		s = t.learn(b, parts)
		err = then()
	}
	if t.opts.Feed != nil {
		learn()
	} else {
		wait += t.loader.beside(t.at(t.batches+1), learn)
	}
	s.Wait = wait
	return s, err
}

// learn adds a parts-th of the batch's gradient.
func (t *Trainer) learn(b *Batch, parts float64) subnet.Step {
	s := subnet.Step{Number: t.steps + 1, Tokens: b.Tokens()}
	scale := t.scale()
	if t.scaler != nil {
		s.Scale = scale
	}
	s.Loss = b.Learn(t.m, scale/parts)
	if s.Tokens > 0 {
		t.opts.Precision.narrow(t.opt.dev, t.opt.grad)
	}
	t.batches++
	t.tokens += s.Tokens
	t.losses = b.addTo(t.losses)
	return s
}

// scale returns what the loss is multiplied with.
func (t *Trainer) scale() float64 {
	if t.scaler == nil {
		return 1
	}
	return t.scaler.Scale()
}

// apply changes the parameters. A step in which no rank had a token with a target
// changes nothing: there is nothing that it would have learned, and what moments
// and decay alone would do is no training.
func (t *Trainer) apply(ctx context.Context, share float64) (s subnet.Step, err error) {
	s.LR = t.opts.Schedule.Rate(t.steps + 1)
	if !finite(s.LR) {
		return subnet.Step{}, fmt.Errorf("the learning rate of step %d is %v", t.steps+1, s.LR)
	}
	scale := t.scale()
	if t.scaler != nil {
		s.Scale = scale
	}
	t.m.SettleGradient()
	if s.Loss, s.Tokens, err = t.together(ctx); err != nil {
		return subnet.Step{}, err
	}
	if s.Tokens == 0 && !t.written {
		s.Skipped = true
		return s, nil
	}
	norm, ok := t.opt.Update(s.LR, scale/share)
	s.GradNorm, s.Skipped = norm, !ok
	if t.scaler != nil {
		t.scaler.Next(ok)
	}
	t.opt.dev.Sync()
	return s, nil
}
