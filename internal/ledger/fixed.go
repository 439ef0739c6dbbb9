package ledger

import (
	"math"
	"math/bits"
)

// A fixed is a non-negative number with 32 fractional bits. The chain computes
// epochs in I32F32: the same fraction, and integers instead of floats, so that
// every machine gets the same bits. Results beyond the range saturate.
type fixed uint64

const one fixed = 1 << 32

// ratio returns a/b, 0 if b is 0.
func ratio(a, b uint64) fixed {
	if b == 0 {
		return 0
	}
	hi, lo := a>>32, a<<32
	if hi >= b {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, b)
	return fixed(q)
}

func (a fixed) mul(b fixed) fixed {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi>>32 != 0 {
		return math.MaxUint64
	}
	return fixed(hi<<32 | lo>>32)
}

func (a fixed) div(b fixed) fixed { return ratio(uint64(a), uint64(b)) }

func (a fixed) add(b fixed) fixed {
	s, carry := bits.Add64(uint64(a), uint64(b), 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return fixed(s)
}

// sub returns a-b, or 0 if that is negative.
func (a fixed) sub(b fixed) fixed {
	if a < b {
		return 0
	}
	return a - b
}

// u16 scales [0, 1] to [0, 65535], cutting the fraction off as the chain does.
func (a fixed) u16() uint16 {
	if a >= one {
		return math.MaxUint16
	}
	return uint16(a * math.MaxUint16 >> 32)
}

// fromU16 is the inverse of u16.
func fromU16(v uint16) fixed { return ratio(uint64(v), math.MaxUint16) }

// of returns the part a of amount, rounded down.
func (a fixed) of(amount uint64) uint64 { return mulDiv(amount, uint64(a), uint64(one)) }

// mulDiv returns a*b/c rounded down, saturating; 0 if c is 0.
func mulDiv(a, b, c uint64) uint64 {
	if c == 0 {
		return 0
	}
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, c)
	return q
}

// normalise divides v by its sum. A zero vector stays as it is.
func normalise(v []fixed) {
	var sum fixed
	for _, x := range v {
		sum = sum.add(x)
	}
	if sum == 0 {
		return
	}
	for i, x := range v {
		v[i] = x.div(sum)
	}
}

// nonzero reports whether v has anything but zeros.
func nonzero(v []fixed) bool {
	for _, x := range v {
		if x != 0 {
			return true
		}
	}
	return false
}

// expNeg returns exp(-x). It halves x until the series converges quickly and
// squares the result back, in 60 fractional bits.
func expNeg(x fixed) fixed {
	if x >= 40*one {
		return 0
	}
	const unit = 1 << 60
	const halvings = 7
	mul := func(a, b uint64) uint64 {
		hi, lo := bits.Mul64(a, b)
		return hi<<4 | lo>>60
	}
	y := uint64(x) << (60 - 32 - halvings) // below 40/128
	sum, term, negative := uint64(unit), uint64(unit), false
	for k := uint64(1); term > 0 && k < 24; k++ {
		term = mul(term, y) / k
		if negative = !negative; negative {
			sum -= term
		} else {
			sum += term
		}
	}
	for range halvings {
		sum = mul(sum, sum)
	}
	return fixed(sum >> 28)
}

func satAdd(a, b uint64) uint64 {
	s, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return s
}

func satSub(a, b uint64) uint64 {
	if a < b {
		return 0
	}
	return a - b
}
