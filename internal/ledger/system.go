package ledger

import "adit/internal/scale"

// SystemCall is a call of the System pallet.
type SystemCall struct {
	scale.Enum
	Remark          *Remark          `scale:"0"`
	RemarkWithEvent *RemarkWithEvent `scale:"7"`
}

// TimestampCall is a call of the Timestamp pallet.
type TimestampCall struct {
	scale.Enum
	Set *SetTimestamp `scale:"0"`
}

// Remark does nothing but stand in the block.
type Remark struct {
	Remark []byte `type:"Vec<u8>"`
}

func (c *Remark) dispatch(*Ledger, origin) error { return nil }

// RemarkWithEvent is a remark whose hash an event repeats.
type RemarkWithEvent struct {
	Remark []byte `type:"Vec<u8>"`
}

func (c *RemarkWithEvent) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	l.emit(SystemEvent{Remarked: &Remarked{who, scale.Blake2b256(c.Remark)}})
	return nil
}

// SetTimestamp is the first extrinsic of every block, by nobody. Sent by
// anybody it is refused.
type SetTimestamp struct {
	Now scale.Compact[uint64] `type:"T::Moment"` // milliseconds since 1970
}

func (c *SetTimestamp) dispatch(*Ledger, origin) error { return ErrBadOrigin }

// TimestampExtrinsic returns the bytes of the extrinsic that [Ledger.Begin]
// applies by itself. It is the first in the block's body.
func TimestampExtrinsic(unixMillis uint64) []byte {
	return bareExtrinsic(&SetTimestamp{scale.Compact[uint64]{V: unixMillis}})
}

// blockHashCount is how many blocks back a mortal extrinsic may refer.
const blockHashCount = 2400

// Begin starts block number on top of the block with the hash parentHash: the
// clock is set, emission injected, and epochs run that are due. The extrinsic
// of [TimestampExtrinsic] is thereby applied.
func (l *Ledger) Begin(number uint32, parentHash [32]byte, unixMillis uint64) {
	s := l.s
	l.number = uint64(number)
	l.hasSealed = false
	l.extrinsics = 0
	l.events = eventLog{records: l.events.records[:0], phase: []byte{2}}
	system.Number.set(s, number)
	system.ParentHash.set(s, parentHash)
	if number > 0 {
		system.BlockHash.set(s, number-1, parentHash)
	}
	// The hash of the genesis block is kept for ever: every signature has it.
	if number > blockHashCount+1 {
		system.BlockHash.delete(s, number-blockHashCount-1)
	}
	l.step()

	timestamp.Now.set(s, unixMillis)
	l.events.enter(0)
	l.emit(SystemEvent{ExtrinsicSuccess: &ExtrinsicSuccess{dispatchInfo(mandatory, true)}})
	l.extrinsics = 1
	s.undo = s.undo[:0]
}

// End finishes the block and returns what it changed, in key order. Call
// [Ledger.Seal] once its hash is known.
func (l *Ledger) End() []Change {
	l.events.store(l.s)
	return l.s.flush()
}

// Seal tells the ledger the hash of the block that was finished last. Mortal
// extrinsics may refer to it before the next block begins.
func (l *Ledger) Seal(hash [32]byte) { l.sealed, l.hasSealed = hash, true }

// blockHash returns the hash of a block not too old, or false.
func (l *Ledger) blockHash(number uint64) (Hash, bool) {
	if l.hasSealed && number == l.number {
		return l.sealed, true
	}
	if number > l.number {
		return Hash{}, false
	}
	return system.BlockHash.lookup(l.s, uint32(number))
}
