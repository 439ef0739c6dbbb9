package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"adit/internal/keys"
	"adit/internal/local/chainnode"
	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/tui"
)

// cmdNeurons is 'neurons': on the chain of 'chain', subnet 1 is Alice's, with her
// hotkey, Bob's, which validates and serves an axon, and Charlie's. Bob has set
// weights, which everybody can read, and committed to others.
func cmdNeurons(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(populate(context.Background(), ts.Getenv("BT_SUBTENSOR_CHAIN_ENDPOINT")))
}

func populate(ctx context.Context, url string) error {
	client, err := subtensor.Dial(ctx, subtensor.Options{Endpoints: []string{url}})
	if err != nil {
		return err
	}
	defer client.Close()
	signer := func(uri string) devSigner {
		p, _ := keys.FromURI(uri)
		return devSigner{p}
	}
	alice, bob, charlie := signer("//Alice"), signer("//Bob"), signer("//Charlie")
	aliceHot, bobHot, charlieHot := signer("//Alice/hot"), signer("//Bob/hot"), signer("//Charlie/hot")
	admin := func(name string, args scale.Args) subtensor.Call {
		return subtensor.Root(subtensor.Call{Pallet: "AdminUtils", Name: name, Args: args})
	}
	do := func(s subtensor.Signer, k subtensor.Call) {
		if err == nil {
			if _, err = client.Do(ctx, s, k, subtensor.SubmitOptions{}); err != nil {
				err = fmt.Errorf("%v: %w", k, err)
			}
		}
	}
	do(alice, subtensor.BatchAll(admin("sudo_set_network_rate_limit", scale.Args{"rate_limit": 0}),
		admin("sudo_set_start_call_delay", scale.Args{"delay": 0}), admin("sudo_set_admin_freeze_window", scale.Args{"window": 0}),
		subtensor.RegisterNetwork(aliceHot.Public())))
	const n = subnet.NetUID(1)
	id := subtensor.SubnetIdentity{Name: "shaft", Description: "a subnet of tests"}
	do(alice, subtensor.BatchAll(subtensor.StartCall(n), subtensor.SetSubnetIdentity(n, id),
		admin("sudo_set_network_registration_allowed", scale.Args{"netuid": n, "registration_allowed": true}),
		admin("sudo_set_weights_set_rate_limit", scale.Args{"netuid": n, "weights_set_rate_limit": 0}),
		admin("sudo_set_commit_reveal_weights_enabled", scale.Args{"netuid": n, "enabled": false})))
	do(bob, subtensor.BatchAll(subtensor.BurnedRegister(n, bobHot.Public()), subtensor.AddStake(bobHot.Public(), n, 1000e9)))
	do(charlie, subtensor.BurnedRegister(n, charlieHot.Public()))
	do(bobHot, subtensor.ServeAxon(n, subtensor.Axon{Addr: netip.MustParseAddrPort("8.8.4.4:8091"), Protocol: 4}))
	advance := func() {
		if err == nil {
			var hash string
			err = chainnode.Ask(ctx, url, &hash, "engine_createBlocks", 21)
		}
	}
	advance()
	do(bobHot, subtensor.SetWeights(subtensor.Weights{NetUID: n, UIDs: []uint16{0, 2}, Values: []uint16{65535 / 3, 65535}}))
	advance()
	do(alice, admin("sudo_set_commit_reveal_weights_enabled", scale.Args{"netuid": n, "enabled": true}))
	do(bobHot, subtensor.CommitWeights(subtensor.Weights{NetUID: n}, [32]byte{1, 2, 3}))
	return err
}

// A subnet of many neurons does not fit: then rows are lists.
func TestWeightsThatDoNotFit(t *testing.T) {
	t.Parallel()
	w := shownWeights{Neurons: 256}
	r := shownRow{UID: 7, Hotkey: "5Grwva", Updated: 9}
	for uid := range 20 {
		r.Weights = append(r.Weights, shownWeight{subnet.UID(10 * uid), 0.05})
	}
	w.Weights = append(w.Weights, r)
	if fits(w.matrix(), 200) || !fits(w.matrix(), 2000) {
		t.Error("a matrix of 256 columns fits in 200 cells, or does not in 2000")
	}
	lines := strings.Split(w.list(40), "\n")
	if lines[0] != "7  5Grwva, block 9" || lines[1] != "       0: 0.050    10: 0.050    20: 0.050" && lines[1] != "       0: 0.050    10: 0.050" {
		t.Errorf("%q", lines)
	}
	for _, line := range lines {
		if len(line) > 40 {
			t.Errorf("%q is too long", line)
		}
	}
}

func TestSortRows(t *testing.T) {
	t.Parallel()
	table := tui.Table{Columns: []tui.Column{{Head: "UID"}, {Head: "EMISSION(ρ)"}}, Rows: [][]string{{"0", "9"}, {"1", "10"}, {"2", "10"}}}
	about := []int{0, 1, 2}
	if err := sortRows(&table, about, "emission", true); err != nil || !cmp.Equal(about, []int{1, 2, 0}) || table.Rows[2][0] != "0" {
		t.Errorf("%v, %v, %v", about, table.Rows, err)
	}
	if err := sortRows(&table, about, "rank", false); err == nil || !strings.Contains(subnet.Hint(err), "uid, emission(ρ)") {
		t.Errorf("%v, hint %q", err, subnet.Hint(err))
	}
}

func TestWorth(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ alpha, price, want uint64 }{{1e9, 5e8, 5e8}, {3, 5e8, 1}, {1 << 63, 1e9, 1 << 63}, {1 << 63, 1 << 63, 1<<64 - 1}} {
		if got := worth(tt.alpha, tt.price); got != tt.want {
			t.Errorf("%d at %d is worth %d, want %d", tt.alpha, tt.price, got, tt.want)
		}
	}
}
