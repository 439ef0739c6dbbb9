package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/tui"
)

// WalletBalanceCommand shows what coldkeys have.
type WalletBalanceCommand struct {
	coldkeyFlags
	readFlags
	SS58 []string `name:"ss58" aliases:"ss58-address,ss58_address,coldkey-ss58" sep:"," xor:"whose" placeholder:"ADDRESS,…" help:"These coldkeys instead of the wallet's."`
	All  bool     `short:"a" aliases:"all-wallets,all_wallets" xor:"whose" help:"All wallets."`
	Sort string   `aliases:"sort-by" enum:",name,free,staked,total" default:"" placeholder:"COLUMN" help:"Sort by name, or by free, staked or total, the most first."`
}

// Help shows examples.
func (WalletBalanceCommand) Help() string {
	return `Shows what coldkeys have that can be spent, and what their stake is worth at the
prices of this block.

Examples:
  adit wallet balance
  adit wallet balance --all --sort total
  adit wallet balance --ss58 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY --json`
}

// The shapes of the JSON are btcli's.
type (
	shownBalances struct {
		Balances map[string]shownBalance `json:"balances"` // by the wallet's name
		Totals   totalBalance            `json:"totals"`
	}
	shownBalance struct {
		Coldkey string `json:"coldkey"`
		totalBalance
	}
	totalBalance struct {
		Free   jsonTAO `json:"free"`
		Staked jsonTAO `json:"staked"`
		Total  jsonTAO `json:"total"`
	}
)

// A holding is what a coldkey has.
type holding struct {
	name    string
	coldkey subtensor.Account
	free    uint64
	stakes  []subtensor.Stake
	staked  uint64 // their worth, in RAO
}

func (h holding) total() uint64 { return plus(h.free, jsonTAO(h.staked)) }

// holdings reads what coldkeys have at the prices of subnets.
func holdings(ctx context.Context, v *subtensor.View, who []holding, prices map[subnet.NetUID]uint64) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i := range who {
		g.Go(func() error {
			h := &who[i]
			state, err := v.Account(gctx, h.coldkey)
			if err != nil {
				return err
			}
			h.free = state.Free
			if h.stakes, err = v.Stakes(gctx, h.coldkey); err != nil {
				return err
			}
			for _, s := range h.stakes {
				h.staked = plus(h.staked, jsonTAO(worth(s.Amount, prices[s.NetUID])))
			}
			return nil
		})
	}
	return g.Wait()
}

// coldkeys returns those that are meant: of addresses, or of wallets.
func (f coldkeyFlags) coldkeys(addresses []string, all bool) ([]holding, error) {
	var out []holding
	for i, a := range addresses {
		who, err := parseAccount(a)
		if err != nil {
			return nil, err
		}
		out = append(out, holding{name: fmt.Sprintf("Provided Address %d", i+1), coldkey: who})
	}
	if out != nil {
		return out, nil
	}
	wallets, err := f.held(all)
	if err != nil {
		return nil, err
	}
	for _, w := range wallets {
		if w.known {
			out = append(out, holding{name: w.name, coldkey: w.coldkey})
		} else if !all {
			return nil, errColdkey(w.name)
		}
	}
	return out, nil
}

// Run prints them.
func (c WalletBalanceCommand) Run(ctx context.Context, t terminal) error {
	who, err := c.coldkeys(c.SS58, c.All)
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
	if err := holdings(ctx, v, who, prices); err != nil {
		return err
	}
	slices.SortStableFunc(who, func(a, b holding) int {
		switch c.Sort {
		case "free":
			return cmp.Compare(b.free, a.free)
		case "staked":
			return cmp.Compare(b.staked, a.staked)
		case "total":
			return cmp.Compare(b.total(), a.total())
		}
		return 0 // wallets are by name
	})
	out := shownBalances{Balances: map[string]shownBalance{}}
	table := tui.Table{Columns: []tui.Column{{Head: "Wallet Name", Short: "Wallet"}, {Head: "Coldkey Address", Brief: 10},
		{Head: "Free Balance", Short: "Free", Right: true}, {Head: "Staked Value", Short: "Staked", Right: true}, {Head: "Total Balance", Short: "Total", Right: true}}}
	for _, h := range who {
		b := shownBalance{keys.Address(h.coldkey), totalBalance{jsonTAO(h.free), jsonTAO(h.staked), jsonTAO(h.total())}}
		out.Balances[h.name] = b
		out.Totals.Free, out.Totals.Staked = jsonTAO(plus(h.free, out.Totals.Free)), jsonTAO(plus(h.staked, out.Totals.Staked))
		table.Rows = append(table.Rows, append([]string{h.name, b.Coldkey}, b.cells()...))
	}
	out.Totals.Total = jsonTAO(plus(uint64(out.Totals.Free), out.Totals.Staked))
	if c.JSON {
		return printJSON(t, out)
	}
	table.Rows = append(table.Rows, append([]string{"Total Balance", ""}, out.Totals.cells()...))
	return printTable(t, table)
}

func (b totalBalance) cells() []string {
	return []string{taoCell(uint64(b.Free)), taoCell(uint64(b.Staked)), taoCell(uint64(b.Total))}
}
