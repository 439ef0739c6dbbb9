package node

import (
	"context"
	"log/slog"
	"time"

	"adit/internal/subnet"
)

// An observed chain tells, in events for programs, how long what it does takes and
// what goes wrong. A request that ended with its context did not.
type observed struct {
	subnet.Chain
	emit func(subnet.Event)
}

func (o observed) note(kind, text string, attrs ...slog.Attr) {
	o.emit(subnet.Event{Level: slog.LevelDebug, Kind: kind, Text: text, Attrs: attrs})
}

func (o observed) failed(ctx context.Context, call string, err error) {
	if err != nil && ctx.Err() == nil {
		o.note("chain-error", "chain request went wrong", slog.String("call", call), slog.String("error", err.Error()))
	}
}

// Head implements [subnet.Chain].
func (o observed) Head(ctx context.Context) (subnet.Block, error) {
	b, err := o.Chain.Head(ctx)
	o.failed(ctx, "head", err)
	return b, err
}

// Wait implements [subnet.Chain].
func (o observed) Wait(ctx context.Context, b subnet.Block) error {
	err := o.Chain.Wait(ctx, b)
	o.failed(ctx, "wait", err)
	return err
}

// Hash implements [subnet.Chain].
func (o observed) Hash(ctx context.Context, b subnet.Block) (string, error) {
	hash, err := o.Chain.Hash(ctx, b)
	o.failed(ctx, "hash", err)
	return hash, err
}

// Metagraph implements [subnet.Chain].
func (o observed) Metagraph(ctx context.Context, at subnet.Block) (*subnet.Metagraph, error) {
	m, err := o.Chain.Metagraph(ctx, at)
	o.failed(ctx, "metagraph", err)
	return m, err
}

// Commitments implements [subnet.Chain].
func (o observed) Commitments(ctx context.Context, at subnet.Block) ([]subnet.Commitment, error) {
	all, err := o.Chain.Commitments(ctx, at)
	o.failed(ctx, "commitments", err)
	return all, err
}

// Commit implements [subnet.Chain].
func (o observed) Commit(ctx context.Context, fields ...string) (subnet.Block, error) {
	began := time.Now()
	b, err := o.Chain.Commit(ctx, fields...)
	o.failed(ctx, "commit", err)
	if err == nil {
		o.note("chain-commit", "commitment included", slog.Uint64("block", uint64(b)), slog.Duration("commit_time", time.Since(began)))
	}
	return b, err
}

// SetWeights implements [subnet.Chain].
func (o observed) SetWeights(ctx context.Context, weights []subnet.Weight) (subnet.Block, error) {
	b, err := o.Chain.SetWeights(ctx, weights)
	o.failed(ctx, "set weights", err)
	if err == nil {
		o.note("weights-set", "weights included", slog.Uint64("block", uint64(b)))
	} else if ctx.Err() == nil {
		o.note("weights-failed", "weights not included", slog.String("error", err.Error()))
	}
	return b, err
}

// watch tells of each block where in the round it stands, and of each round how
// long it took, until ctx is done.
func watch(ctx context.Context, chain subnet.Chain, clock subnet.Clock, emit func(subnet.Event)) {
	var round uint64
	var began time.Time // of the round; zero if its beginning was not seen
	for first := true; ; first = false {
		b, err := chain.Head(ctx)
		if err == nil {
			m := clock.Moment(b)
			if !first && m.Round != round {
				now := time.Now()
				if m.Index != 0 || b != m.Start { // blocks came that were not seen
					now = time.Time{}
				}
				if !began.IsZero() && !now.IsZero() && m.Round == round+1 {
					emit(subnet.Event{Block: b, Level: slog.LevelDebug, Kind: "cycle", Text: "cycle completed",
						Attrs: []slog.Attr{slog.Uint64("cycle", round), slog.Duration("cycle_time", now.Sub(began))}})
				}
				began = now
			}
			round = m.Round
			emit(subnet.Event{Block: b, Level: slog.LevelDebug, Kind: "block", Text: "block",
				Attrs: []slog.Attr{slog.Uint64("cycle", m.Round), slog.String("phase", m.Phase), slog.Int("phase_index", m.Index), slog.Uint64("remaining", uint64(m.End-b))}})
			err = chain.Wait(ctx, b+1)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil { // the client is finding another endpoint
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return
			}
		}
	}
}
