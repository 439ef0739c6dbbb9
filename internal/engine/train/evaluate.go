package train

import (
	"context"
	"math"

	"adit/internal/engine/model"
	"adit/internal/subnet"
)

// evalBatch is how many sequences are evaluated at once. It is fixed, so that
// validators count the same batches as bad.
const evalBatch = 8

// Evaluate returns the mean loss of m over these sequences of read. The sum is
// taken in their order, whatever the device does at once.
func Evaluate(ctx context.Context, m *model.Model, read Reader, sequences []int64) (subnet.Loss, error) {
	b := NewBatch(m, min(evalBatch, len(sequences)))
	out, sum := subnet.Loss{}, 0.0
	for len(sequences) > 0 {
		if err := ctx.Err(); err != nil {
			return subnet.Loss{}, err
		}
		if b.size > len(sequences) {
			b = NewBatch(m, len(sequences))
		}
		for k, i := range sequences[:b.size] {
			if err := b.set(k, read, i); err != nil {
				return subnet.Loss{}, err
			}
		}
		sequences = sequences[b.size:]
		m.Forward(b.losses, b.ids, b.targets, b.size)
		loss := b.sum()
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			out.Bad++
		}
		sum += loss
		out.Tokens += b.Tokens()
	}
	out.Mean = sum / float64(out.Tokens)
	if out.Bad > 0 || math.IsNaN(out.Mean) {
		out.Mean = math.Inf(1)
	}
	return out, nil
}
