package model

import "adit/internal/engine/device"

// A block is memory of a device, in use or not.
type block struct {
	buf  device.Buf
	ints device.Ints // one of the two
	idle int         // passes in which it was not used
	used bool        // in this one
}

func (b *block) len() int {
	if b.ints != nil {
		return b.ints.Len()
	}
	return b.buf.Len()
}

// memory hands out blocks and takes them back. A training's passes are all
// alike, so that after the first one nothing is allocated.
type memory struct {
	dev          device.Device
	floats, ints []*block // not in use
}

// roomy is how many times larger than asked for a block may be.
const roomy = 4

// patience is how many passes a block is kept for without being used:
// an evaluation should not cost a training its memory, nor keep it for ever.
const patience = 16

// fit takes the smallest block out of free that n elements fit in and fill well
// enough.
func fit(free *[]*block, n int) *block {
	best := -1
	for i, b := range *free {
		if l := b.len(); l >= n && l <= roomy*n && (best < 0 || l < (*free)[best].len()) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	b := (*free)[best]
	last := len(*free) - 1
	(*free)[best] = (*free)[last]
	*free = (*free)[:last]
	b.used = true
	return b
}

// float returns a block of at least n numbers of any value.
func (m *memory) float(n int) *block {
	if b := fit(&m.floats, n); b != nil {
		return b
	}
	return &block{buf: m.dev.NewBuf(n), used: true}
}

// int returns a block of at least n whole numbers of any value.
func (m *memory) int(n int) *block {
	if b := fit(&m.ints, n); b != nil {
		return b
	}
	return &block{ints: m.dev.NewInts(n), used: true}
}

func (m *memory) give(b *block) {
	if b.ints != nil {
		m.ints = append(m.ints, b)
	} else {
		m.floats = append(m.floats, b)
	}
}

// rest ends a pass, in which all blocks came back.
func (m *memory) rest() {
	for _, free := range []*[]*block{&m.floats, &m.ints} {
		kept := (*free)[:0]
		for _, b := range *free {
			if b.idle++; b.used {
				b.idle, b.used = 0, false
			}
			if b.idle <= patience {
				kept = append(kept, b)
			}
		}
		clear((*free)[len(kept):])
		*free = kept
	}
}
