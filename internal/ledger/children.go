package ledger

import (
	"bytes"
	"math/bits"
	"slices"

	"adit/internal/scale"
)

// A hotkey can lend parts of its stake to others: its children validate with
// them in a subnet, and share the dividends.

// A kin is a child or a parent, and the proportion of the parent's stake, of
// 2^64-1.
type kin = scale.Tuple2[uint64, AccountID]

// maxChildren is how many children a hotkey may have in a subnet.
const maxChildren = 5

// The kinds of transactions that are limited by hotkey and subnet, as the chain
// numbers them.
const (
	txSetChildren     = 0
	txSetChildkeyTake = 1
)

// setChildrenRate is after how many blocks children may be set again.
const setChildrenRate = 150

// rateLimited reports whether a hotkey must wait before it does kind again.
func (l *Ledger) rateLimited(hotkey AccountID, netuid, kind uint16, limit uint64) bool {
	last := sub.TransactionKeyLastBlock.get(l.s, hotkey, netuid, kind)
	return last != 0 && satSub(l.number, last) < limit
}

// SetChildren replaces a hotkey's children in a subnet, all of them. Once the
// subnet has started they take effect after a cool-down, with an epoch.
type SetChildren struct {
	Hotkey   AccountID `type:"T::AccountId"`
	Netuid   uint16    `type:"NetUid"`
	Children []kin     `type:"Vec<(u64, T::AccountId)>"`
}

func (c *SetChildren) dispatch(l *Ledger, o origin) error {
	coldkey, err := o.signer()
	if err != nil {
		return err
	}
	s := l.s
	switch {
	case l.rateLimited(c.Hotkey, c.Netuid, txSetChildren, setChildrenRate):
		return ErrTxRateLimitExceeded
	case c.Netuid == rootNetuid:
		return ErrRegistrationNotPermittedOnRoot
	case !l.exists(c.Netuid):
		return ErrSubnetNotExists
	case !l.owns(coldkey, c.Hotkey):
		return ErrNonAssociatedColdKey
	}
	if err := l.checkChildren(c.Hotkey, c.Netuid, c.Children); err != nil {
		return err
	}
	if len(c.Children) > 0 && !l.isOwnerHotkey(c.Netuid, c.Hotkey) && l.totalStake(c.Hotkey) < sub.StakeThreshold.get(s) {
		return ErrNotEnoughStakeToSetChildkeys
	}
	sub.TransactionKeyLastBlock.set(s, c.Hotkey, c.Netuid, txSetChildren, l.number)
	if !sub.SubtokenEnabled.get(s, c.Netuid) {
		l.applyChildren(c.Netuid, c.Hotkey, c.Children)
		return nil
	}
	at := satAdd(l.number, sub.PendingChildKeyCooldown.get(s))
	sub.PendingChildKeys.set(s, c.Netuid, c.Hotkey, pendingChildren{F0: c.Children, F1: at})
	l.emit(SubtensorEvent{SetChildrenScheduled: &scale.Tuple4[AccountID, uint16, uint64, []kin]{F0: c.Hotkey, F1: c.Netuid, F2: at, F3: c.Children}})
	return nil
}

// pendingChildren are children and the block after which they take effect.
type pendingChildren = scale.Tuple2[[]kin, uint64]

// owns reports whether coldkey owns hotkey.
func (l *Ledger) owns(coldkey, hotkey AccountID) bool {
	owner, ok := sub.Owner.lookup(l.s, hotkey)
	return ok && owner == coldkey
}

// totalStake returns what all stake with a hotkey is worth, in RAO of TAO.
func (l *Ledger) totalStake(hotkey AccountID) uint64 {
	total := uint64(0)
	l.networks(func(netuid uint16) {
		total = satAdd(total, mulDiv(sub.TotalHotkeyAlpha.get(l.s, hotkey, netuid), l.Price(netuid), priceUnit))
	})
	return total
}

// checkChildren checks that children could be set: no hotkey twice, none its
// own child or the child of its child, no more than there may be, and no more
// than the whole lent.
func (l *Ledger) checkChildren(hotkey AccountID, netuid uint16, children []kin) error {
	for i, c := range children {
		if slices.ContainsFunc(children[:i], func(k kin) bool { return k.F1 == c.F1 }) {
			return ErrDuplicateChild
		}
	}
	for _, c := range children {
		if c.F1 == hotkey {
			return ErrInvalidChild
		}
	}
	if len(children) > maxChildren {
		return ErrTooManyChildren
	}
	var sum, over uint64
	for _, c := range children {
		if sum, over = bits.Add64(sum, c.F0, 0); over != 0 {
			return ErrProportionOverflow
		}
	}
	parents := sub.ParentKeys.get(l.s, hotkey, netuid)
	for _, c := range children {
		if slices.ContainsFunc(parents, func(k kin) bool { return k.F1 == c.F1 }) {
			return ErrChildParentInconsistency
		}
	}
	return nil
}

// applyChildren makes children a hotkey's children, in both directions. What
// has become inconsistent meanwhile is dropped in silence.
func (l *Ledger) applyChildren(netuid uint16, hotkey AccountID, children []kin) {
	if l.checkChildren(hotkey, netuid, children) != nil {
		return
	}
	s := l.s
	for _, old := range sub.ChildKeys.get(s, hotkey, netuid) {
		l.setParent(old.F1, netuid, hotkey, 0, false)
	}
	// In the order of keys, as the chain's maps keep them.
	sorted := slices.SortedFunc(slices.Values(children), func(a, b kin) int { return bytes.Compare(a.F1[:], b.F1[:]) })
	setKin(s, &sub.ChildKeys, hotkey, netuid, sorted)
	for _, c := range sorted {
		l.setParent(c.F1, netuid, hotkey, c.F0, true)
	}
	l.emit(SubtensorEvent{SetChildren: &scale.Tuple3[AccountID, uint16, []kin]{F0: hotkey, F1: netuid, F2: children}})
}

// setKin stores a list, or nothing if it is empty.
func setKin(s *state, d *table2[AccountID, uint16, []kin], who AccountID, netuid uint16, list []kin) {
	if len(list) == 0 {
		d.delete(s, who, netuid)
		return
	}
	d.set(s, who, netuid, list)
}

// setParent writes or removes one parent of a child.
func (l *Ledger) setParent(child AccountID, netuid uint16, parent AccountID, proportion uint64, keep bool) {
	list := sub.ParentKeys.get(l.s, child, netuid)
	at := slices.IndexFunc(list, func(k kin) bool { return k.F1 == parent })
	switch {
	case keep && at >= 0:
		list[at].F0 = proportion
	case keep:
		list = append(list, kin{F0: proportion, F1: parent})
	case at >= 0:
		list = slices.Delete(list, at, at+1)
	}
	setKin(l.s, &sub.ParentKeys, child, netuid, list)
}

// settleChildren applies the children of a subnet whose cool-down is over.
func (l *Ledger) settleChildren(netuid uint16) {
	var due []AccountID
	sub.PendingChildKeys.each(l.s, netuid, func(hotkey AccountID, p pendingChildren) {
		if p.F1 < l.number || !sub.SubtokenEnabled.get(l.s, netuid) {
			due = append(due, hotkey)
		}
	})
	for _, hotkey := range due {
		l.applyChildren(netuid, hotkey, sub.PendingChildKeys.get(l.s, netuid, hotkey).F0)
		sub.PendingChildKeys.delete(l.s, netuid, hotkey)
	}
}

// SetChildkeyTake sets which part of a parent's dividends a child keeps, of
// 65535. Raising it has a rate limit.
type SetChildkeyTake struct {
	Hotkey AccountID `type:"T::AccountId"`
	Netuid uint16    `type:"NetUid"`
	Take   uint16    `type:"u16"`
}

func (c *SetChildkeyTake) dispatch(l *Ledger, o origin) error {
	coldkey, err := o.signer()
	if err != nil {
		return err
	}
	s := l.s
	switch {
	case !l.owns(coldkey, c.Hotkey):
		return ErrNonAssociatedColdKey
	case c.Take < l.minChildkeyTake(c.Netuid) || c.Take > sub.MaxChildkeyTake.get(s):
		return ErrInvalidChildkeyTake
	case c.Take > l.childkeyTake(c.Hotkey, c.Netuid) &&
		l.rateLimited(c.Hotkey, c.Netuid, txSetChildkeyTake, sub.TxChildkeyTakeRateLimit.get(s)):
		return ErrTxChildkeyTakeRateLimit
	}
	sub.TransactionKeyLastBlock.set(s, c.Hotkey, c.Netuid, txSetChildkeyTake, l.number)
	sub.ChildkeyTake.set(s, c.Hotkey, c.Netuid, c.Take)
	l.emit(SubtensorEvent{ChildKeyTakeSet: &scale.Tuple2[AccountID, uint16]{F0: c.Hotkey, F1: c.Take}})
	return nil
}

func (l *Ledger) minChildkeyTake(netuid uint16) uint16 {
	return max(sub.MinChildkeyTake.get(l.s), sub.MinChildkeyTakePerSubnet.get(l.s, netuid))
}

func (l *Ledger) childkeyTake(hotkey AccountID, netuid uint16) uint16 {
	return max(sub.ChildkeyTake.get(l.s, hotkey, netuid), l.minChildkeyTake(netuid))
}

// SetPendingChildkeyCooldown sets how many blocks new children wait.
type SetPendingChildkeyCooldown struct {
	Cooldown uint64 `type:"u64"`
}

func (c *SetPendingChildkeyCooldown) dispatch(l *Ledger, o origin) error {
	if err := onlyRoot(o); err != nil {
		return err
	}
	sub.PendingChildKeyCooldown.set(l.s, c.Cooldown)
	return nil
}

// A dividend is what a hotkey has earned as a validator, as a weight.
type dividend struct {
	who AccountID
	n   uint64
}

// shareDividend splits a validator's dividend with its parents, by what each
// has contributed. The child keeps its take, except from its own coldkey.
func (l *Ledger) shareDividend(hotkey AccountID, netuid uint16, n uint64) []dividend {
	s := l.s
	parents := sub.ParentKeys.get(s, hotkey, netuid)
	if len(parents) == 0 {
		return []dividend{{hotkey, n}}
	}
	total := l.weightOf(hotkey, netuid)
	take := fromU16(l.childkeyTake(hotkey, netuid))
	owner := sub.Owner.get(s, hotkey)
	rest := n
	var shares []dividend
	for _, p := range parents {
		alpha := portionOf(sub.TotalHotkeyAlpha.get(s, p.F1, netuid), p.F0).whole()
		tao := portionOf(sub.TotalHotkeyAlpha.get(s, p.F1, rootNetuid), p.F0).whole()
		part := min(mulDiv(n, satAdd(alpha, l.weighTao(tao)), total), rest)
		if sub.Owner.get(s, p.F1) != owner {
			part -= take.of(part)
		}
		if part > 0 {
			shares = append(shares, dividend{p.F1, part})
			rest -= part
		}
	}
	return append(shares, dividend{hotkey, rest})
}
