package pretrained

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"adit/internal/subnet"
)

// How the new directory takes the old one's place:
//
// Where there is none, it is renamed. Where there is one and the system can
// exchange two directories in one step (Linux and macOS, on most file systems),
// that is done, and the old one, now under the hidden name, is removed. At
// every instant a whole model stands at dir.
//
// Elsewhere no system call replaces a directory that is not empty, so the old
// one steps aside first:
//
//	dir → .dir.old;  .dir.new-… → dir;  remove .dir.old
//
// An error in the second step takes the first one back. A kill between the two
// leaves nothing at dir, and both models whole beside it: Open says so, and the
// next Write puts the old one back before it does anything else. A kill after
// the second leaves an old one that the next Write removes.
func (w *writer) install() error {
	_, err := os.Lstat(w.dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := w.rename(w.tmp, w.dir); err != nil {
			return err
		}
		if err := w.settle(); err != nil {
			return errors.Join(err, os.Rename(w.dir, w.tmp))
		}
		return nil
	}
	if err != nil {
		return err
	}
	if err := w.act("exchange"); err != nil {
		return err
	}
	err = exchange(w.tmp, w.dir)
	if errors.Is(err, errors.ErrUnsupported) {
		return w.replace()
	}
	if err != nil {
		return err
	}
	if err := w.settle(); err != nil {
		return errors.Join(err, exchange(w.tmp, w.dir))
	}
	// The new model is in its place. If the old one cannot be removed, the next
	// Write tries again.
	if err := w.act("remove the old one"); err == nil {
		os.RemoveAll(w.tmp)
	}
	return nil
}

// replace is install for systems without exchange. What may lie at the place
// aside is rubbish, as there is a model at dir.
func (w *writer) replace() error {
	old := aside(w.dir)
	if err := w.act("remove an old leftover"); err != nil {
		return err
	}
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := w.rename(w.dir, old); err != nil {
		return subnet.WithHint(err, "close the programs that have the model open")
	}
	if err := w.rename(w.tmp, w.dir); err != nil {
		return errors.Join(err, os.Rename(old, w.dir))
	}
	if err := w.settle(); err != nil {
		return errors.Join(err, os.Rename(w.dir, w.tmp), os.Rename(old, w.dir))
	}
	if err := w.act("remove the old one"); err == nil {
		os.RemoveAll(old)
	}
	return nil
}

func (w *writer) rename(from, to string) error {
	if err := w.act("rename " + filepath.Base(from) + " to " + filepath.Base(to)); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// settle makes the renames survive a power cut.
func (w *writer) settle() error {
	if err := w.act("sync the parent"); err != nil {
		return err
	}
	return syncDir(filepath.Dir(w.dir))
}

// mend cleans up after writers that were killed.
func (w *writer) mend() error {
	if _, err := os.Lstat(w.dir); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(aside(w.dir)); err == nil {
			if err := w.rename(aside(w.dir), w.dir); err != nil {
				return err
			}
		}
	}
	parent := filepath.Dir(w.dir)
	entries, err := os.ReadDir(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !isFresh(w.dir, e.Name()) {
			continue
		}
		path := filepath.Join(parent, e.Name())
		lock, err := lockDir(path)
		if err != nil {
			continue // somebody is writing it, or it is not ours to remove
		}
		err = os.RemoveAll(path)
		lock.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// begin makes and locks tmp.
func (w *writer) begin() error {
	parent := filepath.Dir(w.dir)
	if err := w.act("make the parent"); err != nil {
		return err
	}
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return err
	}
	if err := w.act("make the directory"); err != nil {
		return err
	}
	w.tmp = filepath.Join(parent, freshPrefix(w.dir)+strconv.FormatUint(rand.Uint64(), 36))
	if err := os.Mkdir(w.tmp, 0o777); err != nil {
		return err
	}
	lock, err := lockDir(w.tmp)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return errors.Join(err, os.RemoveAll(w.tmp))
	}
	w.lock = lock
	return nil
}
