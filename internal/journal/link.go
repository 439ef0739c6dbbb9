package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"adit/internal/subnet"
)

// Link gives a finished file a second name, replacing what stands there. A kill
// leaves either the one or the other behind, and at most a leftover for mend.
func (d *Dir) Link(from, to string) error {
	if err := checkLink(from, to); err != nil {
		return err
	}
	err := exclusively(d.root, func() error { return d.link(d.path(from), d.path(to)) })
	if err != nil {
		return fmt.Errorf("link %q to %q: %w", from, to, err)
	}
	return nil
}

func checkLink(from, to string) error {
	if err := errors.Join(checkName(from), checkName(to)); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	if from == to || strings.HasPrefix(to, from+"/") || strings.HasPrefix(from, to+"/") {
		return fmt.Errorf("link %q to %q: one lies in the other", from, to)
	}
	return nil
}

var errIsDir = errors.New("is a directory")

func (d *Dir) link(from, to string) error {
	for _, path := range []string{from, to} {
		info, err := os.Lstat(path)
		switch {
		case err == nil && info.IsDir():
			return errIsDir
		case absent(err) && path == from:
			return subnet.ErrNotFound
		case err != nil && !absent(err):
			return err
		}
	}
	if err := makeDir(filepath.Dir(to)); err != nil {
		return withCure(err)
	}
	// No system call replaces a name by a link: the link is made beside it.
	beside := beside(gonePrefix, to) + "_" + strconv.FormatUint(rand.Uint64(), 36)
	defer os.Remove(beside) // does nothing once renamed
	if err := os.Link(from, beside); err != nil {
		if absent(err) || errors.Is(err, fs.ErrExist) {
			return err
		}
		// Some file systems have no links.
		if err := copyFile(from, beside); err != nil {
			return withCure(err)
		}
	}
	if err := os.Rename(beside, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// Link gives a finished file a second name.
func (m *Mem) Link(from, to string) error {
	if err := checkLink(from, to); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.link(from, to); err != nil {
		return fmt.Errorf("link %q to %q: %w", from, to, err)
	}
	return nil
}

func (m *Mem) link(from, to string) error {
	if err := m.fault("link", from); err != nil {
		return err
	}
	source, was, _ := m.walk(from, false)
	if source == nil {
		return subnet.ErrNotFound
	}
	data, ok := source.files[was]
	if !ok && source.folders[was] == nil {
		return subnet.ErrNotFound
	}
	target, base, err := m.walk(to, true)
	if err != nil {
		return err
	}
	if !ok || target.folders[base] != nil {
		return errIsDir
	}
	target.files[base] = data
	return nil
}
