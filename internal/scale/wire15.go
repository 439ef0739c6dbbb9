package scale

// wire15 is the whole of version 15.
type wire15 struct {
	Types     []portableType
	Pallets   []pallet15
	Extrinsic extrinsic15
	Runtime   TypeID
	APIs      []api15
	Outer     OuterEnums
	Custom    []CustomValue
}

type pallet15 struct {
	Pallet pallet14
	Docs   []string
}

type extrinsic15 struct {
	Version                         uint8
	Address, Call, Signature, Extra TypeID
	Extensions                      []Extension
}

type api15 struct {
	Name    string
	Methods []APIMethod
	Docs    []string
}

func (w *wire15) from(m *Metadata) error {
	var need wanted
	w.Types = portable(m.Types)
	for _, p := range m.Pallets {
		w.Pallets = append(w.Pallets, pallet15{p.to14(), p.Docs})
	}
	x := &m.Extrinsic
	w.Extrinsic = extrinsic15{
		Version:    x.oneVersion(&need),
		Address:    want(&need, x.Address, "type of addresses"),
		Call:       want(&need, x.Call, "type of calls"),
		Signature:  want(&need, x.Signature, "type of signatures"),
		Extra:      want(&need, x.Extra, "type of what extensions add"),
		Extensions: x.Extensions,
	}
	w.Runtime = want(&need, m.Runtime, "own type")
	for _, a := range m.APIs {
		w.APIs = append(w.APIs, api15{a.Name, a.Methods, a.Docs})
	}
	w.Outer = want(&need, m.Outer, "enums over all pallets")
	w.Custom = m.Custom
	return need.err()
}

func (w *wire15) to(m *Metadata) (err error) {
	if m.Types, err = unportable(w.Types); err != nil {
		return err
	}
	for _, p := range w.Pallets {
		pallet := p.Pallet.pallet()
		pallet.Docs = p.Docs
		m.Pallets = append(m.Pallets, pallet)
	}
	x := w.Extrinsic
	m.Extrinsic = Extrinsic{Versions: []uint8{x.Version}, Address: SomeOf(x.Address), Call: SomeOf(x.Call),
		Signature: SomeOf(x.Signature), Extra: SomeOf(x.Extra), Extensions: x.Extensions}
	m.Runtime = SomeOf(w.Runtime)
	for _, a := range w.APIs {
		m.APIs = append(m.APIs, API{Name: a.Name, Methods: a.Methods, Docs: a.Docs})
	}
	m.Outer = SomeOf(w.Outer)
	m.Custom = w.Custom
	return nil
}
