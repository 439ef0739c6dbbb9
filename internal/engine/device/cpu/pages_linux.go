package cpu

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of one; smaller buffers are left as they are.
const hugePage = 2 << 20

// huge asks the system to back x, which nobody has touched yet, with large
// pages: a product that walks down columns would else look up a page for each
// row. If it does not, nothing is lost.
func huge(x []float32) {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(x)))
	skip := -start % hugePage
	size := uintptr(4 * len(x))
	if size < skip+hugePage {
		return
	}
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), size)
	_ = unix.Madvise(bytes[skip:size-(size-skip)%hugePage], unix.MADV_HUGEPAGE)
}
