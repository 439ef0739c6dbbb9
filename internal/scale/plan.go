package scale

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"
	"unicode/utf8"
)

// A plan is how one Go type is written and read, worked out once. Values
// given to it are addressable.
type plan struct {
	enc func(b []byte, v reflect.Value) ([]byte, error)
	dec func(d *Decoder, v reflect.Value) error
	// min is a lower bound on the encoded size in bytes. It is what lets a
	// length prefix be checked against the bytes that are left.
	min int
}

// plans caches the plan of each type, as encoding/json does.
var plans sync.Map // reflect.Type → *plan

func planOf(t reflect.Type) (*plan, error) {
	if p, ok := plans.Load(t); ok {
		return p.(*plan), nil
	}
	m := planner{}
	p, err := m.plan(t)
	if err != nil {
		return nil, fmt.Errorf("scale type %v: %w", t, err)
	}
	// Only now are the plans of all types complete that refer to themselves.
	for t, p := range m {
		plans.LoadOrStore(t, p)
	}
	return p, nil
}

// A planner holds the plans being made. One that refers to itself is found
// here before it is finished.
type planner map[reflect.Type]*plan

func (m planner) plan(t reflect.Type) (*plan, error) {
	if p, ok := m[t]; ok {
		return p, nil
	}
	p := new(plan)
	m[t] = p
	return p, m.fill(p, t)
}

var (
	appenderType = reflect.TypeFor[Appender]()
	scannerType  = reflect.TypeFor[Scanner]()
	enumType     = reflect.TypeFor[Enum]()
	codecPkg     = reflect.TypeFor[Enum]().PkgPath()
)

// shapeOf returns the shape of one of this package's types, or 0. A struct that
// embeds one has its method, but is not one.
func shapeOf(t reflect.Type) shape {
	if t.PkgPath() != codecPkg || t.Kind() != reflect.Struct {
		return 0
	}
	if s, ok := reflect.Zero(t).Interface().(shaped); ok {
		return s.scaleShape()
	}
	return 0
}

func isEnum(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() > 0 && t.Field(0).Anonymous && t.Field(0).Type == enumType
}

func isCustom(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Kind() != reflect.Pointer && p.Implements(appenderType) && p.Implements(scannerType)
}

func (m planner) fill(p *plan, t reflect.Type) error {
	if isCustom(t) {
		p.min = 1
		p.enc = func(b []byte, v reflect.Value) ([]byte, error) {
			return v.Addr().Interface().(Appender).AppendSCALE(b)
		}
		p.dec = func(d *Decoder, v reflect.Value) error {
			return v.Addr().Interface().(Scanner).DecodeSCALE(d)
		}
		return nil
	}
	switch shapeOf(t) {
	case shapeCompact:
		return m.compact(p, t)
	case shapeOption:
		return m.option(p, t)
	case shapeResult:
		return m.result(p, t)
	case shapeI128, shapeU128:
		return m.structure(p, t) // low half first, as the fields stand
	}
	switch t.Kind() {
	case reflect.Bool:
		p.min = 1
		p.enc = func(b []byte, v reflect.Value) ([]byte, error) {
			if v.Bool() {
				return append(b, 1), nil
			}
			return append(b, 0), nil
		}
		p.dec = func(d *Decoder, v reflect.Value) error {
			x, err := d.bool()
			v.SetBool(x)
			return err
		}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		size := t.Bits() / 8
		p.min = size
		p.enc = func(b []byte, v reflect.Value) ([]byte, error) {
			return appendUint(b, v.Uint(), size), nil
		}
		p.dec = func(d *Decoder, v reflect.Value) error {
			x, err := d.uint(size)
			v.SetUint(x)
			return err
		}
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		size := t.Bits() / 8
		p.min = size
		p.enc = func(b []byte, v reflect.Value) ([]byte, error) {
			return appendUint(b, uint64(v.Int()), size), nil
		}
		p.dec = func(d *Decoder, v reflect.Value) error {
			x, err := d.uint(size)
			shift := 64 - 8*size
			v.SetInt(int64(x<<shift) >> shift)
			return err
		}
	case reflect.String:
		p.min = 1
		p.enc = func(b []byte, v reflect.Value) ([]byte, error) {
			s := v.String()
			return append(AppendCompact(b, uint64(len(s))), s...), nil
		}
		p.dec = func(d *Decoder, v reflect.Value) error {
			n, err := d.length()
			if err != nil {
				return err
			}
			b, err := d.Take(n)
			if err == nil && !utf8.Valid(b) {
				err = errors.New("string is not UTF-8")
			}
			v.SetString(string(b))
			return err
		}
	case reflect.Slice:
		return m.slice(p, t)
	case reflect.Array:
		return m.array(p, t)
	case reflect.Pointer:
		return m.pointer(p, t)
	case reflect.Struct:
		if isEnum(t) {
			return m.enum(p, t)
		}
		return m.structure(p, t)
	default:
		return fmt.Errorf("kind %v has no SCALE form", t.Kind())
	}
	return nil
}

func appendUint(b []byte, x uint64, size int) []byte {
	switch size {
	case 1:
		return append(b, byte(x))
	case 2:
		return binary.LittleEndian.AppendUint16(b, uint16(x))
	case 4:
		return binary.LittleEndian.AppendUint32(b, uint32(x))
	default:
		return binary.LittleEndian.AppendUint64(b, x)
	}
}

func (m planner) compact(p *plan, t reflect.Type) error {
	size := t.Field(0).Type.Bits()
	p.min = 1
	p.enc = func(b []byte, v reflect.Value) ([]byte, error) {
		return AppendCompact(b, v.Field(0).Uint()), nil
	}
	p.dec = func(d *Decoder, v reflect.Value) error {
		x, err := d.Compact()
		if err == nil && x > math.MaxUint64>>(64-size) {
			err = fmt.Errorf("compact integer %d over %d bits", x, size)
		}
		if err == nil {
			v.Field(0).SetUint(x)
		}
		return err
	}
	return nil
}

func (m planner) option(p *plan, t reflect.Type) error {
	e, err := m.plan(t.Field(1).Type)
	p.min = 1
	p.enc = func(b []byte, v reflect.Value) ([]byte, error) {
		if !v.Field(0).Bool() {
			return append(b, 0), nil
		}
		return e.enc(append(b, 1), v.Field(1))
	}
	p.dec = func(d *Decoder, v reflect.Value) error {
		some, err := d.bool()
		v.Field(0).SetBool(some)
		if err != nil || !some {
			v.Field(1).SetZero()
			return err
		}
		return e.dec(d, v.Field(1))
	}
	return err
}

func (m planner) result(p *plan, t reflect.Type) error {
	ok, err := m.plan(t.Field(1).Type)
	if err != nil {
		return err
	}
	failure, err := m.plan(t.Field(2).Type)
	p.min = 1
	p.enc = func(b []byte, v reflect.Value) ([]byte, error) {
		if v.Field(0).Bool() {
			return failure.enc(append(b, 1), v.Field(2))
		}
		return ok.enc(append(b, 0), v.Field(1))
	}
	p.dec = func(d *Decoder, v reflect.Value) error {
		failed, err := d.bool()
		if err != nil {
			return err
		}
		v.SetZero()
		v.Field(0).SetBool(failed)
		if failed {
			return failure.dec(d, v.Field(2))
		}
		return ok.dec(d, v.Field(1))
	}
	return err
}

// pointer makes the plan of a Box<T>, which is written as T.
func (m planner) pointer(p *plan, t reflect.Type) error {
	e, err := m.plan(t.Elem())
	p.min = e.min
	p.enc = func(b []byte, v reflect.Value) ([]byte, error) {
		if v.IsNil() {
			return nil, fmt.Errorf("nil %v", t)
		}
		return e.enc(b, v.Elem())
	}
	p.dec = func(d *Decoder, v reflect.Value) error {
		if err := d.enter(); err != nil {
			return err
		}
		defer func() { d.depth-- }()
		x := reflect.New(t.Elem())
		v.Set(x)
		return e.dec(d, x.Elem())
	}
	return err
}

func (m planner) structure(p *plan, t reflect.Type) error {
	type field struct {
		i    int
		name string
		*plan
	}
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("scale") == "-" {
			continue
		}
		if !f.IsExported() {
			return fmt.Errorf("field %s of %v is not exported", f.Name, t)
		}
		e, err := m.plan(f.Type)
		if err != nil {
			return fmt.Errorf("field %s of %v: %w", f.Name, t, err)
		}
		p.min += e.min
		fields = append(fields, field{i, f.Name, e})
	}
	p.enc = func(b []byte, v reflect.Value) ([]byte, error) {
		var err error
		for i := range fields {
			if b, err = fields[i].enc(b, v.Field(fields[i].i)); err != nil {
				return nil, fmt.Errorf("%s: %w", fields[i].name, err)
			}
		}
		return b, nil
	}
	p.dec = func(d *Decoder, v reflect.Value) error {
		for i := range fields {
			if err := fields[i].dec(d, v.Field(fields[i].i)); err != nil {
				return fmt.Errorf("%s: %w", fields[i].name, err)
			}
		}
		return nil
	}
	return nil
}
