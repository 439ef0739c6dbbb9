package connito

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"adit/internal/checkpoint"
	"adit/internal/safetensors"
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
	v := &validator{neuron: n, scores: make(Scores), outer: make(map[int]*Outer)}
	if err := v.readJSON(scoresFile, &v.scores); err != nil && !errors.Is(err, subnet.ErrNotFound) {
		return err
	}
	if v.model, err = n.Engine.Open(ctx); err != nil {
		return ended(ctx, fmt.Errorf("load base model: %w", err))
	}
	defer v.model.Close()

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

// round is one cycle of a validator, entered wherever it stands.
func (v *validator) round(ctx context.Context, cycle uint64) error {
	s := v.rules.Schedule
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
		d, err := v.tensors(name)
		if err != nil {
			return err
		}
		hashes[g.ID] = Hash(d)
		sig, err := v.Signer.Sign(ctx, []byte(hashes[g.ID]))
		if err != nil {
			return fmt.Errorf("sign: %w", err)
		}
		signed, files = append(signed, commit1(sig)), append(files, name)
	}
	return v.publish(ctx, publication{
		cycle: cycle, first: ValidatorCommit1,
		message: fmt.Sprintf("global_ver=%d", merged.version),
		files:   files, signed: signed,
		reveal: func(revision string) []string {
			var commits []string
			for _, g := range v.cfg.Task.Groups {
				commits = append(commits, validatorCommit2(g.ID, hashes[g.ID], merged.version, v.cfg.HF.CheckpointRepo, revision))
			}
			return commits
		},
	})
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
			v.scores.add(cycle, e)
		}
	}
	if err := v.writeJSON(scoresFile, v.scores); err != nil {
		return fmt.Errorf("save scores: %w", err)
	}
	if !v.rules.LateWeights {
		v.setWeights(ctx, cycle, cycle)
	}
	return v.saveMerged(ctx, cycle, merged, next)
}

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
	for _, c := range first {
		signed[c.Hotkey] = c
	}
	for _, c := range second {
		revealed[c.Hotkey] = parseCommits(c.Fields)
	}
	var entries []Entry
	commits := make(map[subnet.UID]Commit)
	for _, neuron := range meta.Neurons {
		if neuron.Hotkey == v.me || slices.Contains(v.cfg.Cycle.ValidatorWhitelist, string(neuron.Hotkey)) {
			continue
		}
		e := Entry{UID: neuron.UID, Hotkey: neuron.Hotkey, Group: -1, Committed: signed[neuron.Hotkey].Block}
		c := Commit{}
		if all := revealed[neuron.Hotkey]; len(all) > 0 {
			c = all[0]
		}
		sigs := parseCommits(signed[neuron.Hotkey].Fields)
		switch {
		case c.Hash == "":
			e.Refused = "no second commitment in its window"
		case c.complete() != "":
			e.Refused = "second commitment incomplete: " + c.complete()
		case !v.rules.versionFits(*c.Version, cycle):
			e.Refused = fmt.Sprintf("started from baseline %d, which is too old or not yet made", *c.Version)
		case len(sigs) == 0 || sigs[0].Signed == "":
			e.Refused = "no first commitment in its window"
		case !v.signedBy(neuron.Hotkey, c.Hash, sigs):
			e.Refused = "first commitment is no signature over the hash of the second"
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
		return v.Chain.Hash(ctx, end)
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
	for i := range entries {
		e := &entries[i]
		if e.Refused != "" {
			continue
		}
		name, loss, err := v.evaluate(ctx, cycle, g, base, *e, commits[e.UID], sample)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		} else if err != nil {
			e.Refused = err.Error()
			continue
		}
		e.Loss, shards[e.UID] = loss.Mean, name
		if loss.Bad > 0 {
			e.Refused = fmt.Sprintf("loss not finite on %d batches", loss.Bad)
		}
	}
	v.rules.rank(baseline.Mean, entries)
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

// evaluate fetches a submission and measures its loss.
func (v *validator) evaluate(ctx context.Context, cycle uint64, g Group, base string, e Entry, c Commit, sample subnet.Sample) (string, subnet.Loss, error) {
	fetchCtx, cancel := until(ctx, v.Chain, v.rules.Schedule.End(cycle, Merge))
	defer cancel()
	name, err := v.fetch(fetchCtx, fmt.Sprintf("%s/hotkey_%s_block_%d", submissionDir, e.Hotkey, e.Committed), g, c)
	if err != nil {
		return "", subnet.Loss{}, err
	}
	if !v.rules.ExactKeys { // what it lacks is the baseline's, not the last miner's
		if err := v.load(v.model, base); err != nil {
			return "", subnet.Loss{}, err
		}
	}
	if err := v.load(v.model, name); err != nil {
		return "", subnet.Loss{}, err
	}
	loss, err := v.model.Loss(ctx, sample)
	return name, loss, err
}

// merge moves a group's tensors towards the best submissions.
//
// Unlike upstream, a merge that does not lower the loss of the round's sample
// is not taken: the outer step may overshoot, and a baseline should never get
// worse for being merged.
func (v *validator) merge(ctx context.Context, cycle uint64, g Group, global tensor.Dict, baseline subnet.Loss, entries []Entry, shards map[subnet.UID]string, sample subnet.Sample) (tensor.Dict, error) {
	best := slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.Points == 0 })
	slices.SortFunc(best, func(a, b Entry) int { return int(b.Points*4 - a.Points*4) })
	best = best[:min(len(best), v.cfg.Evaluation.TopKMinersMerged)]
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

// saveMerged writes the next baselines, and says how good they are on the same
// held-out text in every cycle.
func (v *validator) saveMerged(ctx context.Context, cycle uint64, merged place, next map[int]tensor.Dict) error {
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

	for _, g := range v.cfg.Task.Groups {
		v.model.Route(g.Assignment.Experts())
		name, _ := v.shardIn(merged, g.ID)
		if err := v.load(v.model, name); err != nil {
			return err
		}
		loss, err := v.model.Loss(ctx, subnet.Sample{Domain: g.ID, Seed: "report", Sequences: v.cfg.Evaluation.ReportSequences})
		if err != nil {
			return fmt.Errorf("evaluate the new baseline: %w", err)
		}
		v.say("baseline", "new baseline", slog.Uint64("cycle", cycle), slog.Int("group", g.ID), slog.Float64("loss", finite(loss.Mean)), slog.Uint64("version", merged.version))
	}
	return v.tidy()
}

// tidy removes what the next cycle does not need.
func (v *validator) tidy() error {
	list, err := v.places("")
	for _, p := range list[min(len(list), v.cfg.Ckpt.CheckpointTopK):] {
		err = errors.Join(err, v.Dir.Remove(p.name))
	}
	return errors.Join(err, v.Dir.Remove(submissionDir))
}

// setWeights puts the weights after a round on chain, once for each cycle.
// Before anybody was scored there are none to set.
func (v *validator) setWeights(ctx context.Context, cycle, round uint64) {
	key := fmt.Sprintf("cycle/%d/weights", cycle)
	if _, done := v.Journal.Result(key); done || len(v.scores) == 0 {
		return
	}
	weights := v.rules.weigh(v.scores, len(v.cfg.Task.Groups), round)
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
	v.say("weights", "weights set", slog.Uint64("cycle", cycle), slog.Any("weights", weights))
}
