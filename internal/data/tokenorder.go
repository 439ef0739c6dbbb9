package data

import (
	"fmt"
	"math"

	"adit/internal/subnet"
)

// An Order is the order in which sequences are taken from [Tokens]: a function of
// these numbers and of that of the sequence, so that whoever saves one number
// can go on from there.
//
// A sequence of n tokens makes n-1 predictions, so the next one of the text begins
// with its last token: a model that sees T tokens at once is trained on
// sequences of T+1.
type Order struct {
	SeqLen int // tokens of a sequence, at least 2
	// Shuffle takes the tokens as a ring, cuts it in each epoch at other
	// places and visits the sequences in another order. Without it, every
	// epoch is that of the text.
	Shuffle bool
	Seed    uint64 // of the shuffle
	// Shards takers share the tokens, and this is one of them, counted from 0:
	// its i-th sequence is the one numbered i*Shards+Shard of all, so that in
	// an epoch every sequence goes to one of them. 0 shards are 1.
	Shard, Shards int
}

// check returns the order with its defaults.
func (o Order) check() (Order, error) {
	if o.Shards == 0 {
		o.Shards = 1
	}
	switch {
	case o.SeqLen < 2:
		return o, fmt.Errorf("sequence of %d tokens: want at least 2", o.SeqLen)
	case o.Shards < 0 || o.Shard < 0 || o.Shard >= o.Shards:
		return o, fmt.Errorf("shard %d of %d", o.Shard, o.Shards)
	}
	return o, nil
}

// EpochLen returns how many sequences an epoch has, over all shards; 0 if there
// are fewer tokens than one sequence has.
func (t *Tokens) EpochLen(o Order) int64 {
	step := int64(o.SeqLen) - 1
	switch {
	case step < 1 || t.n <= step:
		return 0
	case o.Shuffle:
		return t.n / step
	}
	return (t.n - 1) / step
}

// Epoch returns in which epoch, counted from 0, the i-th sequence of an order is.
func (t *Tokens) Epoch(o Order, i int64) int64 {
	n := t.EpochLen(o)
	if o, err := o.check(); err == nil && n > 0 {
		return (i*int64(o.Shards) + int64(o.Shard)) / n
	}
	return 0
}

// Sequence fills dst, which has the order's length, with its i-th sequence. It
// allocates nothing.
func (t *Tokens) Sequence(dst []int32, o Order, i int64) error {
	o, err := o.check()
	epochLen := t.EpochLen(o)
	switch {
	case err != nil:
		return err
	case len(dst) != o.SeqLen:
		return fmt.Errorf("room for %d tokens of a sequence of %d", len(dst), o.SeqLen)
	case i < 0 || i > math.MaxInt64/int64(o.Shards)-1:
		return fmt.Errorf("sequence number %d", i)
	case epochLen == 0:
		return subnet.WithHint(fmt.Errorf("%d tokens, fewer than a sequence of %d", t.n, o.SeqLen),
			"give more text, or use shorter sequences")
	}
	number := i*int64(o.Shards) + int64(o.Shard)
	step := int64(o.SeqLen) - 1
	if !o.Shuffle {
		return t.Read(dst, number%epochLen*step)
	}
	p := newEpoch(o.Seed, uint64(number/epochLen))
	at := int64(p.offset%uint64(t.n)) + int64(p.permute(uint64(number%epochLen), uint64(epochLen)))*step
	at %= t.n
	head := min(int64(len(dst)), t.n-at)
	if err := t.Read(dst[:head], at); err != nil {
		return err
	}
	return t.Read(dst[head:], 0)
}

// newEpoch returns the order of one epoch: numbers of SplitMix64, begun at what
// the seed and the epoch are mixed to.
func newEpoch(seed, epoch uint64) pass {
	const golden = 0x9e3779b97f4a7c15
	state := mix(mix(seed+golden) + epoch)
	next := func() uint64 {
		state += golden
		return mix(state)
	}
	p := pass{offset: next()}
	for r := range p.keys {
		p.keys[r] = next()
	}
	return p
}
