package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/tui"
)

// SubnetListCommand lists subnets.
type SubnetListCommand struct {
	readFlags
	netuidsFlag
}

// Help shows examples.
func (SubnetListCommand) Help() string {
	return `Lists the subnets there are: root first, then by what all of their alpha is worth.
EMISSION is the TAO that goes into a subnet's pool with each block, STAKE the alpha
outside it, and TEMPO how many blocks of its epoch are over.

Examples:
  adit subnet list
  adit subnet list --netuids 1,2 --network test --json`
}

// The shapes of the JSON are btcli's.
type (
	shownSubnets struct {
		Emitted    jsonTAO                       `json:"total_tao_emitted"`
		Emissions  jsonTAO                       `json:"total_emissions"`
		Rate       jsonTAO                       `json:"total_rate"`
		Count      int                           `json:"total_netuids"`
		Percentage float64                       `json:"emission_percentage"`
		Subnets    map[subnet.NetUID]shownSubnet `json:"subnets"`
	}
	shownSubnet struct {
		NetUID    subnet.NetUID `json:"netuid"`
		Name      string        `json:"subnet_name"`
		Price     jsonTAO       `json:"price"`
		MarketCap jsonTAO       `json:"market_cap"`
		Emission  jsonTAO       `json:"emission"` // TAO in a block
		Liquidity struct {
			TAOIn   *jsonTAO `json:"tao_in"` // null of root, as what is about pools and epochs
			AlphaIn *jsonTAO `json:"alpha_in"`
		} `json:"liquidity"`
		AlphaOut *jsonTAO `json:"alpha_out"`
		Supply   jsonTAO  `json:"supply"`
		Tempo    struct {
			Since *uint64 `json:"blocks_since_last_step"`
			Tempo *uint16 `json:"sn_tempo"`
		} `json:"tempo"`
		Mechanisms uint8 `json:"mechanisms"`

		info subtensor.SubnetInfo
	}
)

// Run prints them.
func (c SubnetListCommand) Run(ctx context.Context, t terminal) error {
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	infos, err := v.Subnets(ctx)
	if err != nil {
		return err
	}
	prices, err := v.AlphaPrices(ctx)
	if err != nil {
		return err
	}
	mechanisms, err := v.Mechanisms(ctx)
	if err != nil {
		return err
	}
	out := shownSubnets{Subnets: map[subnet.NetUID]shownSubnet{}}
	var list []shownSubnet
	for _, s := range infos {
		if !c.means(s.NetUID) {
			continue
		}
		x := listedSubnet(s, prices[s.NetUID])
		if count, is := mechanisms[s.NetUID]; is {
			x.Mechanisms = count
		}
		out.Emitted = jsonTAO(plus(s.TaoIn, out.Emitted))
		out.Emissions, out.Rate = jsonTAO(plus(uint64(x.Emission), out.Emissions)), jsonTAO(plus(uint64(x.Price), out.Rate))
		out.Subnets[s.NetUID] = x
		list = append(list, x)
	}
	for _, n := range c.Netuids {
		if _, is := out.Subnets[n]; !is {
			return subnetHint(fmt.Errorf("there is no subnet %d: %w", n, subnet.ErrNotFound))
		}
	}
	out.Count = len(list)
	out.Percentage = float64(out.Emitted) / 1e9 / float64(max(v.Block, 1)) * 100
	if c.JSON {
		return printJSON(t, out)
	}
	slices.SortStableFunc(list, func(a, b shownSubnet) int {
		if a.NetUID == 0 || b.NetUID == 0 {
			return cmp.Compare(a.NetUID, b.NetUID)
		}
		return cmp.Compare(b.MarketCap, a.MarketCap)
	})
	return printTable(t, subnetTable(list))
}

func listedSubnet(s subtensor.SubnetInfo, price uint64) shownSubnet {
	supply := plus(s.AlphaIn, jsonTAO(s.AlphaOut))
	x := shownSubnet{NetUID: s.NetUID, Name: s.Name, Price: jsonTAO(price), MarketCap: jsonTAO(worth(supply, price)), Supply: jsonTAO(supply), Mechanisms: 1, info: s}
	if s.NetUID == 0 {
		return x
	}
	taoIn, alphaIn, alphaOut := jsonTAO(s.TaoIn), jsonTAO(s.AlphaIn), jsonTAO(s.AlphaOut)
	x.Emission, x.Liquidity.TAOIn, x.Liquidity.AlphaIn, x.AlphaOut = jsonTAO(s.TaoInEmission), &taoIn, &alphaIn, &alphaOut
	x.Tempo.Since, x.Tempo.Tempo = &s.BlocksSinceLastStep, &s.Tempo
	return x
}

func subnetTable(list []shownSubnet) tui.Table {
	table := tui.Table{Columns: []tui.Column{{Head: "NETUID", Right: true}, {Head: "NAME", Brief: 12}, {Head: "PRICE", Right: true},
		{Head: "MARKET CAP", Short: "CAP", Right: true}, {Head: "EMISSION", Short: "EMIT", Right: true, Drop: 1}, {Head: "POOL(TAO)", Right: true, Drop: 2},
		{Head: "POOL(α)", Right: true, Drop: 4}, {Head: "STAKE(α)", Right: true, Drop: 3}, {Head: "SUPPLY(α)", Right: true, Drop: 6},
		{Head: "TEMPO", Right: true}, {Head: "MECHANISMS", Short: "MECH", Right: true, Drop: 5}}}
	for _, s := range list {
		pool, tempo := []string{"-", "-", "-"}, "-"
		if s.NetUID != 0 {
			pool = []string{taoCell(s.info.TaoIn), taoCell(s.info.AlphaIn), taoCell(s.info.AlphaOut)}
			tempo = fmt.Sprintf("%d/%d", s.info.BlocksSinceLastStep, s.info.Tempo)
		}
		row := []string{strconv.Itoa(int(s.NetUID)), strings.TrimSpace(s.info.Symbol + " " + s.Name), emissionCell(uint64(s.Price)),
			taoCell(uint64(s.MarketCap)), taoCell(uint64(s.Emission))}
		row = append(row, pool...)
		table.Rows = append(table.Rows, append(row, taoCell(uint64(s.Supply)), tempo, strconv.Itoa(int(s.Mechanisms))))
	}
	return table
}
