package scale

import "strings"

// generic lists, by the path of a generic type, its parameters and where in the
// type they stand: the variant or field whose type is the parameter. Clients
// such as polkadot.js learn what an account, an event or a result is from the
// parameters alone, and Go's types have no such.
var generic = map[string][]struct{ param, part string }{
	"sp_runtime::multiaddress::MultiAddress": {{"AccountId", "Id"}, {"AccountIndex", "Index"}},
	"Result":                                 {{"T", "Ok"}, {"E", "Err"}},
	"frame_system::EventRecord":              {{"E", "event"}, {"T", "topics"}},
}

// params returns the generic parameters of a type; none for most. A part without
// content is (), and of a list its elements count.
func (r *Registry) params(t *Type) ([]TypeParam, error) {
	var params []TypeParam
	for _, g := range generic[strings.Join(t.Path, "::")] {
		fields, ok := t.part(g.part)
		if !ok {
			return nil, nil // not the type that is meant
		}
		if len(fields) == 0 {
			unit, err := r.TypeOf(Unit{})
			if err != nil {
				return nil, err
			}
			params = append(params, TypeParam{g.param, SomeOf(unit)})
			continue
		}
		id := fields[0].Type
		if list := r.types[id].Def.Sequence; list != nil {
			id = *list
		}
		params = append(params, TypeParam{g.param, SomeOf(id)})
	}
	return params, nil
}

// part returns the fields of a variant by its name, or the one field of a struct.
func (t *Type) part(name string) ([]Field, bool) {
	if t.Def.Variant != nil {
		for _, v := range t.Def.Variant.Variants {
			if v.Name == name {
				return v.Fields, true
			}
		}
	}
	if t.Def.Composite != nil {
		for i, f := range t.Def.Composite.Fields {
			if f.Name.V == name {
				return t.Def.Composite.Fields[i : i+1], true
			}
		}
	}
	return nil, false
}
