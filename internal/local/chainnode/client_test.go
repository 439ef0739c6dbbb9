package chainnode

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// A network is a running chain with a subnet: //Alice owns it and has the uid 0
// with the hotkey //Alice/hot; //Bob has 1 with //Bob/hot.
type network struct {
	*running
	*subtensor.Client
	t                         *testing.T
	netuid                    subnet.NetUID
	alice, bob, owner, hotkey signer
}

// settings changes what only root may.
func (n *network) settings(settings ...[]any) {
	n.t.Helper()
	var calls []any
	for _, s := range settings {
		call, err := n.Call(n.t.Context(), "AdminUtils", s[0].(string), s[1:]...)
		if err != nil {
			n.t.Fatal(err)
		}
		calls = append(calls, scale.Raw(call))
	}
	batch, err := n.Call(n.t.Context(), "Utility", "batch_all", calls)
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.Sudo(n.t.Context(), n.alice, batch); err != nil {
		n.t.Fatal(err)
	}
}

func found(t *testing.T, o Options) *network {
	t.Helper()
	r := blocks(t, o)
	n := &network{running: r, Client: dial(t, r), t: t,
		alice: key(t, "//Alice"), bob: key(t, "//Bob"), owner: key(t, "//Alice/hot"), hotkey: key(t, "//Bob/hot")}
	ctx := t.Context()
	n.settings([]any{"sudo_set_network_rate_limit", 0}, []any{"sudo_set_start_call_delay", 0}, []any{"sudo_set_admin_freeze_window", 0}, []any{"sudo_set_tx_rate_limit", 0})
	var err error
	if n.netuid, err = n.RegisterNetwork(ctx, n.alice, n.owner.Public()); err != nil {
		t.Fatal(err)
	}
	if err := n.StartCall(ctx, n.alice, n.netuid); err != nil {
		t.Fatal(err)
	}
	n.settings([]any{"sudo_set_commit_reveal_weights_enabled", n.netuid, false}, []any{"sudo_set_network_registration_allowed", n.netuid, true})
	if err := n.BurnedRegister(ctx, n.bob, n.netuid, n.hotkey.Public()); err != nil {
		t.Fatal(err)
	}
	return n
}

func wantError(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func noError(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// TestAccounts moves balances and stake.
func TestAccounts(t *testing.T) {
	t.Parallel()
	n := found(t, Options{})
	ctx := t.Context()
	eve := key(t, "//Eve")
	before, err := n.Balance(ctx, eve.Address())
	noError(t, "balance", err)
	noError(t, "transfer", n.Transfer(ctx, n.alice, eve.Address(), 5*tao))
	after, err := n.Balance(ctx, eve.Address())
	noError(t, "balance", err)
	if after-before != 5*tao {
		t.Errorf("5 TAO moved %d RAO", after-before)
	}
	wantError(t, "too much", n.Transfer(ctx, eve, n.alice.Address(), 2_000_000*tao), "FundsUnavailable")
	wantError(t, "from nobody", n.Transfer(ctx, key(t, "//Nobody"), n.alice.Address(), 1), "pay some fees")

	noError(t, "stake", n.AddStake(ctx, n.bob, n.netuid, n.hotkey.Public(), 1000*tao))
	wantError(t, "stake in no subnet", n.AddStake(ctx, n.bob, 99, n.hotkey.Public(), tao), "SubnetNotExists")
	wantError(t, "registered again", n.BurnedRegister(ctx, n.bob, n.netuid, n.hotkey.Public()), "HotKeyAlreadyRegisteredInSubNet")
	call, err := n.Call(ctx, "AdminUtils", "sudo_set_tempo", n.netuid, 20)
	noError(t, "call", err)
	_, err = n.Sudo(ctx, n.bob, call)
	wantError(t, "sudo by another", err, "Invalid signing address")

	head, err := n.Head(ctx)
	noError(t, "head", err)
	noError(t, "wait", n.Wait(ctx, head+15)) // an epoch
	m, err := n.Subnet(n.netuid, nil).Metagraph(ctx, subnet.Latest)
	noError(t, "metagraph", err)
	if len(m.Neurons) != 2 || m.Tempo != 10 {
		t.Fatalf("%d neurons, tempo %d", len(m.Neurons), m.Tempo)
	}
	bob := m.Neurons[1]
	if bob.Hotkey != subnet.Hotkey(n.hotkey.Address()) || bob.Coldkey != n.bob.Address() || bob.Stake == 0 || !bob.Permit {
		t.Errorf("Bob's neuron: %+v", bob)
	}
}

// TestCommitments reads every state of a commitment at its block.
func TestCommitments(t *testing.T) {
	t.Parallel()
	n := found(t, Options{})
	ctx := t.Context()
	mine := n.Subnet(n.netuid, n.hotkey)
	var at []subnet.Block
	for i := range 4 {
		b, err := mine.Commit(ctx, fmt.Sprint("commitment ", i), strings.Repeat("x", 200))
		noError(t, "commit", err)
		at = append(at, b)
	}
	for i, b := range at {
		list, err := mine.Commitments(ctx, b)
		noError(t, "read", err)
		want := []subnet.Commitment{{Hotkey: subnet.Hotkey(n.hotkey.Address()), Block: b, Fields: []string{fmt.Sprint("commitment ", i), strings.Repeat("x", 200)}}}
		if diff := cmp.Diff(want, list); diff != "" {
			t.Errorf("at block %d: %s", b, diff)
		}
	}
	if list, err := mine.Commitments(ctx, at[0]-1); err != nil || len(list) != 0 {
		t.Errorf("before the first: %v, %v", list, err)
	}
	_, err := n.Subnet(n.netuid, n.bob).Commit(ctx, "x")
	wantError(t, "not registered", err, "AccountNotAllowedCommit")
}

// TestServeAxon lets neurons serve on this machine only if the chain was told
// to.
func TestServeAxon(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{false, true} {
		t.Run(fmt.Sprint(allowed), func(t *testing.T) {
			t.Parallel()
			g := devGenesis()
			g.AllowLoopbackAxons = allowed
			n := found(t, Options{Genesis: g})
			ctx := t.Context()
			mine := n.Subnet(n.netuid, n.hotkey)
			local := netip.MustParseAddrPort("127.0.0.1:8091")
			err := mine.ServeAxon(ctx, local)
			if allowed {
				noError(t, "serve", err)
				m, err := mine.Metagraph(ctx, subnet.Latest)
				noError(t, "metagraph", err)
				if m.Neurons[1].Axon != local {
					t.Errorf("axon %v", m.Neurons[1].Axon)
				}
				wantError(t, "at once again", mine.ServeAxon(ctx, netip.MustParseAddrPort("10.0.0.1:1")), "ServingRateLimitExceeded")
				return
			}
			wantError(t, "loopback", err, "InvalidIpAddress")
			wantError(t, "port 0", mine.ServeAxon(ctx, netip.MustParseAddrPort("10.0.0.1:0")), "InvalidPort")
			wantError(t, "not registered", n.Subnet(n.netuid, n.bob).ServeAxon(ctx, netip.MustParseAddrPort("10.0.0.1:1")), "HotKeyNotRegisteredInNetwork")
			noError(t, "private", mine.ServeAxon(ctx, netip.MustParseAddrPort("10.0.0.1:1")))
		})
	}
}

// TestWeights meets the usual errors of setting weights by their names.
func TestWeights(t *testing.T) {
	t.Parallel()
	n := found(t, Options{})
	ctx := t.Context()
	mine := n.Subnet(n.netuid, n.hotkey)
	both := []subnet.Weight{{UID: 0, Value: 0.25}, {UID: 1, Value: 0.5}}
	set := func() error {
		_, err := mine.SetWeights(ctx, both)
		return err
	}
	raw := func(netuid subnet.NetUID, uids, values []uint16, version uint64) error {
		call, err := n.Call(ctx, "SubtensorModule", "set_weights", netuid, uids, values, version)
		noError(t, "call", err)
		_, err = n.Submit(ctx, n.hotkey, call, subtensor.SubmitOptions{})
		return err
	}
	// Registration counts as an update.
	wantError(t, "at once", set(), "RateLimitExceeded")
	n.settings([]any{"sudo_set_weights_set_rate_limit", n.netuid, 0})
	wantError(t, "without stake", set(), "NeuronNoValidatorPermit")
	noError(t, "stake", n.AddStake(ctx, n.bob, n.netuid, n.hotkey.Public(), 1000*tao))
	epoch := func() {
		t.Helper()
		head, err := n.Head(ctx)
		noError(t, "head", err)
		noError(t, "wait", n.Wait(ctx, head+12))
	}
	epoch() // gives the permit
	wantError(t, "two uids, one weight", raw(n.netuid, []uint16{0, 1}, []uint16{1}, 0), "WeightVecNotEqualSize")
	wantError(t, "too many", raw(n.netuid, []uint16{0, 1, 2}, []uint16{1, 1, 1}, 0), "UidsLengthExceedUidsInSubNet")
	wantError(t, "twice the same", raw(n.netuid, []uint16{1, 1}, []uint16{1, 1}, 0), "DuplicateUids")
	wantError(t, "uid that is not", raw(n.netuid, []uint16{0, 7}, []uint16{1, 1}, 0), "UidVecContainInvalidOne")
	n.settings([]any{"sudo_set_min_allowed_weights", n.netuid, 2}, []any{"sudo_set_weights_version_key", n.netuid, 7})
	wantError(t, "too few", raw(n.netuid, []uint16{0}, []uint16{1}, 7), "WeightVecLengthIsLow")
	wantError(t, "old software", raw(n.netuid, []uint16{0, 1}, []uint16{1, 1}, 6), "IncorrectWeightVersionKey")
	n.settings([]any{"sudo_set_commit_reveal_weights_enabled", n.netuid, true})
	wantError(t, "to be committed first", raw(n.netuid, []uint16{0, 1}, []uint16{1, 1}, 7), "CommitRevealEnabled")
	n.settings([]any{"sudo_set_commit_reveal_weights_enabled", n.netuid, false}, []any{"sudo_set_stake_threshold", uint64(1) << 62})
	wantError(t, "too little stake", set(), "StakeAmountTooLow")
	n.settings([]any{"sudo_set_stake_threshold", 0})
	epoch() // for one may have taken the permit
	_, err := n.Subnet(n.netuid, n.bob).SetWeights(ctx, both)
	wantError(t, "not registered", err, "HotKeyNotRegisteredInSubNet")

	noError(t, "weights", set())
	m, err := mine.Metagraph(ctx, subnet.Latest)
	noError(t, "metagraph", err)
	if got := m.Neurons[1].Weights; len(got) != 2 || got[0].Value < 0.333 || got[0].Value > 0.334 {
		t.Errorf("weights %v", got)
	}
	noError(t, "again", set())
	n.settings([]any{"sudo_set_weights_set_rate_limit", n.netuid, 1000})
	err = set()
	wantError(t, "again too soon", err, "RateLimitExceeded")
	if !errors.Is(err, subnet.ErrTemporary) {
		t.Errorf("%v will pass, and says it will not", err)
	}
}

// TestNonces sends much from one key at once: all of it arrives, once.
func TestNonces(t *testing.T) {
	t.Parallel()
	r := blocks(t, Options{})
	c := dial(t, r)
	alice, eve := key(t, "//Alice"), key(t, "//Eve")
	before, err := c.Balance(t.Context(), eve.Address())
	noError(t, "balance", err)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := c.Transfer(t.Context(), alice, eve.Address(), tao); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	after, err := c.Balance(t.Context(), eve.Address())
	noError(t, "balance", err)
	if after-before != 20*tao {
		t.Errorf("20 transfers of a TAO moved %d RAO", after-before)
	}
	if got := string(must(t, r.Node, "system_accountNextIndex", alice.Address())); got != "20" {
		t.Errorf("next nonce %s", got)
	}
}

// TestReconnect restarts the node while clients send: nothing is lost, nothing
// doubled, and it is the same chain.
func TestReconnect(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir(), BlockTime: 20 * time.Millisecond}
	r := run(t, o, "127.0.0.1:0")
	c := dial(t, r)
	alice, eve := key(t, "//Alice"), key(t, "//Eve")
	before, err := c.Balance(t.Context(), eve.Address())
	noError(t, "balance", err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	const transfers = 12
	half := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for i := range transfers / 2 {
				if err := c.Transfer(ctx, alice, eve.Address(), tao); err != nil {
					t.Error(err)
				}
				if i == 1 {
					half <- struct{}{}
				}
			}
		})
	}
	<-half
	<-half
	r.stop()
	r = run(t, o, r.addr)
	wg.Wait()
	after, err := c.Balance(t.Context(), eve.Address())
	noError(t, "balance", err)
	if after-before != transfers*tao {
		t.Errorf("%d transfers of a TAO moved %d RAO", transfers, after-before)
	}
	if got, want := string(must(t, r.Node, "system_accountNextIndex", alice.Address())), fmt.Sprint(transfers); got != want {
		t.Errorf("next nonce %s, want %s", got, want)
	}
}
