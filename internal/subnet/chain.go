package subnet

import (
	"context"
	"math"
	"net/netip"
	"time"
)

// Latest stands for the newest block wherever a block is asked for.
const Latest Block = math.MaxUint64

// Chain is the part of the blockchain a protocol sees, bound to one subnet and
// one hotkey. Reads at a block see the state after that block; a state that the
// node no longer has is an error, never the head's data.
type Chain interface {
	Head(ctx context.Context) (Block, error)
	// Wait returns nil once b has been produced, at once if it already has.
	Wait(ctx context.Context, b Block) error
	// Hash returns the block's hash as "0x" and 64 hexadecimal digits.
	Hash(ctx context.Context, b Block) (string, error)
	// Time returns when the block was made, by the clock of who made it.
	Time(ctx context.Context, b Block) (time.Time, error)
	Metagraph(ctx context.Context, at Block) (*Metagraph, error)
	// Commitments returns all commitments of the subnet in storage order.
	Commitments(ctx context.Context, at Block) ([]Commitment, error)

	// Commit replaces the hotkey's commitment and returns the block that
	// holds it. At most three fields of at most 512 bytes.
	Commit(ctx context.Context, fields ...string) (Block, error)
	// SetWeights puts weights on chain, scaled to the largest, and returns the
	// block that holds them. Weights that are not positive are dropped.
	SetWeights(ctx context.Context, weights []Weight) (Block, error)
	ServeAxon(ctx context.Context, addr netip.AddrPort) error
}

// A Commitment is what a neuron last wrote to the chain, and when.
type Commitment struct {
	Hotkey Hotkey
	Block  Block
	Fields []string
}

// A Weight is one validator's opinion of one neuron.
type Weight struct {
	UID   UID     `json:"uid"`
	Value float64 `json:"value"`
}

// A Metagraph is the state of a subnet after a block.
type Metagraph struct {
	NetUID  NetUID
	Block   Block
	Tempo   Block
	Neurons []Neuron // by UID
}

// A Neuron is one registered participant. Shares are in [0, 1] and of the last
// epoch; amounts are in RAO, a billionth of the token.
type Neuron struct {
	UID          UID
	Hotkey       Hotkey
	Coldkey      string
	Axon         netip.AddrPort // the zero value if it serves none
	Permit       bool           // may set weights
	Stake        uint64
	LastUpdate   Block // of its weights
	RegisteredAt Block
	Incentive    float64
	Dividends    float64
	Consensus    float64
	Emission     uint64   // of the last epoch
	Weights      []Weight // as set, each divided by their sum
}

// ByHotkey returns the neuron with that hotkey, or false.
func (m *Metagraph) ByHotkey(h Hotkey) (Neuron, bool) {
	for _, n := range m.Neurons {
		if n.Hotkey == h {
			return n, true
		}
	}
	return Neuron{}, false
}
