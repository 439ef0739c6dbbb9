package connito

import (
	"context"
	"fmt"
	"log/slog"
	"path"

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
	key := func(act string) string { return fmt.Sprintf("cycle/%d/%s/%s", p.cycle, p.first, act) }
	s := n.rules.Schedule

	revision, published := n.Journal.Result(key("publish"))
	var store subnet.Store
	if !published {
		var err error
		if store, err = n.stage(ctx, p.files); err != nil {
			return fmt.Errorf("upload: %w", err)
		}
	}
	from, to := s.commit1Window(p.cycle, p.first)
	if err := n.commitOnce(ctx, key("commit1"), from, to, packCommits(p.signed)); err != nil {
		return fmt.Errorf("first commitment: %w", err)
	}
	n.say("commit1", fmt.Sprintf("<%s> committed signature", p.first), slog.Uint64("cycle", p.cycle))

	if !published {
		var err error
		if revision, err = n.reveal(ctx, store, p); err != nil {
			return err
		}
		if err := n.Journal.Done(key("publish"), revision); err != nil {
			return fmt.Errorf("journal publication: %w", err)
		}
	}
	n.say("published", "Uploaded checkpoint to HF", slog.String("hf_repo_id", n.cfg.HF.CheckpointRepo), slog.String("hf_revision", short(revision)))

	from, to = s.commit2Window(p.cycle, p.first)
	second := p.reveal(revision)
	n.say("committing", fmt.Sprintf("<%s> committing", p.first+1), slog.Any("commit", second))
	if err := n.commitOnce(ctx, key("commit2"), from, to, packCommits(second)); err != nil {
		return fmt.Errorf("second commitment: %w", err)
	}
	n.say("commit2", fmt.Sprintf("<%s> Committed status to chain", p.first+1), slog.Uint64("cycle", p.cycle))
	return nil
}

// stage uploads the files under their own names.
func (n *neuron) stage(ctx context.Context, files []string) (subnet.Store, error) {
	store, err := n.Open("hf://" + n.cfg.HF.CheckpointRepo)
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		f, err := n.Dir.Open(name)
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

// reveal makes an upload public, in the time there is until the second
// commitment must be sent.
func (n *neuron) reveal(ctx context.Context, store subnet.Store, p publication) (string, error) {
	_, to := n.rules.Schedule.commit2Window(p.cycle, p.first)
	ctx, cancel := until(ctx, n.Chain, to)
	defer cancel()
	for {
		revision, err := store.Publish(ctx, p.message)
		if err == nil {
			return revision, nil
		}
		n.warn("retry", "upload did not go through, trying again", err)
		if waitErr := n.nextBlock(ctx); waitErr != nil {
			return "", fmt.Errorf("publish: %w", err)
		}
		if store, err = n.stage(ctx, p.files); err != nil {
			return "", fmt.Errorf("upload: %w", err)
		}
	}
}
