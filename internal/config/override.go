package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// override sets single settings, each given as "path=value". The value is read
// as it would be in the file, but a text setting takes it as it is.
func override(into any, overrides []string) error { return newTree(into).override(into, overrides) }

func (t *tree) override(into any, overrides []string) error {
	var problems []error
	for _, o := range overrides {
		path, value, ok := strings.Cut(o, "=")
		if !ok {
			problems = append(problems, fmt.Errorf("%q: must be setting=value", o))
			continue
		}
		v, err := lookup(reflect.ValueOf(into), path)
		if err == nil {
			if err = set(v, value); err == nil {
				t.from[path] = "--set"
			}
		} else if t.translator != nil {
			err = t.overrideForeign(into, path, value, err)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", path, err))
		}
	}
	return errors.Join(problems...)
}

// overrideForeign sets what another program's setting stands for; unknown is what
// is wrong with it if nobody has it.
func (t *tree) overrideForeign(into any, path, value string, unknown error) error {
	meaning, ok := t.translator.Translate(path, value)
	if !ok {
		return unknown
	}
	if meaning.Ignored != "" {
		t.warnings = append(t.warnings, fmt.Sprintf("%s has no effect: %s", path, meaning.Ignored))
	}
	for _, s := range meaning.Settings {
		to, value, _ := strings.Cut(s, "=")
		v, err := lookup(reflect.ValueOf(into), to)
		if err == nil {
			err = set(v, value)
		}
		if err != nil {
			return err
		}
		t.from[to] = "--set, as " + path
	}
	return nil
}

// lookup finds the field at a dotted path, making what is missing on the way.
func lookup(v reflect.Value, path string) (reflect.Value, error) {
	for name := range strings.SplitSeq(path, ".") {
		v = reach(v)
		if v.Kind() != reflect.Struct || readsItself(v.Type()) {
			return v, errors.New("unknown setting")
		}
		fields := fieldsOf(v)
		f, ok := fields.find(name)
		if !ok {
			return v, fmt.Errorf("unknown setting%s", didYouMean(name, fields.names()))
		}
		v = f.value
	}
	return v, nil
}

func reach(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			if v.Kind() == reflect.Interface {
				return v
			}
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	return v
}

func set(v reflect.Value, value string) error {
	v = reach(v)
	if err := checkText(v.Type(), value); err != nil {
		return err
	}
	if v.Kind() == reflect.String && (!readsItself(v.Type()) || v.Type() == reflect.TypeFor[Secret]()) {
		v.SetString(value)
		return nil
	}
	if strings.TrimSpace(value) == "" {
		return fmt.Errorf("must be %s", kindOf(v.Type()))
	}
	fresh := reflect.New(v.Type())
	if err := decode("value", []byte(value), fresh.Interface()); err != nil {
		return fmt.Errorf("must be %s", kindOf(v.Type()))
	}
	v.Set(fresh.Elem())
	return nil
}
