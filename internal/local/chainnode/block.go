package chainnode

import (
	"encoding/binary"

	"adit/internal/ledger"
	"adit/internal/scale"
)

type hash = [32]byte

// A header is a block's header as SCALE has it: its hash is the block's.
type header struct {
	ParentHash     hash
	Number         scale.Compact[uint32]
	StateRoot      hash
	ExtrinsicsRoot hash
	Digest         []scale.Unit // always empty: there are no seals here
}

func (h header) number() uint32 { return h.Number.V }

func (h header) hash() hash {
	b, err := scale.Marshal(h)
	if err != nil {
		panic(err) // unreachable: every field encodes
	}
	return scale.Blake2b256(b)
}

// A block is one as it is stored.
type block struct {
	Header     header
	Millis     uint64 // its time
	Extrinsics [][]byte
	Changes    []change
}

// A change is a [ledger.Change] as it is stored: deleted keys have no value.
type change struct {
	Key   []byte
	Value scale.Option[[]byte]
}

func toChanges(list []ledger.Change) []change {
	out := make([]change, len(list))
	for i, c := range list {
		out[i] = change{c.Key, scale.Option[[]byte]{Some: c.Value != nil, V: c.Value}}
	}
	return out
}

func fromChanges(list []change) []ledger.Change {
	out := make([]ledger.Change, len(list))
	for i, c := range list {
		out[i].Key = c.Key
		if c.Value.Some {
			out[i].Value = append([]byte{}, c.Value.V...) // a value of no bytes is not nil
		}
	}
	return out
}

// roots returns the state root that follows parent's, and the extrinsics root.
func roots(parent hash, changes []change, extrinsics [][]byte) (state, xts hash) {
	b, err := scale.Marshal(changes)
	if err != nil {
		panic(err) // unreachable: bytes encode
	}
	state = scale.Blake2b256(append(parent[:], b...))
	var all []byte
	for _, x := range extrinsics {
		all = binary.LittleEndian.AppendUint32(all, uint32(len(x)))
		all = append(all, x...)
	}
	return state, scale.Blake2b256(all)
}

// A kept block is what is held in memory of one; the rest is read from disk.
type kept struct {
	header header
	hash   hash
	millis uint64
	place  place // of its record; zero if only the state after it is kept
}
