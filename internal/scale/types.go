package scale

import (
	"fmt"
	"math/big"
)

// Enum, embedded first, makes a struct an enum: see the package comment.
type Enum struct{}

// Unit is the value without content, of a variant for one. It takes no bytes.
type Unit struct{}

// Compact is an integer written in as few bytes as it needs: one below 64, two
// below 2^14, four below 2^30.
type Compact[T ~uint8 | ~uint16 | ~uint32 | ~uint64] struct{ V T }

// Option is a value that may be missing. V is zero unless Some.
type Option[T any] struct {
	Some bool
	V    T
}

// SomeOf returns the option that holds v.
func SomeOf[T any](v T) Option[T] { return Option[T]{Some: true, V: v} }

// Result is Ok, or Err if Failed; the other is zero. It is Rust's, for answers that
// are part of the wire; Go's own errors are not.
type Result[T, E any] struct {
	Failed bool
	Ok     T
	Err    E
}

// Tuple2 is the pair (A, B).
type Tuple2[A, B any] struct {
	F0 A
	F1 B
}

// Tuple3 is (A, B, C).
type Tuple3[A, B, C any] struct {
	F0 A
	F1 B
	F2 C
}

// Tuple4 is (A, B, C, D).
type Tuple4[A, B, C, D any] struct {
	F0 A
	F1 B
	F2 C
	F3 D
}

// Tuple5 is (A, B, C, D, E).
type Tuple5[A, B, C, D, E any] struct {
	F0 A
	F1 B
	F2 C
	F3 D
	F4 E
}

// Tuple6 is (A, B, C, D, E, F).
type Tuple6[A, B, C, D, E, F any] struct {
	F0 A
	F1 B
	F2 C
	F3 D
	F4 E
	F5 F
}

// Tuple7 is (A, B, C, D, E, F, G).
type Tuple7[A, B, C, D, E, F, G any] struct {
	F0 A
	F1 B
	F2 C
	F3 D
	F4 E
	F5 F
	F6 G
}

// Tuple8 is (A, B, C, D, E, F, G, H).
type Tuple8[A, B, C, D, E, F, G, H any] struct {
	F0 A
	F1 B
	F2 C
	F3 D
	F4 E
	F5 F
	F6 G
	F7 H
}

// U128 is an unsigned integer of 16 bytes.
type U128 struct{ Lo, Hi uint64 }

// U128From returns n.
func U128From(n uint64) U128 { return U128{Lo: n} }

// Big returns u as a big integer.
func (u U128) Big() *big.Int {
	n := new(big.Int).SetUint64(u.Hi)
	return n.Or(n.Lsh(n, 64), new(big.Int).SetUint64(u.Lo))
}

// String returns u in decimal.
func (u U128) String() string { return u.Big().String() }

// U128FromBig returns n, or an error if it is negative or longer than 128 bits.
func U128FromBig(n *big.Int) (U128, error) {
	if n.Sign() < 0 || n.BitLen() > 128 {
		return U128{}, fmt.Errorf("%v is no u128", n)
	}
	var b [16]byte
	n.FillBytes(b[:])
	return U128{Hi: be64(b[:8]), Lo: be64(b[8:])}, nil
}

func be64(b []byte) (n uint64) {
	for _, c := range b[:8] {
		n = n<<8 | uint64(c)
	}
	return n
}

// I128 is a signed integer of 16 bytes in two's complement: its value is
// Hi·2^64 + Lo.
type I128 struct {
	Lo uint64
	Hi int64
}

// Big returns i as a big integer.
func (i I128) Big() *big.Int {
	n := big.NewInt(i.Hi)
	return n.Add(n.Lsh(n, 64), new(big.Int).SetUint64(i.Lo))
}

// shape says how the codec's own types are written; all others are known by
// their reflect.Kind.
type shape uint8

const (
	shapeCompact shape = iota + 1
	shapeOption
	shapeResult
	shapeTuple
	shapeUnit
	shapeU128
	shapeI128
)

type shaped interface{ scaleShape() shape }

func (Compact[T]) scaleShape() shape                     { return shapeCompact }
func (Option[T]) scaleShape() shape                      { return shapeOption }
func (Result[T, E]) scaleShape() shape                   { return shapeResult }
func (Tuple2[A, B]) scaleShape() shape                   { return shapeTuple }
func (Tuple3[A, B, C]) scaleShape() shape                { return shapeTuple }
func (Tuple4[A, B, C, D]) scaleShape() shape             { return shapeTuple }
func (Tuple5[A, B, C, D, E]) scaleShape() shape          { return shapeTuple }
func (Tuple6[A, B, C, D, E, F]) scaleShape() shape       { return shapeTuple }
func (Tuple7[A, B, C, D, E, F, G]) scaleShape() shape    { return shapeTuple }
func (Tuple8[A, B, C, D, E, F, G, H]) scaleShape() shape { return shapeTuple }
func (Unit) scaleShape() shape                           { return shapeUnit }
func (U128) scaleShape() shape                           { return shapeU128 }
func (I128) scaleShape() shape                           { return shapeI128 }
