package chainnode

import (
	"slices"
	"strings"

	"adit/internal/scale"
)

// describe completes the metadata of the ledger. polkadot.js learns what an
// account, an event and a result is from the parameters of generic types, which
// the ledger's Go types do not have.
func describe(metadata []byte) ([]byte, error) {
	m, err := scale.ReadMetadata(metadata)
	if err != nil {
		return nil, err
	}
	for i := range m.Types {
		t := &m.Types[i]
		if len(t.Params) > 0 {
			continue
		}
		switch strings.Join(t.Path, "::") {
		case "sp_runtime::multiaddress::MultiAddress":
			t.Params = append(held(t, "Id", "AccountId"), unit(m)...)
		case "Result":
			t.Params = append(held(t, "Ok", "T"), held(t, "Err", "E")...)
		case "frame_system::EventRecord":
			for _, f := range t.Def.Composite.Fields {
				switch f.Name.V {
				case "event":
					t.Params = append(t.Params, param("E", f.Type)...)
				case "topics":
					t.Params = append(t.Params, param("T", *m.Types[f.Type].Def.Sequence)...)
				}
			}
		}
	}
	return m.Encode(), nil
}

func param(name string, id scale.TypeID) []scale.TypeParam {
	return []scale.TypeParam{{Name: name, Type: scale.SomeOf(id)}}
}

// held is the parameter for what a variant of an enum holds.
func held(t *scale.Type, variant, name string) []scale.TypeParam {
	for _, v := range t.Def.Variant.Variants {
		if v.Name == variant {
			return param(name, v.Fields[0].Type)
		}
	}
	return nil
}

// unit is the parameter that says that accounts have no indices.
func unit(m *scale.Metadata) []scale.TypeParam {
	i := slices.IndexFunc(m.Types, func(t scale.Type) bool { return t.Def.Tuple != nil && len(*t.Def.Tuple) == 0 })
	if i < 0 {
		return nil
	}
	return param("AccountIndex", scale.TypeID(i))
}
