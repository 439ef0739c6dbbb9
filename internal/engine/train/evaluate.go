package train

import (
	"context"
	"math"

	"adit/internal/engine/model"
	"adit/internal/subnet"
)

// evalBatch is how many sequences are evaluated at once. No bit of the result
// depends on it.
const evalBatch = 8

// Evaluate returns the mean loss of m over these sequences of read. Each
// sequence's losses are summed apart in 64 bits, and the sums in the order of
// the sequences, whatever the device does at once.
func Evaluate(ctx context.Context, m *model.Model, read Reader, sequences []int64) (subnet.Loss, error) {
	return evaluate(ctx, m, read, sequences, evalBatch)
}

func evaluate(ctx context.Context, m *model.Model, read Reader, sequences []int64, size int) (subnet.Loss, error) {
	b := NewBatch(m, min(size, len(sequences)))
	return measure(ctx, m, len(sequences), size, func(lo, hi int) (*Batch, error) {
		if b.size > hi-lo {
			b = b.part(0, hi-lo)
		}
		for k, i := range sequences[lo:hi] {
			if err := b.set(k, read, i); err != nil {
				return nil, err
			}
		}
		return b, nil
	})
}

// EvaluateGiven is [Evaluate] of sequences that are at hand. One without a target
// has a loss of 0, and so have no others but such.
func EvaluateGiven(ctx context.Context, m *model.Model, sequences []subnet.Sequence) (subnet.Loss, error) {
	return evaluateGiven(ctx, m, sequences, evalBatch)
}

func evaluateGiven(ctx context.Context, m *model.Model, sequences []subnet.Sequence, size int) (subnet.Loss, error) {
	b := NewBatch(m, 0)
	return measure(ctx, m, len(sequences), size, func(lo, hi int) (*Batch, error) {
		return b, b.Fill(sequences[lo:hi], m.SeqLen())
	})
}

// measure evaluates m on n sequences, size at a time; fill returns those from lo to
// hi.
func measure(ctx context.Context, m *model.Model, n, size int, fill func(lo, hi int) (*Batch, error)) (subnet.Loss, error) {
	out, sum := subnet.Loss{}, 0.0
	for lo := 0; lo < n; lo += size {
		if err := ctx.Err(); err != nil {
			return subnet.Loss{}, err
		}
		b, err := fill(lo, min(lo+size, n))
		if err != nil {
			return subnet.Loss{}, err
		}
		m.Forward(b.losses, b.ids, b.targets, b.size)
		for k := range b.size {
			one := b.part(k, k+1)
			loss, tokens := one.addTo(0), one.Tokens()
			if math.IsNaN(loss) || math.IsInf(loss, 0) {
				out.Bad++
				loss = math.Inf(1)
			}
			sum += loss
			out.Tokens += tokens
			out.Sequences = append(out.Sequences, loss/float64(max(tokens, 1)))
		}
	}
	switch {
	case n == 0:
		out.Mean = math.Inf(1)
	case out.Tokens > 0:
		out.Mean = sum / float64(out.Tokens)
	}
	return out, nil
}
