package train

import (
	"context"
	"fmt"
)

// batch returns the next batch since the last update: the same one until it has
// been learned from.
func (t *Trainer) batch(ctx context.Context) (*Batch, error) {
	if t.opts.Feed == nil {
		return t.loader.take(t.at(t.batches))
	}
	if t.batches < len(t.queue) {
		return t.queue[t.batches], nil
	}
	sequences, err := t.opts.Feed(ctx)
	if err != nil {
		return nil, err
	}
	var b *Batch
	if last := len(t.spare) - 1; last >= 0 {
		b, t.spare = t.spare[last], t.spare[:last]
	} else {
		b = NewBatch(t.m, 0)
	}
	if err := b.Fill(sequences, t.m.SeqLen()); err != nil {
		t.spare = append(t.spare, b)
		return nil, fmt.Errorf("batch that was fed: %w", err)
	}
	t.queue = append(t.queue, b)
	return b, nil
}

// at returns the first sequence of this rank's k-th batch since the last update,
// counted from 0. Each rank has as many as a step takes before the next rank has
// its own.
func (t *Trainer) at(k int) int64 {
	r, step := t.opts.Ranks, t.opts.Accumulate
	turn := k/step*r.world() + r.Rank
	return t.next + int64(turn*step+k%step)*int64(t.opts.Batch)
}

// pass leaves the text behind that has been learned from. Ranks leave as much
// behind as if all had learned from as many batches as a step takes.
func (t *Trainer) pass() {
	if t.opts.Feed != nil {
		t.spare = append(t.spare, t.queue[:t.batches]...)
		t.queue = append(t.queue[:0], t.queue[t.batches:]...)
		return
	}
	n := t.batches
	if world := t.opts.Ranks.world(); world > 1 {
		step := t.opts.Accumulate
		n = (n + step - 1) / step * step * world
	}
	t.next += int64(n) * int64(t.opts.Batch)
}
