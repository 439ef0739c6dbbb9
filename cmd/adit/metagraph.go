package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/tui"
)

// MetagraphCommand shows all neurons of a subnet.
type MetagraphCommand struct {
	readFlags
	netuidFlag
	mechanismFlag
	At        *subnet.Block `aliases:"block" placeholder:"BLOCK" help:"As it was after this block (the newest). Only archive nodes know old ones."`
	Sort      string        `aliases:"sort-by,sort_by" default:"uid" placeholder:"COLUMN" help:"Sort by a column (${default})."`
	SortOrder string        `aliases:"sort_order" enum:"asc,ascending,desc,descending,reverse" default:"ascending" placeholder:"ORDER" help:"ascending or descending (${default})."`
}

// Help shows examples.
func (MetagraphCommand) Help() string {
	return `Shows every neuron of a subnet: what it has staked, how it is judged, what it
earns and where it serves. STAKE is the weight that counts in the subnet, of ALPHA
and of the TAO on root; EMISSION is alpha of the last epoch; UPDATED is how many
blocks ago it set weights; VAL marks who may set weights that count.

Examples:
  adit metagraph --netuid 1
  adit subnet metagraph --netuid 1 --sort incentive --sort-order descending
  adit subnet show --netuid 1 --at 5000000 --network archive --json`
}

// A shownMetagraph is a subnet in JSON. The names are btcli's where it has the
// field, and so are amounts in TAO, or alpha.
type shownMetagraph struct {
	NetUID         subnet.NetUID `json:"netuid"`
	Block          subnet.Block  `json:"block"`
	Network        string        `json:"network"`
	MechanismID    uint8         `json:"mechanism_id"`
	MechanismCount uint8         `json:"mechanism_count"`
	Name           string        `json:"name"`
	Symbol         string        `json:"symbol"`
	Owner          string        `json:"owner"`
	OwnerHotkey    string        `json:"owner_hotkey"`
	OwnerIdentity  string        `json:"owner_identity"`
	Identity       any           `json:"identity"` // of the subnet, or null
	Rate           jsonTAO       `json:"rate"`     // TAO for one alpha
	MovingPrice    float64       `json:"moving_price"`
	Emission       jsonTAO       `json:"emission"` // in a block
	AlphaOutEmit   jsonTAO       `json:"alpha_out_emission"`
	AlphaInEmit    jsonTAO       `json:"alpha_in_emission"`
	TAOInEmit      jsonTAO       `json:"tao_in_emission"`
	PendingAlpha   jsonTAO       `json:"pending_alpha_emission"`
	PendingRoot    jsonTAO       `json:"pending_root_emission"`
	TAOPool        jsonTAO       `json:"tao_pool"`
	AlphaPool      jsonTAO       `json:"alpha_pool"`
	AlphaOut       jsonTAO       `json:"alpha_out"`
	Tempo          struct {
		Since uint64 `json:"block_since_last_step"`
		Tempo uint16 `json:"tempo"`
	} `json:"tempo"`
	LastStep            subnet.Block  `json:"last_step"`
	RegisteredAt        subnet.Block  `json:"network_registered_at"`
	RegistrationCost    jsonTAO       `json:"registration_cost"`
	MinBurn             jsonTAO       `json:"min_burn"`
	MaxBurn             jsonTAO       `json:"max_burn"`
	RegistrationAllowed bool          `json:"registration_allowed"`
	Difficulty          uint64        `json:"difficulty"`
	Issuance            jsonTAO       `json:"issuance"`
	NumUIDs             uint16        `json:"num_uids"`
	MaxUIDs             uint16        `json:"max_uids"`
	MaxValidators       uint16        `json:"max_validators"`
	ImmunityPeriod      uint16        `json:"immunity_period"`
	ActivityCutoff      uint64        `json:"activity_cutoff"`
	WeightsRateLimit    uint64        `json:"weights_rate_limit"`
	ServingRateLimit    uint64        `json:"serving_rate_limit"`
	MinAllowedWeights   uint16        `json:"min_allowed_weights"`
	MaxWeightsLimit     uint16        `json:"max_weights_limit"`
	WeightsVersion      uint64        `json:"weights_version"`
	CommitReveal        bool          `json:"commit_reveal_weights_enabled"`
	CommitRevealPeriod  uint64        `json:"commit_reveal_period"`
	UIDs                []shownNeuron `json:"uids"`
}

// Run prints it.
func (c MetagraphCommand) Run(ctx context.Context, t terminal) error {
	n, err := c.netuid()
	if err != nil {
		return err
	}
	client, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	block := subnet.Latest
	if c.At != nil {
		block = *c.At
	}
	v, err := client.At(ctx, block)
	if err != nil {
		return err
	}
	g, err := readGraph(ctx, v, n, c.mechanismFlag)
	if err != nil {
		return err
	}
	price, err := v.AlphaPrice(ctx, n)
	if err != nil {
		return err
	}
	var neurons []shownNeuron
	for i := range g.Hotkeys {
		neurons = append(neurons, g.neuron(i))
	}
	table := g.table(neurons)
	if err := sortRows(&table, neurons, c.Sort, strings.ContainsAny(c.SortOrder[:1], "dr")); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, g.shown(c, price, neurons))
	}
	total := g.sum(neurons)
	table.Rows = append(table.Rows, total.metagraphRow())
	if err := printParts(t, g.title(c.name(), price, total)); err != nil {
		return err
	}
	return printTable(t, table)
}

// title is what heads the table: guide 4's line, and then what is new since.
func (g graph) title(network string, price uint64, total sum) []string {
	unit := g.Symbol
	if unit == "" {
		unit = "alpha"
	}
	return []string{
		"Metagraph: name: " + strings.TrimSpace(fmt.Sprintf("%s:%d %s %s", network, g.NetUID, g.Name, g.Symbol)),
		"block: " + strconv.FormatUint(uint64(g.Block), 10),
		"N: " + of(total.active, total.neurons) + " active",
		"stake: " + taoCell(total.stake),
		"issuance: " + taoCell(g.Issuance) + " TAO",
		"difficulty: " + strconv.FormatUint(g.Difficulty, 10),
		"owner: " + keys.Address(g.OwnerColdkey),
		"price: " + formatTAO(price) + " TAO",
		"pool: " + taoCell(g.TaoIn) + " TAO and " + taoCell(g.AlphaIn) + " " + unit,
		"emission: " + taoCell(g.AlphaOutEmission) + " " + unit + " a block",
		"tempo: " + fmt.Sprintf("%d/%d", g.BlocksSinceLastStep, g.Tempo),
		"registration: " + g.registration(),
		"mechanisms: " + strconv.Itoa(int(g.Mechanisms)),
	}
}

func (g graph) registration() string {
	if !g.RegistrationAllowed {
		return "closed"
	}
	return formatTAO(g.Burn) + " TAO"
}

func (g graph) table(neurons []shownNeuron) tui.Table {
	table := tui.Table{Columns: []tui.Column{
		{Head: "UID", Right: true},
		{Head: "STAKE", Right: true},
		{Head: "ALPHA", Right: true, Drop: 9},
		{Head: "TAO", Right: true, Drop: 10},
	}}
	table.Columns = append(table.Columns, shareColumns...)
	table.Columns = append(table.Columns,
		tui.Column{Head: "EMISSION", Short: "EMIT", Right: true},
		tui.Column{Head: "VTRUST", Right: true, Drop: 7},
		tui.Column{Head: "VAL", Drop: 4},
		tui.Column{Head: "UPDATED", Short: "UPD", Right: true, Drop: 3},
		tui.Column{Head: "ACTIVE", Short: "ACT", Drop: 5},
		tui.Column{Head: "AXON", Drop: 2},
		tui.Column{Head: "HOTKEY", Brief: 10},
		tui.Column{Head: "COLDKEY", Brief: 10, Drop: 6},
	)
	for _, s := range neurons {
		row := []string{strconv.Itoa(s.UID), taoCell(uint64(s.Stake)), taoCell(uint64(s.AlphaStake)), taoCell(uint64(s.TAOStake))}
		row = append(row, cellsOf(s.shares())...)
		row = append(row, emissionCell(uint64(s.Emission)), fmt.Sprintf("%.5f", s.VTrust), s.permit(), strconv.FormatUint(s.Updated, 10),
			yesNo(s.Active), s.axon(), s.Hotkey, s.Coldkey)
		table.Rows = append(table.Rows, row)
	}
	return table
}

// emissionCell is an amount of alpha with five decimals, as guide 4's table has it.
func emissionCell(alpha uint64) string { return fmt.Sprintf("%d.%05d", alpha/1e9, alpha%1e9/1e4) }

// metagraphRow is the last row of the table.
func (s sum) metagraphRow() []string {
	row := []string{strconv.Itoa(s.neurons), taoCell(s.stake), taoCell(s.alpha), taoCell(s.tao)}
	row = append(row, cellsOf(s.shares)...)
	return append(row, emissionCell(s.epoch), fmt.Sprintf("%.5f", s.vtrust), "", "", strconv.Itoa(s.active), "", "total", "")
}

func (g graph) shown(c MetagraphCommand, price uint64, neurons []shownNeuron) shownMetagraph {
	m := shownMetagraph{
		NetUID: g.NetUID, Block: g.Block, Network: c.name(), MechanismID: c.Mechid, MechanismCount: g.Mechanisms, Name: g.Name, Symbol: g.Symbol,
		Owner: keys.Address(g.OwnerColdkey), OwnerHotkey: keys.Address(g.OwnerHotkey), Rate: jsonTAO(price), MovingPrice: g.MovingPrice,
		Emission: jsonTAO(g.Emission), AlphaOutEmit: jsonTAO(g.AlphaOutEmission), AlphaInEmit: jsonTAO(g.AlphaInEmission), TAOInEmit: jsonTAO(g.TaoInEmission),
		PendingAlpha: jsonTAO(g.PendingAlpha), PendingRoot: jsonTAO(g.PendingRoot), TAOPool: jsonTAO(g.TaoIn), AlphaPool: jsonTAO(g.AlphaIn),
		AlphaOut: jsonTAO(g.AlphaOut), LastStep: g.LastStep, RegisteredAt: g.RegisteredAt, RegistrationCost: jsonTAO(g.Burn),
		MinBurn: jsonTAO(g.MinBurn), MaxBurn: jsonTAO(g.MaxBurn), RegistrationAllowed: g.RegistrationAllowed, Difficulty: g.Difficulty,
		Issuance: jsonTAO(g.Issuance), NumUIDs: g.NumUIDs, MaxUIDs: g.MaxUIDs, MaxValidators: g.MaxValidators, ImmunityPeriod: g.ImmunityPeriod,
		ActivityCutoff: g.ActivityCutoff, WeightsRateLimit: g.WeightsRateLimit, ServingRateLimit: g.ServingRateLimit,
		MinAllowedWeights: g.MinAllowedWeights, MaxWeightsLimit: g.MaxWeightsLimit, WeightsVersion: g.WeightsVersion,
		CommitReveal: g.CommitReveal, CommitRevealPeriod: g.CommitRevealPeriod, UIDs: neurons,
	}
	m.Tempo.Since, m.Tempo.Tempo = g.BlocksSinceLastStep, g.Tempo
	if g.Identity != nil {
		m.Identity = subnetIdentity{*g.Identity}
	}
	for i, who := range g.Coldkeys {
		if id := elementOf(g.Identities, i); who == g.OwnerColdkey && id != nil {
			m.OwnerIdentity = id.Name
		}
	}
	return m
}
