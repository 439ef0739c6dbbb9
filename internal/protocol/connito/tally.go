package connito

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A tally is what a process has trained since it began, as upstream counts it.
type tally struct {
	steps, samples, tokens int
	busy                   time.Duration
}

// add counts a step that took so long, and returns what is shown of it.
func (t *tally) add(s subnet.Step, o subnet.TrainOptions, version uint64, took time.Duration) []slog.Attr {
	accumulate := max(1, o.Accumulate)
	t.steps++
	t.samples += o.Batch * accumulate * max(1, o.Ranks.World)
	t.tokens += s.Tokens
	t.busy += took
	attrs := []slog.Attr{
		slog.Int("step", t.steps),
		slog.Int("inner_opt_step", s.Number),
		slog.Uint64("global_opt_step", version),
		slog.Float64("lr", s.LR),
		slog.Int("total_samples", t.samples),
		slog.Int("total_tokens", t.tokens),
		slog.Float64("inner_step_time_hours", took.Hours()),
		slog.Float64("total_training_time_hours", t.busy.Hours()),
		slog.Float64("loss", s.Loss),
		slog.Float64("perplexity", math.Exp(s.Loss)),
		slog.String("expert_group", fmt.Sprint(o.Domain)),
		slog.Int("gradient_accumulation_steps", accumulate),
		slog.Float64("grad_norm", s.GradNorm),
		slog.Duration("wait", s.Wait),
	}
	if took > 0 {
		attrs = append(attrs, slog.Float64("tokens_per_second", float64(s.Tokens)/took.Seconds()), slog.Float64("step_rate", 1/took.Seconds()))
	}
	return attrs
}

// scalerAttrs is what is shown of a step's gradient. Upstream also adds up its
// values, which tells nobody anything; and where nothing is scaled, it says None.
func scalerAttrs(s subnet.Step) []slog.Attr {
	attrs := []slog.Attr{slog.Float64("grad_norm", s.GradNorm), slog.Bool("skipped", s.Skipped)}
	if s.Scale > 0 {
		attrs = append(attrs, slog.Float64("scale_before", s.Scale))
	}
	return attrs
}

// evalAttrs is what is shown of the evaluation of a miner's own checkpoint.
func evalAttrs(g Group, inner int, version uint64, loss subnet.Loss, took time.Duration) []slog.Attr {
	return []slog.Attr{
		slog.Int("inner_opt_step", inner), slog.Uint64("global_opt_step", version), slog.String("expert_group", fmt.Sprint(g.ID)),
		slog.Float64("eval_loss", loss.Mean), slog.Float64("val_loss", loss.Mean), slog.Duration("eval_time", took),
		slog.Int("batches", len(loss.Sequences)), slog.Int("nan_batches", loss.Bad), slog.Int("scored_batches", len(loss.Sequences)-loss.Bad),
	}
}

// roundAttrs is what is shown of a group's round once it is scored.
func roundAttrs(version, cycle uint64, g Group, baseline float64, entries []Entry) []slog.Attr {
	var scored, failed int
	var sum, squares float64
	for _, e := range entries {
		sum += e.Points
		squares += e.Points * e.Points
		if e.Refused == "" {
			scored++
		} else {
			failed++
		}
	}
	attrs := []slog.Attr{
		slog.Uint64("cycle", cycle), slog.Uint64("global_opt_step", version), slog.String("expert_group", fmt.Sprint(g.ID)),
		slog.Float64("baseline", baseline), slog.Int("pending", 0), slog.Int("scored", scored), slog.Int("failed", failed),
	}
	if n := float64(len(entries)); n > 0 {
		attrs = append(attrs, slog.Float64("score_std", math.Sqrt(max(0, squares/n-sum/n*sum/n))))
	}
	return attrs
}

// The steps of a round's life, as they are shown: upstream has numbers for them, and
// says nowhere which is which.
const (
	stageFrozen = iota + 1
	stageEvaluated
	stageScored
	stageMade
	stagePublished
	stageWeighed
)

// stage tells how far a round has come.
func (v *validator) stage(cycle uint64, step int) {
	v.Note("stage", "round goes on", slog.Uint64("cycle", cycle), slog.Int("lifecycle_step", step))
}

// paused tells whether what is not in the foreground has to wait. One pass both
// downloads and evaluates, which are two workers upstream.
func (v *validator) paused(yes bool) {
	wait := 0
	if yes {
		wait = 1
	}
	for _, worker := range []string{"download", "eval"} {
		v.Note("background", "background", slog.String("worker", worker), slog.Int("paused", wait))
	}
}

// sayAveraging tells what a merge with other validators came to, in upstream's
// words: success if somebody else's part is in it, timeout if nobody else's came in
// time.
func (m *gathering) sayAveraging(who []subnet.Hotkey, err error) {
	came := "timeout"
	switch {
	case err != nil:
		came = "error"
	case slices.ContainsFunc(who, func(h subnet.Hotkey) bool { return h != m.Me }):
		came = "success"
	}
	for _, status := range []string{"success", "timeout", "error"} {
		happened := 0
		if status == came {
			happened = 1
		}
		m.Note("averaging", "averaging", slog.Uint64("cycle", m.cycle), slog.String("averaging_status", status), slog.Int("happened", happened))
	}
}

// outcome is what is shown of a miner's part in a cycle, in the words of
// BlockZero's guide: what became of its submission, and the weight that
// validators had given it for the cycle before.
func (n *neuron) outcome(ctx context.Context, cycle uint64, err error) []slog.Attr {
	status := "missed"
	if _, done := n.Journal.Result(fmt.Sprintf("cycle/%d/%s/commit2", cycle, MinerCommit1)); done {
		status = "accepted"
	} else if _, chosen := n.Journal.Result(fmt.Sprintf("cycle/%d/submission", cycle)); chosen && err != nil && !errors.Is(err, actor.ErrWindow) {
		status = "rejected"
	}
	attrs := []slog.Attr{slog.Uint64("cycle", cycle), slog.String("submission_status", status)}
	ctx, cancel := actor.Until(ctx, n.Chain, n.rules.Schedule.Start(cycle+1, Distribute))
	defer cancel()
	if meta, err := n.Chain.Metagraph(ctx, subnet.Latest); err == nil {
		if me, ok := meta.ByHotkey(n.Me); ok {
			attrs = append(attrs, slog.Float64("w_i_score", weightOf(meta, me.UID)), slog.Float64("incentive", me.Incentive))
		}
	}
	return attrs
}

// weightOf is the mean of the weights that validators gave a neuron, by stake.
func weightOf(meta *subnet.Metagraph, uid subnet.UID) float64 {
	var sum, stake float64
	for _, v := range meta.Neurons {
		if !v.Permit || len(v.Weights) == 0 {
			continue
		}
		stake += float64(v.Stake)
		for _, w := range v.Weights {
			if w.UID == uid {
				sum += float64(v.Stake) * w.Value
			}
		}
	}
	if stake == 0 {
		return 0
	}
	return sum / stake
}
