// Package train trains and evaluates models: batches, AdamW, the schedule, and
// the state from which a training goes on to the bit.
package train

import (
	"context"
	"errors"

	"adit/internal/engine/device"
	"adit/internal/engine/model"
	"adit/internal/subnet"
)

// A Trainer takes the steps that its options describe. It implements
// [subnet.Trainer].
type Trainer struct {
	m     *model.Model
	opts  subnet.TrainOptions
	read  Reader
	opt   *Optimizer
	batch *Batch

	steps int   // taken, skipped ones included
	next  int64 // the sequence that the next batch begins with
}

var _ subnet.Trainer = (*Trainer)(nil)

// New prepares m for training on what read gives. A model has one trainer at a
// time: a later one ends the earlier.
func New(dev device.Device, m *model.Model, opts subnet.TrainOptions, read Reader) (*Trainer, error) {
	switch {
	case opts.Params == nil:
		return nil, errors.New("train: no choice of parameters")
	case opts.Batch < 1:
		return nil, errors.New("train: batch size below 1")
	case opts.WarmupSteps < 0 || opts.TotalSteps < 0:
		return nil, errors.New("train: negative number of steps")
	case opts.TotalSteps > 0 && opts.WarmupSteps > opts.TotalSteps:
		return nil, errors.New("train: warmup is longer than the training")
	}
	if !some(m, opts.Params) {
		return nil, errors.New("train: the model has no parameter of those to train")
	}
	return &Trainer{m: m, opts: opts, read: read, opt: NewOptimizer(dev, m, opts.Params), batch: NewBatch(m, opts.Batch)}, nil
}

func some(m *model.Model, trained func(string) bool) bool {
	for _, p := range m.Params() {
		if trained(p.Name) {
			return true
		}
	}
	return false
}

// Step takes one step. If it returns an error, it has not been taken: the next
// one reads the same batch.
//
// Unlike upstream, a skipped step moves the schedule on, so that a training
// ends when it was to end.
func (t *Trainer) Step(ctx context.Context) (subnet.Step, error) {
	if err := ctx.Err(); err != nil {
		return subnet.Step{}, err
	}
	t.opt.Clear()
	loss, err := t.batch.Learn(t.m, t.read, t.next, 1)
	if err != nil {
		return subnet.Step{}, err
	}
	lr := Rate(t.opts, t.steps+1)
	norm, ok := t.opt.Update(lr, Rules{t.opts.Beta1, t.opts.Beta2, t.opts.WeightDecay, t.opts.ClipNorm})
	t.steps++
	t.next += int64(t.opts.Batch)
	return subnet.Step{Number: t.steps, Loss: loss, LR: lr, GradNorm: norm, Tokens: t.batch.Tokens(), Skipped: !ok}, nil
}
