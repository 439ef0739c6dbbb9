package connito

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"

	"adit/internal/checkpoint"
	"adit/internal/safetensors"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// merge moves a group's tensors towards the best submissions.
//
// Unlike upstream, a merge that does not lower the loss of the round's sample
// is not taken: the outer step may overshoot, and a baseline should never get
// worse for being merged.
func (v *validator) merge(ctx context.Context, cycle uint64, g Group, global tensor.Dict, baseline subnet.Loss, entries []Entry, shards map[subnet.UID]string, sample subnet.Sample) (tensor.Dict, error) {
	best := topMiners(entries, v.cfg.Evaluation.TopKMinersMerged)
	if len(best) == 0 {
		return global, nil
	}
	var miners []tensor.Dict
	for _, e := range best {
		d, err := v.tensors(shards[e.UID])
		if err != nil {
			return nil, err
		}
		miners = append(miners, d)
	}
	outer := v.outerOf(g)
	before := maps.Clone(outer.Velocity)
	next, err := outer.step(global, miners)
	if err != nil {
		return nil, err
	}
	loss, err := v.lossOf(ctx, next, sample)
	if err != nil {
		return nil, err
	}
	taken := loss.Mean < baseline.Mean
	v.say("merged", "outer step", slog.Uint64("cycle", cycle), slog.Int("group", g.ID), slog.Int("miners", len(miners)),
		slog.Float64("baseline", finite(baseline.Mean)), slog.Float64("loss", finite(loss.Mean)), slog.Bool("taken", taken))
	if !taken {
		outer.Velocity = before
		return global, nil
	}
	return next, nil
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
	if err := v.write(name, func(w io.Writer) error { return checkpoint.Write(w, subnet.Safetensors, d) }); err != nil {
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
	name := mergedName(0) + "/" + shardFile(g.ID, subnet.Format(v.cfg.Ckpt.Format))
	return name, v.write(name, func(w io.Writer) error {
		return v.model.Save(w, subnet.Format(v.cfg.Ckpt.Format), g.Assignment.Owns)
	})
}

// saveMerged writes the next baselines.
func (v *validator) saveMerged(merged place, next map[int]tensor.Dict) error {
	format := subnet.Format(v.cfg.Ckpt.Format)
	tmp := ".tmp_" + merged.name
	velocity := make(tensor.Dict)
	var err error
	for _, g := range v.cfg.Task.Groups {
		err = errors.Join(err, v.write(tmp+"/"+shardFile(g.ID, format), func(w io.Writer) error { return checkpoint.Write(w, format, next[g.ID]) }))
		for key, o := range v.outerOf(g).Velocity {
			velocity[key] = tensor.FromFloats(tensor.F32, []int{len(o)}, o)
		}
	}
	err = errors.Join(err, v.write(tmp+"/"+outerFile, func(w io.Writer) error { return safetensors.Write(w, velocity, nil) }))
	if err == nil {
		err = v.Dir.Rename(tmp, merged.name)
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", merged.name, errors.Join(err, v.Dir.Remove(tmp)))
	}
	v.say("saved", "Checkpoint saved", slog.String("path", merged.name))
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
		v.say("baseline", "new baseline", slog.Uint64("cycle", cycle), slog.Int("group", g.ID), slog.Float64("loss", finite(loss.Mean)), slog.Uint64("version", merged.version))
	}
	return nil
}

// tidy removes what the next cycle does not need.
func (v *validator) tidy() error {
	list, err := v.places("")
	for _, p := range list[min(len(list), v.cfg.Ckpt.CheckpointTopK):] {
		err = errors.Join(err, v.Dir.Remove(p.name))
	}
	return errors.Join(err, v.Dir.Remove(submissionDir))
}
