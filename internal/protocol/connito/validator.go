package connito

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

// A validator is a neuron with a model to evaluate on and a record of scores.
type validator struct {
	*neuron
	model  subnet.Model
	scores Scores
	outer  map[int]*Outer // by expert group
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
	if v.scores, err = v.loadScores(); err != nil {
		return err
	}
	if v.model, err = n.Engine.Open(ctx); err != nil {
		return ended(ctx, fmt.Errorf("load base model: %w", err))
	}
	defer v.model.Close()
	if !n.rules.direct() {
		return v.rounds(ctx)
	}
	server, err := newServer(n)
	if err != nil {
		return err
	}
	return server.during(ctx, v.rounds)
}

// rounds lives the validator's part of one cycle after another, until ctx is done.
func (v *validator) rounds(ctx context.Context) error {
	pos, _, err := v.now(ctx)
	if err != nil {
		return ended(ctx, err)
	}
	for cycle := pos.Cycle; ; cycle++ {
		if err := v.round(ctx, cycle); ctx.Err() != nil {
			return nil
		} else if err != nil {
			v.warn("lost", "round did not go through", err, slog.Uint64("cycle", cycle))
		}
		if err := v.Chain.Wait(ctx, v.rules.Schedule.Start(cycle+1, Distribute)); err != nil {
			return ended(ctx, err)
		}
	}
}

// loadScores reads the scores of the rounds before, if there are any.
func (v *validator) loadScores() (Scores, error) {
	data, err := v.read(scoresFile)
	if errors.Is(err, subnet.ErrNotFound) {
		return make(Scores), nil
	} else if err != nil {
		return nil, err
	}
	scores, err := parseScores(data, v.cfg.Task.Groups[0].ID)
	if err != nil {
		return nil, subnet.WithHint(fmt.Errorf("read %s: %w", scoresFile, err), "move the file away to begin without the scores of earlier rounds")
	}
	return scores, nil
}

// isoTime is how the time of a score is written.
const isoTime = "2006-01-02T15:04:05.000000+00:00"

// round is one cycle of a validator, entered wherever it stands.
func (v *validator) round(ctx context.Context, cycle uint64) error {
	s := v.rules.Schedule
	v.note("loop", "round begins", slog.Uint64("cycle", cycle))
	if v.rules.LateWeights && cycle > 0 {
		if err := v.Chain.Wait(ctx, s.Start(cycle, MinerCommit1)-v.rules.WeightsLead); err != nil {
			return err
		}
		v.setWeights(ctx, cycle, cycle-1)
	}

	// Submission: both commitments of each miner, as they stood when the phases
	// ended. A merge that is on disk was made before a restart.
	if err := v.Chain.Wait(ctx, s.Start(cycle, Submission)); err != nil {
		return err
	}
	merged := place{name: mergedName(s.Version(cycle)), version: s.Version(cycle)}
	if _, done := v.shardIn(merged, v.cfg.Task.Groups[0].ID); !done {
		if err := v.evaluateAndMerge(ctx, cycle, merged); err != nil {
			return err
		}
	}

	// ValidatorCommit1 and 2: the new baselines, one commitment for each group.
	var signed, files []string
	hashes := make(map[int]string)
	for _, g := range v.cfg.Task.Groups {
		name, ok := v.shardIn(merged, g.ID)
		if !ok {
			return fmt.Errorf("%s has no shard of group %d", merged.name, g.ID)
		}
		sum, err := v.sumOf(name)
		if err != nil {
			return err
		}
		hashes[g.ID] = sum.Hash
		sig, err := v.Signer.Sign(ctx, []byte(hashes[g.ID]))
		if err != nil {
			return fmt.Errorf("sign: %w", err)
		}
		signed, files = append(signed, v.rules.signedCommit(sig)), append(files, name)
	}
	// They are measured while they are published, which is mostly waiting.
	reported := make(chan error, 1)
	go func() { reported <- v.report(ctx, cycle, merged) }()
	err := v.publish(ctx, publication{
		cycle: cycle, first: ValidatorCommit1,
		message: fmt.Sprintf("global_ver=%d", merged.version),
		files:   files, signed: signed,
		reveal: func(revision string) []string {
			var commits []string
			for _, g := range v.cfg.Task.Groups {
				commits = append(commits, v.rules.validatorCommit2(g.ID, hashes[g.ID], merged.version, v.cfg.HF.CheckpointRepo, revision))
			}
			return commits
		},
	})
	return errors.Join(err, <-reported)
}

// evaluateAndMerge scores a cycle's submissions and makes the next baselines.
func (v *validator) evaluateAndMerge(ctx context.Context, cycle uint64, merged place) error {
	entries, commits, err := v.freeze(ctx, cycle)
	if err != nil {
		return fmt.Errorf("read commitments: %w", err)
	}
	seed, err := v.seed(ctx, cycle)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	next := make(map[int]tensor.Dict)
	at := time.Now().UTC().Format(isoTime)
	for _, e := range entries {
		if e.Group < 0 { // nobody knows where it belongs
			e.Reason = e.Refused
			v.sayScore(cycle, e, 0)
		}
	}
	for _, g := range v.cfg.Task.Groups {
		own := slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.Group != g.ID })
		base, err := v.baselineShard(g)
		if err != nil {
			return fmt.Errorf("baseline of group %d: %w", g.ID, err)
		}
		if next[g.ID], err = v.judge(ctx, cycle, g, base, own, commits, seed); err != nil {
			return fmt.Errorf("group %d: %w", g.ID, err)
		}
		for _, e := range own {
			if !v.rules.leavesPoint(e.Why.Status()) {
				continue
			}
			v.scores.add(v.rules.roundID(cycle), at, e)
			h := v.scores[e.UID]
			v.note("average", "average score", slog.Uint64("uid", uint64(e.UID)), slog.Float64("latest", e.Points),
				slog.Float64("average", h.average(v.rules.ScoreWindow)), slog.Int("samples", min(len(h.Points), v.rules.ScoreWindow)))
		}
	}
	v.rules.prune(v.scores, v.rules.roundID(cycle))
	if err := v.write(scoresFile, func(w io.Writer) error {
		_, err := w.Write(v.scores.encode(v.cfg.Task.Groups[0].ID))
		return err
	}); err != nil {
		return fmt.Errorf("save scores: %w", err)
	}
	if !v.rules.LateWeights {
		v.setWeights(ctx, cycle, cycle)
	}
	return v.saveMerged(merged, next)
}

// setWeights puts the weights after a round on chain, once for each cycle.
// Before anybody was scored there are none to set.
func (v *validator) setWeights(ctx context.Context, cycle, round uint64) {
	key := fmt.Sprintf("cycle/%d/weights", cycle)
	if _, done := v.Journal.Result(key); done || len(v.scores) == 0 {
		return
	}
	var groups []int
	for _, g := range v.cfg.Task.Groups {
		groups = append(groups, g.ID)
	}
	weights := v.rules.weigh(v.scores, groups, v.rules.roundID(round))
	_, err := v.Journal.Intend(key, toJSON(weights))
	if err == nil {
		_, err = v.Chain.SetWeights(ctx, weights)
	}
	if err == nil {
		err = v.Journal.Done(key, "")
	}
	if err != nil {
		v.warn("weights", "weights not set", err, slog.Uint64("cycle", cycle))
		return
	}
	for _, w := range weights {
		v.note("weight", "weight", slog.Uint64("uid", uint64(w.UID)), slog.Float64("weight", w.Value))
	}
	v.say("weights", "weights set", slog.Uint64("cycle", cycle), slog.Any("weights", weights))
}
