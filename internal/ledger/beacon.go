package ledger

import (
	"encoding/hex"
	"math"

	"adit/internal/drand"
	"adit/internal/scale"
)

// The Drand pallet keeps the pulses of a beacon on the chain. They arrive as
// unsigned extrinsics, by which the node that follows the beacon writes them.

// DrandCall is a call of the Drand pallet.
type DrandCall struct {
	scale.Enum
	WritePulse           *WritePulse           `scale:"0"`
	SetOldestStoredRound *SetOldestStoredRound `scale:"2"`
}

type drandStorage struct {
	BeaconConfig      value[BeaconConfig]
	Pulses            table[uint64, Pulse] `hash:"blake2_128_concat" optional:"true"`
	LastStoredRound   value[uint64]
	OldestStoredRound value[uint64]
	NextUnsignedAt    value[uint32]
}

// BeaconConfig says which beacon's pulses the chain takes.
type BeaconConfig struct {
	PublicKey   []byte // compressed point of G2
	Period      uint32 // seconds
	GenesisTime uint32 // seconds since 1970
	Hash        []byte
	GroupHash   []byte
	SchemeID    []byte `scale:"scheme_id"`
	Metadata    BeaconMetadata
}

// ScaleName implements [scale.Named].
func (BeaconConfig) ScaleName() string { return "pallet_drand::types::BeaconConfiguration" }

// BeaconMetadata is the beacon's name.
type BeaconMetadata struct {
	BeaconID []byte `scale:"beacon_id"`
}

// ScaleName implements [scale.Named].
func (BeaconMetadata) ScaleName() string { return "pallet_drand::types::Metadata" }

// Pulse is what the beacon gave out for a round, as stored.
type Pulse struct {
	Round      uint64
	Randomness []byte
	Signature  []byte
}

// ScaleName implements [scale.Named].
func (Pulse) ScaleName() string { return "pallet_drand::types::Pulse" }

// PulsesPayload is what [WritePulse] carries.
type PulsesPayload struct {
	BlockNumber uint32
	Pulses      []Pulse
	Public      MultiSigner
}

// ScaleName implements [scale.Named].
func (PulsesPayload) ScaleName() string { return "pallet_drand::types::PulsesPayload" }

// MultiSigner is a public key of one of three schemes.
type MultiSigner struct {
	scale.Enum
	Ed25519 *[32]byte `scale:"0"`
	Sr25519 *[32]byte `scale:"1"`
	Ecdsa   *[33]byte `scale:"2"`
}

// ScaleName implements [scale.Named].
func (MultiSigner) ScaleName() string { return "sp_runtime::MultiSigner" }

// WritePulse stores pulses. Nobody signs the extrinsic: unlike upstream, where
// the payload carries a node's signature, what the beacon signed is proof
// enough, and the fields for it are ignored.
type WritePulse struct {
	PulsesPayload PulsesPayload           `type:"PulsesPayload<T::Public, BlockNumberFor<T>>"`
	Signature     scale.Option[Signature] `type:"Option<T::Signature>"`
}

// maxPulses is how many pulses one extrinsic may bring: checking each takes
// milliseconds.
const maxPulses = 50

// keptPulses is how many pulses stay readable, about a week of quicknet's.
const keptPulses = 216_000

func (c *WritePulse) dispatch(l *Ledger, o origin) error {
	if !o.none {
		return ErrBadOrigin
	}
	s := l.s
	last := beacon.LastStoredRound.get(s)
	var rounds []uint64
	chain := l.Beacon()
	if len(c.PulsesPayload.Pulses) == 0 || len(c.PulsesPayload.Pulses) > maxPulses {
		return ErrPulseVerification
	}
	for _, p := range c.PulsesPayload.Pulses {
		if len(p.Randomness) != 32 || len(p.Signature) != 48 {
			return ErrPulseVerification
		}
		if p.Round <= last {
			return ErrInvalidRoundNumber
		}
		if chain.Verify(drand.Pulse{Round: p.Round, Randomness: [32]byte(p.Randomness), Signature: [48]byte(p.Signature)}) != nil {
			return ErrPulseVerification
		}
		beacon.Pulses.set(s, p.Round, p)
		last = p.Round
		rounds = append(rounds, p.Round)
	}
	beacon.LastStoredRound.set(s, last)
	oldest := beacon.OldestStoredRound.get(s)
	if oldest == 0 {
		oldest = rounds[0]
	}
	// Rounds may have been left out, so that a step forward is not one pulse.
	for n := 0; satSub(last, oldest) >= keptPulses && n < 2*maxPulses; n++ {
		beacon.Pulses.delete(s, oldest)
		oldest++
	}
	beacon.OldestStoredRound.set(s, oldest)
	l.emit(DrandEvent{NewPulse: &NewPulse{rounds}})
	return nil
}

// SetOldestStoredRound tells from which round on pulses are kept.
type SetOldestStoredRound struct {
	OldestRound uint64 `type:"u64"`
}

func (c *SetOldestStoredRound) dispatch(l *Ledger, o origin) error {
	if err := onlyRoot(o); err != nil {
		return err
	}
	beacon.OldestStoredRound.set(l.s, c.OldestRound)
	l.emit(DrandEvent{SetOldestStoredRound: &c.OldestRound})
	return nil
}

// DrandEvent is an event of the Drand pallet.
type DrandEvent struct {
	scale.Enum
	NewPulse             *NewPulse `scale:"1"`
	SetOldestStoredRound *uint64   `scale:"2"`
}

// NewPulse lists the rounds that were stored.
type NewPulse struct{ Rounds []uint64 }

// Beacon returns the beacon whose pulses the chain takes.
func (l *Ledger) Beacon() drand.Chain {
	c := beacon.BeaconConfig.get(l.s)
	chain := drand.Chain{Genesis: uint64(c.GenesisTime), Period: uint64(c.Period)}
	copy(chain.Public[:], c.PublicKey)
	return chain
}

// setBeacon writes the beacon of the genesis.
func (l *Ledger) setBeacon(c drand.Chain) {
	hash := scale.Blake2b256(c.Public[:])
	group := hash
	if c == drand.Quicknet() {
		hash = [32]byte(must(hex.DecodeString("52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971")))
		group = [32]byte(must(hex.DecodeString("f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e")))
	}
	beacon.BeaconConfig.set(l.s, BeaconConfig{
		PublicKey: c.Public[:], Period: uint32(min(c.Period, math.MaxUint32)), GenesisTime: uint32(min(c.Genesis, math.MaxUint32)),
		Hash: hash[:], GroupHash: group[:], SchemeID: []byte("bls-unchained-g1-rfc9380"),
		Metadata: BeaconMetadata{[]byte("quicknet")},
	})
}

// LastRound returns the last round whose pulse the chain has, 0 if it has none.
func (l *Ledger) LastRound() uint64 { return beacon.LastStoredRound.get(l.s) }

func writePulse(block uint64, pulses []drand.Pulse) *WritePulse {
	c := &WritePulse{PulsesPayload: PulsesPayload{BlockNumber: uint32(block), Public: MultiSigner{Sr25519: new([32]byte)}}}
	for _, p := range pulses {
		c.PulsesPayload.Pulses = append(c.PulsesPayload.Pulses, Pulse{p.Round, p.Randomness[:], p.Signature[:]})
	}
	return c
}

// PulseExtrinsic returns the bytes of the extrinsic that brings pulses, at most
// 50 with rising rounds, into the block number. It goes through
// [Ledger.Validate] and [Ledger.Apply] like a signed one.
func PulseExtrinsic(number uint32, pulses ...drand.Pulse) []byte {
	return bareExtrinsic(writePulse(uint64(number), pulses))
}

// DispatchPulses stores pulses at once, for simulations. The error is a
// [Failure].
func (l *Ledger) DispatchPulses(pulses ...drand.Pulse) error {
	l.events.enter(l.extrinsics)
	err := l.run(writePulse(l.number, pulses), origin{none: true})
	l.s.undo = l.s.undo[:0]
	return err
}

// drandPallet describes the pallet for the metadata.
func drandPallet() scale.PalletDef {
	return scale.PalletDef{
		Name: "Drand", Index: inDrand, Calls: DrandCall{}, Events: DrandEvent{}, Errors: failures(inDrand), Storage: items(beacon),
		Constants: []scale.ConstantDef{{Name: "UnsignedPriority", Value: uint64(1 << 20)}, {Name: "HttpFetchTimeout", Value: uint64(1000)}},
	}
}
