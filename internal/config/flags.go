package config

import (
	"reflect"
	"time"
)

// A Flag is a setting as a command line has it: under its path.
type Flag struct {
	Path, Help string
	Value      string // what it takes, in a word; "" for one that is on or off
	Default    string // as in a file; "" for none
}

// Flags lists all settings that can be given on a command line, in the order of
// the file.
func Flags(cfg Settings) ([]Flag, error) {
	values, err := Values(cfg, Report{})
	if err != nil {
		return nil, err
	}
	defaults := make(map[string]string)
	for _, v := range values {
		if v.Text != `""` && v.Text != "null" {
			defaults[v.Path] = v.Text
		}
	}
	var all []Flag
	var walk func(v reflect.Value, path, help string)
	walk = func(v reflect.Value, path, help string) {
		v = settle(v)
		if v.Kind() == reflect.Struct && !readsItself(v.Type()) {
			for _, f := range fieldsOf(v) {
				walk(f.value, join(path, f.name), f.help)
			}
			return
		}
		all = append(all, Flag{path, help, valueOf(v.Type()), defaults[path]})
	}
	walk(reflect.ValueOf(cfg), "", "")
	return all, nil
}

// valueOf says in a word what a setting takes.
func valueOf(t reflect.Type) string {
	switch {
	case readsItself(t) || t.Kind() == reflect.String:
		return "TEXT"
	case t == reflect.TypeFor[time.Duration]():
		return "90s"
	}
	switch k := t.Kind(); {
	case k == reflect.Bool:
		return ""
	case k == reflect.Float32 || k == reflect.Float64:
		return "X"
	case reflect.Int <= k && k <= reflect.Uint64:
		return "N"
	case k == reflect.Slice || k == reflect.Array:
		return "[…]"
	}
	return "{…}"
}
