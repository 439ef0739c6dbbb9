package templar

import (
	"context"
	"log/slog"
	"time"
)

// plainlyOff is from where on the machine's clock is taken to be wrong: the newest
// block is never so old, nor ever of the future.
const plainlyOff = 2 * time.Minute

// setClock measures how far the machine's clock is off the chain's. Deadlines are by
// the chain's, and stores go by their own: who waits by a clock that is ten minutes
// behind would be late for two windows, and by one that is ahead would not wait at
// all.
func (n *neuron) setClock(ctx context.Context) {
	head, err := n.Chain.Head(ctx)
	if err != nil {
		return
	}
	made, err := n.Chain.Time(ctx, head)
	if err != nil {
		return
	}
	off := time.Since(made)
	if off.Abs() < plainlyOff {
		off = 0
	}
	n.mu.Lock()
	told := (n.off - off).Abs() < plainlyOff
	n.off = off
	n.mu.Unlock()
	if !told {
		n.Say("clock", "This machine's clock is off the chain's by "+off.Round(time.Second).String()+".", slog.Duration("off", off), slog.Uint64("block", uint64(head)))
	}
}

// left is how long it is until a time of the chain's clock.
func (n *neuron) left(t time.Time) time.Duration { return time.Until(n.local(t)) }

// local is a time of the chain's clock by that of the machine.
func (n *neuron) local(t time.Time) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return t.Add(n.off)
}
