package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"adit/internal/subnet"
)

// Lock claims the parts of a run's directory that names name, each for one
// process at a time; without names, the run as such. Two processes may thus
// share a directory, one training and one talking to the chain. The system
// frees the locks when the process dies in whatever way; release does so
// earlier. The directory must exist.
func Lock(dir string, names ...string) (release func(), err error) {
	if len(names) == 0 {
		names = []string{"run"}
	}
	var held []*os.File
	release = func() {
		for _, f := range held {
			unlockClose(f)
		}
		held = nil
	}
	for _, name := range names {
		if name == "" || checkName("lock of "+name) != nil || strings.Contains(name, "/") {
			release()
			return nil, fmt.Errorf("lock %q: %w", name, errName)
		}
		f, err := lockFile(filepath.Join(dir, ownPrefix+name+".lock"))
		if err != nil {
			release()
			return nil, fmt.Errorf("lock %s of %s: %w", name, dir, err)
		}
		held = append(held, f)
	}
	return release, nil
}

func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, withCure(err)
	}
	free, err := tryLock(f)
	if err == nil && !free {
		err = subnet.WithHint(errors.New("another process holds it"), holder(f))
	}
	if err == nil {
		// Whom to look for, should a second process come.
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		unlockClose(f)
		return nil, err
	}
	return f, nil
}

// unlockClose lets go of a lock now. Closing alone may be too little: a process
// that is just being started holds a copy of every open file until it has become
// another program.
func unlockClose(f *os.File) error {
	unlocked, closed := unlock(f), f.Close()
	if errors.Is(closed, os.ErrClosed) { // see renameOpen
		return nil
	}
	return errors.Join(unlocked, closed)
}

// withFd calls do with the descriptor of f, which stays open meanwhile.
func withFd(f *os.File, do func(fd uintptr) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var did error
	if err := c.Control(func(fd uintptr) { did = do(fd) }); err != nil {
		return err
	}
	return did
}

func holder(f *os.File) string {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 20))
	if err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			return fmt.Sprintf("process %d works in this directory: stop it, or use another directory", pid)
		}
	}
	return "stop the other process, or use another directory"
}

// exclusively runs f while no other process or goroutine moves things about in
// the directory root.
func exclusively(root string, f func() error) error {
	lock, err := os.OpenFile(filepath.Join(root, ownPrefix+"moving"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer unlockClose(lock)
	if err := waitLock(lock); err != nil {
		return err
	}
	return f()
}
