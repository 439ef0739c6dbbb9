package pretrained

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// mapView maps the first size bytes of f for reading. While a view lasts the
// system lets nobody cut the file or remove it.
func mapView(f *os.File, size int) ([]byte, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var view []byte
	var mapErr error
	err = raw.Control(func(fd uintptr) {
		var h windows.Handle
		if h, mapErr = windows.CreateFileMapping(windows.Handle(fd), nil, windows.PAGE_READONLY, 0, 0, nil); mapErr != nil {
			return
		}
		defer windows.CloseHandle(h) // the view keeps what it needs
		var addr uintptr
		if addr, mapErr = windows.MapViewOfFile(h, windows.FILE_MAP_READ, 0, 0, uintptr(size)); mapErr != nil {
			return
		}
		// The address is not one of Go's memory, so it stays where it is. To
		// vet it looks like one that may not, hence the detour.
		view = unsafe.Slice(*(**byte)(unsafe.Pointer(&addr)), size)
	})
	if err == nil {
		err = mapErr
	}
	return view, err
}

func unmapView(view []byte) error {
	return windows.UnmapViewOfFile(uintptr(unsafe.Pointer(unsafe.SliceData(view))))
}
