package ledger

import "adit/internal/scale"

// Stake can be locked on the chain, for a say in a subnet that grows with time.
// Nothing here locks stake, so that every answer about locks is that of a chain
// on which nobody has.

// LockState is stake that is locked.
type LockState struct {
	LockedMass uint64    // alpha, in RAO
	Conviction FixedU128 // U64F64
	LastUpdate uint64    // block
}

// ScaleName implements [scale.Named].
func (LockState) ScaleName() string { return "pallet_subtensor::staking::lock::LockState" }

// ColdkeyLock returns what a coldkey has locked in a subnet: none.
func (l *Ledger) ColdkeyLock(coldkey AccountID, netuid uint16) scale.Option[LockState] {
	return scale.Option[LockState]{}
}

// HotkeyConviction returns what the locks for a hotkey weigh in a subnet: zero.
func (l *Ledger) HotkeyConviction(hotkey AccountID, netuid uint16) FixedU128 { return FixedU128{} }

// MostConvictedHotkey returns for whom the most is locked in a subnet: none.
func (l *Ledger) MostConvictedHotkey(netuid uint16) scale.Option[AccountID] {
	return scale.Option[AccountID]{}
}

// An emaFlow is the block in which an average was brought up to date, and the
// average (I64F64).
type emaFlow = scale.Tuple2[uint64, FixedI128]
