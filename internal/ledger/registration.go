package ledger

import "adit/internal/scale"

// BurnedRegister buys a hotkey a uid in a subnet, at the price of the moment.
type BurnedRegister struct {
	Netuid uint16    `type:"NetUid"`
	Hotkey AccountID `type:"T::AccountId"`
}

func (c *BurnedRegister) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	return l.register(who, c.Netuid, c.Hotkey, 1<<64-1)
}

// Register is [BurnedRegister] under its older name; the proof of work it once
// asked for is ignored, and so is the coldkey: it is who signs.
type Register struct {
	Netuid      uint16    `type:"NetUid"`
	BlockNumber uint64    `type:"u64"`
	Nonce       uint64    `type:"u64"`
	Work        []byte    `type:"Vec<u8>"`
	Hotkey      AccountID `type:"T::AccountId"`
	Coldkey     AccountID `type:"T::AccountId"`
}

func (c *Register) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	return l.register(who, c.Netuid, c.Hotkey, 1<<64-1)
}

// RegisterLimit is [BurnedRegister] unless the price is above LimitPrice RAO.
type RegisterLimit struct {
	Netuid     uint16    `type:"NetUid"`
	Hotkey     AccountID `type:"T::AccountId"`
	LimitPrice uint64    `type:"u64"`
}

func (c *RegisterLimit) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	return l.register(who, c.Netuid, c.Hotkey, c.LimitPrice)
}

func (l *Ledger) register(coldkey AccountID, netuid uint16, hotkey AccountID, limit uint64) error {
	s := l.s
	if netuid == rootNetuid {
		return ErrRegistrationNotPermittedOnRoot
	}
	if !l.exists(netuid) {
		return ErrSubnetNotExists
	}
	if !sub.NetworkRegistrationAllowed.get(s, netuid) {
		return ErrSubNetRegistrationDisabled
	}
	if sub.Uids.has(s, netuid, hotkey) {
		return ErrHotKeyAlreadyRegisteredInSubNet
	}
	price := sub.Burn.get(s, netuid)
	if price > limit {
		return ErrRegistrationPriceLimitExceeded
	}
	if satSub(l.free(coldkey), existentialDeposit) < price {
		return ErrNotEnoughBalanceToStake
	}
	if owner, known := sub.Owner.lookup(s, hotkey); known && owner != coldkey {
		return ErrNonAssociatedColdKey
	}
	l.adopt(hotkey, coldkey)
	// The price buys alpha that nobody gets.
	if err := l.withdraw(coldkey, price, true); err != nil {
		return err
	}
	alpha := l.quoteBuy(netuid, price, 0)
	l.toPool(netuid, price)
	sub.SubnetAlphaIn.set(s, netuid, sub.SubnetAlphaIn.get(s, netuid)-alpha)
	if alpha > 0 {
		add(l, &alphaAssets.AlphaRecycled, netuid, alpha)
	}
	sub.RAORecycledForRegistration.set(s, netuid, satAdd(sub.RAORecycledForRegistration.get(s, netuid), price))

	uid, err := l.enrol(netuid, hotkey)
	if err != nil {
		return err
	}
	l.raiseBurn(netuid)
	l.emit(SubtensorEvent{NeuronRegistered: &scale.Tuple3[uint16, uint16, AccountID]{F0: netuid, F1: uid, F2: hotkey}})
	return nil
}

// adopt makes coldkey the owner of a hotkey that has none.
func (l *Ledger) adopt(hotkey, coldkey AccountID) {
	if sub.Owner.has(l.s, hotkey) {
		return
	}
	sub.Owner.set(l.s, hotkey, coldkey)
	sub.OwnedHotkeys.set(l.s, coldkey, append(sub.OwnedHotkeys.get(l.s, coldkey), hotkey))
}

// raiseBurn makes the next registration dearer, by 1.26 unless set otherwise.
func (l *Ledger) raiseBurn(netuid uint16) {
	mult := sub.BurnIncreaseMult.get(l.s, netuid).Bits
	burn := sub.Burn.get(l.s, netuid)
	raised := satAdd(mulDiv(burn, mult.Lo>>1, 1<<63), saturatingMul(burn, mult.Hi))
	l.setBurn(netuid, raised)
}

func saturatingMul(a, b uint64) uint64 {
	if a != 0 && b > (1<<64-1)/a {
		return 1<<64 - 1
	}
	return a * b
}

// decayBurn makes the next registration cheaper, by half in BurnHalfLife
// blocks.
func (l *Ledger) decayBurn(netuid uint16) {
	half := uint64(sub.BurnHalfLife.get(l.s, netuid))
	burn := sub.Burn.get(l.s, netuid)
	if half == 0 || burn <= sub.MinBurn.get(l.s, netuid) {
		return
	}
	const ln2 = 2977044472 // in 32 fractional bits
	l.setBurn(netuid, expNeg(fixed(ln2/half)).of(burn))
}

// setBurn stores the price of registration, within its bounds.
func (l *Ledger) setBurn(netuid uint16, burn uint64) {
	least, most := sub.MinBurn.get(l.s, netuid), sub.MaxBurn.get(l.s, netuid)
	sub.Burn.set(l.s, netuid, max(least, min(burn, most)))
}

// enrol gives hotkey a uid: the next one, or in a full subnet that of the
// neuron that is worth least.
func (l *Ledger) enrol(netuid uint16, hotkey AccountID) (uint16, error) {
	s := l.s
	n := sub.SubnetworkN.get(s, netuid)
	if n < sub.MaxAllowedUids.get(s, netuid) {
		sub.SubnetworkN.set(s, netuid, n+1)
		l.place(netuid, n, hotkey)
		return n, nil
	}
	uid, ok := l.leastNeuron(netuid, n)
	if !ok {
		return 0, ErrNoNeuronIDAvailable
	}
	l.evict(netuid, uid)
	l.place(netuid, uid, hotkey)
	return uid, nil
}

// evict takes a uid from its hotkey.
func (l *Ledger) evict(netuid, uid uint16) {
	s := l.s
	old := sub.Keys.get(s, netuid, uid)
	sub.Uids.delete(s, netuid, old)
	sub.IsNetworkMember.delete(s, old, netuid)
	sub.Axons.delete(s, netuid, old)
	sub.NeuronCertificates.delete(s, netuid, old)
	sub.Prometheus.delete(s, netuid, old)
	sub.Weights.delete(s, netuid, uid)
	sub.Bonds.delete(s, netuid, uid)
}

// place puts hotkey at uid, with nothing earned yet.
func (l *Ledger) place(netuid, uid uint16, hotkey AccountID) {
	s := l.s
	sub.Keys.set(s, netuid, uid, hotkey)
	sub.Uids.set(s, netuid, hotkey, uid)
	sub.IsNetworkMember.set(s, hotkey, netuid, true)
	sub.BlockAtRegistration.set(s, netuid, uid, l.number)
	putVector(l, &sub.Active, netuid, uid, true)
	putVector(l, &sub.Consensus, netuid, uid, 0)
	putVector(l, &sub.Incentive, netuid, uid, 0)
	putVector(l, &sub.Dividends, netuid, uid, 0)
	putVector(l, &sub.Emission, netuid, uid, 0)
	putVector(l, &sub.LastUpdate, netuid, uid, l.number)
	putVector(l, &sub.ValidatorTrust, netuid, uid, 0)
	putVector(l, &sub.ValidatorPermit, netuid, uid, false)
	putVector(l, &sub.StakeWeight, netuid, uid, 0)
}

// putVector sets one element of a subnet's vector by uid, and makes it longer
// for a new uid.
func putVector[T any](l *Ledger, d *table[uint16, []T], netuid, uid uint16, x T) {
	v := d.get(l.s, netuid)
	if missing := int(uid) + 1 - len(v); missing > 0 {
		v = append(v, make([]T, missing)...)
	}
	v[uid] = x
	d.set(l.s, netuid, v)
}

// leastNeuron returns the uid to give away: of those no longer immune, or if
// all are, of those immune, the one with the lowest emission, then the oldest,
// then the lowest uid. The owner's hotkey stays.
func (l *Ledger) leastNeuron(netuid, n uint16) (uid uint16, ok bool) {
	s := l.s
	immunity := uint64(sub.ImmunityPeriod.get(s, netuid))
	emission := sub.Emission.get(s, netuid)
	type rank struct {
		immune bool
		worth  uint64
		since  uint64
	}
	var least rank
	for u := range n {
		if l.isOwnerHotkey(netuid, sub.Keys.get(s, netuid, u)) {
			continue
		}
		since := sub.BlockAtRegistration.get(s, netuid, u)
		r := rank{satSub(l.number, since) < immunity, at(emission, int(u)), since}
		less := r.worth < least.worth || r.worth == least.worth && r.since < least.since
		if r.immune != least.immune {
			less = !r.immune
		}
		if !ok || less {
			uid, least, ok = u, r, true
		}
	}
	return uid, ok
}
