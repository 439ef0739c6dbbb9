package scale

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// A Named type has a name in the metadata, its path joined by "::", such as
// "sp_core::crypto::AccountId32". Enums and structs without one are described
// without a path. The method is called on the zero value.
type Named interface{ ScaleName() string }

// A Definer says itself what it looks like in the metadata. Types that write
// themselves ([Appender]) must.
type Definer interface {
	ScaleDef(r *Registry) (TypeDef, error)
}

// A Registry turns Go types into the types of metadata, each once.
type Registry struct {
	types []Type
	ids   map[reflect.Type]TypeID
	// extra holds those types that no Go type stands for, by a description.
	extra map[string]TypeID
	// calls are enums whose variants are named in snake case, as Rust names
	// functions.
	calls map[reflect.Type]bool
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{ids: map[reflect.Type]TypeID{}, extra: map[string]TypeID{}, calls: map[reflect.Type]bool{}}
}

// Types returns all types so far, by TypeID.
func (r *Registry) Types() []Type { return r.types }

// Add adds a type for which there is no Go type.
func (r *Registry) Add(t Type) TypeID {
	r.types = append(r.types, t)
	return TypeID(len(r.types) - 1)
}

// TypeOf returns the type of the Go value v, which may be a zero value.
func (r *Registry) TypeOf(v any) (TypeID, error) {
	if v == nil {
		return 0, errors.New("describe nil: no type")
	}
	return r.Type(reflect.TypeOf(v))
}

// Type returns the type that stands for the Go type t, with all it consists of.
func (r *Registry) Type(t reflect.Type) (TypeID, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if id, ok := r.ids[t]; ok {
		return id, nil
	}
	if e, ok := r.alias(t); ok {
		id, err := r.Type(e)
		r.ids[t] = id
		return id, err
	}
	id := TypeID(len(r.types))
	r.ids[t] = id // before its parts: they may refer to it
	r.types = append(r.types, Type{})
	typ, err := r.describe(t)
	if err != nil {
		return 0, fmt.Errorf("describe %v: %w", t, err)
	}
	if typ.Params == nil {
		if typ.Params, err = r.params(&typ); err != nil {
			return 0, fmt.Errorf("describe %v: %w", t, err)
		}
	}
	r.types[id] = typ
	return id, nil
}

// alias returns the plainer type that means the same in metadata: a named
// integer, say, is that integer.
func (r *Registry) alias(t reflect.Type) (reflect.Type, bool) {
	if t.Name() == "" || t.PkgPath() == "" || hasMethod[Named](t) || hasMethod[Definer](t) {
		return nil, false
	}
	switch t.Kind() {
	case reflect.Slice:
		return reflect.SliceOf(t.Elem()), true
	case reflect.Array:
		return reflect.ArrayOf(t.Len(), t.Elem()), true
	case reflect.Struct:
		return nil, false
	}
	e, ok := basic[t.Kind()]
	return e, ok
}

var basic = map[reflect.Kind]reflect.Type{
	reflect.Bool: reflect.TypeFor[bool](), reflect.String: reflect.TypeFor[string](),
	reflect.Uint8: reflect.TypeFor[uint8](), reflect.Uint16: reflect.TypeFor[uint16](),
	reflect.Uint32: reflect.TypeFor[uint32](), reflect.Uint64: reflect.TypeFor[uint64](),
	reflect.Int8: reflect.TypeFor[int8](), reflect.Int16: reflect.TypeFor[int16](),
	reflect.Int32: reflect.TypeFor[int32](), reflect.Int64: reflect.TypeFor[int64](),
}

var primitives = map[reflect.Kind]Primitive{
	reflect.Bool: Bool, reflect.String: Str, reflect.Uint8: U8, reflect.Uint16: U16, reflect.Uint32: U32,
	reflect.Uint64: U64, reflect.Int8: I8, reflect.Int16: I16, reflect.Int32: I32, reflect.Int64: I64,
}

// hasMethod reports whether t or *t implements T.
func hasMethod[T any](t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[T]())
}

func zero[T any](t reflect.Type) T { return reflect.New(t).Interface().(T) }

func (r *Registry) describe(t reflect.Type) (Type, error) {
	var typ Type
	if hasMethod[Named](t) {
		typ.Path = pathOf(zero[Named](t).ScaleName())
	}
	if hasMethod[Definer](t) {
		def, err := zero[Definer](t).ScaleDef(r)
		typ.Def = def
		return typ, err
	}
	if isCustom(t) {
		return typ, errors.New("it writes itself, but has no ScaleDef")
	}
	if s := shapeOf(t); s != 0 {
		err := r.describeShape(&typ, t, s)
		return typ, err
	}
	if p, ok := primitives[t.Kind()]; ok {
		if typ.Path != nil {
			id, err := r.Type(basic[t.Kind()])
			typ.Def = TypeDef{Composite: &Composite{Fields: []Field{{Type: id}}}}
			return typ, err
		}
		typ.Def.Primitive = &p
		return typ, nil
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		err := r.describeList(&typ, t)
		return typ, err
	case reflect.Struct:
		if isEnum(t) {
			err := r.describeEnum(&typ, t)
			return typ, err
		}
		fields, err := r.fields(t)
		typ.Def.Composite = &Composite{fields}
		return typ, err
	}
	return typ, fmt.Errorf("kind %v has no SCALE form", t.Kind())
}

func (r *Registry) describeShape(typ *Type, t reflect.Type, s shape) error {
	switch s {
	case shapeU128, shapeI128:
		p := U128Type
		if s == shapeI128 {
			p = I128Type
		}
		typ.Def.Primitive = &p
	case shapeUnit:
		typ.Def.Tuple = &[]TypeID{}
	case shapeCompact:
		id, err := r.Type(t.Field(0).Type)
		typ.Def.Compact = &id
		return err
	case shapeTuple:
		ids := make([]TypeID, t.NumField())
		for i := range ids {
			id, err := r.Type(t.Field(i).Type)
			if err != nil {
				return err
			}
			ids[i] = id
		}
		typ.Def.Tuple = &ids
	case shapeResult:
		ok, err := r.Type(t.Field(1).Type)
		if err != nil {
			return err
		}
		failure, err := r.Type(t.Field(2).Type)
		typ.Path = []string{"Result"}
		typ.Def.Variant = &VariantType{[]VariantDef{
			{Name: "Ok", Fields: []Field{{Type: ok}}}, {Name: "Err", Index: 1, Fields: []Field{{Type: failure}}}}}
		return err
	case shapeOption:
		id, err := r.Type(t.Field(1).Type)
		typ.Path = []string{"Option"}
		typ.Params = []TypeParam{{"T", SomeOf(id)}}
		typ.Def.Variant = &VariantType{[]VariantDef{{Name: "None"}, {Name: "Some", Index: 1, Fields: []Field{{Type: id}}}}}
		return err
	}
	return nil
}

// describeList describes slices and arrays. One with a name is a struct around
// the plain one, as AccountId32 is around [u8; 32].
func (r *Registry) describeList(typ *Type, t reflect.Type) error {
	if typ.Path != nil {
		plain := reflect.SliceOf(t.Elem())
		if t.Kind() == reflect.Array {
			plain = reflect.ArrayOf(t.Len(), t.Elem())
		}
		id, err := r.Type(plain)
		typ.Def.Composite = &Composite{[]Field{{Type: id}}}
		return err
	}
	id, err := r.Type(t.Elem())
	if t.Kind() == reflect.Array {
		typ.Def.Array = &Array{uint32(t.Len()), id}
	} else {
		typ.Def.Sequence = &id
	}
	return err
}

func (r *Registry) describeEnum(typ *Type, t reflect.Type) error {
	vs, err := variantsOf(t)
	if err != nil {
		return err
	}
	def := &VariantType{Variants: []VariantDef{}}
	for _, v := range vs {
		d := VariantDef{Name: v.name, Index: v.index, Docs: docs(v.doc)}
		if r.calls[t] && !v.named {
			d.Name = snake(v.name)
		}
		if d.Fields, err = r.variantFields(v.elem); err != nil {
			return fmt.Errorf("variant %s: %w", v.name, err)
		}
		def.Variants = append(def.Variants, d)
	}
	typ.Def.Variant = def
	return nil
}

// variantFields returns the fields of a variant: those of the struct or tuple
// it points to, unless that is a type of its own, which is then the one field.
func (r *Registry) variantFields(t reflect.Type) ([]Field, error) {
	switch s := shapeOf(t); {
	case s == shapeUnit:
		return nil, nil
	case s == shapeTuple:
		var fs []Field
		for i := range t.NumField() {
			id, err := r.Type(t.Field(i).Type)
			if err != nil {
				return nil, err
			}
			fs = append(fs, Field{Type: id})
		}
		return fs, nil
	case t.Kind() == reflect.Struct && s == 0 && !isEnum(t) && !hasMethod[Named](t) && !hasMethod[Definer](t):
		return r.fields(t)
	}
	id, err := r.Type(t)
	return []Field{{Type: id}}, err
}

// fields returns the fields of a struct. The tag `scale:"name"` names a field
// otherwise than in snake case, `type:"T::Hash"` gives its type's name in Rust,
// `doc` its comment.
func (r *Registry) fields(t reflect.Type) ([]Field, error) {
	fs := []Field{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, ok := goFieldName(f)
		if !ok {
			continue
		}
		id, err := r.Type(f.Type)
		if err != nil {
			return nil, err
		}
		field := Field{Name: SomeOf(name), Type: id, Docs: docs(f.Tag.Get("doc"))}
		if tn := f.Tag.Get("type"); tn != "" {
			field.TypeName = SomeOf(tn)
		}
		fs = append(fs, field)
	}
	return fs, nil
}

func docs(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// snake turns a Go name into a Rust one: VersionKey into version_key, NetUID
// into net_uid, IPType into ip_type.
func snake(name string) string {
	var b strings.Builder
	rs := []rune(name)
	for i, c := range rs {
		if unicode.IsUpper(c) && i > 0 && (!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])) && rs[i-1] != '_' {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
