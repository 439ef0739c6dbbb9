package actor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"adit/internal/subnet"
)

// A soberChain does not believe all that an endpoint tells. A head that is far from
// the one before counts when the state after it can be read: an endpoint that tells
// of blocks that are not there would have a neuron live through rounds that are yet
// to come, and miss its own. And while no endpoint answers, what is read waits for
// one: a round must not end because of a question that could be asked again.
//
// Before anything was ever read, errors are as they are: whoever starts a neuron with
// the wrong endpoints is to learn it.
type soberChain struct {
	subnet.Chain
	emit func(subnet.Event)

	mu    sync.Mutex
	known subnet.Block // the last head that counted
	begun bool         // something has been read
}

const (
	// plainSteps is how many blocks a head may be from the last one without further
	// questions: the answers are as far apart on a bad day.
	plainSteps = 3
	// askAgain is the pause after an answer that does not count.
	askAgain = 2 * time.Second
	// tellAgain is how many such answers there are until people are told again.
	tellAgain = 150
)

// errAhead is what is wrong with a head without a state.
var errAhead = errors.New("the endpoint tells of a block of which it knows nothing")

// Sober returns a chain that asks again where an answer cannot be, or did not come.
func Sober(chain subnet.Chain, emit func(subnet.Event)) subnet.Chain {
	return &soberChain{Chain: chain, emit: emit}
}

// Head implements [subnet.Chain].
func (c *soberChain) Head(ctx context.Context) (subnet.Block, error) {
	return patiently(ctx, c, func() (subnet.Block, error) {
		head, err := c.Chain.Head(ctx)
		if err != nil {
			return 0, err
		}
		return head, c.check(ctx, head)
	})
}

// check returns an error if a head does not count.
func (c *soberChain) check(ctx context.Context, head subnet.Block) error {
	c.mu.Lock()
	near := head <= c.known+plainSteps
	c.mu.Unlock()
	if !near {
		_, err := c.Chain.Commitments(ctx, head)
		if errors.Is(err, subnet.ErrNotFound) {
			return fmt.Errorf("block %d: %w: %w", head, errAhead, subnet.ErrTemporary)
		} else if err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = max(c.known, head)
	return nil
}

// Wait implements [subnet.Chain].
func (c *soberChain) Wait(ctx context.Context, b subnet.Block) error {
	for {
		if err := c.Chain.Wait(ctx, b); err != nil {
			return err
		}
		c.mu.Lock()
		over := b <= c.known
		c.mu.Unlock()
		if over {
			return nil
		}
		head, err := c.Head(ctx)
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && head >= b {
			return nil
		}
		if Pause(ctx, askAgain) != nil {
			return ctx.Err()
		}
	}
}

// Hash implements [subnet.Chain].
func (c *soberChain) Hash(ctx context.Context, b subnet.Block) (string, error) {
	return patiently(ctx, c, func() (string, error) { return c.Chain.Hash(ctx, b) })
}

// Time implements [subnet.Chain].
func (c *soberChain) Time(ctx context.Context, b subnet.Block) (time.Time, error) {
	return patiently(ctx, c, func() (time.Time, error) { return c.Chain.Time(ctx, b) })
}

// Metagraph implements [subnet.Chain].
func (c *soberChain) Metagraph(ctx context.Context, at subnet.Block) (*subnet.Metagraph, error) {
	return patiently(ctx, c, func() (*subnet.Metagraph, error) { return c.Chain.Metagraph(ctx, at) })
}

// Commitments implements [subnet.Chain].
func (c *soberChain) Commitments(ctx context.Context, at subnet.Block) ([]subnet.Commitment, error) {
	return patiently(ctx, c, func() ([]subnet.Commitment, error) { return c.Chain.Commitments(ctx, at) })
}

// patiently asks until there is an answer, or an error that will stay.
func patiently[T any](ctx context.Context, c *soberChain, ask func() (T, error)) (T, error) {
	for try := 0; ; try++ {
		answer, err := ask()
		c.mu.Lock()
		begun := c.begun
		c.begun = begun || err == nil
		c.mu.Unlock()
		if err == nil || ctx.Err() != nil || !begun || !errors.Is(err, subnet.ErrTemporary) {
			return answer, err
		}
		if try%tellAgain == 0 {
			c.emit(subnet.Event{Level: slog.LevelWarn, Kind: "retry", Text: "the chain cannot be read, trying again", Attrs: []slog.Attr{slog.String("error", err.Error())}})
		}
		if Pause(ctx, askAgain) != nil {
			return answer, err
		}
	}
}
