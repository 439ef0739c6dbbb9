package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"adit/internal/subnet"
)

// Rename moves a file or a directory, replacing what stands there.
//
// No system call replaces a directory, so what stands there steps aside first:
//
//	to → old_to;  from → to;  remove old_to
//
// A kill after the first step leaves no "to" and an old_to, which mend moves
// back; after the second both, and old_to is rubbish. Either way one whole
// directory stands at "to".
func (d *Dir) Rename(from, to string) error {
	if err := errors.Join(checkName(from), checkName(to)); err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	if from == to || strings.HasPrefix(to, from+"/") || strings.HasPrefix(from, to+"/") {
		return fmt.Errorf("rename %q to %q: one lies in the other", from, to)
	}
	err := exclusively(d.root, func() error { return d.rename(d.path(from), d.path(to)) })
	if err != nil {
		return fmt.Errorf("rename %q to %q: %w", from, to, err)
	}
	return nil
}

func (d *Dir) rename(from, to string) error {
	source, err := os.Lstat(from)
	if absent(err) {
		return subnet.ErrNotFound
	}
	if err != nil {
		return err
	}
	if err := makeDir(filepath.Dir(to)); err != nil {
		return err
	}
	old := beside(oldPrefix, to)
	target, err := os.Lstat(to)
	aside := err == nil && (source.IsDir() || target.IsDir())
	// An earlier replacement may have been killed before its last step. With
	// "to" in place its leftover is rubbish, and must not come back when "from"
	// leaves.
	if err := errors.Join(discard(old), discard(beside(oldPrefix, from))); err != nil {
		return err
	}
	if aside {
		if err := os.Rename(to, old); err != nil {
			return err
		}
	}
	if err := os.Rename(from, to); err != nil {
		if aside {
			err = errors.Join(err, os.Rename(old, to))
		}
		return err
	}
	if err := syncDir(filepath.Dir(to)); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(from)); err != nil {
		return err
	}
	return discard(old)
}

// Remove removes a file, or a directory with all it holds, at once: it is never
// seen half empty. The draft that was left of it goes too, unless somebody is
// writing it.
func (d *Dir) Remove(name string) error {
	if err := checkName(name); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	path := d.path(name)
	err := exclusively(d.root, func() error {
		if err := discardDraft(beside(draftPrefix, path)); err != nil {
			return err
		}
		return errors.Join(discard(beside(oldPrefix, path)), discard(path))
	})
	if err != nil {
		return fmt.Errorf("remove %q: %w", name, err)
	}
	return nil
}

func beside(prefix, path string) string {
	return filepath.Join(filepath.Dir(path), prefix+filepath.Base(path))
}

// discard removes path. A directory is renamed out of sight first.
func discard(path string) error {
	info, err := os.Lstat(path)
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return os.Remove(path)
	}
	gone := beside(gonePrefix, path) + "_" + strconv.FormatUint(rand.Uint64(), 36)
	if err := os.Rename(path, gone); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

func discardDraft(part string) error {
	f, err := os.OpenFile(part, os.O_RDWR, 0)
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if free, err := tryLock(f); err != nil || !free {
		return err
	}
	defer unlock(f)
	return removeOpen(f, part)
}

// mend finishes or takes back what a kill interrupted.
func (d *Dir) mend() error {
	return exclusively(d.root, func() error {
		return filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
			if absent(err) { // another process of the run removed it meanwhile
				return nil
			}
			if err != nil {
				return err
			}
			if name, ok := strings.CutPrefix(e.Name(), oldPrefix); ok {
				err = takeBack(path, filepath.Join(filepath.Dir(path), name))
			} else if strings.HasPrefix(e.Name(), gonePrefix) {
				err = os.RemoveAll(path)
			} else {
				return nil
			}
			if err == nil && e.IsDir() {
				err = fs.SkipDir
			}
			return err
		})
	})
}

// takeBack puts old in its place again if nothing has taken it.
func takeBack(old, path string) error {
	if _, err := os.Lstat(path); err == nil {
		return os.RemoveAll(old)
	} else if !absent(err) {
		return err
	}
	if err := os.Rename(old, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
