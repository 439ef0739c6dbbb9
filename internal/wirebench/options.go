package wirebench

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"adit/internal/engine/model"
	"adit/internal/protocol/templar"
	"adit/internal/subnet"
)

// Methods lists the ways of merging, dense first and ours last.
func Methods() []string { return []string{"dense", "slices", "r2", "sparse", "adit"} }

// Options say what to train and how it is merged.
type Options struct {
	Method string
	Seed   int // of the model's beginning and the order of the text

	Miners int
	Inner  int // steps of each miner in a round
	Rounds int
	Every  int // rounds between two evaluations

	Batch, SeqLen int     // of a step
	LR            float64 // of AdamW, at its highest
	Warmup        int     // steps

	// The outer step subtracts Rate times the merge, with Nesterov's momentum if
	// there is any. The slices have none.
	Rate, Momentum float64
	// Decay multiplies what a miner has not said, from round to round, and Again
	// what the aggregator has not.
	Decay, Again float64
	// Ahead and AheadTables are the shares of what a miner has not said by which its own
	// model is ahead of what all have when a round begins, as [templar.Rules] has them.
	Ahead, AheadTables float64
	Keep               int // of a chunk of 4096
}

// Usual returns the options of a method that docs/templar-bytes.md reports. What sparse
// and adit have of their own is that of their rules.
func Usual(method string) Options {
	o := Options{
		Method: method, Seed: 1, Miners: 4, Inner: 3, Rounds: 500, Every: 25,
		Batch: 2, SeqLen: 64, LR: 3e-3, Warmup: 50,
		Rate: 1, Decay: 0.95, Again: 1, Keep: 64,
	}
	if r, err := templar.RulesByName(method); err == nil && r.Scheme == templar.GradientScheme {
		o.Rate, o.Decay = r.Sparse.OuterLearningRate, r.Sparse.MomentumDecay
		o.Ahead, o.AheadTables = r.Ahead, r.AheadTables
	}
	return o
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	var problems []error
	if !slices.Contains(Methods(), o.Method) {
		problems = append(problems, subnet.WithHint(fmt.Errorf("unknown method %q", o.Method), "there are "+strings.Join(Methods(), ", ")))
	}
	for _, n := range []struct {
		name     string
		is, most int
	}{
		{"miners", o.Miners, 64}, {"steps of a round", o.Inner, 100_000}, {"rounds", o.Rounds, 100_000}, {"rounds between evaluations", o.Every, 100_000},
		{"sequences of a step", o.Batch, 4096}, {"tokens of a sequence", o.SeqLen, 2048},
	} {
		if n.is < 1 || n.is > n.most {
			problems = append(problems, fmt.Errorf("%d %s, and it must be 1 to %d", n.is, n.name, n.most))
		}
	}
	if o.Keep < 2 || o.Keep > 4096 {
		problems = append(problems, fmt.Errorf("%d values kept of 4096", o.Keep))
	}
	for _, x := range []struct {
		name string
		is   float64
		most float64
	}{
		{"outer rate", o.Rate, 10}, {"outer momentum", o.Momentum, 0.999}, {"decay", o.Decay, 1}, {"decay of the aggregator", o.Again, 1}, {"share ahead", o.Ahead, 1}, {"share ahead of tables", o.AheadTables, 1}, {"learning rate", o.LR, 1},
	} {
		if !(x.is >= 0 && x.is <= x.most) {
			problems = append(problems, fmt.Errorf("%s of %v, and it must be 0 to %v", x.name, x.is, x.most))
		}
	}
	return errors.Join(problems...)
}

// Shape returns a Llama of that width and depth, with heads of 32 and a feed-forward
// part three times as wide, in which a matrix is made of whole chunks of 64 by 64
// where the width is a multiple of 64.
func Shape(width, layers, vocab int) model.Config {
	return model.Config{
		ModelType: model.Llama, VocabSize: vocab, HiddenSize: width, NumHiddenLayers: layers,
		NumAttentionHeads: width / 32, NumKeyValueHeads: width / 32, HeadDim: 32, IntermediateSize: 3 * width,
		RMSNormEps: 1e-5, RopeTheta: 10000, MaxPositionEmbeddings: 2048, InitializerRange: 0.02, RoutedScalingFactor: 1,
	}
}
