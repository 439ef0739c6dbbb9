package ledger

import "adit/internal/scale"

// SetOwnerTempo lets the owner choose how many blocks lie between epochs.
type SetOwnerTempo struct {
	Netuid uint16 `type:"NetUid"`
	Tempo  uint16 `type:"u16"`
}

// minTempo is the least that an owner may choose.
const minTempo = 360

func (c *SetOwnerTempo) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOrRoot(o, c.Netuid); err != nil {
		return err
	}
	switch {
	case !l.exists(c.Netuid):
		return ErrSubnetNotExists
	case sub.CommitRevealWeightsEnabled.get(l.s, c.Netuid):
		return ErrDynamicTempoBlockedByCommitReveal
	case c.Tempo < minTempo || c.Tempo > maxTempo:
		return ErrTempoOutOfBounds
	}
	if err := l.unfrozen(o, c.Netuid); err != nil {
		return err
	}
	sub.LastEpochBlock.set(l.s, c.Netuid, l.number)
	return setSub(l, &sub.Tempo, c.Netuid, c.Tempo, SubtensorEvent{TempoSet: u16Event(c.Netuid, c.Tempo)})
}

// SetCommitRevealInterval sets after how many epochs weights are revealed.
type SetCommitRevealInterval struct {
	Netuid   uint16 `type:"NetUid"`
	Interval uint64 `type:"u64"`
}

// maxRevealPeriod is the most epochs that weights may stay hidden.
const maxRevealPeriod = 100

func (c *SetCommitRevealInterval) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	switch {
	case c.Interval > maxRevealPeriod:
		return ErrRevealPeriodTooLarge
	case c.Interval < 1:
		return ErrRevealPeriodTooSmall
	}
	return setSub(l, &sub.RevealPeriodEpochs, c.Netuid, c.Interval, SubtensorEvent{CommitRevealPeriodsSet: u64Event(c.Netuid, c.Interval)})
}

// SetBondsResetEnabled lets neurons ask for all bonds to them to be dropped.
type SetBondsResetEnabled struct {
	Netuid  uint16 `type:"NetUid"`
	Enabled bool   `type:"bool"`
}

func (c *SetBondsResetEnabled) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	sub.BondsResetOn.set(l.s, c.Netuid, c.Enabled)
	l.emit(AdminEvent{BondsResetToggled: enabled(c.Netuid, c.Enabled)})
	return nil
}

// SetOwnerHotkey chooses the hotkey by which the owner takes part in its
// subnet.
type SetOwnerHotkey struct {
	Netuid uint16    `type:"NetUid"`
	Hotkey AccountID `type:"<T as frame_system::Config>::AccountId"`
}

func (c *SetOwnerHotkey) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.SubnetOwnerHotkey, c.Netuid, c.Hotkey, SubtensorEvent{SubnetOwnerHotkeySet: &netAccount{F0: c.Netuid, F1: c.Hotkey}})
}

// SetSNOwnerHotkey is [SetOwnerHotkey] for the owner, once in the tempo of a
// day.
type SetSNOwnerHotkey struct {
	Netuid uint16    `type:"NetUid"`
	Hotkey AccountID `type:"<T as frame_system::Config>::AccountId"`
}

// ownerHotkeyRate is after how many blocks an owner may choose again.
const ownerHotkeyRate = 7200

func (c *SetSNOwnerHotkey) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	key := RateLimitKey{SetSNOwnerHotkey: &c.Netuid}
	if last := sub.LastRateLimitedBlock.get(l.s, key); !o.root && last != 0 && satSub(l.number, last) < ownerHotkeyRate {
		return ErrTxRateLimitExceeded
	}
	sub.LastRateLimitedBlock.set(l.s, key, l.number)
	return setSub(l, &sub.SubnetOwnerHotkey, c.Netuid, c.Hotkey, SubtensorEvent{SubnetOwnerHotkeySet: &netAccount{F0: c.Netuid, F1: c.Hotkey}})
}

// SetTxChildkeyTakeRateLimit sets after how many blocks a child may raise its
// take again.
type SetTxChildkeyTakeRateLimit struct {
	TxRateLimit uint64 `type:"u64"`
}

func (c *SetTxChildkeyTakeRateLimit) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.TxChildkeyTakeRateLimit, c.TxRateLimit, SubtensorEvent{TxChildKeyTakeRateLimitSet: &c.TxRateLimit})
}

// SetMinChildkeyTake sets the least that children take, of 65535.
type SetMinChildkeyTake struct {
	Take uint16 `type:"u16"`
}

func (c *SetMinChildkeyTake) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.MinChildkeyTake, c.Take, SubtensorEvent{MinChildKeyTakeSet: &c.Take})
}

// SetMaxChildkeyTake sets the most that children take, of 65535.
type SetMaxChildkeyTake struct {
	Take uint16 `type:"u16"`
}

func (c *SetMaxChildkeyTake) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.MaxChildkeyTake, c.Take, SubtensorEvent{MaxChildKeyTakeSet: &c.Take})
}

// TryAssociateHotkey makes the signer the owner of a hotkey that has none.
type TryAssociateHotkey struct {
	Hotkey AccountID `type:"T::AccountId"`
}

func (c *TryAssociateHotkey) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	l.adopt(c.Hotkey, who)
	return nil
}

// BurnBalance destroys RAO of the signer.
type BurnBalance struct {
	Value     scale.Compact[uint64] `type:"T::Balance"`
	KeepAlive bool                  `type:"bool"`
}

func (c *BurnBalance) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	if err := l.withdraw(who, c.Value.V, c.KeepAlive); err != nil {
		return err
	}
	l.unissue(c.Value.V)
	l.emit(BalancesEvent{Burned: &WhoAmount{who, c.Value.V}})
	return nil
}

// ForceTransfer moves RAO out of any account. It is for root.
type ForceTransfer struct {
	Source MultiAddress          `type:"AccountIdLookupOf<T>"`
	Dest   MultiAddress          `type:"AccountIdLookupOf<T>"`
	Value  scale.Compact[uint64] `type:"T::Balance"`
}

func (c *ForceTransfer) dispatch(l *Ledger, o origin) error {
	if err := onlyRoot(o); err != nil {
		return err
	}
	from, err := c.Source.lookup()
	if err != nil {
		return err
	}
	return l.transferTo(origin{who: from}, c.Dest, func(uint64) uint64 { return c.Value.V }, false)
}

// ForceSetBalance gives an account as many RAO as it shall have. It is for
// root, and changes what there is.
type ForceSetBalance struct {
	Who     MultiAddress          `type:"AccountIdLookupOf<T>"`
	NewFree scale.Compact[uint64] `type:"T::Balance"`
}

func (c *ForceSetBalance) dispatch(l *Ledger, o origin) error {
	if err := onlyRoot(o); err != nil {
		return err
	}
	who, err := c.Who.lookup()
	if err != nil {
		return err
	}
	free := c.NewFree.V
	if free < existentialDeposit {
		free = 0
	}
	now := l.free(who)
	if free < now {
		if err := l.withdraw(who, now-free, false); err != nil {
			return err
		}
		l.unissue(now - free)
	} else if free > now {
		if free-now > maxSupply-min(sub.TotalIssuance.get(l.s), maxSupply) {
			return ErrOverflow // more than there may ever be
		}
		if err := l.deposit(who, free-now); err != nil {
			return err
		}
		balances.TotalIssuance.set(l.s, satAdd(balances.TotalIssuance.get(l.s), free-now))
		sub.TotalIssuance.set(l.s, satAdd(sub.TotalIssuance.get(l.s), free-now))
	}
	l.emit(BalancesEvent{BalanceSet: &BalanceSet{who, free}})
	return nil
}
