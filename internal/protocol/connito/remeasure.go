package connito

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"adit/internal/subnet"
)

// A measure is what an evaluation came to.
type measure struct{ baseline, loss float64 }

// evaluated downloads what was published and measures it, on the text of the
// round's seed.
func (a *account) evaluated(ctx context.Context, c Commit) (measure, error) {
	i := slices.IndexFunc(a.cfg.Task.Groups, func(g Group) bool { return g.ID == *c.Group })
	if i < 0 {
		a.gate(gateDownload, subnet.Unknown, fmt.Sprintf("it is of expert group %d, whose experts are not among these settings", *c.Group))
		return measure{}, nil
	}
	g := a.cfg.Task.Groups[i]
	shard, err := a.obtain(ctx, g, c)
	if ctx.Err() != nil {
		return measure{}, ctx.Err()
	}
	if errors.Is(err, errNotPublic) {
		a.gate(gateDownload, subnet.Unknown, err.Error())
		return measure{}, nil
	} else if err != nil {
		a.add(whyNot(err))
		return measure{}, nil
	}
	a.gate(gateDownload, subnet.Passed, "", Fact{"repository", c.Repo}, Fact{"revision", c.Revision})
	a.add(inspected(c))
	seed, err := a.seedOf(ctx, g)
	if err != nil {
		return measure{}, fmt.Errorf("seed: %w", err)
	}
	base, facts, err := a.comparedWith(ctx, g)
	if err != nil {
		a.gate(gateMeasured, subnet.Unknown, fmt.Sprintf("the baseline that it is compared with cannot be had any more: %v", err))
		return measure{}, nil
	}
	return a.measure(ctx, g, base, shard, seed, facts)
}

// contents reads a shard of the directory, and returns what its verdict depends on.
func (a *account) contents(ctx context.Context, name string) (Contents, error) {
	f, err := a.Dir.Open(name)
	if err != nil {
		return Contents{}, err
	}
	defer f.Close()
	return a.digest(ctx, f)
}

// errNotPublic is why what was submitted cannot be looked at.
var errNotPublic = errors.New("it went to a validator alone, and no file with its hash is here any more")

// obtain returns the file of a submission: as everybody can download it, or,
// where it was sent to one validator, the neuron's own.
func (a *account) obtain(ctx context.Context, g Group, c Commit) (string, error) {
	if c.Repo != "" && c.Revision != "" {
		return a.fetch(ctx, scratchDir+"/submission", g, c)
	}
	own, err := a.places("")
	if err != nil {
		return "", err
	}
	for _, p := range own {
		if name, ok := a.shardIn(p, g.ID); ok {
			if got, err := a.contents(ctx, name); err == nil && got.Hash == c.Hash {
				return name, nil
			}
		}
	}
	return "", errNotPublic
}

// seedOf returns the seed of the cycle's evaluation, which everybody can work out
// once its submissions are fixed.
func (a *account) seedOf(ctx context.Context, g Group) (string, error) {
	judges, _ := a.judges(a.frozen, g.ID)
	return (&validator{neuron: a.neuron}).seedBy(ctx, judges, a.cycle)
}

// comparedWith returns the shard that submissions of the cycle are compared with;
// "" is the base model's own.
func (a *account) comparedWith(ctx context.Context, g Group) (string, []Fact, error) {
	if a.rules.Baseline == PretrainedBaseline {
		return "", []Fact{{"baseline of", "the pretrained model"}}, nil
	}
	b, err := a.newest(ctx, a.cycle, g)
	if err != nil {
		return "", nil, err
	}
	if b.Hash == "" {
		return "", []Fact{{"baseline of", "the base model, as no validator had committed to one"}}, nil
	}
	facts := []Fact{{"baseline of", fmt.Sprintf("uid %d, version %d", b.neuron.UID, *b.Version)}}
	if name, ok := a.shardIn(place{name: baselineName(b.neuron.UID, b.neuron.Hotkey, *b.Version)}, g.ID); ok {
		return name, facts, nil
	}
	name, err := a.fetch(ctx, scratchDir+"/baseline", g, b.Commit)
	return name, facts, err
}

// measure evaluates a shard and the baseline as the validator does.
func (a *account) measure(ctx context.Context, g Group, base, shard, seed string, facts []Fact) (measure, error) {
	model, err := a.Engine.Open(ctx)
	if err != nil {
		return measure{}, fmt.Errorf("load base model: %w", err)
	}
	defer model.Close()
	model.Route(g.Assignment.Experts())
	sample := subnet.Sample{Domain: g.ID, Seed: seed, Sequences: a.cfg.Evaluation.Sequences}
	var losses [2]subnet.Loss
	for i, name := range []string{base, shard} {
		if name != "" {
			if err := a.load(model, name); err != nil {
				if i == 1 {
					a.add(Why{{Name: gateParse, Reason: err.Error()}})
					return measure{}, nil
				}
				return measure{}, err
			}
		}
		if losses[i], err = model.Loss(ctx, sample); err != nil {
			return measure{}, fmt.Errorf("evaluate: %w", err)
		}
	}
	w := measured(losses[1])
	w.Facts = append(append(w.Facts, fact("sequences", float64(len(losses[1].Sequences))), Fact{"seed", seed}), facts...)
	a.add(Why{w})
	m := measure{losses[0].Mean, losses[1].Mean}
	if !w.Passed {
		return m, nil
	}
	baseline, ok := a.rules.baselineLoss(m.baseline)
	if !ok {
		a.gate(gateLoss, subnet.Unknown, "the baseline's loss is not finite, and there is nothing to compare with")
		return m, nil
	}
	// Alone it is the first of its group: whether it was is another question.
	alone := []Entry{{UID: a.miner.UID, Hotkey: a.Hotkey, Group: g.ID, Loss: m.loss}}
	a.rules.rank(baseline, alone)
	a.add(alone[0].Why[:1])
	return m, nil
}
