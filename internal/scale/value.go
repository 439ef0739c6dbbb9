package scale

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// A Variant is the value of an enum. Fields is nil if there are none, a
// map[string]any if they have names, and otherwise an []any.
type Variant struct {
	Name   string
	Index  uint8 // ignored when encoding: the name counts
	Fields any
}

// V returns a variant whose fields have no names.
func V(name string, fields ...any) Variant {
	if len(fields) == 0 {
		return Variant{Name: name}
	}
	return Variant{Name: name, Fields: fields}
}

// Get returns the field of that name, or nil.
func (v Variant) Get(name string) any {
	fields, _ := v.Fields.(map[string]any)
	return fields[name]
}

// At returns the i-th of the fields without names, or nil.
func (v Variant) At(i int) any {
	if fields, _ := v.Fields.([]any); i >= 0 && i < len(fields) {
		return fields[i]
	}
	return nil
}

// lookup returns the variant of that index.
func (v *VariantType) lookup(index byte) *VariantDef {
	if int(index) < len(v.Variants) && v.Variants[index].Index == index {
		return &v.Variants[index] // as most enums are numbered
	}
	for i := range v.Variants {
		if v.Variants[i].Index == index {
			return &v.Variants[i]
		}
	}
	return nil
}

// DecodeValue reads one value of a type of m. The Go values are
//
//	bool, string                bool, str
//	uint64, int64, rune         u8 to u64, i8 to i64, char; a compact integer
//	U128, I128, []byte          u128, i128, the 256-bit integers
//	[]byte                      [u8] and [u8; n]
//	[]any                       sequences, arrays, tuples, structs of fields without names
//	map[string]any              structs
//	Variant                     enums
//	Bits                        vectors of bits
//	nil                         (), None; Some is its value
//
// but Some of nothing, and of an enum's variant that is itself called Some or
// None, keep the Variant around them. A struct around one field without a name is that
// field's value: an AccountId32 is a []byte.
func (m *Metadata) DecodeValue(id TypeID, d *Decoder) (any, error) {
	if int(id) >= len(m.Types) {
		return nil, fmt.Errorf("there is no type %d", id)
	}
	if d.steps--; d.steps < 0 {
		return nil, errors.New("too many values, or too many without content")
	}
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer func() { d.depth-- }()
	t := &m.Types[id]
	v, err := m.decodeType(t, d)
	if err != nil && len(t.Path) > 0 {
		err = fmt.Errorf("%s: %w", t.Name(), err)
	}
	return v, err
}

func (m *Metadata) decodeType(t *Type, d *Decoder) (any, error) {
	switch def := &t.Def; {
	case def.Composite != nil:
		fs := def.Composite.Fields
		if len(fs) == 1 && !fs[0].Name.Some {
			return m.DecodeValue(fs[0].Type, d)
		}
		return m.decodeFields(fs, d)
	case def.Variant != nil:
		return m.decodeVariant(t, d)
	case def.Sequence != nil:
		if m.isU8(*def.Sequence) {
			return d.Bytes()
		}
		n, err := d.Compact()
		if err != nil {
			return nil, err
		}
		return m.decodeList(n, *def.Sequence, d)
	case def.Array != nil:
		if m.isU8(def.Array.Type) {
			return d.copied(int64(def.Array.Len))
		}
		return m.decodeList(uint64(def.Array.Len), def.Array.Type, d)
	case def.Tuple != nil:
		var vs []any
		for i, id := range *def.Tuple {
			v, err := m.DecodeValue(id, d)
			if err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
			vs = append(vs, v)
		}
		if vs == nil {
			return nil, nil
		}
		return vs, nil
	case def.Primitive != nil:
		return d.primitive(*def.Primitive)
	case def.Compact != nil:
		return m.decodeCompact(*def.Compact, d)
	case def.BitSequence != nil:
		return m.decodeBits(*def.BitSequence, d)
	}
	return nil, errors.New("a type without a definition") // unreachable: ReadMetadata sets one
}

func (d *Decoder) copied(n int64) ([]byte, error) {
	if n > int64(len(d.b)) {
		return nil, fmt.Errorf("%w: %d bytes wanted, %d left", errShort, n, len(d.b))
	}
	b, err := d.Take(int(n))
	return append(make([]byte, 0, n), b...), err
}

func (m *Metadata) isU8(id TypeID) bool {
	p := m.Types[id].Def.Primitive
	return p != nil && *p == U8
}

// decodeFields reads fields into a map, or a slice if they have no names.
func (m *Metadata) decodeFields(fs []Field, d *Decoder) (any, error) {
	if len(fs) == 0 {
		return nil, nil
	}
	if !fs[0].Name.Some {
		listed := make([]any, len(fs))
		for i, f := range fs {
			v, err := m.DecodeValue(f.Type, d)
			if err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
			listed[i] = v
		}
		return listed, nil
	}
	named := make(map[string]any, len(fs))
	for _, f := range fs {
		v, err := m.DecodeValue(f.Type, d)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name.V, err)
		}
		named[f.Name.V] = v
	}
	return named, nil
}

// isOption reports whether t is Rust's Option.
func isOption(t *Type) bool {
	return len(t.Path) == 1 && t.Path[0] == "Option" && t.Def.Variant != nil && len(t.Def.Variant.Variants) == 2
}

func (m *Metadata) decodeVariant(t *Type, d *Decoder) (any, error) {
	index, err := d.Byte()
	if err != nil {
		return nil, err
	}
	v := t.Def.Variant.lookup(index)
	if v == nil {
		return nil, fmt.Errorf("unknown variant %d", index)
	}
	fields, err := m.decodeFields(v.Fields, d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.Name, err)
	}
	if isOption(t) {
		some, _ := fields.([]any)
		if len(some) == 0 {
			return nil, nil
		}
		if some[0] != nil && !likeOption(some[0]) {
			return some[0], nil
		}
		// Else Some and what it holds would read as another.
	}
	return Variant{v.Name, index, fields}, nil
}

// likeOption reports whether a value could be taken for an Option's own variant.
func likeOption(v any) bool {
	x, ok := v.(Variant)
	return ok && (x.Name == "Some" || x.Name == "None")
}

func (m *Metadata) decodeList(n uint64, id TypeID, d *Decoder) (any, error) {
	// Steps bound the elements that take no bytes.
	vs := make([]any, 0, min(n, uint64(d.Len()), firstAlloc/16))
	for i := range n {
		v, err := m.DecodeValue(id, d)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		vs = append(vs, v)
	}
	return vs, nil
}

func (d *Decoder) primitive(p Primitive) (any, error) {
	switch p {
	case Bool:
		return d.bool()
	case Char:
		n, err := d.uint(4)
		if err == nil && (n > utf8.MaxRune || !utf8.ValidRune(rune(n))) {
			err = fmt.Errorf("%#x is no character", n)
		}
		return rune(n), err
	case Str:
		var s string
		err := d.Decode(&s)
		return s, err
	case U128Type:
		var n U128
		err := d.Decode(&n)
		return n, err
	case I128Type:
		var n I128
		err := d.Decode(&n)
		return n, err
	case U256, I256:
		return d.copied(32)
	}
	size, signed := p.integer()
	n, err := d.uint(size)
	if signed {
		shift := 64 - 8*size
		return int64(n<<shift) >> shift, err
	}
	return n, err
}

// integer returns the size in bytes of an integer of any length, and whether
// it has a sign; 0 if p is none.
func (p Primitive) integer() (size int, signed bool) {
	switch p {
	case U8, U16, U32, U64, U128Type, U256:
		return 1 << (p - U8), false
	case I8, I16, I32, I64, I128Type, I256:
		return 1 << (p - I8), true
	}
	return 0, false
}

// compactOf returns the integer behind a compact type, which may be wrapped in
// structs of one field.
func (m *Metadata) compactOf(id TypeID) (size int, err error) {
	for range maxDepth {
		def := &m.Types[id].Def
		if c := def.Composite; c != nil && len(c.Fields) == 1 {
			id = c.Fields[0].Type
			continue
		}
		if p := def.Primitive; p != nil {
			if size, signed := p.integer(); size > 0 && size <= 16 && !signed {
				return size, nil
			}
		}
		break
	}
	return 0, fmt.Errorf("type %d has no compact form", id)
}

func (m *Metadata) decodeCompact(id TypeID, d *Decoder) (any, error) {
	size, err := m.compactOf(id)
	if err != nil {
		return nil, err
	}
	n, err := d.compact128()
	if err != nil {
		return nil, err
	}
	if size == 16 {
		return n, nil
	}
	if n.Hi != 0 || size < 8 && n.Lo>>(8*size) != 0 {
		return nil, fmt.Errorf("compact integer %v over %d bits", n, 8*size)
	}
	return n.Lo, nil
}
