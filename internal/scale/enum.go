package scale

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// A variantField is one variant of an enum type: the pointer field that holds
// it, and what its tag says.
type variantField struct {
	field int
	index byte
	name  string // of the field, unless the tag names another
	named bool   // the tag does
	doc   string // the tag `doc`
	elem  reflect.Type
}

// variantsOf reads the declaration of an enum. A variant's tag is its index,
// perhaps followed by its name: `scale:"3,transfer_keep_alive"`.
func variantsOf(t reflect.Type) ([]variantField, error) {
	var vs []variantField
	var seen [256]bool
	for i := 1; i < t.NumField(); i++ {
		f := t.Field(i)
		tag, name, named := strings.Cut(f.Tag.Get("scale"), ",")
		n, err := strconv.ParseUint(tag, 10, 8)
		if err != nil || f.Type.Kind() != reflect.Pointer || !f.IsExported() {
			return nil, fmt.Errorf("variant %s of %v wants an exported pointer and a tag such as `scale:\"0\"`", f.Name, t)
		}
		if seen[n] {
			return nil, fmt.Errorf("%v has two variants %d", t, n)
		}
		seen[n] = true
		if !named {
			name = f.Name
		}
		vs = append(vs, variantField{i, byte(n), name, named, f.Tag.Get("doc"), f.Type.Elem()})
	}
	return vs, nil
}

func (m planner) enum(p *plan, t reflect.Type) error {
	vs, err := variantsOf(t)
	if err != nil {
		return err
	}
	elems := make([]*plan, len(vs))
	var byIndex [256]int16 // one more than the position in vs
	least := -1
	for i, v := range vs {
		if elems[i], err = m.plan(v.elem); err != nil {
			return fmt.Errorf("variant %s: %w", v.name, err)
		}
		byIndex[v.index] = int16(i + 1)
		if least < 0 || elems[i].min < least {
			least = elems[i].min
		}
	}
	p.min = 1 + max(least, 0)
	p.enc = func(b []byte, v reflect.Value) ([]byte, error) {
		found := -1
		for i := range vs {
			if v.Field(vs[i].field).IsNil() {
				continue
			}
			if found >= 0 {
				return nil, fmt.Errorf("variants %s and %s are both set", vs[found].name, vs[i].name)
			}
			found = i
		}
		if found < 0 {
			return nil, errors.New("no variant is set")
		}
		b, err := elems[found].enc(append(b, vs[found].index), v.Field(vs[found].field).Elem())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", vs[found].name, err)
		}
		return b, nil
	}
	p.dec = func(d *Decoder, v reflect.Value) error {
		index, err := d.Byte()
		if err != nil {
			return err
		}
		i := int(byIndex[index]) - 1
		if i < 0 {
			return fmt.Errorf("unknown variant %d", index)
		}
		if err := d.enter(); err != nil {
			return err
		}
		defer func() { d.depth-- }()
		v.SetZero()
		x := reflect.New(vs[i].elem)
		v.Field(vs[i].field).Set(x)
		if err := elems[i].dec(d, x.Elem()); err != nil {
			return fmt.Errorf("%s: %w", vs[i].name, err)
		}
		return nil
	}
	return nil
}
