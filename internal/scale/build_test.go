package scale

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type account [32]byte

func (account) ScaleName() string { return "sp_core::crypto::AccountId32" }

type toyBalances struct {
	Enum
	TransferKeepAlive *struct {
		Dest  account
		Value Compact[uint64] `type:"T::Balance"`
	} `scale:"3" doc:"Moves tokens."`
}

type toySudo struct {
	Enum
	Sudo *struct{ Call *toyCall } `scale:"0"`
}

type toyCall struct {
	Enum
	Balances *toyBalances `scale:"5"`
	Sudo     *toySudo     `scale:"12"`
}

func (toyCall) ScaleName() string { return "node::RuntimeCall" }

type toyEvent struct {
	Enum
	Transfer *Tuple2[account, uint64] `scale:"2"`
	Done     *Unit                    `scale:"3"`
}

func toyRuntime() RuntimeDef {
	return RuntimeDef{
		Name: "node::Runtime",
		Pallets: []PalletDef{
			{Name: "Balances", Index: 5, Calls: toyBalances{}, Events: toyEvent{},
				Errors:    []ErrorDef{{"VestingBalance", 0, "Vesting."}, {"InsufficientBalance", 2, "Balance too low.\nReally."}},
				Constants: []ConstantDef{{Name: "ExistentialDeposit", Value: uint64(500)}},
				Storage: []StorageDef{
					{Name: "TotalIssuance", Value: uint64(7)},
					{Name: "Account", Keys: []KeyDef{{Blake2_128Concat, account{}}}, Value: []uint16(nil)},
					{Name: "Pair", Keys: []KeyDef{{Identity, uint16(0)}, {Twox64Concat, account{}}}, Value: "", Optional: true},
				}},
			{Name: "Sudo", Index: 12, Calls: toySudo{}},
		},
		Call: toyCall{}, Address: account{}, Signature: [64]byte{},
		Extensions: []ExtensionDef{{"CheckNonce", Compact[uint32]{}, Unit{}}},
	}
}

func TestBuildMetadata(t *testing.T) {
	m, err := BuildMetadata(toyRuntime())
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadMetadata(m.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if again.Encode(); !cmp.Equal(again.Encode(), m.Encode()) {
		t.Error("what is read is not what was written")
	}
	names := map[string]int{}
	for _, ty := range m.Types {
		names[ty.Name()]++
	}
	for _, name := range []string{"AccountId32", "RuntimeCall", "Call", "Event", "Error", "Runtime", "UncheckedExtrinsic"} {
		want := 1
		if name == "Call" {
			want = 2 // of Balances and of Sudo
		}
		if names[name] != want {
			t.Errorf("%d types are named %s, want %d", names[name], name, want)
		}
	}
	calls := m.Types[m.Pallets[0].Calls.V].Def.Variant.Variants
	if calls[0].Name != "transfer_keep_alive" || calls[0].Fields[1].Name.V != "value" || calls[0].Fields[1].TypeName.V != "T::Balance" {
		t.Errorf("calls = %+v", calls)
	}
	sudo := m.Types[m.Pallets[1].Calls.V].Def.Variant.Variants[0].Fields[0].Type
	if m.Types[sudo].Name() != "RuntimeCall" {
		t.Errorf("sudo's call is %+v", m.Types[sudo])
	}
}

func TestReadMetadataRefuses(t *testing.T) {
	m, err := BuildMetadata(toyRuntime())
	if err != nil {
		t.Fatal(err)
	}
	good := m.Encode()
	for n := range good {
		if _, err := ReadMetadata(good[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes are read", n, len(good))
		}
	}
	bad := *m
	bad.Runtime = SomeOf(TypeID(len(m.Types)))
	if _, err := ReadMetadata(bad.Encode()); err == nil {
		t.Error("a type that is not there is accepted")
	}
	v13 := append([]byte(nil), good...)
	v13[4] = 13
	if _, err := ReadMetadata(v13); err == nil || err.Error() != "read metadata: version 13 is none of [14 15 16]" {
		t.Errorf("version 13: %v", err)
	}
}

func TestSnake(t *testing.T) {
	for in, want := range map[string]string{"VersionKey": "version_key", "NetUID": "net_uid", "IPType": "ip_type", "A": "a",
		"Netuid": "netuid", "TransferKeepAlive": "transfer_keep_alive", "already_so": "already_so", "Commit_Reveal": "commit_reveal"} {
		if got := snake(in); got != want {
			t.Errorf("snake(%q) = %q, want %q", in, got, want)
		}
	}
}

// The hashes are those of storage keys that polkadot-js made.
func TestHashers(t *testing.T) {
	alice, err := hex.DecodeString("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		got  []byte
		want string
	}{
		{"System.Account", StorageKey("System", "Account"), "26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9"},
		{"SubtensorModule.TotalNetworks", StorageKey("SubtensorModule", "TotalNetworks"), "658faa385070e074c85bf6b568cf05555f3bb7bcd0a076a48abf8c256d221721"},
		{"Blake2_128Concat", Blake2_128Concat.Append(nil, alice), "de1e86a9a8c739864cf3cc5ec2bea59f" + hex.EncodeToString(alice)},
		{"Identity", Identity.Append([]byte{9}, []byte{7, 0}), "090700"},
		// From the specification of XXH64, one input longer than a stripe.
		{"empty", Twox64Concat.Append(nil, nil), "99e9d85137db46ef"},
		{"long", appendTwox(nil, []byte("Nobody inspects the spammish repetition"), 1), "f18b378a3ca8cefb"},
	} {
		if got := hex.EncodeToString(tt.got); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	for _, h := range []Hasher{Blake2_128Concat, Twox64Concat, Identity} {
		if k, err := h.Key(h.Append(nil, alice)); err != nil || !cmp.Equal(k, alice) {
			t.Errorf("%v: key %x, %v", h, k, err)
		}
	}
	if _, err := Twox128.Key(Twox128.Append(nil, alice)); err == nil {
		t.Error("Twox128 gives a key back")
	}
}
