package wallet

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"adit/internal/subnet"
)

// maxFile is many times the largest key file, in bytes.
const maxFile = 64 << 10

// readKey reads a key file with parse. Errors name it and never show what is in
// it.
func readKey(kind, name string, parse func([]byte) (*Key, error)) (*Key, error) {
	b, err := readFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, subnet.WithHint(fmt.Errorf("read %s %s: %w", kind, name, subnet.ErrNotFound),
			"create the key first, or check the wallet's path and names")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", kind, err) // os names the file
	}
	defer clear(b)
	k, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", kind, name, err)
	}
	return k, nil
}

func readFile(name string) ([]byte, error) {
	// Opening a pipe would wait for somebody to write to it.
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%s is too large for a key file", name)
	}
	return b, nil
}

func exists(name string) error {
	return subnet.WithHint(fmt.Errorf("%s exists", name),
		"the key in it would be lost; choose another name, move the file away, or say --overwrite")
}

// writeNew writes a file that only its owner may read. It appears whole or not
// at all, and never in the place of another.
func writeNew(name string, b []byte) error {
	temp, err := writeTemp(name, b)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	// Unlike a rename, a link fails if the name is taken.
	if err := os.Link(temp, name); errors.Is(err, fs.ErrExist) {
		return exists(name)
	} else if err != nil {
		// Some file systems have no links; there the name is at least taken
		// before anything is written.
		if err := writeExclusive(name, b); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(name))
}

// replace is [writeNew], but in the place of a file that may be there.
func replace(name string, b []byte) error {
	temp, err := writeTemp(name, b)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, name); err != nil {
		os.Remove(temp)
		return err
	}
	return syncDir(filepath.Dir(name))
}

// writeTemp writes a file of mode 0600 beside the one that is meant.
func writeTemp(name string, b []byte) (temp string, err error) {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return f.Name(), nil
}

func writeExclusive(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return exists(name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(name) // ours, and not whole
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// syncDir makes a new name outlive a power cut. Windows does that by itself.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
