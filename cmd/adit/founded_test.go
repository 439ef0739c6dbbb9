package main

import (
	"context"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/wallet"
)

// cmdFounded is 'founded': a subnet of Alice's, number 1 in $NETUID, in which
// Bob's hotkey is a validator with uid 1. It has been started, and limits of rate
// are off. It wants 'chain' before it.
func cmdFounded(ts *testscript.TestScript, _ bool, _ []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := subtensor.Dial(ctx, subtensor.Options{Endpoints: []string{ts.Getenv("BT_SUBTENSOR_CHAIN_ENDPOINT")}})
	ts.Check(err)
	defer client.Close()
	signer := func(name string) (cold *wallet.Signer, hot subtensor.Account) {
		w, err := wallet.At(ts.Getenv("BT_WALLET_PATH"), name, "default")
		ts.Check(err)
		cold, err = w.ColdkeyFiles().Unlock(ctx, wallet.Passwords{})
		ts.Check(err)
		key, err := w.HotkeyFiles().PublicKey()
		ts.Check(err)
		return cold, key.Public()
	}
	do := func(s subtensor.Signer, calls ...subtensor.Call) {
		_, err := client.Do(ctx, s, subtensor.BatchAll(calls...), subtensor.SubmitOptions{})
		ts.Check(err)
	}
	admin := func(name string, args scale.Args) subtensor.Call {
		return subtensor.Root(subtensor.Call{Pallet: "AdminUtils", Name: name, Args: args})
	}
	alice, owner := signer("alice")
	defer alice.Close()
	bob, validator := signer("bob")
	defer bob.Close()
	const n = subnet.NetUID(1)
	do(alice, admin("sudo_set_network_rate_limit", scale.Args{"rate_limit": 0}), admin("sudo_set_start_call_delay", scale.Args{"delay": 0}),
		admin("sudo_set_admin_freeze_window", scale.Args{"window": 0}), subtensor.RegisterNetwork(owner), subtensor.StartCall(n),
		admin("sudo_set_network_registration_allowed", scale.Args{"netuid": n, "registration_allowed": true}),
		admin("sudo_set_serving_rate_limit", scale.Args{"netuid": n, "serving_rate_limit": 0}),
		admin("sudo_set_weights_set_rate_limit", scale.Args{"netuid": n, "weights_set_rate_limit": 0}))
	do(bob, subtensor.BurnedRegister(n, validator), subtensor.AddStake(validator, n, 1e12))
	ts.Setenv("NETUID", "1")
}
