package scale

import (
	"errors"
	"fmt"
	"math/big"
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

func primitive(b []byte, p Primitive, v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	switch p {
	case Bool:
		if rv.Kind() != reflect.Bool {
			return nil, fmt.Errorf("%T is no bool", v)
		}
		return Append(b, rv.Bool())
	case Str:
		if rv.Kind() != reflect.String {
			return nil, fmt.Errorf("%T is no string", v)
		}
		return Append(b, rv.String())
	case Char:
		r, ok := v.(rune)
		if !ok {
			return nil, fmt.Errorf("%T is no rune", v)
		}
		return appendUint(b, uint64(r), 4), nil
	case U256, I256:
		s, err := bytesOf(v)
		if err == nil && len(s) != 32 {
			err = fmt.Errorf("%d bytes, want 32", len(s))
		}
		return append(b, s...), err
	}
	size, signed := p.integer()
	n, err := wideOf(v)
	if err != nil {
		return nil, err
	}
	if !n.fits(size, signed) {
		return nil, fmt.Errorf("%v does not fit %d bits", v, 8*size)
	}
	if size == 16 {
		return appendUint(appendUint(b, n.lo, 8), n.hi, 8), nil
	}
	return appendUint(b, n.lo, size), nil
}

// A wide is any integer of up to 128 bits, in two's complement if neg.
type wide struct {
	lo, hi uint64
	neg    bool
}

func wideOf(v any) (wide, error) {
	switch x := v.(type) {
	case U128:
		return wide{x.Lo, x.Hi, false}, nil
	case I128:
		return wide{x.Lo, uint64(x.Hi), x.Hi < 0}, nil
	case *big.Int:
		if x.Sign() >= 0 {
			u, err := U128FromBig(x)
			return wide{u.Lo, u.Hi, false}, err
		}
		// In two's complement, -x is the complement of x-1.
		u, err := U128FromBig(new(big.Int).Not(x))
		if err != nil {
			return wide{}, fmt.Errorf("%v is no integer of 128 bits", x)
		}
		return wide{^u.Lo, ^u.Hi, true}, nil
	}
	switch rv := reflect.ValueOf(v); {
	case rv.CanInt():
		n := rv.Int()
		return wide{uint64(n), uint64(n >> 63), n < 0}, nil
	case rv.CanUint():
		return wide{rv.Uint(), 0, false}, nil
	}
	return wide{}, fmt.Errorf("%T is no integer", v)
}

// fits reports whether w can be told from its lowest size bytes.
func (w wide) fits(size int, signed bool) bool {
	if !signed {
		return !w.neg && (size == 16 || w.hi == 0 && (size == 8 || w.lo>>(8*size) == 0))
	}
	if size == 16 {
		return w.neg == (w.hi>>63 == 1)
	}
	sign := uint64(0)
	if w.neg {
		sign = ^sign
	}
	return w.hi == sign && uint64(int64(w.lo)>>(8*size-1)) == sign
}
