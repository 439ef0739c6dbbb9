package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

const (
	// A path below a file is ERROR_PATH_NOT_FOUND, which is fs.ErrNotExist.
	errNotDir   = windows.ERROR_DIRECTORY
	errDiskFull = windows.ERROR_DISK_FULL
)

// The locked byte lies far behind any content, which others may thus read.
const lockHigh = 1 << 30

// tryLock locks f for this open file alone, or reports false.
func tryLock(f *os.File) (bool, error) {
	err := lock(f, windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

func waitLock(f *os.File) error { return lock(f, windows.LOCKFILE_EXCLUSIVE_LOCK) }

func lock(f *os.File, flags uint32) error {
	err := withFd(f, func(fd uintptr) error {
		return windows.LockFileEx(windows.Handle(fd), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: lockHigh})
	})
	return os.NewSyscallError("LockFileEx", err)
}

func unlock(f *os.File) error {
	err := withFd(f, func(fd uintptr) error {
		return windows.UnlockFileEx(windows.Handle(fd), 0, 1, 0, &windows.Overlapped{OffsetHigh: lockHigh})
	})
	return os.NewSyscallError("UnlockFileEx", err)
}

// renameOpen closes f first: an open file cannot be renamed here.
func renameOpen(f *os.File, from, to string) error {
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func removeOpen(f *os.File, path string) error {
	if err := f.Close(); err != nil {
		return err
	}
	return os.Remove(path)
}

// syncDir does nothing: NTFS journals its directories.
func syncDir(string) error { return nil }
