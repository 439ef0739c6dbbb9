package torchfile

import (
	"errors"

	"adit/internal/subnet"
)

// spare is what a file of any size may make Decode allocate besides twice its
// own size, and kept is the part of it that is not accounted for in detail:
// the state of the reader itself and the text of an error.
const (
	spare = 1 << 20
	kept  = 32 << 10
)

// A budget is how many bytes may still be allocated for one file.
//
// A file's own bytes are read at most once each, since its entries may not lie
// over one another. What is made of them beyond that, the values that the
// pickle describes and copies of tensors, is paid from the budget, which is as
// large as the file and a little more. So nobody can have more memory taken
// here than twice what he has sent.
type budget int64

func newBudget(size int64) *budget {
	b := budget(size + spare - kept)
	return &b
}

var errBudget = subnet.WithHint(errors.New("the file describes far more than it holds"),
	"no checkpoint of tensors does; save it as safetensors if it is one")

// spend pays for an allocation of n bytes.
func (b *budget) spend(n int64) error {
	if n > int64(*b) {
		return errBudget
	}
	if *b -= budget(rounded(n)); *b < 0 {
		return errBudget
	}
	return nil
}

// spendRounding pays for what an allocation of n bytes takes beyond n.
func (b *budget) spendRounding(n int64) error { return b.spend(rounded(n) - n) }

// rounded returns no less than what Go's allocator takes for n bytes.
func rounded(n int64) int64 {
	step := int64(8)
	switch {
	case n > 32<<10:
		step = 8 << 10 // pages
	case n > 1<<10:
		return n + n/8 + 16
	case n > 768:
		step = 128
	case n > 512:
		step = 64
	case n > 256:
		step = 32
	case n > 32:
		step = 16
	}
	return (n + step - 1) &^ (step - 1)
}

// grow returns s with room for one more element of elem bytes.
func grow[T any](b *budget, s []T, elem int64) ([]T, error) {
	if len(s) < cap(s) {
		return s, nil
	}
	n := max(64, 2*cap(s))
	if err := b.spend(int64(n) * elem); err != nil {
		return nil, err
	}
	return append(make([]T, 0, n), s...), nil
}
