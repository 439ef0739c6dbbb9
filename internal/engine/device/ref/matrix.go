package ref

import "adit/internal/engine/device"

// at reads element (i, j) of m or, if t, of its transpose.
func (m mat) at(t bool, i, j int) float64 {
	if t {
		i, j = j, i
	}
	return float64(m.x[i*m.stride+j])
}

// dims are the sizes of m or, if t, of its transpose.
func (m mat) dims(t bool) (rows, cols int) {
	if t {
		return m.cols, m.rows
	}
	return m.rows, m.cols
}

func gemm(c, a mat, ta bool, b mat, tb bool, acc bool) {
	m, k := a.dims(ta)
	k2, n := b.dims(tb)
	must(k == k2 && m == c.rows && n == c.cols, "gemm", m, k, k2, n, c.rows, c.cols)
	for i := range m {
		row := c.row(i)
		for j := range n {
			s := 0.0
			if acc {
				s = float64(row[j])
			}
			for p := range k {
				s += a.at(ta, i, p) * b.at(tb, p, j)
			}
			row[j] = float32(s)
		}
	}
}

func (ref) Gemm(c, a device.Mat, ta bool, b device.Mat, tb bool, acc bool) {
	gemm(open(c), open(a), ta, open(b), tb, acc)
}

// group returns rows offsets[e] to offsets[e+1] of m.
func (m mat) group(offsets ints, e int) mat {
	lo, hi := int(offsets[e]), int(offsets[e+1])
	must(0 <= lo && lo <= hi && hi <= m.rows, "group", lo, hi, m.rows)
	if lo == hi {
		return mat{nil, 0, m.cols, m.stride}
	}
	return mat{m.x[lo*m.stride:], hi - lo, m.cols, m.stride}
}

// stacked returns the e-th of the matrices of rows by cols that fill b.
func stacked(b device.Buf, e, rows, cols int) mat {
	return mat{b.(buf)[e*rows*cols:][:rows*cols], rows, cols, cols}
}

func (ref) Grouped(c, a device.Mat, offsets device.Ints, b device.Buf, tb bool, acc bool) {
	rows, cols := a.Cols, c.Cols // of one matrix of b
	if tb {
		rows, cols = cols, rows
	}
	off := offsets.(ints)
	must(b.Len() == (len(off)-1)*rows*cols, "grouped", b.Len(), len(off)-1, rows, cols)
	cm, am := open(c), open(a)
	for e := range len(off) - 1 {
		gemm(cm.group(off, e), am.group(off, e), false, stacked(b, e, rows, cols), tb, acc)
	}
}

func (ref) GroupedGrad(db device.Buf, dc, a device.Mat, offsets device.Ints, acc bool) {
	n, k := dc.Cols, a.Cols
	off := offsets.(ints)
	must(db.Len() == (len(off)-1)*n*k, "grouped gradient", db.Len(), len(off)-1, n, k)
	dcm, am := open(dc), open(a)
	for e := range len(off) - 1 {
		gemm(stacked(db, e, n, k), dcm.group(off, e), true, am.group(off, e), false, acc)
	}
}

func (ref) Embed(x, table device.Mat, ids device.Ints) {
	must(x.Cols == table.Cols && x.Rows == ids.Len(), "embed", x.Rows, x.Cols, table.Cols, ids.Len())
	xm, tm := open(x), open(table)
	for i, id := range ids.(ints) {
		must(0 <= id && int(id) < tm.rows, "embed: token", int(id), tm.rows)
		copy(xm.row(i), tm.row(int(id)))
	}
}

func (ref) EmbedGrad(dtable, dx device.Mat, ids device.Ints) {
	must(dx.Cols == dtable.Cols && dx.Rows == ids.Len(), "embed gradient", dx.Rows, dx.Cols, dtable.Cols, ids.Len())
	tm, xm := open(dtable), open(dx)
	for i, id := range ids.(ints) {
		must(0 <= id && int(id) < tm.rows, "embed gradient: token", int(id), tm.rows)
		t := tm.row(int(id))
		for j, g := range xm.row(i) {
			t[j] += g
		}
	}
}
