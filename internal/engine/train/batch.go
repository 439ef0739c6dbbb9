package train

import (
	"errors"
	"fmt"
	"slices"

	"adit/internal/engine/model"
	"adit/internal/subnet"
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

// Fill makes the batch of these sequences, of which none may have more than most
// tokens. Shorter ones than the longest are filled up behind: what follows a
// token does not bear upon it. It is filled up with a sequence's own first token,
// which all of it has seen anyway, even if that is one whose embedding is NaN.
func (b *Batch) Fill(sequences []subnet.Sequence, most int) error {
	if len(sequences) == 0 {
		return errors.New("no sequences")
	}
	t := 0
	for i, s := range sequences {
		if err := b.check(s, most); err != nil {
			return fmt.Errorf("sequence %d of %d: %w", i+1, len(sequences), err)
		}
		t = max(t, len(s.Tokens))
	}
	b.size = len(sequences)
	n := b.size * t
	b.ids, b.targets, b.losses = slices.Grow(b.ids[:0], n), slices.Grow(b.targets[:0], n), slices.Grow(b.losses[:0], n)[:n]
	for _, s := range sequences {
		b.ids, b.targets = append(b.ids, s.Tokens...), append(b.targets, s.Targets...)
		for range t - len(s.Tokens) {
			b.ids, b.targets = append(b.ids, s.Tokens[0]), append(b.targets, -1)
		}
	}
	return nil
}

// check returns what is wrong with a sequence.
func (b *Batch) check(s subnet.Sequence, most int) error {
	if n := len(s.Tokens); n < 1 || n > most || len(s.Targets) != n {
		return fmt.Errorf("%d tokens with %d targets; there must be as many, from 1 to %d", n, len(s.Targets), most)
	}
	for i, id := range s.Tokens {
		if id < 0 || int(id) >= b.vocab {
			return fmt.Errorf("token %d in a vocabulary of %d", id, b.vocab)
		}
		if to := s.Targets[i]; int(to) >= b.vocab {
			return fmt.Errorf("target %d in a vocabulary of %d", to, b.vocab)
		}
	}
	return nil
}

// part returns the sequences lo to hi of the batch, sharing their memory.
func (b *Batch) part(lo, hi int) *Batch {
	t := len(b.ids) / b.size
	return &Batch{
		ids: b.ids[lo*t : hi*t], targets: b.targets[lo*t : hi*t], losses: b.losses[lo*t : hi*t],
		sequence: b.sequence, size: hi - lo, vocab: b.vocab,
	}
}

// addTo adds the losses to sum, one after another.
func (b *Batch) addTo(sum float64) float64 {
	for _, l := range b.losses {
		sum += float64(l)
	}
	return sum
}

// Learn adds share of the gradient of the batch's mean loss, which it returns,
// to m's gradients. A batch without a target has a loss of 0 and adds nothing.
func (b *Batch) Learn(m *model.Model, share float64) (loss float64) {
	n := float64(b.Tokens())
	if n == 0 {
		clear(b.losses)
		return 0
	}
	m.Backward(b.losses, b.ids, b.targets, b.size, float32(share/n))
	return b.addTo(0) / n
}

// Tokens returns how many tokens have a target.
func (b *Batch) Tokens() int {
	n := 0
	for _, to := range b.targets {
		if to >= 0 {
			n++
		}
	}
	return n
}
