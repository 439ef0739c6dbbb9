//go:build unix

package data

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps the first size bytes of f for reading.
func mapFile(f *os.File, size int64) ([]byte, error) {
	if int64(int(size)) != size {
		return nil, unix.ENOMEM // a 32-bit machine has no room for it
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var b []byte
	var failed error
	if err := raw.Control(func(fd uintptr) {
		b, failed = unix.Mmap(int(fd), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	}); err != nil {
		return nil, err
	}
	return b, failed
}

func unmapFile(b []byte) error { return unix.Munmap(b) }
