package main

import (
	"context"
	"errors"
	"fmt"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// StakeTakeCommand is about what a hotkey keeps of its nominators' rewards.
type StakeTakeCommand struct {
	Get StakeTakeGetCommand `cmd:"" default:"withargs" help:"Show what a hotkey keeps."`
	Set StakeTakeSetCommand `cmd:"" help:"Set what a hotkey keeps."`
}

// StakeTakeGetCommand shows a take.
type StakeTakeGetCommand struct {
	coldkeyFlags
	readFlags
	holderFlag
}

// Help shows examples.
func (StakeTakeGetCommand) Help() string {
	return `Shows which part of the rewards of those who stake with it a hotkey keeps.

Examples:
  adit stake take get --hotkey first
  adit stake take --hotkey 5DAA… --json`
}

// A shownTake is what a hotkey keeps.
type shownTake struct {
	Hotkey string         `json:"hotkey_ss58"`
	NetUID *subnet.NetUID `json:"netuid,omitempty"` // of a child's take
	Take   float64        `json:"take"`
	Raw    uint16         `json:"take_u16"`         // of 65535
	Before *uint16        `json:"before,omitempty"` // of one that was set
}

func (s shownTake) print(t terminal, asJSON bool) error {
	if asJSON {
		return printJSON(t, s)
	}
	_, err := fmt.Fprintf(t.out, "%s keeps %s\n", s.Hotkey, formatParts(uint64(s.Raw), 65535))
	return err
}

// Run shows it.
func (c StakeTakeGetCommand) Run(ctx context.Context, t terminal) error {
	hotkey, err := c.hotkeyNamed(c.Hotkey)
	if err != nil {
		return err
	}
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	if _, known, err := v.Owner(ctx, hotkey); err != nil || !known {
		if err == nil {
			err = subnet.WithHint(fmt.Errorf("the chain does not know the hotkey %s", keys.Address(hotkey)), "--hotkey tells which is meant")
		}
		return err
	}
	take, err := v.Take(ctx, hotkey)
	if err != nil {
		return err
	}
	return shownTake{Hotkey: keys.Address(hotkey), Take: share(take), Raw: take}.print(t, c.JSON)
}

// StakeTakeSetCommand sets a take.
type StakeTakeSetCommand struct {
	ownerFlags
	holderFlag
	Take fractionFlag `required:"" placeholder:"PART" help:"Which part of the rewards it keeps, such as 0.09. It is rounded down."`
}

// Help shows examples.
func (StakeTakeSetCommand) Help() string {
	return `Sets which part of the rewards of those who stake with it a hotkey keeps. The chain
has a least and a most, and lets it be raised about once a month.

Examples:
  adit stake take set --take 0.09
  adit stake take set --hotkey first --take 0.18 --dry-run`
}

// Run sets it.
func (c StakeTakeSetCommand) Run(ctx context.Context, t terminal) error {
	o, hotkey, err := c.openFor(ctx, c.holderFlag)
	if err != nil {
		return err
	}
	defer o.client.Close()
	if err := o.owns(ctx, hotkey); err != nil {
		return err
	}
	before, err := o.Take(ctx, hotkey)
	if err != nil {
		return err
	}
	if err := o.within(ctx, c.Take.of(65535), "MinDelegateTake", "MaxDelegateTake"); err != nil {
		return err
	}
	take := uint16(c.Take.of(65535))
	d := deal{signer: o.files, title: "set the take", call: subtensor.IncreaseTake(hotkey, take),
		told: [][2]string{{"hotkey", shownHotkey(c.holderFlag, hotkey)}, {"take", formatParts(uint64(before), 65535) + " → " + formatParts(uint64(take), 65535)}}}
	switch {
	case take < before:
		d.call = subtensor.DecreaseTake(hotkey, take)
	case take == before:
		return subnet.WithHint(fmt.Errorf("%s keeps %s already", keys.Address(hotkey), formatParts(uint64(take), 65535)), "nothing is left to do")
	}
	r, err := c.deal(ctx, t, o.client, d)
	if err != nil {
		return err
	}
	return c.print(t, r, shownTake{Hotkey: keys.Address(hotkey), Take: share(take), Raw: take, Before: &before}, d.told[1])
}

// within checks a take against the chain's bounds, by the names of the items that
// hold them.
func (o *owner) within(ctx context.Context, take uint64, least, most string) error {
	const module = "SubtensorModule"
	vs, err := o.GetAll(ctx, []subtensor.Entry{{Pallet: module, Item: least}, {Pallet: module, Item: most}})
	if err != nil {
		return err
	}
	var lo, hi uint64
	if err := errors.Join(scale.Assign(&lo, vs[0]), scale.Assign(&hi, vs[1])); err != nil {
		return err
	}
	if take < lo || take > hi {
		return subnet.WithHint(fmt.Errorf("a take of %s is not allowed", formatParts(take, 65535)),
			fmt.Sprintf("the chain wants one from %s to %s", formatParts(lo, 65535), formatParts(hi, 65535)))
	}
	return nil
}

// StakeChildTakeCommand shows or sets what a child keeps.
type StakeChildTakeCommand struct {
	ownerFlags
	netuidFlag
	holderFlag
	Child string        `name:"child-hotkey-ss58" aliases:"child-hotkey,child_hotkey_ss58" placeholder:"NAME|ADDRESS" help:"The hotkey, instead of --hotkey."`
	Take  *fractionFlag `placeholder:"PART" help:"Which part of its parents' rewards it keeps, such as 0.09. Without it, what it keeps now is shown."`
}

// Help shows examples.
func (StakeChildTakeCommand) Help() string {
	return `Shows which part of its parents' rewards a hotkey keeps on a subnet, or sets it. The
chain has a least and a most, and lets it be raised about once a month.

Examples:
  adit stake child take --netuid 1
  adit stake child take --netuid 1 --take 0.09`
}

// Run shows or sets it.
func (c StakeChildTakeCommand) Run(ctx context.Context, t terminal) error {
	n, err := c.netuid()
	if err != nil {
		return err
	}
	if c.Child != "" {
		c.Hotkey = c.Child
	}
	hotkey, err := c.hotkeyNamed(c.Hotkey)
	if err != nil {
		return err
	}
	if c.Take == nil { // needs no coldkey
		client, v, err := c.head(ctx)
		if err != nil {
			return err
		}
		defer client.Close()
		if err := (&owner{View: v}).exists(ctx, n); err != nil {
			return err
		}
		take, err := v.ChildTake(ctx, hotkey, n)
		if err != nil {
			return err
		}
		return shownTake{Hotkey: keys.Address(hotkey), NetUID: &n, Take: share(take), Raw: take}.print(t, c.JSON)
	}
	o, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	if err := o.exists(ctx, n); err != nil {
		return err
	}
	if err := o.owns(ctx, hotkey); err != nil {
		return err
	}
	before, err := o.ChildTake(ctx, hotkey, n)
	if err != nil {
		return err
	}
	if err := o.within(ctx, c.Take.of(65535), "MinChildkeyTake", "MaxChildkeyTake"); err != nil {
		return err
	}
	take := uint16(c.Take.of(65535))
	d := deal{signer: o.files, title: "set the take of a child", call: subtensor.SetChildTake(hotkey, n, take), told: [][2]string{{"subnet", o.subnetName(ctx, n)},
		{"hotkey", shownHotkey(c.holderFlag, hotkey)}, {"take", formatParts(uint64(before), 65535) + " → " + formatParts(uint64(take), 65535)}}}
	r, err := c.deal(ctx, t, o.client, d)
	if err != nil {
		return err
	}
	return c.print(t, r, shownTake{Hotkey: keys.Address(hotkey), NetUID: &n, Take: share(take), Raw: take, Before: &before}, d.told[2])
}
