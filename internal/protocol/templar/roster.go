package templar

import (
	"context"
	"fmt"
	"log/slog"

	"adit/internal/subnet"
)

// A peer is a registered neuron whose bucket may be read, this one included.
type peer struct {
	subnet.Neuron
	at     subnet.BucketAddress
	bucket subnet.Bucket
}

// A roster is who is registered at a block, and who of them has a bucket.
type roster struct {
	meta  *subnet.Metagraph
	me    subnet.Neuron
	peers []peer // by uid
	// committed says whether this neuron's own commitment is what it should be.
	committed bool
}

// peer returns the peer of a uid, or false.
func (t *roster) peer(uid subnet.UID) (peer, bool) {
	for _, p := range t.peers {
		if p.UID == uid {
			return p, true
		}
	}
	return peer{}, false
}

// readRoster reads who there is now. It fails with [errUnregistered] if this neuron
// is not among them.
//
// An object is asked for in the bucket that its maker committed to, and nowhere
// else: who puts one under another's name into a bucket of their own is not read.
//
// Unlike upstream, whose neurons list whatever all buckets hold, and take the maker's
// hotkey from the name.
func (n *neuron) readRoster(ctx context.Context) (*roster, error) {
	meta, err := n.Chain.Metagraph(ctx, subnet.Latest)
	if err != nil {
		return nil, fmt.Errorf("read metagraph: %w", err)
	}
	commitments, err := n.Chain.Commitments(ctx, subnet.Latest)
	if err != nil {
		return nil, fmt.Errorf("read commitments: %w", err)
	}
	t := &roster{meta: meta}
	var known bool
	if t.me, known = meta.ByHotkey(n.Me); !known {
		return nil, n.unregistered()
	}
	own, err := n.rules.CommitmentText(n.rules.Address(n.keys, false))
	if err != nil {
		return nil, err
	}
	said := make(map[subnet.Hotkey]string)
	for _, c := range commitments {
		if len(c.Fields) > 0 {
			said[c.Hotkey] = c.Fields[0]
		}
	}
	t.committed = said[n.Me] == own
	keep := make(map[subnet.BucketAddress]bool)
	for _, neuron := range meta.Neurons {
		p := peer{Neuron: neuron}
		switch {
		case neuron.Hotkey == n.Me || !n.cfg.Remote:
			p.at = n.rules.Address(n.keys, false)
		case said[neuron.Hotkey] == "":
			continue
		default:
			if p.at, err = n.rules.ParseCommitment(said[neuron.Hotkey]); err != nil {
				n.Note("no_bucket", "no bucket to read", slog.Int("uid", int(neuron.UID)), slog.String("reason", err.Error()))
				continue
			}
			if n.rules.Commitment == BucketName { // which everybody opens with keys of their own
				p.at.AccessKey, p.at.SecretKey = n.keys.Read.ID, n.keys.Read.Secret
			}
		}
		p.at = n.cfg.placed(p.at)
		if p.bucket, err = n.bucket(p.at); err != nil {
			n.Note("no_bucket", "no bucket to read", slog.Int("uid", int(neuron.UID)), slog.String("reason", err.Error()))
			continue
		}
		keep[p.at] = true
		t.peers = append(t.peers, p)
	}
	n.forget(keep)
	return t, nil
}

// refresh returns the newest roster, or the one before if it cannot be read, and sees
// that the neuron's own bucket is on chain. Where nothing was ever read, or the
// neuron is no longer registered, it fails.
//
// Nothing is written down before the commitment is sent: to commit to the same
// bucket twice does no harm, and the chain tells whether it is needed.
func (n *neuron) refresh(ctx context.Context, before *roster) (*roster, error) {
	t, err := n.readRoster(ctx)
	if err != nil {
		if before == nil || ctx.Err() != nil || isUnregistered(err) {
			return nil, err
		}
		n.Warn("retry", "the metagraph could not be read: that of the window before counts", err)
		return before, nil
	}
	if t.committed {
		return t, nil
	}
	own, err := n.rules.CommitmentText(n.rules.Address(n.keys, false))
	if err != nil {
		return nil, err
	}
	block, err := n.Chain.Commit(ctx, own)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		// Others cannot read the bucket yet. The next window tries again.
		n.Warn("retry", "the commitment to the bucket did not go through", err)
		return t, nil
	}
	t.committed = true
	n.Say("committed", "Committed the bucket "+n.keys.Bucket+" to the chain.", slog.String("bucket", n.keys.Bucket), slog.Uint64("block", uint64(block)))
	return t, nil
}
