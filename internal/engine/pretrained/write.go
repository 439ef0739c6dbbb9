package pretrained

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"adit/internal/subnet"
)

// Write makes dir a model directory with these contents, or leaves it as it
// was: nothing half-written is ever there. A model that was there before is
// replaced as a whole, and kept until the new one is complete and on the disk.
// So for a while both take up room. Files in dir that belong to no model are an
// error, as they would be lost.
//
// Everything goes to a hidden directory beside dir, which is synced and then
// takes dir's place. If that fails, the directory is removed; if the process is
// killed, the next Write of the same dir removes it. Only one process may write
// a directory at a time; others may read the old model meanwhile, which those
// who have it open keep until they close it. On Windows it cannot be replaced
// as long as somebody has it open.
func Write(dir string, c Contents) error {
	w := &writer{act: func(string) error { return nil }}
	if err := w.write(dir, &c); err != nil {
		return fmt.Errorf("write model %s: %w", dir, err)
	}
	return nil
}

// A writer writes one directory.
type writer struct {
	// act is called before everything that is done to the disk, with words for
	// it; tests let it fail, or end the writer there as a kill would.
	act func(what string) error

	dir  string   // where the model goes
	tmp  string   // where it is written
	lock *os.File // of tmp; nil where directories cannot be locked
}

func (w *writer) write(dir string, c *Contents) error {
	shards, total, err := c.plan()
	if err != nil {
		return err
	}
	if err := c.checkFiles(); err != nil {
		return err
	}
	if w.dir, err = target(dir); err != nil {
		return err
	}
	if err := w.mend(); err != nil {
		return err
	}
	if err := replaceable(w.dir, c); err != nil {
		return err
	}
	if err := w.begin(); err != nil {
		return err
	}
	err = w.fill(c, shards, total)
	if err == nil {
		err = w.install()
	}
	if err != nil {
		err = errors.Join(err, os.RemoveAll(w.tmp))
	}
	if w.lock != nil {
		w.lock.Close()
	}
	return err
}

// target returns the path at which the directory stands or will stand. Of a
// link that is where it points to: the link itself stays.
func target(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return filepath.EvalSymlinks(dir)
	}
	return dir, nil
}

// replaceable returns an error if something in dir would be lost.
func replaceable(dir string, c *Contents) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !info.IsDir() {
		err = subnet.WithHint(errors.New("there is a file of that name"), "give the path of a directory")
	}
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	copied := make(map[string]bool)
	for _, path := range c.Files {
		copied[filepath.Base(path)] = true
	}
	for _, e := range entries {
		if e.IsDir() || !isModelFile(e.Name()) && !copied[e.Name()] {
			return subnet.WithHint(fmt.Errorf("the directory also holds %s, which would be lost", e.Name()),
				"move it elsewhere, or write the model to another directory")
		}
	}
	return nil
}

// fill writes all files into tmp and syncs them.
func (w *writer) fill(c *Contents, shards []plannedShard, total int64) error {
	blob := func(b []byte) func(io.Writer) error {
		return func(f io.Writer) error { _, err := f.Write(b); return err }
	}
	if err := w.create(configFile, blob(c.Config)); err != nil {
		return err
	}
	if c.Generation != nil {
		if err := w.create(generationFile, blob(c.Generation)); err != nil {
			return err
		}
	}
	for _, path := range c.Files {
		err := w.create(filepath.Base(path), func(dst io.Writer) error {
			src, err := os.Open(path)
			if err != nil {
				return err
			}
			defer src.Close()
			_, err = io.Copy(dst, src)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, s := range shards {
		if err := w.create(s.name, s.encode); err != nil {
			return err
		}
	}
	if len(shards) > 1 {
		b, err := index(shards, total)
		if err != nil {
			return err
		}
		if err := w.create(indexFile, blob(b)); err != nil {
			return err
		}
	}
	if err := w.act("sync the directory"); err != nil {
		return err
	}
	return syncDir(w.tmp)
}

// create makes one file in tmp and syncs it.
func (w *writer) create(name string, fill func(io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
	}()
	if err := w.act("create " + name); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(w.tmp, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := fill(acting{w, f, name}); err != nil {
		return err
	}
	if err := w.act("sync " + name); err != nil {
		return err
	}
	return f.Sync()
}

// acting is a file that tells of its writes.
type acting struct {
	w    *writer
	f    *os.File
	name string
}

func (a acting) Write(b []byte) (int, error) {
	if err := a.w.act("write " + a.name); err != nil {
		return 0, err
	}
	return a.f.Write(b)
}

// The hidden siblings of a directory: fresh ones are being written, and the
// one aside is the model from before while it is being replaced.
func freshPrefix(dir string) string { return "." + filepath.Base(dir) + ".new-" }

func aside(dir string) string {
	return filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".old")
}

// isFresh reports whether name is that of a directory that was being written
// in dir's stead.
func isFresh(dir, name string) bool { return strings.HasPrefix(name, freshPrefix(dir)) }
