package ledger

import (
	"math/big"

	"adit/internal/scale"
)

// minStake is the least RAO that are staked or unstaked at a time.
const minStake = 2_000_000

// AddStake buys a subnet's alpha for TAO and stakes it with a hotkey. In the
// root network TAO are staked as they are.
type AddStake struct {
	Hotkey       AccountID `type:"T::AccountId"`
	Netuid       uint16    `type:"NetUid"`
	AmountStaked uint64    `type:"TaoBalance"` // RAO of TAO
}

func (c *AddStake) dispatch(l *Ledger, o origin) error {
	coldkey, err := o.signer()
	if err != nil {
		return err
	}
	s := l.s
	if err := l.tradable(c.Netuid, c.Hotkey); err != nil {
		return err
	}
	if c.AmountStaked < minStake {
		return ErrAmountTooLow
	}
	if satSub(l.free(coldkey), existentialDeposit) < c.AmountStaked {
		return ErrNotEnoughBalanceToStake
	}
	alpha := l.quoteBuy(c.Netuid, c.AmountStaked)
	if alpha == 0 {
		return ErrInsufficientLiquidity
	}
	if err := l.withdraw(coldkey, c.AmountStaked, true); err != nil {
		return err
	}
	l.toPool(c.Netuid, c.AmountStaked)
	if c.Netuid != rootNetuid {
		sub.SubnetAlphaIn.set(s, c.Netuid, sub.SubnetAlphaIn.get(s, c.Netuid)-alpha)
	}
	sub.SubnetAlphaOut.set(s, c.Netuid, satAdd(sub.SubnetAlphaOut.get(s, c.Netuid), alpha))
	l.addVolume(c.Netuid, c.AmountStaked)
	l.grow(c.Hotkey, coldkey, c.Netuid, alpha)
	l.emit(SubtensorEvent{StakeAdded: &staked{coldkey, c.Hotkey, c.AmountStaked, alpha, c.Netuid, 0}})
	return nil
}

// RemoveStake sells staked alpha for TAO.
type RemoveStake struct {
	Hotkey         AccountID `type:"T::AccountId"`
	Netuid         uint16    `type:"NetUid"`
	AmountUnstaked uint64    `type:"AlphaBalance"` // RAO of alpha
}

func (c *RemoveStake) dispatch(l *Ledger, o origin) error {
	coldkey, err := o.signer()
	if err != nil {
		return err
	}
	s := l.s
	if err := l.tradable(c.Netuid, c.Hotkey); err != nil {
		return err
	}
	if c.AmountUnstaked == 0 {
		return ErrAmountTooLow
	}
	if l.stakeOf(c.Hotkey, coldkey, c.Netuid) < c.AmountUnstaked {
		return ErrNotEnoughStakeToWithdraw
	}
	tao := l.quoteSell(c.Netuid, c.AmountUnstaked)
	if tao < minStake {
		return ErrAmountTooLow
	}
	if tao >= sub.SubnetTAO.get(s, c.Netuid) && c.Netuid != rootNetuid {
		return ErrInsufficientLiquidity
	}
	l.shrink(c.Hotkey, coldkey, c.Netuid, c.AmountUnstaked)
	sub.SubnetAlphaOut.set(s, c.Netuid, satSub(sub.SubnetAlphaOut.get(s, c.Netuid), c.AmountUnstaked))
	if c.Netuid != rootNetuid {
		sub.SubnetAlphaIn.set(s, c.Netuid, satAdd(sub.SubnetAlphaIn.get(s, c.Netuid), c.AmountUnstaked))
	}
	l.addVolume(c.Netuid, tao)
	if err := l.fromPool(c.Netuid, tao, coldkey); err != nil {
		return err
	}
	l.emit(SubtensorEvent{StakeRemoved: &staked{coldkey, c.Hotkey, tao, c.AmountUnstaked, c.Netuid, 0}})
	return nil
}

func (l *Ledger) tradable(netuid uint16, hotkey AccountID) error {
	switch {
	case !l.exists(netuid):
		return ErrSubnetNotExists
	case netuid != rootNetuid && !sub.SubtokenEnabled.get(l.s, netuid):
		return ErrSubtokenDisabled
	case !sub.Owner.has(l.s, hotkey):
		return ErrHotKeyAccountNotExists
	}
	return nil
}

func (l *Ledger) addVolume(netuid uint16, tao uint64) {
	v := sub.SubnetVolume.get(l.s, netuid)
	if v.Lo += tao; v.Lo < tao {
		v.Hi++
	}
	sub.SubnetVolume.set(l.s, netuid, v)
}

// quoteBuy returns how much alpha tao buys. Unlike upstream, whose pools have
// weights, ranges and a fee, the product of the two reserves stays the same.
func (l *Ledger) quoteBuy(netuid uint16, tao uint64) uint64 {
	if netuid == rootNetuid {
		return tao
	}
	return mulDiv(sub.SubnetAlphaIn.get(l.s, netuid), tao, satAdd(sub.SubnetTAO.get(l.s, netuid), tao))
}

// quoteSell returns how much TAO alpha brings, by the same rule.
func (l *Ledger) quoteSell(netuid uint16, alpha uint64) uint64 {
	if netuid == rootNetuid {
		return alpha
	}
	return mulDiv(sub.SubnetTAO.get(l.s, netuid), alpha, satAdd(sub.SubnetAlphaIn.get(l.s, netuid), alpha))
}

// Price returns what one alpha costs, in RAO of TAO.
func (l *Ledger) Price(netuid uint16) uint64 {
	if netuid == rootNetuid {
		return 1e9
	}
	return l.price(netuid).of(1e9)
}

func (l *Ledger) price(netuid uint16) fixed {
	return ratio(sub.SubnetTAO.get(l.s, netuid), sub.SubnetAlphaIn.get(l.s, netuid))
}

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
	for _, a := range list {
		if a == who {
			return true
		}
	}
	return false
}

// weightOf returns the stake that counts for a hotkey in a subnet, in RAO: its
// alpha, and its TAO in root at their weight.
func (l *Ledger) weightOf(hotkey AccountID, netuid uint16) uint64 {
	root := sub.TotalHotkeyAlpha.get(l.s, hotkey, rootNetuid)
	return satAdd(sub.TotalHotkeyAlpha.get(l.s, hotkey, netuid), l.weighTao(root))
}

// weighTao returns TAO in root as the alpha they count for.
func (l *Ledger) weighTao(tao uint64) uint64 {
	return mulDiv(tao, sub.TaoWeight.get(l.s)>>1, 1<<63)
}
