package compress

import "fmt"

// A Kept is what a sender keeps of one tensor: Keep elements of each chunk, in
// the order of their indices, and a code for each.
type Kept struct {
	Grid  Grid
	Keep  int
	Index []uint16 // within the chunk; Keep for each
	Code  []uint8
	// Quant says what the codes stand for, but in an aggregate.
	Quant Quant
	// In an aggregate each chunk has two levels, in units of 2**Exponent, and
	// codes stand for the larger below zero, the smaller below zero, the smaller,
	// and the larger.
	Levels   []uint8
	Exponent int
}

// A Part is what one sender kept of one tensor, as it came and after it was
// checked. It does not change.
type Part struct {
	Grid Grid
	Keep int
	// Values says what each code stands for; it is nil in an aggregate, where
	// each chunk has its own.
	Values   []float32
	Counts   []int // how many elements have each code
	Exponent int   // of an aggregate; see [Kept]

	// As upstream has it.
	packed, code []byte
	// As our messages have it: the body, followed by some bytes to read beyond
	// it, and its groups.
	layout layout
	header []byte
	body   []byte
	groups []span
}

// values returns what the codes of a chunk stand for.
func (p *Part) values(chunk int) []float32 {
	if p.Values != nil {
		return p.Values
	}
	lo, hi := p.levels(chunk)
	v := levelValues(lo, hi, p.Exponent)
	return v[:]
}

// levels returns those of a chunk of an aggregate.
func (p *Part) levels(chunk int) (lo, hi uint8) {
	at := p.groups[chunk/p.layout.group].chunks + chunk%p.layout.group*p.layout.chunkBytes()
	return p.body[at], p.body[at+1]
}

// A cursor goes through the chunks of a part in their order.
type cursor struct {
	*Part
	chunk int // the next one
	bit   int // where its run begins
}

// next reads the next chunk.
func (c *cursor) next(index []uint16, code []uint8) {
	if c.packed != nil {
		c.indices(c.chunk, index)
		copy(code, c.code[c.chunk*c.Keep:][:c.Keep])
	} else {
		fixed := c.at()
		c.bit = c.layout.read(c.body[fixed:], c.body, c.bit, index, code)
	}
	c.chunk++
}

// at returns where the next chunk's low bits stand in a body, and finds its run
// if that begins there.
func (c *cursor) at() int {
	g, in := &c.groups[c.chunk/c.layout.group], c.chunk%c.layout.group
	if in == 0 {
		c.bit = 8 * g.run
	}
	at := g.chunks + in*c.layout.chunkBytes()
	if c.layout.levels {
		at += 2
	}
	return at
}

// Each calls f with each chunk's indices and the values at them, in order. It
// must not keep them.
func (p *Part) Each(f func(chunk int, index []uint16, value []float32)) {
	index, code, value := make([]uint16, p.Keep), make([]uint8, p.Keep), make([]float32, p.Keep)
	at := cursor{Part: p}
	for c := range p.Grid.Chunks() {
		at.next(index, code)
		vals := p.values(c)
		for i, q := range code {
			value[i] = vals[q]
		}
		f(c, index, value)
	}
}

// Decode sets dst, a tensor, to the elements that were kept and zeros.
func (p *Part) Decode(dst []float32) error {
	if len(dst) != p.Grid.Len() {
		return fmt.Errorf("%d elements for a tensor of %d", len(dst), p.Grid.Len())
	}
	chunk := make([]float32, p.Grid.Size())
	p.Each(func(c int, index []uint16, value []float32) {
		clear(chunk)
		for i, v := range value {
			chunk[index[i]] = v
		}
		p.Grid.put(dst, chunk, c)
	})
	return nil
}
