package sim

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"adit/internal/subnet"
)

// patience is how long the chain's client waits for an endpoint before it says that
// there is none.
const patience = 30 * time.Second

// A roughChain is a neuron's view of the chain in bad weather, through a client that
// behaves as the real one: what is asked while no endpoint answers fails after a
// while, but who waits for a block, or for what was sent, goes on waiting.
type roughChain struct {
	*client
	life *life
}

var _ subnet.Chain = roughChain{}

// cut says whether no endpoint answers.
func (c roughChain) cut() bool { return c.life.faults.on(c.life.who, ChainDown, ChainDownAll) != nil }

// up waits until an endpoint answers, for as long as the client does.
func (c roughChain) up(ctx context.Context, act bool) error {
	if err := c.life.op(act); err != nil {
		return err
	}
	for waited := time.Duration(0); c.cut(); waited += time.Second {
		if waited >= patience {
			return fmt.Errorf("no endpoint answers in time: %w", subnet.ErrTemporary)
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// seen is the head that the endpoint tells.
func (c roughChain) seen() subnet.Block {
	head := c.now()
	switch f := c.life.faults.on(c.life.who, HeadStands, HeadAhead, ClockBehind, ClockAhead); {
	case f == nil:
		return head
	case f.Kind == HeadStands:
		return min(head, f.From)
	case f.Kind == ClockBehind:
		return head - min(head, subnet.Block(f.Op))
	}
	return head + subnet.Block(c.life.faults.on(c.life.who, HeadAhead, ClockAhead).Op)
}

func (c roughChain) Head(ctx context.Context) (subnet.Block, error) {
	if err := c.up(ctx, false); err != nil {
		return 0, err
	}
	return c.seen(), nil
}

func (c roughChain) Wait(ctx context.Context, b subnet.Block) error {
	if err := c.life.op(false); err != nil {
		return err
	}
	for {
		if !c.cut() && c.seen() >= b {
			return nil
		}
		next := min(b, c.life.faults.change(c.life.who))
		if now := c.now(); next <= now {
			next = now + 1
		}
		if err := c.client.Wait(ctx, next); err != nil {
			return err
		}
	}
}

// at is the block whose state is read.
func (c roughChain) at(ctx context.Context, b subnet.Block) (subnet.Block, error) {
	if err := c.up(ctx, false); err != nil {
		return 0, err
	}
	if b == subnet.Latest {
		return min(c.seen(), c.now()), nil
	}
	if b > min(c.seen(), c.now()) {
		return 0, fmt.Errorf("block %d: %w", b, subnet.ErrNotFound)
	}
	return b, nil
}

func (c roughChain) Hash(ctx context.Context, b subnet.Block) (string, error) {
	b, err := c.at(ctx, b)
	if err != nil {
		return "", err
	}
	return c.client.Hash(ctx, b)
}

func (c roughChain) Time(ctx context.Context, b subnet.Block) (time.Time, error) {
	b, err := c.at(ctx, b)
	if err != nil {
		return time.Time{}, err
	}
	t, err := c.client.Time(ctx, b)
	return t.Add(-c.life.skewed()), err
}

func (c roughChain) Metagraph(ctx context.Context, b subnet.Block) (*subnet.Metagraph, error) {
	b, err := c.at(ctx, b)
	if err != nil {
		return nil, err
	}
	return c.client.Metagraph(ctx, b)
}

func (c roughChain) Commitments(ctx context.Context, b subnet.Block) ([]subnet.Commitment, error) {
	b, err := c.at(ctx, b)
	if err != nil {
		return nil, err
	}
	return c.client.Commitments(ctx, b)
}

// sends carries out what changes the chain.
func (c roughChain) sends(ctx context.Context, act func() (subnet.Block, error)) (subnet.Block, error) {
	if err := c.up(ctx, true); err != nil {
		return 0, err
	}
	block, err := act()
	for err == nil && c.cut() { // nobody says that it is in a block
		err = sleep(ctx, time.Second)
	}
	if err == nil {
		err = c.life.op(true)
	}
	return block, err
}

func (c roughChain) Commit(ctx context.Context, fields ...string) (subnet.Block, error) {
	return c.sends(ctx, func() (subnet.Block, error) { return c.client.Commit(ctx, fields...) })
}

func (c roughChain) SetWeights(ctx context.Context, weights []subnet.Weight) (subnet.Block, error) {
	return c.sends(ctx, func() (subnet.Block, error) { return c.client.SetWeights(ctx, weights) })
}

func (c roughChain) ServeAxon(ctx context.Context, addr netip.AddrPort) error {
	_, err := c.sends(ctx, func() (subnet.Block, error) { return 0, c.client.ServeAxon(ctx, addr) })
	return err
}
