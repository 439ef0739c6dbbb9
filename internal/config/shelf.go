package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"adit/internal/subnet"
)

// maxShelf bounds a file that settings name, in bytes.
const maxShelf = 16 << 20

// A shelf is the files under the root of the runs, read for the settings of t.
type shelf struct {
	root string
	t    *tree
}

var _ subnet.Files = shelf{}

func (s shelf) path(path string) string {
	if path = filepath.FromSlash(path); filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.root, path)
}

// Read implements [subnet.Files].
func (s shelf) Read(path string) ([]byte, error) {
	f, err := os.Open(s.path(path))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, missing(s.path(path))
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxShelf+1))
	if err == nil && len(data) > maxShelf {
		err = fmt.Errorf("%s is longer than %d bytes", s.path(path), maxShelf)
	}
	return data, err
}

// List implements [subnet.Files].
func (s shelf) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(s.path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// Decode implements [subnet.Files].
func (s shelf) Decode(path, section string, into any) error {
	data, err := read(s.path(path))
	if err != nil {
		return err
	}
	body, err := parse(s.path(path), data)
	if err != nil || body == nil {
		return err
	}
	t := newTree(into)
	t.section, t.translator = section, s.t.translator
	err = t.decode(s.path(path), body, into)
	s.t.warnings = append(s.t.warnings, t.warnings...)
	for path, from := range t.from {
		if _, given := s.t.from[path]; !given {
			s.t.from[path] = from
		}
	}
	return err
}
