package connito

import (
	"context"
	"fmt"
	"strings"

	"adit/internal/subnet"
)

// before explains what would come of the next submission: of the checkpoint that
// model-io would commit to now, by every gate that a neuron can try by itself.
func (a *account) before(ctx context.Context) error {
	s := a.rules.Schedule
	pos := s.At(a.head)
	a.Text = fmt.Sprintf("cycle %d, block %d, in %s: what would come of the submission if it were made of what there is now", a.cycle, a.head, a.rules.PhaseName(pos.Phase))
	if pos.Cycle != a.cycle {
		a.Text = fmt.Sprintf("cycle %d, which begins at block %d: what would come of a submission of what there is now", a.cycle, s.Start(a.cycle, Distribute))
	}
	if a.stopped() {
		return nil
	}
	g := a.cfg.Task.Groups[0]
	own, err := a.places("")
	if err != nil {
		return err
	}
	best, state := a.best(own)
	if best.name == "" {
		a.gate("checkpoint", subnet.Stopped, "train has saved no checkpoint yet, and nothing would be committed")
		return nil
	}
	shard, ok := a.shardIn(best, g.ID)
	if !ok {
		a.gate("checkpoint", subnet.Stopped, fmt.Sprintf("%s has no %s", best.name, shardFile(g.ID, subnet.Format(a.cfg.Ckpt.Format))))
		return nil
	}
	a.gate("checkpoint", subnet.Passed, "the best on its baseline", Fact{"path", shard}, fact("inner_opt_step", float64(best.inner)), fact("val_loss", state.Loss))

	hash := a.looked(ctx, g, shard)
	if a.stopped() {
		return nil
	}
	if !a.rules.versionFits(best.version, a.cycle) {
		oldest, newest := a.rules.versions(a.cycle)
		a.gate(gateVersion, subnet.Stopped, "its baseline is too old, or not yet made: model-io would commit nothing",
			fact("version", float64(best.version)), fact("oldest", float64(oldest)), fact("newest", float64(newest)))
		return nil
	}
	a.gate(gateVersion, subnet.Passed, "", fact("version", float64(best.version)))
	a.commitments(g, hash, best.version)
	if a.stopped() {
		return nil
	}

	seedBlock, err := a.Chain.Hash(ctx, a.head)
	if err != nil {
		return fmt.Errorf("read the head's hash: %w", err)
	}
	base, facts, err := a.startedFrom(best, g)
	if err != nil {
		return err
	}
	m, err := a.measure(ctx, g, base, shard, blockSeed(seedBlock), append(facts, Fact{"seed of", "the newest block; the round's own is not known yet"}))
	if err != nil {
		return err
	}
	if !a.stopped() {
		a.ranked(m)
	}
	a.gate(gateWeight, subnet.Unknown, "weights follow the round "+a.poolText())
	return nil
}

// looked passes a shard through the gates of a file, and returns its hash.
func (a *account) looked(ctx context.Context, g Group, shard string) string {
	got, err := a.contents(ctx, shard)
	if err != nil {
		a.gate(gateParse, subnet.Stopped, err.Error())
		return ""
	}
	a.add(a.rules.inspect(got, Commit{Hash: got.Hash}, g.Assignment))
	return got.Hash
}

// commitments says what would be committed, whether it fits, and when it has to be
// on chain.
func (a *account) commitments(g Group, hash string, version uint64) {
	s := a.rules.Schedule
	second := a.rules.minerCommit2(g.ID, hash, version, a.cfg.HF.CheckpointRepo, strings.Repeat("0", revisionDigits))
	type act struct {
		gate, text string
		from, to   subnet.Block
	}
	from, to := s.commit1Window(a.cycle, MinerCommit1)
	acts := []act{{gateSecond, second, from, to}}
	if a.rules.TwoCommits() {
		from2, to2 := s.commit2Window(a.cycle, MinerCommit1)
		acts = []act{{gateFirst, a.rules.signedCommit(make([]byte, 64)), from, to}, {gateSecond, second, from2, to2}}
	}
	for _, act := range acts {
		facts := []Fact{fact("bytes", float64(len(act.text))), {"window", fmt.Sprintf("%d to %d", act.from, act.to)}}
		if act.gate == gateSecond {
			facts = append(facts, Fact{"commit", act.text})
		}
		switch err := a.rules.checkBudget(act.text); {
		case err != nil:
			a.gate(act.gate, subnet.Stopped, err.Error(), facts...)
		case a.head >= act.to:
			a.gate(act.gate, subnet.Unknown, "its window is over or about to be: only what is on chain by now counts", facts...)
		default:
			a.gate(act.gate, subnet.Passed, fmt.Sprintf("fits, and has %d blocks until its window ends", act.to-a.head), facts...)
		}
	}
}

// startedFrom returns the shard of the baseline that a checkpoint was trained from:
// what the validator will compare with, unless a newer one comes.
func (a *account) startedFrom(p place, g Group) (string, []Fact, error) {
	if a.rules.Baseline == PretrainedBaseline {
		return "", []Fact{{"baseline of", "the pretrained model"}}, nil
	}
	list, err := a.places(baselineDir)
	if err != nil {
		return "", nil, err
	}
	for _, b := range list {
		if name, ok := a.shardIn(b, g.ID); ok && b.version == p.version {
			return name, []Fact{{"baseline of", name}}, nil
		}
	}
	return "", []Fact{{"baseline of", "the base model, as the baseline it started from is gone"}}, nil
}
