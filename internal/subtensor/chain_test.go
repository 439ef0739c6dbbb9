package subtensor

import (
	"encoding/hex"
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/scale/scaletest"
	"adit/internal/subnet"
)

type pair = scale.Tuple2[uint16, uint16]

func TestMetagraph(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	alice, bob, owner := account(t, "//Alice"), account(t, "//Bob"), account(t, "//Charlie")
	put := func(v any, item string, keys ...any) { f.put(v, module, item, keys...) }
	put(true, "NetworksAdded", 7)
	put(uint16(10), "Tempo", 7)
	put(uint16(2), "SubnetworkN", 7)
	put([]bool{true}, "ValidatorPermit", 7) // bob came after the epoch
	put([]uint64{33, 44}, "LastUpdate", 7)
	put([]uint16{65535}, "Incentive", 7)
	put([]uint16{13107}, "Dividends", 7)
	put([]uint16{0}, "Consensus", 7)
	put([]uint64{99}, "Emission", 7)
	put(alice.Public(), "Keys", 7, 0)
	put(bob.Public(), "Keys", 7, 1)
	put(uint64(3), "BlockAtRegistration", 7, 0)
	put([]pair{{F0: 1, F1: 65535}, {F0: 0, F1: 65535}}, "Weights", 7, 0)
	put(owner.Public(), "Owner", alice.Public())
	put(uint64(5e9), "TotalHotkeyAlpha", alice.Public(), 7)
	put(scaletest.AxonInfo{IP: scale.U128From(0x08080404), Port: 8091, IPType: 4}, "Axons", 7, alice.Public())
	put(scaletest.AxonInfo{IP: scale.U128{Hi: 0x20010db800000000, Lo: 1}, Port: 9, IPType: 6}, "Axons", 7, bob.Public())
	f.produce()
	put(uint16(11), "Tempo", 7)
	f.produce()
	c := dialFakes(t, Options{}, f)
	m, err := c.Subnet(7, nil).Metagraph(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	want := &subnet.Metagraph{NetUID: 7, Block: 1, Tempo: 10, Neurons: []subnet.Neuron{
		{UID: 0, Hotkey: subnet.Hotkey(alice.Address()), Coldkey: owner.Address(), Axon: netip.MustParseAddrPort("8.8.4.4:8091"), Permit: true,
			Stake: 5e9, LastUpdate: 33, RegisteredAt: 3, Incentive: 1, Dividends: 0.2, Emission: 99,
			Weights: []subnet.Weight{{UID: 1, Value: 0.5}, {UID: 0, Value: 0.5}}},
		{UID: 1, Hotkey: subnet.Hotkey(bob.Address()), Coldkey: m.Neurons[1].Coldkey, Axon: netip.MustParseAddrPort("[2001:db8::1]:9"), LastUpdate: 44},
	}}
	if d := cmp.Diff(want, m, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Error(d)
	}
	if n := f.count("state_queryStorageAt"); n != 3 {
		t.Errorf("%d round trips, want 3", n)
	}
	if m, err := c.Subnet(7, nil).Metagraph(t.Context(), subnet.Latest); err != nil || m.Tempo != 11 || m.Block != 2 {
		t.Errorf("newest metagraph: %+v, %v", m, err)
	}
	if _, err := c.Subnet(8, nil).Metagraph(t.Context(), 1); !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("no subnet: %v", err)
	}
}

func TestCommitments(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	want := map[string][]string{}
	big := strings.Repeat("y", 200)
	bigRaw, err := scale.Marshal([]byte(big))
	if err != nil {
		t.Fatal(err)
	}
	for i, fields := range [][]scaletest.Data{
		{scaletest.Raw("one"), scaletest.Raw("")},
		{append(scaletest.Data{136}, bigRaw...)},
		{append(scaletest.Data{131}, make([]byte, 32)...), scaletest.Raw("\xff")},
	} {
		who := account(t, "//Miner"+string(rune('0'+i)))
		f.put(scaletest.Registration{Block: uint32(i), Info: scaletest.CommitmentInfo{Fields: fields}}, "Commitments", "CommitmentOf", 7, who.Public())
		f.put(scaletest.Registration{}, "Commitments", "CommitmentOf", 8, who.Public())
		want[who.Address()] = [][]string{{"one", ""}, {big}, {"\xff"}}[i]
	}
	f.produce()
	c := dialFakes(t, Options{}, f)
	got, err := c.Subnet(7, nil).Commitments(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, m := range got {
		if d := cmp.Diff(want[string(m.Hotkey)], m.Fields); d != "" {
			t.Error(d)
		}
		k, err := f.md.StorageKey("Commitments", "CommitmentOf", 7, mustKey(t, m.Hotkey))
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, hex.EncodeToString(k))
	}
	if len(got) != 3 || !(order[0] < order[1] && order[1] < order[2]) {
		t.Errorf("%d commitments, keys %v", len(got), order)
	}
	if got, err := c.Subnet(9, nil).Commitments(t.Context(), 1); err != nil || len(got) != 0 {
		t.Errorf("of another subnet: %v, %v", got, err)
	}
}

func mustKey(t *testing.T, h subnet.Hotkey) [32]byte {
	t.Helper()
	pub, err := keys.ParseAddress(string(h))
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

// More entries than fit one page, and more keys than one request.
func TestPaging(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	const n = 2*batch + 3
	for i := range n {
		f.put([]byte{byte(i)}, "Drand", "Pulses", i)
	}
	f.produce()
	c := dialFakes(t, Options{}, f)
	v, err := c.At(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	pairs, err := v.Pairs(t.Context(), "Drand", "Pulses")
	if err != nil || len(pairs) != n {
		t.Fatalf("%d pairs, %v", len(pairs), err)
	}
	for _, p := range pairs {
		if round := p.Keys[0].(uint64); p.Value.([]byte)[0] != byte(round) {
			t.Errorf("pulse %d is %v", round, p.Value)
		}
	}
}

func TestChainCalls(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	f.auto = true
	alice := account(t, "//Alice")
	f.put(uint64(9), module, "WeightsVersionKey", 7)
	f.put(scaletest.AxonInfo{IP: scale.U128From(0x01020304), Port: 1, IPType: 4}, module, "Axons", 7, alice.Public())
	f.produce()
	var last scaletest.RuntimeCall
	f.exec = func(call []byte) *scaletest.DispatchError {
		last = scaletest.RuntimeCall{}
		if err := scale.Unmarshal(call, &last); err != nil {
			t.Error(err)
		}
		return nil
	}
	c := dialFakes(t, Options{}, f)
	net := c.Subnet(7, alice)

	big := strings.Repeat("b", 129)
	if b, err := net.Commit(t.Context(), "small", big); err != nil || b != 2 {
		t.Fatalf("commit: block %d, %v", b, err)
	}
	data := last.Commitments.SetCommitment.Info.Fields
	if string(data[0]) != "\x06small" || string(data[1]) != "\x88\x05\x02"+big {
		t.Errorf("committed %x", data)
	}
	if _, err := net.Commit(t.Context(), strings.Repeat("b", 513)); err == nil {
		t.Error("513 bytes are committed")
	}
	if _, err := net.Commit(t.Context(), "", "", "", ""); err == nil {
		t.Error("four fields are committed")
	}

	if _, err := net.SetWeights(t.Context(), []subnet.Weight{{UID: 1, Value: 0.5}, {UID: 2, Value: -1}, {UID: 300, Value: 0.25},
		{UID: 4, Value: math.NaN()}, {UID: 5, Value: 1e-9}}); err != nil {
		t.Fatal(err)
	}
	w := last.SubtensorModule.SetWeights
	if w.Netuid != 7 || w.VersionKey != 9 || !cmp.Equal(w.Dests, []uint16{1, 300}) || !cmp.Equal(w.Weights, []uint16{65535, 32768}) {
		t.Errorf("weights %+v", w)
	}
	if _, err := net.SetWeights(t.Context(), []subnet.Weight{{UID: 1}}); err == nil {
		t.Error("no weights are set")
	}
	if _, err := net.SetWeights(t.Context(), []subnet.Weight{{UID: 1, Value: math.Inf(1)}}); err == nil {
		t.Error("an infinite weight is set")
	}

	sent := f.count("author_submitAndWatchExtrinsic")
	if err := net.ServeAxon(t.Context(), netip.MustParseAddrPort("[::ffff:1.2.3.4]:1")); err != nil || f.count("author_submitAndWatchExtrinsic") != sent {
		t.Errorf("the same address again: %v", err)
	}
	if err := net.ServeAxon(t.Context(), netip.MustParseAddrPort("[2001:db8::1]:8091")); err != nil {
		t.Fatal(err)
	}
	if a := last.SubtensorModule.ServeAxon; a.Port != 8091 || a.IPType != 6 || a.IP != (scale.U128{Hi: 0x20010db800000000, Lo: 1}) {
		t.Errorf("axon %+v", a)
	}
	if _, err := c.Subnet(7, nil).Commit(t.Context(), "x"); err == nil {
		t.Error("nobody has signed")
	}
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	f.auto = true
	f.events = []scaletest.RuntimeEvent{{SubtensorModule: &scaletest.SubtensorEvent{NetworkAdded: &pair{F0: 12}}}}
	var info scaletest.AccountInfo
	info.Data.Free = 77
	alice, bob := account(t, "//Alice"), account(t, "//Bob")
	f.put(info, "System", "Account", bob.Public())
	f.produce()
	c := dialFakes(t, Options{}, f)
	if n, err := c.RegisterNetwork(t.Context(), alice, bob.Public()); err != nil || n != 12 {
		t.Errorf("network %d, %v", n, err)
	}
	for name, err := range map[string]error{
		"transfer": c.Transfer(t.Context(), alice, bob.Address(), 5),
		"start":    c.StartCall(t.Context(), alice, 12),
		"register": c.BurnedRegister(t.Context(), alice, 12, bob.Public()),
		"stake":    c.AddStake(t.Context(), alice, 12, bob.Public(), 5),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if rao, err := c.Balance(t.Context(), bob.Address()); err != nil || rao != 77 {
		t.Errorf("balance %d, %v", rao, err)
	}
	if err := c.Transfer(t.Context(), alice, "nobody", 1); err == nil {
		t.Error("nobody is paid")
	}
}
