package scale

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// errCompact says that a compact integer is not written the one way it may be.
var errCompact = errors.New("compact integer not in its shortest form")

// AppendCompact appends n as a compact integer.
func AppendCompact(b []byte, n uint64) []byte {
	switch {
	case n < 1<<6:
		return append(b, byte(n<<2))
	case n < 1<<14:
		return binary.LittleEndian.AppendUint16(b, uint16(n<<2|1))
	case n < 1<<30:
		return binary.LittleEndian.AppendUint32(b, uint32(n<<2|2))
	}
	return appendCompactBig(b, U128{Lo: n})
}

func appendCompact128(b []byte, n U128) []byte {
	if n.Hi == 0 {
		return AppendCompact(b, n.Lo)
	}
	return appendCompactBig(b, n)
}

// appendCompactBig writes the fourth mode: how many bytes beyond four, then
// as many as needed.
func appendCompactBig(b []byte, n U128) []byte {
	size := (bits.Len64(n.Lo) + 7) / 8
	if n.Hi != 0 {
		size = 8 + (bits.Len64(n.Hi)+7)/8
	}
	var buf [16]byte
	binary.LittleEndian.PutUint64(buf[:8], n.Lo)
	binary.LittleEndian.PutUint64(buf[8:], n.Hi)
	return append(append(b, byte((size-4)<<2|3)), buf[:size]...)
}

// Compact reads a compact integer of at most 64 bits.
func (d *Decoder) Compact() (uint64, error) {
	n, err := d.compact128()
	if err == nil && n.Hi != 0 {
		err = errors.New("compact integer over 64 bits")
	}
	return n.Lo, err
}

func (d *Decoder) compact128() (U128, error) {
	if len(d.b) == 0 {
		return U128{}, errShort
	}
	var n uint64
	var least uint64
	switch mode := d.b[0] & 3; mode {
	case 3:
		return d.compactBig()
	default:
		v, err := d.uint(1 << mode)
		if err != nil {
			return U128{}, err
		}
		n = v >> 2
		least = [3]uint64{0, 1 << 6, 1 << 14}[mode]
	}
	if n < least {
		return U128{}, errCompact
	}
	return U128{Lo: n}, nil
}

func (d *Decoder) compactBig() (U128, error) {
	size := int(d.b[0]>>2) + 4
	if size > 16 {
		return U128{}, errors.New("compact integer over 128 bits")
	}
	b, err := d.Take(1 + size)
	if err != nil {
		return U128{}, err
	}
	var buf [16]byte
	copy(buf[:], b[1:])
	n := U128{Lo: binary.LittleEndian.Uint64(buf[:8]), Hi: binary.LittleEndian.Uint64(buf[8:])}
	if buf[size-1] == 0 || n.Hi == 0 && n.Lo < 1<<30 {
		return U128{}, errCompact
	}
	return n, nil
}
