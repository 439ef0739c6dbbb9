// Package train trains and evaluates models: batches and their loader, AdamW
// and SGD, schedules, loss scaling, and the state from which a training goes on
// to the bit.
package train

import (
	"context"
	"fmt"
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

	exchanged []float32 // between the ranks
}

var _ subnet.Trainer = (*Trainer)(nil)

// New prepares m for training on what read gives. A model has one trainer at a
// time: a later one ends the earlier.
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
	size := opts.Batch * opts.Accumulate
	t := &Trainer{m: m, opts: opts, opt: opt, loader: loader{read: read, now: NewBatch(m, size), ahead: NewBatch(m, size), first: -1}}
	if opts.Precision == FP16Mixed {
		t.scaler = NewScaler(opts.Scaler)
	}
	return t, nil
}

// Step takes one step, and reads the next one's batch meanwhile. If it returns
// an error, it has not been taken: the next one reads the same batch.
//
// Unlike upstream, a skipped step moves the schedule on, so that a training
// ends when it was to end.
func (t *Trainer) Step(ctx context.Context) (subnet.Step, error) {
	if err := ctx.Err(); err != nil {
		return subnet.Step{}, err
	}
	asked := time.Now()
	own := int64(t.opts.Ranks.Rank) * int64(t.loader.now.size) // behind what the ranks before have
	b, err := t.loader.take(t.next + own)
	if err != nil {
		return subnet.Step{}, err
	}
	wait := time.Since(asked)
	var s subnet.Step
	after := t.next + int64(b.size)*int64(t.opts.Ranks.world())
	wait += t.loader.beside(after+own, func() { s, err = t.update(ctx, b) })
	if err != nil {
		return subnet.Step{}, err
	}
	t.steps++
	t.next = after
	s.Number, s.Wait = t.steps, wait
	return s, nil
}

// update learns from b and changes the parameters.
func (t *Trainer) update(ctx context.Context, b *Batch) (subnet.Step, error) {
	world := t.opts.Ranks.world()
	s := subnet.Step{Tokens: b.Tokens() * world}
	scale := 1.0
	if t.scaler != nil {
		scale = t.scaler.Scale()
		s.Scale = scale
	}
	t.opt.Clear()
	for k := range t.opts.Accumulate {
		if err := ctx.Err(); k > 0 && err != nil {
			return subnet.Step{}, err
		}
		part := b.part(k*t.opts.Batch, (k+1)*t.opts.Batch)
		part.Learn(t.m, scale/float64(t.opts.Accumulate*world))
		t.opts.Precision.narrow(t.opt.dev, t.opt.grad)
	}
	loss, err := t.together(ctx, b.sum()/float64(b.Tokens()))
	if err != nil {
		return subnet.Step{}, err
	}
	s.Loss = loss
	s.LR = t.opts.Schedule.Rate(t.steps + 1)
	norm, ok := t.opt.Update(s.LR, scale)
	s.GradNorm, s.Skipped = norm, !ok
	if t.scaler != nil {
		t.scaler.Next(ok)
	}
	t.opt.dev.Sync()
	return s, nil
}
