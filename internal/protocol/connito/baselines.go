package connito

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"adit/internal/checkpoint"
	"adit/internal/safetensors"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// mergeAll makes the baselines of a round's groups of the submissions that were
// evaluated in the foreground.
func (v *validator) mergeAll(ctx context.Context, r *round, next place) error {
	shards := make(map[int]tensor.Dict)
	for _, g := range v.cfg.Task.Groups {
		gr := r.group(g.ID)
		global, err := v.tensors(gr.Base)
		if err != nil {
			return err
		}
		shards[g.ID] = global
		if gr.Baseline == nil && (v.server == nil || !v.measureBase(ctx, r, gr, g)) {
			continue // nothing to compare with: it stays as it is
		}
		files := make(map[subnet.UID]string)
		entries := gr.entries(func(m *minerRound) bool { return slices.Contains(gr.Foreground, m.UID) && m.File != "" })
		for _, e := range entries {
			files[e.UID] = gr.miner(e.UID).File
		}
		v.rules.rank(*gr.Baseline, entries)
		v.model.Route(g.Assignment.Experts())
		merged, in, err := v.merge(ctx, r.Cycle, g, global, subnet.Loss{Mean: *gr.Baseline}, entries, files, v.sample(gr))
		if err != nil {
			return fmt.Errorf("group %d: %w", g.ID, err)
		}
		shards[g.ID] = merged
		// Others have merged what this validator has not seen: until it has taken
		// over their baseline, its own has no authority.
		gr.Excluded = !in && gr.Elsewhere > 0
	}
	if err := v.save(r); err != nil {
		return err
	}
	return v.saveMerged(next, shards)
}

// saveBest makes the next baselines of the models of the best averages, or, as long
// as there are none, of the base model.
func (v *validator) saveBest(r *round, next place) error {
	tmp := ".tmp_" + next.name
	for _, g := range v.cfg.Task.Groups {
		from, ok := v.bestNow(r.group(g.ID))
		if !ok {
			from, ok = v.shardIn(place{name: bestDir(g.ID)}, g.ID)
		}
		if !ok {
			var err error
			if from, err = v.pretrained(g); err != nil {
				return err
			}
		}
		if err := v.copyFile(from, tmp+"/"+shardFile(g.ID, formatOf(from))); err != nil {
			return errors.Join(err, v.Dir.Remove(tmp))
		}
	}
	if err := v.Dir.Rename(tmp, next.name); err != nil {
		return fmt.Errorf("save %s: %w", next.name, errors.Join(err, v.Dir.Remove(tmp)))
	}
	v.Say("saved", "Checkpoint saved", slog.String("path", next.name))
	return v.tidy()
}

// pretrainedDir holds the shards of the base model, as it is.
const pretrainedDir = "pretrained"

// pretrained returns the base model's shard of a group.
func (v *validator) pretrained(g Group) (string, error) {
	if name, ok := v.shardIn(place{name: pretrainedDir}, g.ID); ok {
		return name, nil
	}
	name := pretrainedDir + "/" + shardFile(g.ID, subnet.Format(v.cfg.Ckpt.Format))
	m, err := v.Engine.Open(context.Background())
	if err != nil {
		return "", fmt.Errorf("load base model: %w", err)
	}
	defer m.Close()
	return name, v.Write(name, func(w io.Writer) error {
		return m.Save(w, subnet.Format(v.cfg.Ckpt.Format), g.Assignment.Owns)
	})
}

// merge moves a group's tensors towards the best submissions, of this validator and
// of those that it merges with, and says whether there were any.
//
// Unlike upstream, a merge that does not lower the loss of the round's sample
// is not taken: the outer step may overshoot, and a baseline should never get
// worse for being merged.
func (v *validator) merge(ctx context.Context, cycle uint64, g Group, global tensor.Dict, baseline subnet.Loss, entries []Entry, shards map[subnet.UID]string, sample subnet.Sample) (tensor.Dict, bool, error) {
	best := topMiners(entries, v.cfg.Evaluation.TopKMinersMerged)
	var miners []Shard
	for _, e := range best {
		d, err := v.tensors(shards[e.UID])
		if err != nil {
			return nil, false, err
		}
		miners = append(miners, Shard{e.UID, d})
	}
	var own Gradient
	if len(miners) > 0 {
		grad, in, err := pseudoGradient(global, miners)
		if err != nil {
			return nil, false, err
		}
		if len(in) > 0 {
			own = grad
		}
	}
	grad, from, err := v.exchange(ctx, cycle, g, global, own)
	if err != nil || len(from) == 0 {
		return global, false, err
	}
	outer := v.outerOf(g)
	before := make(map[string][]float32, len(outer.Velocity))
	for key, vals := range outer.Velocity {
		before[key] = slices.Clone(vals) // the step changes them in place
	}
	next, err := outer.apply(global, grad)
	if err != nil {
		outer.Velocity = before
		return nil, false, err
	}
	loss, err := v.lossOf(ctx, next, sample)
	if err != nil {
		return nil, false, err
	}
	taken := loss.Mean < baseline.Mean
	v.Say("merged", "outer step", slog.Uint64("cycle", cycle), slog.Int("group", g.ID), slog.Int("miners", len(miners)), slog.Int("validators", len(from)),
		slog.Float64("baseline", finite(baseline.Mean)), slog.Float64("loss", finite(loss.Mean)), slog.Bool("taken", taken))
	if !taken {
		outer.Velocity = before
		return global, true, nil
	}
	return next, true, nil
}

// outerOf returns the outer optimizer of a group, with the velocity of the
// newest merge on disk.
func (v *validator) outerOf(g Group) *Outer {
	o := v.outer[g.ID]
	if o != nil {
		return o
	}
	o = &Outer{LR: v.cfg.Opt.OuterLR, Momentum: v.cfg.Opt.OuterMomentum}
	v.outer[g.ID] = o
	if list, err := v.places(""); err == nil && len(list) > 0 {
		if d, err := v.tensors(list[0].name + "/" + outerFile); err == nil {
			o.Velocity = make(map[string][]float32)
			for key, t := range d {
				if vals, err := t.Floats(nil); err == nil && g.Assignment.Owns(key) {
					o.Velocity[key] = vals
				}
			}
		}
	}
	return o
}

// lossOf evaluates tensors that are not in a file.
func (v *validator) lossOf(ctx context.Context, d tensor.Dict, sample subnet.Sample) (subnet.Loss, error) {
	const name = submissionDir + "/merging.safetensors"
	if err := v.Write(name, func(w io.Writer) error { return checkpoint.Write(w, subnet.Safetensors, d) }); err != nil {
		return subnet.Loss{}, err
	}
	if err := v.load(v.model, name); err != nil {
		return subnet.Loss{}, err
	}
	return v.model.Loss(ctx, sample)
}

// baselineShard returns the newest baseline of a group: of the last merge, or
// at the very beginning that of the base model.
func (v *validator) baselineShard(g Group) (string, error) {
	list, err := v.places("")
	if err != nil {
		return "", err
	}
	for _, p := range list {
		if name, ok := v.shardIn(p, g.ID); ok {
			return name, nil
		}
	}
	return v.pretrained(g)
}

// saveMerged writes the next baselines.
func (v *validator) saveMerged(merged place, next map[int]tensor.Dict) error {
	format := subnet.Format(v.cfg.Ckpt.Format)
	tmp := ".tmp_" + merged.name
	velocity := make(tensor.Dict)
	var err error
	sums := make(map[string]Sum)
	for _, g := range v.cfg.Task.Groups {
		file := shardFile(g.ID, format)
		sum, writeErr := v.writeSummed(tmp+"/"+file, func(w io.Writer) error { return checkpoint.Write(w, format, next[g.ID]) })
		err, sums[file] = errors.Join(err, writeErr), sum
		for key, o := range v.outerOf(g).Velocity {
			velocity[key] = tensor.FromFloats(tensor.F32, []int{len(o)}, o)
		}
	}
	err = errors.Join(err, v.WriteJSON(tmp+"/"+sumsFile, sums), v.Write(tmp+"/"+outerFile, func(w io.Writer) error { return safetensors.Write(w, velocity, nil) }))
	if err == nil {
		err = v.Dir.Rename(tmp, merged.name)
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", merged.name, errors.Join(err, v.Dir.Remove(tmp)))
	}
	v.Say("saved", "Checkpoint saved", slog.String("path", merged.name))
	return v.tidy()
}

// report says how good the new baselines are, on the same held-out text in every
// cycle.
func (v *validator) report(ctx context.Context, cycle uint64, merged place) error {
	for _, g := range v.cfg.Task.Groups {
		v.model.Route(g.Assignment.Experts())
		name, ok := v.shardIn(merged, g.ID)
		if !ok {
			return fmt.Errorf("%s has no shard of group %d", merged.name, g.ID)
		}
		if err := v.load(v.model, name); err != nil {
			return err
		}
		loss, err := v.model.Loss(ctx, subnet.Sample{Domain: g.ID, Seed: "report", Sequences: v.cfg.Evaluation.ReportSequences})
		if err != nil {
			return fmt.Errorf("evaluate the new baseline: %w", err)
		}
		v.Say("baseline", "new baseline", slog.Uint64("cycle", cycle), slog.Int("group", g.ID), slog.Float64("loss", finite(loss.Mean)), slog.Uint64("version", merged.version))
	}
	return nil
}

// tidy removes what the next cycle does not need. The last but one is what the
// background of the round still compares with.
func (v *validator) tidy() error {
	list, err := v.places("")
	for _, p := range list[min(len(list), max(v.cfg.Ckpt.CheckpointTopK, 2)):] {
		err = errors.Join(err, v.Dir.Remove(p.name))
	}
	return err
}
