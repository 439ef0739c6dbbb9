package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"adit/internal/data"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// watch follows the chain, and starts the neurons whose time has come, until ctx is
// done or as many rounds are over as were asked for.
func (n *Network) watch(ctx context.Context, group *errgroup.Group, corpus *data.Corpus) error {
	c, err := n.client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := persistently(ctx, func(ctx context.Context) error { return n.aim(ctx, c) }); err != nil {
		return err
	}
	var head subnet.Block
	answered := time.Now()
	for {
		now, err := c.Head(ctx)
		if err == nil {
			head = now
			err = n.look(ctx, c, head)
			n.startNeurons(ctx, group, n.recipe.moment(head).Round)
		}
		if err == nil {
			err = n.recipe.measure(ctx, n, corpus)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			answered = time.Now()
		case time.Since(answered) > patience:
			return fmt.Errorf("watch the chain: %w", err)
		}
		if s := n.state.snapshot(); s.reached() {
			return nil
		}
		if err != nil { // Wait may know more blocks than the node answers for
			select {
			case <-ctx.Done():
			case <-time.After(n.plan.BlockTime):
			}
			continue
		}
		if err := n.nextBlock(ctx, c, head); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// nextBlock waits for the block after head. It loses patience with a node that
// makes none, such as one whose disk is full.
func (n *Network) nextBlock(ctx context.Context, c *subtensor.Client, head subnet.Block) error {
	wait := patience + n.plan.BlockTime
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errStalled)
	defer cancel()
	err := c.Wait(ctx, head+1)
	if err == nil || !errors.Is(context.Cause(ctx), errStalled) {
		return err
	}
	err = fmt.Errorf("%w for %v", errStalled, wait)
	for _, notice := range slices.Backward(n.state.snapshot().Notices) {
		if notice.From == "chain" {
			err = fmt.Errorf("%w: %s", err, notice.Text)
			break
		}
	}
	return subnet.WithHint(err, "cure that and start it again: the network goes on from here; the node's log is "+n.plan.logFile(n.dir, "chain"))
}

var errStalled = errors.New("the chain node has made no block")

// aim sets the goal: so many cycles more, from the next one that the network
// takes part in from its beginning.
func (n *Network) aim(ctx context.Context, c *subtensor.Client) error {
	if n.opts.Cycles == 0 {
		return nil
	}
	head, err := c.Head(ctx)
	if err != nil {
		return err
	}
	first := n.recipe.whole(head)
	n.state.update(func(s *Snapshot) {
		s.Goal = n.opts.Cycles
		if first > s.FirstCycle {
			s.Goal += int(first - s.FirstCycle)
		}
	})
	return nil
}

// look takes in what stands on chain after a block.
func (n *Network) look(ctx context.Context, c *subtensor.Client, head subnet.Block) error {
	meta, err := c.Subnet(subnet.NetUID(n.plan.NetUID), nil).Metagraph(ctx, subnet.Latest)
	if err != nil {
		return err
	}
	pos := n.recipe.moment(head)
	n.state.update(func(s *Snapshot) {
		s.Block, s.Cycle, s.Phase = uint64(head), pos.Round, pos.Phase
		s.PhaseStart, s.PhaseEnd = uint64(pos.Start), uint64(pos.End)
		if pos.Round >= s.FirstCycle {
			s.Cycles = int(pos.Round - s.FirstCycle)
		}
		for i := range s.Neurons {
			v := &s.Neurons[i]
			on, ok := meta.ByHotkey(subnet.Hotkey(v.Hotkey))
			if !ok {
				continue
			}
			v.UID, v.Incentive, v.Dividends, v.Permit = int(on.UID), on.Incentive, on.Dividends, on.Permit
			v.Emission, v.Stake = float64(on.Emission)/rao, float64(on.Stake)/rao
			v.Earned = v.Stake - float64(n.plan.Neurons[i].Stake)/rao
		}
	})
	return nil
}
