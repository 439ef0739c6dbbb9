package compress

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	claimMagic = "ADITCLM1"
	proofMagic = "ADITPRF1"
)

// maxPath is more neighbours than any tree has.
const maxPath = 64

// Append appends the claim: its magic, the schema, the decay (uint32), the
// roots of before, after and result, the number of inputs (1 byte) and theirs.
// It is what an aggregator signs.
func (c *Claim) Append(dst []byte) []byte {
	dst = append(dst, claimMagic...)
	dst = append(dst, c.Schema[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, c.Decay)
	for _, h := range append([]Hash{c.Before, c.After, c.Result}, c.Inputs...) {
		dst = append(dst, h[:]...)
	}
	return append(dst, byte(len(c.Inputs)))
}

// ParseClaim reads what Append wrote.
func ParseClaim(b []byte) (*Claim, error) {
	const fixed = len(claimMagic) + 4*len(Hash{}) + 4 + 1
	if len(b) < fixed || string(b[:len(claimMagic)]) != claimMagic {
		return nil, errors.New("it does not begin as claims do")
	}
	n := int(b[len(b)-1])
	if n > MaxInputs || len(b) != fixed+n*len(Hash{}) {
		return nil, fmt.Errorf("%d bytes for a claim about %d messages", len(b), n)
	}
	b = b[len(claimMagic):]
	c := &Claim{Inputs: make([]Hash, n)}
	b = b[copy(c.Schema[:], b):]
	c.Decay = binary.LittleEndian.Uint32(b)
	b = b[4:]
	for _, h := range []*Hash{&c.Before, &c.After, &c.Result} {
		b = b[copy(h[:], b):]
	}
	for i := range c.Inputs {
		b = b[copy(c.Inputs[i][:], b):]
	}
	return c, nil
}

// Append appends the proof: its magic, the tensor, the group and the number of
// messages (uvarint), and what is shown of each message, of the state before, of
// the result and of the state after. What is shown is header, group and path, each
// behind its length.
func (p *Proof) Append(dst []byte) []byte {
	dst = append(dst, proofMagic...)
	dst = binary.AppendUvarint(dst, uint64(p.Tensor))
	dst = binary.AppendUvarint(dst, uint64(p.Group))
	dst = binary.AppendUvarint(dst, uint64(len(p.Inputs)))
	for i := range p.Inputs {
		dst = p.Inputs[i].append(dst)
	}
	for _, o := range []*shown{&p.Before, &p.Result, &p.After} {
		dst = o.append(dst)
	}
	return dst
}

func (o *shown) append(dst []byte) []byte {
	for _, b := range [][]byte{o.header, o.group} {
		dst = binary.AppendUvarint(dst, uint64(len(b)))
		dst = append(dst, b...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(o.path)))
	for _, h := range o.path {
		dst = append(dst, h[:]...)
	}
	return dst
}

// ParseProof reads what Append wrote. The proof shares b's memory.
func ParseProof(b []byte) (*Proof, error) {
	r := proofReader{b: b}
	if string(r.take(len(proofMagic))) != proofMagic {
		return nil, errors.New("it does not begin as proofs do")
	}
	p := &Proof{Tensor: r.number(1 << 31), Group: r.number(1 << 31)}
	for range r.number(MaxInputs) {
		p.Inputs = append(p.Inputs, r.shown())
	}
	p.Before, p.Result, p.After = r.shown(), r.shown(), r.shown()
	if r.bad || len(r.b) > 0 {
		return nil, errors.New("a proof ends early, late or has a wrong length in it")
	}
	return p, nil
}

// A proofReader takes what is there, and afterwards nothing.
type proofReader struct {
	b   []byte
	bad bool
}

func (r *proofReader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *proofReader) number(most int) int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > uint64(most) {
		r.bad = true
		return 0
	}
	r.take(n)
	return int(v)
}

func (r *proofReader) shown() shown {
	o := shown{header: r.take(r.number(len(r.b))), group: r.take(r.number(len(r.b)))}
	b := r.take(r.number(maxPath) * len(Hash{}))
	for ; len(b) > 0; b = b[len(Hash{}):] {
		o.path = append(o.path, Hash(b))
	}
	return o
}
