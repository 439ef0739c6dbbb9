package data

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// mapFile maps the first size bytes of f for reading.
func mapFile(f *os.File, size int64) ([]byte, error) {
	if int64(int(size)) != size {
		return nil, windows.ERROR_NOT_ENOUGH_MEMORY
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var section windows.Handle
	var failed error
	if err := raw.Control(func(fd uintptr) {
		section, failed = windows.CreateFileMapping(windows.Handle(fd), nil, windows.PAGE_READONLY, 0, 0, nil)
	}); err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, os.NewSyscallError("CreateFileMapping", failed)
	}
	defer windows.CloseHandle(section) // the view keeps it alive
	addr, err := windows.MapViewOfFile(section, windows.FILE_MAP_READ, 0, 0, uintptr(size))
	if err != nil {
		return nil, os.NewSyscallError("MapViewOfFile", err)
	}
	// The address is the system's, outside the heap; taken through its own
	// address, as vet cannot know that.
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&addr)), int(size)), nil
}

func unmapFile(b []byte) error {
	return windows.UnmapViewOfFile(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
}
