package train

import (
	"fmt"

	"adit/internal/engine/model"
)

// A Reader fills dst, one more than the sequence length, with the tokens of
// the i-th sequence. The same i always gives the same tokens. It is called
// while the model computes, but by one goroutine at a time.
type Reader func(dst []int32, i int64) error

// A Batch is the host's side of passes through the model: what goes in and the
// loss of each token, in nats.
type Batch struct {
	ids, targets []int32 // (B*T)
	losses       []float32
	sequence     []int32 // (T+1)
	size, vocab  int
}

// NewBatch returns a batch of size sequences for m.
func NewBatch(m *model.Model, size int) *Batch {
	n := size * m.SeqLen()
	return &Batch{
		ids: make([]int32, n), targets: make([]int32, n), losses: make([]float32, n),
		sequence: make([]int32, m.SeqLen()+1), size: size, vocab: m.Config().VocabSize,
	}
}

// Read fills the batch with the sequences from first on.
func (b *Batch) Read(read Reader, first int64) error {
	for k := range b.size {
		if err := b.set(k, read, first+int64(k)); err != nil {
			return err
		}
	}
	return nil
}

// set makes sequence i of read the k-th of the batch: each token but the last
// has the next one as its target.
func (b *Batch) set(k int, read Reader, i int64) error {
	if err := read(b.sequence, i); err != nil {
		return fmt.Errorf("read sequence %d: %w", i, err)
	}
	for _, id := range b.sequence {
		if id < 0 || int(id) >= b.vocab {
			return fmt.Errorf("read sequence %d: token %d in a vocabulary of %d", i, id, b.vocab)
		}
	}
	t := len(b.sequence) - 1
	copy(b.ids[k*t:(k+1)*t], b.sequence)
	copy(b.targets[k*t:(k+1)*t], b.sequence[1:])
	return nil
}

// part returns the sequences lo to hi of the batch, sharing their memory.
func (b *Batch) part(lo, hi int) *Batch {
	t := len(b.sequence) - 1
	return &Batch{
		ids: b.ids[lo*t : hi*t], targets: b.targets[lo*t : hi*t], losses: b.losses[lo*t : hi*t],
		sequence: b.sequence, size: hi - lo, vocab: b.vocab,
	}
}

// sum adds the losses up in order.
func (b *Batch) sum() float64 {
	s := 0.0
	for _, l := range b.losses {
		s += float64(l)
	}
	return s
}

// Learn adds share of the gradient of the batch's mean loss, which it returns,
// to m's gradients.
func (b *Batch) Learn(m *model.Model, share float64) (loss float64) {
	n := float64(len(b.ids))
	m.Backward(b.losses, b.ids, b.targets, b.size, float32(share/n))
	return b.sum() / n
}

// Tokens returns how many tokens have a target.
func (b *Batch) Tokens() int { return len(b.ids) }
