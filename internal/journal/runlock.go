package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
)

// StateDir returns the directory in which the locks of all runs of this user are,
// wherever the runs' own directories are: that in ADIT_STATE, or else a customary
// one, or, for a user who has no home to write in, one among temporary files.
func StateDir() string {
	if dir := os.Getenv("ADIT_STATE"); dir != "" {
		return dir
	}
	if dir := customaryState(); dir != "" && os.MkdirAll(dir, 0o700) == nil {
		return dir
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("adit-%d", os.Getuid()))
}

func customaryState() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "adit")
	}
	if runtime.GOOS == "windows" {
		if dir, err := os.UserCacheDir(); err == nil {
			return filepath.Join(dir, "adit")
		}
		return ""
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", "adit")
	}
	return ""
}

// LockRun claims parts of the run of that name of a hotkey, each for one process of
// this user at a time, as [Lock] does in a directory: two directories may be of one
// run, of which the second is refused. dir is the run's directory, which the one
// who is refused is told. state is a directory as of [StateDir], made if need be.
func LockRun(state, hotkey, run, dir string, parts ...string) (release func(), err error) {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	locks := filepath.Join(state, "locks")
	if err := os.MkdirAll(locks, 0o700); err != nil {
		return nil, fmt.Errorf("lock run %s: %w", run, withCure(err))
	}
	var held []heldRun
	release = func() {
		for _, h := range held {
			h.free()
		}
		held = nil
	}
	for _, part := range parts {
		path := filepath.Join(locks, url.PathEscape(part+"-"+hotkey+"-"+run)+".lock")
		f, err := lockCurrent(path, dir)
		if err != nil {
			release()
			return nil, fmt.Errorf("lock %s of run %s of hotkey %s: %w", part, run, hotkey, err)
		}
		held = append(held, heldRun{f, path})
	}
	return release, nil
}

// A heldRun is the lock of one part. Its file goes with it, since a network on one
// machine makes hotkeys by the dozen.
type heldRun struct {
	f    *os.File
	path string
}

func (h heldRun) free() {
	_ = removeOpen(h.f, h.path) // what stays is an empty promise to nobody
	_ = unlockClose(h.f)
}

// lockCurrent locks the file that stands at path: the one that was opened may have
// been removed by whoever held it.
func lockCurrent(path, dir string) (*os.File, error) {
	for {
		f, err := lockFile(path, dir)
		if err != nil {
			return nil, err
		}
		mine, err := f.Stat()
		if err == nil {
			var there os.FileInfo
			if there, err = os.Stat(path); err == nil && os.SameFile(mine, there) {
				return f, nil
			}
		}
		unlockClose(f)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}
