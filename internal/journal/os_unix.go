//go:build unix

package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

const (
	errNotDir   = unix.ENOTDIR
	errDiskFull = unix.ENOSPC
)

// tryLock locks f for this open file alone, or reports false.
func tryLock(f *os.File) (bool, error) {
	err := flock(f, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

func waitLock(f *os.File) error { return flock(f, unix.LOCK_EX) }

func unlock(f *os.File) error { return flock(f, unix.LOCK_UN) }

func flock(f *os.File, how int) error {
	for {
		err := withFd(f, func(fd uintptr) error { return unix.Flock(int(fd), how) })
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("flock", err)
		}
	}
}

// renameOpen renames a file that f has open: without letting go of its lock.
func renameOpen(_ *os.File, from, to string) error { return os.Rename(from, to) }

func removeOpen(_ *os.File, path string) error { return os.Remove(path) }

// syncDir makes the entries of a directory survive a power cut.
func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	// Some network file systems cannot sync a directory, and say so.
	if err := f.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return err
	}
	return nil
}
