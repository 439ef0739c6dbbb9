package data

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"

	"adit/internal/subnet"
)

// Sequence fills dst with the i-th training sequence of a domain in the order
// that seed gives. A sequence of n tokens makes n-1 predictions, so the next one
// in the text begins with its last token.
//
// The documents stand end to end with [EndOfText] after each; the stream is a
// ring. A pass cuts it into windows, beginning at an offset of its own, and visits
// each once, in an order of its own. All of it is computed from the seed and i.
func (c *Corpus) Sequence(dst []int32, domain int, seed string, i int64) error {
	s, err := c.stream(domain)
	if err != nil {
		return err
	}
	step := int64(len(dst)) - 1
	total := int64(len(s.train))
	switch {
	case step < 1:
		return fmt.Errorf("sequence of %d tokens: want at least 2", len(dst))
	case i < 0:
		return fmt.Errorf("sequence number %d", i)
	case total <= step:
		return c.tooShort(domain, "to train on", total, len(dst))
	}
	windows := total / step
	pass := newPass(seed, domain, i/windows)
	at := int64(pass.offset%uint64(total)) + int64(pass.permute(uint64(i%windows), uint64(windows)))*step
	for j := range dst {
		dst[j] = int32(s.train[(at+int64(j))%total])
	}
	return nil
}

// PassLen returns how many sequences of n tokens one pass over the training text
// of a domain has; 0 if the text is shorter than one.
func (c *Corpus) PassLen(domain, n int) int64 {
	s, err := c.stream(domain)
	if err != nil || n < 2 || len(s.train) < n {
		return 0
	}
	return int64(len(s.train)) / int64(n-1)
}

// HeldOutLen returns how many held-out sequences of n tokens a domain has.
func (c *Corpus) HeldOutLen(domain, n int) int64 {
	s, err := c.stream(domain)
	if err != nil || n < 2 {
		return 0
	}
	return max(0, int64(len(s.heldOut)-1)/int64(n-1))
}

// HeldOut fills dst with the i-th held-out sequence of a domain, in the order of
// the text. The next one begins with its last token, so that every token but the
// first is predicted once.
func (c *Corpus) HeldOut(dst []int32, domain int, i int64) error {
	s, err := c.stream(domain)
	if err != nil {
		return err
	}
	n := c.HeldOutLen(domain, len(dst))
	if n == 0 {
		return c.tooShort(domain, "held out", int64(len(s.heldOut)), len(dst))
	}
	if i < 0 || i >= n {
		return fmt.Errorf("held-out sequence %d of %d", i, n)
	}
	at := i * int64(len(dst)-1)
	for j := range dst {
		dst[j] = int32(s.heldOut[at+int64(j)])
	}
	return nil
}

func (c *Corpus) tooShort(domain int, side string, tokens int64, n int) error {
	return subnet.WithHint(fmt.Errorf("domain %d, %s: %d tokens %s, fewer than a sequence of %d",
		domain, c.info.Domains[domain].Name, tokens, side, n), "give more text, or use shorter sequences")
}

// rounds of the Feistel network; four make a permutation that cannot be told from
// a random one at these sizes.
const rounds = 4

// A pass is the order of one walk over a domain.
type pass struct {
	offset uint64
	keys   [rounds]uint64
}

func newPass(seed string, domain int, number int64) pass {
	h := sha256.New()
	fmt.Fprintf(h, "sequence order 1\x00%q\x00%d\x00%d", seed, domain, number)
	sum := h.Sum(nil)
	p := pass{offset: binary.LittleEndian.Uint64(sum)}
	for r := range p.keys {
		// Each round's key is the rest of the digest, stirred: 24 bytes are
		// left for four keys.
		p.keys[r] = mix(binary.LittleEndian.Uint64(sum[8:]) + uint64(r)*binary.LittleEndian.Uint64(sum[16:]))
	}
	return p
}

// permute maps i in [0, n) to its place, one to one. A Feistel network permutes
// the next power of four; places beyond n are permuted again until one is within.
func (p pass) permute(i, n uint64) uint64 {
	half := (bits.Len64(n-1) + 1) / 2
	mask := uint64(1)<<half - 1
	for {
		left, right := i>>half, i&mask
		for _, k := range p.keys {
			left, right = right, left^(mix(right^k)&mask)
		}
		if i = left<<half | right; i < n {
			return i
		}
	}
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
