package subtensor

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"adit/internal/subnet"
)

// A read outlives whatever a node sends once.
func TestReadIsRepeated(t *testing.T) {
	t.Parallel()
	raw := func(s string) func(*fakeConn) {
		return func(c *fakeConn) { c.ws.Write(context.Background(), websocket.MessageText, []byte(s)) }
	}
	for name, misbehave := range map[string]func(*fakeConn){
		"closes":           func(c *fakeConn) { c.ws.Close(websocket.StatusNormalClosure, "") },
		"breaks off":       func(c *fakeConn) { c.ws.CloseNow() },
		"sends garbage":    raw("}{"),
		"sends a list":     raw("[1,2]"),
		"sends too much":   raw(`"` + strings.Repeat("x", 4<<20) + `"`),
		"cannot read":      raw(`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}`),
		"wrong id, hangs":  raw(`{"jsonrpc":"2.0","id":987654321,"result":1}`),
		"says nothing":     func(*fakeConn) {},
		"wrong feed, dies": func(c *fakeConn) { c.notify("nobody's", 1); c.ws.CloseNow() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, 0)
			c := dialFakes(t, Options{ReadLimit: 2 << 20, Timeout: time.Second}, f)
			first := true
			f.set(func() {
				f.script = func(conn *fakeConn, method string, _ []json.RawMessage) (any, *RPCError, bool) {
					if method != "state_queryStorageAt" || !first {
						return nil, nil, false
					}
					first = false
					misbehave(conn)
					return silence{}, nil, true
				}
			})
			v, err := c.Query(t.Context(), subnet.Latest, "SubtensorModule", "Tempo", 7)
			if v != uint64(360) || err != nil {
				t.Errorf("tempo %v, %v", v, err)
			}
			if n := f.count("chain_subscribeNewHeads"); n != 2 {
				t.Errorf("%d connections, want 2", n)
			}
		})
	}
}

func TestReadFailsAlways(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	c := dialFakes(t, Options{Timeout: time.Second}, f)
	f.set(func() {
		f.script = func(conn *fakeConn, method string, _ []json.RawMessage) (any, *RPCError, bool) {
			if method == "state_queryStorageAt" {
				conn.ws.CloseNow()
			}
			return silence{}, nil, method == "state_queryStorageAt"
		}
	})
	if _, err := c.Query(t.Context(), subnet.Latest, "SubtensorModule", "Tempo", 7); !errors.Is(err, subnet.ErrTemporary) {
		t.Errorf("error %v", err)
	}
	// Answers that are errors are not asked for again.
	f.set(func() {
		f.counts["state_queryStorageAt"] = 0
		f.script = func(_ *fakeConn, method string, _ []json.RawMessage) (any, *RPCError, bool) {
			return nil, &RPCError{Code: -32000, Message: "no"}, method == "state_queryStorageAt"
		}
	})
	_, err := c.Query(t.Context(), subnet.Latest, "SubtensorModule", "Tempo", 7)
	if e, ok := errors.AsType[*RPCError](err); !ok || e.Code != -32000 || f.count("state_queryStorageAt") != 1 {
		t.Errorf("error %v, asked %d times", err, f.count("state_queryStorageAt"))
	}
}

func TestFailover(t *testing.T) {
	t.Parallel()
	a, b, stranger := newFake(t, 0), newFake(t, 0), newFake(t, 1)
	c := dialFakes(t, Options{}, a, stranger, b)
	for range 5 {
		b.produce()
	}
	a.srv.CloseClientConnections()
	a.srv.Listener.Close()
	a.cut()
	if err := c.Wait(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	if stranger.count("chain_getBlockHash") == 0 || stranger.count("chain_subscribeNewHeads") != 0 {
		t.Error("a node of another chain is used, or never asked")
	}
	b.produce()
	if err := c.Wait(t.Context(), 6); err != nil {
		t.Fatal(err)
	}
	if h, err := c.Hash(t.Context(), 6); err != nil || h != b.blocks[6].hash.String() {
		t.Errorf("hash %s, %v", h, err)
	}
}

func TestDialRefused(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	_, err := Dial(t.Context(), Options{Endpoints: []string{"ws" + strings.TrimPrefix(srv.URL, "http"), "ws://127.0.0.1:1"}, transport: transport})
	if !errors.Is(err, subnet.ErrTemporary) || subnet.Hint(err) == "" {
		t.Errorf("error %v, hint %q", err, subnet.Hint(err))
	}
	if _, err := Dial(t.Context(), Options{}); err == nil {
		t.Error("no endpoint will do")
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	c := dialFakes(t, Options{}, f)
	waited := make(chan error)
	go func() { waited <- c.Wait(context.Background(), 100) }()
	c.Close()
	if err := <-waited; !errors.Is(err, errClosed) {
		t.Errorf("wait: %v", err)
	}
	if _, err := c.Head(context.Background()); !errors.Is(err, errClosed) {
		t.Errorf("head: %v", err)
	}
}

// A state that the node no longer has is an error, and not the head's.
func TestStateIsGone(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	f.produce()
	c := dialFakes(t, Options{}, f)
	f.set(func() {
		f.script = func(_ *fakeConn, method string, params []json.RawMessage) (any, *RPCError, bool) {
			if method == "state_queryStorageAt" && param[hash32](params, 1) == f.blocks[0].hash {
				return nil, &RPCError{Code: 4003, Message: "Client error: UnknownBlock: State already discarded for 0x00"}, true
			}
			return nil, nil, false
		}
	})
	if _, err := c.Query(t.Context(), 0, "SubtensorModule", "Tempo", 7); !errors.Is(err, subnet.ErrNotFound) || subnet.Hint(err) == "" {
		t.Errorf("error %v", err)
	}
	if _, err := c.Query(t.Context(), 1, "SubtensorModule", "Tempo", 7); err != nil {
		t.Error(err)
	}
	if _, err := c.Query(t.Context(), 2, "SubtensorModule", "Tempo", 7); !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("a block of the future: %v", err)
	}
	// A node that answers for another block than it was asked is not believed.
	f.set(func() {
		f.script = func(_ *fakeConn, method string, params []json.RawMessage) (any, *RPCError, bool) {
			return []any{map[string]any{"block": f.blocks[0].hash, "changes": []any{}}}, nil, method == "state_queryStorageAt"
		}
	})
	if _, err := c.Query(t.Context(), 1, "SubtensorModule", "Tempo", 7); err == nil {
		t.Error("the state of another block is accepted")
	}
}

func FuzzHandle(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"result":"0x00"}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"error":{"code":1010,"message":"x","data":[1]}}`))
	f.Add([]byte(`{"method":"x","params":{"subscription":"s","result":{"inBlock":"0x00"}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &request{reply: make(chan reply, 1), notify: func(json.RawMessage) {}}
		l := &link{pending: map[uint64]*request{1: r}, subs: map[string]func(json.RawMessage){`"s"`: func(b json.RawMessage) { update(b) }}}
		if l.handle(b) != nil {
			return
		}
		select {
		case a := <-r.reply:
			if a.err != nil {
				poolError(a.err)
			}
		default:
		}
	})
}
