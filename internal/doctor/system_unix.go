//go:build linux || darwin

package doctor

import "golang.org/x/sys/unix"

// writable says why a directory cannot be written, without writing.
func writable(path string) error { return unix.Access(path, unix.W_OK|unix.X_OK) }

// diskSpace returns how many bytes this user may still write below a directory.
func diskSpace(path string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil
}

// freeInodes returns how many more files the file system takes, if it has a limit.
func freeInodes(path string) (free uint64, limited bool, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, false, err
	}
	return uint64(s.Ffree), s.Files > 0, nil
}

// fileLimit returns how many files a process may open.
func fileLimit() (uint64, error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, err
	}
	return uint64(r.Cur), nil
}
