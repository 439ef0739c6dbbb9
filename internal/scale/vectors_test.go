package scale_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	. "adit/internal/scale"
	"adit/internal/scale/scaletest"
)

// vectors are what polkadot-js made with the metadata of the main network's
// runtime 424.
type vectors struct {
	SpecVersion        uint32
	TransactionVersion uint32
	GenesisHash        hexBytes
	Alice, Bob         hexBytes
	SignedExtensions   []string
	Calls              []struct {
		Name string
		Call hexBytes
	}
	Payloads []struct {
		Name                          string
		Era, BlockHash, Call, Payload hexBytes
		Nonce                         uint32
		Tip                           uint64
	}
	Storage map[string]hexBytes
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) error {
	s, err := hex.DecodeString(strings.TrimPrefix(string(b), "0x"))
	*h = s
	return err
}

func readVectors(t *testing.T, name string) *vectors {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return &v
}

// namedCall is a call as somebody would write it down.
type namedCall struct {
	pallet, call string
	args         []any
}

// calls says what the names of the vectors mean.
func (v *vectors) calls() map[string]namedCall {
	bob := [32]byte(v.Bob)
	remark := func(b ...byte) Variant { return V("System", Variant{Name: "remark", Fields: Args{"remark": b}}) }
	of := func(pallet, call string, args ...any) namedCall { return namedCall{pallet, call, args} }
	sub := func(call string, args ...any) namedCall { return of("SubtensorModule", call, args...) }
	commit := func(fields ...any) namedCall {
		return of("Commitments", "set_commitment", 7, Args{"fields": fields})
	}
	url := "hf:org/model@0123456789abcdef0123456789abcdef01234567"
	ipv6 := U128{Hi: 0x20010db800000000, Lo: 1}
	ipv4 := U128From(0x08080808)
	return map[string]namedCall{
		"system.remark(0x010203)":                      of("System", "remark", []byte{1, 2, 3}),
		"balances.transfer_keep_alive(Bob, 123456789)": of("Balances", "transfer_keep_alive", bob, 123456789),
		"utility.batch_all([remark 0x00, transfer_keep_alive(Bob,1)])": of("Utility", "batch_all",
			[]any{remark(0), V("Balances", Variant{Name: "transfer_keep_alive", Fields: []any{V("Id", bob), 1}})}),
		"proxy.proxy(Alice, None, remark 0x02)":                              of("Proxy", "proxy", []byte(v.Alice), nil, Raw{0, 0, 4, 2}),
		"commitments.set_commitment(7, [Raw(\"" + url + "\")])":              commit(V(fmt.Sprintf("Raw%d", len(url)), url)),
		"commitments.set_commitment(7, [BigRaw(200 x \"y\")])":               commit(V("BigRaw", strings.Repeat("y", 200))),
		"commitments.set_commitment(7, [Sha256(32 x 0xab), ResetBondsFlag])": commit(V("Sha256", bytes.Repeat([]byte{0xab}, 32)), "ResetBondsFlag"),
		"commitments.set_commitment(7, [TimelockEncrypted(0x0102, round 1000)])": commit(
			Variant{Name: "TimelockEncrypted", Fields: Args{"encrypted": []byte{1, 2}, "reveal_round": 1000}}),
		"set_weights(7,[1,2,300],[65535,32768,1],9)": sub("set_weights", Args{"netuid": 7, "dests": []int{1, 2, 300},
			"weights": []uint16{65535, 32768, 1}, "version_key": 9}),
		"batch_set_weights([7,8],[[(1,2)],[(3,4),(5,6)]],[0,1])": sub("batch_set_weights", []Compact[uint16]{{7}, {8}},
			[]any{[]any{[]int{1, 2}}, [][2]int{{3, 4}, {5, 6}}}, []int{0, 1}),
		"commit_weights(7, 32 x 0xcd)":                              sub("commit_weights", 7, bytes.Repeat([]byte{0xcd}, 32)),
		"reveal_weights(7,[1,2],[3,4],[5,6],9)":                     sub("reveal_weights", 7, []int{1, 2}, []int{3, 4}, []int{5, 6}, 9),
		"serve_axon(7, v1, 8.8.8.8:8091, ip_type 4, proto 4)":       sub("serve_axon", 7, 1, ipv4, 8091, 4, 4, 0, 0),
		"serve_axon ipv6 2001:db8::1":                               sub("serve_axon", 7, 1, ipv6.Big(), 8091, 6, 4, 0, 0),
		"serve_prometheus(7, v1, 8.8.8.8:9100, 4)":                  sub("serve_prometheus", 7, 1, ipv4, 9100, 4),
		"burned_register(7, Bob)":                                   sub("burned_register", 7, bob),
		"root_register(Bob)":                                        sub("root_register", bob),
		"register_network(Bob)":                                     sub("register_network", bob),
		"add_stake(Bob,7,1000000000)":                               sub("add_stake", bob, 7, 1000000000),
		"remove_stake(Bob,7,1000000000)":                            sub("remove_stake", bob, 7, 1000000000),
		"add_stake_limit(Bob,7,1e9,5e8,true)":                       sub("add_stake_limit", bob, 7, 1000000000, 500000000, true),
		"remove_stake_limit(Bob,7,1e9,5e8,false)":                   sub("remove_stake_limit", bob, 7, 1000000000, 500000000, false),
		"register_limit(7,Bob,2e9)":                                 sub("register_limit", 7, bob, 2000000000),
		"commit_timelocked_weights(7,0x010203,12345,4)":             sub("commit_timelocked_weights", 7, []byte{1, 2, 3}, 12345, 4),
		"commit_timelocked_mechanism_weights(7,1,0x010203,12345,4)": sub("commit_timelocked_mechanism_weights", 7, 1, []byte{1, 2, 3}, 12345, 4),
		"set_mechanism_weights(7,1,[1],[65535],0)":                  sub("set_mechanism_weights", 7, 1, []int{1}, []int{65535}, 0),
		"commit_crv3_weights(7,0x010203,12345)":                     sub("commit_crv3_weights", 7, []byte{1, 2, 3}, 12345),
	}
}

// check compares all that the vectors hold with what m makes of it and returns
// how many comparisons that were.
func (v *vectors) check(t *testing.T, m *Metadata) (n int) {
	t.Helper()
	calls := v.calls()
	callType, err := m.CallType()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range v.Calls {
		c, ok := calls[tt.Name]
		if !ok {
			t.Errorf("nobody knows what %s means", tt.Name)
			continue
		}
		got, err := m.EncodeCall(c.pallet, c.call, c.args...)
		if err != nil || !bytes.Equal(got, tt.Call) {
			t.Errorf("%s = %x, %v, want %x", tt.Name, got, err, tt.Call)
			continue
		}
		d := NewDecoder(got)
		back, err := m.DecodeValue(callType, d)
		if err != nil || d.Len() > 0 {
			t.Errorf("decode %s: %v, %d bytes left", tt.Name, err, d.Len())
			continue
		}
		if again, err := m.EncodeValue(callType, back); err != nil || !bytes.Equal(again, got) {
			t.Errorf("%s comes back as %x, %v", tt.Name, again, err)
		}
		n++
	}
	for _, tt := range v.Payloads {
		extra, implicit, err := m.Extensions(SignedParts{Nonce: tt.Nonce, Tip: tt.Tip, SpecVersion: v.SpecVersion,
			TxVersion: v.TransactionVersion, Genesis: [32]byte(v.GenesisHash), Era: tt.Era, Birth: [32]byte(tt.BlockHash)})
		if err != nil {
			t.Errorf("%s: %v", tt.Name, err)
			continue
		}
		if got := Payload(tt.Call, extra, implicit); !bytes.Equal(got, tt.Payload) {
			t.Errorf("%s: payload %x, want %x", tt.Name, got, tt.Payload)
		}
		n++
	}
	for name, want := range v.Storage {
		pallet, rest, _ := strings.Cut(name, ".")
		item, args, _ := strings.Cut(strings.TrimSuffix(rest, ")"), "(")
		var keys []any
		for arg := range strings.SplitSeq(args, ",") {
			var num int
			switch _, err := fmt.Sscan(arg, &num); {
			case arg == "Alice":
				keys = append(keys, []byte(v.Alice))
			case arg == "Bob":
				keys = append(keys, []byte(v.Bob))
			case err == nil:
				keys = append(keys, uint64(num))
			}
		}
		got, err := m.StorageKey(pallet, item, keys...)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s = %x, %v, want %x", name, got, err, want)
			continue
		}
		back, err := m.DecodeStorageKey(pallet, item, got)
		if err != nil || fmt.Sprint(back) != fmt.Sprint(keys) {
			t.Errorf("%s is read as %v, %v", name, back, err)
		}
		n++
	}
	return n
}

func TestVectors(t *testing.T) {
	m, err := BuildMetadata(scaletest.Runtime())
	if err != nil {
		t.Fatal(err)
	}
	if m, err = ReadMetadata(m.Encode()); err != nil {
		t.Fatal(err)
	}
	v := readVectors(t, "testdata/polkadotjs-424.json")
	if got, want := v.check(t, m), len(v.Calls)+len(v.Payloads)+len(v.Storage); got != want || want != 36 {
		t.Errorf("%d of %d vectors agree", got, want)
	}
}
