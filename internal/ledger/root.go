package ledger

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"adit/internal/scale"
)

// networks calls f with every network, root first.
func (l *Ledger) networks(f func(netuid uint16)) {
	f(rootNetuid)
	l.subnets(f)
}

// RootRegister gives a hotkey a place in root. In a full root it takes that of
// the hotkey with the least stake, if it has more.
type RootRegister struct {
	Hotkey AccountID `type:"T::AccountId"`
}

func (c *RootRegister) dispatch(l *Ledger, o origin) error {
	coldkey, err := o.signer()
	if err != nil {
		return err
	}
	s := l.s
	if sub.Uids.has(s, rootNetuid, c.Hotkey) {
		return ErrHotKeyAlreadyRegisteredInSubNet
	}
	if owner, known := sub.Owner.lookup(s, c.Hotkey); known && owner != coldkey {
		return ErrNonAssociatedColdKey
	}
	l.adopt(c.Hotkey, coldkey)
	n := sub.SubnetworkN.get(s, rootNetuid)
	uid := n
	if n < sub.MaxAllowedUids.get(s, rootNetuid) {
		sub.SubnetworkN.set(s, rootNetuid, n+1)
	} else {
		least := uint64(0)
		for u := range n {
			stake := sub.TotalHotkeyAlpha.get(s, sub.Keys.get(s, rootNetuid, u), rootNetuid)
			if u == 0 || stake < least {
				uid, least = u, stake
			}
		}
		if sub.TotalHotkeyAlpha.get(s, c.Hotkey, rootNetuid) <= least {
			return ErrStakeTooLowForRoot
		}
		l.evict(rootNetuid, uid)
	}
	l.place(rootNetuid, uid, c.Hotkey)
	if !sub.Delegates.has(s, c.Hotkey) {
		sub.Delegates.set(s, c.Hotkey, sub.Delegates.get(s, c.Hotkey))
	}
	l.emit(SubtensorEvent{NeuronRegistered: &scale.Tuple3[uint16, uint16, AccountID]{F0: rootNetuid, F1: uid, F2: c.Hotkey}})
	return nil
}

// Stakers of root earn a part of each subnet's alpha. It piles up as a rate per
// TAO staked (RootClaimable) until somebody claims it; what a staker has
// claimed, or was not there for, is on record (RootClaimed).

// A claimRate is a subnet and how much of its alpha each TAO in root has
// earned, in I96F32.
type claimRate = scale.Tuple2[uint16, FixedI128]

// claimRates are the rates of a hotkey, in order of the subnets: a map.
type claimRates []claimRate

// ScaleName implements [scale.Named].
func (claimRates) ScaleName() string { return "BTreeMap" }

// RootClaimType says what a claim does: sell the alpha for TAO that are staked
// in root, keep it, or keep that of some subnets.
type RootClaimType struct {
	scale.Enum
	Swap        *scale.Unit  `scale:"0"`
	Keep        *scale.Unit  `scale:"1"`
	KeepSubnets *KeepSubnets `scale:"2"`
}

// ScaleName implements [scale.Named].
func (RootClaimType) ScaleName() string { return "pallet_subtensor::pallet::RootClaimTypeEnum" }

// KeepSubnets lists subnets, in order: a set.
type KeepSubnets struct{ Subnets []uint16 }

// claimRates returns the rates of a hotkey, by subnet.
func (l *Ledger) claimRates(hotkey AccountID) []claimRate { return sub.RootClaimable.get(l.s, hotkey) }

func rateOf(r claimRate) fixed { return fixed(r.F1.Bits.Lo) }

// earnRoot lets the root stakers of a hotkey earn alpha that is out, but in
// nobody's stake. Where there is more alpha than TAO it goes to the owner.
func (l *Ledger) earnRoot(hotkey AccountID, netuid uint16, alpha uint64) {
	s := l.s
	if alpha == 0 {
		return
	}
	total := sub.TotalHotkeyAlpha.get(s, hotkey, rootNetuid)
	if alpha > total {
		l.grow(hotkey, sub.Owner.get(s, hotkey), netuid, alpha)
		return
	}
	rates := l.claimRates(hotkey)
	at, found := slices.BinarySearchFunc(rates, netuid, func(r claimRate, n uint16) int { return cmp.Compare(r.F0, n) })
	if !found {
		rates = slices.Insert(rates, at, claimRate{F0: netuid})
	}
	rate := rateOf(rates[at]).add(ratio(alpha, total))
	rates[at].F1 = FixedI128{scale.I128{Lo: uint64(rate)}}
	sub.RootClaimable.set(s, hotkey, rates)
}

// owed returns the alpha that a staker of root can claim.
func (l *Ledger) owed(hotkey, coldkey AccountID, r claimRate) uint64 {
	due := rateOf(r).of(l.stakeOf(hotkey, coldkey, rootNetuid))
	return satSub(due, sub.RootClaimed.get(l.s, r.F0, hotkey, coldkey).Lo)
}

// rootStaked notes that stake has come into root, which has no part in what was
// earned before. Unlike upstream, it is rounded up: what nobody has cannot be
// claimed.
func (l *Ledger) rootStaked(hotkey, coldkey AccountID, tao uint64) {
	for _, r := range l.claimRates(hotkey) {
		_, lo := bits.Mul64(tao, uint64(rateOf(r)))
		n := rateOf(r).of(tao)
		if lo<<32 != 0 {
			n = satAdd(n, 1)
		}
		l.setClaimed(hotkey, coldkey, r.F0, satAdd(sub.RootClaimed.get(l.s, r.F0, hotkey, coldkey).Lo, n))
	}
	l.indexStaker(coldkey)
}

// indexStaker makes a coldkey one of those for whom blocks claim.
func (l *Ledger) indexStaker(coldkey AccountID) {
	if sub.StakingColdkeys.has(l.s, coldkey) {
		return
	}
	n := sub.NumStakingColdkeys.get(l.s)
	sub.StakingColdkeysByIndex.set(l.s, n, coldkey)
	sub.StakingColdkeys.set(l.s, coldkey, n)
	sub.NumStakingColdkeys.set(l.s, n+1)
}

// rootUnstaked notes that stake leaves root.
func (l *Ledger) rootUnstaked(hotkey, coldkey AccountID, tao uint64) {
	for _, r := range l.claimRates(hotkey) {
		claimed := sub.RootClaimed.get(l.s, r.F0, hotkey, coldkey).Lo
		l.setClaimed(hotkey, coldkey, r.F0, satSub(claimed, rateOf(r).of(tao)))
	}
}

func (l *Ledger) setClaimed(hotkey, coldkey AccountID, netuid uint16, n uint64) {
	if n == 0 {
		sub.RootClaimed.delete(l.s, netuid, hotkey, coldkey)
		return
	}
	sub.RootClaimed.set(l.s, netuid, hotkey, coldkey, scale.U128{Lo: n})
}

// claim pays a coldkey what it has earned in root with a hotkey in some
// subnets, or in all.
func (l *Ledger) claim(hotkey, coldkey AccountID, only []uint16) {
	kind := sub.RootClaimType.get(l.s, coldkey)
	for _, r := range l.claimRates(hotkey) {
		if only != nil && !slices.Contains(only, r.F0) || !l.exists(r.F0) {
			continue
		}
		n := l.owed(hotkey, coldkey, r)
		if n == 0 || n < sub.RootClaimableThreshold.get(l.s, r.F0).Bits.Lo>>32 {
			continue
		}
		keep := kind.Keep != nil || kind.KeepSubnets != nil && slices.Contains(kind.KeepSubnets.Subnets, r.F0)
		if keep {
			l.grow(hotkey, coldkey, r.F0, n)
		} else {
			mark, events := l.s.mark(), l.events.mark()
			tao, err := l.sell(r.F0, n, 0)
			if err == nil {
				_, err = l.buy(rootNetuid, tao, 0)
			}
			if err != nil {
				l.s.rollback(mark)
				l.events.rollback(events)
				continue
			}
			l.grow(hotkey, coldkey, rootNetuid, tao)
			l.rootStaked(hotkey, coldkey, tao)
		}
		l.setClaimed(hotkey, coldkey, r.F0, satAdd(sub.RootClaimed.get(l.s, r.F0, hotkey, coldkey).Lo, n))
	}
}

// maxClaims is how many subnets one claim may name.
const maxClaims = 5

// ClaimRoot pays out what the signer has earned in root in some subnets.
type ClaimRoot struct {
	Subnets []uint16 `type:"BTreeSet<NetUid>"`
}

func (c *ClaimRoot) dispatch(l *Ledger, o origin) error {
	coldkey, err := o.signer()
	if err != nil {
		return err
	}
	if len(c.Subnets) == 0 || len(c.Subnets) > maxClaims {
		return ErrInvalidSubnetNumber
	}
	for _, hotkey := range sub.StakingHotkeys.get(l.s, coldkey) {
		l.claim(hotkey, coldkey, c.Subnets)
	}
	l.emit(SubtensorEvent{RootClaimed: &RootClaimed{coldkey}})
	return nil
}

// claimSome claims for a few stakers in each block, picked by the hash of the
// one before.
func (l *Ledger) claimSome() {
	n := sub.NumStakingColdkeys.get(l.s)
	if n == 0 {
		return
	}
	hash := system.ParentHash.get(l.s)
	last := binary.BigEndian.Uint64(hash[:8])
	seen := map[uint64]bool{}
	for i := range sub.NumRootClaim.get(l.s) {
		at := i * 8 % 32
		last = satAdd(last, binary.BigEndian.Uint64(hash[at:at+8])) % n
		if seen[last] {
			continue
		}
		seen[last] = true
		coldkey, ok := sub.StakingColdkeysByIndex.lookup(l.s, last)
		if !ok {
			continue
		}
		for _, hotkey := range sub.StakingHotkeys.get(l.s, coldkey) {
			l.claim(hotkey, coldkey, nil)
		}
		l.emit(SubtensorEvent{RootClaimed: &RootClaimed{coldkey}})
	}
}

// RootClaimed says that somebody was paid what was earned in root.
type RootClaimed struct{ Coldkey AccountID }

// SetRootClaimType says what the signer's claims do.
type SetRootClaimType struct {
	NewRootClaimType RootClaimType `type:"RootClaimTypeEnum"`
}

func (c *SetRootClaimType) dispatch(l *Ledger, o origin) error {
	coldkey, err := o.signer()
	if err != nil {
		return err
	}
	if k := c.NewRootClaimType.KeepSubnets; k != nil {
		if len(k.Subnets) == 0 || len(k.Subnets) > int(sub.SubnetLimit.get(l.s)) {
			return ErrInvalidSubnetNumber
		}
		slices.Sort(k.Subnets)
		k.Subnets = slices.Compact(k.Subnets)
	}
	sub.RootClaimType.set(l.s, coldkey, c.NewRootClaimType)
	l.emit(SubtensorEvent{RootClaimTypeSet: &RootClaimTypeSet{coldkey, c.NewRootClaimType}})
	return nil
}

// RootClaimTypeSet says what a coldkey's claims now do.
type RootClaimTypeSet struct {
	Coldkey       AccountID
	RootClaimType RootClaimType
}

// SetNumRootClaims sets for how many stakers a block claims by itself.
type SetNumRootClaims struct {
	NewValue uint64 `type:"u64"`
}

func (c *SetNumRootClaims) dispatch(l *Ledger, o origin) error {
	const most = 50
	if err := onlyRoot(o); err != nil {
		return err
	}
	if c.NewValue > most {
		return ErrInvalidNumRootClaim
	}
	sub.NumRootClaim.set(l.s, c.NewValue)
	return nil
}

// SetRootClaimThreshold sets below how many RAO of a subnet's alpha nothing is
// paid out.
type SetRootClaimThreshold struct {
	Netuid   uint16 `type:"NetUid"`
	NewValue uint64 `type:"u64"`
}

func (c *SetRootClaimThreshold) dispatch(l *Ledger, o origin) error {
	const most = 10_000_000
	if err := l.ownerOrRoot(o, c.Netuid); err != nil {
		return err
	}
	if c.NewValue > most {
		return ErrInvalidRootClaimThreshold
	}
	sub.RootClaimableThreshold.set(l.s, c.Netuid, FixedI128{scale.I128{Lo: c.NewValue << 32}})
	return nil
}
