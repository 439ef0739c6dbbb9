package main

import (
	"context"
	"fmt"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/wallet"
)

// An actorFlags is what a command takes that a neuron's hotkey signs.
type actorFlags struct {
	hotkeyFlags
	networkFlags
	netuidFlag
	dealFlags
}

// An actor is a hotkey that is about to sign something for a subnet, and the chain
// as it is then.
type actor struct {
	files  wallet.Files      // of the key that signs
	who    subtensor.Account // the neuron's hotkey: the one that signs or, with --proxy, another
	netuid subnet.NetUID
	client *subtensor.Client
	*subtensor.View
}

// open connects to the chain. The caller closes the client.
func (f actorFlags) open(ctx context.Context) (a *actor, err error) {
	a = &actor{}
	if a.netuid, err = f.netuid(); err != nil {
		return nil, err
	}
	if a.files, err = f.hotkey(); err != nil {
		return nil, err
	}
	key, err := a.files.PublicKey()
	if err != nil {
		return nil, lockedHint(err)
	}
	if a.who, err = f.dealFlags.actor(key.Public()); err != nil {
		return nil, err
	}
	a.client, a.View, err = f.head(ctx)
	return a, err
}

// registered returns an error if the hotkey is no neuron of the subnet.
func (a *actor) registered(ctx context.Context) error {
	const pallet = "SubtensorModule"
	vs, err := a.GetAll(ctx, []subtensor.Entry{{Pallet: pallet, Item: "NetworksAdded", Keys: []any{a.netuid}}, {Pallet: pallet, Item: "Uids", Keys: []any{a.netuid, a.who}}})
	switch {
	case err != nil:
		return err
	case vs[0] != true:
		return noSubnet(a.netuid)
	case vs[1] == nil:
		return noNeuron(a.who, a.netuid)
	}
	return nil
}

// noSubnet says that there is no subnet of a number.
func noSubnet(n subnet.NetUID) error {
	return subnet.WithHint(fmt.Errorf("there is no subnet %d", n), "'adit subnet list' shows those that there are")
}

// noNeuron says that a hotkey is not registered.
func noNeuron(who subtensor.Account, n subnet.NetUID) error {
	return subnet.WithHint(fmt.Errorf("%s is no neuron of subnet %d", keys.Address(who), n),
		fmt.Sprintf("'adit subnet register --netuid %d' makes it one; --wallet-name and --hotkey choose another", n))
}
