package ledger

import (
	"slices"

	"adit/internal/scale"
)

// What it costs to replace keys, in RAO, and how often a hotkey may be replaced
// in a subnet, in blocks.
const (
	keySwapCost         = 100_000_000
	keySwapOnSubnetCost = 1_000_000
	hotkeySwapInterval  = 7200
)

// SwapHotkey replaces a hotkey by a new one, in one subnet or in all: its uids,
// its stake and all that belongs to it.
type SwapHotkey struct {
	Hotkey    AccountID            `type:"T::AccountId"`
	NewHotkey AccountID            `type:"T::AccountId"`
	Netuid    scale.Option[uint16] `type:"Option<NetUid>"`
}

func (c *SwapHotkey) dispatch(l *Ledger, o origin) error {
	return l.swapHotkey(o, c.Hotkey, c.NewHotkey, c.Netuid, false)
}

// SwapHotkeyV2 is [SwapHotkey] that may leave the stake with the old hotkey.
type SwapHotkeyV2 struct {
	Hotkey    AccountID            `type:"T::AccountId"`
	NewHotkey AccountID            `type:"T::AccountId"`
	Netuid    scale.Option[uint16] `type:"Option<NetUid>"`
	KeepStake bool                 `type:"bool"`
}

func (c *SwapHotkeyV2) dispatch(l *Ledger, o origin) error {
	return l.swapHotkey(o, c.Hotkey, c.NewHotkey, c.Netuid, c.KeepStake)
}

func (l *Ledger) swapHotkey(o origin, old, now AccountID, only scale.Option[uint16], keepStake bool) error {
	coldkey, err := o.signer()
	if err != nil {
		return err
	}
	s := l.s
	lastTx := RateLimitKey{LastTxBlock: &coldkey}
	last, limit := sub.LastRateLimitedBlock.get(s, lastTx), sub.TxRateLimit.get(s)
	owner, known := sub.Owner.lookup(s, now)
	price, cost := uint64(keySwapCost), ErrNotEnoughBalanceToPaySwapHotKey
	if only.Some {
		price = keySwapOnSubnetCost
	}
	switch {
	case !l.owns(coldkey, old):
		return ErrNonAssociatedColdKey
	case old == now:
		return ErrNewHotKeyIsSameWithOld
	case limit != 0 && last != 0 && satSub(l.number, last) <= limit:
		return ErrHotKeySetTxRateLimitExceeded
	case !only.Some && l.registered(now), only.Some && sub.Uids.has(s, only.V, now):
		return ErrHotKeyAlreadyRegisteredInSubNet
	case known && owner != coldkey:
		return ErrNonAssociatedColdKey
	case only.Some && !l.exists(only.V):
		return ErrSubnetNotExists
	case only.Some && satAdd(sub.LastHotkeySwapOnNetuid.get(s, only.V, coldkey), hotkeySwapInterval) >= l.number:
		return ErrHotKeySwapOnSubnetInterval
	case satSub(l.free(coldkey), existentialDeposit) < price:
		return cost
	case !keepStake && (!only.Some || only.V == rootNetuid) && !l.cleanInRoot(now):
		return ErrNewHotKeyNotCleanForRootSwap
	}
	if err := l.withdraw(coldkey, price, true); err != nil {
		return err
	}
	l.unissue(price)
	l.adopt(now, coldkey)
	if only.Some {
		l.replaceIn(only.V, old, now, keepStake)
		sub.LastHotkeySwapOnNetuid.set(s, only.V, coldkey, l.number)
		sub.LastRateLimitedBlock.set(s, lastTx, l.number)
		l.emit(SubtensorEvent{HotkeySwappedOnSubnet: &HotkeySwappedOnSubnet{coldkey, old, now, only.V}})
		return nil
	}
	l.networks(func(netuid uint16) { l.replaceIn(netuid, old, now, keepStake) })
	if sub.Delegates.has(s, old) {
		sub.Delegates.set(s, now, sub.Delegates.get(s, old))
	}
	// Unlike upstream, a hotkey that keeps its stake keeps its owner too: else
	// nobody could unstake.
	if !keepStake {
		sub.Delegates.delete(s, old)
		sub.Owner.delete(s, old)
		sub.OwnedHotkeys.set(s, coldkey, without(sub.OwnedHotkeys.get(s, coldkey), old))
	}
	sub.LastRateLimitedBlock.set(s, lastTx, l.number)
	l.emit(SubtensorEvent{HotkeySwapped: &HotkeySwapped{coldkey, old, now}})
	return nil
}

// cleanInRoot reports whether a hotkey has nothing in root that another's
// could be mixed up with.
func (l *Ledger) cleanInRoot(hotkey AccountID) bool {
	return sub.TotalHotkeyAlpha.get(l.s, hotkey, rootNetuid) == 0 && len(l.claimRates(hotkey)) == 0
}

func without(list []AccountID, who AccountID) []AccountID {
	return slices.DeleteFunc(list, func(a AccountID) bool { return a == who })
}

// replaceIn replaces a hotkey in one network.
func (l *Ledger) replaceIn(netuid uint16, old, now AccountID, keepStake bool) {
	s := l.s
	if uid, ok := sub.Uids.lookup(s, netuid, old); ok {
		sub.Uids.delete(s, netuid, old)
		sub.Uids.set(s, netuid, now, uid)
		sub.Keys.set(s, netuid, uid, now)
		sub.IsNetworkMember.delete(s, old, netuid)
		sub.IsNetworkMember.set(s, now, netuid, true)
		rename(s, &sub.Prometheus, netuid, old, now)
		rename(s, &sub.Axons, netuid, old, now)
		rename(s, &sub.NeuronCertificates, netuid, old, now)
		rename(s, &sub.WeightCommits, netuid, old, now)
	}
	l.replaceKin(netuid, old, now)
	if l.isOwnerHotkey(netuid, old) {
		sub.SubnetOwnerHotkey.set(s, netuid, now)
	}
	if keepStake {
		return
	}
	if earned := sub.AlphaDividendsPerSubnet.get(s, netuid, old); earned > 0 {
		sub.AlphaDividendsPerSubnet.delete(s, netuid, old)
		sub.AlphaDividendsPerSubnet.set(s, netuid, now, satAdd(earned, sub.AlphaDividendsPerSubnet.get(s, netuid, now)))
	}
	for _, coldkey := range l.stakers(old, netuid) {
		if netuid == rootNetuid {
			for _, r := range l.claimRates(old) {
				l.setClaimed(now, coldkey, r.F0, sub.RootClaimed.get(s, r.F0, old, coldkey).Lo)
				l.setClaimed(old, coldkey, r.F0, 0)
			}
		}
		if n := l.stakeOf(old, coldkey, netuid); n > 0 {
			l.shrink(old, coldkey, netuid, n)
			l.grow(now, coldkey, netuid, n)
		}
	}
	if rates := l.claimRates(old); netuid == rootNetuid && len(rates) > 0 {
		sub.RootClaimable.delete(s, old)
		sub.RootClaimable.set(s, now, rates)
	}
}

// rename moves what is on record for a hotkey.
func rename[V any](s *state, d *table2[uint16, AccountID, V], netuid uint16, old, now AccountID) {
	if v, ok := d.lookup(s, netuid, old); ok {
		d.delete(s, netuid, old)
		d.set(s, netuid, now, v)
	}
}

// stakers returns the coldkeys that stake with a hotkey in a network, in
// storage order.
func (l *Ledger) stakers(hotkey AccountID, netuid uint16) []AccountID {
	var list []AccountID
	l.eachStake(hotkey, func(coldkey AccountID, id uint16) {
		if id == netuid {
			list = append(list, coldkey)
		}
	})
	return list
}

// eachStake calls f with each coldkey and network in which it stakes with
// hotkey, in storage order.
func (l *Ledger) eachStake(hotkey AccountID, f func(coldkey AccountID, netuid uint16)) {
	head := string(sub.Alpha.head(hotkey))
	for _, key := range l.s.under(head, "", -1) {
		var coldkey AccountID
		var netuid uint16
		unkey(key[len(head):], sub.Alpha.hashers[1:], &coldkey, &netuid)
		f(coldkey, netuid)
	}
}

// replaceKin puts a hotkey into the place of another among its parents and
// children, those to come included.
func (l *Ledger) replaceKin(netuid uint16, old, now AccountID) {
	s := l.s
	swapName := func(d *table2[AccountID, uint16, []kin], of AccountID) {
		list := d.get(s, of, netuid)
		for i := range list {
			if list[i].F1 == old {
				list[i].F1 = now
			}
		}
		setKin(s, d, of, netuid, list)
	}
	for _, c := range sub.ChildKeys.get(s, old, netuid) {
		swapName(&sub.ParentKeys, c.F1)
	}
	for _, p := range sub.ParentKeys.get(s, old, netuid) {
		swapName(&sub.ChildKeys, p.F1)
	}
	for _, d := range []*table2[AccountID, uint16, []kin]{&sub.ChildKeys, &sub.ParentKeys} {
		if list, ok := d.lookup(s, old, netuid); ok {
			d.delete(s, old, netuid)
			setKin(s, d, now, netuid, slices.DeleteFunc(list, func(k kin) bool { return k.F1 == now }))
		}
	}
	rename(s, &sub.PendingChildKeys, netuid, old, now)
	changed := map[AccountID]pendingChildren{}
	var order []AccountID
	sub.PendingChildKeys.each(s, netuid, func(who AccountID, p pendingChildren) {
		for i := range p.F0 {
			if p.F0[i].F1 == old {
				p.F0[i].F1 = now
				changed[who] = p
				order = append(order, who)
			}
		}
	})
	for _, who := range order {
		sub.PendingChildKeys.set(s, netuid, who, changed[who])
	}
}

// The contents of the events of swaps.
type (
	HotkeySwapped struct {
		Coldkey   AccountID
		OldHotkey AccountID
		NewHotkey AccountID
	}
	HotkeySwappedOnSubnet struct {
		Coldkey   AccountID
		OldHotkey AccountID
		NewHotkey AccountID
		Netuid    uint16
	}
)
