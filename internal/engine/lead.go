package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"adit/internal/engine/ranks"
	"adit/internal/engine/train"
	"adit/internal/subnet"
)

// Ranks say how an engine has help in training: see package ranks.
type Ranks struct {
	// Start starts a process, or what is as good as one, that calls [Help].
	Start func(ranks.Order) (ranks.Hand, error)
	// Warn is told of what went wrong and is survived.
	Warn   func(text string, err error)
	Limits ranks.Limits
}

// A job is what ranks are told of a training. What is shown of the parameters, and
// the trainer's state, follow it.
type job struct {
	Domain      int
	Seed        string
	Batch       int
	Accumulate  int
	Precision   string
	LR          float64
	WarmupSteps int
	TotalSteps  int
	ByTime      bool    // the first rank tells how much of the time is spent
	Spent       float64 // at first
	Beta1       float64
	Beta2       float64
	Eps         float64
	WeightDecay float64
	DecayAll    bool
	ClipNorm    float64

	Experts subnet.Experts
	Trained []string // names of parameters
	Shown   []string // whose values follow, in this order
	State   bool     // whether the trainer's follows
}

func jobOf(o subnet.TrainOptions) job {
	return job{
		Domain: o.Domain, Seed: o.Seed, Batch: o.Batch, Accumulate: o.Accumulate, Precision: o.Precision,
		LR: o.LR, WarmupSteps: o.WarmupSteps, TotalSteps: o.TotalSteps, ByTime: o.Spent != nil,
		Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps, WeightDecay: o.WeightDecay, DecayAll: o.DecayAll, ClipNorm: o.ClipNorm,
	}
}

func (j job) options() subnet.TrainOptions {
	trained := make(map[string]bool)
	for _, name := range j.Trained {
		trained[name] = true
	}
	return subnet.TrainOptions{
		Params: func(name string) bool { return trained[name] },
		Domain: j.Domain, Seed: j.Seed, Batch: j.Batch, Accumulate: j.Accumulate, Precision: j.Precision,
		LR: j.LR, WarmupSteps: j.WarmupSteps, TotalSteps: j.TotalSteps,
		Beta1: j.Beta1, Beta2: j.Beta2, Eps: j.Eps, WeightDecay: j.WeightDecay, DecayAll: j.DecayAll, ClipNorm: j.ClipNorm,
	}
}

// A lead is the first of the ranks that train a model together. The others come
// with the first step, and are shown all that they need then; when anything has
// changed that they do not know of, they are dismissed, and others come with the
// next step.
type lead struct {
	l     *loaded
	opts  subnet.TrainOptions
	t     *train.Trainer
	crew  *ranks.Crew // nil if there is none
	began bool        // the trainer has a state
	spent float64     // as all ranks have been told
}

// newLead prepares for training with ranks: what it returns goes into the
// trainer's options.
func (l *loaded) newLead(o subnet.TrainOptions) (*lead, train.Options, error) {
	var err error
	switch {
	case l.e.opts.Ranks.Start == nil:
		err = fmt.Errorf("this engine cannot start %d processes", o.Ranks.World)
	case o.Feed != nil || o.Rate != nil:
		err = errors.New("what a function says cannot be shared with other processes: train with one, or on the engine's own text and schedule")
	}
	r := &lead{l: l, opts: o}
	if o.Spent != nil {
		r.spent = o.Spent()
		o.Spent = func() float64 { return r.spent }
	}
	out := train.FromSubnet(o)
	out.Ranks = train.Ranks{World: o.Ranks.World, Sum: r.sum}
	return r, out, err
}

// errShared is why a step is only taken whole.
var errShared = errors.New("processes that train together take whole steps: train with one to accumulate")

// maxTries is how often a step is begun that a rank failed.
const maxTries = 2

// step takes a step with all ranks.
func (r *lead) step(ctx context.Context) (s subnet.Step, err error) {
	for try := 1; ; try++ {
		if err = r.gather(ctx); err == nil {
			s, err = r.t.Step(ctx)
		}
		if err == nil {
			r.began = true
			return s, nil
		}
		r.dismiss()
		if _, lost := errors.AsType[*ranks.Error](err); !lost || try == maxTries || ctx.Err() != nil {
			return subnet.Step{}, err
		}
		if warn := r.l.e.opts.Ranks.Warn; warn != nil {
			warn("a process that trains along was lost, the step is taken again with new ones", err)
		}
	}
}

func (r *lead) sum(ctx context.Context, grad []float32, loss float64) (float64, error) {
	ask := r.opts.Spent
	if ask == nil {
		ask = func() float64 { return 0 }
	}
	total, spent, err := r.crew.Sum(ctx, grad, loss, ask)
	if err == nil {
		// Each rank learns it here, and goes by it from now on: whether that is in
		// this step or from the next, it is the same in all.
		r.spent = spent
	}
	return total, err
}

// dismiss ends the other ranks, if there are any.
func (r *lead) dismiss() {
	if r != nil && r.crew != nil {
		r.crew.Close()
		r.crew = nil
	}
}

// gather has the other ranks come, if they are not there, and tells them all that
// they need.
func (r *lead) gather(ctx context.Context) error {
	if r.crew != nil {
		return nil
	}
	how := r.l.e.opts.Ranks
	crew, err := ranks.Gather(ctx, ranks.Options{
		World: r.opts.Ranks.World, At: r.opts.Ranks.At, Start: how.Start, Limits: how.Limits, Warn: how.Warn,
	})
	if err != nil {
		return err
	}
	r.crew = crew
	return r.show(ctx)
}

func (r *lead) show(ctx context.Context) error {
	j := jobOf(r.opts)
	j.Spent, j.Experts, j.State = r.spent, r.l.experts, r.began
	shown := maps.Clone(r.l.laid)
	for name := range r.l.params {
		if r.opts.Params(name) {
			j.Trained = append(j.Trained, name)
			shown[name] = true
		}
	}
	slices.Sort(j.Trained)
	j.Shown = slices.Sorted(maps.Keys(shown))
	if err := r.crew.Job(ctx, j); err != nil {
		return err
	}
	var vals []float32
	for _, name := range j.Shown {
		p := r.l.params[name]
		vals = slices.Grow(vals[:0], p.Hi-p.Lo)[:p.Hi-p.Lo]
		r.l.e.opts.Device.Download(vals, r.l.m.Weights(p))
		if err := r.crew.Values(ctx, vals); err != nil {
			return err
		}
	}
	if !j.State {
		return nil
	}
	return r.crew.Stream(ctx, func(w io.Writer) error { return r.t.Save(w) })
}
