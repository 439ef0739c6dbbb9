package connito

import (
	"context"
	"fmt"
	"log/slog"
	"path"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A publication is a model on its way to the network, of a miner or of a
// validator.
type publication struct {
	cycle   uint64
	first   Phase // of the two in which it is committed
	message string
	files   []string                       // in the neuron's directory
	signed  []string                       // first commitments: signatures
	reveal  func(revision string) []string // second commitments: what was signed, and where it is
}

// publish commits to a model and shows it: upload where nobody can find it,
// sign on chain, make it public, say on chain where it is. Whatever has been
// done of it before a restart is not done again.
//
// Unlike upstream, which uploads between the two commitments, only the last
// step of the upload is left for then: it takes one request, however large the
// model and short the phase.
func (n *neuron) publish(ctx context.Context, p publication) error {
	for _, c := range append(p.reveal("0000000"), p.signed...) {
		if err := n.rules.checkBudget(c); err != nil {
			return err
		}
	}
	s := n.rules.Schedule
	key := func(act string) string { return fmt.Sprintf("cycle/%d/%s/%s", p.cycle, p.first, act) }
	from, to := s.commit1Window(p.cycle, p.first)
	// The upload may take longer than the first commitment's window, or fail for a
	// while: that commitment does not wait for it.
	_, shown := s.commit2Window(p.cycle, p.first)
	if !n.rules.TwoCommits() {
		shown = s.End(p.cycle, Submission)
	} else if n.rules.direct() { // the commitment is worth more than the Hub
		shown = to + 1
	}
	uploading, stop := context.WithCancel(ctx)
	var up upload
	var uploaded error
	done := make(chan struct{})
	go func() { defer close(done); up, uploaded = n.upload(uploading, p, shown) }()
	defer func() { stop(); <-done }()
	if !n.rules.TwoCommits() {
		if err := n.CommitOnce(ctx, key("commit1"), from, to, packCommits(p.reveal(""))); err != nil {
			return fmt.Errorf("commitment: %w", err)
		}
		n.Say("commit1", fmt.Sprintf("<%s> Committed status to chain", n.rules.PhaseName(p.first)), slog.Uint64("cycle", p.cycle))
		if <-done; uploaded != nil {
			return fmt.Errorf("upload: %w", uploaded)
		}
		_, err := n.show(ctx, p, up, shown)
		return err
	}
	settled, err := n.commitFirst(ctx, key("commit1"), from, to, packCommits(p.signed))
	if err != nil {
		return fmt.Errorf("first commitment: %w", err)
	}
	defer settled()
	n.Say("commit1", fmt.Sprintf("<%s> committed signature", p.first), slog.Uint64("cycle", p.cycle))

	if <-done; uploaded != nil {
		return fmt.Errorf("upload: %w", uploaded)
	}
	from, to = s.commit2Window(p.cycle, p.first)
	revision, err := n.show(ctx, p, up, shown)
	if err == nil {
		err = settled()
	}
	if err != nil {
		return err
	}
	// A reorganisation could put the second commitment into a block before the first
	// is read; where the window is long, it is sent too late for that.
	if p.first == MinerCommit1 { // a validator's is in the last blocks of the cycle as it is
		from += min(settles, (to-from)/3)
	}
	second := p.reveal(revision)
	n.Say("committing", fmt.Sprintf("<%s> committing", p.first+1), slog.Any("commit", second))
	if err := n.CommitOnce(ctx, key("commit2"), from, to, packCommits(second)); err != nil {
		return fmt.Errorf("second commitment: %w", err)
	}
	n.Say("commit2", fmt.Sprintf("<%s> Committed status to chain", p.first+1), slog.Uint64("cycle", p.cycle))
	return nil
}

// settles is how many blocks a reorganisation may be deep.
const settles = 3

// commitFirst puts the first of a publication's commitments on chain. What follows it
// need not wait until it is safe from a reorganisation: settled waits for that, and
// must be called.
func (n *neuron) commitFirst(ctx context.Context, key string, from, to subnet.Block, fields []string) (settled func() error, err error) {
	if err := n.CommitIn(ctx, key, from, to, fields, false); err != nil {
		return nil, err
	}
	var outcome error
	ended := make(chan struct{})
	go func() { defer close(ended); outcome = n.CommitOnce(ctx, key, from, to, fields) }()
	return func() error { <-ended; return outcome }, nil
}

// An upload is a publication's way through the Hub: a store with its files staged,
// or the revision at which they were made public before a restart.
type upload struct {
	store    subnet.Store // nil if nothing is to be made public
	revision string
}

// upload stages a publication on the Hub, if the generation uses one, trying until a
// block. Where models can go straight to validators as well, it may fail.
func (n *neuron) upload(ctx context.Context, p publication, before subnet.Block) (upload, error) {
	if revision, done := n.Journal.Result(publishedKey(p.cycle, p.first)); done {
		return upload{revision: revision}, nil
	}
	if !n.rules.hub() || n.rules.direct() && n.cfg.HF.CheckpointRepo == "" {
		return upload{}, nil
	}
	inTime, cancel := actor.Until(ctx, n.Chain, before)
	defer cancel()
	var u upload
	err := n.Insist(inTime, before-1, "upload did not go through", func() (err error) {
		u.store, err = n.stage(inTime, p.files)
		return err
	})
	if err != nil && n.rules.direct() && ctx.Err() == nil {
		n.Warn("retry", "HF upload failed, models go by HTTP", err)
		return upload{}, nil
	}
	return u, err
}

// show makes an upload public before a block, and returns its revision, or "" if
// there is none.
func (n *neuron) show(ctx context.Context, p publication, u upload, before subnet.Block) (string, error) {
	if u.store != nil {
		var err error
		if u.revision, err = n.reveal(ctx, u.store, p, before); err != nil && n.rules.direct() && ctx.Err() == nil {
			n.Warn("retry", "HF upload failed, models go by HTTP", err)
			return "", nil
		} else if err != nil {
			return "", err
		}
		if err := n.Insist(ctx, before, "the publication is not noted", func() error {
			return n.Journal.Done(publishedKey(p.cycle, p.first), u.revision)
		}); err != nil {
			return "", fmt.Errorf("journal publication: %w", err)
		}
	}
	if u.revision != "" {
		n.Say("published", "Uploaded checkpoint to HF", slog.String("hf_repo_id", n.cfg.HF.CheckpointRepo), slog.String("hf_revision", short(u.revision)))
	}
	return u.revision, nil
}

// stage uploads the files under their own names.
func (n *neuron) stage(ctx context.Context, files []string) (subnet.Store, error) {
	store, err := n.Open("hf://" + n.cfg.HF.CheckpointRepo)
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		f, err := n.openSummed(name)
		if err != nil {
			return nil, err
		}
		err = store.Stage(ctx, path.Base(name), f)
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	return store, nil
}

// reveal makes an upload public, in the time there is until a block.
func (n *neuron) reveal(ctx context.Context, store subnet.Store, p publication, before subnet.Block) (string, error) {
	ctx, cancel := actor.Until(ctx, n.Chain, before)
	defer cancel()
	for {
		revision, err := store.Publish(ctx, p.message)
		if err == nil {
			return revision, nil
		}
		n.Warn("retry", "upload did not go through, trying again", err)
		if waitErr := n.NextBlock(ctx); waitErr != nil {
			return "", fmt.Errorf("publish: %w", err)
		}
		if err := n.Insist(ctx, before-1, "upload did not go through", func() (err error) {
			store, err = n.stage(ctx, p.files)
			return err
		}); err != nil {
			return "", fmt.Errorf("upload: %w", err)
		}
	}
}
