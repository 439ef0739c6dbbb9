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

// WalletAssociateHotkeyCommand makes a coldkey the owner of a hotkey.
type WalletAssociateHotkeyCommand struct {
	ownerFlags
	holderFlag
}

// Help shows examples.
func (WalletAssociateHotkeyCommand) Help() string {
	return `Makes the coldkey the owner of a hotkey that has none, for everybody to see. A
registration does so too; this costs only a fee.

Examples:
  adit wallet associate-hotkey --hotkey second
  adit wallet associate-hotkey --wallet-name cold --hotkey 5DAA… --dry-run`
}

// An owned is a hotkey and whose it is.
type owned struct {
	Hotkey  string `json:"hotkey_ss58"`
	Coldkey string `json:"coldkey_ss58"`
	Already bool   `json:"already_associated"`
}

// Run associates it.
func (c WalletAssociateHotkeyCommand) Run(ctx context.Context, t terminal) error {
	o, hotkey, err := c.openFor(ctx, c.holderFlag)
	if err != nil {
		return err
	}
	defer o.client.Close()
	result := owned{Hotkey: keys.Address(hotkey), Coldkey: keys.Address(o.who)}
	of, known, err := o.Owner(ctx, hotkey)
	switch {
	case err != nil:
		return err
	case known && of != o.who:
		return subnet.WithHint(fmt.Errorf("the hotkey %s belongs to another coldkey, %s", result.Hotkey, keys.Address(of)), "a hotkey has one owner for good; make a new one with 'adit wallet new-hotkey'")
	case known:
		r := &receipt{Success: true, Message: "The hotkey belongs to this coldkey already", Signer: keys.Address(o.signer)}
		if result.Already = true; c.JSON {
			r.Result = result
			return printJSON(t, r)
		}
		return printPairs(t, r.Message, [][2]string{{"hotkey", result.Hotkey}, {"coldkey", result.Coldkey}})
	}
	r, err := c.deal(ctx, t, o.client, deal{signer: o.files, title: "associate a hotkey", call: subtensor.AssociateHotkey(hotkey),
		told: [][2]string{{"hotkey", shownHotkey(c.holderFlag, hotkey)}, {"owner", result.Coldkey}}})
	if err != nil {
		return err
	}
	return c.print(t, r, result, [2]string{"hotkey", result.Hotkey}, [2]string{"owner", result.Coldkey})
}

// WalletSwapHotkeyCommand puts a hotkey into the place of another.
type WalletSwapHotkeyCommand struct {
	New string `arg:"" name:"new" help:"The new hotkey: its name in the wallet, or its address."`
	ownerFlags
	holderFlag
	Netuid     *subnet.NetUID `short:"n" xor:"netuid" placeholder:"N" help:"On this subnet only."`
	AllNetuids bool           `xor:"netuid" aliases:"all,all_netuids" help:"On all subnets."`
	KeepStake  bool           `aliases:"keep_stake" help:"Leave the stake with the old hotkey."`
}

// Help shows examples.
func (WalletSwapHotkeyCommand) Help() string {
	return `Puts a new hotkey into the place of another, such as one that others may have seen:
its neurons, its axons, and the stake of all who stake with it. It costs something
besides the fee, and on one subnet it may be done once a day.

Examples:
  adit wallet swap-hotkey second --hotkey default --netuid 1
  adit wallet swap-hotkey 5DAA… --all-netuids --dry-run`
}

// A swappedHotkey is the result of a hotkey's swap.
type swappedHotkey struct {
	Old    string         `json:"old_hotkey_ss58"`
	New    string         `json:"new_hotkey_ss58"`
	NetUID *subnet.NetUID `json:"netuid"` // null for all
	Cost   uint64         `json:"cost"`   // RAO besides the fee
	Before uint64         `json:"balance_before"`
	After  uint64         `json:"balance_after"`
}

// Run swaps it.
func (c WalletSwapHotkeyCommand) Run(ctx context.Context, t terminal) error {
	if c.Netuid == nil && !c.AllNetuids {
		return subnet.WithHint(errors.New("on which subnet is it to be swapped?"), "--netuid tells, or --all-netuids")
	}
	o, old, err := c.openFor(ctx, c.holderFlag)
	if err != nil {
		return err
	}
	defer o.client.Close()
	now, err := c.hotkeyNamed(c.New)
	if err != nil {
		return err
	}
	if err := c.mayTake(ctx, o, old, now); err != nil {
		return err
	}
	has, err := o.Account(ctx, o.who)
	if err != nil {
		return err
	}
	result := swappedHotkey{Old: keys.Address(old), New: keys.Address(now), NetUID: c.Netuid, Before: has.Free, After: has.Free}
	if result.Cost, err = o.HotkeySwapCost(c.AllNetuids); err != nil {
		return err
	}
	only, where := scale.Option[subnet.NetUID]{}, "all subnets"
	if c.Netuid != nil {
		only, where = scale.SomeOf(*c.Netuid), "subnet "+o.subnetName(ctx, *c.Netuid)
	}
	stake := "goes along, whoever's it is"
	d := deal{signer: o.files, title: "swap a hotkey", call: subtensor.SwapHotkey(old, now, only), spends: result.Cost, keeps: true}
	if c.KeepStake {
		d.call, stake = subtensor.SwapHotkeyOnly(old, now, only), "stays with the old hotkey"
	}
	d.told = [][2]string{{"on", where}, {"old", shownHotkey(c.holderFlag, old)}, {"new", shownHotkey(holderFlag{c.New}, now)}, {"stake", stake},
		{"cost", formatTAO(result.Cost) + " TAO, which are gone"}, {"balance", formatTAO(has.Free) + " TAO"}}
	r, err := c.deal(ctx, t, o.client, d)
	if err != nil {
		return err
	}
	if !r.DryRun {
		v, err := o.client.At(ctx, subnet.Block(r.Block))
		if err != nil {
			return err
		}
		if has, err = v.Account(ctx, o.who); err != nil {
			return err
		}
		result.After = has.Free
	}
	return c.print(t, r, result, [2]string{"old", result.Old}, [2]string{"new", result.New},
		[2]string{"balance", formatTAO(result.Before) + " → " + formatTAO(result.After) + " TAO"})
}

// mayTake returns an error if a hotkey cannot take another's place.
func (c WalletSwapHotkeyCommand) mayTake(ctx context.Context, o *owner, old, now subtensor.Account) error {
	if c.Netuid != nil {
		if err := o.exists(ctx, *c.Netuid); err != nil {
			return err
		}
	}
	if old == now {
		return subnet.WithHint(errors.New("the new hotkey is the old one"), "'adit wallet new-hotkey' makes another")
	}
	if err := o.owns(ctx, old); err != nil {
		return err
	}
	of, known, err := o.Owner(ctx, now)
	if err == nil && known && of != o.who {
		err = subnet.WithHint(fmt.Errorf("the hotkey %s belongs to another coldkey, %s", keys.Address(now), keys.Address(of)), "'adit wallet new-hotkey' makes another")
	}
	if err != nil {
		return err
	}
	places, err := o.Registrations(ctx, now)
	if err != nil {
		return err
	}
	for _, p := range places {
		if c.AllNetuids || p.NetUID == *c.Netuid {
			return subnet.WithHint(fmt.Errorf("the new hotkey is a neuron of subnet %d itself, with uid %d", p.NetUID, p.UID), "take one that is none")
		}
	}
	return nil
}
