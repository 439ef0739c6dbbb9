package pretrained

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"adit/internal/subnet"
)

// A file is an open file of a model. It implements subnet.File.
type file struct {
	*os.File
	size int64 // when it was opened
	info fs.FileInfo
}

var _ subnet.File = (*file)(nil)

// openFile opens a regular file that is not empty. Links are followed: the
// Hub's cache is made of them. Errors name the file, but for fs.ErrNotExist.
func openFile(path string) (*file, error) {
	// A pipe would wait for somebody to write to it, so look before opening.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, subnet.WithHint(fmt.Errorf("%s: it is no regular file", filepath.Base(path)), "put the file itself in its place")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil && info.Size() == 0 {
		err = subnet.WithHint(fmt.Errorf("%s: the file is empty", filepath.Base(path)), hintDamaged)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &file{f, info.Size(), info}, nil
}

// Size returns the bytes that there were when the file was opened.
func (f *file) Size() int64 { return f.size }

// errChanged says that somebody writes to a file that is being read.
var errChanged = errors.New("the file was changed while it was open")

// unchanged returns an error if the file has been written to or cut since it
// was opened.
func (f *file) unchanged() error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != f.size || !info.ModTime().Equal(f.info.ModTime()) {
		return errChanged
	}
	return nil
}
