package ledger

import (
	"adit/internal/scale"
)

// A coldkey is replaced in two steps: it announces the hash of the new one, and
// swaps after a delay in which the announcement can be disputed.

// AnnounceColdkeySwap announces the hash of the signer's new coldkey. The first
// announcement pays for the swap.
type AnnounceColdkeySwap struct {
	NewColdkeyHash Hash `type:"T::Hash"`
}

func (c *AnnounceColdkeySwap) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	s := l.s
	if a, ok := sub.ColdkeySwapAnnouncements.lookup(s, who); ok {
		if l.number < uint64(a.F0)+uint64(sub.ColdkeySwapReannouncementDelay.get(s)) {
			return ErrColdkeySwapReannouncedTooEarly
		}
	} else {
		if satSub(l.free(who), existentialDeposit) < keySwapCost {
			return ErrNotEnoughBalanceToPaySwapColdKey
		}
		if err := l.withdraw(who, keySwapCost, true); err != nil {
			return err
		}
		l.unissue(keySwapCost)
	}
	when := uint32(min(l.number+uint64(sub.ColdkeySwapAnnouncementDelay.get(s)), 1<<32-1))
	sub.ColdkeySwapAnnouncements.set(s, who, coldkeyAnnouncement{F0: when, F1: c.NewColdkeyHash})
	l.emit(SubtensorEvent{ColdkeySwapAnnounced: &ColdkeySwapAnnounced{who, c.NewColdkeyHash}})
	return nil
}

// coldkeyAnnouncement is the block from which a swap may be made, and the hash
// of the new coldkey.
type coldkeyAnnouncement = scale.Tuple2[uint32, Hash]

// ColdkeyHash returns the hash by which a coldkey is announced.
func ColdkeyHash(who [32]byte) Hash { return scale.Blake2b256(who[:]) }

// SwapColdkeyAnnounced replaces the signer's coldkey by the one announced: all
// its balance, stake, hotkeys and subnets go there.
type SwapColdkeyAnnounced struct {
	NewColdkey AccountID `type:"T::AccountId"`
}

func (c *SwapColdkeyAnnounced) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	a, ok := sub.ColdkeySwapAnnouncements.lookup(l.s, who)
	switch {
	case !ok:
		return ErrColdkeySwapNotFound
	case sub.ColdkeySwapDisputes.has(l.s, who):
		return ErrColdkeySwapDisputed
	case ColdkeyHash(c.NewColdkey) != a.F1:
		return ErrAnnouncedColdkeyHash
	case l.number < uint64(a.F0):
		return ErrColdkeySwapTooEarly
	}
	sub.ColdkeySwapAnnouncements.delete(l.s, who)
	return l.swapColdkey(who, c.NewColdkey)
}

// SwapColdkey does the same at once. It is for root; the cost is taken from the
// old coldkey.
type SwapColdkey struct {
	OldColdkey AccountID `type:"T::AccountId"`
	NewColdkey AccountID `type:"T::AccountId"`
	SwapCost   uint64    `type:"TaoBalance"`
}

func (c *SwapColdkey) dispatch(l *Ledger, o origin) error {
	if err := onlyRoot(o); err != nil {
		return err
	}
	if satSub(l.free(c.OldColdkey), existentialDeposit) < c.SwapCost && c.SwapCost > 0 {
		return ErrNotEnoughBalanceToPaySwapColdKey
	}
	if err := l.withdraw(c.OldColdkey, c.SwapCost, true); err != nil {
		return err
	}
	l.unissue(c.SwapCost)
	sub.ColdkeySwapAnnouncements.delete(l.s, c.OldColdkey)
	sub.ColdkeySwapDisputes.delete(l.s, c.OldColdkey)
	return l.swapColdkey(c.OldColdkey, c.NewColdkey)
}

func (l *Ledger) swapColdkey(old, now AccountID) error {
	s := l.s
	switch {
	case old == now || len(sub.StakingHotkeys.get(s, now)) > 0:
		return ErrColdKeyAlreadyAssociated
	case sub.Owner.has(s, now):
		return ErrNewColdKeyIsHotkey
	}
	if id, ok := sub.IdentitiesV2.lookup(s, old); ok && !sub.IdentitiesV2.has(s, now) {
		sub.IdentitiesV2.delete(s, old)
		sub.IdentitiesV2.set(s, now, id)
	}
	l.subnets(func(netuid uint16) {
		if sub.SubnetOwner.get(s, netuid) == old {
			sub.SubnetOwner.set(s, netuid, now)
		}
	})
	staking := sub.StakingHotkeys.get(s, old)
	for _, hotkey := range staking {
		l.networks(func(netuid uint16) {
			share, ok := sub.Alpha.lookup(s, hotkey, old, netuid)
			if !ok {
				return
			}
			sub.Alpha.delete(s, hotkey, old, netuid)
			sub.Alpha.set(s, hotkey, now, netuid, share)
		})
		for _, r := range l.claimRates(hotkey) {
			l.setClaimed(hotkey, now, r.F0, sub.RootClaimed.get(s, r.F0, hotkey, old).Lo)
			l.setClaimed(hotkey, old, r.F0, 0)
		}
		if l.stakeOf(hotkey, now, rootNetuid) > 0 {
			l.indexStaker(now)
		}
	}
	if len(staking) > 0 {
		sub.StakingHotkeys.delete(s, old)
		sub.StakingHotkeys.set(s, now, staking)
	}
	if owned := sub.OwnedHotkeys.get(s, old); len(owned) > 0 {
		all := sub.OwnedHotkeys.get(s, now)
		for _, hotkey := range owned {
			sub.Owner.set(s, hotkey, now)
			if !contains(all, hotkey) {
				all = append(all, hotkey)
			}
		}
		sub.OwnedHotkeys.delete(s, old)
		sub.OwnedHotkeys.set(s, now, all)
	}
	if free := l.spendable(old); free > 0 {
		if err := l.withdraw(old, free, false); err != nil {
			return err
		}
		if err := l.deposit(now, free); err != nil {
			return err
		}
	}
	sub.LastRateLimitedBlock.set(s, RateLimitKey{LastTxBlock: &now}, l.number)
	l.emit(SubtensorEvent{ColdkeySwapped: &ColdkeySwapped{old, now}})
	return nil
}

// DisputeColdkeySwap stops the signer's swap, and everything else the signer
// does, until root has looked at it.
type DisputeColdkeySwap struct{}

func (c *DisputeColdkeySwap) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	switch {
	case err != nil:
		return err
	case !sub.ColdkeySwapAnnouncements.has(l.s, who):
		return ErrColdkeySwapNotFound
	case sub.ColdkeySwapDisputes.has(l.s, who):
		return ErrColdkeySwapAlreadyDisputed
	}
	sub.ColdkeySwapDisputes.set(l.s, who, uint32(l.number))
	l.emit(SubtensorEvent{ColdkeySwapDisputed: &AccountColdkey{who}})
	return nil
}

// ResetColdkeySwap forgets an announcement and its dispute. It is for root.
type ResetColdkeySwap struct {
	Coldkey AccountID `type:"T::AccountId"`
}

func (c *ResetColdkeySwap) dispatch(l *Ledger, o origin) error {
	if err := onlyRoot(o); err != nil {
		return err
	}
	sub.ColdkeySwapAnnouncements.delete(l.s, c.Coldkey)
	sub.ColdkeySwapDisputes.delete(l.s, c.Coldkey)
	l.emit(SubtensorEvent{ColdkeySwapReset: &AccountWho{c.Coldkey}})
	return nil
}

// ClearColdkeySwapAnnouncement takes an announcement back, once another could
// be made.
type ClearColdkeySwapAnnouncement struct{}

func (c *ClearColdkeySwapAnnouncement) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	a, ok := sub.ColdkeySwapAnnouncements.lookup(l.s, who)
	switch {
	case !ok:
		return ErrColdkeySwapNotFound
	case sub.ColdkeySwapDisputes.has(l.s, who):
		return ErrColdkeySwapDisputed
	case l.number < uint64(a.F0)+uint64(sub.ColdkeySwapReannouncementDelay.get(l.s)):
		return ErrColdkeySwapClearTooEarly
	}
	sub.ColdkeySwapAnnouncements.delete(l.s, who)
	l.emit(SubtensorEvent{ColdkeySwapCleared: &AccountWho{who}})
	return nil
}

// swapping keeps the calls of a coldkey out of the pool that has announced
// another, but for those that belong to the swap.
func (l *Ledger) swapping(c Call, who AccountID) error {
	const inSchedule, disputed = 0, 21
	if !sub.ColdkeySwapAnnouncements.has(l.s, who) {
		return nil
	}
	if sub.ColdkeySwapDisputes.has(l.s, who) {
		return &InvalidError{Kind: InvalidCustom, Custom: disputed}
	}
	switch c.(type) {
	case *AnnounceColdkeySwap, *SwapColdkeyAnnounced, *DisputeColdkeySwap, *ClearColdkeySwapAnnouncement:
		return nil
	}
	return &InvalidError{Kind: InvalidCustom, Custom: inSchedule}
}

// The contents of the events of coldkey swaps.
type (
	ColdkeySwapAnnounced struct {
		Who            AccountID
		NewColdkeyHash Hash
	}
	ColdkeySwapped struct {
		OldColdkey AccountID
		NewColdkey AccountID
	}
)
