package ledger

import (
	"fmt"
	"math"
	"math/bits"
	"reflect"

	"adit/internal/scale"
)

// Era is for how long a signature is good: for ever if Period is 0, otherwise
// for Period blocks, a power of two, from the last block whose number is Phase
// modulo Period.
type Era struct {
	Period uint64
	Phase  uint64
}

func (e Era) immortal() bool { return e.Period == 0 }

// birth returns the block whose hash was signed, seen from block now.
func (e Era) birth(now uint64) uint64 {
	if e.immortal() {
		return 0
	}
	return (max(now, e.Phase)-e.Phase)/e.Period*e.Period + e.Phase
}

// death returns the first block that the signature is no longer good for.
func (e Era) death(now uint64) uint64 {
	if e.immortal() {
		return math.MaxUint64
	}
	return e.birth(now) + e.Period
}

// quantize is the granularity of Phase: long periods have less of it.
func (e Era) quantize() uint64 { return max(e.Period>>12, 1) }

// AppendSCALE implements [scale.Appender].
func (e Era) AppendSCALE(b []byte) ([]byte, error) {
	if e.immortal() {
		return append(b, 0), nil
	}
	n := uint64(min(max(bits.TrailingZeros64(e.Period)-1, 1), 15)) | e.Phase/e.quantize()<<4
	return append(b, byte(n), byte(n>>8)), nil
}

// DecodeSCALE implements [scale.Scanner].
func (e *Era) DecodeSCALE(d *scale.Decoder) error {
	*e = Era{}
	first, err := d.Byte()
	if err != nil || first == 0 {
		return err
	}
	second, err := d.Byte()
	if err != nil {
		return err
	}
	n := uint64(first) | uint64(second)<<8
	e.Period = 2 << (n & 15)
	e.Phase = n >> 4 * e.quantize()
	if e.Period < 4 || e.Phase >= e.Period {
		return fmt.Errorf("era %#04x: phase %d of period %d", n, e.Phase, e.Period)
	}
	return nil
}

// ScaleName implements [scale.Named].
func (Era) ScaleName() string { return "sp_runtime::generic::era::Era" }

// ScaleDef implements [scale.Definer]: metadata shows the first byte of a
// mortal era as a variant.
func (Era) ScaleDef(r *scale.Registry) (scale.TypeDef, error) {
	u8, err := r.Type(reflect.TypeFor[uint8]())
	vs := []scale.VariantDef{{Name: "Immortal"}}
	for i := 1; i < 256; i++ {
		vs = append(vs, scale.VariantDef{Name: fmt.Sprint("Mortal", i), Index: uint8(i), Fields: []scale.Field{{Type: u8}}})
	}
	return scale.TypeDef{Variant: &scale.VariantType{Variants: vs}}, err
}
