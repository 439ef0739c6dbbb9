package ledger

import "adit/internal/scale"

// MoveStake moves a stake to another hotkey, or another subnet, or both.
type MoveStake struct {
	OriginHotkey      AccountID `type:"T::AccountId"`
	DestinationHotkey AccountID `type:"T::AccountId"`
	OriginNetuid      uint16    `type:"NetUid"`
	DestinationNetuid uint16    `type:"NetUid"`
	AlphaAmount       uint64    `type:"AlphaBalance"`
}

func (c *MoveStake) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	m := transition{coldkey: who, hotkey: c.OriginHotkey, netuid: c.OriginNetuid,
		toColdkey: who, toHotkey: c.DestinationHotkey, toNetuid: c.DestinationNetuid, alpha: c.AlphaAmount}
	tao, err := l.transit(m)
	if err != nil {
		return err
	}
	l.emit(SubtensorEvent{StakeMoved: &stakeMoved{who, c.OriginHotkey, c.OriginNetuid, c.DestinationHotkey, c.DestinationNetuid, tao}})
	return nil
}

// TransferStake gives a stake to another coldkey, perhaps in another subnet.
type TransferStake struct {
	DestinationColdkey AccountID `type:"T::AccountId"`
	Hotkey             AccountID `type:"T::AccountId"`
	OriginNetuid       uint16    `type:"NetUid"`
	DestinationNetuid  uint16    `type:"NetUid"`
	AlphaAmount        uint64    `type:"AlphaBalance"`
}

func (c *TransferStake) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	m := transition{coldkey: who, hotkey: c.Hotkey, netuid: c.OriginNetuid,
		toColdkey: c.DestinationColdkey, toHotkey: c.Hotkey, toNetuid: c.DestinationNetuid, alpha: c.AlphaAmount, toggled: true}
	tao, err := l.transit(m)
	if err != nil {
		return err
	}
	l.emit(SubtensorEvent{StakeTransferred: &stakeTransferred{who, c.DestinationColdkey, c.Hotkey, c.OriginNetuid, c.DestinationNetuid, tao}})
	return nil
}

// SwapStake moves a stake to another subnet.
type SwapStake struct {
	Hotkey            AccountID `type:"T::AccountId"`
	OriginNetuid      uint16    `type:"NetUid"`
	DestinationNetuid uint16    `type:"NetUid"`
	AlphaAmount       uint64    `type:"AlphaBalance"`
}

func (c *SwapStake) dispatch(l *Ledger, o origin) error {
	return l.swapStake(o, c.Hotkey, c.OriginNetuid, c.DestinationNetuid, c.AlphaAmount, scale.Option[uint64]{}, false)
}

// SwapStakeLimit is [SwapStake] unless one alpha would bring less than
// LimitPrice, in 10^-9 of the other subnet's; AllowPartial moves what can be
// moved above it.
type SwapStakeLimit struct {
	Hotkey            AccountID `type:"T::AccountId"`
	OriginNetuid      uint16    `type:"NetUid"`
	DestinationNetuid uint16    `type:"NetUid"`
	AlphaAmount       uint64    `type:"AlphaBalance"`
	LimitPrice        uint64    `type:"TaoBalance"`
	AllowPartial      bool      `type:"bool"`
}

func (c *SwapStakeLimit) dispatch(l *Ledger, o origin) error {
	return l.swapStake(o, c.Hotkey, c.OriginNetuid, c.DestinationNetuid, c.AlphaAmount, scale.SomeOf(c.LimitPrice), c.AllowPartial)
}

func (l *Ledger) swapStake(o origin, hotkey AccountID, from, to uint16, alpha uint64, limit scale.Option[uint64], partial bool) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	m := transition{coldkey: who, hotkey: hotkey, netuid: from, toColdkey: who, toHotkey: hotkey, toNetuid: to,
		alpha: alpha, limit: limit, partial: partial}
	tao, err := l.transit(m)
	if err != nil {
		return err
	}
	l.emit(SubtensorEvent{StakeSwapped: &stakeSwapped{who, hotkey, from, to, tao}})
	return nil
}

// The contents of the events of moves. On the chain their fields have no names.
type (
	stakeMoved struct {
		Coldkey           AccountID
		OriginHotkey      AccountID
		OriginNetuid      uint16
		DestinationHotkey AccountID
		DestinationNetuid uint16
		Tao               uint64
	}
	stakeTransferred struct {
		OriginColdkey      AccountID
		DestinationColdkey AccountID
		Hotkey             AccountID
		OriginNetuid       uint16
		DestinationNetuid  uint16
		Tao                uint64
	}
	stakeSwapped struct {
		Coldkey           AccountID
		Hotkey            AccountID
		OriginNetuid      uint16
		DestinationNetuid uint16
		Tao               uint64
	}
)

// A transition takes stake from one place to another.
type transition struct {
	coldkey, hotkey     AccountID
	netuid              uint16
	toColdkey, toHotkey AccountID
	toNetuid            uint16
	alpha               uint64
	limit               scale.Option[uint64] // the least price, in 10^-9
	partial             bool
	toggled             bool // whether subnets may forbid it
}

// transit makes the checks in the chain's order and moves the stake, no more
// than there is. It returns the TAO that it was worth on the way.
func (l *Ledger) transit(m transition) (uint64, error) {
	s := l.s
	for _, netuid := range []uint16{m.netuid, m.toNetuid} {
		if !l.exists(netuid) {
			return 0, ErrSubnetNotExists
		}
	}
	m.alpha = min(m.alpha, l.stakeOf(m.hotkey, m.coldkey, m.netuid))
	most := uint64(noLimit)
	if m.limit.Some && m.netuid != m.toNetuid {
		var err error
		if most, err = l.maxMove(m.netuid, m.toNetuid, m.limit.V); err != nil {
			return 0, err
		}
	}
	switch {
	case m.coldkey == m.toColdkey && m.hotkey == m.toHotkey && m.netuid == m.toNetuid:
		return 0, ErrSameNetuid
	case l.tradable(m.netuid) != nil || l.tradable(m.toNetuid) != nil:
		return 0, ErrSubtokenDisabled
	case !sub.Owner.has(s, m.hotkey) || !sub.Owner.has(s, m.toHotkey):
		return 0, ErrHotKeyAccountNotExists
	case m.alpha > most && !m.partial:
		return 0, ErrSlippageTooHigh
	}
	m.alpha = min(m.alpha, most)
	if l.quoteSell(m.netuid, m.alpha, 0) < minStake {
		return 0, ErrAmountTooLow
	}
	if m.toggled && (!sub.TransferToggle.get(s, m.netuid) || !sub.TransferToggle.get(s, m.toNetuid)) {
		return 0, ErrTransferDisallowed
	}
	if m.netuid == m.toNetuid {
		return l.transitWithin(m), nil
	}
	// One fee for both trades: of the sale, or where root has none, of the buy.
	// Unlike upstream, a stake that the fee makes too small to be staked again
	// is not left lying about: the call fails.
	tao, err := l.unstakeFrom(m.hotkey, m.coldkey, m.netuid, m.alpha, m.netuid != rootNetuid)
	if err != nil {
		return 0, err
	}
	if tao < minStake {
		return 0, ErrAmountTooLow
	}
	_, err = l.stakeInto(m.toHotkey, m.toColdkey, m.toNetuid, tao, m.netuid == rootNetuid)
	return tao, err
}

// transitWithin moves alpha inside a subnet, without a trade.
func (l *Ledger) transitWithin(m transition) uint64 {
	tao := mulDiv(m.alpha, l.Price(m.netuid), priceUnit)
	if m.netuid == rootNetuid {
		l.rootUnstaked(m.hotkey, m.coldkey, m.alpha)
	}
	l.shrink(m.hotkey, m.coldkey, m.netuid, m.alpha)
	l.grow(m.toHotkey, m.toColdkey, m.netuid, m.alpha)
	if m.netuid == rootNetuid {
		l.rootStaked(m.toHotkey, m.toColdkey, m.alpha)
	}
	if sub.Owner.get(l.s, m.toHotkey) != m.toColdkey && !sub.Delegates.has(l.s, m.toHotkey) {
		sub.Delegates.set(l.s, m.toHotkey, sub.Delegates.get(l.s, m.toHotkey))
	}
	l.emit(SubtensorEvent{StakeRemoved: &staked{m.coldkey, m.hotkey, tao, m.alpha, m.netuid, 0}})
	l.emit(SubtensorEvent{StakeAdded: &staked{m.toColdkey, m.toHotkey, tao, m.alpha, m.netuid, 0}})
	return tao
}
