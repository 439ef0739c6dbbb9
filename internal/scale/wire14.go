package scale

// wire14 is the whole of version 14.
type wire14 struct {
	Types     []portableType
	Pallets   []pallet14
	Extrinsic extrinsic14
	Runtime   TypeID
}

type pallet14 struct {
	Name      string
	Storage   Option[Storage]
	Calls     Option[TypeID]
	Events    Option[TypeID]
	Constants []Constant
	Errors    Option[TypeID]
	Index     uint8
}

type extrinsic14 struct {
	Type       TypeID
	Version    uint8
	Extensions []Extension
}

func (w *wire14) from(m *Metadata) error {
	var need wanted
	types := m.Types
	if m.basic > 0 {
		types = types[:m.basic]
	}
	w.Types = portable(types)
	for _, p := range m.Pallets {
		w.Pallets = append(w.Pallets, p.to14())
	}
	w.Extrinsic = extrinsic14{
		Type:       want(&need, m.Extrinsic.Type, "type of extrinsics"),
		Version:    m.Extrinsic.oneVersion(&need),
		Extensions: m.Extrinsic.Extensions,
	}
	w.Runtime = want(&need, m.Runtime, "own type")
	return need.err()
}

func (p *Pallet) to14() pallet14 {
	return pallet14{p.Name, p.Storage, p.Calls, p.Events, p.Constants, p.Errors, p.Index}
}

func (p *pallet14) pallet() Pallet {
	return Pallet{Name: p.Name, Storage: p.Storage, Calls: p.Calls, Events: p.Events, Constants: p.Constants,
		Errors: p.Errors, Index: p.Index}
}

func (w *wire14) to(m *Metadata) (err error) {
	if m.Types, err = unportable(w.Types); err != nil {
		return err
	}
	for _, p := range w.Pallets {
		m.Pallets = append(m.Pallets, p.pallet())
	}
	m.Runtime = SomeOf(w.Runtime)
	m.Extrinsic = Extrinsic{Versions: []uint8{w.Extrinsic.Version}, Type: SomeOf(w.Extrinsic.Type), Extensions: w.Extrinsic.Extensions}
	if int(w.Extrinsic.Type) >= len(m.Types) {
		return nil // which check finds
	}
	// The types of an extrinsic's parts are the parameters of its type.
	for _, p := range m.Types[w.Extrinsic.Type].Params {
		switch p.Name {
		case "Address":
			m.Extrinsic.Address = p.Type
		case "Call":
			m.Extrinsic.Call = p.Type
		case "Signature":
			m.Extrinsic.Signature = p.Type
		case "Extra", "Extension":
			m.Extrinsic.Extra = p.Type
		}
	}
	return nil
}
