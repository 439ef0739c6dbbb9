package pretrained

import (
	"io"
	"runtime"
	"runtime/debug"
	"unsafe"
)

// A mapping is a file's bytes, in memory if the system can do that.
type mapping struct {
	file *file
	view []byte // all of the file, nil if it is not mapped
}

// mapFile maps f, which it then owns. Where that does not work, as on some
// network file systems, or where the file is larger than the address space,
// the file is read piece by piece.
func mapFile(f *file) *mapping {
	m := &mapping{file: f}
	if int64(int(f.size)) == f.size {
		if view, err := mapView(f.File, int(f.size)); err == nil {
			m.view = view
		}
	}
	return m
}

// bytes returns a piece of the file, which lies within it: a view if it is
// mapped, a copy if not. It does not look at the bytes of a view.
func (m *mapping) bytes(offset, size int64) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	if m.view != nil {
		return m.view[offset : offset+size : offset+size], nil
	}
	if err := m.file.unchanged(); err != nil { // before size becomes memory
		return nil, err
	}
	b := make([]byte, size)
	n, err := m.file.ReadAt(b, offset)
	if n == len(b) {
		return b, nil
	}
	if err == nil || err == io.EOF {
		err = errChanged
	}
	return nil, err
}

// guard calls f, which reads the view. If the file is cut meanwhile, or its
// disk fails, the processor faults at the first page that is not there, and the
// system tells with a signal that ends the process. For the goroutine that
// calls guard, and for it alone, the fault becomes errChanged.
//
// To look at the size before reading would not do: the file can be cut after
// the look. To look at it afterwards is needed too, as the rest of a page that
// is cut in the middle reads as zeros without a fault.
func (m *mapping) guard(f func() error) (err error) {
	if m.view == nil {
		return f()
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover().(type) {
		case nil:
			if err == nil {
				err = m.file.unchanged()
			}
		case interface {
			runtime.Error
			Addr() uintptr
		}:
			if first := uintptr(unsafe.Pointer(unsafe.SliceData(m.view))); r.Addr()-first >= uintptr(len(m.view)) {
				panic(r) // a fault elsewhere is our own
			}
			err = errChanged
		default:
			panic(r)
		}
	}()
	return f()
}

func (m *mapping) Close() error {
	var err error
	if m.view != nil {
		err = unmapView(m.view)
		m.view = nil
	}
	if e := m.file.Close(); err == nil {
		err = e
	}
	return err
}
