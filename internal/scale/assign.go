package scale

import (
	"fmt"
	"math/big"
	"reflect"
)

// Assign stores v, as [Metadata.DecodeValue] gives it, in what dst points to: the
// Go types of the static codec, where structs are filled by the names of their
// fields and enums by those of their variants. So it does not matter in which
// order a runtime has them, or whether it has more; a field that a runtime may
// not have is an [Option]. Numbers must fit. An empty interface takes any value,
// a *big.Int any number.
func Assign(dst, v any) error {
	rv := reflect.ValueOf(dst)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return fmt.Errorf("assign to %T: not a pointer", dst)
	}
	if err := assign(rv.Elem(), v); err != nil {
		return fmt.Errorf("assign to %v: %w", rv.Type().Elem(), err)
	}
	return nil
}

func assign(dst reflect.Value, v any) error {
	t := dst.Type()
	if rv := reflect.ValueOf(v); rv.IsValid() && rv.Type().AssignableTo(t) {
		dst.Set(rv)
		return nil
	}
	if t == reflect.TypeFor[big.Int]() {
		w, err := wideOf(v)
		if err == nil {
			dst.Addr().Interface().(*big.Int).Set(w.big())
		}
		return err
	}
	switch shapeOf(t) {
	case shapeUnit:
		if v != nil {
			return fmt.Errorf("%T is not nothing", v)
		}
		return nil
	case shapeCompact:
		return assign(dst.Field(0), v)
	case shapeOption:
		dst.SetZero()
		if x, ok := v.(Variant); ok && likeOption(x) {
			if x.Name == "None" {
				return nil
			}
			v = x.At(0)
		} else if v == nil {
			return nil
		}
		dst.Field(0).SetBool(true)
		return assign(dst.Field(1), v)
	case shapeResult:
		x, ok := v.(Variant)
		if !ok || x.Name != "Ok" && x.Name != "Err" {
			return fmt.Errorf("%v is no %v", v, t)
		}
		dst.SetZero()
		dst.Field(0).SetBool(x.Name == "Err")
		if x.Name == "Err" {
			return assign(dst.Field(2), x.At(0))
		}
		return assign(dst.Field(1), x.At(0))
	case shapeTuple:
		return assignList(dst, dst.NumField(), dst.Field, v)
	case shapeU128, shapeI128:
		return assignWide(dst, v)
	}
	switch t.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		w, err := wideOf(v)
		if err == nil && !w.fits(t.Bits()/8, false) {
			err = fmt.Errorf("%v does not fit %v", v, t)
		}
		dst.SetUint(w.lo)
		return err
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int:
		w, err := wideOf(v)
		if err == nil && !w.fits(t.Bits()/8, true) {
			err = fmt.Errorf("%v does not fit %v", v, t)
		}
		dst.SetInt(int64(w.lo))
		return err
	case reflect.Bool:
		if x, ok := v.(bool); ok {
			dst.SetBool(x)
			return nil
		}
	case reflect.String:
		if x, ok := v.(string); ok {
			dst.SetString(x)
			return nil
		}
	case reflect.Pointer:
		x := reflect.New(t.Elem())
		dst.Set(x)
		return assign(x.Elem(), v)
	case reflect.Slice:
		return assignSlice(dst, v)
	case reflect.Array:
		if b, ok := v.([]byte); ok && t.Elem().Kind() == reflect.Uint8 {
			if len(b) != t.Len() {
				return fmt.Errorf("%d bytes, want %d", len(b), t.Len())
			}
			reflect.Copy(dst, reflect.ValueOf(b))
			return nil
		}
		return assignList(dst, t.Len(), dst.Index, v)
	case reflect.Struct:
		if isEnum(t) {
			return assignEnum(dst, v)
		}
		return assignStruct(dst, v)
	}
	return fmt.Errorf("%T is no %v", v, t)
}

func assignWide(dst reflect.Value, v any) error {
	w, err := wideOf(v)
	if err != nil {
		return err
	}
	signed := shapeOf(dst.Type()) == shapeI128
	if !w.fits(16, signed) {
		return fmt.Errorf("%v does not fit %v", v, dst.Type())
	}
	if signed {
		dst.Set(reflect.ValueOf(I128{Lo: w.lo, Hi: int64(w.hi)}))
	} else {
		dst.Set(reflect.ValueOf(U128{Lo: w.lo, Hi: w.hi}))
	}
	return nil
}

func assignSlice(dst reflect.Value, v any) error {
	t := dst.Type()
	if b, ok := v.([]byte); ok && t.Elem().Kind() == reflect.Uint8 {
		dst.SetBytes(b)
		return nil
	}
	vs, ok := v.([]any)
	if !ok {
		return fmt.Errorf("%T is no %v", v, t)
	}
	s := reflect.MakeSlice(t, len(vs), len(vs))
	dst.Set(s)
	return assignList(dst, len(vs), s.Index, v)
}

// assignList stores the n elements of v where at says.
func assignList(dst reflect.Value, n int, at func(int) reflect.Value, v any) error {
	vs, ok := v.([]any)
	if !ok {
		return fmt.Errorf("%T is no %v", v, dst.Type())
	}
	if len(vs) != n {
		return fmt.Errorf("%d values, want %d", len(vs), n)
	}
	for i, x := range vs {
		if err := assign(at(i), x); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return nil
}

func assignStruct(dst reflect.Value, v any) error {
	t := dst.Type()
	named, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("%T is no %v", v, t)
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, ok := goFieldName(f)
		if !ok {
			continue
		}
		x, ok := named[name]
		if !ok && shapeOf(f.Type) != shapeOption {
			return fmt.Errorf("there is no field %s", name)
		}
		if err := assign(dst.Field(i), x); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func assignEnum(dst reflect.Value, v any) error {
	x, ok := v.(Variant)
	if !ok {
		return fmt.Errorf("%T is no %v", v, dst.Type())
	}
	vs, err := variantsOf(dst.Type())
	if err != nil {
		return err
	}
	for _, f := range vs {
		if f.name != x.Name && (f.named || snake(f.name) != x.Name) {
			continue
		}
		fields := x.Fields
		if list, ok := fields.([]any); ok && len(list) == 1 && shapeOf(f.elem) != shapeTuple {
			fields = list[0]
		}
		p := reflect.New(f.elem)
		dst.SetZero()
		dst.Field(f.field).Set(p)
		if err := assign(p.Elem(), fields); err != nil {
			return fmt.Errorf("%s: %w", x.Name, err)
		}
		return nil
	}
	return fmt.Errorf("%v has no variant %s", dst.Type(), x.Name)
}
