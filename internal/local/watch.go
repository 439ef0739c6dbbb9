package local

import (
	"context"
	"errors"
	"fmt"

	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// watch follows the chain until ctx is done or as many cycles are over as were
// asked for.
func (n *Network) watch(ctx context.Context) error {
	c, err := n.client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		head, err := c.Head(ctx)
		if err == nil {
			err = n.look(ctx, c, head)
		}
		if ctx.Err() != nil {
			return nil
		}
		// A node that is being restarted will answer again.
		if err != nil && !errors.Is(err, subnet.ErrTemporary) {
			return fmt.Errorf("watch the chain: %w", err)
		}
		if s := n.state.snapshot(); s.Goal > 0 && s.Cycles >= s.Goal {
			return nil
		}
		if err := c.Wait(ctx, head+1); err != nil && ctx.Err() == nil && !errors.Is(err, subnet.ErrTemporary) {
			return fmt.Errorf("watch the chain: %w", err)
		}
	}
}

// look takes in what stands on chain after a block.
func (n *Network) look(ctx context.Context, c *subtensor.Client, head subnet.Block) error {
	meta, err := c.Subnet(subnet.NetUID(n.plan.NetUID), nil).Metagraph(ctx, subnet.Latest)
	if err != nil {
		return err
	}
	pos := n.rules.Schedule.At(head)
	n.state.update(func(s *Snapshot) {
		s.Block, s.Cycle, s.Phase = uint64(head), pos.Cycle, pos.Phase.String()
		s.PhaseStart, s.PhaseEnd = uint64(pos.Start), uint64(pos.End)
		if pos.Cycle >= s.FirstCycle {
			s.Cycles = int(pos.Cycle - s.FirstCycle)
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
