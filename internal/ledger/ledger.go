// Package ledger holds the rules of Subtensor as a state machine, for runtime
// 424: accounts and fees, subnets and neurons, stake and its price, axons,
// commitments, weights, Yuma epochs and emission. It knows no clock and does
// no I/O: the same genesis and the same extrinsics give the same bits.
//
// Its state is the chain's storage: SCALE values under the raw keys that a
// node serves. Each item, call, event and error is declared once, as a Go type
// (pallets.go, calls.go, events.go, errors.go), and [Ledger.Metadata] describes
// those same declarations; so what a client reads from the metadata is what the
// rules execute. What the rules do not cover is not declared.
//
// A block is made so:
//
//	l.Begin(number, parentHash, unixMillis)
//	ok, err := l.Apply(extrinsic) // for each
//	changes := l.End()
//	l.Seal(hash)
//
// A Ledger is not safe for concurrent use.
package ledger

import "adit/internal/drand"

// Spec is what a runtime says of itself, and what a local network may choose.
type Spec struct {
	SpecVersion        uint32
	TransactionVersion uint32
	Tempo              uint16 // of new subnets
}

// DefaultSpec is that of the main network in July 2026.
var DefaultSpec = Spec{SpecVersion: 424, TransactionVersion: 1, Tempo: 360}

// Genesis is what a chain begins with.
type Genesis struct {
	Balances map[[32]byte]uint64 // RAO
	SudoKey  [32]byte            // zero: nobody
	Spec     Spec                // zero: DefaultSpec
	// AllowLoopbackAxons lets neurons serve at loopback addresses, which the
	// chain refuses, for a network on one machine.
	AllowLoopbackAxons bool
	// Beacon is whose pulses open what is time-locked; the zero value means
	// [drand.Quicknet].
	Beacon drand.Chain
}

// Ledger is a chain's state between blocks or within one.
type Ledger struct {
	s             *state
	spec          Spec
	allowLoopback bool

	number     uint64 // of the block begun last
	extrinsics uint32 // in it
	events     eventLog
	depth      int // of nested calls
	sealed     Hash
	hasSealed  bool
}

// New returns the state of block 0.
func New(g Genesis) *Ledger {
	l := empty(g)
	s := l.s
	total := uint64(0)
	for who, amount := range g.Balances {
		a := system.Account.get(s, who)
		a.Data.Free, a.Providers = amount, 1
		if amount > 0 {
			system.Account.set(s, who, a)
		}
		total = satAdd(total, amount)
	}
	balances.TotalIssuance.set(s, total)
	sub.TotalIssuance.set(s, total)
	if g.SudoKey != (AccountID{}) {
		sudo.Key.set(s, g.SudoKey)
	}
	// Root is a network of its own, without epochs.
	sub.NetworksAdded.set(s, rootNetuid, true)
	sub.TotalNetworks.set(s, 1)
	sub.Tempo.set(s, rootNetuid, 0)
	sub.SubnetworkN.set(s, rootNetuid, 0)
	sub.MaxAllowedUids.set(s, rootNetuid, 64)
	if g.Beacon == (drand.Chain{}) {
		g.Beacon = drand.Quicknet()
	}
	l.setBeacon(g.Beacon)
	system.Number.set(s, 0)
	l.events.store(s)
	s.undo = s.undo[:0]
	return l
}

// Restore returns the ledger whose storage is values, as of its last block. Of
// g only Spec and AllowLoopbackAxons count. Call [Ledger.Seal] with the block's
// hash afterwards.
func Restore(g Genesis, values map[string][]byte) *Ledger {
	l := empty(g)
	for key, v := range values {
		l.s.assign(key, append([]byte{}, v...), nil)
	}
	l.number = uint64(system.Number.get(l.s))
	return l
}

func empty(g Genesis) *Ledger {
	l := &Ledger{s: newState(), spec: g.Spec, allowLoopback: g.AllowLoopbackAxons, events: eventLog{phase: []byte{2}}}
	if l.spec == (Spec{}) {
		l.spec = DefaultSpec
	}
	return l
}

// Number returns the number of the block begun last.
func (l *Ledger) Number() uint32 { return uint32(l.number) }

// Get returns the SCALE value under a raw storage key. It must not be changed.
func (l *Ledger) Get(key []byte) ([]byte, bool) {
	v, ok := l.s.values[string(key)]
	return v, ok
}

// Keys returns up to limit keys that begin with prefix and come after the key
// after, in order; all if limit is negative.
func (l *Ledger) Keys(prefix, after []byte, limit int) [][]byte {
	found := l.s.under(string(prefix), string(after), limit)
	keys := make([][]byte, len(found))
	for i, k := range found {
		keys[i] = []byte(k)
	}
	return keys
}
