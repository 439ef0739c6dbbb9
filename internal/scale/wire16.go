package scale

// wire16 is the whole of version 16.
type wire16 struct {
	Types     []portableType
	Pallets   []pallet16
	Extrinsic extrinsic16
	APIs      []api16
	Outer     OuterEnums
	Custom    []CustomValue
}

// A noted declaration is the older one, and whether it will go.
type noted[T any] struct {
	V          T
	Deprecated Deprecation
}

// enum16 is the type of a pallet's calls, events or errors.
type enum16 struct {
	Type       TypeID
	Deprecated []VariantDeprecation
}

type pallet16 struct {
	Name       string
	Storage    Option[storage16]
	Calls      Option[enum16]
	Events     Option[enum16]
	Constants  []noted[Constant]
	Errors     Option[enum16]
	Associated []AssociatedType
	Views      []ViewFunction
	Index      uint8
	Docs       []string
	Deprecated Deprecation
}

type storage16 struct {
	Prefix string
	Items  []noted[StorageItem]
}

type extrinsic16 struct {
	Versions   []uint8
	Address    TypeID
	Call       TypeID
	Signature  TypeID
	Sets       []ExtensionSet
	Extensions []Extension
}

type api16 struct {
	Name       string
	Methods    []noted[APIMethod]
	Docs       []string
	Version    Compact[uint32]
	Deprecated Deprecation
}

// note puts what is deprecated beside each declaration, and unnote back into it.
func note[T any](vs []T, at func(*T) *Deprecation) []noted[T] {
	ns := make([]noted[T], len(vs))
	for i, v := range vs {
		ns[i] = noted[T]{v, *at(&v)}
	}
	return ns
}

func unnote[T any](ns []noted[T], at func(*T) *Deprecation) []T {
	vs := make([]T, len(ns))
	for i, n := range ns {
		vs[i] = n.V
		*at(&vs[i]) = n.Deprecated
	}
	return vs
}

func ofConstant(c *Constant) *Deprecation { return &c.Deprecated }
func ofItem(s *StorageItem) *Deprecation  { return &s.Deprecated }
func ofMethod(f *APIMethod) *Deprecation  { return &f.Deprecated }

func enumOf(id Option[TypeID], d []VariantDeprecation) Option[enum16] {
	return Option[enum16]{id.Some, enum16{id.V, d}}
}

func (w *wire16) from(m *Metadata) error {
	var need wanted
	w.Types = portable(m.Types)
	for _, p := range m.Pallets {
		w.Pallets = append(w.Pallets, pallet16{
			Name:    p.Name,
			Storage: Option[storage16]{p.Storage.Some, storage16{p.Storage.V.Prefix, note(p.Storage.V.Items, ofItem)}},
			Calls:   enumOf(p.Calls, p.DeprecatedCalls), Events: enumOf(p.Events, p.DeprecatedEvents),
			Constants: note(p.Constants, ofConstant), Errors: enumOf(p.Errors, p.DeprecatedErrors),
			Associated: p.Associated, Views: p.Views, Index: p.Index, Docs: p.Docs, Deprecated: p.Deprecated,
		})
	}
	x := &m.Extrinsic
	w.Extrinsic = extrinsic16{
		Versions:   x.Versions,
		Address:    want(&need, x.Address, "type of addresses"),
		Call:       want(&need, x.Call, "type of calls"),
		Signature:  want(&need, x.Signature, "type of signatures"),
		Sets:       x.Sets,
		Extensions: x.Extensions,
	}
	if m.Version < 16 && x.Sets == nil { // there is one set, of all
		set := ExtensionSet{Extensions: make([]Compact[uint32], len(x.Extensions))}
		for i := range set.Extensions {
			set.Extensions[i].V = uint32(i)
		}
		w.Extrinsic.Sets = []ExtensionSet{set}
	}
	for _, a := range m.APIs {
		w.APIs = append(w.APIs, api16{a.Name, note(a.Methods, ofMethod), a.Docs, Compact[uint32]{a.Version}, a.Deprecated})
	}
	w.Outer = want(&need, m.Outer, "enums over all pallets")
	w.Custom = m.Custom
	return need.err()
}

func (w *wire16) to(m *Metadata) (err error) {
	if m.Types, err = unportable(w.Types); err != nil {
		return err
	}
	for _, p := range w.Pallets {
		pallet := Pallet{
			Name:  p.Name,
			Calls: Option[TypeID]{p.Calls.Some, p.Calls.V.Type}, DeprecatedCalls: p.Calls.V.Deprecated,
			Events: Option[TypeID]{p.Events.Some, p.Events.V.Type}, DeprecatedEvents: p.Events.V.Deprecated,
			Errors: Option[TypeID]{p.Errors.Some, p.Errors.V.Type}, DeprecatedErrors: p.Errors.V.Deprecated,
			Constants: unnote(p.Constants, ofConstant), Associated: p.Associated, Views: p.Views,
			Index: p.Index, Docs: p.Docs, Deprecated: p.Deprecated,
		}
		if p.Storage.Some {
			pallet.Storage = SomeOf(Storage{p.Storage.V.Prefix, unnote(p.Storage.V.Items, ofItem)})
		}
		m.Pallets = append(m.Pallets, pallet)
	}
	x := w.Extrinsic
	m.Extrinsic = Extrinsic{Versions: x.Versions, Address: SomeOf(x.Address), Call: SomeOf(x.Call),
		Signature: SomeOf(x.Signature), Extensions: x.Extensions, Sets: x.Sets}
	for _, a := range w.APIs {
		m.APIs = append(m.APIs, API{a.Name, unnote(a.Methods, ofMethod), a.Docs, a.Version.V, a.Deprecated})
	}
	m.Outer = SomeOf(w.Outer)
	m.Custom = w.Custom
	return nil
}
