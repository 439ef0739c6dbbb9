package main

import (
	"context"
	"errors"
	"fmt"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/wallet"
)

// An ownerFlags is what a command takes that a coldkey signs.
type ownerFlags struct {
	coldkeyFlags
	networkFlags
	dealFlags
}

// An owner is a coldkey that is about to sign something, and the chain as it is
// then.
type owner struct {
	files  wallet.Files      // of the key that signs
	signer subtensor.Account // the key that signs
	who    subtensor.Account // whose money and stake it is: the signer's or, with --proxy, another's
	client *subtensor.Client
	*subtensor.View
}

// open connects to the chain. The caller closes the client.
func (f ownerFlags) open(ctx context.Context) (*owner, error) {
	o := &owner{}
	var err error
	if o.files, err = f.coldkey(); err != nil {
		return nil, err
	}
	key, err := o.files.PublicKey()
	if err != nil {
		return nil, lockedHint(err)
	}
	o.signer = key.Public()
	if o.who, err = f.actor(o.signer); err != nil {
		return nil, err
	}
	o.client, o.View, err = f.head(ctx)
	return o, err
}

// openFor is open for what is about a hotkey, which it looks for first: that needs
// no chain.
func (f ownerFlags) openFor(ctx context.Context, h holderFlag) (*owner, subtensor.Account, error) {
	hotkey, err := f.hotkeyNamed(h.Hotkey)
	if err != nil {
		return nil, hotkey, err
	}
	o, err := f.open(ctx)
	return o, hotkey, err
}

// all returns what an account can spend but for its existential deposit and for
// what a call costs, in RAO.
func (f ownerFlags) all(ctx context.Context, o *owner, k subtensor.Call) (uint64, error) {
	has, err := o.Account(ctx, o.who)
	if err != nil {
		return 0, err
	}
	stays, err := o.ExistentialDeposit()
	if err != nil {
		return 0, err
	}
	stays = max(stays, has.Frozen)
	if o.who == o.signer {
		fee, err := o.client.Fee(ctx, o.signer, f.proxied(o.who, k))
		if err != nil {
			return 0, err
		}
		stays += fee + uint64(f.Tip)
	}
	if has.Free <= stays {
		return 0, subnet.WithHint(fmt.Errorf("%s has %s TAO, of which %s TAO stay for the fee and the existential deposit", keys.Address(o.who), formatTAO(has.Free), formatTAO(stays)),
			"send it some TAO first")
	}
	return has.Free - stays, nil
}

// exists returns an error if there is no such subnet.
func (o *owner) exists(ctx context.Context, n subnet.NetUID) error {
	got, err := o.Get(ctx, "SubtensorModule", "NetworksAdded", n)
	if err == nil && got != true {
		err = noSubnet(n)
	}
	return err
}

// A holderFlag says which hotkey is meant that need not sign.
type holderFlag struct {
	Hotkey string `short:"H" aliases:"wallet.hotkey,wallet-hotkey,wallet_hotkey,hotkey-ss58,hotkey_ss58,hotkey-ss58-address" env:"BT_WALLET_HOTKEY" default:"default" placeholder:"NAME|ADDRESS" help:"The hotkey: its name in the wallet, or its address (${default})."`
}

// hotkeyNamed returns the hotkey that a person calls by its address, or by its name
// in the wallet.
func (f coldkeyFlags) hotkeyNamed(name string) (subtensor.Account, error) {
	who, noAddress := keys.ParseAddress(name)
	if noAddress == nil {
		return who, nil
	}
	w, err := wallet.At(f.WalletPath, f.WalletName, name)
	if err != nil {
		return who, nameHint(err)
	}
	key, err := w.HotkeyFiles().PublicKey()
	if err == nil {
		return key.Public(), nil
	}
	const address = 46 // letters at least
	if len(name) >= address && errors.Is(err, subnet.ErrNotFound) {
		return who, subnet.WithHint(fmt.Errorf("address %q: %w", name, noAddress), "copy the address again; a letter of it is wrong")
	}
	if errors.Is(err, subnet.ErrNotFound) || subnet.Hint(err) == "" {
		err = subnet.WithHint(err, "--hotkey takes the name of one of the wallet's hotkeys, or an address; 'adit wallet list' shows the names")
	}
	return who, err
}

// shownHotkey is what a person is told of a hotkey.
func shownHotkey(f holderFlag, who subtensor.Account) string {
	address := keys.Address(who)
	if f.Hotkey == address {
		return address
	}
	return f.Hotkey + ", " + address
}
