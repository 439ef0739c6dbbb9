package scale

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
)

// An Appender is a type that writes itself, at least one byte.
type Appender interface {
	AppendSCALE(b []byte) ([]byte, error)
}

// A Scanner is a type that reads itself back. The method has a pointer
// receiver.
type Scanner interface {
	DecodeSCALE(d *Decoder) error
}

// errShort is wrapped when the input ends too early.
var errShort = errors.New("unexpected end of input")

// Marshal returns v in SCALE. A pointer is written as what it points to.
func Marshal(v any) ([]byte, error) { return Append(nil, v) }

// Append appends v in SCALE to b.
func Append(b []byte, v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	if !rv.IsValid() {
		return nil, errors.New("encode nil: no type")
	}
	if rv.Kind() == reflect.Pointer && !rv.IsNil() {
		rv = rv.Elem()
	} else {
		// Methods and bytes are reached through addresses.
		p := reflect.New(rv.Type())
		p.Elem().Set(rv)
		rv = p.Elem()
	}
	pl, err := planOf(rv.Type())
	if err != nil {
		return nil, err
	}
	b, err = pl.enc(b, rv)
	if err != nil {
		return nil, fmt.Errorf("encode %v: %w", rv.Type(), err)
	}
	return b, nil
}

// Unmarshal reads the whole of b into v, a pointer. Bytes left over are an
// error.
func Unmarshal(b []byte, v any) error {
	d := NewDecoder(b)
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.Len() > 0 {
		return fmt.Errorf("decode %T: %d bytes left over", v, d.Len())
	}
	return nil
}

// maxDepth bounds how deep pointers, slices and enums may nest in foreign
// input. Substrate refuses calls nested deeper than 256.
const maxDepth = 256

// maxValues is how many values, one within another or beside it, are read by
// metadata at once. All neurons of all subnets are a tenth of that; each takes
// some dozens of bytes of memory, however few it took of the input.
const maxValues = 1 << 24

// A Decoder reads values off the front of a byte slice. It copies what it
// returns, but for [Decoder.Take] and [Decoder.Rest].
type Decoder struct {
	b     []byte
	depth int
	steps int // that decoding by metadata may still take
}

// NewDecoder returns a decoder of b.
func NewDecoder(b []byte) *Decoder { return &Decoder{b: b, steps: min(maxEmpty+16*len(b), maxValues)} }

// Decode reads one value into v, a pointer.
func (d *Decoder) Decode(v any) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return fmt.Errorf("decode into %T: not a pointer", v)
	}
	pl, err := planOf(rv.Type().Elem())
	if err != nil {
		return err
	}
	if err := pl.dec(d, rv.Elem()); err != nil {
		return fmt.Errorf("decode %v: %w", rv.Type().Elem(), err)
	}
	return nil
}

// Rest returns the bytes not read yet.
func (d *Decoder) Rest() []byte { return d.b }

// Len returns how many bytes are not read yet.
func (d *Decoder) Len() int { return len(d.b) }

// Take reads n bytes and returns them without copying.
func (d *Decoder) Take(n int) ([]byte, error) {
	if n < 0 || n > len(d.b) {
		return nil, fmt.Errorf("%w: %d bytes wanted, %d left", errShort, n, len(d.b))
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b, nil
}

// Byte reads one byte.
func (d *Decoder) Byte() (byte, error) {
	if len(d.b) == 0 {
		return 0, errShort
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c, nil
}

// Bytes reads a compact length and as many bytes, which it copies.
func (d *Decoder) Bytes() ([]byte, error) {
	n, err := d.length()
	if err != nil {
		return nil, err
	}
	b, err := d.Take(n)
	return append(make([]byte, 0, n), b...), err
}

// length reads a compact length of things that take a byte or more each.
func (d *Decoder) length() (int, error) {
	n, err := d.Compact()
	if err != nil {
		return 0, err
	}
	if n > uint64(len(d.b)) {
		return 0, fmt.Errorf("%w: length %d, %d bytes left", errShort, n, len(d.b))
	}
	return int(n), nil
}

func (d *Decoder) uint(size int) (uint64, error) {
	b, err := d.Take(size)
	if err != nil {
		return 0, err
	}
	switch size {
	case 1:
		return uint64(b[0]), nil
	case 2:
		return uint64(binary.LittleEndian.Uint16(b)), nil
	case 4:
		return uint64(binary.LittleEndian.Uint32(b)), nil
	default:
		return binary.LittleEndian.Uint64(b), nil
	}
}

func (d *Decoder) bool() (bool, error) {
	c, err := d.Byte()
	if err == nil && c > 1 {
		err = fmt.Errorf("%d is no boolean", c)
	}
	return c == 1, err
}

// enter counts one level of nesting; the caller leaves with d.depth--.
func (d *Decoder) enter() error {
	if d.depth >= maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	d.depth++
	return nil
}
