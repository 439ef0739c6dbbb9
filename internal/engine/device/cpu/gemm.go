package cpu

import "adit/internal/engine/device"

// A task is a block of rows and columns of one product of a group.
type task struct {
	group           int
	row, rows       int
	column, columns int
}

// worthSplitting is about how many multiplications a task should have at least:
// some ten microseconds of one core.
const worthSplitting = 1 << 20

// multiplications is about how many of them in a product take the time of an
// addition of vectors.
const multiplications = 6

// split appends the tasks of one product. A part of the columns costs nothing
// more than the whole; a part of the rows has to pack b again.
func (d *Device) split(tasks []task, group, m, n, depth, total int) []task {
	if m == 0 || n == 0 {
		return tasks
	}
	size := max(worthSplitting, total/(4*d.pool.threads))
	if d.pool.threads == 1 {
		size = total
	}
	columns := evenly(n, panelBlock*d.nr, d.nr)
	if most := size / max(1, m*depth); most < columns {
		columns = max(d.nr, evenly(n, max(most, d.nr), d.nr))
	}
	rows := m
	if most := max(size/max(1, columns*depth), rowBlock); most < rows {
		rows = evenly(m, most, d.mr)
	}
	for j := 0; j < n; j += columns {
		for i := 0; i < m; i += rows {
			tasks = append(tasks, task{group, i, min(rows, m-i), j, min(columns, n-j)})
		}
	}
	return tasks
}

// Gemm cuts c into blocks, which workers compute each from its own packed copy
// of the columns of b that it needs.
func (d *Device) Gemm(c, a device.Mat, ta bool, b device.Mat, tb bool, acc bool) {
	cv := open(c)
	av, m, depth := open(a).of(ta)
	bv, depth2, n := open(b).of(tb)
	if depth != depth2 || !cv.fits(m, n) {
		misfit("gemm", m, depth, depth2, n, cv.rows, cv.cols)
	}
	d.tasks = d.split(d.tasks[:0], 0, m, n, depth, m*n*depth)
	d.pool.run(len(d.tasks), m*n*depth/multiplications, func(w, i int) {
		t := d.tasks[i]
		d.multiply(&d.workers[w], cv.x[t.row*cv.stride+t.column:], cv.stride,
			av.from(t.row, 0), bv.from(0, t.column), t.rows, t.columns, depth, acc)
	})
}
