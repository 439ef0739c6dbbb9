package main

import (
	"context"
	"fmt"
	"strconv"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/tui"
)

// StakeListCommand shows what a coldkey has staked.
type StakeListCommand struct {
	coldkeyFlags
	readFlags
	netuidsFlag
	SS58 string `name:"ss58" aliases:"ss58-address,ss58_address,coldkey-ss58,coldkey_ss58" placeholder:"ADDRESS" help:"This coldkey instead of the wallet's."`
}

// Help shows examples.
func (StakeListCommand) Help() string {
	return `Shows what a coldkey has staked with each hotkey and on each subnet, in the subnet's
alpha, what that is worth in TAO at the price of this block, and what of it is
locked. EMISSION is what it earned in the last epoch, in alpha.

Examples:
  adit stake list
  adit stake list --wallet-name cold --netuids 0,1
  adit stake list --ss58 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY --json`
}

// The shapes of the JSON are btcli's.
type (
	shownStakes struct {
		Info    map[string][]shownStake `json:"stake_info"` // by the hotkey's address
		Coldkey string                  `json:"coldkey_address"`
		Network string                  `json:"network"`
		Free    jsonTAO                 `json:"free_balance"`
		Total   jsonTAO                 `json:"total_tao_value"` // with the free balance
	}
	shownStake struct {
		NetUID     subnet.NetUID `json:"netuid"`
		Name       string        `json:"subnet_name"`
		Value      jsonTAO       `json:"value"`       // in TAO
		Stake      jsonTAO       `json:"stake_value"` // in alpha
		Locked     jsonTAO       `json:"locked_tao"`  // of the alpha
		LockedRAO  uint64        `json:"locked_rao"`
		Rate       jsonTAO       `json:"rate"` // TAO for one alpha
		Registered bool          `json:"registered"`
		Emission   struct {
			Alpha jsonTAO `json:"alpha"` // of the last epoch
			TAO   jsonTAO `json:"tao"`
		} `json:"emission"`
	}
)

// Run prints it.
func (c StakeListCommand) Run(ctx context.Context, t terminal) error {
	var addresses []string
	if c.SS58 != "" {
		addresses = []string{c.SS58}
	}
	who, err := c.coldkeys(addresses, false)
	if err != nil {
		return err
	}
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	prices, err := v.AlphaPrices(ctx)
	if err != nil {
		return err
	}
	subnets, err := v.Subnets(ctx)
	if err != nil {
		return err
	}
	if err := holdings(ctx, v, who, prices); err != nil {
		return err
	}
	h := who[0]
	named := map[subnet.NetUID]subtensor.SubnetInfo{}
	for _, s := range subnets {
		named[s.NetUID] = s
	}
	out := shownStakes{Info: map[string][]shownStake{}, Coldkey: keys.Address(h.coldkey), Network: c.name(), Free: jsonTAO(h.free)}
	var hotkeys []string // in the order of the stakes
	value := uint64(0)
	for _, s := range h.stakes {
		if !c.means(s.NetUID) || s.Amount == 0 {
			continue
		}
		price := prices[s.NetUID]
		x := shownStake{NetUID: s.NetUID, Name: named[s.NetUID].Name, Value: jsonTAO(worth(s.Amount, price)), Stake: jsonTAO(s.Amount),
			Locked: jsonTAO(s.Locked), LockedRAO: s.Locked, Rate: jsonTAO(price), Registered: s.Registered}
		x.Emission.Alpha, x.Emission.TAO = jsonTAO(s.Emission), jsonTAO(worth(s.Emission, price))
		hotkey := keys.Address(s.Hotkey)
		if out.Info[hotkey] == nil {
			hotkeys = append(hotkeys, hotkey)
		}
		out.Info[hotkey] = append(out.Info[hotkey], x)
		value = plus(value, x.Value)
	}
	out.Total = jsonTAO(plus(value, out.Free))
	if c.JSON {
		return printJSON(t, out)
	}
	return c.print(t, out, hotkeys, jsonTAO(value))
}

// names are what the wallet calls its hotkeys, by address.
func (f coldkeyFlags) names() map[string]string {
	out := map[string]string{}
	wallets, err := f.held(false)
	if err != nil {
		return out // nobody asked for it: --ss58 needs no wallet
	}
	for _, h := range wallets[0].hotkeys {
		out[keys.Address(h.account)] = h.name
	}
	return out
}

func (c StakeListCommand) print(t terminal, out shownStakes, hotkeys []string, value jsonTAO) error {
	names := c.names()
	table := tui.Table{Columns: []tui.Column{{Head: "HOTKEY", Brief: 8}, {Head: "HOTKEY_SS58", Brief: 11}, {Head: "NETUID", Right: true},
		{Head: "NAME", Brief: 8, Drop: 1}, {Head: "STAKE", Right: true}, {Head: "PRICE", Right: true, Drop: 2}, {Head: "VALUE(TAO)", Short: "TAO", Right: true},
		{Head: "LOCKED", Right: true, Drop: 3}, {Head: "EMISSION", Short: "EMIT", Right: true, Drop: 5}, {Head: "REGISTERED", Short: "REG", Drop: 4}}}
	for _, hotkey := range hotkeys {
		for _, s := range out.Info[hotkey] {
			table.Rows = append(table.Rows, []string{names[hotkey], hotkey, strconv.Itoa(int(s.NetUID)), s.Name, taoCell(uint64(s.Stake)),
				emissionCell(uint64(s.Rate)), taoCell(uint64(s.Value)), taoCell(s.LockedRAO), emissionCell(uint64(s.Emission.Alpha)), yesNo(s.Registered)})
		}
	}
	if table.Rows == nil {
		fmt.Fprintf(t.err, "adit: nothing is staked there\nhint: 'adit stake add' stakes\n")
	} else if err := printTable(t, table); err != nil {
		return err
	} else {
		fmt.Fprintln(t.out)
	}
	return printPairs(t, "", [][2]string{{"coldkey", out.Coldkey}, {"staked", formatTAO(uint64(value)) + " TAO"},
		{"free", formatTAO(uint64(out.Free)) + " TAO"}, {"total", formatTAO(uint64(out.Total)) + " TAO"}})
}
