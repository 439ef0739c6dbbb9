package ledger

import (
	"math"

	"adit/internal/scale"
)

// Where commit-reveal is on, a validator first commits a hash of its weights
// and shows them an agreed number of epochs later, so that nobody can copy
// them in time. The hash is over hotkey, subnet, uids, values, salt and version
// key.

// A weightCommit is hash, epoch and block of the commitment, and a number that
// is no longer used.
type weightCommit = scale.Tuple4[Hash, uint64, uint64, uint64]

// maxCommits is how many commitments of a hotkey may wait, by hash in all, and
// time-locked in each epoch.
const maxCommits = 10

// CommitHash returns the hash that commits hotkey to weights.
func CommitHash(hotkey [32]byte, netuid uint16, uids, values, salt []uint16, versionKey uint64) Hash {
	return scale.Blake2b256(must(scale.Marshal(struct {
		Hotkey             AccountID
		Netuid             uint16
		UIDs, Values, Salt []uint16
		VersionKey         uint64
	}{hotkey, netuid, uids, values, salt, versionKey})))
}

// CommitWeights commits a validator to weights by their [CommitHash].
type CommitWeights struct {
	Netuid     uint16 `type:"NetUid"`
	CommitHash Hash   `type:"H256"`
}

func (c *CommitWeights) free() {}

func (c *CommitWeights) precheck(l *Ledger, who AccountID) error {
	return l.checkWeightsStake(who, c.Netuid)
}

func (c *CommitWeights) dispatch(l *Ledger, o origin) error {
	return l.commitWeights(o, c.Netuid, 0, c.CommitHash)
}

// CommitMechanismWeights is [CommitWeights] for one mechanism of a subnet.
type CommitMechanismWeights struct {
	Netuid     uint16 `type:"NetUid"`
	Mecid      uint8  `type:"MechId"`
	CommitHash Hash   `type:"H256"`
}

func (c *CommitMechanismWeights) free() {}

func (c *CommitMechanismWeights) precheck(l *Ledger, who AccountID) error {
	return l.checkWeightsStake(who, c.Netuid)
}

func (c *CommitMechanismWeights) dispatch(l *Ledger, o origin) error {
	return l.commitWeights(o, c.Netuid, c.Mecid, c.CommitHash)
}

// BatchCommitWeights commits in several subnets; what fails in one leaves the
// others.
type BatchCommitWeights struct {
	Netuids      []scale.Compact[uint16] `type:"Vec<Compact<NetUid>>"`
	CommitHashes []Hash                  `type:"Vec<H256>"`
}

func (c *BatchCommitWeights) free() {}

func (c *BatchCommitWeights) dispatch(l *Ledger, o origin) error {
	if _, err := o.signer(); err != nil {
		return err
	}
	if len(c.Netuids) != len(c.CommitHashes) {
		return ErrInputLengthsUnequal
	}
	return l.weightsBatch(o, c.Netuids, func(i int) Call {
		return &CommitWeights{c.Netuids[i].V, c.CommitHashes[i]}
	})
}

// weightsBatch runs a call for each subnet of a batch, whatever becomes of
// each.
func (l *Ledger) weightsBatch(o origin, netuids []scale.Compact[uint16], item func(int) Call) error {
	failed := false
	for i, netuid := range netuids {
		if err := l.run(item(i), o); err != nil {
			l.emit(SubtensorEvent{BatchWeightItemFailed: &scale.Tuple2[uint16, DispatchError]{F0: netuid.V, F1: dispatchError(err)}})
			failed = true
		}
	}
	if failed {
		l.emit(SubtensorEvent{BatchCompletedWithErrors: &scale.Unit{}})
	}
	l.emit(SubtensorEvent{BatchWeightsCompleted: &scale.Tuple2[[]scale.Compact[uint16], AccountID]{F0: netuids, F1: o.who}})
	return nil
}

// checkWeightsStake keeps out of the pool what comes from too little stake.
func (l *Ledger) checkWeightsStake(who AccountID, netuid uint16) error {
	if !l.enoughStake(who, netuid) {
		return ErrNotEnoughStakeToSetWeights
	}
	return nil
}

// mayCommit makes the first checks of all that has to do with commitments, in
// the chain's order, and returns who signed.
func (l *Ledger) mayCommit(o origin, netuid uint16, mecid uint8) (who AccountID, err error) {
	if who, err = o.signer(); err != nil {
		return who, err
	}
	if !l.exists(netuid) || mecid >= sub.MechanismCountCurrent.get(l.s, netuid) {
		return who, ErrMechanismDoesNotExist
	}
	if !sub.CommitRevealWeightsEnabled.get(l.s, netuid) {
		return who, ErrCommitRevealDisabled
	}
	return who, nil
}

// commitRate checks that who is a neuron that may commit again, and returns
// its uid.
func (l *Ledger) commitRate(who AccountID, netuid uint16) (uint16, error) {
	uid, ok := sub.Uids.lookup(l.s, netuid, who)
	if !ok {
		return 0, ErrHotKeyNotRegisteredInSubNet
	}
	if !l.weightsDue(netuid, uid) {
		return 0, ErrCommittingWeightsTooFast
	}
	return uid, nil
}

func (l *Ledger) commitWeights(o origin, netuid uint16, mecid uint8, hash Hash) error {
	who, err := l.mayCommit(o, netuid, mecid)
	if err != nil {
		return err
	}
	uid, err := l.commitRate(who, netuid)
	if err != nil {
		return err
	}
	s := l.s
	queue, _ := l.activeCommits(netuid, who)
	if len(queue) >= maxCommits {
		return ErrTooManyUnrevealedCommits
	}
	queue = append(queue, weightCommit{F0: hash, F1: sub.SubnetEpochIndex.get(s, netuid), F2: l.number})
	sub.WeightCommits.set(s, netuid, who, queue)
	putVector(l, &sub.LastUpdate, netuid, uid, l.number)
	l.emit(SubtensorEvent{WeightsCommitted: &scale.Tuple3[AccountID, uint16, Hash]{F0: who, F1: netuid, F2: hash}})
	return nil
}

// activeCommits returns the commitments of who that can still be revealed, and
// those at the head of its queue that have expired.
func (l *Ledger) activeCommits(netuid uint16, who AccountID) (active, expired []weightCommit) {
	queue := sub.WeightCommits.get(l.s, netuid, who)
	n := 0
	for n < len(queue) && l.expired(netuid, queue[n].F1) {
		n++
	}
	return queue[n:], queue[:n]
}

// expired reports whether a commitment of an epoch can no longer be revealed.
func (l *Ledger) expired(netuid uint16, epoch uint64) bool {
	return sub.SubnetEpochIndex.get(l.s, netuid) > satAdd(epoch, sub.RevealPeriodEpochs.get(l.s, netuid))
}

// revealable reports whether now is the epoch to reveal a commitment of epoch.
func (l *Ledger) revealable(netuid uint16, epoch uint64) bool {
	return sub.SubnetEpochIndex.get(l.s, netuid) == satAdd(epoch, sub.RevealPeriodEpochs.get(l.s, netuid))
}

// RevealWeights shows the weights of a commitment, in the one epoch for it.
type RevealWeights struct {
	Netuid     uint16   `type:"NetUid"`
	UIDs       []uint16 `scale:"uids" type:"Vec<u16>"`
	Values     []uint16 `type:"Vec<u16>"`
	Salt       []uint16 `type:"Vec<u16>"`
	VersionKey uint64   `type:"u64"`
}

func (c *RevealWeights) free() {}

func (c *RevealWeights) reveal() reveal { return reveal{c.UIDs, c.Values, c.Salt, c.VersionKey} }

func (c *RevealWeights) precheck(l *Ledger, who AccountID) error {
	return l.checkReveals(who, c.Netuid, []reveal{c.reveal()})
}

func (c *RevealWeights) dispatch(l *Ledger, o origin) error {
	return l.revealWeights(o, c.Netuid, 0, c.reveal())
}

// RevealMechanismWeights is [RevealWeights] for one mechanism of a subnet.
type RevealMechanismWeights struct {
	Netuid     uint16   `type:"NetUid"`
	Mecid      uint8    `type:"MechId"`
	UIDs       []uint16 `scale:"uids" type:"Vec<u16>"`
	Values     []uint16 `type:"Vec<u16>"`
	Salt       []uint16 `type:"Vec<u16>"`
	VersionKey uint64   `type:"u64"`
}

func (c *RevealMechanismWeights) free() {}

func (c *RevealMechanismWeights) precheck(l *Ledger, who AccountID) error {
	return l.checkReveals(who, c.Netuid, []reveal{{c.UIDs, c.Values, c.Salt, c.VersionKey}})
}

func (c *RevealMechanismWeights) dispatch(l *Ledger, o origin) error {
	return l.revealWeights(o, c.Netuid, c.Mecid, reveal{c.UIDs, c.Values, c.Salt, c.VersionKey})
}

// A reveal is what a commitment was made of.
type reveal struct {
	uids, values, salt []uint16
	versionKey         uint64
}

func (r *reveal) hash(who AccountID, netuid uint16) Hash {
	return CommitHash(who, netuid, r.uids, r.values, r.salt, r.versionKey)
}

// checkReveals keeps reveals out of the pool that have no commitment, or not in
// this epoch.
func (l *Ledger) checkReveals(who AccountID, netuid uint16, reveals []reveal) error {
	if err := l.checkWeightsStake(who, netuid); err != nil {
		return err
	}
	queue := sub.WeightCommits.get(l.s, netuid, who)
	for i := range reveals {
		at := position(queue, reveals[i].hash(who, netuid))
		if at < 0 {
			return ErrNoWeightsCommitFound
		}
		if !l.revealable(netuid, queue[at].F1) {
			return ErrRevealTooEarly
		}
	}
	return nil
}

func position(queue []weightCommit, hash Hash) int {
	for i, c := range queue {
		if c.F0 == hash {
			return i
		}
	}
	return -1
}

func (l *Ledger) revealWeights(o origin, netuid uint16, mecid uint8, r reveal) error {
	who, err := l.mayCommit(o, netuid, mecid)
	if err != nil {
		return err
	}
	if !sub.WeightCommits.has(l.s, netuid, who) {
		return ErrNoWeightsCommitFound
	}
	hash := r.hash(who, netuid)
	active, expired := l.activeCommits(netuid, who)
	at := position(active, hash)
	switch {
	case at < 0 && position(expired, hash) >= 0:
		return ErrExpiredWeightCommit
	case len(active) == 0:
		return ErrNoWeightsCommitFound
	case at < 0:
		return ErrInvalidRevealHash
	case !l.revealable(netuid, active[at].F1):
		return ErrRevealTooEarly
	}
	// What was committed before is superseded.
	l.setCommits(netuid, who, active[at+1:])
	if err := l.setWeights(who, netuid, mecid, r.uids, r.values, r.versionKey); err != nil {
		return err
	}
	l.emit(SubtensorEvent{WeightsRevealed: &scale.Tuple3[AccountID, uint16, Hash]{F0: who, F1: netuid, F2: hash}})
	return nil
}

func (l *Ledger) setCommits(netuid uint16, who AccountID, queue []weightCommit) {
	if len(queue) == 0 {
		sub.WeightCommits.delete(l.s, netuid, who)
		return
	}
	sub.WeightCommits.set(l.s, netuid, who, queue)
}

// BatchRevealWeights shows several commitments in one subnet, all or none.
type BatchRevealWeights struct {
	Netuid      uint16     `type:"NetUid"`
	UIDsList    [][]uint16 `scale:"uids_list" type:"Vec<Vec<u16>>"`
	ValuesList  [][]uint16 `type:"Vec<Vec<u16>>"`
	SaltsList   [][]uint16 `type:"Vec<Vec<u16>>"`
	VersionKeys []uint64   `type:"Vec<u64>"`
}

func (c *BatchRevealWeights) free() {}

// reveals returns the reveals one by one, or false if the lists differ in
// length.
func (c *BatchRevealWeights) reveals() ([]reveal, bool) {
	n := len(c.UIDsList)
	if n != len(c.ValuesList) || n != len(c.SaltsList) || n != len(c.VersionKeys) {
		return nil, false
	}
	rs := make([]reveal, n)
	for i := range rs {
		rs[i] = reveal{c.UIDsList[i], c.ValuesList[i], c.SaltsList[i], c.VersionKeys[i]}
	}
	return rs, true
}

func (c *BatchRevealWeights) precheck(l *Ledger, who AccountID) error {
	rs, ok := c.reveals()
	if !ok {
		return ErrInputLengthsUnequal
	}
	return l.checkReveals(who, c.Netuid, rs)
}

func (c *BatchRevealWeights) dispatch(l *Ledger, o origin) error {
	rs, ok := c.reveals()
	if !ok {
		return ErrInputLengthsUnequal
	}
	who, err := l.mayCommit(o, c.Netuid, 0)
	if err != nil {
		return err
	}
	if !sub.WeightCommits.has(l.s, c.Netuid, who) {
		return ErrNoWeightsCommitFound
	}
	active, expired := l.activeCommits(c.Netuid, who)
	hashes := make([]Hash, len(rs))
	for i := range rs {
		hashes[i] = rs[i].hash(who, c.Netuid)
		at := position(active, hashes[i])
		switch {
		case at < 0 && position(expired, hashes[i]) >= 0:
			return ErrExpiredWeightCommit
		case at < 0:
			return ErrInvalidRevealHash
		case !l.revealable(c.Netuid, active[at].F1):
			return ErrRevealTooEarly
		}
	}
	for i, r := range rs {
		at := position(active, hashes[i])
		if at < 0 {
			return ErrInvalidRevealHash // the same twice
		}
		active = append(active[:at:at], active[at+1:]...)
		if err := l.setWeights(who, c.Netuid, 0, r.uids, r.values, r.versionKey); err != nil {
			return err
		}
	}
	l.setCommits(c.Netuid, who, active)
	l.emit(SubtensorEvent{WeightsBatchRevealed: &scale.Tuple3[AccountID, uint16, []Hash]{F0: who, F1: c.Netuid, F2: hashes}})
	return nil
}

// earliestCommits returns for each uid the block of its oldest commitment that
// is still to be revealed, the greatest number if there is none. A validator
// that committed before a neuron registered could not have meant it.
func (l *Ledger) earliestCommits(netuid uint16, n int) []uint64 {
	blocks := make([]uint64, n)
	for i := range blocks {
		blocks[i] = math.MaxUint64
	}
	note := func(who AccountID, block uint64) {
		if uid, ok := sub.Uids.lookup(l.s, netuid, who); ok && int(uid) < n {
			blocks[uid] = min(blocks[uid], block)
		}
	}
	sub.WeightCommits.each(l.s, netuid, func(who AccountID, queue []weightCommit) {
		for _, c := range queue {
			if !l.expired(netuid, c.F1) {
				note(who, c.F2)
				break
			}
		}
	})
	sub.TimelockedWeightCommits.each(l.s, netuid, func(epoch uint64, queue []lockedCommit) {
		if l.expired(netuid, epoch) {
			return
		}
		for _, c := range queue {
			note(c.F0, c.F1)
		}
	})
	return blocks
}
