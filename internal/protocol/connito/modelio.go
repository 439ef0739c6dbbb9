package connito

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// modelIO exchanges models with the network, cycle after cycle, until ctx is
// done: it downloads baselines, and commits and publishes checkpoints.
//
// Unlike upstream, it enters a cycle at whatever phase it finds, instead of
// waiting for the next Distribute.
func modelIO(ctx context.Context, env subnet.Env) error {
	n, err := newNeuron(env)
	if err != nil {
		return err
	}
	pos, head, err := n.now(ctx)
	if err != nil {
		return actor.Ended(ctx, err)
	}
	n.Say("sync", "Chain sync ready", slog.Uint64("block", uint64(head)), slog.String("phase", n.rules.PhaseName(pos.Phase)))
	at := n.rules.PhaseName(pos.Phase)
	var telling sync.WaitGroup
	if n.rules.has(DocsTransport) {
		telling.Go(func() { n.tellPhases(ctx) })
	}
	defer func() {
		telling.Wait()
		if ctx.Err() != nil {
			n.Say("end", fmt.Sprintf("<%s> shutdown signal received.", at))
			n.Say("end", "run_system: all worker threads have exited.")
		}
	}()
	for cycle := pos.Cycle; ; cycle++ {
		if err := n.waitTill(ctx, cycle, Distribute, 0); err != nil {
			return actor.Ended(ctx, err)
		}
		at = n.rules.PhaseName(Distribute)
		_, began, unknown := n.now(ctx)
		if err := n.downloadJob(ctx, cycle); err != nil && ctx.Err() == nil {
			n.Warn("lost", "<Distribute> download did not go through", err, slog.Uint64("cycle", cycle))
		}
		if unknown == nil && began <= n.rules.Schedule.End(cycle, Distribute) { // whoever comes later is not late with it
			n.checkExpired(ctx, cycle, Distribute)
		}
		at = n.rules.PhaseName(MinerCommit1)
		_, to := n.rules.Schedule.commit1Window(cycle, MinerCommit1)
		err := n.Insist(ctx, to-1, "<MinerCommit1> nothing committed", func() error { return n.commitJob(ctx, cycle) })
		if err != nil && ctx.Err() == nil {
			text := "<MinerCommit1> nothing committed"
			if errors.Is(err, errNoCheckpoint) {
				text = "<MinerCommit1> File not ready error: Not checkpoint found, skip commit."
			}
			n.Warn("lost", text, err, slog.Uint64("cycle", cycle))
		}
		if err == nil {
			at = n.rules.PhaseName(Submission)
			last := n.rules.Schedule.End(cycle, Submission)
			if err = n.Insist(ctx, last, "<Submission> not submitted", func() error { return n.submitJob(ctx, cycle) }); err != nil && ctx.Err() == nil {
				n.Warn("lost", "<Submission> not submitted", err, slog.Uint64("cycle", cycle))
			}
		}
		if ctx.Err() == nil {
			n.Note("submission", "<Submission> outcome", n.outcome(ctx, cycle, err)...)
		}
		if err := n.Chain.Wait(ctx, n.rules.Schedule.Start(cycle+1, Distribute)); err != nil {
			return actor.Ended(ctx, err)
		}
	}
}

// A baseline is what a validator publishes of an expert group.
type baseline struct {
	neuron subnet.Neuron
	Commit
}

// downloadJob brings the group's newest baseline, trying until there is no time
// left to train it.
func (n *neuron) downloadJob(ctx context.Context, cycle uint64) error {
	if _, head, err := n.now(ctx); err != nil || head >= n.trainEnd(cycle) {
		return err // entered too late in the cycle
	}
	ctx, cancel := actor.Until(ctx, n.Chain, n.trainEnd(cycle))
	defer cancel()
	g := n.cfg.Task.Groups[0]
	for tries := 1; ; tries++ {
		list, err := n.agreed(ctx, cycle, g)
		if err == nil && len(list) == 0 {
			err = errors.New("no validator has committed to a baseline of this group")
		}
		n.Note("fetching", "Fetching model from chain", slog.Bool("should_download", len(list) > 0))
		had := slices.ContainsFunc(list, func(b baseline) bool { return n.has(b, g) })
		for _, b := range list { // they are the same: one is enough
			n.Say("metadata", "<Distribute> downloaded model metadata from chain", slog.Uint64("version", *b.Version), slog.Uint64("uid", uint64(b.neuron.UID)), slog.String("hash", b.Hash))
			if had && !n.has(b, g) {
				continue
			}
			if err = n.download(ctx, g, b); err == nil {
				break
			}
		}
		if err == nil {
			n.Say("downloaded", "<Distribute> task completed.", slog.Uint64("cycle", cycle))
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, errForbidden) && !isTemporary(err) {
			return fmt.Errorf("❌ All download attempts failed after %d retries.: %w", tries-1, err)
		}
		n.Warn("retry", "<Distribute> trying again", err)
		if waitErr := n.NextBlock(ctx); waitErr != nil {
			return fmt.Errorf("❌ All download attempts failed after %d retries.: %w", tries, err)
		}
	}
}

func (n *neuron) has(b baseline, g Group) bool {
	if b.Hash == "" {
		return false
	}
	_, ok := n.shardIn(place{name: baselineName(b.neuron.UID, b.neuron.Hotkey, *b.Version)}, g.ID)
	return ok
}

func (n *neuron) download(ctx context.Context, g Group, b baseline) error {
	if n.has(b, g) {
		n.Say("downloaded", "<Distribute>: No required download job", slog.Uint64("version", *b.Version))
		return nil
	}
	n.Say("download", fmt.Sprintf("Downloading from chain: uid = %d", b.neuron.UID), slog.String("repo", b.Repo), slog.String("revision", b.Revision))
	n.forgetUnfinished(baselineName(b.neuron.UID, b.neuron.Hotkey, *b.Version), g)
	name, err := n.fetchBaseline(ctx, g, b)
	if err != nil {
		return fmt.Errorf("baseline of uid %d: %w", b.neuron.UID, err)
	}
	n.Say("downloaded", "Downloaded checkpoint (verified)", slog.String("path", name))
	return nil
}

// fetchBaseline downloads a baseline in the first way of the generation that works.
func (n *neuron) fetchBaseline(ctx context.Context, g Group, b baseline) (string, error) {
	dir := baselineName(b.neuron.UID, b.neuron.Hotkey, *b.Version)
	var errs error
	for _, t := range n.rules.Transports {
		var name string
		var err error
		switch {
		case t == HTTPTransport:
			name, err = n.fetchDirect(ctx, dir, g, b)
		case t == DocsTransport:
			name, err = n.fetchDocs(ctx, dir, g, b)
		case b.Repo == "" || b.Revision == "":
			err = errors.New(noPlace)
		default:
			name, err = n.fetch(ctx, dir, g, b.Commit)
		}
		if err == nil {
			return name, nil
		}
		errs = errors.Join(errs, fmt.Errorf("%v: %w", t, err))
	}
	return "", errs
}

// newest returns the baseline of the group that the validators with the most
// stake committed to at the end of the last cycle.
func (n *neuron) newest(ctx context.Context, cycle uint64, g Group) (baseline, error) {
	list, err := n.agreed(ctx, cycle, g)
	if err != nil || len(list) == 0 {
		return baseline{}, err
	}
	return list[0], nil
}

// agreed returns that baseline once for each validator that has it.
func (n *neuron) agreed(ctx context.Context, cycle uint64, g Group) ([]baseline, error) {
	if cycle == 0 {
		return nil, nil
	}
	one, two := n.rules.Schedule.commitReads(cycle-1, ValidatorCommit1)
	if !n.rules.TwoCommits() { // a baseline is committed to when it is made, and again with each seed
		one, two = subnet.Latest, subnet.Latest
	}
	first, err := n.Chain.Commitments(ctx, one)
	if err != nil {
		return nil, fmt.Errorf("read ValidatorCommit1: %w", err)
	}
	second, err := n.Chain.Commitments(ctx, two)
	if err != nil {
		return nil, fmt.Errorf("read ValidatorCommit2: %w", err)
	}
	meta, err := n.Chain.Metagraph(ctx, two)
	if err != nil {
		return nil, fmt.Errorf("read metagraph: %w", err)
	}
	signed := make(map[subnet.Hotkey][]string)
	for _, c := range first {
		signed[c.Hotkey] = c.Fields
	}
	var candidates []baseline
	for _, c := range second {
		v, ok := meta.ByHotkey(c.Hotkey)
		if !ok || !n.validator(v) {
			continue
		}
		for _, commit := range parseCommits(c.Fields) {
			if n.rules.lacks(commit) != "" || *commit.Group != g.ID {
				continue
			}
			if n.rules.TwoCommits() && !n.signedBy(v.Hotkey, commit.Hash, parseCommits(signed[v.Hotkey])) {
				continue
			}
			if !n.rules.versionFits(*commit.Version, cycle) {
				continue
			}
			candidates = append(candidates, baseline{v, commit})
		}
	}
	return majority(candidates), nil
}

// validator says whether the neuron's baselines count.
func (n *neuron) validator(v subnet.Neuron) bool {
	if len(n.cfg.Cycle.ValidatorWhitelist) == 0 {
		return v.Permit
	}
	for _, h := range n.cfg.Cycle.ValidatorWhitelist {
		if h == string(v.Hotkey) {
			return true
		}
	}
	return false
}

// signedBy says whether one of the first commitments is who's signature over
// the hash: over its hexadecimal digits, as the reference implementation signs.
func (n *neuron) signedBy(who subnet.Hotkey, hash string, first []Commit) bool {
	for _, c := range first {
		if sig, err := c.signature(); err == nil && n.Verify(who, []byte(hash), sig) {
			return true
		}
	}
	return false
}

// A submission is what a miner decided to submit in a cycle. It is journalled
// before anything of it is sent, so that a restart sends the same.
type submission struct {
	Path    string `json:"path"` // of the shard
	Hash    string `json:"hash"`
	Version uint64 `json:"version"`
	Sig     []byte `json:"sig"`
}

// commitJob commits to the best checkpoint and publishes it.
func (n *neuron) commitJob(ctx context.Context, cycle uint64) error {
	s := n.rules.Schedule
	if err := n.waitTill(ctx, cycle, MinerCommit1, 0); err != nil {
		return err
	}
	_, to := s.commit2Window(cycle, MinerCommit1)
	if _, head, err := n.now(ctx); err != nil || head >= to {
		return err // entered too late in the cycle
	}
	sub, err := n.choose(ctx, cycle)
	if err != nil {
		return err
	}
	g := n.cfg.Task.Groups[0]
	n.Say("committing", "<miner_commit_1> committing", slog.String("hash", sub.Hash), slog.Uint64("model_version", sub.Version), slog.String("path", sub.Path))
	return n.publish(ctx, publication{
		cycle: cycle, first: MinerCommit1,
		message: fmt.Sprintf("miner submission global_ver=%d expert_group=%d", sub.Version, g.ID),
		files:   []string{sub.Path},
		signed:  []string{n.rules.signedCommit(sub.Sig)},
		reveal: func(revision string) []string {
			return []string{n.rules.minerCommit2(g.ID, sub.Hash, sub.Version, n.cfg.HF.CheckpointRepo, revision)}
		},
	})
}

// errNoCheckpoint is why nothing is committed, in upstream's words.
var errNoCheckpoint = errors.New("not checkpoint found, skip commit")

// choose returns what to submit in a cycle: what was decided before a restart,
// or else the best checkpoint.
func (n *neuron) choose(ctx context.Context, cycle uint64) (submission, error) {
	n.forgetKept(cycle)
	sub, err := n.keepSubmission(ctx, cycle)
	if err != nil {
		return submission{}, err
	}
	if sub.Path != "" {
		if sub.Sig, err = n.Signer.Sign(ctx, []byte(sub.Hash)); err != nil {
			return submission{}, fmt.Errorf("sign: %w", err)
		}
	}
	key := fmt.Sprintf("cycle/%d/submission", cycle)
	if sub.Path == "" {
		if _, begun := n.Journal.Result(key); !begun {
			return submission{}, errNoCheckpoint
		}
	}
	standing, err := n.Journal.Intend(key, actor.JSON(sub))
	if err == nil {
		err = json.Unmarshal([]byte(standing), &sub)
	}
	if err == nil {
		err = n.Journal.Done(key, sub.Hash)
	}
	if err != nil {
		return submission{}, fmt.Errorf("journal %s: %w", key, err)
	}
	return sub, nil
}

// waitTill waits until a phase of a cycle has begun and so many blocks of it have
// passed, and says so in upstream's words.
//
// Unlike upstream, it does not say at what time that will be: how long a block takes
// is the chain's own affair, and on one machine it is not 12 s.
func (n *neuron) waitTill(ctx context.Context, cycle uint64, p Phase, offset subnet.Block) error {
	target, name := n.rules.Schedule.Start(cycle, p)+offset, n.rules.PhaseName(p)
	if _, head, err := n.now(ctx); err == nil && head < target {
		n.Note("wait", fmt.Sprintf("<%s> target in %d blocks", name, target-head), slog.Uint64("cycle", cycle))
	}
	if err := n.Chain.Wait(ctx, target); err != nil {
		return err
	}
	if pos, head, err := n.now(ctx); err == nil {
		n.Note("reached", fmt.Sprintf("<%s> reached (block_offset=%d); current phase=<%s>, %d blocks into it, %d blocks left.",
			name, offset, n.rules.PhaseName(pos.Phase), head-pos.Start, pos.End-head), slog.Uint64("cycle", cycle))
	}
	return nil
}

// checkExpired says whether a job was done before its phase was over.
func (n *neuron) checkExpired(ctx context.Context, cycle uint64, p Phase) {
	pos, head, err := n.now(ctx)
	if err != nil {
		return
	}
	name := n.rules.PhaseName(p)
	if end := n.rules.Schedule.End(cycle, p); head > end {
		n.Say("expired", fmt.Sprintf("<%s> phase did not complete on time", name), slog.Uint64("cycle", cycle), slog.Uint64("blocks_late", uint64(head-end)))
	} else {
		n.Note("expired", fmt.Sprintf("<%s> phase completed on time", name), slog.Uint64("cycle", cycle), slog.Uint64("blocks_remaining", uint64(pos.End-head)))
	}
}
