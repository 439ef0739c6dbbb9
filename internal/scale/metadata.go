package scale

import (
	"bytes"
	"errors"
	"fmt"
)

// metadataMagic begins all metadata: "meta".
const metadataMagic = "meta"

// metadataVersion is the version read and written, which every Subtensor
// runtime serves by state_getMetadata.
const metadataVersion = 14

// Metadata is what a runtime says about itself: its types, its pallets and
// what an extrinsic is made of. The declarations below are also its wire
// format, in the order of frame-metadata's version 14.
//
// It is not changed after [ReadMetadata] or [BuildMetadata] and may be used
// by many goroutines.
type Metadata struct {
	Types     []Type // by TypeID
	Pallets   []Pallet
	Extrinsic Extrinsic
	Runtime   TypeID
}

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

// A Pallet is one module of a runtime.
type Pallet struct {
	Name      string
	Storage   Option[Storage]
	Calls     Option[TypeID]
	Events    Option[TypeID]
	Constants []Constant
	Errors    Option[TypeID]
	Index     uint8
}

// Storage lists what a pallet stores.
type Storage struct {
	Prefix string // what storage keys begin with the hash of
	Items  []StorageItem
}

// A StorageItem is one value or map in storage.
type StorageItem struct {
	Name     string
	Modifier Modifier
	Type     StorageType
	Default  []byte // SCALE of what is read where nothing is stored, if the modifier is Default
	Docs     []string
}

// A Modifier says what reading finds where nothing is stored.
type Modifier uint8

// Nothing, or the item's default.
const (
	Optional Modifier = iota
	Default
)

// A StorageType is that of a plain value or of a map.
type StorageType struct {
	Enum
	Plain *TypeID     `scale:"0"`
	Map   *StorageMap `scale:"1"`
}

// A StorageMap has one hasher, and then the key is one value, or several, and
// then the key is a tuple of as many.
type StorageMap struct {
	Hashers []Hasher
	Key     TypeID
	Value   TypeID
}

// A Constant is a number a runtime was built with.
type Constant struct {
	Name  string
	Type  TypeID
	Value []byte // SCALE
	Docs  []string
}

// Extrinsic says what a signed extrinsic carries besides its call.
type Extrinsic struct {
	Type       TypeID
	Version    uint8
	Extensions []Extension
}

// An Extension is one signed extension: what it adds to the extrinsic, and
// what it adds only to the payload that is signed.
type Extension struct {
	Name     string
	Type     TypeID
	Implicit TypeID
}

// wireV14 is the whole of version 14 behind magic and version.
type wireV14 struct {
	Types     []portableType
	Pallets   []Pallet
	Extrinsic Extrinsic
	Runtime   TypeID
}

type portableType struct {
	ID   TypeID
	Type Type
}

// ReadMetadata reads metadata of version 14, with the magic in front. The
// metadata may be trusted afterwards in so far as every type it mentions is
// there.
func ReadMetadata(b []byte) (*Metadata, error) {
	rest, ok := bytes.CutPrefix(b, []byte(metadataMagic))
	if !ok || len(rest) == 0 {
		return nil, errors.New("read metadata: it does not begin with \"meta\" and a version")
	}
	if rest[0] != metadataVersion {
		return nil, fmt.Errorf("read metadata: version %d, want %d", rest[0], metadataVersion)
	}
	var w wireV14
	if err := Unmarshal(rest[1:], &w); err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	m := &Metadata{Types: make([]Type, len(w.Types)), Pallets: w.Pallets, Extrinsic: w.Extrinsic, Runtime: w.Runtime}
	for i, t := range w.Types {
		if int(t.ID) != i {
			return nil, fmt.Errorf("read metadata: type %d stands at %d", t.ID, i)
		}
		m.Types[i] = t.Type
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	return m, nil
}

// Encode returns the metadata in version 14, with the magic in front.
func (m *Metadata) Encode() []byte {
	w := wireV14{Types: make([]portableType, len(m.Types)), Pallets: m.Pallets, Extrinsic: m.Extrinsic, Runtime: m.Runtime}
	for i, t := range m.Types {
		w.Types[i] = portableType{TypeID(i), t}
	}
	b, err := Append(append([]byte(metadataMagic), metadataVersion), &w)
	if err != nil {
		panic(err) // unreachable: both makers set exactly one variant of each enum
	}
	return b
}

// check reports the first mention of a type that is not there, and whatever
// else the methods of Metadata rely on.
func (m *Metadata) check() error {
	c := checker{n: TypeID(len(m.Types))}
	for i := range m.Types {
		c.where = fmt.Sprintf("type %d", i)
		c.def(&m.Types[i])
	}
	for _, p := range m.Pallets {
		c.where = "pallet " + p.Name
		for _, o := range []Option[TypeID]{p.Calls, p.Events, p.Errors} {
			if o.Some {
				c.id(o.V)
			}
		}
		for _, s := range p.Storage.V.Items {
			if s.Type.Plain != nil {
				c.id(*s.Type.Plain)
			} else {
				c.id(s.Type.Map.Key)
				c.id(s.Type.Map.Value)
				c.hashers(m, s)
			}
			if s.Modifier > Default {
				c.fail("item %s has modifier %d", s.Name, s.Modifier)
			}
		}
		for _, k := range p.Constants {
			c.id(k.Type)
		}
	}
	c.where = "extrinsic"
	c.id(m.Extrinsic.Type)
	for _, e := range m.Extrinsic.Extensions {
		c.id(e.Type)
		c.id(e.Implicit)
	}
	c.id(m.Runtime)
	return c.err
}

// A checker remembers the first thing that is wrong.
type checker struct {
	n     TypeID
	where string
	err   error
}

func (c *checker) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(c.where+": "+format, args...)
	}
}

func (c *checker) id(id TypeID) {
	if id >= c.n {
		c.fail("there is no type %d", id)
	}
}

func (c *checker) fields(fs []Field) {
	for _, f := range fs {
		c.id(f.Type)
		if f.Name.Some != fs[0].Name.Some {
			c.fail("some fields have names and some have none")
		}
	}
}

func (c *checker) def(t *Type) {
	for _, p := range t.Params {
		if p.Type.Some {
			c.id(p.Type.V)
		}
	}
	switch d := &t.Def; {
	case d.Composite != nil:
		c.fields(d.Composite.Fields)
	case d.Variant != nil:
		for _, v := range d.Variant.Variants {
			c.fields(v.Fields)
		}
	case d.Sequence != nil:
		c.id(*d.Sequence)
	case d.Array != nil:
		c.id(d.Array.Type)
	case d.Tuple != nil:
		for _, id := range *d.Tuple {
			c.id(id)
		}
	case d.Primitive != nil:
		if *d.Primitive > I256 {
			c.fail("unknown primitive %d", *d.Primitive)
		}
	case d.Compact != nil:
		c.id(*d.Compact)
	case d.BitSequence != nil:
		c.id(d.BitSequence.Store)
		c.id(d.BitSequence.Order)
	}
}

func (c *checker) hashers(m *Metadata, s StorageItem) {
	hs := s.Type.Map.Hashers
	for _, h := range hs {
		if h > Identity {
			c.fail("item %s has unknown hasher %d", s.Name, h)
		}
	}
	if len(hs) == 0 {
		c.fail("item %s is a map without hashers", s.Name)
	}
	if len(hs) > 1 && c.err == nil {
		if t := m.Types[s.Type.Map.Key].Def.Tuple; t == nil || len(*t) != len(hs) {
			c.fail("item %s has %d hashers and another number of keys", s.Name, len(hs))
		}
	}
}
