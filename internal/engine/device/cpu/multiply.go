package cpu

// How a product is cut up. Blocks of maxDepth by panelBlock panels of b fill
// part of the second-level cache, one panel and the rows of a tile the first;
// rowBlock rows of a stay in the second while the panels go by.
const (
	maxDepth   = 256
	panelBlock = 8
	rowBlock   = 240
)

// An operand is one side of a product: element (i, j) is at i*rs + j*cs. The
// transpose has the two strides exchanged.
type operand struct {
	x      []float32
	rs, cs int
}

// of returns the operand that v is, transposed if t, and its sizes.
func (v view) of(t bool) (o operand, rows, cols int) {
	if t {
		return operand{v.x, 1, v.stride}, v.cols, v.rows
	}
	return operand{v.x, v.stride, 1}, v.rows, v.cols
}

// from returns o less its first i rows and j columns.
func (o operand) from(i, j int) operand { return operand{o.x[i*o.rs+j*o.cs:], o.rs, o.cs} }

// scratch is the memory of one worker.
type scratch struct {
	b []float32 // packed panels
	a []float32 // rows brought together
	attention
}

// multiply computes c = a·b, or adds it to c, where a is (m, depth), b (depth,
// n) and row i of c is at i*cs. It is the work of one goroutine.
//
// The depth is cut into equal blocks whose number follows from it alone, so that
// an element has the same bits however rows and columns are shared out.
func (k *kernel) multiply(s *scratch, c []float32, cs int, a, b operand, m, n, depth int, acc bool) {
	if m == 0 || n == 0 {
		return
	}
	if depth == 0 {
		for i := 0; i < m && !acc; i++ {
			clear(c[i*cs:][:n])
		}
		return
	}
	step := evenly(depth, maxDepth, 1)
	for p := 0; p < depth; p += step {
		dep := min(step, depth-p)
		for j := 0; j < n; j += panelBlock * k.nr {
			cols := min(panelBlock*k.nr, n-j)
			bp := k.panels(s, b.from(p, j), dep, cols, m)
			for i := 0; i < m; i += rowBlock {
				rows := min(rowBlock, m-i)
				k.tiles(c[i*cs+j:], cs, k.compact(s, a.from(i, p), rows, dep), bp, rows, cols, dep, acc || p > 0)
			}
		}
	}
}

// evenly returns the size of the least number of equal parts of n that are at
// most limit, rounded up to a multiple of unit.
func evenly(n, limit, unit int) int {
	parts := pieces(n, limit)
	return pieces(pieces(n, parts), unit) * unit
}

// packed is a right operand made of panels of nr columns: row p of panel j is at
// j*panel + p*row. The last panel may lie elsewhere.
type packed struct {
	x          []float32
	panel, row int
	last       []float32 // panel after those in x, with rows of nr; nil if there is none
}

// panels lays out (depth, n) of b as panels, in s unless b serves as it is.
func (k *kernel) panels(s *scratch, b operand, depth, n, m int) packed {
	// Too few rows to be worth a copy.
	if b.cs == 1 && m <= 2*k.mr {
		p := packed{x: b.x, panel: k.nr, row: b.rs}
		if whole := n / k.nr * k.nr; whole < n {
			s.b = grow(s.b, depth*k.nr)
			k.pack(s.b, b.from(0, whole), depth, n-whole)
			p.last = s.b
		}
		return p
	}
	s.b = grow(s.b, pieces(n, k.nr)*depth*k.nr)
	k.pack(s.b, b, depth, n)
	return packed{x: s.b, panel: depth * k.nr, row: k.nr}
}

// pack copies (depth, n) of b to dst as panels, one after another. What the last
// panel lacks is zeros.
func (k *kernel) pack(dst []float32, b operand, depth, n int) {
	for j := 0; j < n; j += k.nr {
		cols, panel := min(k.nr, n-j), dst[j*depth:][:depth*k.nr]
		if cols < k.nr {
			clear(panel)
		}
		src := b.from(0, j)
		switch {
		case b.rs == 1:
			k.transpose(panel, src.x, cols, depth, k.nr, b.cs)
		case cols == k.nr:
			k.panel(panel, src.x, depth, b.rs)
		default:
			for p := range depth {
				copy(panel[p*k.nr:], src.x[p*b.rs:][:cols])
			}
		}
	}
}

// tiles multiplies a (m, depth) by the panels of b (depth, n).
func (k *kernel) tiles(c []float32, cs int, a operand, b packed, m, n, depth int, acc bool) {
	add := 0
	if acc {
		add = 1
	}
	for j := 0; j < n; j += k.nr {
		panel, row := b.x, b.row
		if cols := n - j; b.last != nil && cols < k.nr {
			panel, row = b.last, k.nr
		} else {
			panel = panel[j/k.nr*b.panel:]
		}
		cols := min(k.nr, n-j)
		for i := 0; i < m; i += k.mr {
			rows := min(k.mr, m-i)
			k.tile[rows-1](depth, &a.x[i*a.rs], a.rs, a.cs, &panel[0], row, &c[i*cs+j], cs, cols, add)
		}
	}
}

// compact returns the first (rows, depth) of a as they are, or copied if they
// are columns whose elements fall on the same few sets of every cache: a tile
// of few rows would come back to each cache line again and again, and find it
// gone.
func (k *kernel) compact(s *scratch, a operand, rows, depth int) operand {
	const awkward, line = 512, 16
	if a.rs != 1 || a.cs%awkward != 0 || k.mr >= line/2 {
		return a
	}
	stride := (pieces(rows, line) | 1) * line // an odd number of cache lines
	s.a = grow(s.a, depth*stride)
	for p := range depth {
		copy(s.a[p*stride:][:rows], a.x[p*a.cs:])
	}
	return operand{s.a, 1, stride}
}
