package train

import (
	"context"
	"errors"
	"fmt"
)

// Ranks are processes that take each step together: each learns from batches of its
// own, and all update the same parameters with the gradient of all. The zero value
// is one process alone.
type Ranks struct {
	World, Rank int
	// Sum replaces grad by the sum over the ranks, and returns that of loss. Each
	// rank calls it once a step. The numbers are added in the order of the ranks,
	// beginning with the first one's: so all ranks get the same to the bit, and
	// it is that of one process that does the same. If it returns an error in one
	// rank, it does in all, and none has taken the step.
	Sum func(ctx context.Context, grad []float32, loss float64) (float64, error)
}

func (r Ranks) problems() []error {
	switch {
	case r.World < 0 || r.Rank < 0 || r.Rank >= max(r.World, 1):
		return []error{fmt.Errorf("ranks: rank %d of %d; they are counted from 0", r.Rank, r.World)}
	case r.World > 1 && r.Sum == nil:
		return []error{errors.New("ranks: no way to add their gradients up")}
	}
	return nil
}

// world returns how many ranks there are.
func (r Ranks) world() int { return max(r.World, 1) }

// AddInOrder returns, in sum, the sum of rows in their order. It is how [Ranks.Sum]
// adds.
func AddInOrder(sum []float32, rows ...[]float32) {
	copy(sum, rows[0])
	for _, row := range rows[1:] {
		for i, v := range row {
			sum[i] += v
		}
	}
}

// together makes of the gradient of this rank's batches, and of the sum of their
// mean losses, those of all ranks.
func (t *Trainer) together(ctx context.Context, loss float64) (float64, error) {
	r := t.opts.Ranks
	if r.world() == 1 {
		return loss, nil
	}
	if t.exchanged == nil {
		t.exchanged = make([]float32, t.opt.grad.Len())
	}
	t.opt.dev.Download(t.exchanged, t.opt.grad)
	sum, err := r.Sum(ctx, t.exchanged, loss)
	if err != nil {
		return 0, fmt.Errorf("add the gradients of %d processes up: %w", r.World, err)
	}
	t.opt.dev.Upload(t.opt.grad, t.exchanged)
	return sum / float64(r.World), nil
}
