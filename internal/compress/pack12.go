package compress

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// PackIndices appends the indices to dst, two in three bytes: a, b become
// a&255, a>>8 | b&15<<4, b>>4. There must be an even number of indices below
// [MaxChunk].
func PackIndices(dst []byte, index []uint16) []byte {
	for i := 0; i+1 < len(index); i += 2 {
		a, b := index[i], index[i+1]
		dst = append(dst, byte(a), byte(a>>8)&15|byte(b)<<4, byte(b>>4))
	}
	return dst
}

// UnpackIndices sets index from len(index)/2*3 packed bytes.
func UnpackIndices(index []uint16, packed []byte) {
	for len(index) >= 2 && len(packed) >= 3 {
		a, b, c := uint16(packed[0]), uint16(packed[1]), uint16(packed[2])
		index[0], index[1] = a|b&15<<8, b>>4|c<<4
		index, packed = index[2:], packed[3:]
	}
}

// NewPacked returns the part of a tensor that came as upstream sends it: keep
// packed indices for each chunk of g, in any order, and as many codes, a byte
// each. It keeps packed and code and does not change them.
//
// It checks all of them first: the lengths, that the codes of a chunk belong to
// different elements of it, and that each code stands for something. Unlike
// upstream, which reads beyond its table for a larger code, and lets a sender
// count twice for an element that it names twice.
func NewPacked(g Grid, keep int, packed, code []byte, q Quant, bins int) (*Part, error) {
	if err := q.Check(bins); err != nil {
		return nil, err
	}
	if keep < 2 || keep&1 != 0 || keep > g.Size() {
		return nil, fmt.Errorf("%d elements kept of %d", keep, g.Size())
	}
	if n := g.Chunks() * keep; len(code) != n || len(packed) != n/2*3 {
		return nil, fmt.Errorf("%d codes and %d bytes of indices for %d elements", len(code), len(packed), n)
	}
	p := &Part{Grid: g, Keep: keep, Values: q.Values(), packed: packed, code: code}
	counts, err := p.checkPacked(bins)
	if err != nil {
		return nil, err
	}
	p.Counts = counts
	return p, nil
}

// checkPacked returns how often each code occurs.
func (p *Part) checkPacked(bins int) ([]int, error) {
	counts := countBytes(p.code)
	for c := bins; c < len(counts); c++ {
		if counts[c] > 0 {
			return nil, fmt.Errorf("a code is %d, and there are %d", c, bins)
		}
	}
	size, index := p.Grid.Size(), make([]uint16, p.Keep)
	var seen [MaxChunk]uint8 // in which chunk, but for multiples of 255
	for c := range p.Grid.Chunks() {
		now := uint8(c%255 + 1)
		if now == 1 {
			clear(seen[:])
		}
		p.indices(c, index)
		most, twice := uint16(0), uint8(0)
		for _, i := range index {
			s := &seen[i%MaxChunk]
			if *s == now {
				twice = 1
			}
			*s = now
			most = max(most, i)
		}
		if int(most) >= size {
			return nil, fmt.Errorf("chunk %d: index %d of %d", c, most, size)
		}
		if twice != 0 {
			return nil, fmt.Errorf("chunk %d: an index occurs twice", c)
		}
	}
	return append([]int(nil), counts[:bins]...), nil
}

// countBytes returns how often each value occurs.
func countBytes(b []byte) (counts [256]int) {
	const each = 0x0101010101010101
	var few, high, low, both int
	for ; len(b) >= 8; b = b[8:] {
		w := binary.LittleEndian.Uint64(b)
		if w&^(3*each) != 0 {
			for _, c := range b[:8] {
				counts[c]++
			}
			continue
		}
		few += 8
		high += bits.OnesCount64(w >> 1 & each)
		low += bits.OnesCount64(w & each)
		both += bits.OnesCount64(w & (w >> 1) & each)
	}
	for _, c := range b {
		counts[c]++
	}
	counts[0] += few - high - low + both
	counts[1] += low - both
	counts[2] += high - both
	counts[3] += both
	return counts
}

// indices sets those of a chunk that came packed.
func (p *Part) indices(chunk int, index []uint16) {
	UnpackIndices(index, p.packed[chunk*p.Keep/2*3:][:p.Keep/2*3])
}
