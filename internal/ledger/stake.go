package ledger

import (
	"math"

	"adit/internal/scale"
)

// minStake is the least RAO that are staked or unstaked at a time.
const minStake = 2_000_000

// noLimit stands for the absence of a limit on what is traded.
const noLimit = math.MaxUint64

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
	return l.addStake(coldkey, c.Hotkey, c.Netuid, c.AmountStaked, noLimit, false)
}

// AddStakeLimit is [AddStake] unless it would raise the price above LimitPrice
// RAO for one alpha; AllowPartial stakes what can be staked below it.
type AddStakeLimit struct {
	Hotkey       AccountID `type:"T::AccountId"`
	Netuid       uint16    `type:"NetUid"`
	AmountStaked uint64    `type:"TaoBalance"`
	LimitPrice   uint64    `type:"TaoBalance"`
	AllowPartial bool      `type:"bool"`
}

func (c *AddStakeLimit) dispatch(l *Ledger, o origin) error {
	coldkey, err := o.signer()
	if err != nil {
		return err
	}
	if !l.exists(c.Netuid) {
		return ErrSubnetNotExists
	}
	most, err := l.maxBuy(c.Netuid, c.LimitPrice)
	if err != nil {
		return err
	}
	return l.addStake(coldkey, c.Hotkey, c.Netuid, c.AmountStaked, most, c.AllowPartial)
}

// addStake makes the checks in the chain's order and stakes amount, but no more
// than most.
func (l *Ledger) addStake(coldkey, hotkey AccountID, netuid uint16, amount, most uint64, partial bool) error {
	if err := l.tradable(netuid); err != nil {
		return err
	}
	if amount < satAdd(minStake, l.tradeFee(netuid, minStake)) {
		return ErrAmountTooLow
	}
	if amount > most && !partial {
		return ErrSlippageTooHigh
	}
	if satSub(l.free(coldkey), existentialDeposit) < amount {
		return ErrNotEnoughBalanceToStake
	}
	if !sub.Owner.has(l.s, hotkey) {
		return ErrHotKeyAccountNotExists
	}
	amount = min(amount, most)
	if err := l.withdraw(coldkey, amount, true); err != nil {
		return err
	}
	balances.TotalIssuance.set(l.s, satSub(balances.TotalIssuance.get(l.s), amount))
	_, err := l.stakeInto(hotkey, coldkey, netuid, amount, true)
	return err
}

// stakeInto buys alpha for TAO that are in nobody's hands and stakes it.
func (l *Ledger) stakeInto(hotkey, coldkey AccountID, netuid uint16, tao uint64, charge bool) (uint64, error) {
	fee := uint64(0)
	if charge {
		fee = l.tradeFee(netuid, tao)
	}
	alpha, err := l.buy(netuid, tao, fee)
	if err != nil {
		return 0, err
	}
	l.grow(hotkey, coldkey, netuid, alpha)
	if netuid == rootNetuid {
		l.rootStaked(hotkey, coldkey, alpha)
	}
	// Who takes in others' stake is a delegate.
	if sub.Owner.get(l.s, hotkey) != coldkey && !sub.Delegates.has(l.s, hotkey) {
		sub.Delegates.set(l.s, hotkey, sub.Delegates.get(l.s, hotkey))
	}
	l.emit(SubtensorEvent{StakeAdded: &staked{coldkey, hotkey, tao, alpha, netuid, fee}})
	return alpha, nil
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
	return l.removeStake(coldkey, c.Hotkey, c.Netuid, c.AmountUnstaked, noLimit, false)
}

// RemoveStakeLimit is [RemoveStake] unless it would lower the price below
// LimitPrice RAO for one alpha; AllowPartial sells what can be sold above it.
type RemoveStakeLimit struct {
	Hotkey         AccountID `type:"T::AccountId"`
	Netuid         uint16    `type:"NetUid"`
	AmountUnstaked uint64    `type:"AlphaBalance"`
	LimitPrice     uint64    `type:"TaoBalance"`
	AllowPartial   bool      `type:"bool"`
}

func (c *RemoveStakeLimit) dispatch(l *Ledger, o origin) error {
	coldkey, err := o.signer()
	if err != nil {
		return err
	}
	return l.removeStakeLimit(coldkey, c.Hotkey, c.Netuid, c.AmountUnstaked, c.LimitPrice, c.AllowPartial)
}

func (l *Ledger) removeStakeLimit(coldkey, hotkey AccountID, netuid uint16, alpha, limit uint64, partial bool) error {
	if !l.exists(netuid) {
		return ErrSubnetNotExists
	}
	most, err := l.maxSell(netuid, limit)
	if err != nil {
		return err
	}
	return l.removeStake(coldkey, hotkey, netuid, alpha, most, partial)
}

// RemoveStakeFullLimit sells all of a stake, unless that would lower the price
// below LimitPrice.
type RemoveStakeFullLimit struct {
	Hotkey     AccountID            `type:"T::AccountId"`
	Netuid     uint16               `type:"NetUid"`
	LimitPrice scale.Option[uint64] `type:"Option<TaoBalance>"`
}

func (c *RemoveStakeFullLimit) dispatch(l *Ledger, o origin) error {
	coldkey, err := o.signer()
	if err != nil {
		return err
	}
	all := l.stakeOf(c.Hotkey, coldkey, c.Netuid)
	if c.LimitPrice.Some {
		return l.removeStakeLimit(coldkey, c.Hotkey, c.Netuid, all, c.LimitPrice.V, false)
	}
	return l.removeStake(coldkey, c.Hotkey, c.Netuid, all, noLimit, false)
}

// removeStake makes the checks in the chain's order and sells alpha, but no
// more than most and than there is: a fee may have been paid from it.
func (l *Ledger) removeStake(coldkey, hotkey AccountID, netuid uint16, alpha, most uint64, partial bool) error {
	if err := l.tradable(netuid); err != nil {
		return err
	}
	alpha = min(alpha, l.stakeOf(hotkey, coldkey, netuid))
	if l.quoteSell(netuid, alpha, l.tradeFee(netuid, alpha)) < minStake {
		return ErrAmountTooLow
	}
	if alpha > most && !partial {
		return ErrSlippageTooHigh
	}
	if !sub.Owner.has(l.s, hotkey) {
		return ErrHotKeyAccountNotExists
	}
	tao, err := l.unstakeFrom(hotkey, coldkey, netuid, min(alpha, most), true)
	if err != nil {
		return err
	}
	return l.issueTo(coldkey, tao)
}

// unstakeFrom sells alpha that a coldkey has staked. The TAO are in nobody's
// hands then.
func (l *Ledger) unstakeFrom(hotkey, coldkey AccountID, netuid uint16, alpha uint64, charge bool) (uint64, error) {
	fee := uint64(0)
	if charge {
		fee = l.tradeFee(netuid, alpha)
	}
	if netuid == rootNetuid {
		l.rootUnstaked(hotkey, coldkey, alpha)
	}
	l.shrink(hotkey, coldkey, netuid, alpha)
	tao, err := l.sell(netuid, alpha, fee)
	if err != nil {
		return 0, err
	}
	l.emit(SubtensorEvent{StakeRemoved: &staked{coldkey, hotkey, tao, alpha, netuid, fee}})
	return tao, nil
}

// issueTo gives an account TAO that came out of a pool.
func (l *Ledger) issueTo(who AccountID, tao uint64) error {
	balances.TotalIssuance.set(l.s, satAdd(balances.TotalIssuance.get(l.s), tao))
	return l.deposit(who, tao)
}

// UnstakeAll sells all that a coldkey has staked with a hotkey, in every
// network. What cannot be sold stays.
type UnstakeAll struct {
	Hotkey AccountID `type:"T::AccountId"`
}

func (c *UnstakeAll) dispatch(l *Ledger, o origin) error {
	coldkey, err := o.signer()
	if err != nil {
		return err
	}
	if !sub.Owner.has(l.s, c.Hotkey) {
		return ErrHotKeyAccountNotExists
	}
	l.networks(func(netuid uint16) {
		one := &RemoveStake{c.Hotkey, netuid, l.stakeOf(c.Hotkey, coldkey, netuid)}
		if one.AmountUnstaked > 0 {
			_ = l.run(one, o)
		}
	})
	return nil
}

// UnstakeAllAlpha sells all that a coldkey has staked with a hotkey outside of
// root, and stakes the TAO there.
type UnstakeAllAlpha struct {
	Hotkey AccountID `type:"T::AccountId"`
}

func (c *UnstakeAllAlpha) dispatch(l *Ledger, o origin) error {
	coldkey, err := o.signer()
	if err != nil {
		return err
	}
	if !sub.Owner.has(l.s, c.Hotkey) {
		return ErrHotKeyAccountNotExists
	}
	total := uint64(0)
	l.subnets(func(netuid uint16) {
		alpha := l.stakeOf(c.Hotkey, coldkey, netuid)
		if l.tradable(netuid) != nil || l.quoteSell(netuid, alpha, l.tradeFee(netuid, alpha)) < minStake {
			return
		}
		mark, events := l.s.mark(), l.events.mark()
		tao, err := l.unstakeFrom(c.Hotkey, coldkey, netuid, alpha, true)
		if err != nil {
			l.s.rollback(mark)
			l.events.rollback(events)
			return
		}
		total += tao
	})
	if total < minStake {
		return ErrAmountTooLow
	}
	_, err = l.stakeInto(c.Hotkey, coldkey, rootNetuid, total, true)
	return err
}

// tradable checks that alpha can be bought and sold.
func (l *Ledger) tradable(netuid uint16) error {
	switch {
	case !l.exists(netuid):
		return ErrSubnetNotExists
	case netuid != rootNetuid && !sub.SubtokenEnabled.get(l.s, netuid):
		return ErrSubtokenDisabled
	}
	return nil
}

// RecycleAlpha gives staked alpha up: it is unissued.
type RecycleAlpha struct {
	Hotkey AccountID `type:"T::AccountId"`
	Amount uint64    `type:"AlphaBalance"`
	Netuid uint16    `type:"NetUid"`
}

func (c *RecycleAlpha) dispatch(l *Ledger, o origin) error {
	coldkey, amount, err := l.giveUp(o, c.Hotkey, c.Netuid, c.Amount)
	if err != nil {
		return err
	}
	l.recycle(c.Netuid, amount)
	l.emit(SubtensorEvent{AlphaRecycled: &scale.Tuple4[AccountID, AccountID, uint64, uint16]{F0: coldkey, F1: c.Hotkey, F2: amount, F3: c.Netuid}})
	return nil
}

// BurnAlpha gives staked alpha up: it stays issued, but nobody has it.
type BurnAlpha struct {
	Hotkey AccountID `type:"T::AccountId"`
	Amount uint64    `type:"AlphaBalance"`
	Netuid uint16    `type:"NetUid"`
}

func (c *BurnAlpha) dispatch(l *Ledger, o origin) error {
	coldkey, amount, err := l.giveUp(o, c.Hotkey, c.Netuid, c.Amount)
	if err != nil {
		return err
	}
	l.burn(c.Netuid, amount)
	l.emit(SubtensorEvent{AlphaBurned: &scale.Tuple4[AccountID, AccountID, uint64, uint16]{F0: coldkey, F1: c.Hotkey, F2: amount, F3: c.Netuid}})
	return nil
}

func (l *Ledger) giveUp(o origin, hotkey AccountID, netuid uint16, amount uint64) (AccountID, uint64, error) {
	coldkey, err := o.signer()
	switch {
	case err != nil:
	case !l.exists(netuid):
		err = ErrSubnetNotExists
	case netuid == rootNetuid:
		err = ErrCannotBurnOrRecycleOnRoot
	case !sub.Owner.has(l.s, hotkey):
		err = ErrHotKeyAccountNotExists
	}
	if err != nil {
		return coldkey, 0, err
	}
	amount = min(amount, l.stakeOf(hotkey, coldkey, netuid))
	if amount == 0 {
		return coldkey, 0, ErrNotEnoughStakeToWithdraw
	}
	l.shrink(hotkey, coldkey, netuid, amount)
	return coldkey, amount, nil
}
