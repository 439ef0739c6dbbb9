package ledger

import (
	"bytes"
	"cmp"
	"slices"

	"adit/internal/drand"
	"adit/internal/scale"
)

// A revealed is a plaintext and the block in which it was revealed.
type revealed = scale.Tuple2[[]byte, uint64]

// keptReveals is how many plaintexts of a hotkey are kept in a subnet.
const keptReveals = 10

// SetMaxSpace sets how many bytes a hotkey may commit in an epoch.
type SetMaxSpace struct {
	NewLimit uint32 `type:"u32"`
}

func (c *SetMaxSpace) dispatch(l *Ledger, o origin) error {
	if err := onlyRoot(o); err != nil {
		return err
	}
	commitments.MaxSpace.set(l.s, c.NewLimit)
	return nil
}

func byNetuidAndAccount(a, b netAccount) int {
	return cmp.Or(cmp.Compare(a.F0, b.F0), bytes.Compare(a.F1[:], b.F1[:]))
}

// indexLocked remembers whether a commitment has fields still to be revealed.
func (l *Ledger) indexLocked(netuid uint16, who AccountID, locked bool) {
	set := commitments.TimelockedIndex.get(l.s)
	entry := netAccount{F0: netuid, F1: who}
	at, found := slices.BinarySearchFunc(set, entry, byNetuidAndAccount)
	switch {
	case locked && !found:
		commitments.TimelockedIndex.set(l.s, slices.Insert(set, at, entry))
	case !locked && found:
		commitments.TimelockedIndex.set(l.s, slices.Delete(set, at, at+1))
	}
}

// revealCommitments opens the time-locked fields of commitments whose pulse has
// come. A field goes when it is opened, or if it cannot be; a commitment
// without fields goes too.
func (l *Ledger) revealCommitments() {
	s := l.s
	for _, e := range commitments.TimelockedIndex.get(s) {
		netuid, who := e.F0, e.F1
		reg, ok := commitments.CommitmentOf.lookup(s, netuid, who)
		if !ok {
			l.indexLocked(netuid, who, false)
			continue
		}
		var rest Fields
		var opened []revealed
		locked := false
		for _, f := range reg.Info.Fields {
			if f.Kind != DataTimelock {
				rest = append(rest, f)
				continue
			}
			pulse, ok := beacon.Pulses.lookup(s, f.Round)
			if !ok {
				rest, locked = append(rest, f), true
				continue
			}
			if plain, err := drand.Decrypt(f.Bytes, pulse.Signature); err == nil && len(plain) > 0 {
				opened = append(opened, revealed{F0: plain, F1: l.number})
			}
		}
		if len(rest) == len(reg.Info.Fields) {
			continue
		}
		if len(opened) > 0 {
			list := append(commitments.RevealedCommitments.get(s, netuid, who), opened...)
			commitments.RevealedCommitments.set(s, netuid, who, list[max(len(list)-keptReveals, 0):])
			l.emit(CommitmentsEvent{CommitmentRevealed: &Committed{netuid, who}})
		}
		if len(rest) == 0 {
			commitments.CommitmentOf.delete(s, netuid, who)
		} else {
			reg.Info.Fields = rest
			commitments.CommitmentOf.set(s, netuid, who, reg)
		}
		l.indexLocked(netuid, who, locked)
	}
}

// resetBonds drops all bonds to a neuron that asks for it, where the subnet
// lets it.
func (l *Ledger) resetBonds(netuid uint16, who AccountID) {
	s := l.s
	uid, ok := sub.Uids.lookup(s, netuid, who)
	if !ok {
		return
	}
	commitments.LastBondsReset.set(s, netuid, who, uint32(l.number))
	if !sub.BondsResetOn.get(s, netuid) {
		return
	}
	for i := range sub.SubnetworkN.get(s, netuid) {
		row, ok := sub.Bonds.lookup(s, netuid, i)
		kept := slices.DeleteFunc(row, func(p pair) bool { return p.F0 == uid })
		if ok && len(kept) < len(row) {
			sub.Bonds.set(s, netuid, i, kept)
		}
	}
}
