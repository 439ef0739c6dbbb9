//go:build unix

package pretrained

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapView maps the first size bytes of f for reading.
func mapView(f *os.File, size int) ([]byte, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var view []byte
	var mapErr error
	err = raw.Control(func(fd uintptr) {
		view, mapErr = unix.Mmap(int(fd), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	})
	if err == nil {
		err = mapErr
	}
	return view, err
}

func unmapView(view []byte) error { return unix.Munmap(view) }
