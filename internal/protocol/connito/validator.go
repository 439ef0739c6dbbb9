package connito

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A validator is a neuron with a model to evaluate on and a record of scores.
type validator struct {
	*neuron
	model  subnet.Model
	scores Scores
	cohort cohort         // of the last round, in generations with groups
	outer  map[int]*Outer // by expert group
	server *server        // nil if nobody asks this validator for anything
}

// validate scores submissions, merges them and publishes the next baselines,
// cycle after cycle, until ctx is done.
func validate(ctx context.Context, env subnet.Env) error {
	n, err := newNeuron(env)
	if err != nil {
		return err
	}
	if n.rules.OneGroup && len(n.cfg.Task.Groups) > 1 {
		return subnet.WithHint(fmt.Errorf("rules %s: a validator has one expert group, not %d", n.rules.Name, len(n.cfg.Task.Groups)), "name one group under task.groups")
	}
	v := &validator{neuron: n, outer: make(map[int]*Outer)}
	if err := errors.Join(v.recall(), v.clearUnfinished(func(p place) bool { return p.inner == 0 })); err != nil {
		return err
	}
	if v.model, err = n.Engine.Open(ctx); err != nil {
		return actor.Ended(ctx, fmt.Errorf("load base model: %w", err))
	}
	defer v.model.Close()
	if !n.rules.direct() && !n.merges() {
		return v.rounds(ctx)
	}
	if v.server, err = newServer(n); err != nil {
		return err
	}
	return v.server.during(ctx, v.rounds)
}

// rounds lives the validator's part of one cycle after another, until ctx is done.
func (v *validator) rounds(ctx context.Context) error {
	pos, head, err := v.now(ctx)
	if err != nil {
		return actor.Ended(ctx, err)
	}
	if err := v.introduce(ctx, pos); err != nil && ctx.Err() == nil {
		v.Warn("introduce", "could not say on chain who this is", err)
	}
	version, commit := release(v.Secret)
	v.Note("info", "validator", slog.Int("here", 1), slog.String("hotkey", string(v.Me)), slog.String("rules", v.rules.Name), slog.Int("expert_group", v.cfg.Task.Groups[0].ID),
		slog.String("git_version", version), slog.String("git_sha", commit))
	v.Say("sync", "Chain sync ready", slog.Uint64("block", uint64(head)), slog.String("phase", v.rules.PhaseName(pos.Phase)))
	for cycle := pos.Cycle; ; cycle++ {
		if err := v.cycle(ctx, cycle); ctx.Err() != nil {
			return nil
		} else if err != nil {
			v.Warn("lost", "round did not go through", err, slog.Uint64("cycle", cycle))
		}
		if err := v.Chain.Wait(ctx, v.rules.Schedule.Start(cycle+1, Distribute)); err != nil {
			return actor.Ended(ctx, err)
		}
	}
}

// recall reads what the validator kept of earlier rounds, if there were any.
func (v *validator) recall() error {
	group := v.cfg.Task.Groups[0].ID
	v.scores = make(Scores)
	data, err := v.Read(scoresFile)
	if err == nil {
		if v.scores, err = parseScores(data, group); err != nil {
			return subnet.WithHint(fmt.Errorf("read %s: %w", scoresFile, err), "move the file away to begin without the scores of earlier rounds")
		}
	} else if !errors.Is(err, subnet.ErrNotFound) {
		return err
	}
	data, err = v.Read(cohortFile)
	if err == nil {
		if v.cohort, err = parseCohort(data, group); err != nil {
			v.Warn("cohort", "groups of earlier rounds are forgotten", err) // the next round makes new ones
			v.cohort = cohort{}
		}
	} else if !errors.Is(err, subnet.ErrNotFound) {
		return err
	}
	return nil
}

// cycle is one cycle of a validator, entered wherever it stands: the end of the
// round before, then the round of its own. Whatever of it was done before a
// restart is not done again.
func (v *validator) cycle(ctx context.Context, cycle uint64) error {
	s := v.rules.Schedule
	v.Note("loop", "round begins", slog.Uint64("cycle", cycle))

	// Distribute and Train: what the round before left to be evaluated.
	if cycle > 0 {
		if err := v.resync(ctx, cycle); err != nil && ctx.Err() == nil {
			v.Warn("resync", "could not take over the baseline of the other validators", err, slog.Uint64("cycle", cycle))
		}
		last := s.Start(cycle, MinerCommit1)
		if err := v.Insist(ctx, last, "the end of the round did not go through", func() error { return v.finish(ctx, cycle-1) }); err != nil {
			if ctx.Err() != nil {
				return err
			}
			v.Warn("lost", "the end of the round did not go through", err, slog.Uint64("cycle", cycle-1))
		}
	}

	// MinerCommit1: which model this validator has, and its seed.
	if err := v.heartbeat(ctx, cycle); err != nil && ctx.Err() == nil && !errors.Is(err, actor.ErrWindow) {
		v.Warn("heartbeat", "could not commit to the model and a seed", err, slog.Uint64("cycle", cycle))
	}

	// Submission: both commitments of each miner, as they stood when the phases
	// ended.
	if err := v.Chain.Wait(ctx, s.Start(cycle, Submission)); err != nil {
		return err
	}
	end := v.rules.foregroundEnd(cycle)
	var r *round
	err := v.Insist(ctx, end, "the round is not frozen", func() (err error) {
		r, err = v.frozen(ctx, cycle)
		return err
	})
	if err != nil {
		return fmt.Errorf("freeze the round: %w", err)
	}
	if v.server != nil && v.merges() {
		end = min(end, s.Start(cycle, Merge)-1) // the others do not wait
	}
	for _, g := range r.Groups {
		if err := v.Insist(ctx, end, "evaluation was interrupted", func() error { return v.evaluateAll(ctx, r, g, g.Foreground, end) }); err != nil {
			return err
		}
	}

	v.stage(cycle, stageEvaluated)

	// Validate: scores and weights, where the generation does not leave them to the
	// next cycle.
	if !v.rules.LateWeights {
		due, _ := v.rules.weightsDue(cycle)
		last := max(due, s.End(cycle, Validate))
		if err := v.Insist(ctx, last, "the round is not scored", func() error { return v.finishRound(ctx, r) }); err != nil {
			return err
		}
	}

	// Merge. A merge that is on disk was made before a restart.
	next := place{name: mergedName(s.Version(cycle)), version: s.Version(cycle)}
	if _, done := v.shardIn(next, v.cfg.Task.Groups[0].ID); !done {
		last := s.End(cycle, ValidatorCommit1) - 2
		if err := v.Insist(ctx, last, "the next baseline is not made", func() error { return v.makeNext(ctx, r, next) }); err != nil {
			return fmt.Errorf("make the next baseline: %w", err)
		}
		v.stage(cycle, stageMade)
	}

	if !v.rules.LateWeights {
		v.forgetRound(r)
	}

	// ValidatorCommit1 and 2: while the new baselines are published, which is mostly
	// waiting, they are measured, and the background goes on.
	measured := make(chan error, 1)
	go func() {
		err := v.report(ctx, cycle, next)
		if err == nil && v.rules.LateWeights {
			last := s.Start(cycle+1, Distribute) - 1
			err = v.Insist(ctx, last, "evaluation was interrupted", func() error { return v.background(ctx, r, last) })
		}
		measured <- err
	}()
	if err = v.announce(ctx, r, next); err == nil {
		v.stage(cycle, stagePublished)
	}
	return errors.Join(err, <-measured)
}

// foregroundEnd is the last block in which the foreground is evaluated: of the
// Submission phase; but where models come over HTTP all that phase long, of what
// there is before the merge.
//
// The local network takes all the time until the merge, too: its phases are short,
// and a machine may be busy.
func (r Rules) foregroundEnd(cycle uint64) subnet.Block {
	switch {
	case !r.Everyone && !r.direct():
		return r.Schedule.End(cycle, Submission)
	case r.Schedule[Validate] > 0:
		return r.Schedule.End(cycle, Validate)
	}
	return r.Schedule.End(cycle, Submission) + r.Schedule[Distribute]/2
}

// makeNext makes the baselines that a cycle ends with: merged from the best
// submissions, or, where nothing is merged, the model of the best average.
func (v *validator) makeNext(ctx context.Context, r *round, next place) error {
	if v.rules.Baseline == PretrainedBaseline {
		// The miners of the round have until the baselines are due.
		if err := v.background(ctx, r, v.rules.Schedule.Start(r.Cycle, ValidatorCommit1)-2); err != nil {
			return err
		}
		return v.saveBest(r, next)
	}
	return v.mergeAll(ctx, r, next)
}

// background evaluates what the foreground did not, until the end of a block.
func (v *validator) background(ctx context.Context, r *round, end subnet.Block) error {
	v.paused(false)
	defer v.paused(true)
	for _, g := range r.Groups {
		if err := v.evaluateAll(ctx, r, g, v.rules.behind(g), end); err != nil {
			return err
		}
	}
	return nil
}

// behind lists whom the background evaluates, in order: a foreground that was cut
// short comes first.
func (r Rules) behind(g *groupRound) []subnet.UID {
	if r.NoBackground {
		return g.Foreground
	}
	return slices.Concat(g.Foreground, g.Background)
}

// finish ends the round of the cycle before, as far as that was not done in its
// own cycle.
func (v *validator) finish(ctx context.Context, cycle uint64) error {
	due, in := v.rules.weightsDue(cycle)
	if _, done := v.Journal.Result(weightsKey(in)); done {
		return nil
	}
	r, err := v.loadRound(cycle)
	if errors.Is(err, subnet.ErrNotFound) {
		if err := v.Chain.Wait(ctx, due); err != nil {
			return err
		}
		v.setFallback(ctx, in)
		return nil
	} else if err != nil {
		return err
	}
	return v.finishRound(ctx, r)
}

// finishRound ends a round: the background until it is time for weights, the
// scores, the weights.
func (v *validator) finishRound(ctx context.Context, r *round) error {
	due, in := v.rules.weightsDue(r.Cycle)
	if !r.Closed {
		if v.rules.LateWeights {
			if err := v.background(ctx, r, due-1); err != nil {
				return err
			}
		}
		if err := v.close(r); err != nil {
			return err
		}
	}
	if err := v.Chain.Wait(ctx, due); err != nil {
		return err
	}
	if v.rules.LateWeights {
		v.forgetRound(r)
	}
	return v.setWeights(ctx, in, r)
}

// forgetRound removes what nobody needs any more of a round.
func (v *validator) forgetRound(r *round) {
	if err := v.forget(r); err != nil {
		v.Warn("clean", "submissions of the round are still on disk", err, slog.Uint64("cycle", r.Cycle))
	}
}

// weightsDue returns the block at which the weights of a round are made, and the
// cycle that it is in.
func (r Rules) weightsDue(round uint64) (subnet.Block, uint64) {
	if !r.LateWeights {
		if r.WeightsAge > 0 && r.Schedule.Cycle() > r.WeightsAge {
			return r.Schedule.Start(round, Merge), round // earlier ones would be too old by the next round
		}
		return r.Schedule.Start(round, Submission), round // as soon as all are scored
	}
	return r.Schedule.Start(round+1, MinerCommit1) - r.WeightsLead, round + 1
}

// weightsFrom returns the block from which on weights are those of a cycle.
func (r Rules) weightsFrom(cycle uint64) subnet.Block {
	round := cycle
	if r.LateWeights {
		if cycle == 0 {
			return 0
		}
		round--
	}
	due, _ := r.weightsDue(round)
	return due
}

// save keeps a round as it stands.
func (v *validator) save(r *round) error {
	if err := v.WriteJSON(roundFile(r.ID), r); err != nil {
		return fmt.Errorf("save round %d: %w", r.ID, err)
	}
	return nil
}

// loadRound reads the round of a cycle.
func (n *neuron) loadRound(cycle uint64) (*round, error) {
	name := roundFile(n.rules.roundID(cycle))
	data, err := n.Read(name)
	if err != nil {
		return nil, err
	}
	r, err := n.rules.parseRound(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return r, nil
}

// writeBytes makes a file of the neuron's directory.
func (v *validator) writeBytes(name string, data []byte) error {
	return v.Write(name, func(w io.Writer) error { _, err := w.Write(data); return err })
}
