package compress

// A kernel is what takes the time, for one kind of processor. All kernels do
// the same to the bit.
type kernel struct {
	name string

	// pick sets rest = decay*rest + gain*delta, each operation rounded, and
	// chooses as Top does. The chunk has rows of Side elements, which stand
	// stride apart in delta and without gaps in rest.
	pick func(rest, delta []float32, stride int, decay, gain float32, index []uint16, value []float32, t *table) error

	// moments adds the values, and their squares, to the sums; see lanes.
	moments func(vals []float32, sum, squares *[lanes]float64)
	// assign sets the codes of values, as Quantise says, and adds to the bins.
	assign func(code []uint8, vals []float32, shift, scale float32, bins []bin)

	// addPacked adds table[code[i]] to acc at the indices of 12 bits; see sums.
	addPacked func(acc *sums, packed, code []byte, table *entries)
	// addRice does so for a chunk of the usual layout, whose low bits and codes
	// are at fixed, and whose run begins at bit of run. All can be read slack bytes
	// beyond their end. It returns the bit behind the run.
	addRice func(acc *sums, fixed, run []byte, bit int, table *entries) int
	// mean sets rows of width elements, stride apart, to the means of what was
	// added, or 0 where nothing was, and clears acc.
	mean func(dst []float32, stride, rows, width int, acc *sums)
	// finish lets everybody see what mean has written.
	finish func()
}

// sums is, for each element of a chunk, the sum of what was added to it and how
// many were.
type sums [2 * MaxChunk]float32

// entries says what each code adds: a value, and one.
type entries [256][2]float32

func portable() *kernel {
	return &kernel{
		name: "portable",
		pick: func(rest, delta []float32, stride int, decay, gain float32, index []uint16, value []float32, t *table) error {
			return portablePick(rest, delta, Side, stride, decay, gain, index, value, t)
		},
		moments:   portableMoments,
		assign:    portableAssign,
		addPacked: portableAddPacked,
		addRice:   portableAddRice,
		mean:      portableMean,
		finish:    func() {},
	}
}

// fastest returns the fastest kernel that this machine runs.
func fastest() *kernel { return kernels()[0] }

// portablePick is pick with rows of any width.
func portablePick(rest, delta []float32, width, stride int, decay, gain float32, index []uint16, value []float32, t *table) error {
	for r := 0; r*width < len(rest); r++ {
		row := rest[r*width : (r+1)*width]
		for i, d := range delta[r*stride:][:len(row)] {
			row[i] = float32(decay*row[i]) + float32(gain*d)
		}
	}
	return t.top(rest, index, value)
}

func portableAddPacked(acc *sums, packed, code []byte, table *entries) {
	for len(code) >= 2 && len(packed) >= 3 {
		a := int(packed[0]) | int(packed[1]&15)<<8
		b := int(packed[1]>>4) | int(packed[2])<<4
		e, f := &table[code[0]], &table[code[1]]
		acc[2*a] += e[0]
		acc[2*a+1] += e[1]
		acc[2*b] += f[0]
		acc[2*b+1] += f[1]
		code, packed = code[2:], packed[3:]
	}
}

func portableAddRice(acc *sums, fixed, run []byte, bit int, table *entries) int {
	var index [Side]uint16
	var code [Side]uint8
	l := layout{size: MaxChunk, keep: Side, rice: fastRice}
	bit = l.read(fixed, run, bit, index[:], code[:])
	for i, at := range index {
		at, e := int(at)%MaxChunk, &table[code[i]]
		acc[2*at] += e[0]
		acc[2*at+1] += e[1]
	}
	return bit
}

func portableMean(dst []float32, stride, rows, width int, acc *sums) {
	for r := range rows {
		row, from := dst[r*stride:][:width], acc[2*r*width:][:2*width]
		for i := range row {
			row[i] = 0
			if n := from[2*i+1]; n > 0 {
				row[i] = from[2*i] / n
			}
		}
		clear(from)
	}
}
