package subtensor

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"adit/internal/scale"
	"adit/internal/scale/scaletest"
	"adit/internal/subnet"
)

// tcp serves connections as they come, and returns a ws:// URL. A connection is
// closed when serve returns or the test ends.
func tcp(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return "ws://" + l.Addr().String()
}

// answers is a node that answers each request with a message, made of the request's
// id, or is silent if that is "".
func answers(t *testing.T, kind websocket.MessageType, text string) string {
	t.Helper()
	var wg sync.WaitGroup
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wg.Add(1)
		defer wg.Done()
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		for {
			_, b, err := ws.Read(context.Background())
			if err != nil {
				return
			}
			var q struct{ ID uint64 }
			if json.Unmarshal(b, &q) == nil && text != "" {
				ws.Write(context.Background(), kind, []byte(strings.ReplaceAll(text, "ID", fmt.Sprint(q.ID))))
			}
		}
	}))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		wg.Wait()
	})
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

// handshake reads a client's request for a WebSocket and grants it.
func handshake(c net.Conn) bool {
	ws := bytes.NewBuffer(nil)
	for !bytes.HasSuffix(ws.Bytes(), []byte("\r\n\r\n")) {
		b := make([]byte, 1)
		if _, err := c.Read(b); err != nil {
			return false
		}
		ws.Write(b)
	}
	_, after, _ := strings.Cut(strings.ToLower(ws.String()), "sec-websocket-key: ")
	at := len(ws.String()) - len(after)
	key, _, _ := strings.Cut(ws.String()[at:], "\r\n")
	_, err := fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", acceptKey(key))
	return err == nil
}

// frame is the head of a text message of so many bytes.
func frame(size uint64) []byte { return binary.BigEndian.AppendUint64([]byte{0x81, 127}, size) }

// TestBadEndpoints has a bad endpoint before a good one: the good one is used, and
// soon. Alone, it is an error that tells what is wrong with which endpoint.
func TestBadEndpoints(t *testing.T) {
	t.Parallel()
	text, binaries := websocket.MessageText, websocket.MessageBinary
	ends := func(s string) func(net.Conn) {
		return func(c net.Conn) {
			if handshake(c) {
				io.WriteString(c, s)
			}
		}
	}
	asked := func(serve func(net.Conn)) func(net.Conn) {
		return func(c net.Conn) {
			if _, err := c.Read(make([]byte, 1<<12)); err == nil {
				serve(c)
			}
		}
	}
	for _, tt := range []struct {
		name string
		url  string
		want string // in the error
	}{
		{"accepts and hangs", tcp(t, func(c net.Conn) { io.Copy(io.Discard, c) }), "no answer within 300ms"},
		{"accepts and closes", tcp(t, func(net.Conn) {}), "connect to ws://"},
		{"is no WebSocket", tcp(t, asked(func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.6\r\n") })), "connect to ws://"},
		{"breaks off in the handshake", tcp(t, asked(func(c net.Conn) { io.WriteString(c, "HTTP/1.1 101 Switching") })), "connect to ws://"},
		{"greets and hangs", answers(t, text, ""), "no answer within 300ms"},
		{"breaks off in a frame", tcp(t, ends(string(frame(100))+`{"jsonrpc":`)), "connection lost"},
		{"breaks off in a frame's head", tcp(t, ends(string(frame(100)[:5]))), "connection lost"},
		{"sends a frame of nonsense", tcp(t, ends("\xff\xff\xff\xff\xff\xff")), "frame"},
		{"hangs in a frame", tcp(t, func(c net.Conn) {
			if handshake(c) {
				c.Write(frame(100))
				io.Copy(io.Discard, c)
			}
		}), "no answer within 300ms"},
		{"claims 2^63 bytes", tcp(t, ends(string(frame(1<<63)))), "negative payload length"},
		{"answers garbage", answers(t, text, "}{"), "message is no JSON-RPC"},
		{"answers bytes", answers(t, binaries, "\x00\xff\x80"), "message is no JSON-RPC"},
		{"answers half", answers(t, text, `{"jsonrpc":"2.0","id":ID,"result":"0x`), "message is no JSON-RPC"},
		{"answers a list", answers(t, text, `[{"jsonrpc":"2.0","id":ID,"result":1}]`), "message is no JSON-RPC"},
		{"answers another id", answers(t, text, `{"jsonrpc":"2.0","id":77ID,"result":1}`), "no answer within 300ms"},
		{"answers a huge id", answers(t, text, `{"jsonrpc":"2.0","id":1e400,"result":1}`), "message is no JSON-RPC"},
		{"answers an id past 2^64", answers(t, text, `{"jsonrpc":"2.0","id":18446744073709551616,"result":1}`), "message is no JSON-RPC"},
		{"answers a negative id", answers(t, text, `{"jsonrpc":"2.0","id":-ID,"result":1}`), "message is no JSON-RPC"},
		{"answers nothing", answers(t, text, `{"jsonrpc":"2.0","id":ID}`), "the result makes no sense"},
		{"answers a number", answers(t, text, `{"jsonrpc":"2.0","id":ID,"result":7}`), "the result makes no sense"},
		{"answers half a hash", answers(t, text, `{"jsonrpc":"2.0","id":ID,"result":"0x1234"}`), "the result makes no sense"},
		{"knows no method", answers(t, text, `{"jsonrpc":"2.0","id":ID,"error":{"code":-32601,"message":"Method not found"}}`), "Method not found (-32601)"},
		{"nests without end", answers(t, text, strings.Repeat(`[`, 1<<16)), "message is no JSON-RPC"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dial := func(timeout time.Duration, endpoints ...string) (*Client, error) {
				c, err := Dial(t.Context(), Options{Endpoints: endpoints, Timeout: timeout, Backoff: time.Millisecond, transport: transport(t)})
				if err == nil {
					t.Cleanup(c.Close)
				}
				return c, err
			}
			if _, err := dial(300*time.Millisecond, tt.url); !errors.Is(err, subnet.ErrTemporary) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), strings.TrimPrefix(tt.url, "ws://")) {
				t.Errorf("alone: %v; want %q and %s in it", err, tt.want, tt.url)
			}
			good := newFake(t, 0)
			c, err := dial(4*time.Second, tt.url, good.url)
			if err != nil {
				t.Fatalf("before a good one: %v", err)
			}
			if _, err := c.Query(t.Context(), subnet.Latest, "SubtensorModule", "Tempo", 7); err != nil {
				t.Errorf("before a good one: %v", err)
			}
		})
	}
}

// A message of 200 MB is refused before more of it is held than the limit, with an
// error that says so, and another node is asked. Not parallel: it measures.
func TestHugeMessage(t *testing.T) {
	const limit, size = 1 << 20, 200 << 20
	url := tcp(t, func(c net.Conn) {
		if !handshake(c) {
			return
		}
		c.Write(frame(size))
		zeros := make([]byte, 1<<16)
		for n := 0; n < size; n += len(zeros) {
			if _, err := c.Write(zeros); err != nil {
				return
			}
		}
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Dial(t.Context(), Options{Endpoints: []string{url}, ReadLimit: limit, Backoff: time.Millisecond, transport: transport(t)})
	runtime.ReadMemStats(&after)
	if err == nil || !errors.Is(err, websocket.ErrMessageTooBig) || !strings.Contains(err.Error(), "read limited at 104857") {
		t.Errorf("error %v", err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 16*limit {
		t.Errorf("%d bytes are allocated for a message of which at most %d may be read", used, limit)
	}
	good := newFake(t, 0)
	c, err := Dial(t.Context(), Options{Endpoints: []string{url, good.url}, ReadLimit: limit, Backoff: time.Millisecond, transport: transport(t)})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestLyingMetadata has a node whose metadata cannot be right before a good one: the
// good one is used. Alone, it is an error, and nothing is asked with it.
func TestLyingMetadata(t *testing.T) {
	t.Parallel()
	none := scale.TypeID(1 << 20)
	item := func(m *scale.Metadata) *scale.StorageItem {
		for i := range m.Pallets {
			for j := range m.Pallets[i].Storage.V.Items {
				if s := &m.Pallets[i].Storage.V.Items[j]; s.Type.Map != nil {
					return s
				}
			}
		}
		t.Fatal("no map")
		return nil
	}
	raw := func(b []byte) func(*scale.Metadata) []byte { return func(*scale.Metadata) []byte { return b } }
	lie := func(change func(*scale.Metadata)) func(*scale.Metadata) []byte {
		return func(m *scale.Metadata) []byte {
			change(m)
			return m.Encode()
		}
	}
	for name, encode := range map[string]func(*scale.Metadata) []byte{
		"nothing":              raw(nil),
		"no metadata":          raw([]byte("0x6d657461")),
		"an unknown version":   raw([]byte("meta\x63")),
		"cut short":            func(m *scale.Metadata) []byte { b := m.Encode(); return b[:len(b)/2] },
		"with more behind":     func(m *scale.Metadata) []byte { return append(m.Encode(), 1) },
		"gigabytes of types":   raw([]byte("meta\x0e\x03\xff\xff\xff\xff")),
		"5 MB":                 raw(append([]byte("meta\x0e"), make([]byte, 5<<20)...)),
		"a type out of range":  lie(func(m *scale.Metadata) { m.Pallets[0].Events = scale.SomeOf(none) }),
		"a key out of range":   lie(func(m *scale.Metadata) { item(m).Type.Map.Key = none }),
		"an unknown hasher":    lie(func(m *scale.Metadata) { item(m).Type.Map.Hashers[0] = 7 }),
		"too many hashers":     lie(func(m *scale.Metadata) { h := &item(m).Type.Map.Hashers; *h = append(*h, *h...) }),
		"an unknown extension": lie(func(m *scale.Metadata) { m.Extrinsic.Extensions[0].Implicit = none }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			liar, good := newFake(t, 0), newFake(t, 0)
			b := encode(liar.md)
			liar.script = func(_ *fakeConn, method string, _ []json.RawMessage) (any, *RPCError, bool) {
				return hexBytes(b), nil, method == "state_getMetadata"
			}
			_, err := Dial(t.Context(), Options{Endpoints: []string{liar.url}, transport: transport(t)})
			if _, strange := errors.AsType[*strangeError](err); !strange || errors.Is(err, subnet.ErrTemporary) ||
				!strings.Contains(err.Error(), liar.url) || !strings.Contains(err.Error(), "runtime 424: ") {
				t.Errorf("alone: %v", err)
			}
			c := dialFakes(t, Options{}, liar, good)
			if _, err := c.Query(t.Context(), subnet.Latest, "SubtensorModule", "Tempo", 7); err != nil {
				t.Errorf("before a good one: %v", err)
			}
			if liar.count("state_queryStorageAt") != 0 {
				t.Error("the liar is asked")
			}
		})
	}
}

// What metadata may well say, but is not so of the values: types without a bottom,
// lists of gigabytes. Reads are errors then, and cost nothing; an extension with
// content that nobody knows is not signed.
func TestMetadataUnlikeValues(t *testing.T) {
	t.Parallel()
	def := scaletest.Runtime()
	def.Extensions = append(def.Extensions, scale.ExtensionDef{Name: "ChargeAssets", Extra: scale.Unit{}, Implicit: uint8(0)})
	f := newFake(t, 0)
	built, err := scale.BuildMetadata(def)
	if err != nil {
		t.Fatal(err)
	}
	md, err := scale.ReadMetadata(built.Encode()) // which can be added to
	if err != nil {
		t.Fatal(err)
	}
	f.md = md
	pallet, err := md.Pallet("SubtensorModule")
	if err != nil {
		t.Fatal(err)
	}
	items := pallet.Storage.V.Items
	tempo := &items[slices.IndexFunc(items, func(s scale.StorageItem) bool { return s.Name == "Tempo" })]
	key, err := md.StorageKey("SubtensorModule", "Tempo", 7)
	if err != nil {
		t.Fatal(err)
	}
	self, number := scale.TypeID(len(md.Types)), tempo.Type.Map.Value
	long := []byte{0xfe, 0xff, 0xff, 0xff} // 2^30-1 elements
	for name, tt := range map[string]struct {
		typ   scale.TypeDef
		value []byte
	}{
		"a struct of itself":      {scale.TypeDef{Composite: &scale.Composite{Fields: []scale.Field{{Type: self}}}}, long},
		"a list of itself":        {scale.TypeDef{Sequence: &self}, bytes.Repeat([]byte{4}, 1<<16)},
		"a list of gigabytes":     {scale.TypeDef{Sequence: &number}, long},
		"an array of gigabytes":   {scale.TypeDef{Array: &scale.Array{Len: math.MaxUint32, Type: number}}, long},
		"less than the type says": {scale.TypeDef{Array: &scale.Array{Len: 9, Type: number}}, long},
	} {
		md.Types = append(md.Types[:self:self], scale.Type{Def: tt.typ})
		tempo.Type.Map.Value = self
		f.set(func() { f.state["0x"+hex.EncodeToString(key)] = tt.value })
		f.produce()
		f.produce()
		c := dialFakes(t, Options{}, f)
		if v, err := c.Query(t.Context(), subnet.Latest, "SubtensorModule", "Tempo", 7); err == nil || !strings.Contains(err.Error(), "SubtensorModule.Tempo") {
			t.Errorf("%s is read as %v, %v", name, v, err)
		}
		c.Close()
	}
	tempo.Type.Map.Value = number
	c := dialFakes(t, Options{}, f)
	_, err = c.Submit(t.Context(), account(t, "//Alice"), remark(t, c, "x"), SubmitOptions{})
	if err == nil || !strings.Contains(err.Error(), "ChargeAssets") || f.count("author_submitAndWatchExtrinsic") != 0 {
		t.Errorf("an unknown extension with content: %v", err)
	}
}

// transport is one of its own, so that no goroutine of it is left.
func transport(t *testing.T) http.RoundTripper {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// acceptKey is what a server answers a client's key with: RFC 6455, section 4.2.2.
func acceptKey(key string) string {
	h := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(h[:])
}
