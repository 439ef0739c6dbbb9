package scale

import (
	"fmt"
	"reflect"
)

// OpaqueExtrinsic is an extrinsic as the argument of a runtime API: its bytes with
// their length in front. Metadata describes it as the runtime's extrinsic.
type OpaqueExtrinsic []byte

// api describes a runtime API from the functions that answer it.
func (r *Registry) api(def APIDef) (API, error) {
	a := API{Name: def.Name, Version: def.Version, Docs: docs(def.Doc)}
	for _, f := range def.Methods {
		m, err := f.method()
		if err != nil {
			return a, fmt.Errorf("%s: %w", f.Name, err)
		}
		d := APIMethod{Name: f.Name, Inputs: []Param{}, Docs: docs(f.Doc)}
		for i, t := range m.args {
			id, err := r.Type(t)
			if err != nil {
				return a, fmt.Errorf("%s: argument %s: %w", f.Name, m.names[i], err)
			}
			d.Inputs = append(d.Inputs, Param{m.names[i], id})
		}
		if d.Output, err = r.Type(m.result); err != nil {
			return a, fmt.Errorf("%s: result: %w", f.Name, err)
		}
		a.Methods = append(a.Methods, d)
	}
	return a, nil
}

// extrinsic describes extrinsics. Readers of version 14 find the types of their
// parts in the parameters of the extrinsic's type, which itself is opaque
// bytes; later versions name them.
func (r *Registry) extrinsic(def RuntimeDef) (x Extrinsic, err error) {
	var extras []TypeID
	for _, e := range def.Extensions {
		extra, err := r.TypeOf(e.Extra)
		if err != nil {
			return x, fmt.Errorf("extension %s: %w", e.Name, err)
		}
		implicit, err := r.TypeOf(e.Implicit)
		if err != nil {
			return x, fmt.Errorf("extension %s: %w", e.Name, err)
		}
		x.Extensions = append(x.Extensions, Extension{e.Name, extra, implicit})
		extras = append(extras, extra)
	}
	x.Versions = []uint8{signedVersion}
	x.Extra = SomeOf(r.tuple(extras))
	for _, p := range []struct {
		name string
		v    any
		id   *Option[TypeID]
	}{{"address", def.Address, &x.Address}, {"call", def.Call, &x.Call}, {"signature", def.Signature, &x.Signature}} {
		id, err := r.TypeOf(p.v)
		if err != nil {
			return x, fmt.Errorf("%s: %w", p.name, err)
		}
		*p.id = SomeOf(id)
	}
	opaque, err := r.TypeOf([]byte(nil))
	if err != nil {
		return x, err
	}
	id := r.Add(Type{
		Path:   []string{"sp_runtime", "generic", "unchecked_extrinsic", "UncheckedExtrinsic"},
		Params: []TypeParam{{"Address", x.Address}, {"Call", x.Call}, {"Signature", x.Signature}, {"Extra", x.Extra}},
		Def:    TypeDef{Composite: &Composite{[]Field{{Type: opaque}}}},
	})
	x.Type = SomeOf(id)
	r.ids[reflect.TypeFor[OpaqueExtrinsic]()] = id
	return x, nil
}

// outer describes the enums over all pallets: that of calls and that of events
// have Go types, as transactions and event records hold them; that of errors is
// made of the pallets here.
func (r *Registry) outer(def RuntimeDef, m *Metadata) (o OuterEnums, err error) {
	o.Call = m.Extrinsic.Call.V
	path := append([]string(nil), r.types[o.Call].Path...)
	if len(path) == 0 {
		path = []string{"RuntimeCall"}
	}
	named := func(name string) []string { return append(path[:len(path)-1:len(path)-1], name) }
	if def.Event != nil {
		if o.Event, err = r.TypeOf(def.Event); err != nil {
			return o, fmt.Errorf("event: %w", err)
		}
	} else {
		o.Event = r.overPallets(named("RuntimeEvent"), m, func(p *Pallet) Option[TypeID] { return p.Events })
	}
	o.Error = r.overPallets(named("RuntimeError"), m, func(p *Pallet) Option[TypeID] { return p.Errors })
	return o, nil
}

func (r *Registry) overPallets(path []string, m *Metadata, of func(*Pallet) Option[TypeID]) TypeID {
	def := &VariantType{Variants: []VariantDef{}}
	for i := range m.Pallets {
		p := &m.Pallets[i]
		if id := of(p); id.Some {
			def.Variants = append(def.Variants, VariantDef{Name: p.Name, Index: p.Index, Fields: []Field{{Type: id.V}}})
		}
	}
	return r.Add(Type{Path: path, Def: TypeDef{Variant: def}})
}
