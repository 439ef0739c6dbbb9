package connito

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"time"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// spare is how many blocks before MinerCommit1 training ends, so that the last
// checkpoint is evaluated and written when model-io looks for the best one.
//
// Unlike upstream, training stops for the rest of the cycle: whatever it did
// after the commitment would be thrown away when the next baseline comes.
const spare = 2

// train improves each baseline that model-io downloads, until ctx is done.
func train(ctx context.Context, env subnet.Env) error {
	n, err := newNeuron(env)
	if err != nil {
		return err
	}
	n.Say("setup", "(0) Setup training")
	if err := n.clearUnfinished(func(p place) bool { return p.inner > 0 }); err != nil {
		return err
	}
	var done tally
	for {
		pos, head, err := n.now(ctx)
		if err != nil {
			return actor.Ended(ctx, err)
		}
		if head < n.trainEnd(pos.Cycle) {
			err := n.Insist(ctx, n.trainEnd(pos.Cycle)-1, "training did not go through", func() error { return n.trainCycle(ctx, pos.Cycle, &done) })
			if ctx.Err() != nil {
				return nil
			} else if err != nil {
				// One lost round costs its reward and no more.
				n.Warn("lost", "training did not go through", err, slog.Uint64("cycle", pos.Cycle))
			}
		}
		if err := n.Chain.Wait(ctx, n.rules.Schedule.Start(pos.Cycle+1, Distribute)); err != nil {
			return actor.Ended(ctx, err)
		}
	}
}

func (n *neuron) trainEnd(cycle uint64) subnet.Block {
	return n.rules.Schedule.Start(cycle, MinerCommit1) - spare
}

// trainCycle trains the cycle's baseline until it is time to commit.
func (n *neuron) trainCycle(role context.Context, cycle uint64, done *tally) error {
	ctx, cancel := actor.Until(role, n.Chain, n.trainEnd(cycle))
	defer cancel()

	group := n.cfg.Task.Groups[0]
	base, shard, err := n.waitForBaseline(ctx, cycle, group)
	if err != nil {
		return err
	}
	f, err := n.Dir.Open(shard)
	if err != nil {
		return err
	}
	n.Note("reload", "(5) Reload Model", slog.String("path", shard), slog.Uint64("globalver", base.version))
	n.Say("reload", "Should reload model", slog.Uint64("globalver", base.version))
	model, err := n.Engine.Open(ctx, f)
	f.Close()
	if err != nil {
		return fmt.Errorf("load %s: %w", shard, err)
	}
	defer func() {
		n.Note("cleanup", "(6) Clean up", slog.Uint64("cycle", cycle))
		if err := model.Close(); err == nil {
			n.Note("cleaned", "Clean up completed", slog.Uint64("cycle", cycle))
		}
	}()
	model.Route(group.Assignment.Experts())
	count := 0
	for _, p := range model.Params() {
		count += p.Len()
	}
	n.Note("model", "model loaded", slog.Int("parameters", count))

	opts := subnet.TrainOptions{
		Params: group.Assignment.Owns,
		Domain: group.ID,
		Seed:   fmt.Sprintf("%s/%d", n.Me, base.version),
		Batch:  n.cfg.batch(), Accumulate: n.cfg.accumulate(), Precision: precisions[n.cfg.Model.Precision].train,
		LR: n.cfg.Opt.LR, WarmupSteps: n.cfg.Sched.WarmupSteps, TotalSteps: n.cfg.Sched.TotalSteps,
		Spent: n.spent(ctx, cycle),
		Beta1: 0.9, Beta2: 0.95, WeightDecay: n.cfg.Opt.WeightDecay, ClipNorm: 1,
		Ranks: n.cfg.ranks(),
	}
	trainer, err := model.Train(opts)
	if err != nil {
		return fmt.Errorf("prepare training: %w", err)
	}
	if !n.cfg.Ckpt.ResumeFromCkpt {
		n.Note("resume", "starting from the baseline, as ckpt.resume_from_ckpt says")
	} else if err := n.resume(base.version, group, model, trainer); err != nil {
		n.Warn("resume", "starting from the baseline, the last checkpoint does not load", err)
	}
	n.Say("setup", "setup_training: success!", slog.Uint64("cycle", cycle), slog.Uint64("globalver", base.version))

	var last subnet.Step
	saved, regular := -1, false
	defer func() {
		// A crash, an error, or the order to end: with nothing trained, the last
		// leaves nothing to save.
		if !regular && (last.Number > 0 || role.Err() == nil) {
			n.saveFinal(role, model)
		}
	}()
	epoch := func(inner int) {
		n.Note("epoch", "(1) Start epoch training", slog.String("current_model_meta", base.name), slog.Int("gradient_accumulation_steps", max(1, opts.Accumulate)),
			slog.Int("inner_opt_step", inner), slog.Bool("is_inner_optimizer_step", true), slog.Int("step", inner*max(1, opts.Accumulate)))
	}
	epoch(0)
	for ctx.Err() == nil && (n.cfg.Sched.MaxSteps == 0 || last.Number < n.cfg.Sched.MaxSteps) {
		began := time.Now()
		step, err := trainer.Step(ctx)
		if errors.Is(err, context.Canceled) {
			break
		} else if errors.Is(err, subnet.ErrTemporary) {
			// Processes that train along were lost twice. What was trained until then
			// is saved and submitted; the next cycle has processes of its own.
			n.Warn("lost", "training ends early in this cycle", err, slog.Uint64("cycle", cycle), slog.Int("inner_opt_step", last.Number))
			break
		} else if err != nil {
			return fmt.Errorf("step %d: %w", last.Number+1, err)
		}
		last = step
		n.Say("step", "batch loss", slog.Int("inner_opt_step", step.Number), slog.Float64("loss", step.Loss),
			slog.Float64("lr", step.LR), slog.Float64("grad_norm", step.GradNorm), slog.Int("tokens", step.Tokens), slog.Bool("skipped", step.Skipped))
		epoch(step.Number)
		n.Note("scaler", "GradScaler for optimizer step", scalerAttrs(step)...)
		if !step.Skipped {
			n.Note("scheduler", "scheduler step", slog.Float64("lr", step.LR))
			n.Note("updated", "Updated model", slog.Int("inner_opt_step", step.Number))
		}
		n.Note("metrics", "(2) Logging step", done.add(step, opts, base.version, time.Since(began))...)
		if step.Number%n.cfg.Ckpt.CheckpointInterval == 0 {
			saved = step.Number
			if err := n.saveOwn(role, cycle, base.version, group, model, trainer, step); err != nil {
				return err
			}
		}
	}
	if last.Number > 0 && last.Number != saved {
		if err := n.saveOwn(role, cycle, base.version, group, model, trainer, last); err != nil {
			return err
		}
	}
	regular = role.Err() == nil
	return nil
}

// spent returns what tells how much of the cycle's time to train is over, by the
// block. With total_steps set, the schedule counts steps instead: nil.
//
// Unlike upstream, whose cosine over 88,000 steps never comes down, as each
// cycle begins it anew.
func (n *neuron) spent(ctx context.Context, cycle uint64) func() float64 {
	if n.cfg.Sched.TotalSteps > 0 {
		return nil
	}
	start, end := n.rules.Schedule.Start(cycle, Train), n.trainEnd(cycle)
	return func() float64 {
		head, err := n.Chain.Head(ctx)
		if err != nil || head < start {
			return 0 // the next step will know
		}
		return float64(head-start) / float64(end-start)
	}
}

// waitForBaseline returns the newest baseline of the group, once the one of the
// cycle is there or the time to download it is over. One that is too old to count is
// not trained on: nothing that comes of it may be submitted, and what is being
// downloaded still, after a bad hour, may be.
func (n *neuron) waitForBaseline(ctx context.Context, cycle uint64, g Group) (place, string, error) {
	for {
		list, err := n.places(baselineDir)
		if err != nil {
			return place{}, "", err
		}
		pos, _, err := n.now(ctx)
		if err != nil {
			return place{}, "", err
		}
		for _, p := range list {
			fresh := cycle > 0 && p.version >= n.rules.Schedule.Version(cycle-1)
			if shard, ok := n.shardIn(p, g.ID); ok && (fresh || pos.Phase != Distribute && n.rules.versionFits(p.version, cycle)) {
				return p, shard, nil
			}
		}
		if err := n.NextBlock(ctx); err != nil {
			return place{}, "", fmt.Errorf("wait for a baseline: %w", err)
		}
	}
}

// resume continues from the neuron's own newest checkpoint on that baseline.
func (n *neuron) resume(version uint64, g Group, model subnet.Model, trainer subnet.Trainer) error {
	list, err := n.places("")
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.version != version || p.inner == 0 {
			continue
		}
		shard, ok := n.shardIn(p, g.ID)
		if !ok {
			continue
		}
		state, err := n.Dir.Open(p.name + "/" + optimizerFile)
		if err != nil {
			return err
		}
		defer state.Close()
		if err := trainer.Resume(state); err != nil {
			return err
		}
		n.Say("resume", "resumed", slog.Int("inner_opt_step", p.inner), slog.Uint64("globalver", version))
		return n.load(model, shard)
	}
	return nil
}

// A trainState is what is kept of a checkpoint besides its tensors.
type trainState struct {
	Cycle   uint64  `json:"cycle"`
	Version uint64  `json:"global_ver"`
	Inner   int     `json:"inner_opt"`
	Loss    float64 `json:"loss"` // on held-out text: what the validator will measure, on other sequences
}

// saveOwn writes a checkpoint: the group's experts, the optimizer's state, and
// the loss on held-out text by which the best one is found. It is done to the
// end even if time is up, or the neuron is to stop: the work is not to be lost. Only
// the evaluation is given up a moment after the neuron was told to stop; then the
// checkpoint is resumed from, and submitted if there is no other.
func (n *neuron) saveOwn(role context.Context, cycle, version uint64, g Group, model subnet.Model, trainer subnet.Trainer, step subnet.Step) error {
	began := time.Now()
	ctx, cancel := outlasting(role, evalGrace)
	defer cancel()
	loss, err := model.Loss(ctx, subnet.Sample{Domain: g.ID, Seed: string(n.Me), Sequences: n.cfg.Ckpt.EvalSequences})
	if errors.Is(err, context.Canceled) {
		loss, err = subnet.Loss{Mean: math.Inf(1)}, nil
	} else if err != nil {
		return fmt.Errorf("evaluate step %d: %w", step.Number, err)
	}
	n.Say("eval", "(3) Local evaluation", slog.Int("inner_opt_step", step.Number), slog.Float64("val_loss", loss.Mean))
	n.Note("evaluated", "evaluated own checkpoint", evalAttrs(g, step.Number, version, loss, time.Since(began))...)
	began = time.Now()

	name := ownName(version, step.Number)
	n.Note("saving", "(4) Saving checkpoint", slog.Int("inner_opt_step", step.Number))
	tmp := ".tmp_" + name
	format := subnet.Format(n.cfg.Ckpt.Format)
	file := shardFile(g.ID, format)
	sum, err := n.writeSummed(tmp+"/"+file, func(w io.Writer) error { return model.Save(w, format, g.Assignment.Owns) })
	err = errors.Join(err,
		n.WriteJSON(tmp+"/"+sumsFile, map[string]Sum{file: sum}),
		n.Write(tmp+"/"+optimizerFile, trainer.Save),
		n.WriteJSON(tmp+"/"+stateFile, trainState{Cycle: cycle, Version: version, Inner: step.Number, Loss: finite(loss.Mean)}),
	)
	if err == nil {
		err = n.Dir.Rename(tmp, name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("save %s: %w", name, err), n.Dir.Remove(tmp))
	}
	n.Note("save", "checkpoint written", slog.Duration("save_time", time.Since(began)))
	n.Note("saved", "Checkpoint saved to "+name, slog.String("path", name))
	n.Say("saved", "Checkpoint saved", slog.Int("checkpoint_interval", n.cfg.Ckpt.CheckpointInterval), slog.Int("inner_opt_step", step.Number), slog.String("path", name))
	return n.prune()
}

// prune keeps the checkpoint that training resumes from, the best ones, and
// the newest baselines.
func (n *neuron) prune() error {
	own, err := n.places("")
	if err != nil {
		return err
	}
	best, _ := n.best(own)
	for i, p := range own {
		if i >= n.cfg.Ckpt.CheckpointTopK && p.name != best.name {
			err = errors.Join(err, n.Dir.Remove(p.name))
		}
	}
	baselines, listErr := n.places(baselineDir)
	g := n.cfg.Task.Groups[0]
	baselines = slices.DeleteFunc(baselines, func(p place) bool { // one may be on its way
		_, whole := n.shardIn(p, g.ID)
		return !whole
	})
	for _, p := range baselines[min(len(baselines), n.cfg.Ckpt.CheckpointTopK):] {
		err = errors.Join(err, n.Dir.Remove(p.name))
	}
	return errors.Join(err, listErr)
}

// best returns, of the checkpoints on the newest baseline, the one with the
// lowest loss.
//
// Unlike upstream, which commits the newest: its guide promises the best, and
// the newest may be worse than the baseline.
func (n *neuron) best(own []place) (place, trainState) {
	var best place
	var state trainState
	for _, p := range own {
		var s trainState
		if p.version != own[0].version || n.ReadJSON(p.name+"/"+stateFile, &s) != nil {
			continue
		}
		if best.name == "" || s.Loss < state.Loss {
			best, state = p, s
		}
	}
	return best, state
}

// finite maps what JSON cannot hold to the worst loss it can.
func finite(x float64) float64 {
	const worst = 1e30
	if x < worst {
		return x
	}
	return worst // also for NaN
}
