package cpu

import "adit/internal/engine/device"

// Grouped shares out the blocks of all groups at once, so that neither many
// small groups nor one large among them leaves a worker idle.
func (d *Device) Grouped(c, a device.Mat, offsets device.Ints, b device.Buf, tb bool, acc bool) {
	cv, av, off, x := open(c), open(a), offsets.(ints), b.(buf)
	n, depth := cv.cols, av.cols
	size := n * depth
	if len(x) != (len(off)-1)*size {
		misfit("grouped", len(x), len(off)-1, n, depth)
	}
	groups(off, min(cv.rows, av.rows))
	total := int(off[len(off)-1]-off[0]) * size
	d.tasks = d.tasks[:0]
	for e := range len(off) - 1 {
		d.tasks = d.split(d.tasks, e, int(off[e+1]-off[e]), n, depth, total)
	}
	rows, cols := depth, n // of a matrix of b
	if tb {
		rows, cols = n, depth
	}
	d.pool.run(len(d.tasks), total/multiplications, func(w, i int) {
		t := d.tasks[i]
		row := int(off[t.group]) + t.row
		bm, _, _ := view{x[t.group*size:][:size], rows, cols, cols}.of(tb)
		d.multiply(&d.workers[w], cv.x[row*cv.stride+t.column:], cv.stride,
			operand{av.x[row*av.stride:], av.stride, 1}, bm.from(0, t.column), t.rows, t.columns, depth, acc)
	})
}

// GroupedGrad computes each block of each db_e over all rows of its group.
func (d *Device) GroupedGrad(db device.Buf, dc, a device.Mat, offsets device.Ints, acc bool) {
	dcv, av, off, x := open(dc), open(a), offsets.(ints), db.(buf)
	n, k := dcv.cols, av.cols
	if len(x) != (len(off)-1)*n*k {
		misfit("grouped gradient", len(x), len(off)-1, n, k)
	}
	groups(off, min(dcv.rows, av.rows))
	total := int(off[len(off)-1]-off[0]) * n * k
	d.tasks = d.tasks[:0]
	for e := range len(off) - 1 {
		if depth := int(off[e+1] - off[e]); depth > 0 || !acc {
			d.tasks = d.split(d.tasks, e, n, k, depth, total)
		}
	}
	d.pool.run(len(d.tasks), total/multiplications, func(w, i int) {
		t := d.tasks[i]
		row, depth := int(off[t.group]), int(off[t.group+1]-off[t.group])
		c := x[t.group*n*k:][:n*k]
		if depth == 0 { // and dc and a may have no row for it to begin at
			for i := t.row; i < t.row+t.rows; i++ {
				clear(c[i*k+t.column:][:t.columns])
			}
			return
		}
		d.multiply(&d.workers[w], c[t.row*k+t.column:], k,
			operand{dcv.x[row*dcv.stride+t.row:], 1, dcv.stride}, operand{av.x[row*av.stride+t.column:], av.stride, 1},
			t.rows, t.columns, depth, acc)
	})
}

// groups panics unless the offsets ascend within rows.
func groups(off ints, rows int) {
	last := int32(0)
	for _, o := range off {
		if o < last || int(o) > rows {
			misfit("groups", int(last), int(o), rows)
		}
		last = o
	}
}
