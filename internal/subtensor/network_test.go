package subtensor_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/ledger"
	"adit/internal/local/chainnode"
	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

const tao = 1_000_000_000

// A chain has blocks 12 s apart by its own clock, so that a beacon's rounds are
// short beside an epoch, as on the main network; by ours there is one whenever an
// extrinsic waits for it.
type chain struct {
	*subtensor.Client
	node       *chainnode.Node
	t          *testing.T
	alice, bob signer // owner and validator
	owner, hot signer // their hotkeys
	netuid     subnet.NetUID
	endpoint   string
}

func newChain(t *testing.T) *chain {
	t.Helper()
	g := ledger.DevGenesis()
	g.Spec.Tempo = 20
	g.Beacon = chainnode.DevBeaconChain()
	n, err := chainnode.Open(chainnode.Options{Dir: t.TempDir(), Genesis: g, BlockTime: 12 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	l, err := chainnode.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := n.Serve(ctx, l); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			var pending []string
			err := chainnode.Ask(ctx, "http://"+l.Addr().String(), &pending, "author_pendingExtrinsics")
			if err == nil && len(pending) > 0 {
				_, err = n.Produce()
			}
			if err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	endpoint := "ws://" + l.Addr().String()
	c, err := subtensor.Dial(t.Context(), subtensor.Options{Endpoints: []string{endpoint}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &chain{Client: c, node: n, t: t, alice: key(t, "//Alice"), bob: key(t, "//Bob"), owner: key(t, "//Alice/hot"), hot: key(t, "//Bob/hot"), endpoint: endpoint}
}

func (c *chain) do(s subtensor.Signer, k subtensor.Call) subtensor.Inclusion {
	c.t.Helper()
	in, err := c.Do(c.t.Context(), s, k, subtensor.SubmitOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	return in
}

// wait makes blocks up to b.
func (c *chain) wait(b subnet.Block) {
	c.t.Helper()
	head, err := c.Head(c.t.Context())
	if err == nil && b > head {
		_, err = c.node.Advance(c.t.Context(), int(b-head))
	}
	if err == nil {
		err = c.Wait(c.t.Context(), b)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// see waits until the client knows of a block that another has told of.
func (c *chain) see(b subnet.Block) {
	c.t.Helper()
	if err := c.Wait(c.t.Context(), b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *chain) view() *subtensor.View {
	c.t.Helper()
	v, err := c.At(c.t.Context(), subnet.Latest)
	if err != nil {
		c.t.Fatal(err)
	}
	return v
}

func (c *chain) admin(name string, args scale.Args) subtensor.Call {
	return subtensor.Root(subtensor.Call{Pallet: "AdminUtils", Name: name, Args: args})
}

// found makes a subnet with Bob's hotkey as a validator.
func (c *chain) found() {
	c.t.Helper()
	c.do(c.alice, c.admin("sudo_set_network_rate_limit", scale.Args{"rate_limit": 0}))
	c.do(c.alice, c.admin("sudo_set_start_call_delay", scale.Args{"delay": 0}))
	c.do(c.alice, c.admin("sudo_set_admin_freeze_window", scale.Args{"window": 0}))
	n, err := c.RegisterNetwork(c.t.Context(), c.alice, c.owner.Public())
	if err != nil {
		c.t.Fatal(err)
	}
	c.netuid = n
	c.do(c.alice, subtensor.BatchAll(subtensor.StartCall(n),
		c.admin("sudo_set_network_registration_allowed", scale.Args{"netuid": n, "registration_allowed": true}),
		c.admin("sudo_set_weights_set_rate_limit", scale.Args{"netuid": n, "weights_set_rate_limit": 0})))
}

// Everything that a neuron does, against our own node: registration for a price,
// stake, an axon, commitments and weights that the chain reveals by itself.
func TestLifeOfANeuron(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	ctx := t.Context()
	c.found()

	price, err := c.view().RegistrationPrice(ctx, c.netuid)
	if err != nil || price == 0 {
		t.Fatalf("price %d, %v", price, err)
	}
	if _, err := c.Register(ctx, c.bob, c.netuid, c.hot.Public(), price/2); err == nil {
		t.Error("registered for half the price")
	}
	uid, err := c.Register(ctx, c.bob, c.netuid, c.hot.Public(), price)
	if err != nil || uid != 1 {
		t.Fatalf("uid %d, %v", uid, err)
	}
	c.do(c.bob, subtensor.AddStake(c.hot.Public(), c.netuid, 1000*tao))
	if bt, err := c.BlockTime(ctx); err != nil || bt != 12*time.Second {
		t.Errorf("block time %v, %v", bt, err)
	}

	mine := c.Subnet(c.netuid, c.hot)
	if err := mine.ServeAxon(ctx, netip.MustParseAddrPort("8.8.4.4:8091")); err != nil {
		t.Error(err)
	}
	c.serving()
	c.commitments()
	c.weights(mine)
}

func (c *chain) serving() {
	c.t.Helper()
	ctx := c.t.Context()
	c.do(c.hot, subtensor.ServePrometheus(c.netuid, netip.MustParseAddrPort("[2001:db8::1]:9090")))
	for _, hotkeys := range [][]subtensor.Account{nil, {c.hot.Public()}} {
		got, err := c.view().Serving(ctx, c.netuid, hotkeys...)
		if err != nil || len(got) != 1 || got[0].Hotkey != c.hot.Public() || got[0].Axon.Addr != netip.MustParseAddrPort("8.8.4.4:8091") ||
			got[0].Axon.Protocol != 4 || got[0].Block == 0 || got[0].Prometheus.Port() != 9090 || got[0].PrometheusBlock <= got[0].Block {
			c.t.Errorf("serving %+v, %v", got, err)
		}
	}
	if got, err := c.view().Serving(ctx, c.netuid, c.owner.Public()); err != nil || len(got) != 0 {
		c.t.Errorf("serving %+v, %v", got, err)
	}
}

func (c *chain) commitments() {
	c.t.Helper()
	ctx := c.t.Context()
	locked, err := c.Lock(ctx, []byte("a secret"), 5)
	if err != nil {
		c.t.Fatal(err)
	}
	hash := sha256.Sum256([]byte("x"))
	k, err := subtensor.SetCommitment(c.netuid, subtensor.BytesField([]byte("plain")), locked, subtensor.Field{Kind: "Sha256", Data: hash[:]})
	if err != nil {
		c.t.Fatal(err)
	}
	space := func() uint64 {
		used, limit, err := c.view().CommitmentSpace(ctx, c.netuid, c.hot.Public())
		if err != nil || limit != 3100 {
			c.t.Errorf("space of %d, %v", limit, err)
		}
		return used
	}
	before := space()
	in := c.do(c.hot, k)
	if used := space(); before != 0 || used != subtensor.Space(subtensor.BytesField([]byte("plain")), locked, subtensor.Field{Data: hash[:]}) {
		c.t.Errorf("%d bytes are used, and were %d", used, before)
	}
	read := func(at subnet.Block) subtensor.Commitment {
		v, err := c.At(ctx, at)
		if err != nil {
			c.t.Fatal(err)
		}
		all, err := v.Commitments(ctx, c.netuid)
		if err != nil || len(all) != 1 {
			c.t.Fatalf("%d commitments, %v", len(all), err)
		}
		return all[0]
	}
	want := subtensor.Commitment{Hotkey: c.hot.Public(), Block: in.Block,
		Fields: []subtensor.Field{{Kind: "Raw", Data: []byte("plain")}, locked, {Kind: "Sha256", Data: hash[:]}}}
	if d := cmp.Diff(want, read(in.Block)); d != "" {
		c.t.Error(d)
	}
	c.wait(in.Block + 10)
	got := read(subnet.Latest)
	if len(got.Fields) != 2 || len(got.Revealed) != 1 || string(got.Revealed[0].Data) != "\x20a secret" || got.Revealed[0].Block <= in.Block {
		c.t.Errorf("revealed: %+v", got)
	}
}

func (c *chain) weights(mine subnet.Chain) {
	c.t.Helper()
	ctx := c.t.Context()
	w, err := subtensor.NewWeights(c.netuid, []subnet.Weight{{UID: 0, Value: 1}, {UID: 1, Value: 3}})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.Do(ctx, c.hot, subtensor.SetWeights(w), subtensor.SubmitOptions{}); err == nil || subnet.Hint(err) == "" {
		c.t.Errorf("weights that should be committed are set: %v", err)
	}
	permitted := func() bool {
		m, err := mine.Metagraph(ctx, subnet.Latest)
		if err != nil {
			c.t.Fatal(err)
		}
		return m.Neurons[1].Permit
	}
	for !permitted() {
		c.wait(c.view().Block + 1)
	}
	if _, err := c.view().WeightTerms(ctx, c.netuid+7, 0, c.hot.Public()); !errors.Is(err, subnet.ErrNotFound) {
		c.t.Errorf("terms of no subnet: %v", err)
	}
	v := c.view()
	terms, err := v.WeightTerms(ctx, c.netuid, 0, c.hot.Public())
	if err != nil {
		c.t.Fatal(err)
	}
	if next, err := v.NextEpoch(ctx, c.netuid); err != nil || terms.EpochBlock(terms.Epoch+1) != next || terms.EpochBlock(terms.Epoch+3) != next+40 {
		c.t.Errorf("epochs at %d and %d, not %d, %v", terms.EpochBlock(terms.Epoch+1), terms.EpochBlock(terms.Epoch+3), next, err)
	}
	if !terms.Registered || terms.UID != 1 || !terms.Permit || terms.Owner || terms.Neurons != 2 || !terms.CommitReveal ||
		terms.RevealPeriod == 0 || terms.Mechanisms != 1 || terms.Block != v.Block || terms.LastUpdate > v.Block || terms.Due() != terms.LastUpdate {
		c.t.Errorf("terms %+v", terms)
	}
	if owner, err := v.WeightTerms(ctx, c.netuid, 0, c.owner.Public()); err != nil || !owner.Owner {
		c.t.Errorf("terms of the owner %+v, %v", owner, err)
	}
	r, err := c.PutWeights(ctx, c.hot, w, subtensor.SubmitOptions{})
	if err != nil || r.Round == 0 || r.Reveals <= r.Block {
		c.t.Fatalf("receipt %+v, %v", r, err)
	}
	if v, err = c.At(ctx, r.Block); err != nil {
		c.t.Fatal(err)
	}
	commits, err := v.WeightsCommits(ctx, c.netuid, 0)
	if err != nil || len(commits) != 1 || commits[0].Hotkey != c.hot.Public() || commits[0].Round != r.Round || commits[0].Block != r.Block {
		c.t.Errorf("commits %+v, %v", commits, err)
	}
	c.wait(r.Reveals + 3)
	m, err := mine.Metagraph(ctx, r.Reveals+3)
	if err != nil {
		c.t.Fatal(err)
	}
	if got := m.Neurons[1].Weights; len(got) != 2 || got[0].Value < 0.249 || got[0].Value > 0.251 {
		c.t.Errorf("revealed weights %v", got)
	}
	if rows, err := c.view().Weights(ctx, c.netuid, 0, 2); err != nil || len(rows) != 2 || len(rows[0]) != 0 || !cmp.Equal(rows[1], m.Neurons[1].Weights) {
		c.t.Errorf("weights %v, %v", rows, err)
	}
	if rows, err := c.view().Weights(ctx, c.netuid, 1, 2); err != nil || len(rows[1]) != 0 {
		c.t.Errorf("weights of another mechanism %v, %v", rows, err)
	}
	if m, err := mine.Metagraph(ctx, r.Reveals-4); err != nil || len(m.Neurons[1].Weights) != 0 {
		c.t.Errorf("weights are readable before their time: %v", err)
	}
}

// What the runtime answers for, where our node does.
func TestViews(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	ctx := t.Context()
	c.found()
	price, err := c.view().RegistrationPrice(ctx, c.netuid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Register(ctx, c.bob, c.netuid, c.hot.Public(), price); err != nil {
		t.Fatal(err)
	}
	c.do(c.bob, subtensor.AddStake(c.hot.Public(), c.netuid, 10*tao))
	c.do(c.bob, subtensor.DecreaseTake(c.hot.Public(), 1000))
	v := c.view()
	if take, err := v.Take(ctx, c.hot.Public()); err != nil || take != 1000 {
		t.Errorf("take %d, %v", take, err)
	}
	answered := func(what string, err error) bool {
		t.Helper()
		if errors.Is(err, errors.ErrUnsupported) {
			t.Logf("%s: %v", what, err)
			return false
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return err == nil
	}
	if m, err := v.Metagraph(ctx, c.netuid); answered("metagraph", err) && (len(m.Hotkeys) != 2 || m.Hotkeys[1] != c.hot.Public() || m.AlphaStake[1] == 0) {
		t.Errorf("metagraph %+v", m)
	}
	if ns, err := v.NeuronsLite(ctx, c.netuid); answered("neurons", err) && (len(ns) != 2 || ns[1].Hotkey != c.hot.Public() || ns[1].Stake == 0) {
		t.Errorf("neurons %+v", ns)
	}
	if ss, err := v.Stakes(ctx, c.bob.Public()); answered("stakes", err) && (len(ss) != 1 || ss[0].NetUID != c.netuid || ss[0].Amount == 0) {
		t.Errorf("stakes %+v", ss)
	}
	if ss, err := v.Subnets(ctx); answered("subnets", err) && (len(ss) < 2 || ss[len(ss)-1].OwnerColdkey != c.alice.Public()) {
		t.Errorf("subnets %+v", ss)
	}
	if ds, err := v.Delegates(ctx); answered("delegates", err) && (len(ds) != 1 || ds[0].Hotkey != c.hot.Public() || ds[0].Owner != c.bob.Public() || ds[0].Take != 1000) {
		t.Errorf("delegates %+v", ds)
	}
	if ps, err := v.AlphaPrices(ctx); answered("prices", err) {
		if one, err := v.AlphaPrice(ctx, c.netuid); err != nil || one == 0 || ps[c.netuid] != one || ps[0] != tao {
			t.Errorf("prices %v, and %d, %v", ps, one, err)
		}
	}
	want := []subtensor.Registration{{Hotkey: c.hot.Public(), NetUID: c.netuid, UID: 1}, {Hotkey: c.owner.Public(), NetUID: c.netuid, UID: 0}}
	if rs, err := v.Registrations(ctx, c.hot.Public(), c.alice.Public(), c.owner.Public()); err != nil || !cmp.Equal(rs, want) {
		t.Errorf("registrations %+v, %v", rs, err)
	}
	if x, err := v.MetagraphExtras(ctx, c.netuid); err != nil || x.Mechanisms != 1 || x.Difficulty == 0 || x.Issuance == 0 || len(x.ValidatorTrust) > 2 {
		t.Errorf("%+v, %v", x, err)
	}
	if ms, err := v.Mechanisms(ctx); err != nil || ms[c.netuid] > 1 {
		t.Errorf("mechanisms %v, %v", ms, err)
	}
	if hs, err := v.Hyperparameters(ctx, c.netuid); answered("hyperparameters", err) && len(hs) < 20 {
		t.Errorf("hyperparameters %+v", hs)
	}
	if fee, err := c.Fee(ctx, c.bob.Public(), subtensor.TransferKeepAlive(c.alice.Public(), 1)); answered("fee", err) && fee == 0 {
		t.Error("a transfer costs nothing")
	}
	if err := c.DryRun(ctx, c.bob, subtensor.TransferKeepAlive(c.alice.Public(), 1<<62)); err == nil {
		t.Error("more is moved than there is")
	} else if !errors.Is(err, errors.ErrUnsupported) && subnet.Hint(err) == "" {
		t.Logf("dry run: %v", err)
	}
	if ed, err := v.ExistentialDeposit(); err != nil || ed != 500 {
		t.Errorf("existential deposit %d, %v", ed, err)
	}
	if ids, err := v.NetUIDs(ctx); err != nil || ids[len(ids)-1] != c.netuid {
		t.Errorf("netuids %v, %v", ids, err)
	}
}

// Proxies act for others, and what an owner says of a subnet can be read.
func TestProxiesAndIdentity(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	ctx := t.Context()
	c.found()
	staking := subtensor.Proxy{Delegate: c.bob.Public(), Kind: "NonTransfer"}
	c.do(c.alice, subtensor.AddProxy(staking))
	if ps, deposit, err := c.view().Proxies(ctx, c.alice.Public()); err != nil || deposit == 0 || len(ps) != 1 || ps[0] != staking {
		t.Errorf("proxies %+v, %d, %v", ps, deposit, err)
	} else if want, err := c.view().ProxyDeposit(1); err != nil || want != deposit {
		t.Errorf("deposit %d, want %d, %v", deposit, want, err)
	}
	if kinds, err := c.view().ProxyKinds(); err != nil || len(kinds) < 12 || kinds[0] != "Any" {
		t.Errorf("kinds %v, %v", kinds, err)
	}
	in := c.do(c.bob, subtensor.Announce(c.alice.Public(), [32]byte{7}))
	announced := []subtensor.Announcement{{Real: c.alice.Public(), Call: [32]byte{7}, Block: in.Block}}
	if got, err := c.view().Announcements(ctx, c.bob.Public()); err != nil || !cmp.Equal(got, announced) {
		t.Errorf("announcements %+v, %v", got, err)
	}
	id := subtensor.SubnetIdentity{Name: "mine", URL: "https://example.org", Logo: "https://example.org/logo.png"}
	c.do(c.bob, subtensor.Proxied(c.alice.Public(), "", subtensor.SetSubnetIdentity(c.netuid, id)))
	if got, ok, err := c.view().SubnetIdentity(ctx, c.netuid); err != nil || !ok || got != id {
		t.Errorf("identity %+v, %v, %v", got, ok, err)
	}
	if _, err := c.Do(ctx, c.bob, subtensor.Proxied(c.alice.Public(), "", subtensor.TransferKeepAlive(c.bob.Public(), 1)), subtensor.SubmitOptions{}); err == nil {
		t.Error("a proxy that may not move money moves it")
	}
	c.do(c.alice, subtensor.RemoveProxy(staking))
	if ps, _, err := c.view().Proxies(ctx, c.alice.Public()); err != nil || len(ps) != 0 {
		t.Errorf("proxies %+v, %v", ps, err)
	}
}

// Money and stake go where they should, and a call that fails says why.
func TestMoneyAndStake(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	ctx := t.Context()
	c.found()
	eve := key(t, "//Nobody yet")
	const sent = 3 * tao
	fee, err := c.Fee(ctx, c.bob.Public(), subtensor.TransferKeepAlive(eve.Public(), sent))
	if err != nil {
		t.Fatal(err)
	}
	before, err := c.view().Accounts(ctx, c.bob.Public(), eve.Public())
	if err != nil {
		t.Fatal(err)
	}
	c.do(c.bob, subtensor.TransferKeepAlive(eve.Public(), sent))
	after, err := c.view().Accounts(ctx, c.bob.Public(), eve.Public())
	if err != nil || after[1].Free-before[1].Free != sent || before[0].Free-after[0].Free != sent+fee {
		t.Errorf("%+v, then %+v with a fee of %d, %v", before, after, fee, err)
	}
	c.do(eve, subtensor.TransferAll(c.bob.Public(), false))
	if a, err := c.view().Account(ctx, eve.Public()); err != nil || a.Free != 0 {
		t.Errorf("left: %+v, %v", a, err)
	}

	price, err := c.view().RegistrationPrice(ctx, c.netuid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Register(ctx, c.bob, c.netuid, c.hot.Public(), price); err != nil {
		t.Fatal(err)
	}
	c.do(c.bob, subtensor.AddStake(c.hot.Public(), c.netuid, 10*tao))
	staked := func() (sum uint64) {
		t.Helper()
		all, err := c.view().Stakes(ctx, c.bob.Public())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			sum += s.Amount
		}
		return sum
	}
	had := staked()
	c.do(c.bob, subtensor.RemoveStake(c.hot.Public(), c.netuid, had/2))
	if now := staked(); now < had/2-1 || now > had/2+1 {
		t.Errorf("%d alpha, half of %d taken out", now, had)
	}
	_, err = c.Do(ctx, c.bob, subtensor.AddStakeLimit(c.hot.Public(), c.netuid, 100*tao, 1, false), subtensor.SubmitOptions{})
	if err == nil || subnet.Hint(err) == "" {
		t.Errorf("stake at a price of nearly nothing: %v, hint %q", err, subnet.Hint(err))
	}
	c.do(c.bob, subtensor.UnstakeAll(c.hot.Public()))
	if now := staked(); now != 0 {
		t.Errorf("%d alpha are left", now)
	}
}
