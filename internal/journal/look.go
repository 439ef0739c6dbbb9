package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Look returns the directory at path for somebody who only reads it: unlike with
// [OpenDir] nothing is made or mended there, and it need not be of this layout.
func Look(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("look into directory: %w", err)
	}
	if _, err := os.ReadDir(path); err != nil {
		return nil, fmt.Errorf("look into directory: %w", err)
	}
	return &Dir{path}, nil
}

// CheckLayout says whether another version of this package wrote the directory.
func (d *Dir) CheckLayout() error {
	_, err := d.checkVersion()
	return err
}

// Holder says whether a process holds the named part of a run's directory, as
// [Lock] claims them, and its number, 0 if it did not tell. To find out, a lock that
// is free is held for an instant.
func Holder(dir, name string) (pid int, held bool, err error) {
	f, err := os.OpenFile(filepath.Join(dir, ownPrefix+name+".lock"), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	} else if err != nil {
		return 0, false, err
	}
	free, err := tryLock(f)
	if err == nil && !free {
		text, _ := io.ReadAll(io.NewSectionReader(f, 0, 20))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	return pid, err == nil && !free, errors.Join(err, unlockClose(f))
}

// A Leftover is the draft of a file: half of a download, or what a kill cut off.
type Leftover struct {
	Name string // of the file that it would become
	Size int64
}

// maxLooked is how many entries of a directory are looked at.
const maxLooked = 100_000

// Leftovers lists the drafts under the directory that nobody writes at present.
func (d *Dir) Leftovers() ([]Leftover, error) {
	var list []Leftover
	looked := 0
	err := filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if looked++; looked > maxLooked || errors.Is(err, fs.ErrNotExist) {
			return nil // what was there has gone
		} else if err != nil {
			return err
		}
		name, ok := strings.CutPrefix(e.Name(), draftPrefix)
		if !ok || e.IsDir() || writing(path) {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return nil
		}
		rel, err := filepath.Rel(d.root, filepath.Join(filepath.Dir(path), name))
		if err != nil {
			return err
		}
		list = append(list, Leftover{filepath.ToSlash(rel), info.Size()})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for drafts: %w", err)
	}
	return list, nil
}

// writing says whether somebody has the draft at path open to write.
func writing(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	free, err := tryLock(f)
	_ = unlockClose(f)
	return err == nil && !free
}
