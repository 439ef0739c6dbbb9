package compress

import (
	"math"
	"math/bits"
)

// A level is a magnitude in a byte, as an aggregate has two for each chunk:
// five bits of exponent over three of fraction. Levels rise with their bytes.

// maxLevel stands for 2**30, beyond which no sum goes.
const maxLevel = 28 << 3

// levelOf returns the level nearest to v, the higher one of two as near.
func levelOf(v uint32) uint8 {
	if v < 8 {
		return uint8(v)
	}
	drop := bits.Len32(v) - 4
	if drop > 0 {
		v = (v>>(drop-1) + 1) >> 1
	}
	// A fraction that was rounded up to 16 carries into the exponent.
	return uint8(drop<<3 + int(v))
}

// levelValue returns what a level stands for.
func levelValue(l uint8) uint32 {
	if l < 16 {
		return uint32(l)
	}
	return uint32(8+l&7) << (l>>3 - 1)
}

// levelValues returns what the four codes of a chunk stand for, in units of
// 2**exponent: the larger and the smaller level below zero, and above it.
func levelValues(lo, hi uint8, exponent int) [4]float32 {
	l := float32(math.Ldexp(float64(levelValue(lo)), exponent))
	h := float32(math.Ldexp(float64(levelValue(hi)), exponent))
	return [4]float32{-h, -l, l, h}
}
