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
	out, sum := subnet.Loss{}, 0.0
	for len(sequences) > 0 {
		if err := ctx.Err(); err != nil {
			return subnet.Loss{}, err
		}
		if b.size > len(sequences) {
			b = b.part(0, len(sequences))
		}
		for k, i := range sequences[:b.size] {
			if err := b.set(k, read, i); err != nil {
				return subnet.Loss{}, err
			}
		}
		sequences = sequences[b.size:]
		m.Forward(b.losses, b.ids, b.targets, b.size)
		out.Tokens += b.Tokens()
		for k := range b.size {
			one := b.part(k, k+1)
			loss := one.sum()
			if math.IsNaN(loss) || math.IsInf(loss, 0) {
				out.Bad++
				loss = math.Inf(1)
			}
			sum += loss
			out.Sequences = append(out.Sequences, loss/float64(one.Tokens()))
		}
	}
	out.Mean = sum / float64(out.Tokens)
	if math.IsNaN(out.Mean) {
		out.Mean = math.Inf(1) // of no sequences at all
	}
	return out, nil
}
