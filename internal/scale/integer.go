package scale

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"unicode/utf8"
)

func primitive(b []byte, p Primitive, v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	switch p {
	case Bool:
		if rv.Kind() != reflect.Bool {
			return nil, fmt.Errorf("%T is no bool", v)
		}
		return Append(b, rv.Bool())
	case Str:
		if rv.Kind() != reflect.String {
			return nil, fmt.Errorf("%T is no string", v)
		}
		if !utf8.ValidString(rv.String()) {
			return nil, errors.New("string is not UTF-8")
		}
		return Append(b, rv.String())
	case Char:
		r, ok := v.(rune)
		if !ok || !utf8.ValidRune(r) {
			return nil, fmt.Errorf("%T %v is no character", v, v)
		}
		return appendUint(b, uint64(r), 4), nil
	case U256, I256:
		s, err := bytesOf(v)
		if err == nil && len(s) != 32 {
			err = fmt.Errorf("%d bytes, want 32", len(s))
		}
		return append(b, s...), err
	}
	size, signed := p.integer()
	n, err := wideOf(v)
	if err != nil {
		return nil, err
	}
	if !n.fits(size, signed) {
		return nil, fmt.Errorf("%v does not fit %d bits", v, 8*size)
	}
	if size == 16 {
		return appendUint(appendUint(b, n.lo, 8), n.hi, 8), nil
	}
	return appendUint(b, n.lo, size), nil
}

// A wide is any integer of up to 128 bits, in two's complement if neg.
type wide struct {
	lo, hi uint64
	neg    bool
}

func wideOf(v any) (wide, error) {
	switch x := v.(type) {
	case U128:
		return wide{x.Lo, x.Hi, false}, nil
	case I128:
		return wide{x.Lo, uint64(x.Hi), x.Hi < 0}, nil
	case *big.Int:
		if x.Sign() >= 0 {
			u, err := U128FromBig(x)
			return wide{u.Lo, u.Hi, false}, err
		}
		// In two's complement, -x is the complement of x-1.
		u, err := U128FromBig(new(big.Int).Not(x))
		if err != nil {
			return wide{}, fmt.Errorf("%v is no integer of 128 bits", x)
		}
		return wide{^u.Lo, ^u.Hi, true}, nil
	}
	switch rv := reflect.ValueOf(v); {
	case rv.CanInt():
		n := rv.Int()
		return wide{uint64(n), uint64(n >> 63), n < 0}, nil
	case rv.CanUint():
		return wide{rv.Uint(), 0, false}, nil
	}
	return wide{}, fmt.Errorf("%T is no integer", v)
}

// fits reports whether w can be told from its lowest size bytes.
func (w wide) fits(size int, signed bool) bool {
	if !signed {
		return !w.neg && (size == 16 || w.hi == 0 && (size == 8 || w.lo>>(8*size) == 0))
	}
	if size == 16 {
		return w.neg == (w.hi>>63 == 1)
	}
	sign := uint64(0)
	if w.neg {
		sign = ^sign
	}
	return w.hi == sign && uint64(int64(w.lo)>>(8*size-1)) == sign
}

// big returns the number as a big integer.
func (w wide) big() *big.Int {
	if w.neg {
		return I128{Lo: w.lo, Hi: int64(w.hi)}.Big()
	}
	return U128{Lo: w.lo, Hi: w.hi}.Big()
}
