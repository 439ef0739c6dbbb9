package compress

import (
	"fmt"
	"math"
	"slices"
)

// Norm is the Euclidean length of what was kept.
func (p *Part) Norm() float64 {
	var sum float64
	if p.Values != nil {
		for c, v := range p.Values {
			sum += float64(p.Counts[c]) * float64(v) * float64(v)
		}
		return math.Sqrt(sum)
	}
	p.Each(func(_ int, _ []uint16, value []float32) {
		for _, v := range value {
			sum += float64(v) * float64(v)
		}
	})
	return math.Sqrt(sum)
}

// Clips returns by what each part is multiplied so that none is longer than the
// median of them, the lower one of two.
func Clips(parts []*Part) []float32 {
	norms := make([]float64, len(parts))
	for i, p := range parts {
		norms[i] = p.Norm()
	}
	clips := make([]float32, len(parts))
	for i, m := range norms {
		clips[i] = 1
		if most := median(norms); m > most {
			clips[i] = float32(most / m)
		}
	}
	return clips
}

// median returns the lower median.
func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[(len(s)-1)/2]
}

// A Gatherer merges parts of many senders. It is for one goroutine at a time.
type Gatherer struct {
	// Clip says to clip each part to the median length first.
	Clip bool
	// Cosine says that the parts are of coefficients; the sum is transformed back.
	Cosine bool

	acc    *sums // by itself, for which memory begins with a cache line
	tables []entries
	chunk  []float32
	kernel *kernel
}

// Gather sets dst, a tensor, to the merge of parts of it: each element is the
// mean of the values of those that kept it, or 0 where none did. Values are
// added in the order of the parts.
func (g *Gatherer) Gather(dst []float32, parts []*Part) error {
	if len(parts) == 0 {
		clear(dst)
		return nil
	}
	grid := parts[0].Grid
	for i, p := range parts {
		if p.Grid != grid {
			return fmt.Errorf("part %d is cut into chunks as %+v, not %+v", i, p.Grid, grid)
		}
	}
	if len(dst) != grid.Len() {
		return fmt.Errorf("%d elements for a tensor of %d", len(dst), grid.Len())
	}
	if g.kernel == nil {
		g.kernel = fastest()
	}
	if g.acc == nil {
		g.acc = new(sums)
	}
	clips := slices.Repeat([]float32{1}, len(parts))
	if g.Clip {
		clips = Clips(parts)
	}
	if len(g.tables) < len(parts) {
		g.tables = make([]entries, len(parts))
	}
	cursors := make([]cursor, len(parts))
	for i, p := range parts {
		cursors[i].Part = p
		if p.Values != nil {
			g.tables[i].set(p.Values, clips[i])
		}
	}
	var cosine *Cosine
	if g.Cosine {
		cosine = NewCosine(grid)
		g.chunk = slices.Grow(g.chunk[:0], grid.Size())[:grid.Size()]
	}
	for c := range grid.Chunks() {
		for i := range cursors {
			if p := parts[i]; p.Values == nil {
				g.tables[i].set(p.values(c), clips[i])
			}
			g.add(&cursors[i], &g.tables[i])
		}
		if cosine != nil {
			g.kernel.mean(g.chunk, grid.W, grid.H, grid.W, g.acc)
			g.kernel.finish()
			cosine.Inverse(g.chunk)
			grid.put(dst, g.chunk, c)
			continue
		}
		g.kernel.mean(dst[grid.origin(c):], grid.Cols, grid.H, grid.W, g.acc)
	}
	g.kernel.finish()
	return nil
}

// add adds the next chunk of a part.
func (g *Gatherer) add(c *cursor, table *entries) {
	l := c.layout
	switch {
	case c.packed != nil:
		n := c.Keep
		g.kernel.addPacked(g.acc, c.packed[c.chunk*n/2*3:][:n/2*3], c.code[c.chunk*n:][:n], table)
		c.chunk++
	case l.usual():
		at := c.at()
		c.bit = g.kernel.addRice(g.acc, c.body[at:], c.body, c.bit, table)
		c.chunk++
	default:
		var index [MaxChunk]uint16
		var code [MaxChunk]uint8
		c.next(index[:c.Keep], code[:c.Keep])
		for i, at := range index[:c.Keep] {
			e := &table[code[i]]
			g.acc[2*at] += e[0]
			g.acc[2*at+1] += e[1]
		}
	}
}

// set makes each code add its value times a factor.
func (e *entries) set(values []float32, factor float32) {
	for c, v := range values {
		e[c] = [2]float32{v * factor, 1}
	}
}
