package main

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/tui"
)

// A graph is all that is told of a subnet's neurons.
type graph struct {
	*subtensor.Metagraph
	subtensor.MetagraphExtras
}

// readGraph reads a subnet after the view's block.
func readGraph(ctx context.Context, v *subtensor.View, n subnet.NetUID, mechanism mechanismFlag) (graph, error) {
	x, err := v.MetagraphExtras(ctx, n)
	if err != nil {
		return graph{}, err
	}
	if err := mechanism.among(n, x.Mechanisms); err != nil {
		return graph{}, err
	}
	read := v.Metagraph
	if mechanism.Mechid > 0 {
		read = func(ctx context.Context, n subnet.NetUID) (*subtensor.Metagraph, error) {
			return v.Mechagraph(ctx, n, mechanism.Mechid)
		}
	}
	m, err := read(ctx, n)
	if err != nil {
		return graph{}, subnetHint(err)
	}
	return graph{m, x}, nil
}

// A shownNeuron is a neuron in JSON. The names are btcli's where it has the field,
// and so are amounts in TAO, or alpha.
type shownNeuron struct {
	UID          int          `json:"uid"`
	Stake        jsonTAO      `json:"stake"` // the weight that it has: alpha, and TAO as far as it counts
	AlphaStake   jsonTAO      `json:"alpha_stake"`
	TAOStake     jsonTAO      `json:"tao_stake"`
	Rank         float64      `json:"rank"`
	Trust        float64      `json:"trust"`
	Consensus    float64      `json:"consensus"`
	Incentive    float64      `json:"incentive"`
	Dividends    float64      `json:"dividends"`
	Emission     jsonTAO      `json:"emissions"` // of the last epoch, in alpha
	VTrust       float64      `json:"validator_trust"`
	Permit       bool         `json:"validator_permit"`
	Active       bool         `json:"active"`
	Pruning      float64      `json:"pruning_score"`
	LastUpdate   subnet.Block `json:"last_update"`
	Updated      uint64       `json:"blocks_since_last_update"`
	RegisteredAt subnet.Block `json:"block_at_registration"`
	Axon         *string      `json:"axon"` // null if it serves nowhere
	Hotkey       string       `json:"hotkey"`
	Coldkey      string       `json:"coldkey"`
	Identity     string       `json:"identity"` // the coldkey's name of itself
}

// elementOf returns the i-th of a list by uid. Those of an epoch may be shorter
// than the subnet until the next.
func elementOf[T any](list []T, i int) (x T) {
	if i < len(list) {
		x = list[i]
	}
	return x
}

// neuron returns one of the subnet's neurons.
func (g graph) neuron(i int) shownNeuron {
	s := shownNeuron{
		UID: i, Stake: jsonTAO(elementOf(g.TotalStake, i)), AlphaStake: jsonTAO(g.AlphaStake[i]), TAOStake: jsonTAO(elementOf(g.TaoStake, i)),
		Rank: share(elementOf(g.Rank, i)), Trust: share(elementOf(g.Trust, i)), Consensus: share(elementOf(g.Consensus, i)),
		Incentive: share(elementOf(g.Incentives, i)), Dividends: share(elementOf(g.Dividends, i)), Emission: jsonTAO(elementOf(g.Emissions, i)),
		VTrust: share(elementOf(g.ValidatorTrust, i)), Permit: elementOf(g.Permits, i), Active: elementOf(g.Active, i),
		Pruning: share(elementOf(g.PruningScores, i)), LastUpdate: elementOf(g.LastUpdate, i), RegisteredAt: elementOf(g.RegisteredAts, i),
		Hotkey: keys.Address(g.Hotkeys[i]), Coldkey: keys.Address(g.Coldkeys[i]),
	}
	s.Updated = uint64(g.Block - min(g.Block, s.LastUpdate))
	if at := axonText(g.Axons[i]); at != "none" {
		s.Axon = &at
	}
	if id := elementOf(g.Identities, i); id != nil {
		s.Identity = id.Name
	}
	return s
}

// perBlock is a neuron's emission in one block, in the smallest unit of alpha: that
// of an epoch, which is as many blocks as the tempo has, spread over it.
func (g graph) perBlock(s shownNeuron) uint64 { return uint64(s.Emission) / uint64(max(g.Tempo, 1)) }

// The columns that tables of neurons have in common, in the order of guide and
// classic btcli, and those that are given up first where there is no room.
var shareColumns = []tui.Column{
	{Head: "RANK", Right: true, Drop: 12},
	{Head: "TRUST", Right: true, Drop: 11},
	{Head: "CONSENSUS", Short: "CONS", Right: true, Drop: 8},
	{Head: "INCENTIVE", Short: "INCENT", Right: true},
	{Head: "DIVIDENDS", Short: "DIVID", Right: true},
}

func (s shownNeuron) shares() []float64 {
	return []float64{s.Rank, s.Trust, s.Consensus, s.Incentive, s.Dividends}
}

func cellsOf(shares []float64) []string {
	var out []string
	for _, x := range shares {
		out = append(out, fmt.Sprintf("%.5f", x))
	}
	return out
}

func (s shownNeuron) axon() string {
	if s.Axon == nil {
		return "none"
	}
	return *s.Axon
}

func (s shownNeuron) permit() string {
	if s.Permit {
		return "*"
	}
	return ""
}

// A sum is the last row of a table of neurons.
type sum struct {
	neurons, active               int
	stake, alpha, tao, epoch, rho uint64
	shares                        []float64
	vtrust                        float64
}

func (g graph) sum(neurons []shownNeuron) sum {
	total := sum{neurons: len(neurons), shares: make([]float64, len(shareColumns))}
	for _, s := range neurons {
		if s.Active {
			total.active++
		}
		total.stake, total.alpha, total.tao = plus(total.stake, s.Stake), plus(total.alpha, s.AlphaStake), plus(total.tao, s.TAOStake)
		total.epoch, total.rho = plus(total.epoch, s.Emission), plus(total.rho, jsonTAO(g.perBlock(s)))
		for i, x := range s.shares() {
			total.shares[i] += x
		}
		total.vtrust += s.VTrust
	}
	return total
}

// plus adds amounts, and stays at the largest there is: what a chain tells may lie.
func plus(a uint64, b jsonTAO) uint64 { return a + min(uint64(b), math.MaxUint64-a) }

// of is such as "3/7".
func of(n, all int) string { return strconv.Itoa(n) + "/" + strconv.Itoa(all) }
