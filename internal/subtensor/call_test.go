package subtensor

import (
	"encoding/hex"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/scale"
	"adit/internal/scale/scaletest"
	"adit/internal/subnet"
)

// allCalls has every call that is made here.
func allCalls(t *testing.T) []Call {
	t.Helper()
	a, b := Account{1}, Account{2}
	w := Weights{NetUID: 7, UIDs: []uint16{1, 2}, Values: []uint16{3, 4}, VersionKey: 5}
	m := w
	m.Mechanism = 1
	reveals, err := BatchRevealWeights([]Weights{w, w}, [][]uint16{{1}, {2}})
	if err != nil {
		t.Fatal(err)
	}
	commitment, err := SetCommitment(7, BytesField([]byte("x")), LockedField([]byte{1, 2}, 9), ResetBondsField())
	if err != nil {
		t.Fatal(err)
	}
	commits, err := BatchCommitWeights([]Weights{w, w}, [][32]byte{{1}, {2}})
	if err != nil {
		t.Fatal(err)
	}
	axon := Axon{Addr: netip.MustParseAddrPort("1.2.3.4:5")}
	proxy := Proxy{a, "Staking", 3}
	locked := func() scale.Args {
		return scale.Args{"commit": []byte{1}, "reveal_round": 3, "commit_reveal_version": 4}
	}
	return []Call{
		TransferKeepAlive(a, 1), TransferAllowDeath(a, 1), TransferAll(a, true),
		AddStake(a, 7, 1), AddStakeLimit(a, 7, 1, 2, true), RemoveStake(a, 7, 1), RemoveStakeLimit(a, 7, 1, 2, false),
		RemoveStakeFull(a, 7, scale.Option[uint64]{}), UnstakeAll(a), UnstakeAllAlpha(a), MoveStake(Place{a, 1}, Place{b, 2}, 3),
		SwapStake(a, 1, 2, 3), SwapStakeLimit(a, 1, 2, 3, 4, true), TransferStake(b, a, 1, 2, 3),
		BurnedRegister(7, a), RegisterLimit(7, a, 1), RootRegister(a), RegisterNetwork(a), StartCall(7), AssociateHotkey(a),
		SetChildren(a, 7, Child{5, b}), IncreaseTake(a, 1), DecreaseTake(a, 1), SetChildTake(a, 7, 1),
		AddProxy(proxy), RemoveProxy(proxy), RemoveProxies(), Proxied(a, "", StartCall(7)), Announce(a, [32]byte{1}), ProxyAnnounced(a, b, "Any", StartCall(7)),
		SetSubnetIdentity(7, SubnetIdentity{Name: "n"}), SetIdentity(Identity{Name: "n"}),
		ServeAxon(7, axon), ServeAxonTLS(7, axon, []byte{1}), ServePrometheus(7, axon.Addr), commitment,
		SetWeights(w), SetWeights(m), BatchSetWeights(w, w), CommitWeights(w, [32]byte{3}), CommitWeights(m, [32]byte{3}), commits,
		ClaimRoot(1, 2), SetRootClaim(RootClaim{Keep: true}),
		SwapHotkey(a, b, scale.Option[subnet.NetUID]{}), SwapHotkeyOnly(a, b, scale.SomeOf(subnet.NetUID(7))), AnnounceColdkeySwap(a), SwapColdkeyAnnounced(a),
		DisputeColdkeySwap(), ClearColdkeySwap(),
		RevealWeights(w, []uint16{1}), RevealWeights(m, []uint16{1}), reveals,
		Batch(StartCall(7), UnstakeAll(a)), BatchAll(StartCall(7)), ForceBatch(), Root(StartCall(7)),
		w.call("commit_timelocked_weights", "commit_timelocked_mechanism_weights", locked()),
		m.call("commit_timelocked_weights", "commit_timelocked_mechanism_weights", locked()),
	}
}

// The names of every call and of its arguments are those of the main network.
func TestCallNames(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/calls-424.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		if fields := strings.Fields(line); fields[0] != "#" {
			known[fields[0]] = slices.Sorted(slices.Values(fields[1:]))
		}
	}
	for _, k := range allCalls(t) {
		want, ok := known[k.String()]
		if !ok {
			t.Errorf("there is no %v", k)
			continue
		}
		if d := cmp.Diff(want, slices.Sorted(maps.Keys(k.Args)), cmp.Transformer("none", func(s []string) []string { return append([]string{}, s...) })); d != "" {
			t.Errorf("%v: %s", k, d)
		}
	}
}

// Bytes as polkadot.js makes them, and the same after a runtime upgrade that moved
// nothing.
func TestCallBytes(t *testing.T) {
	t.Parallel()
	md, err := scale.BuildMetadata(scaletest.Runtime())
	if err != nil {
		t.Fatal(err)
	}
	rt := &Runtime{424, 1, md}
	bob := account(t, "//Bob").Public()
	hexBob := hex.EncodeToString(bob[:])
	for _, tt := range []struct {
		call Call
		want string
	}{
		{TransferKeepAlive(bob, 123456789), "050300" + hexBob + hex.EncodeToString(scale.AppendCompact(nil, 123456789))},
		{AddStake(bob, 7, 1e9), "0702" + hexBob + "0700" + "00ca9a3b00000000"},
		{RemoveStake(bob, 7, 1e9), "0703" + hexBob + "0700" + "00ca9a3b00000000"},
		{RegisterLimit(7, bob, 2e9), "07860700" + hexBob + "0094357700000000"},
		{SetWeights(Weights{NetUID: 7, UIDs: []uint16{1, 2, 300}, Values: []uint16{65535, 32768, 1}, VersionKey: 9}),
			"07000700" + "0c010002002c01" + "0cffff00800100" + "0900000000000000"},
		{BatchAll(StartCall(7), StartCall(8)), "0b0208" + "075c0700" + "075c0800"},
	} {
		got, err := tt.call.encode(rt)
		if err != nil || hex.EncodeToString(got) != tt.want {
			t.Errorf("%v = %x, %v, want %s", tt.call, got, err, tt.want)
		}
		x := &signed{call: got, made: rt}
		if err := x.translate(&Runtime{425, 1, md}); err != nil || hex.EncodeToString(x.call) != tt.want || x.made.SpecVersion != 425 {
			t.Errorf("%v becomes %x, %v", tt.call, x.call, err)
		}
	}
	if _, err := (Call{"Balances", "transfer_keep_alive", scale.Args{"dest": bob, "amount": 1}}).encode(rt); err == nil {
		t.Error("an argument of another name is taken")
	}
	if _, err := BatchAll(Call{"Balances", "nothing", nil}).encode(rt); err == nil {
		t.Error("a batch of unknown calls is encoded")
	}
}

// A call that an upgrade has changed is not signed again.
func TestTranslateChanged(t *testing.T) {
	t.Parallel()
	md, err := scale.BuildMetadata(scaletest.Runtime())
	if err != nil {
		t.Fatal(err)
	}
	def := scaletest.Runtime()
	def.Call = struct {
		scale.Enum
		System *scaletest.SystemCall `scale:"3"`
	}{}
	def.Pallets = def.Pallets[:1]
	def.Pallets[0].Index = 3
	def.Event = nil
	moved, err := scale.BuildMetadata(def)
	if err != nil {
		t.Fatal(err)
	}
	rt := &Runtime{424, 1, md}
	b, err := Call{"System", "remark", scale.Args{"remark": "x"}}.encode(rt)
	if err != nil {
		t.Fatal(err)
	}
	x := &signed{call: b, made: rt}
	if err := x.translate(&Runtime{425, 1, moved}); err != nil || hex.EncodeToString(x.call) != "03000478" {
		t.Errorf("a remark becomes %x, %v", x.call, err)
	}
	if b, err = StartCall(7).encode(rt); err != nil {
		t.Fatal(err)
	}
	x = &signed{call: b, made: rt}
	if err := x.translate(&Runtime{425, 1, moved}); err == nil {
		t.Errorf("a call that is gone becomes %x", x.call)
	}
}

func TestNewWeights(t *testing.T) {
	t.Parallel()
	w := Weights{NetUID: 7, UIDs: []uint16{1, 2}, Values: []uint16{3, 4}, VersionKey: 9}
	h, err := w.Hash(Account{}, []uint16{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	want := scale.Blake2b256(append(make([]byte, 32), 7, 0, 8, 1, 0, 2, 0, 8, 3, 0, 4, 0, 8, 5, 0, 6, 0, 9, 0, 0, 0, 0, 0, 0, 0))
	if h != want {
		t.Errorf("hash %x, want %x", h, want)
	}
	w.Mechanism = 1
	if other, err := w.Hash(Account{}, []uint16{5, 6}); err != nil || other == h {
		t.Errorf("another mechanism has the same hash: %v", err)
	}
	if _, err := BatchRevealWeights([]Weights{w}, nil); err == nil {
		t.Error("weights are revealed without a salt")
	}
}
