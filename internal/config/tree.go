package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"adit/internal/subnet"
)

// A tree knows which settings there are, and where in a file each was given.
type tree struct {
	root  reflect.Value
	name  string             // of the file, for warnings
	given map[[2]int]setting // by line and column of the value

	translator subnet.Translator // or nil
	section    string            // where root stands among the translator's settings
	foreign    map[*ast.MappingValueNode]bool
	pending    []pending
	warnings   []string
	from       map[string]string // where a setting was given
}

// A setting is one field by its dotted path.
type setting struct {
	path string
	typ  reflect.Type
}

func newTree(into any) *tree {
	t := &tree{root: reflect.ValueOf(into), given: map[[2]int]setting{}, foreign: map[*ast.MappingValueNode]bool{}, from: map[string]string{}}
	t.translator, _ = into.(subnet.Translator)
	return t
}

// check finds the keys that no field answers to, all of them, and values that
// the YAML library would take for what they are not.
func (t *tree) check(name string, body ast.Node) error {
	var problems []error
	t.walk(t.root, t.section, body, func(msg string, at *token.Token) {
		problems = append(problems, problem(name, msg, at))
	})
	for at, place := range t.given {
		if place.path != "" {
			t.from[place.path] = fmt.Sprintf("%s:%d", t.name, at[0])
		}
	}
	return errors.Join(problems...)
}

// A report takes one problem and where in the file it is.
type report func(msg string, at *token.Token)

func (t *tree) walk(v reflect.Value, path string, n ast.Node, wrong report) {
	v = settle(v)
	if tok := n.GetToken(); tok != nil && tok.Position != nil && n.Type() != ast.NullType {
		t.given[[2]int{tok.Position.Line, tok.Position.Column}] = setting{path, v.Type()}
	}
	switch n.(type) {
	case *ast.TagNode, *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		// Settings need none, and what they stand for would pass by the checks.
		wrong("tags, anchors and aliases have no meaning here", n.GetToken())
		return
	}
	if scalar, ok := n.(ast.ScalarNode); ok && scalar.Type() != ast.NullType {
		if err := checkText(v.Type(), scalar.GetToken().Value); err != nil {
			wrong(fmt.Sprintf("%s: %v", path, err), scalar.GetToken())
		}
	}
	if readsItself(v.Type()) {
		return
	}
	switch n := n.(type) {
	case *ast.MappingValueNode:
		t.pair(v, path, n, wrong)
	case *ast.MappingNode:
		for _, pair := range n.Values {
			t.pair(v, path, pair, wrong)
		}
	case *ast.SequenceNode:
		if v.Kind() == reflect.Slice || v.Kind() == reflect.Array {
			for i, item := range n.Values {
				t.walk(reflect.Zero(v.Type().Elem()), fmt.Sprintf("%s[%d]", path, i), item, wrong)
			}
		}
	}
}

func (t *tree) pair(v reflect.Value, path string, pair *ast.MappingValueNode, wrong report) {
	key := pair.Key.GetToken()
	at := join(path, key.Value)
	switch v.Kind() {
	case reflect.Map:
		t.walk(reflect.Zero(v.Type().Elem()), at, pair.Value, wrong)
	case reflect.Struct:
		fields := fieldsOf(v)
		f, ok := fields.find(key.Value)
		if !ok {
			t.unknown(v, at, pair, wrong)
			return
		}
		t.walk(f.value, at, pair.Value, wrong)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// checkText refuses what the YAML library reads without complaint, but not as it
// was meant: 1.5 as the whole number 1, and 90 as 90 nanoseconds.
func checkText(t reflect.Type, text string) error {
	switch {
	case t == reflect.TypeFor[Secret]():
		if text == mask {
			return errMask
		}
	case t == reflect.TypeFor[time.Duration]():
		if _, err := time.ParseDuration(text); err != nil {
			return fmt.Errorf("must be %s", kindOf(t))
		}
	case reflect.Int <= t.Kind() && t.Kind() <= reflect.Uint64:
		if x, err := strconv.ParseFloat(text, 64); err == nil && x != math.Trunc(x) {
			return fmt.Errorf("must be %s", kindOf(t))
		}
	}
	return nil
}

// settle follows pointers and interfaces down to the value; where there is none
// yet, to a zero of its type.
func settle(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		switch {
		case !v.IsNil():
			v = v.Elem()
		case v.Kind() == reflect.Pointer:
			v = reflect.Zero(v.Type().Elem())
		default:
			return v
		}
	}
	return v
}

// readsItself reports whether a type has its own way of being read.
func readsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t == reflect.TypeFor[time.Time]() ||
		p.Implements(reflect.TypeFor[yaml.BytesUnmarshaler]()) ||
		p.Implements(reflect.TypeFor[yaml.InterfaceUnmarshaler]()) ||
		p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// A field is one setting or section of a struct.
type field struct {
	name, help string
	value      reflect.Value
}

type fields []field

// fieldsOf lists the settings of a struct in order, those of inlined structs
// among them.
func fieldsOf(v reflect.Value) fields {
	var all fields
	for sf := range fieldTypes(v.Type()) {
		name, options, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		value := v.FieldByIndex(sf.Index)
		switch {
		case name == "-":
		case strings.Contains(options, "inline") || sf.Anonymous && name == "":
			if inner := settle(value); inner.Kind() == reflect.Struct {
				all = append(all, fieldsOf(inner)...)
			}
		default:
			if name == "" {
				name = strings.ToLower(sf.Name)
			}
			all = append(all, field{name, sf.Tag.Get("help"), value})
		}
	}
	return all
}

func fieldTypes(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if sf := t.Field(i); sf.IsExported() && !yield(sf) {
				return
			}
		}
	}
}

func (fs fields) find(name string) (field, bool) {
	for _, f := range fs {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func (fs fields) names() []string {
	var names []string
	for _, f := range fs {
		names = append(names, f.name)
	}
	return names
}
