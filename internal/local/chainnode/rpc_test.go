package chainnode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// TestAnswers goes through what JSON-RPC has to say about requests, good and
// bad.
func TestAnswers(t *testing.T) {
	t.Parallel()
	n := open(t, Options{})
	produce(t, n)
	genesis := hexOf(n.genesis.hash)
	many := strings.Repeat(`{"jsonrpc":"2.0","id":1,"method":"system_name"},`, maxBatch)
	failure := func(id string, code int, text string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%q}}`, id, code, text)
	}
	params := func(detail string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Invalid params","data":%q}}`, detail)
	}
	call := func(method, params string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)
	}
	result := func(v string) string { return `{"jsonrpc":"2.0","id":1,"result":` + v + `}` }
	for _, tt := range []struct{ name, msg, want string }{
		{"plain", `{"jsonrpc":"2.0","id":1,"method":"system_name","params":[]}`, result(`"adit"`)},
		{"no params", `{"jsonrpc":"2.0","id":1,"method":"system_name"}`, result(`"adit"`)},
		{"null params", call("system_name", "null"), result(`"adit"`)},
		{"named params", call("chain_getBlockHash", `{"number":0}`), params("arguments are a list")},
		{"id a string", `{"jsonrpc":"2.0","id":"a b","method":"system_name"}`, `{"jsonrpc":"2.0","id":"a b","result":"adit"}`},
		{"id null", `{"jsonrpc":"2.0","id":null,"method":"system_name"}`, `{"jsonrpc":"2.0","id":null,"result":"adit"}`},
		{"id an object", `{"jsonrpc":"2.0","id":{},"method":"system_name"}`, failure("null", -32600, "Invalid request")},
		{"notice", `{"jsonrpc":"2.0","method":"system_name"}`, ""},
		{"unknown", call("system_localPeerId", "[]"), failure("1", -32601, "Method not found")},
		{"no method", `{"jsonrpc":"2.0","id":1}`, failure("1", -32600, "Invalid request")},
		{"method a number", `{"jsonrpc":"2.0","id":1,"method":7}`, failure("1", -32600, "Invalid request")},
		{"a number", `7`, failure("null", -32600, "Invalid request")},
		{"garbage", `{"jsonrpc":`, failure("null", -32700, "Parse error")},
		{"nothing", ``, failure("null", -32700, "Parse error")},
		{"bytes", "\xff\x00", failure("null", -32700, "Parse error")},
		{"batch", ` [{"id":1,"method":"system_name"},{"method":"system_name"},3,{"id":2,"method":"x"}]`,
			"[" + result(`"adit"`) + "," + failure("null", -32600, "Invalid request") + "," + failure("2", -32601, "Method not found") + "]"},
		{"batch of notices", `[{"method":"system_name"}]`, ""},
		{"batch of nothing", `[]`, failure("null", -32600, "Invalid request")},
		{"broken batch", `[{"id":1`, failure("null", -32700, "Parse error")},
		{"large batch", "[" + many + `{"id":1,"method":"system_name"}]`,
			`{"jsonrpc":"2.0","id":null,"error":{"code":-32010,"message":"The batch request was too large","data":"Exceeded max limit of 1024"}}`},
		{"subscription without a socket", call("chain_subscribeNewHeads", "[]"),
			`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"Internal error","data":"subscriptions need a WebSocket"}}`},
		{"unsubscription without a socket", call("chain_unsubscribeNewHeads", `["1"]`), result("false")},

		{"missing", call("state_getStorage", "[]"), params("argument 0 is missing")},
		{"no bytes", call("state_getStorage", `["12"]`), params("argument 0: bytes must begin with 0x")},
		{"odd digits", call("state_getStorage", `["0x123"]`), params("argument 0: encoding/hex: odd length hex string")},
		{"short hash", call("state_getStorage", `["0x12","0x1234"]`), params("argument 1: a hash has 32 bytes, not 2")},
		{"hash of no block", call("state_getStorage", `["0x12","0x`+strings.Repeat("12", 32)+`"]`),
			failure("1", 4003, "Client error: UnknownBlock: State already discarded for 0x"+strings.Repeat("12", 32))},
		{"no value", call("state_getStorage", `["0x12"]`), result("null")},
		{"no size", call("state_getStorageSize", `["0x12"]`), result("null")},
		{"no hash", call("state_getStorageHash", `["0x12"]`), result("null")},
		{"too many keys", call("state_getKeysPaged", `[null,1001]`), failure("1", 4002, "count exceeds maximum value. value: 1001, max: 1000")},
		{"keys under zero", call("state_getKeysPaged", `["0x",-1]`), params("argument 1: json: cannot unmarshal number -1 into Go value of type uint32")},
		{"no keys", call("state_getKeysPaged", `["0x12",10]`), result("[]")},
		{"no address", call("system_accountNextIndex", `["5Grw"]`), ""},

		{"block 0", call("chain_getBlockHash", "[0]"), result(`"` + genesis + `"`)},
		{"block 0 in hexadecimal", call("chain_getBlockHash", `["0x0"]`), result(`"` + genesis + `"`)},
		{"list of blocks", call("chain_getBlockHash", `[[0,99]]`), result(`["` + genesis + `",null]`)},
		{"the head", call("chain_getHead", "[null]"), result(`"` + hexOf(n.head().hash) + `"`)},
		{"future block", call("chain_getBlockHash", "[2]"), result("null")},
		{"endless block", call("chain_getBlockHash", "[99999999999]"), params("a block number is 32 bits, in decimal or as a string of 0x and digits")},
		{"unknown header", call("chain_getHeader", `["0x`+strings.Repeat("12", 32)+`"]`), result("null")},
		{"unknown block", call("chain_getBlock", `["0x`+strings.Repeat("12", 32)+`"]`), result("null")},
		{"sync state", call("system_syncState", "[]"), result(`{"currentBlock":1,"highestBlock":1,"startingBlock":0}`)},
	} {
		got := string(n.answerAll(nil, []byte(tt.msg)))
		if tt.name == "no address" {
			if !strings.Contains(got, "-32602") {
				t.Errorf("%s: %s", tt.name, got)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	if got := string(must(t, n, "rpc_methods")); !strings.Contains(got, `"state_getMetadata"`) || !strings.Contains(got, `"rpc_methods"`) {
		t.Errorf("methods %s", got)
	}
}

// TestHeader computes a block's hash as a client does, from the header's JSON.
func TestHeader(t *testing.T) {
	t.Parallel()
	n := open(t, Options{})
	parent := n.genesis.hash
	for number := 1; number <= 70; number++ { // numbers of one and two bytes
		h := produce(t, n)
		var got struct {
			ParentHash, StateRoot, ExtrinsicsRoot hexBytes
			Number                                string
			Digest                                struct{ Logs []string }
		}
		if err := json.Unmarshal(must(t, n, "chain_getHeader", asHex(h)), &got); err != nil {
			t.Fatal(err)
		}
		if got.Number != fmt.Sprintf("0x%x", number) || !bytes.Equal(got.ParentHash, parent[:]) || got.Digest.Logs == nil {
			t.Errorf("header of block %d: %+v", number, got)
		}
		b := scale.AppendCompact(bytes.Clone(got.ParentHash), uint64(number))
		b = append(append(append(b, got.StateRoot...), got.ExtrinsicsRoot...), 0)
		if scale.Blake2b256(b) != h {
			t.Errorf("block %d is not the hash of its header", number)
		}
		parent = h
	}
}

// TestStorage reads values by all the calls for them.
func TestStorage(t *testing.T) {
	t.Parallel()
	n := open(t, Options{})
	produce(t, n)
	number := hexBytes(scale.StorageKey("System", "Number"))
	block1 := hashAt(t, n, 1)
	produce(t, n)
	for _, tt := range []struct {
		method string
		args   []any
		want   string
	}{
		{"state_getStorage", []any{number}, `"0x02000000"`},
		{"state_getStorageAt", []any{number, block1}, `"0x01000000"`},
		{"state_getStorageSize", []any{number}, "4"},
		{"state_getStorageHash", []any{number}, fmt.Sprintf(`"%s"`, hexOf(scale.Blake2b256([]byte{2, 0, 0, 0})))},
		{"state_getKeys", []any{number}, fmt.Sprintf(`["0x%x"]`, []byte(number))},
		{"state_getKeysPaged", []any{number, 1, number}, "[]"},
		{"state_queryStorageAt", []any{[]any{number, "0x"}, block1}, fmt.Sprintf(`[{"block":"0x%x","changes":[["0x%x","0x01000000"],["0x",null]]}]`, []byte(block1), []byte(number))},
	} {
		if diff := cmp.Diff(tt.want, string(must(t, n, tt.method, tt.args...))); diff != "" {
			t.Errorf("%s: %s", tt.method, diff)
		}
	}
}

func hashAt(t testing.TB, n *Node, number uint32) hexBytes {
	t.Helper()
	h, ok := n.hashOf(number)
	if !ok {
		t.Fatalf("no block %d", number)
	}
	return asHex(h)
}

// TestTooBig asks for more than an answer may hold.
func TestTooBig(t *testing.T) {
	t.Parallel()
	n := open(t, Options{})
	batch := "[" + strings.Repeat(`{"id":1,"method":"state_getMetadata"},`, maxBatch)
	got := string(n.answerAll(nil, []byte(batch[:len(batch)-1]+"]")))
	if !strings.Contains(got, `"code":-32011`) {
		t.Errorf("a large batch: %.200s", got)
	}
	accounts := n.history.under(0, string(scale.StorageKey("System", "Account")), "", 1)
	keys := make([]hexBytes, maxResponse/2/(len(accounts[0])+1))
	for i := range keys {
		keys[i] = hexBytes(accounts[0])
	}
	if _, err := n.changeSet(n.head(), keys); err == nil || err.(*rpcError).Code != -32008 {
		t.Errorf("many values: %v", err)
	}
}

// TestHTTP speaks HTTP.
func TestHTTP(t *testing.T) {
	t.Parallel()
	r := run(t, Options{}, "127.0.0.1:0")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	post := func(body string) (int, string) {
		resp, err := client.Post("http://"+r.addr, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		if _, err := b.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, b.String()
	}
	if status, got := post(`{"jsonrpc":"2.0","id":1,"method":"system_name","params":[]}`); status != http.StatusOK || got != `{"jsonrpc":"2.0","id":1,"result":"adit"}` {
		t.Errorf("%d %s", status, got)
	}
	if status, got := post(`{"jsonrpc":"2.0","id":1,"method":"engine_createBlock","params":[true,true]}`); status != http.StatusOK || !strings.Contains(got, `"hash":"0x`) {
		t.Errorf("%d %s", status, got)
	}
	if status, _ := post(strings.Repeat(" ", maxRequest+1)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large request: status %d", status)
	}
	resp, err := client.Get("http://" + r.addr)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("a page: status %d", resp.StatusCode)
	}
}

// TestListen says what to do about a port in use.
func TestListen(t *testing.T) {
	t.Parallel()
	r := run(t, Options{}, "127.0.0.1:0")
	var port int
	if _, err := fmt.Sscanf(r.addr, "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(port)
	if err == nil {
		l.Close()
		t.Fatal("two nodes on one port")
	}
	if !strings.Contains(subnet.Hint(err), "--port") {
		t.Errorf("hint %q", subnet.Hint(err))
	}
}

// FuzzAnswer answers foreign bytes: with JSON, or not at all.
func FuzzAnswer(f *testing.F) {
	n := open(f, Options{})
	produce(f, n)
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"system_name","params":[]}`,
		`[{"id":1,"method":"chain_getBlockHash","params":[[0,"0x1"]]},{"id":"x","method":"state_getKeysPaged","params":[null,5,null,null]}]`,
		`{"id":1,"method":"chain_getHeader","params":["0x00"]}`,
		`{"id":1,"method":"state_queryStorageAt","params":[["0x12"]]}`,
		`{"id":1,"method":"state_subscribeStorage","params":[["0x12"]]}`,
		`{"id":1,"method":"chain_subscribeNewHeads"}`,
		`{"id":1,"method":"chain_unsubscribeNewHeads","params":["1"]}`,
		`{"id":1,"method":"system_accountNextIndex","params":["5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"]}`,
		fmt.Sprintf(`{"id":1,"method":"author_submitAndWatchExtrinsic","params":["0x%x"]}`, remark{from: key(f, "//Alice")}.sign(f, n)),
		`{"id":[1],"method":"x"}`, `{"id":1e9,"method":"x"}`, `[[[]]]`, `"x"`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		s, heard := watched(n)
		for _, s := range []*session{nil, s} {
			if answer := n.answerAll(s, msg); answer != nil && !json.Valid(answer) {
				t.Errorf("%q answers %q", msg, answer)
			}
		}
		heard()
		s.leave()
		if len(n.feeds) > 0 || len(s.feeds) > 0 {
			t.Error("feeds are left")
		}
	})
}
