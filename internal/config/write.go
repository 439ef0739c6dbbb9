package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"

	"adit/internal/subnet"
)

// Write puts cfg into a new file at path, with comment on top and the help of
// each setting above it. The file appears whole, and only its owner may read
// it. A file that stands there is left alone, with an error.
func Write(path string, cfg Settings, comment string) error {
	return write(path, cfg, comment, false)
}

// Replace is [Write] over whatever stands there.
func Replace(path string, cfg Settings, comment string) error {
	return write(path, cfg, comment, true)
}

func write(path string, cfg Settings, comment string, force bool) error {
	var b bytes.Buffer
	for line := range strings.Lines(comment) {
		b.WriteString(strings.TrimRight("# "+strings.TrimRight(line, "\n"), " ") + "\n")
	}
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	comments := yaml.CommentMap{}
	helpOf(comments, "$", settle(reflect.ValueOf(cfg)))
	data, err := yaml.MarshalWithOptions(cfg, yaml.CustomMarshaler(revealed), yaml.WithComment(comments))
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	b.Write(data)
	if err := place(path, b.Bytes(), force); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}

func helpOf(comments yaml.CommentMap, path string, v reflect.Value) {
	if v.Kind() != reflect.Struct || readsItself(v.Type()) {
		return
	}
	for _, f := range fieldsOf(v) {
		at := path + "." + f.name
		if f.help != "" {
			var lines []string
			for line := range strings.SplitSeq(f.help, "\n") {
				lines = append(lines, " "+line)
			}
			comments[at] = []*yaml.Comment{yaml.HeadComment(lines...)}
		}
		helpOf(comments, at, settle(f.value))
	}
}

// place puts data at path whole or not at all. os.CreateTemp makes the file for
// its owner alone.
func place(path string, data []byte, force bool) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".config-*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // the second name, if the file got its first
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
	if force {
		return os.Rename(f.Name(), path)
	}
	// A link fails where a rename would replace. Not every file system has
	// links: there, nobody else is expected to write the same settings now.
	if err = os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, err = os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return os.Rename(f.Name(), path)
		} else if err == nil {
			err = fs.ErrExist
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return subnet.WithHint(fmt.Errorf("%s exists", path), "choose another directory, or move the file out of the way")
	}
	return err
}
