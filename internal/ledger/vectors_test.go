package ledger

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"adit/internal/keys"
	"adit/internal/scale"
)

type vectors struct {
	GenesisHash string
	Calls       []struct{ Name, Call string }
	Payloads    []struct {
		Name, Era, BlockHash, Call, Payload string
		Nonce                               uint32
		Tip                                 uint64
	}
	Storage map[string]string
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors-424.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func dev(name string) AccountID {
	for _, a := range DevAccounts() {
		if a.Name == name {
			return a.Public
		}
	}
	panic(name)
}

func pubs[T ~uint8 | ~uint16 | ~uint32 | ~uint64](v ...T) (out []scale.Compact[T]) {
	for _, x := range v {
		out = append(out, scale.Compact[T]{V: x})
	}
	return out
}

func TestCallBytes(t *testing.T) {
	bob := dev("Bob")
	keepAlive := func(n uint64) *TransferKeepAlive {
		return &TransferKeepAlive{AddressOf(bob), scale.Compact[uint64]{V: n}}
	}
	commit := func(fields ...Data) *SetCommitment { return &SetCommitment{7, CommitmentInfo{fields}} }
	bytesOf := func(n int, b byte) []byte { return []byte(strings.Repeat(string([]byte{b}), n)) }
	v4 := scale.U128From(0x08080808)
	v6 := scale.U128{Hi: 0x20010db800000000, Lo: 1}
	type p = scale.Tuple2[scale.Compact[uint16], scale.Compact[uint16]]
	wp := func(a, b uint16) p { return p{F0: scale.Compact[uint16]{V: a}, F1: scale.Compact[uint16]{V: b}} }
	cd := Hash([]byte(strings.Repeat("\xcd", 32)))
	calls := map[string]Call{
		"proxy.proxy(Alice, None, remark 0x02)":                                                         &ProxyDispatch{AddressOf(dev("Alice")), scale.Option[ProxyType]{}, ptr(Wrap(&Remark{[]byte{2}}))},
		"commit_weights(7, 32 x 0xcd)":                                                                  &CommitWeights{7, cd},
		"reveal_weights(7,[1,2],[3,4],[5,6],9)":                                                         &RevealWeights{7, []uint16{1, 2}, []uint16{3, 4}, []uint16{5, 6}, 9},
		"root_register(Bob)":                                                                            &RootRegister{bob},
		"add_stake_limit(Bob,7,1e9,5e8,true)":                                                           &AddStakeLimit{bob, 7, 1e9, 5e8, true},
		"remove_stake_limit(Bob,7,1e9,5e8,false)":                                                       &RemoveStakeLimit{bob, 7, 1e9, 5e8, false},
		"commit_timelocked_weights(7,0x010203,12345,4)":                                                 &CommitTimelockedWeights{7, Ciphertext{1, 2, 3}, 12345, 4},
		"commit_timelocked_mechanism_weights(7,1,0x010203,12345,4)":                                     &CommitTimelockedMechanismWeights{7, 1, Ciphertext{1, 2, 3}, 12345, 4},
		"system.remark(0x010203)":                                                                       &Remark{[]byte{1, 2, 3}},
		"balances.transfer_keep_alive(Bob, 123456789)":                                                  keepAlive(123456789),
		"utility.batch_all([remark 0x00, transfer_keep_alive(Bob,1)])":                                  &BatchAll{[]RuntimeCall{Wrap(&Remark{[]byte{0}}), Wrap(keepAlive(1))}},
		`commitments.set_commitment(7, [Raw("hf:org/model@0123456789abcdef0123456789abcdef01234567")])`: commit(Data{Kind: DataRaw, Bytes: []byte("hf:org/model@0123456789abcdef0123456789abcdef01234567")}),
		`commitments.set_commitment(7, [BigRaw(200 x "y")])`:                                            commit(Data{Kind: DataBigRaw, Bytes: bytesOf(200, 'y')}),
		"commitments.set_commitment(7, [Sha256(32 x 0xab), ResetBondsFlag])":                            commit(Data{Kind: DataSha256, Bytes: unhex(t, strings.Repeat("ab", 32))}, Data{Kind: DataResetBonds}),
		"commitments.set_commitment(7, [TimelockEncrypted(0x0102, round 1000)])":                        commit(Data{Kind: DataTimelock, Bytes: []byte{1, 2}, Round: 1000}),
		"set_weights(7,[1,2,300],[65535,32768,1],9)":                                                    &SetWeights{7, []uint16{1, 2, 300}, []uint16{65535, 32768, 1}, 9},
		"batch_set_weights([7,8],[[(1,2)],[(3,4),(5,6)]],[0,1])":                                        &BatchSetWeights{pubs[uint16](7, 8), [][]p{{wp(1, 2)}, {wp(3, 4), wp(5, 6)}}, pubs[uint64](0, 1)},
		"serve_axon(7, v1, 8.8.8.8:8091, ip_type 4, proto 4)":                                           &ServeAxon{7, 1, v4, 8091, 4, 4, 0, 0},
		"serve_axon ipv6 2001:db8::1":                                                                   &ServeAxon{7, 1, v6, 8091, 6, 4, 0, 0},
		"serve_prometheus(7, v1, 8.8.8.8:9100, 4)":                                                      &ServePrometheus{7, 1, v4, 9100, 4},
		"burned_register(7, Bob)":                                                                       &BurnedRegister{7, bob},
		"register_network(Bob)":                                                                         &RegisterNetwork{bob},
		"add_stake(Bob,7,1000000000)":                                                                   &AddStake{bob, 7, 1e9},
		"remove_stake(Bob,7,1000000000)":                                                                &RemoveStake{bob, 7, 1e9},
		"register_limit(7,Bob,2e9)":                                                                     &RegisterLimit{7, bob, 2e9},
		"set_mechanism_weights(7,1,[1],[65535],0)":                                                      &SetMechanismWeights{7, 1, []uint16{1}, []uint16{65535}, 0},
	}
	seen := 0
	for _, v := range readVectors(t).Calls {
		c, ok := calls[v.Name]
		if !ok {
			t.Errorf("no call for %s", v.Name)
			continue
		}
		seen++
		if got := "0x" + hex.EncodeToString(Encode(c)); got != v.Call {
			t.Errorf("%s\n got %s\nwant %s", v.Name, got, v.Call)
		}
		var back RuntimeCall
		if err := scale.Unmarshal(unhex(t, v.Call), &back); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		} else if got := Encode(back.Call()); "0x"+hex.EncodeToString(got) != v.Call {
			t.Errorf("%s reads back as %x", v.Name, got)
		}
	}
	if seen != len(calls) {
		t.Errorf("%d of %d calls have a vector", seen, len(calls))
	}
}

func TestStorageKeys(t *testing.T) {
	alice, bob := dev("Alice"), dev("Bob")
	got := map[string]string{
		"Drand.Pulses(1000)":              beacon.Pulses.key(1000),
		"System.Account(Alice)":           system.Account.key(alice),
		"SubtensorModule.Uids(7,Bob)":     sub.Uids.key(7, bob),
		"SubtensorModule.Weights(7,3)":    sub.Weights.key(7, 3),
		"SubtensorModule.Axons(7,Bob)":    sub.Axons.key(7, bob),
		"SubtensorModule.TotalNetworks":   sub.TotalNetworks.prefix,
		"Commitments.CommitmentOf(7,Bob)": commitments.CommitmentOf.key(7, bob),
		"System.Events":                   system.Events.prefix,
	}
	for name, want := range readVectors(t).Storage {
		if key, ok := got[name]; ok && "0x"+hex.EncodeToString([]byte(key)) != want {
			t.Errorf("%s = %x, want %s", name, key, want)
		}
	}
}

func TestPayloads(t *testing.T) {
	v := readVectors(t)
	for _, p := range v.Payloads {
		var x extrinsic
		if err := scale.Unmarshal(unhex(t, p.Era), &x.era); err != nil {
			t.Fatal(err)
		}
		x.callBytes = unhex(t, p.Call)
		x.extra = must(x.era.AppendSCALE(nil))
		x.extra = append(scale.AppendCompact(scale.AppendCompact(x.extra, uint64(p.Nonce)), p.Tip), 0)
		got := x.payload(424, 1, Hash(unhex(t, v.GenesisHash)), Hash(unhex(t, p.BlockHash)))
		if hex.EncodeToString(got) != strings.TrimPrefix(p.Payload, "0x") {
			t.Errorf("%s:\n got %x\nwant %s", p.Name, got, p.Payload)
		}
	}
	mortal := Era{Period: 64, Phase: 1000 % 64}
	if got := mortal.birth(1010); got != 1000 {
		t.Errorf("birth = %d, want 1000", got)
	}
}

func TestMetadata(t *testing.T) {
	b := New(DevGenesis()).Metadata()
	m, err := scale.ReadMetadata(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Pallets) != 14 {
		t.Errorf("%d pallets", len(m.Pallets))
	}
	t.Logf("metadata: %d bytes, %d types", len(b), len(m.Types))
}

func TestDevAccounts(t *testing.T) {
	for _, a := range DevAccounts() {
		p, err := keys.FromURI("//" + a.Name)
		if err != nil {
			t.Fatal(err)
		}
		if p.Public() != a.Public {
			t.Errorf("%s is %x, want %x", a.Name, a.Public, p.Public())
		}
	}
}
