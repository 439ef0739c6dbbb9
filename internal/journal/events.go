package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

const (
	maxEvents  = 10 << 20 // bytes in one file of events
	keptEvents = 3        // files, the current one included
)

// Events is the file that a run's events go to, in whatever form the writer
// gives them, a line each. When it is full it becomes the first of two older
// ones. Nothing is synced: losing the last second of it harms nobody. It is
// safe for concurrent use, by one process.
type Events struct {
	dir, stem string
	max       int64

	mu     sync.Mutex
	f      *os.File // nil if the last rotation went wrong half way
	size   int64
	closed bool
}

// OpenEvents opens events.jsonl in dir, or events.ROLE.jsonl if two roles share
// the directory.
func OpenEvents(dir, role string) (*Events, error) {
	stem := eventsName
	if role != "" {
		stem += "." + role
	}
	if err := checkName(stem); err != nil {
		return nil, fmt.Errorf("open events: %w", err)
	}
	e := &Events{dir: dir, stem: stem, max: maxEvents}
	if err := e.open(); err != nil {
		return nil, fmt.Errorf("open events: %w", err)
	}
	return e, nil
}

// path returns where the nth file before the current one is.
func (e *Events) path(n int) string {
	name := e.stem + ".jsonl"
	if n > 0 {
		name = e.stem + "." + strconv.Itoa(n) + ".jsonl"
	}
	return filepath.Join(e.dir, name)
}

func (e *Events) open() error {
	f, err := os.OpenFile(e.path(0), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return withCure(err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	e.f, e.size = f, info.Size()
	if e.size == 0 {
		return nil
	}
	// A line that a kill cut short must not swallow the next one.
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, e.size-1); err == nil && last[0] != '\n' {
		n, err := f.Write([]byte("\n"))
		e.size += int64(n)
		return err
	}
	return nil
}

// Write appends whole lines.
func (e *Events) Write(lines []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return 0, fmt.Errorf("write events: %w", fs.ErrClosed)
	}
	if e.f == nil {
		if err := e.open(); err != nil {
			return 0, fmt.Errorf("write events: %w", err)
		}
	}
	if e.size > 0 && e.size+int64(len(lines)) > e.max {
		if err := e.rotate(); err != nil {
			return 0, fmt.Errorf("write events: %w", err)
		}
	}
	n, err := e.f.Write(lines)
	e.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("write events: %w", withCure(err))
	}
	return n, nil
}

func (e *Events) rotate() error {
	err := e.f.Close()
	e.f = nil
	for n := keptEvents - 1; n > 0 && err == nil; n-- {
		if err = os.Rename(e.path(n-1), e.path(n)); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return errors.Join(err, e.open())
}

// Close closes the file. It may be called again.
func (e *Events) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	if e.f == nil {
		return nil
	}
	err := e.f.Close()
	e.f = nil
	return err
}
