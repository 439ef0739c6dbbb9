package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"adit/internal/subnet"
)

var (
	errWriting   = errors.New("another draft of it is being written")
	errCommitted = errors.New("the draft has been committed or closed")
)

// A draft is written beside its place, under a lock that frees itself when the
// process dies: of two writers of one name the second is told so, instead of
// both writing one file.
type draft struct {
	f          *os.File // nil once committed or closed
	name       string
	path, part string
	size       int64
}

// Create starts a draft of name from nothing.
func (d *Dir) Create(name string) (subnet.Draft, error) {
	f, err := d.openDraft(name)
	if err != nil {
		return nil, fmt.Errorf("create %w", err)
	}
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(fmt.Errorf("create %q: %w", name, err), f.Close())
	}
	return f, nil
}

// Resume continues the draft of name, or starts one. After a power cut its last
// bytes may not be those that were written: check them against a digest.
func (d *Dir) Resume(name string) (subnet.Draft, error) {
	f, err := d.openDraft(name)
	if err != nil {
		return nil, fmt.Errorf("resume %w", err)
	}
	return f, nil
}

func (d *Dir) openDraft(name string) (*draft, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	path := d.path(name)
	part := filepath.Join(filepath.Dir(path), draftPrefix+filepath.Base(path))
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("%q: %w", name, withCure(err))
	}
	f, err := openLocked(part)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, withCure(err))
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%q: %w", name, err), unlockClose(f))
	}
	return &draft{f: f, name: name, path: path, part: part, size: size}, nil
}

// openLocked opens the draft at path and locks it. Between the two its writer
// may have committed it: then what was opened is a finished file, not a draft.
func openLocked(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if ok, err := tryLock(f); err != nil || !ok {
			f.Close()
			if err == nil {
				err = errWriting
			}
			return nil, err
		}
		mine, err := f.Stat()
		if err != nil {
			unlockClose(f)
			return nil, err
		}
		if there, err := os.Stat(path); err == nil && os.SameFile(mine, there) {
			return f, nil
		}
		unlockClose(f)
	}
}

func (f *draft) Write(p []byte) (int, error) {
	if f.f == nil {
		return 0, fmt.Errorf("write %q: %w", f.name, errCommitted)
	}
	n, err := f.f.Write(p)
	f.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("write %q: %w", f.name, withCure(err))
	}
	return n, nil
}

func (f *draft) ReadAt(p []byte, off int64) (int, error) {
	if f.f == nil {
		return 0, fmt.Errorf("read %q: %w", f.name, errCommitted)
	}
	return f.f.ReadAt(p, off) // an io.EOF must stay what it is
}

func (f *draft) Size() int64 { return f.size }

func (f *draft) Truncate(size int64) error {
	if f.f == nil {
		return fmt.Errorf("truncate %q: %w", f.name, errCommitted)
	}
	if size < 0 || size > f.size {
		return fmt.Errorf("truncate %q to %d bytes: it has %d", f.name, size, f.size)
	}
	if err := f.f.Truncate(size); err != nil {
		return fmt.Errorf("truncate %q: %w", f.name, err)
	}
	if _, err := f.f.Seek(size, io.SeekStart); err != nil {
		return fmt.Errorf("truncate %q: %w", f.name, err)
	}
	f.size = size
	return nil
}

// Commit syncs before it renames: a name never stands for bytes that a power
// cut could take away.
func (f *draft) Commit() error {
	if f.f == nil {
		return fmt.Errorf("commit %q: %w", f.name, errCommitted)
	}
	if err := f.f.Sync(); err != nil {
		return fmt.Errorf("commit %q: %w", f.name, withCure(err))
	}
	if err := renameOpen(f.f, f.part, f.path); err != nil {
		return fmt.Errorf("commit %q: %w", f.name, err)
	}
	err := unlockClose(f.f)
	f.f = nil
	if err == nil {
		err = syncDir(filepath.Dir(f.path))
	}
	if err != nil {
		return fmt.Errorf("commit %q: %w", f.name, err)
	}
	return nil
}

func (f *draft) Close() error {
	if f.f == nil {
		return nil
	}
	err := unlockClose(f.f)
	f.f = nil
	if err != nil {
		return fmt.Errorf("close draft of %q: %w", f.name, err)
	}
	return nil
}
