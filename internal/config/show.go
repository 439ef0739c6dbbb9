package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
)

// A Value is one setting as it is in effect.
type Value struct {
	Path string
	Text string // as in a file, secrets masked
	From string // "default", or where it was given
}

// Values lists all settings that are no sections, in the order of the file, with
// where they come from by the report of their reading.
func Values(cfg Settings, r Report) ([]Value, error) {
	var all []Value
	var walk func(v reflect.Value, path string) error
	walk = func(v reflect.Value, path string) error {
		v = settle(v)
		if v.Kind() == reflect.Struct && !readsItself(v.Type()) {
			for _, f := range fieldsOf(v) {
				if err := walk(f.value, join(path, f.name)); err != nil {
					return err
				}
			}
			return nil
		}
		text, err := yaml.MarshalWithOptions(v.Interface(), yaml.Flow(true))
		if err != nil {
			return fmt.Errorf("show %s: %w", path, err)
		}
		value := Value{path, strings.TrimSpace(string(text)), "default"}
		if from, given := r.From[path]; given {
			value.From = from
		}
		all = append(all, value)
		return nil
	}
	return all, walk(reflect.ValueOf(cfg), "")
}
