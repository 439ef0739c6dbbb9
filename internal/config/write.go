package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
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

// WriteAll is [Write] with the settings too that are taken and have no effect: as
// comments that say why.
func WriteAll(path string, cfg Settings, comment string) error {
	text, err := render(cfg, comment)
	if err != nil {
		return err
	}
	if t, ok := cfg.(subnet.Translator); ok {
		text = withIgnored(text, t)
	}
	if err := place(path, text, false); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}

// Replace is [Write] over whatever stands there.
func Replace(path string, cfg Settings, comment string) error {
	return write(path, cfg, comment, true)
}

func write(path string, cfg Settings, comment string, force bool) error {
	text, err := render(cfg, comment)
	if err != nil {
		return err
	}
	if err := place(path, text, force); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}

// render returns the text of a file of settings.
func render(cfg Settings, comment string) ([]byte, error) {
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
		return nil, fmt.Errorf("write settings: %w", err)
	}
	b.Write(data)
	return b.Bytes(), nil
}

// withIgnored puts a comment at the end of its section for each setting that has no
// effect.
func withIgnored(text []byte, t subnet.Translator) []byte {
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	for _, path := range t.Foreign() {
		m, ok := t.Translate(path, "")
		if !ok || m.Ignored == "" {
			continue
		}
		section, name := "", path
		if i := strings.LastIndexByte(path, '.'); i >= 0 {
			section, name = path[:i], path[i+1:]
		}
		end, depth, found := sectionEnd(lines, section)
		if !found {
			name, depth = path, 0
		}
		lines = slices.Insert(lines, end, fmt.Sprintf("%s# %s has no effect: %s", strings.Repeat("  ", depth), name, m.Ignored))
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// sectionEnd returns the line behind a section's last, and how deep its settings
// stand.
func sectionEnd(lines []string, section string) (end, depth int, found bool) {
	if section == "" {
		return len(lines), 0, false
	}
	from, to := 0, len(lines)
	for name := range strings.SplitSeq(section, ".") {
		indent := strings.Repeat("  ", depth)
		at := -1
		for i := from; i < to; i++ {
			if lines[i] == indent+name+":" {
				at = i
				break
			}
		}
		if at < 0 {
			return len(lines), 0, false
		}
		depth++
		from = at + 1
		for i := from; i < to; i++ {
			// A section's comment stands before it, as deep as the section.
			if !strings.HasPrefix(lines[i], indent+"  ") {
				to = i
				break
			}
		}
	}
	return to, depth, true
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
