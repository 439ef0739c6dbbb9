package actor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"adit/internal/subnet"
)

// ErrWindow is why a commitment was not sent, or came too late to count.
var ErrWindow = errors.New("its window has passed")

// CommitOnce puts a commitment on chain in its window, once: what the journal
// holds under key is what is sent, and what is on chain already is not sent
// again. It tries until the window ends, and stays until the commitment is safe from
// a reorganisation.
func (a *Actor) CommitOnce(ctx context.Context, key string, from, to subnet.Block, fields []string) error {
	return a.CommitIn(ctx, key, from, to, fields, true)
}

// CommitIn is [Actor.CommitOnce], or, if it need not be settled, returns as soon as the
// commitment is in a block: CommitOnce is to follow.
func (a *Actor) CommitIn(ctx context.Context, key string, from, to subnet.Block, fields []string, settled bool) error {
	var standing string
	if err := a.Insist(ctx, to-1, "what is to be committed is not noted", func() (err error) {
		standing, err = a.Journal.Intend(key, JSON(fields))
		return err
	}); err != nil {
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
		if err == nil && block == 0 && !a.onItsWay(window, key, to) {
			block, err = a.commitBefore(window, key, to, fields)
		} else if err == nil && block == 0 {
			err = errUnknown
		}
		if err == nil && block <= to && !settled {
			return nil
		}
		if err == nil && block <= to && !a.stays(window, block, to, fields) {
			err = errRetracted
		}
		if err != nil && ctx.Err() == nil && window.Err() != nil {
			// The answer may have been lost, and not the commitment.
			if found, lookErr := a.Committed(ctx, fields); lookErr == nil && found > 0 {
				block, err = found, nil
			}
		}
		switch {
		case err == nil && block <= to:
			err := a.Insist(ctx, to+1, "what was committed is not noted", func() error { return a.Journal.Done(key, fmt.Sprint(block)) })
			if err != nil && ctx.Err() == nil { // it is on chain, which the next life will see
				a.Warn("disk", "what was committed is not noted", err)
			}
			return ctx.Err()
		case err == nil:
			return fmt.Errorf("included in block %d: %w at %d", block, ErrWindow, to)
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrWindow):
			return err
		case window.Err() != nil:
			return fmt.Errorf("%w at %d: %w", ErrWindow, to, err)
		}
		if !errors.Is(err, errUnknown) {
			a.Warn("retry", "commit did not go through, trying again", err)
		}
		if err := a.NextBlock(window); err != nil {
			return fmt.Errorf("%w at %d: %w", ErrWindow, to, err)
		}
	}
}

var (
	errUnknown   = errors.New("it was sent, and is in no block yet")
	errRetracted = errors.New("the chain was reorganised, and it is gone")
)

const (
	// settles is after how many blocks a commitment is looked for once more: forks
	// of Substrate are seldom longer.
	settles = 3
	// lateness is for how many blocks a commitment that was sent is waited for
	// before it is sent again.
	lateness = 6
)

// stays says whether a commitment is still on chain some blocks after its own, or at
// the end of its window.
func (a *Actor) stays(ctx context.Context, block, to subnet.Block, fields []string) bool {
	if a.Chain.Wait(ctx, min(block+settles, to)) != nil {
		return true // nobody can say
	}
	found, err := a.Committed(ctx, fields)
	return err != nil || found > 0
}

// onItsWay says whether a commitment was sent not long ago, maybe by a neuron that
// was killed since, and may yet come into a block: then to send it again would have
// it there twice. At the end of the window that matters less than not to have it at
// all.
func (a *Actor) onItsWay(ctx context.Context, key string, to subnet.Block) bool {
	text, _ := a.Journal.Result(sentKey(key))
	sent, err := strconv.ParseUint(text, 10, 64)
	if err != nil || sent == 0 {
		return false
	}
	head, err := a.Chain.Head(ctx)
	if err != nil || head < subnet.Block(sent) { // it is in a block that the endpoint has not seen yet
		return err == nil
	}
	return head < subnet.Block(sent)+lateness && head+1 < to
}

// sentKey is the journal's key for the head at which a commitment was sent last, or
// the block that it came into.
func sentKey(key string) string { return key + "/sent" }

// commitBefore sends a commitment, unless the next block is already too late.
func (a *Actor) commitBefore(ctx context.Context, key string, to subnet.Block, fields []string) (subnet.Block, error) {
	head, err := a.Chain.Head(ctx)
	if err == nil && head >= to {
		err = fmt.Errorf("%w at %d", ErrWindow, to)
	}
	if err == nil {
		err = a.Journal.Done(sentKey(key), fmt.Sprint(uint64(head)))
	}
	if err != nil {
		return 0, err
	}
	block, err := a.Chain.Commit(ctx, fields...)
	switch {
	case err == nil: // what is read next may be older than that block
		err = a.Journal.Done(sentKey(key), fmt.Sprint(uint64(block)))
	case ctx.Err() == nil: // no block will ever hold it
		err = errors.Join(err, a.Journal.Done(sentKey(key), "0"))
	}
	return block, err
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

// Insist does something until it is done, ctx is, or a block is over: a full disk, or
// a chain that does not answer, must not cost a round that can still be saved.
func (a *Actor) Insist(ctx context.Context, last subnet.Block, text string, act func() error) error {
	for {
		err := act()
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrWindow) {
			return err
		}
		head, headErr := a.Chain.Head(ctx)
		if headErr != nil || head >= last {
			return err
		}
		a.Warn("retry", text+", trying again", err)
		if a.Chain.Wait(ctx, head+1) != nil {
			return err
		}
	}
}
