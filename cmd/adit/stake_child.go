package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/tui"
)

// StakeChildCommand is about hotkeys that work with another's stake.
type StakeChildCommand struct {
	Get    StakeChildGetCommand    `cmd:"" help:"Show a hotkey's children."`
	Set    StakeChildSetCommand    `cmd:"" help:"Replace a hotkey's children."`
	Revoke StakeChildRevokeCommand `cmd:"" help:"Take all children from a hotkey."`
	Take   StakeChildTakeCommand   `cmd:"" help:"Show or set what a child keeps of its parents' rewards."`
}

// whole is all of a hotkey's stake, as the chain counts parts of it.
const whole = math.MaxUint64

// StakeChildGetCommand shows children.
type StakeChildGetCommand struct {
	coldkeyFlags
	readFlags
	netuidFlag
	holderFlag
	AllNetuids bool `aliases:"all_netuids" help:"On every subnet, which is so without --netuid too."`
}

// Help shows examples.
func (StakeChildGetCommand) Help() string {
	return `Shows which hotkeys work with a hotkey's stake, with which part of it, and what they
keep of the rewards; and those that are to do so once the chain's cooldown is over.

Examples:
  adit stake child get --netuid 1
  adit stake child get --hotkey 5DAA… --all-netuids --json`
}

// The shapes of the JSON.
type (
	shownChildren struct {
		Hotkey  string           `json:"hotkey_ss58"`
		Subnets []subnetChildren `json:"subnets"`
	}
	subnetChildren struct {
		NetUID   subnet.NetUID `json:"netuid"`
		Children []shownChild  `json:"children"`
		Pending  []shownChild  `json:"pending,omitempty"` // that replace them
		From     subnet.Block  `json:"pending_after_block,omitempty"`
	}
	shownChild struct {
		Hotkey     string  `json:"hotkey_ss58"`
		Proportion float64 `json:"proportion"`
		Raw        uint64  `json:"proportion_u64"` // of 2^64-1
		Take       float64 `json:"take"`
	}
)

// Run shows them.
func (c StakeChildGetCommand) Run(ctx context.Context, t terminal) error {
	hotkey, err := c.hotkeyNamed(c.Hotkey)
	if err != nil {
		return err
	}
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	all, err := v.NetUIDs(ctx)
	if err != nil {
		return err
	}
	if c.Netuid != nil && !c.AllNetuids {
		if err := (&owner{View: v}).exists(ctx, *c.Netuid); err != nil {
			return err
		}
		all = []subnet.NetUID{*c.Netuid}
	}
	out := shownChildren{Hotkey: keys.Address(hotkey), Subnets: []subnetChildren{}}
	for _, n := range all {
		s, err := readChildren(ctx, v, hotkey, n)
		if err != nil {
			return err
		}
		if len(s.Children) > 0 || s.From > 0 {
			out.Subnets = append(out.Subnets, s)
		}
	}
	if c.JSON {
		return printJSON(t, out)
	}
	if len(out.Subnets) == 0 {
		fmt.Fprintf(t.err, "adit: %s has no children there\n", out.Hotkey)
		return nil
	}
	return printTable(t, out.table())
}

func readChildren(ctx context.Context, v *subtensor.View, hotkey subtensor.Account, n subnet.NetUID) (subnetChildren, error) {
	s := subnetChildren{NetUID: n}
	now, err := v.Children(ctx, hotkey, n)
	if err != nil {
		return s, err
	}
	next, from, err := v.PendingChildren(ctx, hotkey, n)
	if err != nil {
		return s, err
	}
	s.From = from
	show := func(list []subtensor.Child) ([]shownChild, error) {
		out := []shownChild{}
		for _, c := range list {
			take, err := v.ChildTake(ctx, c.Hotkey, n)
			if err != nil {
				return nil, err
			}
			out = append(out, shownChild{keys.Address(c.Hotkey), float64(c.Proportion) / whole, c.Proportion, share(take)})
		}
		return out, nil
	}
	if s.Children, err = show(now); err == nil && from > 0 {
		s.Pending, err = show(next)
	}
	return s, err
}

func (s shownChildren) table() tui.Table {
	table := tui.Table{Columns: []tui.Column{{Head: "NETUID", Right: true}, {Head: "CHILD", Brief: 12}, {Head: "PART", Right: true}, {Head: "TAKE", Right: true}, {Head: "SINCE"}}}
	for _, n := range s.Subnets {
		add := func(list []shownChild, when string) {
			for _, c := range list {
				table.Rows = append(table.Rows, []string{fmt.Sprint(n.NetUID), c.Hotkey, formatParts(c.Raw, whole), fmt.Sprintf("%.2f%%", c.Take*100), when})
			}
		}
		add(n.Children, "now")
		if n.From > 0 {
			when := fmt.Sprintf("after block %d", n.From)
			add(n.Pending, when)
			if len(n.Pending) == 0 {
				table.Rows = append(table.Rows, []string{fmt.Sprint(n.NetUID), "none", "", "", when})
			}
		}
	}
	return table
}

// StakeChildSetCommand replaces children.
type StakeChildSetCommand struct {
	ownerFlags
	netuidFlag
	holderFlag
	Children    []string       `short:"c" required:"" placeholder:"ADDRESS,…" help:"The hotkeys that get parts of the stake, at most five."`
	Proportions []fractionFlag `aliases:"prop" required:"" placeholder:"PART,…" help:"Their parts in the same order, such as 0.5,0.25; together at most 1."`
}

// Help shows examples.
func (StakeChildSetCommand) Help() string {
	return `Lets other hotkeys validate with parts of a hotkey's stake on a subnet. They replace
those that there are. The stake stays where it is; its owner gets the rewards, less
what the child takes. On a subnet that has been started it takes effect after the
chain's cooldown of about a day.

Examples:
  adit stake child set --netuid 1 --children 5DAA…,5Grw… --proportions 0.5,0.25
  adit stake child set -n 1 --hotkey first --children 5DAA… --proportions 1 --dry-run`
}

// Run sets them.
func (c StakeChildSetCommand) Run(ctx context.Context, t terminal) error {
	if len(c.Children) != len(c.Proportions) {
		return subnet.WithHint(fmt.Errorf("%d children have %d proportions", len(c.Children), len(c.Proportions)), "each child has one, in the same order")
	}
	var list []subtensor.Child
	sum := uint64(0)
	for i, name := range c.Children {
		who, err := c.hotkeyNamed(name)
		if err != nil {
			return err
		}
		part, over := c.Proportions[i].of(whole), uint64(0)
		if sum, over = bits.Add64(sum, part, 0); over != 0 {
			return subnet.WithHint(errors.New("the proportions are together more than 1"), "a hotkey cannot lend more than all of its stake")
		}
		list = append(list, subtensor.Child{Proportion: part, Hotkey: who})
	}
	return setChildren(ctx, t, c.ownerFlags, c.netuidFlag, c.holderFlag, list)
}

// StakeChildRevokeCommand takes children away.
type StakeChildRevokeCommand struct {
	ownerFlags
	netuidFlag
	holderFlag
}

// Help shows examples.
func (StakeChildRevokeCommand) Help() string {
	return `Takes all children from a hotkey on a subnet, after the same cooldown with which they
are set.

Examples:
  adit stake child revoke --netuid 1
  adit stake child revoke --netuid 1 --hotkey first --yes`
}

// Run takes them away.
func (c StakeChildRevokeCommand) Run(ctx context.Context, t terminal) error {
	return setChildren(ctx, t, c.ownerFlags, c.netuidFlag, c.holderFlag, nil)
}

func setChildren(ctx context.Context, t terminal, f ownerFlags, in netuidFlag, of holderFlag, list []subtensor.Child) error {
	n, err := in.netuid()
	if err != nil {
		return err
	}
	o, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	hotkey, name, err := o.hotkey(ctx, f.coldkeyFlags, of, n, nil)
	if err != nil {
		return err
	}
	if err := o.owns(ctx, hotkey); err != nil {
		return err
	}
	now, err := o.Children(ctx, hotkey, n)
	if err != nil {
		return err
	}
	next, from, err := o.PendingChildren(ctx, hotkey, n)
	if err != nil {
		return err
	}
	if len(list) == 0 && len(now) == 0 && len(next) == 0 {
		return subnet.WithHint(fmt.Errorf("%s has no children on subnet %d", keys.Address(hotkey), n), "nothing is left to do")
	}
	d := deal{signer: o.files, title: "set children", call: subtensor.SetChildren(hotkey, n, list...), told: [][2]string{{"subnet", o.subnetName(ctx, n)}, {"hotkey", name}}}
	if len(list) == 0 {
		d.title = "revoke all children"
	}
	tell := func(what string, list []subtensor.Child, when string) {
		for _, c := range list {
			d.told = append(d.told, [2]string{what, keys.Address(c.Hotkey) + ", " + formatParts(c.Proportion, whole) + when})
		}
	}
	tell("child", list, "")
	tell("replaces", now, "")
	tell("replaces", next, fmt.Sprintf(", due after block %d", from))
	r, err := f.deal(ctx, t, o.client, d)
	if err != nil {
		return err
	}
	if r.DryRun {
		return f.print(t, r, nil)
	}
	v, err := o.client.At(ctx, subnet.Block(r.Block))
	if err != nil {
		return err
	}
	result, err := readChildren(ctx, v, hotkey, n)
	if err != nil {
		return err
	}
	when := "now"
	if result.From > 0 {
		when = fmt.Sprintf("after block %d", result.From)
	}
	return f.print(t, r, result, [2]string{"takes effect", when})
}

// owns returns an error if a hotkey does not belong to the coldkey.
func (o *owner) owns(ctx context.Context, hotkey subtensor.Account) error {
	of, known, err := o.Owner(ctx, hotkey)
	if err != nil || known && of == o.who {
		return err
	}
	err = fmt.Errorf("the chain does not know the hotkey %s", keys.Address(hotkey))
	if known {
		err = fmt.Errorf("the hotkey %s belongs to another coldkey, %s", keys.Address(hotkey), keys.Address(of))
	}
	return subnet.WithHint(err, "only its owner may do this; --wallet-name and --hotkey tell which keys are meant")
}
