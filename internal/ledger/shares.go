package ledger

import (
	"math/big"
	"slices"

	"adit/internal/scale"
)

// Stake is held in pools, one for each hotkey and subnet: its alpha, and the
// shares of the coldkeys in it. A dividend raises the alpha of all at once.

// stakeOf returns a coldkey's alpha with a hotkey.
func (l *Ledger) stakeOf(hotkey, coldkey AccountID, netuid uint16) uint64 {
	share := sub.Alpha.get(l.s, hotkey, coldkey, netuid)
	if share == (FixedU128{}) {
		return 0
	}
	total := sub.TotalHotkeyShares.get(l.s, hotkey, netuid)
	return portion(sub.TotalHotkeyAlpha.get(l.s, hotkey, netuid), share, total)
}

// portion returns alpha * share / total, rounded down.
func portion(alpha uint64, share, total FixedU128) uint64 {
	if total == (FixedU128{}) {
		return 0
	}
	n := new(big.Int).SetUint64(alpha)
	n.Mul(n, share.Bits.Big()).Quo(n, total.Bits.Big())
	return n.Uint64()
}

// grow adds alpha to a coldkey's stake.
func (l *Ledger) grow(hotkey, coldkey AccountID, netuid uint16, alpha uint64) {
	if alpha == 0 {
		return
	}
	s := l.s
	total, pool := sub.TotalHotkeyShares.get(s, hotkey, netuid), sub.TotalHotkeyAlpha.get(s, hotkey, netuid)
	// A new pool begins with a share for each RAO, as U64F64.
	shares := new(big.Int).Lsh(new(big.Int).SetUint64(alpha), 64)
	if pool > 0 && total != (FixedU128{}) {
		shares = new(big.Int).SetUint64(alpha)
		shares.Mul(shares, total.Bits.Big()).Quo(shares, new(big.Int).SetUint64(pool))
	}
	own := sub.Alpha.get(s, hotkey, coldkey, netuid)
	if own == (FixedU128{}) {
		if list := sub.StakingHotkeys.get(s, coldkey); !contains(list, hotkey) {
			sub.StakingHotkeys.set(s, coldkey, append(list, hotkey))
		}
	}
	sub.Alpha.set(s, hotkey, coldkey, netuid, sumShares(own, shares))
	sub.TotalHotkeyShares.set(s, hotkey, netuid, sumShares(total, shares))
	sub.TotalHotkeyAlpha.set(s, hotkey, netuid, satAdd(pool, alpha))
}

// growPool adds alpha to the stake of all who stake with hotkey.
func (l *Ledger) growPool(hotkey AccountID, netuid uint16, alpha uint64) {
	if alpha == 0 {
		return
	}
	if sub.TotalHotkeyShares.get(l.s, hotkey, netuid) == (FixedU128{}) {
		l.grow(hotkey, sub.Owner.get(l.s, hotkey), netuid, alpha)
		return
	}
	sub.TotalHotkeyAlpha.set(l.s, hotkey, netuid, satAdd(sub.TotalHotkeyAlpha.get(l.s, hotkey, netuid), alpha))
}

// shrink takes alpha, no more than there is, from a coldkey's stake.
func (l *Ledger) shrink(hotkey, coldkey AccountID, netuid uint16, alpha uint64) {
	s := l.s
	total, pool := sub.TotalHotkeyShares.get(s, hotkey, netuid), sub.TotalHotkeyAlpha.get(s, hotkey, netuid)
	own := sub.Alpha.get(s, hotkey, coldkey, netuid)
	gone := own.Bits.Big()
	if alpha < portion(pool, own, total) {
		// Rounded up, so that nobody takes out more than the shares are worth.
		p := new(big.Int).SetUint64(pool)
		gone.SetUint64(alpha)
		gone.Mul(gone, total.Bits.Big()).Add(gone, p).Sub(gone, big.NewInt(1)).Quo(gone, p)
		if gone.Cmp(own.Bits.Big()) > 0 {
			gone = own.Bits.Big()
		}
	}
	gone.Neg(gone)
	if rest := sumShares(own, gone); rest == (FixedU128{}) {
		sub.Alpha.delete(s, hotkey, coldkey, netuid)
	} else {
		sub.Alpha.set(s, hotkey, coldkey, netuid, rest)
	}
	sub.TotalHotkeyShares.set(s, hotkey, netuid, sumShares(total, gone))
	sub.TotalHotkeyAlpha.set(s, hotkey, netuid, satSub(pool, alpha))
}

// sumShares returns a+b, kept within 128 bits.
func sumShares(a FixedU128, b *big.Int) FixedU128 {
	n := a.Bits.Big()
	n.Add(n, b)
	if n.Sign() < 0 {
		return FixedU128{}
	}
	u, err := scale.U128FromBig(n)
	if err != nil {
		u = scale.U128{Lo: 1<<64 - 1, Hi: 1<<64 - 1}
	}
	return FixedU128{u}
}

func contains(list []AccountID, who AccountID) bool {
	return slices.Contains(list, who)
}
