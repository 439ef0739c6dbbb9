package templar

import "math/bits"

// The network draws its random numbers with numpy, and two neurons agree on what a
// window is about only if they draw the same ones. This file is numpy's
// default_rng(seed): PCG64 (XSL-RR, 128 bits of state) seeded through SeedSequence,
// and of the generator's methods the three that matter, with the same stream.

// A generator is numpy.random.default_rng(seed).
type generator struct {
	state, inc u128
	half       uint32 // the high half of the last draw, which the next 32 bits are
	hasHalf    bool
}

// newGenerator returns default_rng of a seed below 2^32.
func newGenerator(seed uint32) *generator {
	w := seedWords(seed)
	g := &generator{}
	seq := u128{w[2], w[3]}
	g.inc = u128{seq.hi<<1 | seq.lo>>63, seq.lo<<1 | 1}
	g.step()
	g.state = g.state.add(u128{w[0], w[1]})
	g.step()
	return g
}

// Constants of SeedSequence.
const (
	poolWords = 4
	initA     = 0x43b0d7e5
	multA     = 0x931e8875
	initB     = 0x8b51f9dd
	multB     = 0x58f38ded
	mixL      = 0xca01f9dd
	mixR      = 0x4973f715
)

// seedWords is SeedSequence(seed).generate_state(4, uint64).
func seedWords(seed uint32) (words [4]uint64) {
	var pool [poolWords]uint32
	factor := uint32(initA)
	hash := func(v uint32) uint32 {
		v ^= factor
		factor *= multA
		v *= factor
		return v ^ v>>16
	}
	entropy := [poolWords]uint32{seed}
	for i, e := range entropy {
		pool[i] = hash(e)
	}
	for src := range pool {
		for dst := range pool {
			if src != dst {
				v := mixL*pool[dst] - mixR*hash(pool[src])
				pool[dst] = v ^ v>>16
			}
		}
	}
	factor = initB
	for i := range 2 * len(words) {
		v := pool[i%poolWords] ^ factor
		factor *= multB
		v *= factor
		words[i/2] |= uint64(v^v>>16) << (32 * (i % 2))
	}
	return words
}

// A u128 is an unsigned number of 128 bits.
type u128 struct{ hi, lo uint64 }

func (a u128) add(b u128) u128 {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(a.hi, b.hi, carry)
	return u128{hi, lo}
}

func (a u128) mul(b u128) u128 {
	hi, lo := bits.Mul64(a.lo, b.lo)
	return u128{hi + a.hi*b.lo + a.lo*b.hi, lo}
}

// pcgFactor is what the state is multiplied with in each step.
var pcgFactor = u128{0x2360ed051fc65da4, 0x4385df649fccf645}

func (g *generator) step() { g.state = g.state.mul(pcgFactor).add(g.inc) }

// uint64 draws 64 bits.
func (g *generator) uint64() uint64 {
	g.step()
	return bits.RotateLeft64(g.state.hi^g.state.lo, -int(g.state.hi>>58))
}

// uint32 draws 32 bits: the low half of a draw first, and then its high half,
// whatever was drawn in between.
func (g *generator) uint32() uint32 {
	if g.hasHalf {
		g.hasHalf = false
		return g.half
	}
	v := g.uint64()
	g.half, g.hasHalf = uint32(v>>32), true
	return uint32(v)
}

// advance goes on as if so many numbers of 64 bits had been drawn, and forgets a
// half that was left.
func (g *generator) advance(n uint64) {
	factor, inc := pcgFactor, g.inc
	total, sum := u128{lo: 1}, u128{}
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			total = total.mul(factor)
			sum = sum.mul(factor).add(inc)
		}
		inc = factor.add(u128{lo: 1}).mul(inc)
		factor = factor.mul(factor)
	}
	g.state = total.mul(g.state).add(sum)
	g.hasHalf = false
}

// bounded draws a number from 0 to last, both included, as Lemire does: of 32 bits
// where last has as many, of 64 otherwise.
func (g *generator) bounded(last uint64) uint64 {
	switch {
	case last == 0:
		return 0
	case last == 1<<64-1:
		return g.uint64()
	case last == 1<<32-1:
		return uint64(g.uint32())
	case last < 1<<32:
		n := uint32(last) + 1
		product := uint64(g.uint32()) * uint64(n)
		if uint32(product) < n {
			for least := (1<<32 - 1 - uint32(last)) % n; uint32(product) < least; {
				product = uint64(g.uint32()) * uint64(n)
			}
		}
		return product >> 32
	}
	n := last + 1
	hi, lo := bits.Mul64(g.uint64(), n)
	if lo < n {
		for least := (1<<64 - 1 - last) % n; lo < least; {
			hi, lo = bits.Mul64(g.uint64(), n)
		}
	}
	return hi
}

// maxPopulation is the largest number of things that choice chooses among.
const maxPopulation = 1 << 32

// choice is rng.choice(n, size=k, replace=False): k different numbers below n in
// the order in which they are drawn. n is at most maxPopulation, and k at most n.
func (g *generator) choice(n uint64, k int) []uint32 {
	if n > 10_000 && uint64(k) > n/50 {
		return g.tailShuffle(n, k)
	}
	chosen := make([]uint32, k)
	seen := newNumbers(n, k)
	for i := range chosen {
		last := n - uint64(k) + uint64(i)
		v := uint32(g.bounded(last))
		if seen.add(v) {
			v = uint32(last)
			seen.add(v)
		}
		chosen[i] = v
	}
	for i := k - 1; i > 0; i-- {
		j := g.bounded(uint64(i))
		chosen[i], chosen[j] = chosen[j], chosen[i]
	}
	return chosen
}

// tailShuffle shuffles the last k of the numbers below n into place. Of the other
// numbers only those are kept that have moved.
func (g *generator) tailShuffle(n uint64, k int) []uint32 {
	from := n - uint64(k)
	tail := make([]uint32, k)
	for i := range tail {
		tail[i] = uint32(from + uint64(i))
	}
	moved := make(map[uint32]uint32)
	for i := n - 1; i >= max(from, 1); i-- {
		j := g.bounded(i)
		at := &tail[i-from]
		if j >= from {
			*at, tail[j-from] = tail[j-from], *at
			continue
		}
		v, ok := moved[uint32(j)]
		if !ok {
			v = uint32(j)
		}
		moved[uint32(j)], *at = *at, v
	}
	return tail
}

// A numbers is a set of numbers below some n: a bit for each, or where there are
// to be few of them, a hash table.
type numbers struct {
	bits  []uint64
	table map[uint32]struct{}
}

// newNumbers returns an empty set that is to hold k numbers below n. A table takes
// some 16 bytes for each that it holds.
func newNumbers(n uint64, k int) *numbers {
	if n/8 > 16*uint64(k) {
		return &numbers{table: make(map[uint32]struct{}, k)}
	}
	return &numbers{bits: make([]uint64, (n+63)/64)}
}

// add puts v in and says whether it was there.
func (s *numbers) add(v uint32) (was bool) {
	if s.table != nil {
		_, was = s.table[v]
		s.table[v] = struct{}{}
		return was
	}
	word, bit := &s.bits[v/64], uint64(1)<<(v%64)
	was = *word&bit != 0
	*word |= bit
	return was
}
