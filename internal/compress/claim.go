package compress

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// A Claim is what an aggregator commits to, and signs: these messages and this
// state make that message and that state. Each is named by the root of its tree.
type Claim struct {
	Schema        Hash
	Decay         uint32 // of 65536; see [Aggregate]
	Inputs        []Hash
	Before, After Hash
	Result        Hash
}

// A Witness has all that a claim is about, and can show any group of it.
type Witness struct {
	Inputs        []*Message
	Before, After *State
	Result        *Message
	Decay         uint32

	before, after *Tree
}

// Claim returns the claim that the witness can prove.
func (w *Witness) Claim() Claim {
	w.hash()
	c := Claim{Schema: w.Before.Schema.hash, Decay: w.Decay, Before: w.before.Root(), After: w.after.Root(), Result: w.Result.Tree.Root()}
	for _, m := range w.Inputs {
		c.Inputs = append(c.Inputs, m.Tree.Root())
	}
	return c
}

func (w *Witness) hash() {
	if w.before == nil {
		w.before, w.after = w.Before.Tree(), w.After.Tree()
	}
}

// A Proof shows one group of chunks of a claim: what its inputs and the state
// before have there, and what the aggregator made of that. Whoever has the claim
// and the proof can tell whether that is right.
type Proof struct {
	Tensor, Group  int
	Inputs         []shown
	Before, Result shown
	After          shown // its group is a hash: whoever checks makes the group
}

// A shown is the header of a tensor, one group of it, and what they lack to the
// root of their tree.
type shown struct {
	header, group []byte
	path          []Hash
}

// Prove shows a group of a tensor.
func (w *Witness) Prove(tensor, group int) *Proof {
	w.hash()
	show := func(t *Tree, header, body []byte) shown {
		return shown{header, body, t.path(tensor, group)}
	}
	p := &Proof{Tensor: tensor, Group: group}
	for _, m := range w.Inputs {
		part := m.Parts[tensor]
		p.Inputs = append(p.Inputs, show(m.Tree, part.header, part.groupBytes(group)))
	}
	p.Before = show(w.before, w.Before.header(tensor), w.Before.group(tensor, group))
	result := w.Result.Parts[tensor]
	p.Result = show(w.Result.Tree, result.header, result.groupBytes(group))
	sum := hashLeaf(w.After.group(tensor, group))
	p.After = show(w.after, w.After.header(tensor), sum[:])
	return p
}

// ErrFraud is wrapped by what says that an aggregate is not what its inputs
// make. The claim, signed, and the proof convince everybody of it.
var ErrFraud = errors.New("the aggregate is wrong")

// Verify says whether the aggregator was right about the group that the proof
// shows. If it was not, the error wraps [ErrFraud]. Any other error is about the
// proof, and says nothing of the aggregator.
//
// How often a message says that its codes occur, from which its length and so
// its clipping follows, is believed: that this is so is seen by those who read
// the whole message, as the aggregator has to.
func (c *Claim) Verify(s *Schema, p *Proof) error {
	if c.Schema != s.hash {
		return errors.New("the claim is about another schema")
	}
	if len(c.Inputs) == 0 || len(c.Inputs) > MaxInputs || c.Decay > 1<<16 {
		return fmt.Errorf("%w: it is of %d messages and %d/65536 of what was unsaid", ErrFraud, len(c.Inputs), c.Decay)
	}
	if p.Tensor < 0 || p.Tensor >= len(s.Tensors) || p.Group < 0 || p.Group >= s.groups(p.Tensor) || len(p.Inputs) != len(c.Inputs) {
		return fmt.Errorf("a proof of %d messages about group %d of tensor %d", len(p.Inputs), p.Group, p.Tensor)
	}
	if err := c.checkPaths(s, p); err != nil {
		return err
	}
	if err := c.recompute(s, p); err != nil {
		return fmt.Errorf("tensor %q, group %d: %w: %w", s.Tensors[p.Tensor].Name, p.Group, ErrFraud, err)
	}
	return nil
}

// checkPaths says whether all that the proof shows is what was committed to.
func (c *Claim) checkPaths(s *Schema, p *Proof) error {
	check := func(what string, root Hash, o *shown, group Hash) error {
		if err := s.checkPath(root, hashLeaf(o.header), group, p.Tensor, p.Group, o.path); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	for i := range p.Inputs {
		if err := check(fmt.Sprintf("message %d", i), c.Inputs[i], &p.Inputs[i], hashLeaf(p.Inputs[i].group)); err != nil {
			return err
		}
	}
	if err := check("the state before", c.Before, &p.Before, hashLeaf(p.Before.group)); err != nil {
		return err
	}
	if err := check("the result", c.Result, &p.Result, hashLeaf(p.Result.group)); err != nil {
		return err
	}
	if len(p.After.group) != len(Hash{}) {
		return errPath
	}
	return check("the state after", c.After, &p.After, Hash(p.After.group))
}

// recompute says what is wrong with the group. All that it reads was committed
// to, so that it is the aggregator who has to answer for it.
func (c *Claim) recompute(s *Schema, p *Proof) error {
	parts, cursors := make([]*Part, len(p.Inputs)), make([]cursor, len(p.Inputs))
	for i := range p.Inputs {
		part, err := s.partOf(p.Tensor, p.Group, &p.Inputs[i])
		if err != nil {
			return fmt.Errorf("message %d should not have been taken: %w", i, err)
		}
		parts[i], cursors[i].Part = part, part
	}
	exponent, err := readExponent(p.Before.header)
	if err != nil {
		return fmt.Errorf("the state before: %w", err)
	}
	chunks, size := s.chunks(p.Tensor, p.Group), s.grids[p.Tensor].Size()
	before, err := readInts(p.Before.group, chunks*size)
	if err != nil {
		return fmt.Errorf("the state before: %w", err)
	}
	sum, err := newTensorSum(parts, exponent, c.Decay)
	if err != nil {
		return err
	}
	k, after := s.newKept(p.Tensor, chunks, sum.exponent), make([]int32, chunks*size)
	sum.chunks(&chunkSum{kernel: fastest()}, k, before, after, cursors)

	if !bytes.Equal(p.After.header, appendExponent(nil, sum.exponent)) || Hash(p.After.group) != hashLeaf(appendInts(nil, after)) {
		return errors.New("it leaves something else unsaid")
	}
	said, err := s.partOf(p.Tensor, p.Group, &p.Result)
	if err != nil {
		return fmt.Errorf("the result cannot be read: %w", err)
	}
	l := said.layout
	if !l.levels || said.Exponent != sum.exponent {
		return errors.New("it says it in other units")
	}
	if !bytes.Equal(p.Result.group, l.appendGroup(nil, k.Index, k.Code, k.Levels)) {
		return errors.New("it says something else")
	}
	return nil
}

// partOf reads what is shown of a message as a part that has this group alone.
func (s *Schema) partOf(tensor, group int, o *shown) (*Part, error) {
	r := bytes.NewReader(o.header)
	p, _, err := s.readHeader(r, tensor)
	if err != nil {
		return nil, err
	}
	if r.Len() > 0 {
		return nil, errPadding
	}
	p.body = append(bytes.Clone(o.group), make([]byte, slack)...)
	sp, err := p.layout.open(o.group, 0, s.chunks(tensor, group))
	if err == nil {
		err = p.layout.check(p.body, sp, make([]int, 4))
	}
	if err == nil && sp.end != len(o.group) {
		err = errPadding
	}
	p.groups = []span{sp}
	return p, err
}

// Tree returns the tree over a state, which begins as a message does but with
// another magic. The header of a tensor is its exponent (int16), and a group its
// elements (int32).
func (st *State) Tree() *Tree {
	s := st.Schema
	tree := newTree(append([]byte(stateMagic), s.hash[:]...))
	var buf []byte
	for t := range s.Tensors {
		leaves := make([]Hash, s.groups(t))
		for g := range leaves {
			buf = appendInts(buf[:0], st.chunksOf(t, g))
			leaves[g] = hashLeaf(buf)
		}
		tree.add(st.header(t), leaves)
	}
	tree.finish()
	return tree
}

const stateMagic = "ADITSUM1"

func (st *State) header(tensor int) []byte { return appendExponent(nil, st.Exponent[tensor]) }

func (st *State) group(tensor, group int) []byte {
	return appendInts(nil, st.chunksOf(tensor, group))
}

func (st *State) chunksOf(tensor, group int) []int32 {
	size := st.Schema.grids[tensor].Size()
	from := group * st.Schema.Group * size
	return st.Rest[tensor][from:][:st.Schema.chunks(tensor, group)*size]
}

func appendExponent(dst []byte, e int) []byte {
	return binary.LittleEndian.AppendUint16(dst, uint16(int16(e)))
}

func readExponent(b []byte) (int, error) {
	if len(b) != 2 {
		return 0, errShort
	}
	e := int(int16(binary.LittleEndian.Uint16(b)))
	if e < minExponent || e > maxExponent {
		return 0, fmt.Errorf("units of 2**%d", e)
	}
	return e, nil
}

func appendInts(dst []byte, x []int32) []byte {
	for _, v := range x {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
	}
	return dst
}

// readInts reads n sums.
func readInts(b []byte, n int) ([]int32, error) {
	if len(b) != 4*n {
		return nil, fmt.Errorf("%d bytes for %d sums", len(b), n)
	}
	x := make([]int32, n)
	for i := range x {
		x[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
		if x[i] < -maxSum || x[i] > maxSum {
			return nil, fmt.Errorf("a sum of %d", x[i])
		}
	}
	return x, nil
}
