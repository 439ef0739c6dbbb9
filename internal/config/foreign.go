package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// A pending translation is applied once all that the file gives under its own
// name was read, over which it must not go.
type pending struct {
	path     string
	settings []string
	at       *token.Token
}

// unknown deals with a key that no field of v answers to: it is another program's
// for something, or for nothing; or nobody's, which is an error.
func (t *tree) unknown(v reflect.Value, at string, pair *ast.MappingValueNode, wrong report) {
	key := pair.Key.GetToken()
	if t.translator == nil {
		wrong(fmt.Sprintf("unknown setting %q%s", at, didYouMean(key.Value, fieldsOf(v).names())), key)
		return
	}
	value := ""
	if s, ok := pair.Value.(ast.ScalarNode); ok && s.Type() != ast.NullType {
		value = s.GetToken().Value
	}
	meaning, ok := t.translator.Translate(at, value)
	if !ok {
		// A whole section may be foreign.
		if inner := pairs(pair.Value); len(inner) > 0 && t.isSection(at) {
			t.foreign[pair] = true
			for _, p := range inner {
				t.unknown(reflect.ValueOf(struct{}{}), join(at, p.Key.GetToken().Value), p, wrong)
			}
			return
		}
		if pair.Value.Type() == ast.NullType && t.isSection(at) {
			t.foreign[pair] = true
			return
		}
		wrong(fmt.Sprintf("unknown setting %q%s", at, t.suggestion(v, at)), key)
		return
	}
	t.foreign[pair] = true
	if pair.Value.Type() == ast.NullType { // nothing is said by it
		return
	}
	if meaning.Ignored != "" {
		t.warnings = append(t.warnings, fmt.Sprintf("%s:%d: %s has no effect: %s", t.name, key.Position.Line, at, meaning.Ignored))
	}
	if len(meaning.Settings) > 0 {
		t.pending = append(t.pending, pending{at, meaning.Settings, key})
	}
}

func pairs(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

// isSection reports whether foreign settings stand under the path.
func (t *tree) isSection(path string) bool {
	for _, f := range t.translator.Foreign() {
		if strings.HasPrefix(f, path+".") {
			return true
		}
	}
	return false
}

// suggestion names the known setting that is most like one that is not.
func (t *tree) suggestion(v reflect.Value, at string) string {
	section, name := "", at
	if i := strings.LastIndexByte(at, '.'); i >= 0 {
		section, name = at[:i], at[i+1:]
	}
	names := fieldsOf(v).names()
	for _, f := range t.translator.Foreign() {
		if rest, ok := strings.CutPrefix(f, section+"."); ok || section == "" {
			if section == "" {
				rest = f
			}
			if !strings.Contains(rest, ".") {
				names = append(names, rest)
			}
		}
	}
	if text := didYouMean(name, names); text != "" {
		return text
	}
	// The name, or one like it, in another section.
	best, least := "", len(name)/4+1
	for _, path := range append(leaves(t.root, t.section), t.translator.Foreign()...) {
		if d := distance(name, path[strings.LastIndexByte(path, '.')+1:]); d < least {
			best, least = path, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %q?", best)
}

// leaves lists the paths of all settings that are no sections.
func leaves(v reflect.Value, path string) []string {
	v = settle(v)
	if v.Kind() != reflect.Struct || readsItself(v.Type()) {
		return []string{path}
	}
	var all []string
	for _, f := range fieldsOf(v) {
		all = append(all, leaves(f.value, join(path, f.name))...)
	}
	return all
}

// translated applies the translations of a file.
func (t *tree) translated(name string) error {
	var problems []error
	for _, p := range t.pending {
		for _, s := range p.settings {
			path, value, _ := strings.Cut(s, "=")
			if from, given := t.from[path]; given {
				problems = append(problems, problem(name, fmt.Sprintf("%s is %s, which is given as well (%s)", p.path, path, from), p.at))
				continue
			}
			rest, ok := strings.CutPrefix(path, t.section)
			v, err := lookup(t.root, strings.TrimPrefix(rest, "."))
			if err == nil && ok {
				err = set(v, value)
			}
			if err != nil {
				problems = append(problems, problem(name, fmt.Sprintf("%s: %v", p.path, err), p.at))
			}
		}
	}
	for _, p := range t.pending { // now that none is compared any more
		for _, s := range p.settings {
			path, _, _ := strings.Cut(s, "=")
			t.from[path] = fmt.Sprintf("%s:%d, as %s", t.name, p.at.Position.Line, p.path)
		}
	}
	t.pending = nil
	return errors.Join(problems...)
}
