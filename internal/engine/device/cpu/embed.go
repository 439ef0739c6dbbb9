package cpu

import "adit/internal/engine/device"

// rowsIn panics unless every id is a row of a matrix of so many.
func rowsIn(what string, ids ints, rows int) {
	for _, id := range ids {
		if id < 0 || int(id) >= rows {
			misfit(what, int(id), rows)
		}
	}
}

// Embed copies rows of table.
func (d *Device) Embed(x, table device.Mat, ids device.Ints) {
	xv, tv, id := open(x), open(table), ids.(ints)
	if !xv.fits(len(id), tv.cols) {
		misfit("embed", xv.rows, xv.cols, tv.cols, len(id))
	}
	rowsIn("embed: token", id, tv.rows)
	d.pool.rows(len(id), xv.cols, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			copy(xv.row(i), tv.row(int(id[i])))
		}
	})
}

// EmbedGrad gives each worker some columns of every row, so that a token that
// comes often is still summed in the order of i.
func (d *Device) EmbedGrad(dtable, dx device.Mat, ids device.Ints) {
	tv, xv, id := open(dtable), open(dx), ids.(ints)
	if !xv.fits(len(id), tv.cols) {
		misfit("embed gradient", xv.rows, xv.cols, tv.cols, len(id))
	}
	rowsIn("embed gradient: token", id, tv.rows)
	const width = 64 // columns of a worker
	d.pool.run(pieces(xv.cols, width), len(id)*xv.cols, func(_, part int) {
		lo, hi := part*width, min(xv.cols, (part+1)*width)
		for i, t := range id {
			d.add(tv.row(int(t))[lo:hi], xv.row(i)[lo:hi])
		}
	})
}
