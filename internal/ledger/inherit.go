package ledger

import (
	"math"
	"math/bits"
)

// weightOf returns the stake that counts for a hotkey in a subnet, in RAO: its
// alpha, and its TAO in root at their weight, each less what it has lent to
// child hotkeys and with what parents have lent to it.
func (l *Ledger) weightOf(hotkey AccountID, netuid uint16) uint64 {
	alpha, tao := l.inherited(hotkey, netuid)
	return satAdd(alpha, l.weighTao(tao))
}

// inherited returns a hotkey's alpha and its TAO in root after lending.
func (l *Ledger) inherited(hotkey AccountID, netuid uint16) (alpha, tao uint64) {
	s := l.s
	alpha = sub.TotalHotkeyAlpha.get(s, hotkey, netuid)
	tao = sub.TotalHotkeyAlpha.get(s, hotkey, rootNetuid)
	if netuid == rootNetuid {
		return alpha, tao
	}
	children, parents := sub.ChildKeys.get(s, hotkey, netuid), sub.ParentKeys.get(s, hotkey, netuid)
	if len(children) == 0 && len(parents) == 0 {
		return alpha, tao
	}
	ownAlpha, ownTao := amountOf(alpha), amountOf(tao)
	var lentAlpha, lentTao wide
	for _, c := range children {
		lentAlpha = lentAlpha.add(portionOf(alpha, c.F0))
		lentTao = lentTao.add(portionOf(tao, c.F0))
	}
	ownAlpha, ownTao = ownAlpha.sub(lentAlpha), ownTao.sub(lentTao)
	for _, p := range parents {
		ownAlpha = ownAlpha.add(portionOf(sub.TotalHotkeyAlpha.get(s, p.F1, netuid), p.F0))
		ownTao = ownTao.add(portionOf(sub.TotalHotkeyAlpha.get(s, p.F1, rootNetuid), p.F0))
	}
	return ownAlpha.whole(), ownTao.whole()
}

// weighTao returns TAO in root as the alpha they count for.
func (l *Ledger) weighTao(tao uint64) uint64 {
	return mulDiv(tao, sub.TaoWeight.get(l.s)>>1, 1<<63)
}

// A wide is an amount with 32 fractional bits and 96 before them, as the chain
// counts what is lent (U96F32).
type wide struct{ hi, lo uint64 }

func amountOf(n uint64) wide { return wide{n >> 32, n << 32} }

// portionOf returns n times a proportion of 2^64-1.
func portionOf(n, proportion uint64) wide {
	hi, lo := bits.Mul64(n, uint64(ratio(proportion, math.MaxUint64)))
	return wide{hi, lo}
}

func (a wide) add(b wide) wide {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, over := bits.Add64(a.hi, b.hi, carry)
	if over != 0 {
		return wide{math.MaxUint64, math.MaxUint64}
	}
	return wide{hi, lo}
}

// sub returns a-b, or 0 if that is negative.
func (a wide) sub(b wide) wide {
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	hi, under := bits.Sub64(a.hi, b.hi, borrow)
	if under != 0 {
		return wide{}
	}
	return wide{hi, lo}
}

// whole cuts the fraction off.
func (a wide) whole() uint64 {
	if a.hi>>32 != 0 {
		return math.MaxUint64
	}
	return a.hi<<32 | a.lo>>32
}
