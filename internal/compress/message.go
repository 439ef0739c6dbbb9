package compress

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// A message is its magic, the hash of its schema, and for each tensor
//
//	kind    1 byte: 0 for a table of values, 1 for levels of each chunk
//	rice    1 byte: low bits of a gap
//	values  4 float32, and how many elements have each code (4 uvarint); or
//	        with levels the exponent (int16)
//	length  of the groups together (uvarint)
//	groups  see layout
//
// Numbers are little-endian, and uvarints as short as they can be: no two
// messages mean the same.
const magic = "ADITMSG1"

// maxHeader is the most that stands before a tensor's groups.
const maxHeader = 2 + 16 + 5*binary.MaxVarintLen64

const (
	kindValues = 0
	kindLevels = 1
)

// A Writer writes a message, tensor by tensor in the order of its schema.
type Writer struct {
	w    io.Writer
	s    *Schema
	next int // tensor
	tree *Tree
	buf  []byte
	n    int64
}

// NewWriter begins a message.
func NewWriter(w io.Writer, s *Schema) (*Writer, error) {
	begin := preamble(s)
	m := &Writer{w: w, s: s, tree: newTree(begin)}
	return m, m.write(begin)
}

func preamble(s *Schema) []byte { return append([]byte(magic), s.hash[:]...) }

func (m *Writer) write(b []byte) error {
	n, err := m.w.Write(b)
	m.n += int64(n)
	return err
}

// Add writes the next tensor.
func (m *Writer) Add(k *Kept) error {
	if m.next == len(m.s.Tensors) {
		return errors.New("the message has all tensors of its schema")
	}
	p, err := m.s.pack(m.next, k, m.buf)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", m.s.Tensors[m.next].Name, err)
	}
	m.next++
	m.buf = p.body[:0]
	m.tree.add(p.header, p.leaves())
	if err := m.write(p.header); err != nil {
		return err
	}
	return m.write(p.body)
}

// Len is how many bytes were written.
func (m *Writer) Len() int64 { return m.n }

// Close says that the message is whole and returns the tree over it, whose root
// is what its sender signs. It does not close what was written to.
func (m *Writer) Close() (*Tree, error) {
	if m.next < len(m.s.Tensors) {
		return nil, fmt.Errorf("the message lacks tensor %q", m.s.Tensors[m.next].Name)
	}
	m.tree.finish()
	return m.tree, nil
}

// pack returns what was kept of a tensor as the part that a receiver gets. The
// body is appended to buf.
func (s *Schema) pack(tensor int, k *Kept, buf []byte) (*Part, error) {
	g, keep := s.grids[tensor], s.keep[tensor]
	levels := k.Levels != nil
	chunks := g.Chunks()
	if k.Grid != g || k.Keep != keep || len(k.Index) != chunks*keep || len(k.Code) != len(k.Index) || levels && len(k.Levels) != 2*chunks {
		return nil, fmt.Errorf("%d of each chunk of %+v are kept, not %d of %+v", k.Keep, k.Grid, keep, g)
	}
	p := &Part{Grid: g, Keep: keep, Exponent: k.Exponent, Counts: make([]int, 4)}
	p.layout = s.layout(tensor, bestRice(k.Index, g.Size(), keep), levels)
	if !fewCodes(k.Code) {
		return nil, errors.New("a code has more than two bits")
	}
	if !levels {
		p.Values = k.Quant.Values()
		if len(p.Values) != 4 {
			return nil, fmt.Errorf("%d bins, and two bits for each", len(p.Values))
		}
		if err := checkValues(p.Values); err != nil {
			return nil, err
		}
	}
	p.body = slices.Grow(buf, p.layout.mostBytes(chunks))
	for c := 0; c < chunks; c += s.Group {
		from, to := c*keep, min(c+s.Group, chunks)*keep
		var lv []uint8
		if levels {
			lv = k.Levels[2*c:]
		}
		at := len(p.body)
		p.body = p.layout.appendGroup(p.body, k.Index[from:to], k.Code[from:to], lv)
		sp, err := p.layout.open(p.body, at, (to-from)/keep)
		if err != nil {
			return nil, err // unreachable
		}
		p.layout.count(p.body, sp, p.Counts)
		p.groups = append(p.groups, sp)
	}
	p.header = p.appendHeader(nil, len(p.body))
	return p, nil
}

// fewCodes says whether all codes have two bits.
func fewCodes(code []uint8) bool {
	var all uint64
	for ; len(code) >= 8; code = code[8:] {
		all |= binary.LittleEndian.Uint64(code)
	}
	for _, c := range code {
		all |= uint64(c)
	}
	return all&0xfcfcfcfcfcfcfcfc == 0
}

// groupBytes returns a group as it stands in the message.
func (p *Part) groupBytes(g int) []byte {
	from := 0
	if g > 0 {
		from = p.groups[g-1].end
	}
	return p.body[from:p.groups[g].end]
}

// leaves returns the hashes of the groups.
func (p *Part) leaves() []Hash {
	leaves := make([]Hash, len(p.groups))
	for g := range leaves {
		leaves[g] = hashLeaf(p.groupBytes(g))
	}
	return leaves
}

// appendHeader appends what stands before the groups.
func (p *Part) appendHeader(dst []byte, length int) []byte {
	if p.Values == nil {
		dst = append(dst, kindLevels, byte(p.layout.rice))
		dst = binary.LittleEndian.AppendUint16(dst, uint16(int16(p.Exponent)))
	} else {
		dst = append(dst, kindValues, byte(p.layout.rice))
		for _, v := range p.Values {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
		}
		for _, n := range p.Counts {
			dst = binary.AppendUvarint(dst, uint64(n))
		}
	}
	return binary.AppendUvarint(dst, uint64(length))
}

// readHeader reads what stands before the groups of a tensor, and returns their
// length. Nothing of the part is allocated that a header does not bring along.
func (s *Schema) readHeader(r io.ByteReader, tensor int) (*Part, int, error) {
	h := headerReader{r: r}
	kind, rice := h.byte(), h.byte()
	if h.err == nil && (kind > kindLevels || rice > maxRice) {
		return nil, 0, fmt.Errorf("kind %d and %d low bits", kind, rice)
	}
	p := &Part{Grid: s.grids[tensor], Keep: s.keep[tensor], layout: s.layout(tensor, int(rice), kind == kindLevels)}
	if p.layout.whole() && rice != 0 {
		return nil, 0, fmt.Errorf("%d low bits of gaps that there are not", rice)
	}
	p.Counts = make([]int, 4)
	if kind == kindValues {
		p.Values = make([]float32, 4)
		for c := range p.Values {
			p.Values[c] = math.Float32frombits(uint32(h.byte()) | uint32(h.byte())<<8 | uint32(h.byte())<<16 | uint32(h.byte())<<24)
		}
		if h.err == nil {
			h.err = checkValues(p.Values)
		}
		left := p.Grid.Chunks() * p.Keep
		for c := range p.Counts {
			p.Counts[c] = h.uvarint(left)
			left -= p.Counts[c]
		}
		if h.err == nil && left != 0 {
			return nil, 0, fmt.Errorf("codes of all but %d elements", left)
		}
	} else {
		p.Exponent = int(int16(uint16(h.byte()) | uint16(h.byte())<<8))
		if h.err == nil && (p.Exponent < minExponent || p.Exponent > maxExponent) {
			return nil, 0, fmt.Errorf("levels in units of 2**%d", p.Exponent)
		}
	}
	length := h.uvarint(p.layout.mostBytes(p.Grid.Chunks()))
	p.header = h.read
	return p, length, h.err
}

// A headerReader reads numbers and keeps their bytes and the first error.
type headerReader struct {
	r    io.ByteReader
	read []byte
	err  error
}

func (h *headerReader) byte() byte {
	if h.err != nil {
		return 0
	}
	b, err := h.r.ReadByte()
	if err != nil {
		h.err = err
		if err == io.EOF {
			h.err = errShort
		}
		return 0
	}
	h.read = append(h.read, b)
	return b
}

// uvarint reads a number up to most.
func (h *headerReader) uvarint(most int) int {
	var v uint64
	for shift := 0; shift < 63; shift += 7 {
		b := h.byte()
		v |= uint64(b&127) << shift
		if b < 128 {
			if b == 0 && shift > 0 && h.err == nil {
				h.err = errPadding
			}
			break
		}
	}
	if h.err == nil && v > uint64(most) {
		h.err = fmt.Errorf("a number of %d, where %d is the most", v, most)
	}
	if h.err != nil {
		return 0
	}
	return int(v)
}

// A Reader reads a message that somebody else wrote, tensor by tensor.
type Reader struct {
	r    *bufio.Reader
	s    *Schema
	next int
	tree *Tree // nil before the first tensor
}

// NewReader returns a reader of a message of that schema.
func NewReader(r io.Reader, s *Schema) *Reader {
	return &Reader{r: bufio.NewReader(r), s: s}
}

// Next returns the next tensor, checked in all it says, and after the last one
// io.EOF, unless there are more bytes.
func (m *Reader) Next() (*Part, error) {
	if m.tree == nil {
		begin := make([]byte, len(magic)+len(m.s.hash))
		if _, err := io.ReadFull(m.r, begin); err != nil {
			return nil, fmt.Errorf("reading how the message begins: %w", err)
		}
		if string(begin[:len(magic)]) != magic {
			return nil, errors.New("it does not begin as messages do")
		}
		if !bytes.Equal(begin[len(magic):], m.s.hash[:]) {
			return nil, errors.New("it is of another schema: other tensors, or more or fewer kept")
		}
		m.tree = newTree(begin)
	}
	if m.next == len(m.s.Tensors) {
		if _, err := m.r.ReadByte(); err != io.EOF {
			return nil, errors.New("it goes on after the last tensor")
		}
		m.tree.finish()
		return nil, io.EOF
	}
	p, err := m.read()
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", m.s.Tensors[m.next].Name, err)
	}
	m.next++
	return p, nil
}

func (m *Reader) read() (*Part, error) {
	p, length, err := m.s.readHeader(m.r, m.next)
	if err != nil {
		return nil, err
	}
	// The body is believed as far as it comes.
	var body bytes.Buffer
	n, err := io.CopyN(&body, m.r, int64(length))
	if err != nil && err != io.EOF {
		return nil, err
	}
	if int(n) != length {
		return nil, errShort
	}
	body.Write(make([]byte, slack))
	p.body = body.Bytes()
	if err := m.s.openBody(p, m.next, length); err != nil {
		return nil, err
	}
	m.tree.add(p.header, p.leaves())
	return p, nil
}

// openBody finds and checks the groups of a part's body of that length.
func (s *Schema) openBody(p *Part, tensor, length int) error {
	counts, at := make([]int, 4), 0
	for g := range s.groups(tensor) {
		sp, err := p.layout.open(p.body[:length], at, s.chunks(tensor, g))
		if err == nil {
			err = p.layout.check(p.body, sp, counts)
		}
		if err != nil {
			return fmt.Errorf("group %d: %w", g, err)
		}
		p.groups = append(p.groups, sp)
		at = sp.end
	}
	if at != length {
		return fmt.Errorf("%d bytes of groups, not %d", at, length)
	}
	if p.Values == nil {
		p.Counts = counts
	}
	for c, n := range counts {
		if n != p.Counts[c] {
			return fmt.Errorf("code %d occurs %d times, not %d", c, n, p.Counts[c])
		}
	}
	return nil
}

// Tree returns the tree over the message, once [Reader.Next] has returned io.EOF.
func (m *Reader) Tree() *Tree { return m.tree }

// A Message is one that was read whole.
type Message struct {
	Schema *Schema
	Parts  []*Part
	Tree   *Tree
}

// ReadMessage reads and checks a whole message.
func ReadMessage(r io.Reader, s *Schema) (*Message, error) {
	m := &Message{Schema: s}
	from := NewReader(r, s)
	for {
		p, err := from.Next()
		if err == io.EOF {
			m.Tree = from.Tree()
			return m, nil
		}
		if err != nil {
			return nil, err
		}
		m.Parts = append(m.Parts, p)
	}
}
