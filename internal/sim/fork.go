package sim

import (
	"maps"
	"math/rand/v2"

	"adit/internal/ledger"
	"adit/internal/subnet"
)

// A fork is a reorganisation: when the chain has made depth blocks on base, others
// take their place. What the old blocks held goes back to those who wait, if it is
// not lost.
type fork struct {
	base  subnet.Block
	depth subnet.Block
	lots  *rand.Rand // who is lost, and how late the others are

	before map[string][]byte // the state after base
}

// flush lets the ledger forget what its blocks have changed, and keeps it.
func (c *Chain) flush() {
	for _, change := range c.ledger.End() {
		if change.Value == nil {
			delete(c.values, string(change.Key))
		} else {
			c.values[string(change.Key)] = change.Value
		}
	}
}

// reorganise does what is due of a fork before the next block is made.
func (c *Chain) reorganise() {
	if c.forked == len(c.forks) {
		return
	}
	f := c.forks[c.forked]
	if c.head == f.base && f.before == nil {
		c.flush()
		f.before = maps.Clone(c.values)
	}
	if c.head != f.base+f.depth || f.before == nil {
		return
	}
	c.forked++
	c.ledger, c.values, c.head = ledger.Restore(c.founded, f.before), f.before, f.base
	c.commitments, c.metagraphs = rewind(c.commitments, f.base), rewind(c.metagraphs, f.base)
	kept := 0
	for kept < len(c.included) && c.included[kept].block <= f.base {
		kept++
	}
	retracted := c.included[kept:]
	c.included = c.included[:kept:kept]
	for _, in := range retracted {
		if f.lots.IntN(3) > 0 { // else it is lost
			in.sent.due = f.base + 1 + subnet.Block(f.lots.IntN(int(f.depth)+1))
			c.pending = append(c.pending, in.sent)
		}
	}
}

// rewind forgets the states after a block.
func rewind[T any](list []versionOf[T], base subnet.Block) []versionOf[T] {
	for len(list) > 0 && list[len(list)-1].block > base {
		list = list[:len(list)-1]
	}
	return list
}
