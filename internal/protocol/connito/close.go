package connito

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// isoTime is how the time of a score is written.
const isoTime = "2006-01-02T15:04:05.000000+00:00"

// close scores a round: what it came to goes into the history, once, however often
// it is called for the same round. Then the best submissions are archived.
func (v *validator) close(r *round) error {
	at := time.Now().UTC().Format(isoTime)
	for _, g := range r.Groups {
		g.expire()
		all := func(*minerRound) bool { return true }
		var baseline float64
		if g.Baseline != nil {
			baseline = *g.Baseline
		}
		entries := g.entries(all)
		v.rules.rank(baseline, entries)
		for i, e := range entries {
			m := g.Miners[i]
			m.Points, m.Reason, m.Why = e.Points, e.Reason, e.Why
			if m.Reason == assignedElsewhere {
				continue
			}
			v.sayScore(r.Cycle, e, baseline)
			if g.Group < 0 || !v.rules.roundLeavesPoint(g, m) {
				continue
			}
			v.scores.add(r.ID, at, e)
			h := v.scores[e.UID]
			v.Note("average", "average score", slog.Uint64("uid", uint64(e.UID)), slog.Float64("latest", e.Points),
				slog.Float64("average", h.average(v.rules.ScoreWindow)), slog.Int("samples", min(len(h.Points), v.rules.ScoreWindow)))
		}
		if group, ok := v.expertGroup(g.Group); ok {
			v.Note("round", "scored", roundAttrs(v.rules.Schedule.Version(r.Cycle), r.Cycle, group, baseline, entries)...)
		}
	}
	v.rules.prune(v.scores, r.ID)
	if err := v.writeBytes(scoresFile, v.scores.encode(v.cfg.Task.Groups[0].ID)); err != nil {
		return fmt.Errorf("save scores: %w", err)
	}
	if err := v.archive(r); err != nil {
		v.Warn("archive", "submissions of the round are not archived", err, slog.Uint64("cycle", r.Cycle))
	}
	if err := v.keepBest(r); err != nil {
		return err
	}
	r.Closed = true
	v.stage(r.Cycle, stageScored)
	return v.save(r)
}

// sayScore tells what a miner earned in a round, and why.
func (v *validator) sayScore(cycle uint64, e Entry, baseline float64) {
	loss := e.Loss
	if e.Refused != "" {
		loss = 0
	}
	attrs := []slog.Attr{
		slog.Uint64("cycle", cycle), slog.Uint64("uid", uint64(e.UID)), slog.String("hotkey", string(e.Hotkey)), slog.Int("group", e.Group),
		slog.Float64("loss", finite(loss)), slog.Float64("baseline", finite(baseline)), slog.Float64("score", e.Points), slog.String("reason", e.Reason), slog.String("hash", e.Hash),
		slog.Int("status", int(e.Why.Status())), slog.String("gate", e.Why.gate()),
	}
	if e.Why.Status() != EvalOK {
		attrs = append(attrs, slog.Int("failures", 1))
	}
	v.Say("score", "scored", attrs...)
	v.Note("gates", "gates of a submission", slog.Uint64("cycle", cycle), slog.Uint64("uid", uint64(e.UID)), slog.Any("gates", e.Why))
}

func weightsKey(cycle uint64) string { return fmt.Sprintf("cycle/%d/weights", cycle) }

// setWeights puts the weights after a round on chain, once for each cycle. Where
// there are none, because nobody has earned any and the generation burns nothing,
// there is nothing to set.
func (v *validator) setWeights(ctx context.Context, cycle uint64, r *round) error {
	if _, done := v.Journal.Result(weightsKey(cycle)); done {
		return nil
	}
	var groups []int
	for _, g := range v.cfg.Task.Groups {
		groups = append(groups, g.ID)
	}
	var c *cohort
	if v.rules.Groups != (GroupSizes{}) {
		c = &v.cohort
	}
	weights, why := v.rules.weighWhy(v.scores, groups, r.ID, c)
	r.Weights = weights
	for _, g := range r.Groups {
		for _, m := range g.Miners {
			m.Weights = why[m.UID]
		}
	}
	if c != nil {
		c.Weight1, c.Weight2 = pooled(why, 1), pooled(why, 2)
		if err := v.writeBytes(cohortFile, c.encode()); err != nil {
			return fmt.Errorf("save %s: %w", cohortFile, err)
		}
	}
	if err := v.save(r); err != nil {
		return err
	}
	v.submitWeights(ctx, cycle, weights)
	return nil
}

// pooled returns who is paid by a pool, in the order of uids.
func pooled(why map[subnet.UID]Why, pool int) []subnet.UID {
	var uids []subnet.UID
	for _, uid := range slices.Sorted(maps.Keys(why)) {
		if slices.ContainsFunc(why[uid], func(g Gate) bool { return g.Passed && g.Name == poolGate(pool) }) {
			uids = append(uids, uid)
		}
	}
	return uids
}

// setFallback is for a cycle in which no round was frozen, as after a long time off:
// weights that are about to be too old are set anew.
func (v *validator) setFallback(ctx context.Context, cycle uint64) {
	meta, err := v.Chain.Metagraph(ctx, subnet.Latest)
	var head subnet.Block
	if err == nil {
		head, err = v.Chain.Head(ctx)
	}
	if err != nil {
		v.Warn("weights", "no fallback weights", err, slog.Uint64("cycle", cycle))
		return
	}
	weights := v.rules.fallback(fallbackView{Metagraph: meta, Me: v.Me, Head: head, Validator: v.validator})
	if len(weights) > 0 {
		v.Say("fallback", "no round to score, falling back on old weights", slog.Uint64("cycle", cycle))
		v.submitWeights(ctx, cycle, weights)
	}
}

// weighed says whether this validator's weights are of the cycle already: they may
// have been sent by a process that was killed before it could write so down. What
// they are cannot be read where a subnet wants them sealed; nobody else sets any.
func (v *validator) weighed(ctx context.Context, cycle uint64) (bool, error) {
	meta, err := v.Chain.Metagraph(ctx, subnet.Latest)
	if err != nil {
		return false, fmt.Errorf("read metagraph: %w", err)
	}
	me, ok := meta.ByHotkey(v.Me)
	// To register counts as an update, too.
	return ok && me.LastUpdate > me.RegisteredAt && me.LastUpdate >= v.rules.weightsFrom(cycle), nil
}

// submitWeights sends weights until they are on chain or another cycle's are due.
func (v *validator) submitWeights(ctx context.Context, cycle uint64, weights []subnet.Weight) {
	if len(weights) == 0 {
		return
	}
	standing, err := v.Journal.Intend(weightsKey(cycle), actor.JSON(weights))
	if err == nil {
		err = json.Unmarshal([]byte(standing), &weights)
	}
	// In a cycle of a few seconds a busy machine may be late.
	window, cancel := actor.Until(ctx, v.Chain, max(v.rules.Schedule.End(cycle, Merge), v.rules.Schedule.Start(cycle+1, Train)))
	defer cancel()
	for err == nil {
		var there bool
		if there, err = v.weighed(window, cycle); err == nil && !there {
			_, err = v.Chain.SetWeights(window, weights)
		}
		if err == nil || !errors.Is(err, subnet.ErrTemporary) || v.NextBlock(window) != nil {
			break
		}
		v.Warn("retry", "weights did not go through, trying again", err)
		err = nil
	}
	if err == nil {
		err = v.Journal.Done(weightsKey(cycle), "")
	}
	if err != nil {
		if ctx.Err() == nil {
			v.Warn("weights", "weights not set", err, slog.Uint64("cycle", cycle))
		}
		return
	}
	for _, w := range weights {
		v.Note("weight", "weight", slog.Uint64("uid", uint64(w.UID)), slog.Float64("weight", w.Value))
	}
	v.stage(cycle, stageWeighed)
	v.Say("weights", "weights set", slog.Uint64("cycle", cycle), slog.Any("weights", weights))
}
