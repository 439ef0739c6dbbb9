package compress

import "fmt"

// Side is the largest side of a chunk, and MaxChunk the most elements of one:
// an index within a chunk has 12 bits.
const (
	Side     = 64
	MaxChunk = Side * Side
)

// maxElements bounds a tensor, so that counts of elements, and of bits for
// them, cannot overflow. The largest known has 2**32.
const maxElements = 1 << 40

// A Grid says how a tensor is cut into chunks: Rows by Cols elements into
// chunks of H by W, both of which divide without a rest. A vector is one row.
//
// Chunk (y, x) is number y*(Cols/W)+x. Its elements stand row by row.
type Grid struct {
	Rows, Cols int
	H, W       int
}

// NewGrid cuts a tensor of one or two dimensions. The side of a chunk is the
// largest divisor of the dimension up to [Side].
func NewGrid(shape []int) (Grid, error) {
	g := Grid{Rows: 1}
	switch len(shape) {
	case 1:
		g.Cols = shape[0]
	case 2:
		g.Rows, g.Cols = shape[0], shape[1]
	default:
		return Grid{}, fmt.Errorf("a tensor of %d dimensions has no chunks", len(shape))
	}
	if g.Rows < 1 || g.Cols < 1 || g.Rows > maxElements/g.Cols {
		return Grid{}, fmt.Errorf("a tensor of shape %v has no chunks", shape)
	}
	g.H, g.W = divisor(g.Rows), divisor(g.Cols)
	return g, nil
}

// divisor returns the largest divisor of n up to Side.
func divisor(n int) int {
	for d := min(Side, n); ; d-- {
		if n%d == 0 {
			return d
		}
	}
}

// Len is the number of elements of the tensor.
func (g Grid) Len() int { return g.Rows * g.Cols }

// Size is the number of elements of a chunk.
func (g Grid) Size() int { return g.H * g.W }

// Chunks is the number of chunks.
func (g Grid) Chunks() int { return g.Rows / g.H * (g.Cols / g.W) }

// Keep is how many elements of a chunk are kept where top are wanted: as many
// as there are, and an even number, as indices travel in pairs. It fails where
// that is none, as with chunks of one element.
func (g Grid) Keep(top int) (int, error) {
	k := min(top, g.Size()) &^ 1
	if k < 2 {
		return 0, fmt.Errorf("chunks of %dx%d have nothing to keep %d of", g.H, g.W, top)
	}
	return k, nil
}

// origin returns where in the tensor the first element of a chunk is.
func (g Grid) origin(chunk int) int {
	across := g.Cols / g.W
	return chunk/across*g.H*g.Cols + chunk%across*g.W
}

// cut copies a chunk out of the tensor x, row by row.
func (g Grid) cut(dst, x []float32, chunk int) {
	from := g.origin(chunk)
	for r := range g.H {
		copy(dst[r*g.W:(r+1)*g.W], x[from+r*g.Cols:])
	}
}

// put copies a chunk into the tensor x.
func (g Grid) put(x, src []float32, chunk int) {
	to := g.origin(chunk)
	for r := range g.H {
		copy(x[to+r*g.Cols:][:g.W], src[r*g.W:])
	}
}

// Cut copies the tensor x chunk after chunk to dst. Both have g.Len elements.
func (g Grid) Cut(dst, x []float32) {
	for c := range g.Chunks() {
		g.cut(dst[c*g.Size():][:g.Size()], x, c)
	}
}

// Join undoes [Grid.Cut].
func (g Grid) Join(x, chunks []float32) {
	for c := range g.Chunks() {
		g.put(x, chunks[c*g.Size():][:g.Size()], c)
	}
}
