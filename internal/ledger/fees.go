package ledger

import "adit/internal/scale"

// What an extrinsic costs that pays: a base for its weight, and so much for
// each byte. Unlike upstream, where every call has its own benchmarked weight,
// all calls weigh the same; a transfer then costs about what it does there.
const (
	baseFee = 120_000 // RAO
	byteFee = 100     // RAO
)

// A freeCall pays no fee: it belongs to the work of a neuron.
type freeCall interface{ free() }

// pays reports whether c is paid for. Sudo is not: whoever has the key pays
// in other ways.
func pays(c Call) bool {
	switch c.(type) {
	case freeCall, *Sudo:
		return false
	}
	return true
}

// fee returns the price in RAO of an extrinsic of size bytes with call c, the
// tip left out.
func fee(c Call, size int) uint64 {
	if !pays(c) {
		return 0
	}
	return baseFee + byteFee*uint64(size)
}

// Fee returns the price in RAO of the signed extrinsic xt, its tip left out:
// what payment_queryInfo tells.
func (l *Ledger) Fee(xt []byte) (uint64, error) {
	x, err := parseExtrinsic(xt)
	if err != nil {
		return 0, err
	}
	return fee(x.call, len(xt)), nil
}

// DispatchInfo is how heavy an extrinsic was, and whether it paid.
type DispatchInfo struct {
	Weight  Weight
	Class   DispatchClass
	PaysFee Pays
}

// ScaleName implements [scale.Named].
func (DispatchInfo) ScaleName() string { return "frame_system::DispatchEventInfo" }

// Weight is time in picoseconds and bytes of proof.
type Weight struct {
	RefTime   scale.Compact[uint64]
	ProofSize scale.Compact[uint64]
}

// ScaleName implements [scale.Named].
func (Weight) ScaleName() string { return "sp_weights::weight_v2::Weight" }

// DispatchClass says which share of a block an extrinsic counts against.
type DispatchClass struct {
	scale.Enum
	Normal      *scale.Unit `scale:"0"`
	Operational *scale.Unit `scale:"1"`
	Mandatory   *scale.Unit `scale:"2"`
}

// ScaleName implements [scale.Named].
func (DispatchClass) ScaleName() string { return "frame_support::dispatch::DispatchClass" }

// Pays says whether an extrinsic paid a fee.
type Pays struct {
	scale.Enum
	Yes *scale.Unit `scale:"0"`
	No  *scale.Unit `scale:"1"`
}

// ScaleName implements [scale.Named].
func (Pays) ScaleName() string { return "frame_support::dispatch::Pays" }

type class bool

const (
	normal    class = false
	mandatory class = true
)

// weight is what every call is said to weigh: 100 µs.
const weight = 100_000_000

func dispatchInfo(c class, free bool) DispatchInfo {
	i := DispatchInfo{Weight: Weight{RefTime: scale.Compact[uint64]{V: weight}}}
	if c == mandatory {
		i.Class.Mandatory = &scale.Unit{}
	} else {
		i.Class.Normal = &scale.Unit{}
	}
	if free {
		i.PaysFee.No = &scale.Unit{}
	} else {
		i.PaysFee.Yes = &scale.Unit{}
	}
	return i
}
