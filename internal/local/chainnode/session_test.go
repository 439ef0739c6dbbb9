package chainnode

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"adit/internal/scale"
)

// A socket is a client that sees the messages themselves.
type socket struct {
	t    testing.TB
	conn *websocket.Conn
	next int
	// What came while answers were waited for.
	notices []notice
}

type notice struct {
	Method string
	Params struct {
		Subscription string
		Result       json.RawMessage
	}
}

func connect(t testing.TB, r *running) *socket {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), "ws://"+r.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { conn.CloseNow() })
	return &socket{t: t, conn: conn}
}

func (s *socket) send(msg string) error {
	return s.conn.Write(s.t.Context(), websocket.MessageText, []byte(msg))
}

// read returns the next message: an answer or a notice.
func (s *socket) read() (result json.RawMessage, failure *rpcError, n *notice, err error) {
	_, b, err := s.conn.Read(s.t.Context())
	if err != nil {
		return nil, nil, nil, err
	}
	var m struct {
		notice
		ID     json.RawMessage
		Result json.RawMessage
		Error  *rpcError
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, nil, nil, err
	}
	if m.Method != "" {
		return nil, nil, &m.notice, nil
	}
	return m.Result, m.Error, nil, nil
}

// call makes a call, and keeps notices that come before its answer.
func (s *socket) call(method string, args ...any) (json.RawMessage, *rpcError) {
	s.t.Helper()
	if args == nil {
		args = []any{}
	}
	b, err := json.Marshal(args)
	if err == nil {
		s.next++
		err = s.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, s.next, method, b))
	}
	for err == nil {
		var result json.RawMessage
		var failure *rpcError
		var n *notice
		if result, failure, n, err = s.read(); n == nil && err == nil {
			return result, failure
		}
		if n != nil {
			s.notices = append(s.notices, *n)
		}
	}
	s.t.Fatalf("%s: %v", method, err)
	return nil, nil
}

// notice returns the next notice.
func (s *socket) notice() notice {
	s.t.Helper()
	if len(s.notices) > 0 {
		n := s.notices[0]
		s.notices = s.notices[1:]
		return n
	}
	_, _, n, err := s.read()
	if err != nil || n == nil {
		s.t.Fatalf("no notice: %v", err)
	}
	return *n
}

// TestSubscriptions hears of blocks and storage, in order and without gaps, and
// of nothing once it has unsubscribed.
func TestSubscriptions(t *testing.T) {
	t.Parallel()
	r := run(t, Options{}, "127.0.0.1:0")
	for _, tt := range []struct{ subscribe, unsubscribe, notice string }{
		{"chain_subscribeNewHeads", "chain_unsubscribeNewHeads", "chain_newHead"},
		{"chain_subscribeFinalizedHeads", "chain_unsubscribeFinalizedHeads", "chain_finalizedHead"},
		{"chain_subscribeAllHeads", "chain_unsubscribeAllHeads", "chain_allHead"},
	} {
		s := connect(t, r)
		first := int(r.number())
		id, failure := s.call(tt.subscribe)
		if failure != nil {
			t.Fatal(failure)
		}
		for i := range 5 {
			n := s.notice()
			var header struct{ Number string }
			if err := json.Unmarshal(n.Params.Result, &header); err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("0x%x", first+i); n.Method != tt.notice || header.Number != want || n.Params.Subscription != said(id) {
				t.Errorf("%s: notice %s of %s with block %s, want %s", tt.subscribe, n.Method, n.Params.Subscription, header.Number, want)
			}
			produce(t, r.Node)
		}
		if ok, _ := s.call(tt.unsubscribe, said(id)); string(ok) != "true" {
			t.Errorf("%s: %s", tt.unsubscribe, ok)
		}
		if ok, _ := s.call(tt.unsubscribe, said(id)); string(ok) != "false" {
			t.Errorf("%s again: %s", tt.unsubscribe, ok)
		}
		s.notices = nil
		produce(t, r.Node)
		if s.call("system_name"); len(s.notices) > 0 {
			t.Errorf("%s: a notice after the end", tt.subscribe)
		}
	}
}

func TestSubscribeStorage(t *testing.T) {
	t.Parallel()
	r := run(t, Options{}, "127.0.0.1:0")
	s := connect(t, r)
	alice := key(t, "//Alice")
	public := alice.Public()
	number := hexBytes(scale.StorageKey("System", "Number"))
	account := hexBytes(scale.Blake2_128Concat.Append(scale.StorageKey("System", "Account"), public[:]))
	id, _ := s.call("state_subscribeStorage", []any{account})
	other, _ := s.call("state_subscribeStorage", []any{number})
	produce(t, r.Node) // does not touch the account
	must(t, r.Node, "author_submitExtrinsic", hexBytes(remark{from: alice}.sign(t, r.Node)))
	h := produce(t, r.Node)
	var blocks []string
	var last string
	for range 5 {
		n := s.notice()
		var set struct {
			Block   string
			Changes [][2]*string
		}
		if err := json.Unmarshal(n.Params.Result, &set); err != nil || n.Method != "state_storage" || len(set.Changes) != 1 {
			t.Fatalf("notice %s: %s, %v", n.Method, n.Params.Result, err)
		}
		if n.Params.Subscription == said(id) {
			blocks = append(blocks, set.Block)
			last = *set.Changes[0][1]
		}
	}
	if diff := cmp.Diff([]string{hexOf(r.genesis.hash), hexOf(h)}, blocks); diff != "" || !strings.HasPrefix(last, "0x01000000") {
		t.Errorf("account %s, in blocks %s", last, diff)
	}
	s.call("state_unsubscribeStorage", said(id))
	s.call("state_unsubscribeStorage", said(other))

	s.call("state_subscribeRuntimeVersion")
	if n := s.notice(); n.Method != "state_runtimeVersion" || !strings.Contains(string(n.Params.Result), `"specVersion":424`) {
		t.Errorf("%s: %s", n.Method, n.Params.Result)
	}
}

// TestBatchedSubscription tells of a feed only after its name, in a batch too.
func TestBatchedSubscription(t *testing.T) {
	t.Parallel()
	r := run(t, Options{}, "127.0.0.1:0")
	s := connect(t, r)
	if err := s.send(`[{"id":1,"method":"chain_subscribeNewHeads"},{"id":2,"method":"engine_createBlock"}]`); err != nil {
		t.Fatal(err)
	}
	_, first, err := s.conn.Read(t.Context())
	if err != nil || first[0] != '[' {
		t.Fatalf("%s, %v", first, err)
	}
	for _, want := range []string{`"number":"0x0"`, `"number":"0x1"`} {
		if n := s.notice(); !strings.Contains(string(n.Params.Result), want) {
			t.Errorf("%s, want %s", n.Params.Result, want)
		}
	}
}

func TestTooManyFeeds(t *testing.T) {
	t.Parallel()
	r := run(t, Options{}, "127.0.0.1:0")
	s := connect(t, r)
	for i := range maxFeeds + 1 {
		_, failure := s.call("state_subscribeStorage", []any{"0x12"})
		if (failure != nil) != (i == maxFeeds) {
			t.Fatalf("subscription %d: %v", i, failure)
		}
	}
	s.conn.CloseNow()
	for { // the node notices in its own time
		r.mu.Lock()
		left := len(r.feeds)
		r.mu.Unlock()
		if left == 0 {
			return
		}
		if t.Context().Err() != nil {
			t.Fatalf("%d feeds are left of a client that has gone", left)
		}
		produce(t, r.Node)
	}
}

// TestSlow lets a client go that does not read its notices, and holds others up
// no longer.
func TestSlow(t *testing.T) {
	t.Parallel()
	r := run(t, Options{}, "127.0.0.1:0")
	slow, quick := connect(t, r), connect(t, r)
	slow.call("state_subscribeStorage", []any{"0x12"})
	r.mu.Lock()
	for f := range r.feeds { // each notice as large as a block may change
		f.onBlock = func(made) { f.notify(hexBytes(make([]byte, 1<<20))) }
	}
	r.mu.Unlock()
	quick.call("chain_subscribeNewHeads")
	count := 0
	for {
		count++
		produce(t, r.Node)
		quick.notice()
		r.mu.Lock()
		left := len(r.feeds)
		r.mu.Unlock()
		if left == 1 {
			break
		}
		if count > 1000 {
			t.Fatal("the client is still there")
		}
	}
	if _, err := ask(r.Node, "system_name"); err != nil {
		t.Error(err)
	}
}

// TestPatient has a client ask for much and read late: its answers wait, it is
// not let go.
func TestPatient(t *testing.T) {
	t.Parallel()
	r := run(t, Options{}, "127.0.0.1:0")
	s := connect(t, r)
	s.call("state_subscribeStorage", []any{"0x12"})
	s.notice()
	r.mu.Lock()
	var out *outbox
	for f := range r.feeds {
		out = f.session.out
	}
	r.mu.Unlock()
	want := string(must(t, r.Node, "state_getMetadata"))
	calls := 3 * maxWaiting / len(want) // which no buffer of the system's holds
	for i := range calls {
		if err := s.send(fmt.Sprintf(`{"id":%d,"method":"state_getMetadata"}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	for waiting := 0; waiting < maxWaiting/2-2*len(want); runtime.Gosched() {
		out.mu.Lock()
		waiting = out.size
		out.mu.Unlock()
	}
	for range calls {
		result, _, _, err := s.read()
		if err != nil || string(result) != want {
			t.Fatalf("%.100s, %v", result, err)
		}
		out.mu.Lock()
		waiting := out.size
		out.mu.Unlock()
		if waiting > maxWaiting/2 {
			t.Fatalf("%d bytes wait", waiting)
		}
	}
}

// TestCrowd has many clients come, subscribe, ask, submit and go while blocks
// are made; for the race detector above all.
func TestCrowd(t *testing.T) {
	t.Parallel()
	r := run(t, Options{BlockTime: 2 * time.Millisecond, segmentBlocks: 20}, "127.0.0.1:0")
	uris := []string{"//Alice", "//Bob", "//Charlie", "//Dave"}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for round := range 5 {
				s := connect(t, r)
				id, _ := s.call("chain_subscribeNewHeads")
				s.call("chain_subscribeFinalizedHeads")
				s.call("state_subscribeStorage", []any{hexBytes(scale.StorageKey("System", "Events"))})
				for range 3 {
					s.notice()
				}
				if i < len(uris) {
					from := key(t, uris[i])
					_, failure := s.call("author_submitAndWatchExtrinsic", hexBytes(remark{from: from, nonce: uint32(round)}.sign(t, r.Node)))
					if failure != nil {
						t.Error(failure)
						return
					}
					for !strings.Contains(string(s.notice().Params.Result), "finalized") {
					}
				}
				s.call("state_getKeysPaged", "0x", 1000)
				s.call("chain_getBlock")
				s.call("system_syncState")
				s.call("chain_unsubscribeNewHeads", said(id))
				if round%2 == 0 {
					s.conn.Close(websocket.StatusNormalClosure, "")
				} else {
					s.conn.CloseNow()
				}
			}
		})
	}
	wg.Wait()
	connect(t, r).call("chain_subscribeNewHeads") // somebody is there at the end
	r.stop()
	if len(r.feeds) > 0 || len(r.pool.byHash) > 0 || len(r.pool.accounts) > 0 {
		t.Errorf("%d feeds, %d extrinsics are left", len(r.feeds), len(r.pool.byHash))
	}
}

// TestServeEnds lets go of clients and of the port.
func TestServeEnds(t *testing.T) {
	t.Parallel()
	r := run(t, Options{}, "127.0.0.1:0")
	s := connect(t, r)
	r.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, _, err := s.conn.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the connection stands: %v", err)
	}
	if _, _, err := websocket.Dial(ctx, "ws://"+r.addr, nil); err == nil {
		t.Error("the port is open")
	}
}
