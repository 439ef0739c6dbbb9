package scale

import (
	"fmt"
	"reflect"
)

// maxEmpty is how many elements without content a sequence may claim to have.
// They take no bytes of input, so nothing else bounds them.
const maxEmpty = 1 << 16

// firstAlloc is how many bytes a sequence may take in memory before any of its
// elements has been read; from there it grows with what is read.
const firstAlloc = 4096

func (m planner) slice(p *plan, t reflect.Type) error {
	p.min = 1
	if t.Elem().Kind() == reflect.Uint8 && !isCustom(t.Elem()) {
		p.enc = func(b []byte, v reflect.Value) ([]byte, error) {
			s := v.Bytes()
			return append(AppendCompact(b, uint64(len(s))), s...), nil
		}
		p.dec = func(d *Decoder, v reflect.Value) error {
			s, err := d.Bytes()
			if err == nil {
				v.SetBytes(s)
			}
			return err
		}
		return nil
	}
	e, err := m.plan(t.Elem())
	if err != nil {
		return err
	}
	p.enc = func(b []byte, v reflect.Value) ([]byte, error) {
		n := v.Len()
		b = AppendCompact(b, uint64(n))
		var err error
		for i := range n {
			if b, err = e.enc(b, v.Index(i)); err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return b, nil
	}
	size := max(1, int(t.Elem().Size()))
	p.dec = func(d *Decoder, v reflect.Value) error {
		n, err := d.count(e.min)
		if err != nil {
			return err
		}
		if err := d.enter(); err != nil {
			return err
		}
		defer func() { d.depth-- }()
		v.Set(reflect.MakeSlice(t, 0, min(n, max(1, firstAlloc/size))))
		for i := range n {
			if i == v.Cap() {
				v.Grow(1)
			}
			v.SetLen(i + 1)
			if err := e.dec(d, v.Index(i)); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return nil
	}
	return nil
}

// count reads the length of a sequence whose elements take least bytes or more.
func (d *Decoder) count(least int) (int, error) {
	n, err := d.Compact()
	if err != nil {
		return 0, err
	}
	if least == 0 {
		if n > maxEmpty {
			return 0, fmt.Errorf("%d elements without content", n)
		}
	} else if n > uint64(len(d.b)/least) {
		return 0, fmt.Errorf("%w: %d elements of %d bytes or more, %d left", errShort, n, least, len(d.b))
	}
	return int(n), nil
}

func (m planner) array(p *plan, t reflect.Type) error {
	n := t.Len()
	if t.Elem().Kind() == reflect.Uint8 && !isCustom(t.Elem()) {
		p.min = n
		p.enc = func(b []byte, v reflect.Value) ([]byte, error) { return append(b, v.Bytes()...), nil }
		p.dec = func(d *Decoder, v reflect.Value) error {
			s, err := d.Take(n)
			copy(v.Bytes(), s)
			return err
		}
		return nil
	}
	e, err := m.plan(t.Elem())
	if err != nil {
		return err
	}
	p.min = n * e.min
	p.enc = func(b []byte, v reflect.Value) ([]byte, error) {
		var err error
		for i := range n {
			if b, err = e.enc(b, v.Index(i)); err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return b, nil
	}
	p.dec = func(d *Decoder, v reflect.Value) error {
		for i := range n {
			if err := e.dec(d, v.Index(i)); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return nil
	}
	return nil
}
