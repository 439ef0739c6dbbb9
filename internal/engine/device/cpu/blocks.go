package cpu

import "adit/internal/engine/device"

// blockRows is how many rows are summed together when a sum over all rows is
// wanted: first over blocks of so many, each the work of one worker, then over
// these in order.
const blockRows = 32

// blocks calls do for each block of n rows, with width zeros to add to, which
// [Device.addBlocks] then finds. A row is about cost additions.
func (d *Device) blocks(n, width, cost int, do func(worker, lo, hi int, sum []float32)) {
	count := pieces(n, blockRows)
	d.partial = grow(d.partial, count*width)
	d.pool.run(count, n*cost, func(w, b int) {
		sum := d.partial[b*width:][:width:width]
		clear(sum)
		do(w, b*blockRows, min(n, (b+1)*blockRows), sum)
	})
}

// addBlocks adds to dst, unless it is nil, its part of the blocks' sums: the
// columns from first on. Of n rows, each block has a sum of width. Each worker
// takes some columns of every block.
func (d *Device) addBlocks(dst buf, n, width, first int) {
	count := pieces(n, blockRows)
	if len(dst) == 0 || count == 0 {
		return
	}
	const columns = 256 // of a worker
	d.pool.run(pieces(len(dst), columns), count*len(dst), func(_, part int) {
		lo, hi := part*columns, min(len(dst), (part+1)*columns)
		sum := d.partial[first+lo : first+hi]
		for b := 1; b < count; b++ {
			d.add(sum, d.partial[b*width+first+lo:][:hi-lo])
		}
		d.add(dst[lo:hi], sum)
	})
}

// summed opens the gradient of a vector of width weights, which may be nil.
func summed(what string, dw device.Buf, width int) buf {
	if dw == nil {
		return nil
	}
	w := dw.(buf)
	if len(w) != width {
		misfit(what, len(w), width)
	}
	return w
}
