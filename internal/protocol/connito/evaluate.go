package connito

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

// freeze reads what every miner committed to in a cycle. An entry says why a
// miner is out of the round, if it is.
func (v *validator) freeze(ctx context.Context, cycle uint64) ([]Entry, map[subnet.UID]Commit, error) {
	one, two := v.rules.Schedule.commitReads(cycle, MinerCommit1)
	if err := v.Chain.Wait(ctx, two); err != nil {
		return nil, nil, err
	}
	first, err := v.Chain.Commitments(ctx, one)
	if err != nil {
		return nil, nil, err
	}
	second, err := v.Chain.Commitments(ctx, two)
	if err != nil {
		return nil, nil, err
	}
	meta, err := v.Chain.Metagraph(ctx, two)
	if err != nil {
		return nil, nil, err
	}
	signed, revealed := make(map[subnet.Hotkey]subnet.Commitment), make(map[subnet.Hotkey][]Commit)
	revealedAt := make(map[subnet.Hotkey]subnet.Block)
	for _, c := range first {
		signed[c.Hotkey] = c
	}
	for _, c := range second {
		revealed[c.Hotkey], revealedAt[c.Hotkey] = parseCommits(c.Fields), c.Block
	}
	var entries []Entry
	commits := make(map[subnet.UID]Commit)
	for _, neuron := range meta.Neurons {
		if neuron.Hotkey == v.me || slices.Contains(v.cfg.Cycle.ValidatorWhitelist, string(neuron.Hotkey)) {
			continue
		}
		e := Entry{UID: neuron.UID, Hotkey: neuron.Hotkey, Group: -1, Committed: signed[neuron.Hotkey].Block}
		c, why := v.rules.admit(claim{
			First: parseCommits(signed[neuron.Hotkey].Fields), FirstAt: signed[neuron.Hotkey].Block,
			Second: revealed[neuron.Hotkey], SecondAt: revealedAt[neuron.Hotkey],
			Signed: func(hash string, first []Commit) bool { return v.signedBy(neuron.Hotkey, hash, first) },
		}, cycle)
		e.Why = why
		if err := why.err(); err != nil {
			e.Refused = err.Error()
		}
		if c.Group != nil {
			e.Group = *c.Group
		} else if h := v.scores[neuron.UID]; h != nil && h.Hotkey == neuron.Hotkey {
			e.Group = h.Group // it loses this round in the group it was in
		}
		e.Hash = c.Hash
		commits[e.UID] = c
		entries = append(entries, e)
	}
	return entries, commits, nil
}

// seed returns the seed of a cycle's evaluation.
func (v *validator) seed(ctx context.Context, cycle uint64) (string, error) {
	end := v.rules.Schedule.End(cycle, MinerCommit2)
	if v.rules.Seed == SeedFromBlock {
		hash, err := v.Chain.Hash(ctx, end)
		if err != nil {
			return "", err
		}
		return blockSeed(hash), nil
	}
	all, err := v.Chain.Commitments(ctx, end)
	if err != nil {
		return "", err
	}
	seeds := make(map[subnet.Hotkey]uint64)
	for _, c := range all {
		for _, commit := range parseCommits(c.Fields) {
			if commit.Group != nil && slices.Contains(v.cfg.Cycle.ValidatorWhitelist, string(c.Hotkey)) {
				seeds[c.Hotkey] = 0
				if commit.Seed != nil {
					seeds[c.Hotkey] = *commit.Seed
				}
			}
		}
	}
	return combinedSeed(seeds), nil
}

// judge evaluates and ranks the entries of a group, in place, and returns the
// group's next tensors.
func (v *validator) judge(ctx context.Context, cycle uint64, g Group, base string, entries []Entry, commits map[subnet.UID]Commit, seed string) (tensor.Dict, error) {
	sample := subnet.Sample{Domain: g.ID, Seed: seed, Sequences: v.cfg.Evaluation.Sequences}
	v.model.Route(g.Assignment.Experts())
	if err := v.load(v.model, base); err != nil {
		return nil, err
	}
	baseline, err := v.model.Loss(ctx, sample)
	if err != nil {
		return nil, fmt.Errorf("evaluate baseline: %w", err)
	}
	global, err := v.tensors(base)
	if err != nil {
		return nil, err
	}

	shards := make(map[subnet.UID]string)
	for i := range v.arriving(ctx, cycle, entries, commits) {
		e := &entries[i]
		v.note("evaluating", "evaluating", slog.Uint64("cycle", cycle), slog.Uint64("uid", uint64(e.UID)), slog.Int("active", 1))
		name, loss, err := v.evaluate(ctx, cycle, g, base, *e, commits[e.UID], sample)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		} else if err != nil {
			e.Refused = err.Error()
			e.Why = append(e.Why, whyNot(err)...)
			continue
		}
		e.Loss, shards[e.UID] = loss.Mean, name
		g := measured(loss)
		e.Why = append(append(e.Why, inspected(commits[e.UID])...), g)
		if !g.Passed {
			e.Refused = g.Reason
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	v.note("evaluating", "evaluated all", slog.Uint64("cycle", cycle), slog.Int("active", 0))
	v.rules.rank(baseline.Mean, entries)
	v.note("round", "scored", roundAttrs(v.rules.Schedule.Version(cycle), cycle, g, baseline.Mean, entries)...)
	for _, e := range entries {
		v.sayScore(cycle, e, baseline.Mean)
	}
	return v.merge(ctx, cycle, g, global, baseline, entries, shards, sample)
}

// sayScore tells what a miner earned in a round, and why.
func (v *validator) sayScore(cycle uint64, e Entry, baseline float64) {
	v.say("score", "scored", slog.Uint64("cycle", cycle), slog.Uint64("uid", uint64(e.UID)), slog.String("hotkey", string(e.Hotkey)), slog.Int("group", e.Group),
		slog.Float64("loss", finite(e.Loss)), slog.Float64("baseline", finite(baseline)), slog.Float64("score", e.Points), slog.String("reason", e.Reason), slog.String("hash", e.Hash))
}

// whyNot returns the gate that stopped an evaluation.
func whyNot(err error) Why {
	if r, ok := errors.AsType[*refused](err); ok {
		return r.why
	}
	return Why{{Name: gateDownload, Reason: err.Error()}}
}

// evaluate fetches a submission and measures its loss.
func (v *validator) evaluate(ctx context.Context, cycle uint64, g Group, base string, e Entry, c Commit, sample subnet.Sample) (string, subnet.Loss, error) {
	fetchCtx, cancel := until(ctx, v.Chain, v.rules.Schedule.End(cycle, Merge))
	defer cancel()
	name, err := v.obtain(fetchCtx, cycle, g, e.Hotkey, e.Committed, c)
	if err != nil {
		return "", subnet.Loss{}, err
	}
	if !v.rules.ExactKeys { // what it lacks is the baseline's, not the last miner's
		if err := v.load(v.model, base); err != nil {
			return "", subnet.Loss{}, err
		}
	}
	began := time.Now()
	if err := v.load(v.model, name); err != nil {
		return "", subnet.Loss{}, err
	}
	loaded := time.Now()
	loss, err := v.model.Loss(ctx, sample)
	v.note("evaluated", "evaluated submission", slog.Uint64("uid", uint64(e.UID)), slog.String("expert_group", fmt.Sprint(g.ID)),
		slog.Duration("load_time", loaded.Sub(began)), slog.Duration("eval_time", time.Since(loaded)),
		slog.Float64("eval_loss", loss.Mean), slog.Int("batches", len(loss.Sequences)))
	return name, loss, err
}
