package scale

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Raw is a value that is SCALE already, such as a call within a call. It is
// checked against the type it is given for, and then written as it stands.
type Raw []byte

// Args are the arguments of a call or the fields of a struct by name.
type Args map[string]any

// EncodeValue writes v as a type of m. It takes what [Metadata.DecodeValue]
// gives, and besides: Go integers of any size and *big.Int for integers; any
// array or slice of bytes, or a string, for bytes; any slice or array for lists;
// [Args], or a Go struct with fields of those names, for structs; the name alone
// for a variant without fields; []bool for bits; the codec's own [Compact],
// [Option], tuples, enums and types that write themselves; [Raw]; and for a
// MultiAddress the 32 bytes of an account.
func (m *Metadata) EncodeValue(id TypeID, v any) ([]byte, error) {
	e := encoder{m, 0}
	return e.value(nil, id, v)
}

type encoder struct {
	*Metadata
	depth int
}

func (e *encoder) value(b []byte, id TypeID, v any) ([]byte, error) {
	if int(id) >= len(e.Types) {
		return nil, fmt.Errorf("there is no type %d", id)
	}
	if e.depth++; e.depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	defer func() { e.depth-- }()
	v, err := plain(v)
	if err != nil {
		return nil, err
	}
	if raw, ok := v.(Raw); ok {
		d := NewDecoder(raw)
		if _, err := e.DecodeValue(id, d); err != nil {
			return nil, err
		}
		if d.Len() > 0 {
			return nil, fmt.Errorf("%d bytes left over", d.Len())
		}
		return append(b, raw...), nil
	}
	t := &e.Types[id]
	b, err = e.typ(b, t, v)
	if err != nil && len(t.Path) > 0 {
		err = fmt.Errorf("%s: %w", t.Name(), err)
	}
	return b, err
}

func (e *encoder) typ(b []byte, t *Type, v any) ([]byte, error) {
	switch def := &t.Def; {
	case def.Composite != nil:
		fs := def.Composite.Fields
		if len(fs) == 1 && !fs[0].Name.Some {
			return e.value(b, fs[0].Type, v)
		}
		return e.fields(b, fs, v)
	case def.Variant != nil:
		return e.variant(b, t, v)
	case def.Sequence != nil:
		return e.list(b, *def.Sequence, v, -1)
	case def.Array != nil:
		return e.list(b, def.Array.Type, v, int64(def.Array.Len))
	case def.Tuple != nil:
		return e.tuple(b, *def.Tuple, v)
	case def.Primitive != nil:
		return primitive(b, *def.Primitive, v)
	case def.Compact != nil:
		size, err := e.compactOf(*def.Compact)
		if err != nil {
			return nil, err
		}
		n, err := wideOf(v)
		if err == nil && !n.fits(size, false) {
			err = fmt.Errorf("%v does not fit %d bits", v, 8*size)
		}
		return appendCompact128(b, U128{n.lo, n.hi}), err
	case def.BitSequence != nil:
		return e.bits(b, *def.BitSequence, v)
	}
	return nil, errors.New("a type without a definition") // unreachable: ReadMetadata sets one
}

func (e *encoder) tuple(b []byte, ids []TypeID, v any) ([]byte, error) {
	vs, err := listOf(v)
	if err == nil && len(vs) != len(ids) {
		err = fmt.Errorf("%d values, want %d", len(vs), len(ids))
	}
	for i := range ids {
		if err != nil {
			break
		}
		b, err = e.value(b, ids[i], vs[i])
	}
	return b, err
}

// fields writes v, fields by name or in order.
func (e *encoder) fields(b []byte, fs []Field, v any) ([]byte, error) {
	named, ok := v.(map[string]any)
	if args, isArgs := v.(Args); isArgs {
		named, ok = args, true
	}
	if !ok {
		vs, err := listOf(v)
		if err != nil {
			return nil, err
		}
		if len(vs) != len(fs) {
			return nil, fmt.Errorf("%d values, want %s", len(vs), describeFields(fs))
		}
		for i, f := range fs {
			if b, err = e.value(b, f.Type, vs[i]); err != nil {
				return nil, fmt.Errorf("%s: %w", fieldName(f, i), err)
			}
		}
		return b, nil
	}
	var err error
	for i, f := range fs {
		x, ok := named[f.Name.V]
		if !ok {
			return nil, fmt.Errorf("%s is missing", fieldName(f, i))
		}
		if b, err = e.value(b, f.Type, x); err != nil {
			return nil, fmt.Errorf("%s: %w", fieldName(f, i), err)
		}
	}
	if len(named) != len(fs) {
		return nil, fmt.Errorf("%d values, want %s", len(named), describeFields(fs))
	}
	return b, nil
}

func fieldName(f Field, i int) string {
	if f.Name.Some {
		return f.Name.V
	}
	return fmt.Sprintf("[%d]", i)
}

func describeFields(fs []Field) string {
	names := make([]string, len(fs))
	for i, f := range fs {
		names[i] = fieldName(f, i)
	}
	return fmt.Sprintf("%d (%s)", len(fs), strings.Join(names, ", "))
}

func (e *encoder) variant(b []byte, t *Type, v any) ([]byte, error) {
	var want Variant
	switch x := v.(type) {
	case Variant:
		want = x
	case string:
		want.Name = x
	}
	if isOption(t) && !likeOption(v) {
		if v == nil {
			want = V("None")
		} else {
			want = V("Some", v)
		}
	}
	if _, err := bytesOf(v); err == nil && t.Name() == "MultiAddress" {
		want = V("Id", v)
	}
	if want.Name == "" {
		return nil, fmt.Errorf("%T is no variant", v)
	}
	for _, d := range t.Def.Variant.Variants {
		if d.Name != want.Name {
			continue
		}
		b, err := e.fields(append(b, d.Index), d.Fields, want.Fields)
		if err != nil {
			err = fmt.Errorf("%s: %w", d.Name, err)
		}
		return b, err
	}
	return nil, fmt.Errorf("there is no variant %q", want.Name)
}

// list writes a sequence, or an array if n is not negative.
func (e *encoder) list(b []byte, id TypeID, v any, n int64) ([]byte, error) {
	if e.isU8(id) {
		if s, err := bytesOf(v); err == nil {
			if n < 0 {
				b = AppendCompact(b, uint64(len(s)))
			} else if n != int64(len(s)) {
				return nil, fmt.Errorf("%d bytes, want %d", len(s), n)
			}
			return append(b, s...), nil
		}
	}
	vs, err := listOf(v)
	if err != nil {
		return nil, err
	}
	if n < 0 {
		b = AppendCompact(b, uint64(len(vs)))
	} else if n != int64(len(vs)) {
		return nil, fmt.Errorf("%d elements, want %d", len(vs), n)
	}
	for i, x := range vs {
		if b, err = e.value(b, id, x); err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return b, nil
}

// bytesOf returns the bytes of a string, or of a slice or array of bytes.
func bytesOf(v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.String:
		return []byte(rv.String()), nil
	case reflect.Slice:
		if rv.Type().Elem().Kind() == reflect.Uint8 {
			return rv.Bytes(), nil
		}
	case reflect.Array:
		if rv.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, rv.Len())
			reflect.Copy(reflect.ValueOf(b), rv)
			return b, nil
		}
	}
	return nil, fmt.Errorf("%T is no bytes", v)
}

// listOf returns the elements of a slice or an array; none of nil.
func listOf(v any) ([]any, error) {
	if vs, ok := v.([]any); ok || v == nil {
		return vs, nil
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Slice && rv.Kind() != reflect.Array {
		return nil, fmt.Errorf("%T is no list", v)
	}
	vs := make([]any, rv.Len())
	for i := range vs {
		vs[i] = rv.Index(i).Interface()
	}
	return vs, nil
}
