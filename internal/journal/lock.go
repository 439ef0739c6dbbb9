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
		f, err := lockFile(filepath.Join(dir, ownPrefix+name+".lock"), "")
		if err != nil {
			release()
			return nil, fmt.Errorf("lock %s of %s: %w", name, dir, err)
		}
		held = append(held, f)
	}
	return release, nil
}

// lockFile locks the file at path. where is the run's directory, or "" if the file
// is in it.
func lockFile(path, where string) (*os.File, error) {
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
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"+where), 0)
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
	const longest = 5000 // of a number and a path
	text, err := io.ReadAll(io.NewSectionReader(f, 0, longest))
	if err != nil {
		text = nil
	}
	number, where, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(number))
	switch {
	case err != nil:
		return "stop the other process, or use another directory"
	case where == "":
		return fmt.Sprintf("process %d works in this directory: stop it, or use another directory", pid)
	}
	return fmt.Sprintf("process %d works in %s: stop it, or give this run another name with --run_name or another hotkey", pid, where)
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
