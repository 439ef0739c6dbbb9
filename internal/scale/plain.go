package scale

import (
	"fmt"
	"math/big"
	"reflect"
)

// plain takes the codec's own types and Go structs apart. Enums and types that
// write themselves become what they write.
func plain(v any) (any, error) {
	rv := reflect.ValueOf(v)
	if !rv.IsValid() {
		return nil, nil
	}
	if _, ok := v.(*big.Int); ok {
		return v, nil
	}
	for rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return nil, fmt.Errorf("nil %v", rv.Type())
		}
		rv = rv.Elem()
		v = rv.Interface()
	}
	t := rv.Type()
	switch shapeOf(t) {
	case shapeCompact:
		return rv.Field(0).Interface(), nil
	case shapeOption:
		if !rv.Field(0).Bool() {
			return nil, nil
		}
		return V("Some", rv.Field(1).Interface()), nil
	case shapeResult:
		if rv.Field(0).Bool() {
			return V("Err", rv.Field(2).Interface()), nil
		}
		return V("Ok", rv.Field(1).Interface()), nil
	case shapeTuple:
		vs := make([]any, rv.NumField())
		for i := range vs {
			vs[i] = rv.Field(i).Interface()
		}
		return vs, nil
	case shapeUnit:
		return nil, nil
	}
	if isCustom(t) || isEnum(t) {
		b, err := Marshal(v)
		return Raw(b), err
	}
	if t.Kind() == reflect.Struct && t.PkgPath() != codecPkg {
		args := Args{}
		for i := range t.NumField() {
			if name, ok := goFieldName(t.Field(i)); ok {
				args[name] = rv.Field(i).Interface()
			}
		}
		return args, nil
	}
	return v, nil
}

// goFieldName returns the name of a struct's field in SCALE; false if it is not
// written.
func goFieldName(f reflect.StructField) (string, bool) {
	name := f.Tag.Get("scale")
	if name == "-" || !f.IsExported() {
		return "", false
	}
	if name == "" {
		name = snake(f.Name)
	}
	return name, true
}
