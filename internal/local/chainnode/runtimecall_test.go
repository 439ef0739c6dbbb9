package chainnode

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"adit/internal/scale"
)

// stateAsk makes a runtime call and reads what it returns into v.
func stateAsk(t *testing.T, n *Node, v any, method, args string, at ...any) {
	t.Helper()
	answer := said(must(t, n, "state_call", append([]any{method, args}, at...)...))
	b, err := hex.DecodeString(strings.TrimPrefix(answer, "0x"))
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	if err := scale.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
}

func TestStateCall(t *testing.T) {
	n := open(t, Options{})
	alice := key(t, "//Alice")
	public := alice.Public()
	account := hex.EncodeToString(public[:])
	before := produce(t, n)
	xt := remark{from: alice, size: 3}.sign(t, n)
	must(t, n, "author_submitExtrinsic", "0x"+hex.EncodeToString(xt))
	after := produce(t, n)

	var version runtimeVersion
	stateAsk(t, n, &version, "Core_version", "0x")
	if version.SpecName != "node-subtensor" || version.SpecVersion != 424 || len(version.APIs) < 4 {
		t.Errorf("Core_version = %+v", version)
	}
	// The SDK leaves the 0x out.
	for _, prefix := range []string{"0x", ""} {
		var nonce uint32
		if stateAsk(t, n, &nonce, "AccountNonceApi_account_nonce", prefix+account); nonce != 1 {
			t.Errorf("account_nonce = %d, want 1", nonce)
		}
		if stateAsk(t, n, &nonce, "AccountNonceApi_account_nonce", prefix+account, hexOf(before)); nonce != 0 {
			t.Errorf("account_nonce before = %d, want 0", nonce)
		}
	}
	var info dispatchInfo
	stateAsk(t, n, &info, "TransactionPaymentApi_query_info", "0x"+hex.EncodeToString(xt)+"00000000", hexOf(after))
	if want, err := n.ledger.Fee(xt); err != nil || info.PartialFee != want || want == 0 {
		t.Errorf("query_info = %+v, want the fee %d, %v", info, want, err)
	}

	var versions []uint32
	stateAsk(t, n, &versions, "Metadata_metadata_versions", "0x")
	for _, v := range versions {
		var m scale.Option[[]byte]
		stateAsk(t, n, &m, "Metadata_metadata_at_version", hex.EncodeToString([]byte{byte(v), 0, 0, 0}))
		md, err := scale.ReadMetadata(m.V)
		if err != nil {
			t.Fatalf("metadata of version %d: %v", v, err)
		}
		if md.Version != uint8(v) {
			t.Errorf("metadata of version %d says %d", v, md.Version)
		}
	}
	var none scale.Option[[]byte]
	if stateAsk(t, n, &none, "Metadata_metadata_at_version", "ffffffff"); none.Some {
		t.Error("there is metadata of a version that is none")
	}
	if said(must(t, n, "state_getMetadata")) == "" {
		t.Error("no metadata")
	}
}

func TestStateCallErrors(t *testing.T) {
	n := open(t, Options{})
	for _, tt := range []struct{ method, args, want string }{
		{"Core_nothing", "0x", "Client error: Execution failed: Other: Exported method Core_nothing is not found"},
		{"AccountNonceApi_account_nonce", "0x00", "Client error: Execution failed: Execution aborted due to trap: "},
		{"Core_version", "0x00", "Client error: Execution failed: Execution aborted due to trap: "},
		{"Core_version", "0xg", "Invalid params"},
	} {
		_, err := ask(n, "state_call", tt.method, tt.args)
		if err == nil || !strings.HasPrefix(err.Message, tt.want) {
			t.Errorf("%s(%s): %v, want %s", tt.method, tt.args, err, tt.want)
		}
	}
	if _, err := ask(n, "state_call", "Core_version", "0x", hexOf(hash{1})); err == nil || err.Code != 4003 {
		t.Errorf("of a block that is not: %v", err)
	}
}

// A ledger of an older block is kept for the next question about it.
func TestPastLedgers(t *testing.T) {
	n := open(t, Options{})
	for range 8 {
		produce(t, n)
	}
	first := n.ledgerAt(1)
	if n.ledgerAt(2) == first || n.ledgerAt(1) != first {
		t.Error("a state is not the one asked for before")
	}
	for i := range uint32(8) {
		if got := n.ledgerAt(i).Number(); got != i {
			t.Errorf("state after block %d, want %d", got, i)
		}
	}
	if len(n.past) != maxLedgers {
		t.Errorf("%d states are held, want %d", len(n.past), maxLedgers)
	}
	if n.ledgerAt(8) != n.ledger {
		t.Error("the head's state is made again")
	}
}

func TestCreateBlocks(t *testing.T) {
	n := open(t, Options{BlockTime: 12 * time.Second})
	start := n.head().millis
	last := said(must(t, n, "engine_createBlocks", 100))
	if got := hexOf(n.head().hash); got != last || n.number() != 100 {
		t.Errorf("block %d with %s is the head, want 100 with %s", n.number(), got, last)
	}
	if passed := n.head().millis - start; passed < 99*12_000 {
		t.Errorf("%d ms passed by the chain's clock", passed)
	}
	for _, bad := range []any{0, -1, maxAdvance + 1, "x", nil} {
		if _, err := ask(n, "engine_createBlocks", bad); err == nil || err.Code != codeParams {
			t.Errorf("%v blocks: %v", bad, err)
		}
	}
	n.end() // as the node does that is asked to end
	if _, err := ask(n, "engine_createBlocks", 1000); err == nil {
		t.Error("blocks are made on a node that ends")
	}
}

// The SDK takes an error's number for its position in the list.
func TestErrorsStandAtTheirNumbers(t *testing.T) {
	n := open(t, Options{})
	for version, b := range n.metadata {
		m, err := scale.ReadMetadata(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range m.Pallets {
			if !p.Errors.Some {
				continue
			}
			for i, v := range m.Types[p.Errors.V].Def.Variant.Variants {
				if int(v.Index) != i || len(v.Docs) == 0 {
					t.Errorf("version %d: %s.%s has number %d and position %d, and says %q", version, p.Name, v.Name, v.Index, i, v.Docs)
				}
			}
		}
	}
	if got := sentence("HotKeyNotRegisteredInSubNet"); got != "Hot key not registered in sub net." {
		t.Errorf("it says %q", got)
	}
}

// What Subtensor's clients ask is answered, and described.
func TestSubtensorAPIs(t *testing.T) {
	n := open(t, Options{})
	produce(t, n)
	m, err := scale.ReadMetadata(n.metadata[15])
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		api, method string
		args        []any
	}{
		{"SubnetInfoRuntimeApi", "get_all_dynamic_info", nil},
		{"SubnetInfoRuntimeApi", "get_metagraph", []any{uint16(0)}},
		{"NeuronInfoRuntimeApi", "get_neurons_lite", []any{uint16(0)}},
		{"SubnetRegistrationRuntimeApi", "get_network_registration_cost", nil},
		{"SwapRuntimeApi", "current_alpha_price", []any{uint16(0)}},
	} {
		name, args, err := m.EncodeRuntimeCall(tt.api, tt.method, tt.args...)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []uint32{0, 1} {
			b, err := n.ask(at, name, args)
			if err != nil {
				t.Fatalf("%s after block %d: %v", name, at, err)
			}
			if _, err := m.DecodeRuntimeResult(tt.api, tt.method, b); err != nil {
				t.Errorf("after block %d: %v", at, err)
			}
		}
	}
}
