package scale

// A TypeID is the position of a type in [Metadata.Types]. It is written as a
// compact integer.
type TypeID uint32

// AppendSCALE implements [Appender].
func (id TypeID) AppendSCALE(b []byte) ([]byte, error) { return AppendCompact(b, uint64(id)), nil }

// DecodeSCALE implements [Scanner].
func (id *TypeID) DecodeSCALE(d *Decoder) error {
	var n Compact[uint32]
	err := d.Decode(&n)
	*id = TypeID(n.V)
	return err
}

// A Type is one type of a runtime.
type Type struct {
	Path   []string // such as sp_core, crypto, AccountId32; empty for those without a name
	Params []TypeParam
	Def    TypeDef
	Docs   []string
}

// Name returns the last part of the path, or "".
func (t *Type) Name() string {
	if len(t.Path) == 0 {
		return ""
	}
	return t.Path[len(t.Path)-1]
}

// A TypeParam is a generic parameter of a type and what it stands for.
type TypeParam struct {
	Name string
	Type Option[TypeID]
}

// A TypeDef is how a type is made. Exactly one field is set.
type TypeDef struct {
	Enum
	Composite   *Composite   `scale:"0"`
	Variant     *VariantType `scale:"1"`
	Sequence    *TypeID      `scale:"2"`
	Array       *Array       `scale:"3"`
	Tuple       *[]TypeID    `scale:"4"`
	Primitive   *Primitive   `scale:"5"`
	Compact     *TypeID      `scale:"6"`
	BitSequence *BitSequence `scale:"7"`
}

// A Composite is a struct.
type Composite struct{ Fields []Field }

// A Field is one field of a struct or of a variant. Either all fields have
// names or none has.
type Field struct {
	Name     Option[string]
	Type     TypeID
	TypeName Option[string] // as the source code wrote it
	Docs     []string
}

// A VariantType is an enum.
type VariantType struct{ Variants []VariantDef }

// A VariantDef is one variant of an enum.
type VariantDef struct {
	Name   string
	Fields []Field
	Index  uint8
	Docs   []string
}

// An Array has a fixed length.
type Array struct {
	Len  uint32
	Type TypeID
}

// A BitSequence is a vector of bits.
type BitSequence struct{ Store, Order TypeID }

// A Primitive is a type that is made of nothing else.
type Primitive uint8

// The primitives by their numbers in the metadata.
const (
	Bool Primitive = iota
	Char
	Str
	U8
	U16
	U32
	U64
	U128Type
	U256
	I8
	I16
	I32
	I64
	I128Type
	I256
)
