package scale

import (
	"fmt"
	"reflect"
	"strings"
)

// RuntimeDef declares a runtime in Go. Where a field is a Go value, its type
// is what counts and a zero value will do.
type RuntimeDef struct {
	Name    string // path of the runtime's own type, joined by "::"
	Pallets []PalletDef
	// Call is the enum of the pallets' calls; Address, Signature and Extra
	// are the other parts of an extrinsic.
	Call, Address, Signature, Extra any
	Extensions                      []ExtensionDef
}

// PalletDef declares one pallet.
type PalletDef struct {
	Name      string
	Index     uint8
	Calls     any // an enum, or nil; its variants are named in snake case
	Events    any // an enum, or nil
	Errors    []ErrorDef
	Storage   []StorageDef
	Constants []ConstantDef
}

// ErrorDef declares one error.
type ErrorDef struct {
	Name  string
	Index uint8
	Doc   string
}

// StorageDef declares one storage item.
type StorageDef struct {
	Name string
	// Keys are the keys of a map with their hashers; none for a plain value.
	Keys  []KeyDef
	Value any
	// Optional items have no default. The default of the others is Value,
	// which is then more than a type.
	Optional bool
	Doc      string
}

// KeyDef declares one key of a storage map.
type KeyDef struct {
	Hasher Hasher
	Key    any
}

// ConstantDef declares one constant.
type ConstantDef struct {
	Name  string
	Value any
	Doc   string
}

// ExtensionDef declares one signed extension.
type ExtensionDef struct {
	Name            string
	Extra, Implicit any
}

// BuildMetadata returns the metadata of the runtime that def declares.
func BuildMetadata(def RuntimeDef) (*Metadata, error) {
	r := NewRegistry()
	for _, p := range def.Pallets {
		if p.Calls != nil {
			r.calls[reflect.TypeOf(p.Calls)] = true
		}
	}
	m := &Metadata{Version: 14}
	for _, p := range def.Pallets {
		pallet, err := r.pallet(p)
		if err != nil {
			return nil, fmt.Errorf("describe pallet %s: %w", p.Name, err)
		}
		m.Pallets = append(m.Pallets, pallet)
	}
	if err := r.extrinsic(m, def); err != nil {
		return nil, fmt.Errorf("describe extrinsic: %w", err)
	}
	m.Runtime = SomeOf(r.Add(Type{Path: pathOf(def.Name), Def: TypeDef{Composite: &Composite{}}}))
	m.Types = r.types
	return m, m.check()
}

func (r *Registry) pallet(def PalletDef) (Pallet, error) {
	p := Pallet{Name: def.Name, Index: def.Index}
	var err error
	if def.Calls != nil {
		p.Calls.Some = true
		if p.Calls.V, err = r.enumType(def, "Call", def.Calls); err != nil {
			return p, fmt.Errorf("calls: %w", err)
		}
	}
	if def.Events != nil {
		p.Events.Some = true
		if p.Events.V, err = r.enumType(def, "Event", def.Events); err != nil {
			return p, fmt.Errorf("events: %w", err)
		}
	}
	if len(def.Errors) > 0 {
		var vs []VariantDef
		for _, e := range def.Errors {
			vs = append(vs, VariantDef{Name: e.Name, Index: e.Index, Docs: docs(e.Doc)})
		}
		p.Errors = SomeOf(r.Add(Type{Path: framePath(def.Name, "Error"), Def: TypeDef{Variant: &VariantType{vs}}}))
	}
	for _, c := range def.Constants {
		id, err := r.TypeOf(c.Value)
		if err != nil {
			return p, fmt.Errorf("constant %s: %w", c.Name, err)
		}
		b, err := Marshal(c.Value)
		if err != nil {
			return p, fmt.Errorf("constant %s: %w", c.Name, err)
		}
		p.Constants = append(p.Constants, Constant{Name: c.Name, Type: id, Value: b, Docs: docs(c.Doc)})
	}
	if len(def.Storage) > 0 {
		p.Storage = SomeOf(Storage{Prefix: def.Name})
	}
	for _, s := range def.Storage {
		item, err := r.storage(s)
		if err != nil {
			return p, fmt.Errorf("storage %s: %w", s.Name, err)
		}
		p.Storage.V.Items = append(p.Storage.V.Items, item)
	}
	return p, nil
}

// enumType describes the calls or events of a pallet. Those without a name get
// the one they would have in FRAME, which some readers look for.
func (r *Registry) enumType(p PalletDef, name string, v any) (TypeID, error) {
	t := reflect.TypeOf(v)
	if !isEnum(t) {
		return 0, fmt.Errorf("%v is no enum", t)
	}
	id, err := r.Type(t)
	if err == nil && r.types[id].Path == nil {
		r.types[id].Path = framePath(p.Name, name)
	}
	return id, err
}

func framePath(pallet, name string) []string {
	return []string{"pallet_" + snake(pallet), "pallet", name}
}

func (r *Registry) storage(s StorageDef) (StorageItem, error) {
	item := StorageItem{Name: s.Name, Docs: docs(s.Doc)}
	value, err := r.TypeOf(s.Value)
	if err != nil {
		return item, err
	}
	if s.Optional {
		item.Default = []byte{0} // as FRAME writes None
	} else {
		item.Modifier = Default
		if item.Default, err = Marshal(s.Value); err != nil {
			return item, fmt.Errorf("default: %w", err)
		}
	}
	if len(s.Keys) == 0 {
		item.Type.Plain = &value
		return item, nil
	}
	m := &StorageMap{Value: value}
	var keys []TypeID
	for _, k := range s.Keys {
		id, err := r.TypeOf(k.Key)
		if err != nil {
			return item, err
		}
		keys = append(keys, id)
		m.Hashers = append(m.Hashers, k.Hasher)
	}
	if m.Key = keys[0]; len(keys) > 1 {
		m.Key = r.tuple(keys)
	}
	item.Type.Map = m
	return item, nil
}

// tuple returns the type of a tuple for which there is no Go type.
func (r *Registry) tuple(ids []TypeID) TypeID {
	name := fmt.Sprint("tuple", ids)
	id, ok := r.extra[name]
	if !ok {
		id = r.Add(Type{Def: TypeDef{Tuple: &ids}})
		r.extra[name] = id
	}
	return id
}

// extrinsic describes extrinsics. Readers find the types of their parts in the
// parameters of the extrinsic's type, which itself is opaque bytes.
func (r *Registry) extrinsic(m *Metadata, def RuntimeDef) error {
	var params []TypeParam
	for _, p := range []struct {
		name string
		v    any
	}{{"Address", def.Address}, {"Call", def.Call}, {"Signature", def.Signature}, {"Extra", def.Extra}} {
		id, err := r.TypeOf(p.v)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		params = append(params, TypeParam{p.name, SomeOf(id)})
	}
	opaque, err := r.TypeOf([]byte(nil))
	if err != nil {
		return err
	}
	m.Extrinsic = Extrinsic{
		Versions: []uint8{4},
		Type: SomeOf(r.Add(Type{
			Path:   []string{"sp_runtime", "generic", "unchecked_extrinsic", "UncheckedExtrinsic"},
			Params: params,
			Def:    TypeDef{Composite: &Composite{[]Field{{Type: opaque}}}},
		})),
	}
	for _, e := range def.Extensions {
		extra, err := r.TypeOf(e.Extra)
		if err != nil {
			return fmt.Errorf("extension %s: %w", e.Name, err)
		}
		implicit, err := r.TypeOf(e.Implicit)
		if err != nil {
			return fmt.Errorf("extension %s: %w", e.Name, err)
		}
		m.Extrinsic.Extensions = append(m.Extrinsic.Extensions, Extension{e.Name, extra, implicit})
	}
	return nil
}

// pathOf splits a name such as "sp_core::crypto::AccountId32".
func pathOf(name string) []string {
	if name == "" {
		return nil
	}
	return strings.Split(name, "::")
}
