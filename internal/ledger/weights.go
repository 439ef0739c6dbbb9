package ledger

import "adit/internal/scale"

// SetWeights sets a validator's weights on the neurons of a subnet. They are
// scaled so that the largest is 65535.
type SetWeights struct {
	Netuid     uint16   `type:"NetUid"`
	Dests      []uint16 `type:"Vec<u16>"`
	Weights    []uint16 `type:"Vec<u16>"`
	VersionKey uint64   `type:"u64"`
}

func (c *SetWeights) free() {}

// precheck keeps weights out of the pool that would come too early or from too
// little stake.
func (c *SetWeights) precheck(l *Ledger, who AccountID) error {
	if !l.enoughStake(who, c.Netuid) {
		return ErrNotEnoughStakeToSetWeights
	}
	if uid, ok := sub.Uids.lookup(l.s, c.Netuid, who); ok && !l.weightsDue(c.Netuid, uid) {
		return ErrSettingWeightsTooFast
	}
	return nil
}

func (c *SetWeights) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	if sub.CommitRevealWeightsEnabled.get(l.s, c.Netuid) {
		return ErrCommitRevealEnabled
	}
	return l.setWeights(who, c.Netuid, 0, c.Dests, c.Weights, c.VersionKey)
}

// SetMechanismWeights is [SetWeights] for one mechanism of a subnet. There is
// one, number 0.
type SetMechanismWeights struct {
	Netuid     uint16   `type:"NetUid"`
	Mecid      uint8    `type:"MechId"`
	Dests      []uint16 `type:"Vec<u16>"`
	Weights    []uint16 `type:"Vec<u16>"`
	VersionKey uint64   `type:"u64"`
}

func (c *SetMechanismWeights) free() {}

func (c *SetMechanismWeights) precheck(l *Ledger, who AccountID) error {
	return (&SetWeights{Netuid: c.Netuid}).precheck(l, who)
}

func (c *SetMechanismWeights) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	if sub.CommitRevealWeightsEnabled.get(l.s, c.Netuid) {
		return ErrCommitRevealEnabled
	}
	return l.setWeights(who, c.Netuid, c.Mecid, c.Dests, c.Weights, c.VersionKey)
}

// BatchSetWeights sets weights in several subnets; what fails in one leaves
// the others.
type BatchSetWeights struct {
	Netuids     []scale.Compact[uint16]                                        `type:"Vec<Compact<NetUid>>"`
	Weights     [][]scale.Tuple2[scale.Compact[uint16], scale.Compact[uint16]] `type:"Vec<Vec<(Compact<u16>, Compact<u16>)>>"`
	VersionKeys []scale.Compact[uint64]                                        `type:"Vec<Compact<u64>>"`
}

func (c *BatchSetWeights) free() {}

func (c *BatchSetWeights) dispatch(l *Ledger, o origin) error {
	if _, err := o.signer(); err != nil {
		return err
	}
	if len(c.Netuids) != len(c.Weights) || len(c.Netuids) != len(c.VersionKeys) {
		return ErrInputLengthsUnequal
	}
	return l.weightsBatch(o, c.Netuids, func(i int) Call {
		one := &SetWeights{Netuid: c.Netuids[i].V, VersionKey: c.VersionKeys[i].V}
		for _, w := range c.Weights[i] {
			one.Dests = append(one.Dests, w.F0.V)
			one.Weights = append(one.Weights, w.F1.V)
		}
		return one
	})
}

// setWeights makes the checks in the chain's order, each with its error, and
// stores the weights.
func (l *Ledger) setWeights(who AccountID, netuid uint16, mecid uint8, uids, values []uint16, version uint64) error {
	s := l.s
	if netuid == rootNetuid {
		return ErrCanNotSetRootNetworkWeights
	}
	if len(uids) != len(values) {
		return ErrWeightVecNotEqualSize
	}
	if !l.exists(netuid) {
		return ErrSubnetNotExists
	}
	if mecid >= sub.MechanismCountCurrent.get(s, netuid) {
		return ErrMechanismDoesNotExist
	}
	n := sub.SubnetworkN.get(s, netuid)
	if len(uids) > int(n) {
		return ErrUidsLengthExceedUidsInSubNet
	}
	uid, ok := sub.Uids.lookup(s, netuid, who)
	if !ok {
		return ErrHotKeyNotRegisteredInSubNet
	}
	if !l.enoughStake(who, netuid) {
		return ErrNotEnoughStakeToSetWeights
	}
	if want := sub.WeightsVersionKey.get(s, netuid); want != 0 && version < want {
		return ErrIncorrectWeightVersionKey
	}
	if !sub.CommitRevealWeightsEnabled.get(s, netuid) && !l.weightsDue(netuid, uid) {
		return ErrSettingWeightsTooFast
	}
	self := len(uids) == 1 && uids[0] == uid
	if !self && !at(sub.ValidatorPermit.get(s, netuid), int(uid)) && !l.isOwnerHotkey(netuid, who) {
		return ErrNeuronNoValidatorPermit
	}
	var seen [1 << 16 / 64]uint64
	for _, u := range uids {
		if seen[u/64]>>(u%64)&1 != 0 {
			return ErrDuplicateUids
		}
		seen[u/64] |= 1 << (u % 64)
	}
	for _, u := range uids {
		if u >= n {
			return ErrUidVecContainInvalidOne
		}
	}
	if least := min(sub.MinAllowedWeights.get(s, netuid), n); !self && len(uids) < int(least) {
		return ErrWeightVecLengthIsLow
	}
	row := upscale(uids, values)
	if limit := sub.MaxWeightsLimit.get(s, netuid); !self && exceeds(row, limit) {
		return ErrMaxWeightExceeded
	}
	sub.Weights.set(s, netuid, uid, row)
	// Weights that were committed first count from then.
	if !sub.CommitRevealWeightsEnabled.get(s, netuid) {
		putVector(l, &sub.LastUpdate, netuid, uid, l.number)
	}
	l.emit(SubtensorEvent{WeightsSet: &netU16{F0: netuid, F1: uid}})
	return nil
}

// weightsDue reports whether the rate limit lets uid set weights again.
func (l *Ledger) weightsDue(netuid, uid uint16) bool {
	last := at(sub.LastUpdate.get(l.s, netuid), int(uid))
	return last == 0 || satSub(l.number, last) >= sub.WeightsSetRateLimit.get(l.s, netuid)
}

// enoughStake reports whether who may set weights at all. The owner may.
func (l *Ledger) enoughStake(who AccountID, netuid uint16) bool {
	threshold := sub.StakeThreshold.get(l.s)
	return threshold == 0 || l.isOwnerHotkey(netuid, who) || l.weightOf(who, netuid) >= threshold
}

// upscale scales values so that the largest is 65535, rounding halves up.
func upscale(uids, values []uint16) []pair {
	most := uint64(0)
	for _, v := range values {
		most = max(most, uint64(v))
	}
	row := make([]pair, len(values))
	for i, v := range values {
		row[i] = pair{F0: uids[i], F1: v}
		if most > 0 {
			row[i].F1 = uint16((2*uint64(v)*65535 + most) / (2 * most))
		}
	}
	return row
}

// exceeds reports whether the largest weight is more than limit/65535 of all.
func exceeds(row []pair, limit uint16) bool {
	if limit == 65535 {
		return false
	}
	var sum, most uint64
	for _, p := range row {
		sum += uint64(p.F1)
		most = max(most, uint64(p.F1))
	}
	return ratio(most, sum) > fromU16(limit)
}

func ptr[T any](v T) *T { return &v }
