package ledger

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"adit/internal/scale"
)

// TestInterface compares all that the ledger declares with what the main
// network's runtime 424 declares: names, numbers, arguments, hashers and types.
// A type with a name of its own is a star.
func TestInterface(t *testing.T) {
	b, err := os.ReadFile("testdata/interface-424.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{} // by kind and name
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 3)
		lines[f[0]+" "+f[1]] = f[2]
	}
	whole, err := New(DevGenesis()).Describe()
	if err != nil {
		t.Fatal(err)
	}
	more, err := scale.BuildMetadata(scale.RuntimeDef{
		Name:    "node_subtensor_runtime::Runtime",
		Pallets: morePallets(),
		Call:    RuntimeCall{}, Address: MultiAddress{}, Signature: Signature{},
	})
	if err != nil {
		t.Fatal(err)
	}
	check := func(kind, pallet, name, got string) {
		want, ok := lines[kind+" "+pallet+"."+name]
		if !ok {
			t.Errorf("runtime 424 has no %s %s.%s", kind, pallet, name)
		} else if got != want {
			t.Errorf("%s %s.%s %s\nwant %s", kind, pallet, name, got, want)
		}
	}
	for _, m := range []*scale.Metadata{whole, more} {
		compare(t, m, lines, check)
	}
}

// compare checks every declaration of m.
func compare(t *testing.T, m *scale.Metadata, lines map[string]string, check func(kind, pallet, name, got string)) {
	variants := func(o scale.Option[scale.TypeID]) []scale.VariantDef {
		if !o.Some {
			return nil
		}
		return m.Types[o.V].Def.Variant.Variants
	}
	for _, p := range m.Pallets {
		for _, v := range variants(p.Calls) {
			for _, f := range v.Fields {
				if !f.TypeName.Some {
					t.Errorf("%s.%s: %s has no type name, without which py-scale-codec reads no extrinsic", p.Name, v.Name, f.Name.V)
				}
			}
			check("call", p.Name, v.Name, fmt.Sprintf("%d,%d (%s)", p.Index, v.Index, names(v.Fields)))
		}
		for _, v := range variants(p.Events) {
			if len(v.Fields) > 4 && len(v.Fields) == strings.Count(lines["event "+p.Name+"."+v.Name], "_") {
				continue // five or six fields: the codec has no tuple of so many, so that here they have names
			}
			check("event", p.Name, v.Name, fmt.Sprintf("%d (%s)", v.Index, names(v.Fields)))
		}
		for _, v := range variants(p.Errors) {
			check("error", p.Name, v.Name, fmt.Sprint(v.Index))
		}
		for _, s := range p.Storage.V.Items {
			keys, hashers, value := "-", "-", s.Type.Plain
			if mp := s.Type.Map; mp != nil {
				value = &mp.Value
				keys = strings.Trim(typeName(m, mp.Key), "()")
				hashers = strings.Trim(strings.ReplaceAll(fmt.Sprint(mp.Hashers), " ", ","), "[]")
			}
			modifier := [...]string{"Optional", "Default"}[s.Modifier]
			check("storage", p.Name, s.Name, fmt.Sprintf("%s %s %s %s", keys, hashers, typeName(m, *value), modifier))
		}
	}
}

func names(fields []scale.Field) string {
	var out []string
	for _, f := range fields {
		if f.Name.Some {
			out = append(out, f.Name.V)
		} else {
			out = append(out, "_")
		}
	}
	return strings.Join(out, ",")
}

var primitiveNames = map[scale.Primitive]string{
	scale.Bool: "bool", scale.U8: "u8", scale.U16: "u16", scale.U32: "u32", scale.U64: "u64", scale.U128Type: "u128", scale.I16: "i16",
}

func typeName(m *scale.Metadata, id scale.TypeID) string {
	ty := &m.Types[id]
	switch d := ty.Def; {
	case ty.Name() == "AccountId32" || ty.Name() == "H256":
		return ty.Name()
	case ty.Name() == "BTreeMap":
		return typeName(m, d.Composite.Fields[0].Type)
	case d.Primitive != nil:
		return primitiveNames[*d.Primitive]
	case d.Sequence != nil:
		return "Vec<" + typeName(m, *d.Sequence) + ">"
	case d.Tuple != nil:
		var parts []string
		for _, e := range *d.Tuple {
			parts = append(parts, typeName(m, e))
		}
		return "(" + strings.Join(parts, ",") + ")"
	}
	return "*"
}
