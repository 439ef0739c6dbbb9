// Package templar is the network of windows known as Templar: time on the chain is
// cut into windows of so many blocks, in each of which every miner does the same
// round with one model that they all have, and leaves what came of it in a bucket
// of its own that everybody may read.
//
// # Slices
//
// The first generation, of November 2024, sends parameters themselves: one value in
// a hundred, at places that follow from the window's number alone, so that they need
// not be sent. A window t, as a miner lives it:
//
//   - It downloads from every bucket the states of t, which were taken when t was
//     about to begin, and puts their mean at the places of t.
//   - It fetches its pages of text, which follow from its uid and t, and trains on as
//     many of them as it got through in the windows before; then it takes one step.
//   - It uploads its delta: what it has now at the places of t.
//   - It downloads the deltas of t−1 and puts their mean at the places of t−1.
//   - It uploads its state: what it has at the places of t+1.
//   - It removes what is old, and waits for t+1.
//
// Who joins, with --sync_state, reads the states of the last windows in the same
// way: a tenth of the model. The rest it knows because all begin with the same
// numbers.
//
// A validator does t when t+2 has begun: it puts the same states in, takes the delta
// of one miner, computes a gradient on that miner's pages, and scores by how well
// the one points the way of the other. The average score is the weight. The
// generation of December 2024, r2, has slices of equal length merged, a version in
// every name, checkpoints, a bucket of Cloudflare's for each neuron with its keys to
// read on chain, and scores by what a slice does to the loss.
//
// # Pseudo-gradients
//
// From July 2025 on, a window t is some twenty minutes:
//
//   - A miner draws its pool of samples, by its uid and t, takes thirty steps of
//     AdamW, and goes back to where it began: the way back is its pseudo-gradient.
//   - It adds what it has never sent, sends the 64 greatest of each 4096 values in
//     four bins, and keeps the rest for later.
//   - When t+1 begins it uploads that, within 70 seconds by the store's clock.
//   - It downloads those of the peers, a list that the validator with the most stake
//     has posted some windows ahead; who is missing is replaced from a reserve.
//   - Everybody averages the same gradients in the same way and takes one outer step,
//     so that all have the same model again. A few values of it, in the debug
//     object, show how far somebody is off.
//
// A validator merges the same, but looks first what some of the gradients do to the
// loss, on text that their miners were to train on and on other text. The ranking of
// these is a rating of skill; whether the first falls more than the second is an
// average that says who trained on its own text; and with how far its model is
// behind they multiply to the final score. Copies, absences and gradients that do
// harm are punished. Twenty miners share three quarters of the weights, the ten
// after them the rest, but for what is burned.
//
// In our own generation one validator adds the gradients up, and the others download
// what came of it, which is as large as one of them. It signs a claim of what it has
// added up; the next block chooses parts of that, which it has to show, and which
// everybody adds up again. A sum that is wrong is shown to all with its proof, and the
// validator with the next most stake, or everybody by itself, takes its place.
//
// # Where it is
//
// Each generation is a [Rules] value in generations.go, with an hparams.json of its
// own in hparams.go, read by hparamsfile.go. Every decision is pure: schedule.go says
// when, and rates.go at which rate is learned; numpy.go draws as numpy does; slices.go,
// pages.go and dataserver.go, samples.go and npy.go say what is sent of the model and
// what is trained on; names.go, wire.go and env.go what things are called and where
// they are; slicefile.go, gradient.go and gradientread.go, aggregator.go and debug.go
// what is in them, and what is refused of what others have written; params.go what
// upstream calls the parameters, and parts.go whether a gradient is one of the model;
// peers.go who is gathered and who is evaluated; score.go, penalties.go and weights.go
// what it is worth.
//
// What acts on them is told straight down: for the pseudo-gradients in sparse.go,
// miner_sparse.go and send.go, validator_sparse.go, judge.go, copies.go and
// evaluate.go. leader.go and catchup.go say who is believed, and how one joins;
// astray.go brings back who has lacked something, and clock.go goes by the chain's time;
// gather.go, outer.go and layout.go how the models become one again; shards.go where
// the text is; sealed.go, aggregate.go, challenge.go and sumup.go are what our own
// generation has besides.
//
// A deviation from upstream begins with "Unlike upstream".
package templar

import (
	"context"
	"fmt"
	"slices"

	"adit/internal/subnet"
)

// Protocol is the network's entry in the table of protocols.
var Protocol = subnet.Protocol{
	Name:      "templar",
	Summary:   "train in windows, exchange slices or gradients through buckets, be scored by what they do",
	Rules:     RulesNames(),
	NewConfig: NewConfig,
	Metrics:   slices.Concat(metrics, sparseMetrics),
	Columns:   slices.Concat(columns, sparseColumns),
	Checks:    checks,
	Explain:   explain,
	Roles: []subnet.Role{
		{Name: "mine", Summary: "train in each window, upload what came of it, merge what the others have", Parts: []string{"mine"}, Run: mine},
		{Name: "validate", Summary: "judge what miners upload, and set weights", Parts: []string{"validate"}, Run: validate},
	},
}

// A cast is how the roles are played in generations of one scheme.
type cast struct {
	mine, validate func(context.Context, subnet.Env) error
	upload         string // what a miner brings to a window
	explain        func(n *neuron, ctx context.Context, a *telling, who subnet.Neuron, w, current Window) error
}

// castOf returns the cast of the settings' generation.
func castOf(env subnet.Env) (cast, error) {
	cfg, ok := env.Config.(*Config)
	if !ok {
		return cast{}, fmt.Errorf("settings are of type %T, want those of templar", env.Config)
	}
	r, err := cfg.ruleset()
	if err != nil {
		return cast{}, err
	}
	return map[Scheme]cast{
		SliceScheme:    {mineSlices, validateSlices, "delta", (*neuron).explainDelta},
		GradientScheme: {mineSparse, validateSparse, "gradient", (*neuron).explainGradient},
	}[r.Scheme], nil
}

func mine(ctx context.Context, env subnet.Env) error {
	c, err := castOf(env)
	if err != nil {
		return err
	}
	return c.mine(ctx, env)
}

func validate(ctx context.Context, env subnet.Env) error {
	c, err := castOf(env)
	if err != nil {
		return err
	}
	return c.validate(ctx, env)
}
