package main

import (
	"context"
	"fmt"
	"strings"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// InspectCommand tells of wallets in short.
type InspectCommand struct {
	coldkeyFlags
	readFlags
	netuidsFlag
	Hotkey string   `short:"H" aliases:"wallet.hotkey,wallet-hotkey,wallet_hotkey" placeholder:"NAME" help:"This hotkey only."`
	All    bool     `short:"a" aliases:"all-wallets,all_wallets" xor:"whose" help:"All wallets."`
	SS58   []string `name:"ss58" aliases:"ss58-address,ss58_address" sep:"," xor:"whose" placeholder:"ADDRESS,…" help:"These coldkeys instead of the wallet's."`
}

// Help shows examples.
func (InspectCommand) Help() string {
	return `Tells of a wallet's coldkey what it has, and of each of its hotkeys what is staked
with it for the coldkey, what that is worth, and where it is registered.

Examples:
  adit inspect
  adit wallet inspect --all --netuids 1
  adit wallet inspect --ss58 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY --json`
}

// The shapes of the JSON.
type (
	inspectedWallet struct {
		Name    string            `json:"name"`
		Coldkey string            `json:"coldkey"` // "?" if only its password tells
		Balance jsonTAO           `json:"balance"`
		Stake   jsonTAO           `json:"stake"` // what it is worth in TAO
		Hotkeys []inspectedHotkey `json:"hotkeys"`
	}
	inspectedHotkey struct {
		Name       string           `json:"name"` // "" if the wallet has no such file
		Hotkey     string           `json:"hotkey"`
		Stake      jsonTAO          `json:"stake"` // what the coldkey's is worth in TAO
		Stakes     []inspectedStake `json:"stakes"`
		Registered []inspectedPlace `json:"registered"`
	}
	inspectedStake struct {
		NetUID   subnet.NetUID `json:"netuid"`
		Stake    jsonTAO       `json:"stake"` // in alpha
		Value    jsonTAO       `json:"value"` // in TAO
		Emission jsonTAO       `json:"emission"`
	}
	inspectedPlace struct {
		NetUID subnet.NetUID `json:"netuid"`
		UID    subnet.UID    `json:"uid"`
	}
)

// Run prints it.
func (c InspectCommand) Run(ctx context.Context, t terminal) error {
	wallets, err := c.wallets()
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
	out := []inspectedWallet{}
	for _, w := range wallets {
		one, err := c.inspect(ctx, v, w, prices)
		if err != nil {
			return err
		}
		out = append(out, one)
	}
	if c.JSON {
		return printJSON(t, struct {
			Network string            `json:"network"`
			Block   subnet.Block      `json:"block"`
			Wallets []inspectedWallet `json:"wallets"`
		}{c.name(), v.Block, out})
	}
	for i, w := range out {
		if i > 0 {
			fmt.Fprintln(t.out)
		}
		if err := printPairs(t, w.Name+":", w.lines()); err != nil {
			return err
		}
	}
	return nil
}

// wallets returns those that are meant. One of an address has no hotkeys here.
func (c InspectCommand) wallets() ([]heldWallet, error) {
	var out []heldWallet
	for _, a := range c.SS58 {
		who, err := parseAccount(a)
		if err != nil {
			return nil, err
		}
		out = append(out, heldWallet{name: a, coldkey: who, known: true})
	}
	if out != nil {
		return out, nil
	}
	return c.held(c.All)
}

func (c InspectCommand) inspect(ctx context.Context, v *subtensor.View, w heldWallet, prices map[subnet.NetUID]uint64) (inspectedWallet, error) {
	out := inspectedWallet{Name: w.name, Coldkey: w.address(), Hotkeys: []inspectedHotkey{}}
	h := holding{coldkey: w.coldkey}
	if w.known {
		who := []holding{h}
		if err := holdings(ctx, v, who, prices); err != nil {
			return out, err
		}
		h = who[0]
		out.Balance, out.Stake = jsonTAO(h.free), jsonTAO(h.staked)
		owned, err := v.OwnedHotkeys(ctx, w.coldkey)
		if err != nil {
			return out, err
		}
		for _, s := range h.stakes {
			owned = append(owned, s.Hotkey) // with others
		}
		for _, who := range owned {
			w.hotkeys = append(w.hotkeys, heldHotkey{"", who})
		}
	}
	var accounts []subtensor.Account
	index := map[subtensor.Account]int{}
	for _, k := range w.hotkeys {
		if _, is := index[k.account]; is || c.Hotkey != "" && k.name != c.Hotkey {
			continue
		}
		index[k.account] = len(out.Hotkeys)
		accounts = append(accounts, k.account)
		out.Hotkeys = append(out.Hotkeys, inspectedHotkey{Name: k.name, Hotkey: keys.Address(k.account), Stakes: []inspectedStake{}, Registered: []inspectedPlace{}})
	}
	if c.Hotkey != "" && accounts == nil && !c.All {
		return out, subnet.WithHint(fmt.Errorf("wallet %q has no hotkey %q", w.name, c.Hotkey), "'adit wallet list' shows those that there are")
	}
	for _, s := range h.stakes {
		if i, is := index[s.Hotkey]; is && c.means(s.NetUID) && s.Amount > 0 {
			k := &out.Hotkeys[i]
			x := inspectedStake{s.NetUID, jsonTAO(s.Amount), jsonTAO(worth(s.Amount, prices[s.NetUID])), jsonTAO(s.Emission)}
			k.Stake = jsonTAO(plus(uint64(k.Stake), x.Value))
			k.Stakes = append(k.Stakes, x)
		}
	}
	registrations, err := v.Registrations(ctx, accounts...)
	for _, r := range registrations {
		if k := &out.Hotkeys[index[r.Hotkey]]; c.means(r.NetUID) {
			k.Registered = append(k.Registered, inspectedPlace{r.NetUID, r.UID})
		}
	}
	return out, err
}

// lines are guide 4's.
func (w inspectedWallet) lines() [][2]string {
	out := [][2]string{{"coldkey:", w.Coldkey}, {"balance:", formatTAO(uint64(w.Balance)) + " TAO"}, {"stake:", formatTAO(uint64(w.Stake)) + " TAO"}}
	for _, k := range w.Hotkeys {
		out = append(out, [2]string{"hotkey:", strings.TrimSpace(k.Hotkey + " " + k.Name)})
		stake := formatTAO(uint64(k.Stake)) + " TAO"
		for i, s := range k.Stakes {
			sep := ", "
			if i == 0 {
				sep = ": "
			}
			stake += sep + fmt.Sprintf("%s on subnet %d", formatTAO(uint64(s.Stake)), s.NetUID)
		}
		registered := "No"
		for i, r := range k.Registered {
			if i == 0 {
				registered = "Yes:"
			} else {
				registered += ","
			}
			registered += fmt.Sprintf(" subnet %d as uid %d", r.NetUID, r.UID)
		}
		out = append(out, [2]string{"stake:", stake}, [2]string{"registered:", registered})
	}
	return out
}
