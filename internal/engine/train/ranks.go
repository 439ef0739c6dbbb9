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
	// rank calls it once a step, with as many numbers each time: the gradient, and
	// if it is fed one more, how many tokens it learned from. The numbers are added in the order of the ranks,
	// beginning with the first one's: so all ranks get the same to the bit, and
	// it is that of one process that does the same. A rank for which it returns an
	// error has not taken the step; others may have, and are to be shown its state.
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

// together makes of the gradient of this rank's batches that of all ranks. It
// returns the mean loss of their tokens with a target, 0 if there are none, and
// how many they are.
//
// Where the text is the engine's own, all ranks have as many. Where it is fed they
// tell one another: a rank may be without any.
func (t *Trainer) together(ctx context.Context) (loss float64, tokens int, err error) {
	r, n := t.opts.Ranks, t.opt.grad.Len()
	fed := t.opts.Feed != nil
	if r.world() == 1 || !fed {
		loss = t.losses / float64(max(t.tokens, 1))
	} else {
		loss = t.losses
	}
	if r.world() == 1 {
		return loss, t.tokens, nil
	}
	if t.exchanged == nil {
		t.exchanged = make([]float32, n, n+1)
		if fed {
			t.exchanged = t.exchanged[:n+1]
		}
	}
	t.opt.dev.Download(t.exchanged[:n], t.opt.grad)
	if fed {
		t.exchanged[n] = float32(t.tokens) // exact to 16 million of all ranks
	}
	if loss, err = r.Sum(ctx, t.exchanged, loss); err != nil {
		return 0, 0, fmt.Errorf("add the gradients of %d processes up: %w", r.World, err)
	}
	t.opt.dev.Upload(t.opt.grad, t.exchanged[:n])
	if fed {
		tokens = int(t.exchanged[n])
		return loss / float64(max(tokens, 1)), tokens, nil
	}
	return loss / float64(r.World), t.tokens * r.World, nil
}
