package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"adit/internal/subnet"
)

// version is the layout of the directory that this package reads and writes.
const version = "1"

// A Dir is a run's directory on disk. It is safe for concurrent use, also by
// several processes.
type Dir struct {
	root string
}

var _ subnet.Dir = (*Dir)(nil)

// OpenDir opens the directory at path, making it if there is none, and mends
// what a kill left half done. A directory that another version of this layout
// wrote is refused untouched.
func OpenDir(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open directory: %w", err)
	}
	d := &Dir{path}
	switch marked, err := d.checkVersion(); {
	case err != nil:
		return nil, fmt.Errorf("open directory %s: %w", path, err)
	case marked:
		// Only a directory of ours is searched for leftovers.
		if err := d.mend(); err != nil {
			return nil, fmt.Errorf("mend directory %s: %w", path, err)
		}
	default:
		if err := d.mark(); err != nil {
			return nil, fmt.Errorf("make directory %s: %w", path, withCure(err))
		}
	}
	return d, nil
}

// Path returns the absolute path of the directory.
func (d *Dir) Path() string { return d.root }

// checkVersion reports whether the directory has been marked as ours.
func (d *Dir) checkVersion() (marked bool, err error) {
	data, err := os.ReadFile(filepath.Join(d.root, versionName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if len(data) > 20 {
		data = data[:20]
	}
	if got := strings.TrimSpace(string(data)); got != version {
		return true, subnet.WithHint(
			fmt.Errorf("its layout is version %q, this program's is %q", got, version),
			"run the version of adit that made the directory, or choose another one")
	}
	return true, nil
}

func (d *Dir) mark() error {
	if err := makeDir(d.root); err != nil {
		return err
	}
	return exclusively(d.root, func() error {
		return replaceFile(filepath.Join(d.root, versionName), []byte(version+"\n"))
	})
}

func (d *Dir) path(name string) string { return filepath.Join(d.root, filepath.FromSlash(name)) }

// Open opens a finished file for reading.
func (d *Dir) Open(name string) (subnet.File, error) {
	if err := checkName(name); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	f, err := os.Open(d.path(name))
	if err != nil {
		if absent(err) {
			err = subnet.ErrNotFound
		}
		return nil, fmt.Errorf("open %q: %w", name, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("is a directory")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open %q: %w", name, err)
	}
	return &diskFile{f, name, info.Size()}, nil
}

// absent reports whether err means that there is no such file: that a parent
// is a file says the same of everything below it.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotDir) }

// List returns the entries under dir; "" is the root.
func (d *Dir) List(dir string) ([]string, error) {
	if err := checkDir(dir); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	entries, err := os.ReadDir(d.path(dir))
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", dir, err)
	}
	var names []string
	for _, e := range entries {
		if name := e.Name(); !hidden(name) && !((dir == "" || dir == ".") && ours(name)) {
			names = append(names, name)
		}
	}
	return names, nil
}

// A diskFile is a finished file under the name that the run knows it by.
type diskFile struct {
	*os.File
	name string
	size int64
}

func (f *diskFile) Name() string { return f.name }
func (f *diskFile) Size() int64  { return f.size }

// makeDir makes path and what is missing above it, each synced into its parent,
// so that a file below survives a power cut.
func makeDir(path string) error {
	if info, err := os.Stat(path); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: path, Err: errNotDir}
		}
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	// Another process may be making the same directory.
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

// replaceFile puts data at path, whole or not at all. Call it exclusively: mend
// would take its draft for a leftover.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), gonePrefix)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing once renamed
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// withCure adds advice to the errors of a disk that a person can cure.
func withCure(err error) error {
	switch {
	case errors.Is(err, errDiskFull):
		return subnet.WithHint(err, "the disk is full: free some space, what was written so far is kept")
	case errors.Is(err, fs.ErrPermission):
		return subnet.WithHint(err, "the directory must belong to the user who runs adit")
	}
	return err
}
