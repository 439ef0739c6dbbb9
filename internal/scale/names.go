package scale

import (
	"fmt"
	"strings"
)

// Pallet returns the pallet of that name.
func (m *Metadata) Pallet(name string) (*Pallet, error) {
	for i := range m.Pallets {
		if m.Pallets[i].Name == name {
			return &m.Pallets[i], nil
		}
	}
	return nil, fmt.Errorf("the runtime has no pallet %q", name)
}

// variant returns a variant of an enum by its name.
func (m *Metadata) variant(id TypeID, name string) (*VariantDef, bool) {
	if def := m.Types[id].Def.Variant; def != nil {
		for i := range def.Variants {
			if def.Variants[i].Name == name {
				return &def.Variants[i], true
			}
		}
	}
	return nil, false
}

// EncodeCall returns a call by the names of its pallet and itself, such as
// "Balances" and "transfer_keep_alive". The arguments stand in order, or are
// one [Args].
func (m *Metadata) EncodeCall(pallet, call string, args ...any) ([]byte, error) {
	p, err := m.Pallet(pallet)
	if err != nil {
		return nil, err
	}
	if !p.Calls.Some {
		return nil, fmt.Errorf("pallet %s has no calls", pallet)
	}
	v, ok := m.variant(p.Calls.V, call)
	if !ok {
		return nil, fmt.Errorf("pallet %s has no call %q", pallet, call)
	}
	e := encoder{m, 0}
	b, err := e.fields([]byte{p.Index, v.Index}, v.Fields, argsOf(args))
	if err != nil {
		return nil, fmt.Errorf("encode %s.%s: %w", pallet, call, err)
	}
	return b, nil
}

// CallType returns the type of all the runtime's calls.
func (m *Metadata) CallType() (TypeID, error) { return part(m.Extrinsic.Call, "calls") }

// part returns the type of a part of extrinsics. Version 14 need not tell it.
func part(o Option[TypeID], what string) (TypeID, error) {
	if !o.Some {
		return 0, fmt.Errorf("the metadata does not say the type of %s", what)
	}
	return o.V, nil
}

// A ModuleError is an error that a pallet declares.
type ModuleError struct {
	Pallet, Name string
	Docs         string // one line
}

// Error returns such as "SubtensorModule.NotEnoughStake: the caller …".
func (e *ModuleError) Error() string {
	s := e.Pallet + "." + e.Name
	if e.Docs != "" {
		s += ": " + e.Docs
	}
	return s
}

// ModuleError returns the error of a pallet, both by their indices. Indices
// shift between runtimes; names do not.
func (m *Metadata) ModuleError(pallet, index uint8) (*ModuleError, error) {
	for _, p := range m.Pallets {
		if p.Index != pallet || !p.Errors.Some || m.Types[p.Errors.V].Def.Variant == nil {
			continue
		}
		for _, v := range m.Types[p.Errors.V].Def.Variant.Variants {
			if v.Index == index {
				return &ModuleError{p.Name, v.Name, oneLine(v.Docs)}, nil
			}
		}
	}
	return nil, fmt.Errorf("the runtime has no error %d in pallet %d", index, pallet)
}

func oneLine(docs []string) string { return strings.Join(strings.Fields(strings.Join(docs, " ")), " ") }

// Constant returns the value of a pallet's constant.
func (m *Metadata) Constant(pallet, name string) (any, error) {
	p, err := m.Pallet(pallet)
	if err != nil {
		return nil, err
	}
	for _, c := range p.Constants {
		if c.Name == name {
			v, err := m.whole(c.Type, c.Value)
			if err != nil {
				return nil, fmt.Errorf("decode constant %s.%s: %w", pallet, name, err)
			}
			return v, nil
		}
	}
	return nil, fmt.Errorf("pallet %s has no constant %q", pallet, name)
}

// TypeNamed returns the type of that name: its path joined by "::", or the path's
// last part, if no other type has it.
func (m *Metadata) TypeNamed(name string) (TypeID, error) {
	var found []TypeID
	for i := range m.Types {
		t := &m.Types[i]
		if strings.Join(t.Path, "::") == name || t.Name() == name && name != "" {
			found = append(found, TypeID(i))
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("the runtime has %d types %q, want one", len(found), name)
	}
	return found[0], nil
}

// whole decodes all of b.
func (m *Metadata) whole(id TypeID, b []byte) (any, error) {
	d := NewDecoder(b)
	v, err := m.DecodeValue(id, d)
	if err == nil && d.Len() > 0 {
		err = fmt.Errorf("%d bytes left over", d.Len())
	}
	return v, err
}
