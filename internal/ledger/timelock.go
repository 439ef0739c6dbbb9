package ledger

import (
	"fmt"
	"reflect"
	"slices"

	"adit/internal/drand"
	"adit/internal/scale"
)

// A lockedCommit is who committed, in which block, the ciphertext, and the
// round whose pulse opens it. The chain reveals it by itself.
type lockedCommit = scale.Tuple4[AccountID, uint64, []byte, uint64]

// maxCiphertext is the most bytes a time-locked commitment of weights may have.
const maxCiphertext = 5000

// Ciphertext is time-locked data, at most 5,000 bytes: the bound is part of the
// type.
type Ciphertext []byte

// AppendSCALE implements [scale.Appender].
func (c Ciphertext) AppendSCALE(b []byte) ([]byte, error) {
	if len(c) > maxCiphertext {
		return nil, fmt.Errorf("ciphertext of %d bytes, at most %d", len(c), maxCiphertext)
	}
	return append(scale.AppendCompact(b, uint64(len(c))), c...), nil
}

// DecodeSCALE implements [scale.Scanner].
func (c *Ciphertext) DecodeSCALE(d *scale.Decoder) error {
	n, err := d.Compact()
	if err != nil {
		return err
	}
	if n > maxCiphertext {
		return fmt.Errorf("ciphertext of %d bytes, at most %d", n, maxCiphertext)
	}
	b, err := d.Take(int(n))
	*c = slices.Clone(b)
	return err
}

// ScaleName implements [scale.Named].
func (Ciphertext) ScaleName() string { return "bounded_collections::bounded_vec::BoundedVec" }

// ScaleDef implements [scale.Definer].
func (Ciphertext) ScaleDef(r *scale.Registry) (scale.TypeDef, error) {
	id, err := r.Type(reflect.TypeFor[[]byte]())
	return scale.TypeDef{Composite: &scale.Composite{Fields: []scale.Field{{Type: id}}}}, err
}

// CommitTimelockedWeights commits a validator to weights that nobody can read
// before the beacon's round; then the chain does.
type CommitTimelockedWeights struct {
	Netuid              uint16     `type:"NetUid"`
	Commit              Ciphertext `type:"BoundedVec<u8, ConstU32<MAX_CRV3_COMMIT_SIZE_BYTES>>"`
	RevealRound         uint64     `type:"u64"`
	CommitRevealVersion uint16     `type:"u16"`
}

func (c *CommitTimelockedWeights) free() {}

func (c *CommitTimelockedWeights) precheck(l *Ledger, who AccountID) error {
	return l.checkLocked(who, c.Netuid, c.RevealRound)
}

func (c *CommitTimelockedWeights) dispatch(l *Ledger, o origin) error {
	return l.commitLocked(o, c.Netuid, 0, c.Commit, c.RevealRound, c.CommitRevealVersion)
}

// CommitTimelockedMechanismWeights is [CommitTimelockedWeights] for one
// mechanism of a subnet.
type CommitTimelockedMechanismWeights struct {
	Netuid              uint16     `type:"NetUid"`
	Mecid               uint8      `type:"MechId"`
	Commit              Ciphertext `type:"BoundedVec<u8, ConstU32<MAX_CRV3_COMMIT_SIZE_BYTES>>"`
	RevealRound         uint64     `type:"u64"`
	CommitRevealVersion uint16     `type:"u16"`
}

func (c *CommitTimelockedMechanismWeights) free() {}

func (c *CommitTimelockedMechanismWeights) precheck(l *Ledger, who AccountID) error {
	return l.checkLocked(who, c.Netuid, c.RevealRound)
}

func (c *CommitTimelockedMechanismWeights) dispatch(l *Ledger, o origin) error {
	return l.commitLocked(o, c.Netuid, c.Mecid, c.Commit, c.RevealRound, c.CommitRevealVersion)
}

// CommitCRV3MechanismWeights is [CommitTimelockedMechanismWeights] from before
// there were versions.
type CommitCRV3MechanismWeights struct {
	Netuid      uint16     `type:"NetUid"`
	Mecid       uint8      `type:"MechId"`
	Commit      Ciphertext `type:"BoundedVec<u8, ConstU32<MAX_CRV3_COMMIT_SIZE_BYTES>>"`
	RevealRound uint64     `type:"u64"`
}

func (c *CommitCRV3MechanismWeights) free() {}

func (c *CommitCRV3MechanismWeights) precheck(l *Ledger, who AccountID) error {
	return l.checkLocked(who, c.Netuid, c.RevealRound)
}

func (c *CommitCRV3MechanismWeights) dispatch(l *Ledger, o origin) error {
	return l.commitLocked(o, c.Netuid, c.Mecid, c.Commit, c.RevealRound, sub.CommitRevealWeightsVersion.get(l.s))
}

// checkLocked keeps out of the pool what comes from too little stake or could
// be read already.
func (l *Ledger) checkLocked(who AccountID, netuid uint16, round uint64) error {
	if err := l.checkWeightsStake(who, netuid); err != nil {
		return err
	}
	if round < beacon.LastStoredRound.get(l.s) {
		return ErrInvalidRevealRound
	}
	return nil
}

func (l *Ledger) commitLocked(o origin, netuid uint16, mecid uint8, ct []byte, round uint64, version uint16) error {
	who, err := l.mayCommit(o, netuid, mecid)
	if err != nil {
		return err
	}
	s := l.s
	if version != sub.CommitRevealWeightsVersion.get(s) {
		return ErrIncorrectCommitRevealVersion
	}
	uid, err := l.commitRate(who, netuid)
	if err != nil {
		return err
	}
	epoch := sub.SubnetEpochIndex.get(s, netuid)
	queue := sub.TimelockedWeightCommits.get(s, netuid, epoch)
	mine := 0
	for _, c := range queue {
		if c.F0 == who {
			mine++
		}
	}
	if mine >= maxCommits {
		return ErrTooManyUnrevealedCommits
	}
	queue = append(queue, lockedCommit{F0: who, F1: l.number, F2: ct, F3: round})
	sub.TimelockedWeightCommits.set(s, netuid, epoch, queue)
	putVector(l, &sub.LastUpdate, netuid, uid, l.number)
	l.emit(SubtensorEvent{TimelockedWeightsCommitted: &scale.Tuple4[AccountID, uint16, Hash, uint64]{
		F0: who, F1: netuid, F2: scale.Blake2b256(ct), F3: round}})
	return nil
}

// revealLocked sets the weights of a subnet's time-locked commitments whose
// epoch has come, before an epoch that begins in this block. Those whose pulse
// is missing wait for the rest of that epoch, and are dropped after it.
func (l *Ledger) revealLocked(netuid uint16, epoch uint64) {
	s := l.s
	period := sub.RevealPeriodEpochs.get(s, netuid)
	if epoch < period {
		return
	}
	due := epoch - period
	var gone []uint64
	sub.TimelockedWeightCommits.each(s, netuid, func(e uint64, _ []lockedCommit) {
		if e < due {
			gone = append(gone, e)
		}
	})
	for _, e := range gone {
		sub.TimelockedWeightCommits.delete(s, netuid, e)
	}
	queue, ok := sub.TimelockedWeightCommits.lookup(s, netuid, due)
	if !ok {
		return
	}
	var waiting []lockedCommit
	for _, c := range queue {
		pulse, ok := beacon.Pulses.lookup(s, c.F3)
		if !ok {
			waiting = append(waiting, c)
			continue
		}
		l.revealOne(netuid, c, pulse.Signature)
	}
	switch {
	case len(waiting) == 0:
		sub.TimelockedWeightCommits.delete(s, netuid, due)
	case len(waiting) < len(queue):
		sub.TimelockedWeightCommits.set(s, netuid, due, waiting)
	}
}

// revealOne sets the weights of one commitment. One that cannot be read, or
// whose weights the chain would refuse, is lost without a trace.
func (l *Ledger) revealOne(netuid uint16, c lockedCommit, signature []byte) {
	plain, err := drand.Decrypt(c.F2, signature)
	if err != nil {
		return
	}
	w, err := drand.DecodeWeights(plain)
	if err != nil || w.Hotkey != nil && AccountID(w.Hotkey) != c.F0 {
		return // somebody else's ciphertext, sent again
	}
	if l.setWeights(c.F0, netuid, 0, w.UIDs, w.Values, w.VersionKey) == nil {
		l.emit(SubtensorEvent{TimelockedWeightsRevealed: &netAccount{F0: netuid, F1: c.F0}})
	}
}
