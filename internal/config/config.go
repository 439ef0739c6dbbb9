// Package config reads and writes the settings of a run: a YAML file over the
// defaults, single settings over the file. A setting that does not exist is an
// error that shows the line, since a typing mistake in a file of defaults would
// otherwise go unnoticed for weeks.
//
// Settings are structs. A field is named by its yaml tag, or its name in lower
// case; its help tag becomes the comment that [Write] puts above it.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"adit/internal/subnet"
)

// maxFile bounds a settings file, in bytes.
const maxFile = 1 << 20

// Settings are what is loaded: any [subnet.Config] is such.
type Settings interface {
	// Validate returns every problem, joined, each beginning with the
	// setting's path.
	Validate() error
}

var _ Settings = subnet.Config(nil)

// A Source is where settings come from, besides their defaults.
type Source struct {
	Path string   // of the file; "" for none
	Set  []string // single settings that go before the file's, each as path=value
	Role string   // that is to be played; "" if none is
	Root string   // that relative paths of further files are from; "" for here
}

// A Report is what a person may want to know of settings that were read.
type Report struct {
	// Warnings tell of settings that were taken and do nothing here, or not what
	// they say, each with its place in the file.
	Warnings []string
	// From says, for settings that are not defaults, where they come from:
	// "config.yaml:3" or "--set".
	From map[string]string
}

// Load reads the file at path over what into, a pointer to a struct, already
// holds, then overrides of the form "train.lr=1e-3" over that, and validates
// the whole. An empty path reads no file. Every problem of a kind is reported,
// those of the file with their lines.
func Load(path string, into Settings, overrides []string) error {
	_, err := Read(Source{Path: path, Set: overrides}, into)
	return err
}

// Read is [Load] for settings that choose their defaults, take those of other
// programs or complete themselves: see [subnet.Chooser], [subnet.Translator] and
// [subnet.Extender]. The report is there with an error too, as far as was read.
func Read(from Source, into Settings) (Report, error) {
	t := newTree(into)
	err := from.read(t, into)
	return Report{t.warnings, t.from}, err
}

func (from Source) read(t *tree, into Settings) error {
	var body ast.Node
	if from.Path != "" {
		data, err := read(from.Path)
		if err == nil {
			body, err = parse(from.Path, data)
		}
		if err != nil {
			return err
		}
	}
	if c, ok := into.(subnet.Chooser); ok {
		c.Choose(func(path string) string {
			value := given(path, body, from.Set)
			if value == "" && path == "role" {
				value = from.Role
			}
			return value
		})
		t.root = reflect.ValueOf(into)
	}
	if body != nil {
		if err := t.decode(from.Path, body, into); err != nil {
			return err
		}
	}
	if err := t.override(into, from.Set); err != nil {
		return err
	}
	var lacking error
	if e, ok := into.(subnet.Extender); ok {
		warnings, err := e.Extend(shelf{from.Root, t}, from.Role)
		t.warnings = append(t.warnings, warnings...)
		lacking = err
	}
	if err := into.Validate(); err != nil {
		name := from.Path
		if name == "" {
			name = "settings"
		}
		return errors.Join(lacking, fmt.Errorf("%s:\n  %s", name, strings.ReplaceAll(err.Error(), "\n", "\n  ")))
	}
	return lacking
}

// Given returns what a source says of a setting, "" if nothing, without knowing what
// else may be set: so that the settings themselves may depend on it.
func (from Source) Given(setting string) (string, error) {
	var body ast.Node
	if from.Path != "" {
		data, err := read(from.Path)
		if err == nil {
			body, err = parse(from.Path, data)
		}
		if err != nil {
			return "", err
		}
	}
	return given(setting, body, from.Set), nil
}

// given returns what the last override, or else the file, has for a setting.
func given(path string, body ast.Node, overrides []string) string {
	for _, o := range slices.Backward(overrides) {
		if name, value, ok := strings.Cut(o, "="); ok && name == path {
			return value
		}
	}
	n := body
	for name := range strings.SplitSeq(path, ".") {
		n = child(n, name)
	}
	if s, ok := n.(ast.ScalarNode); ok && s.Type() != ast.NullType {
		return s.GetToken().Value
	}
	return ""
}

// child returns the value of a key, or nil.
func child(n ast.Node, name string) ast.Node {
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	}
	for _, p := range pairs {
		if p.Key.GetToken().Value == name {
			return p.Value
		}
	}
	return nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, missing(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("read settings: %s is longer than %d bytes", path, maxFile)
	}
	return data, nil
}

// decode reads data, the content of the file name, over into.
func decode(name string, data []byte, into any) error {
	body, err := parse(name, data)
	if err != nil || body == nil {
		return err
	}
	return newTree(into).decode(name, body, into)
}

// parse returns what a file holds, or nil if that is nothing.
func parse(name string, data []byte) (ast.Node, error) {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, located(name, err, nil)
	}
	if len(file.Docs) > 1 {
		return nil, fmt.Errorf("%s: holds %d documents, want one", name, len(file.Docs))
	}
	if len(file.Docs) == 0 {
		return nil, nil
	}
	return file.Docs[0].Body, nil
}

// decode reads a parsed file over into.
func (t *tree) decode(name string, body ast.Node, into any) error {
	t.name = filepath.Base(name)
	if err := t.check(name, body); err != nil {
		return err
	}
	// A section whose lines are all commented out is there without a value; it
	// says nothing, and must not wipe out the defaults.
	if body = t.pruned(body); body != nil {
		if err := yaml.NodeToValue(body, into); err != nil {
			return located(name, err, t)
		}
	}
	return t.translated(name)
}

// pruned returns the node without the keys that have no value, or that were
// translated, or nil.
func (t *tree) pruned(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.MappingNode:
		var kept []*ast.MappingValueNode
		for _, v := range n.Values {
			if t.pruned(v) != nil {
				kept = append(kept, v)
			}
		}
		n.Values = kept
		if len(kept) == 0 && !n.IsFlowStyle {
			return nil
		}
	case *ast.MappingValueNode:
		if t.foreign[n] {
			return nil
		}
		value := t.pruned(n.Value)
		if value == nil {
			return nil
		}
		n.Value = value
	case *ast.NullNode, *ast.CommentGroupNode, nil:
		return nil
	}
	return n
}
