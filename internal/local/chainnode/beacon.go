package chainnode

import (
	"adit/internal/drand"
	"adit/internal/ledger"
)

// A chain on one machine has a beacon of its own, whose secret anybody can
// derive, like those of the development accounts. It has the rounds of quicknet,
// by which clients reckon.

func devBeacon() *drand.Beacon { return drand.NewBeacon([32]byte{}) }

// DevBeaconChain is what clients must know of the development beacon, for
// [ledger.Genesis]. A chain with it gets its pulses from the node, with every
// block those that are due by the block's time.
func DevBeaconChain() drand.Chain {
	like := drand.Quicknet()
	return devBeacon().Chain(like.Genesis, like.Period)
}

// pulsesAtOnce is how many pulses one block brings at most. Where blocks are
// further apart than so many rounds, the older are left out.
const pulsesAtOnce = 50

// pulses returns the extrinsic with the pulses that a block brings, or nil.
func (n *Node) pulses(b *block) []byte {
	if n.beacon == nil {
		return nil
	}
	chain := n.ledger.Beacon()
	last, due := n.ledger.LastRound(), chain.Latest(float64(b.Millis)/1000)
	if due <= last {
		return nil
	}
	from := max(last+1, due-min(due, pulsesAtOnce)+1)
	if last == 0 {
		from = due // a chain does not know what was before it
	}
	var list []drand.Pulse
	for round := from; round <= due; round++ {
		list = append(list, n.beacon.Pulse(round))
	}
	return ledger.PulseExtrinsic(b.Header.number(), list...)
}
