package connito

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A validator says on chain who it is: at its start, if it has never said anything,
// and at each MinerCommit1 which model it has, with a seed where the generation
// wants one.

// introduce commits to the expert groups of a validator that has no commitment.
//
// Unlike upstream, which does so at every start, and may so erase the first of the
// two commitments to a new baseline.
func (v *validator) introduce(ctx context.Context, pos Position) error {
	all, err := v.Chain.Commitments(ctx, subnet.Latest)
	if err != nil {
		return fmt.Errorf("read commitments: %w", err)
	}
	if pos.Phase >= Merge || slices.ContainsFunc(all, func(c subnet.Commitment) bool { return c.Hotkey == v.Me }) {
		return nil
	}
	commits, err := v.standing(ctx, 0)
	if err != nil {
		return err
	}
	_, err = v.Chain.Commit(ctx, packCommits(commits)...)
	return err
}

// heartbeat commits to the model that the validator has, in the MinerCommit1 phase
// or as long as it is read for the round.
func (v *validator) heartbeat(ctx context.Context, cycle uint64) error {
	s := v.rules.Schedule
	if err := v.Chain.Wait(ctx, s.Start(cycle, MinerCommit1)-1); err != nil {
		return err
	}
	var seed uint64
	if v.rules.CommitSeed {
		// A signature: nobody else can know it before, or work it out.
		sig, err := v.Signer.Sign(ctx, fmt.Appendf(nil, "seed of cycle %d", cycle))
		if err != nil {
			return fmt.Errorf("sign: %w", err)
		}
		lot := h256(string(sig))
		seed = uint64(lot[0])<<8 | uint64(lot[1])
	}
	commits, err := v.standing(ctx, seed)
	if err != nil {
		return err
	}
	_, two := s.commitReads(cycle, MinerCommit1)
	return v.CommitOnce(ctx, fmt.Sprintf("cycle/%d/heartbeat", cycle), s.Start(cycle, MinerCommit1), two, packCommits(commits))
}

// standing returns the commitments to what the validator has now, one for each
// expert group.
func (v *validator) standing(ctx context.Context, seed uint64) ([]string, error) {
	list, err := v.places("")
	if err != nil {
		return nil, err
	}
	var commits []string
	for _, g := range v.cfg.Task.Groups {
		c := Commit{Group: &g.ID, Version: new(uint64)}
		for _, p := range list {
			if name, ok := v.shardIn(p, g.ID); ok && p.version > 0 {
				if c.Hash, err = v.ownHash(ctx, name); err != nil {
					return nil, err
				}
				c.Version = &p.version
				break
			}
		}
		if v.rules.CommitSeed {
			c.Seed = &seed
		}
		commits = append(commits, v.rules.validatorCommit(c))
	}
	return commits, nil
}

// ownHash returns the hash of an own shard.
func (v *validator) ownHash(ctx context.Context, name string) (string, error) {
	sum, err := v.sumOf(ctx, name)
	return sum.Hash, err
}

// announce makes the next baselines known: in the two commit phases, or, in the
// generations that have none, at once.
func (v *validator) announce(ctx context.Context, r *round, next place) error {
	var signed, files []string
	hashes := make(map[int]string)
	for _, g := range v.cfg.Task.Groups {
		name, ok := v.shardIn(next, g.ID)
		if !ok {
			return fmt.Errorf("%s has no shard of group %d", next.name, g.ID)
		}
		hash, err := v.ownHash(ctx, name)
		if err != nil {
			return err
		}
		sig, err := v.Signer.Sign(ctx, []byte(hash))
		if err != nil {
			return fmt.Errorf("sign: %w", err)
		}
		hashes[g.ID] = hash
		signed, files = append(signed, v.rules.signedCommit(sig)), append(files, name)
	}
	reveal := func(revision string) []string {
		var commits []string
		for _, g := range v.cfg.Task.Groups {
			version := next.version
			if group := r.group(g.ID); group != nil && group.Excluded {
				version = 0
			}
			c := Commit{Group: &g.ID, Hash: hashes[g.ID], Version: &version}
			if v.rules.has(HubTransport) {
				c.Repo, c.Revision = v.cfg.HF.CheckpointRepo, revision
			}
			if v.rules.CommitSeed && v.rules.Seed == SeedFromCommits {
				c.Seed = new(uint64) // which is for the next MinerCommit1 to say
			}
			commits = append(commits, v.rules.validatorCommit(c))
		}
		return commits
	}
	if v.rules.Schedule[ValidatorCommit1] > 0 {
		return v.publish(ctx, publication{
			cycle: r.Cycle, first: ValidatorCommit1,
			message: fmt.Sprintf("global_ver=%d", next.version),
			files:   files, signed: signed, reveal: reveal,
		})
	}
	from, to := v.rules.Schedule.Start(r.Cycle, Submission), v.rules.Schedule.Start(r.Cycle+1, MinerCommit1)-1
	key := fmt.Sprintf("cycle/%d/baseline", r.Cycle)
	if _, done := v.Journal.Result(key); done {
		return nil
	}
	if err := v.CommitOnce(ctx, key, from, to, packCommits(reveal(""))); err != nil {
		return fmt.Errorf("commit to the baseline: %w", err)
	}
	v.Say("commit2", "Committed status to chain", slog.Uint64("cycle", r.Cycle))
	return nil
}

// resync takes over the baseline of the other validators if they have another one
// than this: after a merge that it had no part in, or a time in which it was off.
func (v *validator) resync(ctx context.Context, cycle uint64) error {
	if v.rules.Baseline == PretrainedBaseline || v.rules.Schedule[ValidatorCommit1] == 0 {
		return nil
	}
	if err := v.Chain.Wait(ctx, v.rules.Schedule.Start(cycle, Distribute)); err != nil {
		return err
	}
	var errs []error
	for _, g := range v.cfg.Task.Groups {
		errs = append(errs, v.resyncGroup(ctx, cycle, g))
	}
	return errors.Join(errs...)
}

func (v *validator) resyncGroup(ctx context.Context, cycle uint64, g Group) error {
	b, err := v.newest(ctx, cycle, g)
	if err != nil || b.Hash == "" || b.neuron.Hotkey == v.Me {
		return err
	}
	own, err := v.baselineShard(g)
	if err != nil {
		return err
	}
	if hash, err := v.ownHash(ctx, own); err != nil || hash == b.Hash {
		return err
	}
	if list, err := v.places(""); err != nil || len(list) > 0 && list[0].version > *b.Version {
		return err // what this one has is of a later cycle
	}
	window, cancel := actor.Until(ctx, v.Chain, v.rules.Schedule.Start(cycle, MinerCommit1)-v.rules.WeightsLead)
	defer cancel()
	if err := v.download(window, g, b); err != nil {
		return err
	}
	theirs := place{name: baselineName(b.neuron.UID, b.neuron.Hotkey, *b.Version)}
	from, ok := v.shardIn(theirs, g.ID)
	if !ok {
		return fmt.Errorf("%s has no shard of group %d", theirs.name, g.ID)
	}
	to := mergedName(*b.Version) + from[len(theirs.name):]
	if old, ok := v.shardIn(place{name: mergedName(*b.Version)}, g.ID); ok && old != to {
		if err := v.Dir.Remove(old); err != nil {
			return err
		}
	}
	// What is known of the file that was there is not true of this one.
	if err := v.Dir.Remove(mergedName(*b.Version) + "/" + sumsFile); err != nil {
		return err
	}
	if err := v.Dir.Rename(from, to); err != nil {
		return err
	}
	delete(v.outer, g.ID) // its momentum was that of another way
	if v.server != nil {
		if err := v.takeMomentum(window, g, b); err != nil {
			v.Warn("resync", "the momentum of the baseline did not come", err, slog.Uint64("cycle", cycle), slog.Int("group", g.ID))
		}
	}
	v.Say("resync", "took over the baseline of the other validators", slog.Uint64("cycle", cycle), slog.Int("group", g.ID), slog.Uint64("version", *b.Version), slog.Uint64("uid", uint64(b.neuron.UID)))
	return nil
}
