package main

import (
	"context"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"adit/internal/scale"
	"adit/internal/subtensor"
	"adit/internal/wallet"
)

// cmdHasty is 'hasty': a coldkey may be swapped 30 blocks after another was
// announced, and 30 later that may be taken back. It wants 'chain' before it.
func cmdHasty(ts *testscript.TestScript, _ bool, _ []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := subtensor.Dial(ctx, subtensor.Options{Endpoints: []string{ts.Getenv("BT_SUBTENSOR_CHAIN_ENDPOINT")}})
	ts.Check(err)
	defer client.Close()
	w, err := wallet.At(ts.Getenv("BT_WALLET_PATH"), "alice", "default")
	ts.Check(err)
	sudo, err := w.ColdkeyFiles().Unlock(ctx, wallet.Passwords{})
	ts.Check(err)
	defer sudo.Close()
	for _, name := range []string{"sudo_set_coldkey_swap_announcement_delay", "sudo_set_coldkey_swap_reannouncement_delay"} {
		_, err := client.Do(ctx, sudo, subtensor.Root(subtensor.Call{Pallet: "AdminUtils", Name: name, Args: scale.Args{"duration": 30}}), subtensor.SubmitOptions{})
		ts.Check(err)
	}
}
