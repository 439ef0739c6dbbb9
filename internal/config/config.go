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
	"strings"

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

// Load reads the file at path over what into, a pointer to a struct, already
// holds, then overrides of the form "train.lr=1e-3" over that, and validates
// the whole. An empty path reads no file. Every problem of a kind is reported,
// those of the file with their lines.
func Load(path string, into Settings, overrides []string) error {
	if path != "" {
		data, err := read(path)
		if err != nil {
			return err
		}
		if err := decode(path, data, into); err != nil {
			return err
		}
	}
	if err := override(into, overrides); err != nil {
		return err
	}
	if err := into.Validate(); err != nil {
		from := path
		if from == "" {
			from = "settings"
		}
		return fmt.Errorf("%s:\n  %s", from, strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	return nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
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
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return located(name, err, nil)
	}
	if len(file.Docs) > 1 {
		return fmt.Errorf("%s: holds %d documents, want one", name, len(file.Docs))
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil
	}
	body := file.Docs[0].Body
	t := newTree(into)
	if err := t.check(name, body); err != nil {
		return err
	}
	// A section whose lines are all commented out is there without a value; it
	// says nothing, and must not wipe out the defaults.
	if body = pruned(body); body == nil {
		return nil
	}
	if err := yaml.NodeToValue(body, into); err != nil {
		return located(name, err, t)
	}
	return nil
}

// pruned returns the node without the keys that have no value, or nil.
func pruned(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.MappingNode:
		var kept []*ast.MappingValueNode
		for _, v := range n.Values {
			if pruned(v) != nil {
				kept = append(kept, v)
			}
		}
		n.Values = kept
		if len(kept) == 0 && !n.IsFlowStyle {
			return nil
		}
	case *ast.MappingValueNode:
		value := pruned(n.Value)
		if value == nil {
			return nil
		}
		n.Value = value
	case *ast.NullNode, *ast.CommentGroupNode, nil:
		return nil
	}
	return n
}
