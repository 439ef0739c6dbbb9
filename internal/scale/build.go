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
	// Call is the enum of the pallets' calls; Address and Signature are the other
	// parts of an extrinsic, beside what the extensions add.
	Call, Address, Signature any
	Extensions               []ExtensionDef
	// Event is the enum of the pallets' events, the one in System.Events. If it is
	// nil, one is made of the pallets.
	Event any
	// APIs answer runtime calls: the Defs of all [APIs].
	APIs []APIDef
	// Custom is whatever else is to be told.
	Custom []ConstantDef
}

// PalletDef declares one pallet.
type PalletDef struct {
	Name      string
	Index     uint8
	Doc       string
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
	var err error
	if m.Extrinsic, err = r.extrinsic(def); err != nil {
		return nil, fmt.Errorf("describe extrinsic: %w", err)
	}
	m.Runtime = SomeOf(r.Add(Type{Path: pathOf(def.Name), Def: TypeDef{Composite: &Composite{}}}))
	m.basic = len(r.types)
	outer, err := r.outer(def, m)
	if err != nil {
		return nil, fmt.Errorf("describe the enums over all pallets: %w", err)
	}
	m.Outer = SomeOf(outer)
	for _, d := range def.APIs {
		api, err := r.api(d)
		if err != nil {
			return nil, fmt.Errorf("describe runtime API %s: %w", d.Name, err)
		}
		m.APIs = append(m.APIs, api)
	}
	for _, d := range def.Custom {
		c, err := r.constant(d)
		if err != nil {
			return nil, fmt.Errorf("describe custom value %s: %w", d.Name, err)
		}
		m.Custom = append(m.Custom, CustomValue{c.Name, c.Type, c.Value})
	}
	m.Types = r.types
	return m, m.check()
}

func (r *Registry) constant(def ConstantDef) (c Constant, err error) {
	c = Constant{Name: def.Name, Docs: docs(def.Doc)}
	if c.Type, err = r.TypeOf(def.Value); err == nil {
		c.Value, err = Marshal(def.Value)
	}
	return c, err
}

func (r *Registry) pallet(def PalletDef) (Pallet, error) {
	p := Pallet{Name: def.Name, Index: def.Index, Docs: docs(def.Doc)}
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
		k, err := r.constant(c)
		if err != nil {
			return p, fmt.Errorf("constant %s: %w", c.Name, err)
		}
		p.Constants = append(p.Constants, k)
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

// pathOf splits a name such as "sp_core::crypto::AccountId32".
func pathOf(name string) []string {
	if name == "" {
		return nil
	}
	return strings.Split(name, "::")
}
