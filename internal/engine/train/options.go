package train

import (
	"context"
	"errors"
	"fmt"

	"adit/internal/engine/model"
	"adit/internal/subnet"
)

// Options say what is trained, and how. What a field's zero value means stands
// with it.
type Options struct {
	// Params says which parameters are trained, or Trained does, by patterns
	// as [Match] reads them.
	Params  func(name string) bool
	Trained []string

	// Feed returns the next batch in place of a [Reader], when it is needed. The
	// error of a step that it cannot be had for is its own.
	Feed func(context.Context) ([]subnet.Sequence, error)

	Batch int // sequences that go through the model at once; Feed decides for itself
	// Accumulate is how many batches one update learns from, each as much as any
	// other, and of its own tokens with a target each as much; 0 is 1. The gradient is the sum of theirs, in their
	// order: not to the bit that of one batch as large as all, whose matrix
	// products sum in another order.
	Accumulate int
	// Ranks take the batches by turns: of each step's, the first rank has the
	// first Accumulate, the next one those after them.
	Ranks Ranks

	Schedule  Schedule
	Rules     Rules
	Precision Precision   // "" is FP32
	Scaler    ScalerRules // of FP16Mixed
}

// FromSubnet returns the options that o is short for: AdamW along a cosine, or
// at a constant rate if o gives the cosine no end, or as o's own function says.
func FromSubnet(o subnet.TrainOptions) Options {
	out := Options{
		Params: o.Params, Feed: o.Feed, Batch: o.Batch, Accumulate: o.Accumulate, Precision: Precision(o.Precision),
		Schedule: Schedule{Curve: Cosine, Peak: o.LR, Warmup: o.WarmupSteps, Total: o.TotalSteps, Spent: o.Spent},
		Rules:    Rules{Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps, WeightDecay: o.WeightDecay, ClipNorm: o.ClipNorm},
	}
	switch {
	case o.Rate != nil:
		out.Schedule = Schedule{Of: o.Rate}
	case o.TotalSteps == 0 && o.Spent == nil:
		out.Schedule.Curve = Constant
	}
	if o.DecayAll {
		out.Rules.Groups = []Group{{Names: []string{"*"}, WeightDecay: o.WeightDecay, DecayAll: true}}
	}
	return out
}

// Validate returns every problem, joined, each with its field and its cure.
// What depends on the model is reported by [New].
func (o Options) Validate() error {
	var errs []error
	switch {
	case o.Params == nil && len(o.Trained) == 0:
		errs = append(errs, errors.New(`parameters: no choice of those to train; give patterns, such as "*" for all`))
	case o.Params != nil && len(o.Trained) > 0:
		errs = append(errs, errors.New("parameters: chosen by a function and by patterns; give one of them"))
	}
	if o.Batch < 1 && o.Feed == nil {
		errs = append(errs, fmt.Errorf("batch size: %d sequences; give at least 1", o.Batch))
	}
	if o.Accumulate < 0 {
		errs = append(errs, fmt.Errorf("accumulation: %d batches; give at least 1", o.Accumulate))
	}
	if o.Precision != FP16Mixed && o.Scaler != (ScalerRules{}) {
		errs = append(errs, fmt.Errorf("loss scale: only %s has one; leave it out", FP16Mixed))
	}
	errs = append(errs, o.Ranks.problems()...)
	errs = append(errs, o.Schedule.problems()...)
	errs = append(errs, o.Rules.problems()...)
	errs = append(errs, o.Precision.problems()...)
	errs = append(errs, o.Scaler.problems()...)
	return errors.Join(errs...)
}

// trained returns the choice of the parameters of m.
func (o Options) trained(m *model.Model) (func(name string) bool, error) {
	if o.Params != nil {
		return o.Params, nil
	}
	return Match(o.Trained, names(m))
}
