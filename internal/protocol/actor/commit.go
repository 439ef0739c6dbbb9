package actor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"adit/internal/subnet"
)

// ErrWindow is why a commitment was not sent, or came too late to count.
var ErrWindow = errors.New("its window has passed")

// CommitOnce puts a commitment on chain in its window, once: what the journal
// holds under key is what is sent, and what is on chain already is not sent
// again. It tries until the window ends.
func (a *Actor) CommitOnce(ctx context.Context, key string, from, to subnet.Block, fields []string) error {
	standing, err := a.Journal.Intend(key, JSON(fields))
	if err != nil {
		return fmt.Errorf("journal %s: %w", key, err)
	}
	if err := json.Unmarshal([]byte(standing), &fields); err != nil {
		return fmt.Errorf("journal %s: %w", key, err)
	}
	if _, done := a.Journal.Result(key); done {
		return nil
	}
	if err := a.Chain.Wait(ctx, from-1); err != nil {
		return err
	}
	// What goes into block to is known when that block is there.
	window, cancel := Until(ctx, a.Chain, to+1)
	defer cancel()
	for {
		block, err := a.Committed(window, fields)
		if err == nil && block == 0 {
			block, err = a.commitBefore(window, to, fields)
		}
		if err != nil && ctx.Err() == nil && window.Err() != nil {
			// The answer may have been lost, and not the commitment.
			if found, lookErr := a.Committed(ctx, fields); lookErr == nil && found > 0 {
				block, err = found, nil
			}
		}
		switch {
		case err == nil && block <= to:
			return a.Journal.Done(key, fmt.Sprint(block))
		case err == nil:
			return fmt.Errorf("included in block %d: %w at %d", block, ErrWindow, to)
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrWindow):
			return err
		case window.Err() != nil:
			return fmt.Errorf("%w at %d: %w", ErrWindow, to, err)
		}
		a.Warn("retry", "commit did not go through, trying again", err)
		if err := a.NextBlock(window); err != nil {
			return fmt.Errorf("%w at %d: %w", ErrWindow, to, err)
		}
	}
}

// commitBefore sends a commitment, unless the next block is already too late.
func (a *Actor) commitBefore(ctx context.Context, to subnet.Block, fields []string) (subnet.Block, error) {
	head, err := a.Chain.Head(ctx)
	if err == nil && head >= to {
		err = fmt.Errorf("%w at %d", ErrWindow, to)
	}
	if err != nil {
		return 0, err
	}
	return a.Chain.Commit(ctx, fields...)
}

// Committed returns the block in which the hotkey committed to exactly these
// fields, or 0.
func (a *Actor) Committed(ctx context.Context, fields []string) (subnet.Block, error) {
	all, err := a.Chain.Commitments(ctx, subnet.Latest)
	if err != nil {
		return 0, fmt.Errorf("read commitments: %w", err)
	}
	for _, c := range all {
		if c.Hotkey == a.Me && JSON(c.Fields) == JSON(fields) {
			return c.Block, nil
		}
	}
	return 0, nil
}
