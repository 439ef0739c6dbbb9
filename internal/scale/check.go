package scale

import "fmt"

// check reports the first mention of a type that is not there, and whatever
// else the methods of Metadata rely on.
func (m *Metadata) check() error {
	c := checker{n: TypeID(len(m.Types))}
	for i := range m.Types {
		c.where = fmt.Sprintf("type %d", i)
		c.def(&m.Types[i])
	}
	for i := range m.Pallets {
		c.pallet(m, &m.Pallets[i])
	}
	c.extrinsic(&m.Extrinsic)
	for _, a := range m.APIs {
		for _, f := range a.Methods {
			c.where = "runtime API " + a.Name + "_" + f.Name
			c.params(f.Inputs)
			c.id(f.Output)
		}
	}
	c.where = "the runtime"
	c.option(m.Runtime)
	if m.Outer.Some {
		c.id(m.Outer.V.Call)
		c.id(m.Outer.V.Event)
		c.id(m.Outer.V.Error)
	}
	for _, v := range m.Custom {
		c.where = "custom value " + v.Name
		c.id(v.Type)
	}
	return c.err
}

func (c *checker) pallet(m *Metadata, p *Pallet) {
	c.where = "pallet " + p.Name
	c.option(p.Calls)
	c.option(p.Events)
	c.option(p.Errors)
	for _, s := range p.Storage.V.Items {
		if s.Type.Plain != nil {
			c.id(*s.Type.Plain)
		} else {
			c.id(s.Type.Map.Key)
			c.id(s.Type.Map.Value)
			c.hashers(m, s)
		}
		if s.Modifier > Default {
			c.fail("item %s has modifier %d", s.Name, s.Modifier)
		}
	}
	for _, k := range p.Constants {
		c.id(k.Type)
	}
	for _, a := range p.Associated {
		c.id(a.Type)
	}
	for _, f := range p.Views {
		c.params(f.Inputs)
		c.id(f.Output)
	}
	for _, ds := range [][]VariantDeprecation{p.DeprecatedCalls, p.DeprecatedEvents, p.DeprecatedErrors} {
		for _, d := range ds {
			if !d.Deprecated.Is {
				c.fail("variant %d is listed as deprecated and is not", d.Index)
			}
		}
	}
}

func (c *checker) extrinsic(x *Extrinsic) {
	c.where = "extrinsic"
	for _, o := range []Option[TypeID]{x.Type, x.Address, x.Call, x.Signature, x.Extra} {
		c.option(o)
	}
	for _, e := range x.Extensions {
		c.id(e.Type)
		c.id(e.Implicit)
	}
	for _, s := range x.Sets {
		for _, i := range s.Extensions {
			if int(i.V) >= len(x.Extensions) {
				c.fail("there is no extension %d", i.V)
			}
		}
	}
}

// A checker remembers the first thing that is wrong.
type checker struct {
	n     TypeID
	where string
	err   error
}

func (c *checker) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %w", c.where, fmt.Errorf(format, args...))
	}
}

func (c *checker) id(id TypeID) {
	if id >= c.n {
		c.fail("there is no type %d", id)
	}
}

func (c *checker) option(o Option[TypeID]) {
	if o.Some {
		c.id(o.V)
	}
}

func (c *checker) params(ps []Param) {
	for _, p := range ps {
		c.id(p.Type)
	}
}

func (c *checker) fields(fs []Field) {
	for _, f := range fs {
		c.id(f.Type)
		if f.Name.Some != fs[0].Name.Some {
			c.fail("some fields have names and some have none")
		}
	}
}

func (c *checker) def(t *Type) {
	for _, p := range t.Params {
		if p.Type.Some {
			c.id(p.Type.V)
		}
	}
	switch d := &t.Def; {
	case d.Composite != nil:
		c.fields(d.Composite.Fields)
	case d.Variant != nil:
		for _, v := range d.Variant.Variants {
			c.fields(v.Fields)
		}
	case d.Sequence != nil:
		c.id(*d.Sequence)
	case d.Array != nil:
		c.id(d.Array.Type)
	case d.Tuple != nil:
		for _, id := range *d.Tuple {
			c.id(id)
		}
	case d.Primitive != nil:
		if *d.Primitive > I256 {
			c.fail("unknown primitive %d", *d.Primitive)
		}
	case d.Compact != nil:
		c.id(*d.Compact)
	case d.BitSequence != nil:
		c.id(d.BitSequence.Store)
		c.id(d.BitSequence.Order)
	}
}

func (c *checker) hashers(m *Metadata, s StorageItem) {
	hs := s.Type.Map.Hashers
	for _, h := range hs {
		if h > Identity {
			c.fail("item %s has unknown hasher %d", s.Name, h)
		}
	}
	if len(hs) == 0 {
		c.fail("item %s is a map without hashers", s.Name)
	}
	if len(hs) > 1 && c.err == nil {
		if t := m.Types[s.Type.Map.Key].Def.Tuple; t == nil || len(*t) != len(hs) {
			c.fail("item %s has %d hashers and another number of keys", s.Name, len(hs))
		}
	}
}
