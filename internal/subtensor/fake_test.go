package subtensor

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/scale/scaletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a node with a chain of its own. It checks signatures, nonces and eras
// as a real one does; what calls do is up to the test.
type fake struct {
	t   testing.TB
	srv *httptest.Server
	url string
	md  *scale.Metadata
	wg  sync.WaitGroup

	scripting sync.Mutex // held while script runs

	mu      sync.Mutex
	spec    uint32
	blocks  []fakeBlock
	state   map[string][]byte // of the next block
	nonces  map[[32]byte]uint32
	pool    []fakeTx
	conns   []*fakeConn
	final   int // height
	counts  map[string]int
	lastSub int
	forks   int
	mute    bool                                       // does not tell of upgrades
	auto    bool                                       // a block for each extrinsic
	exec    func(call []byte) *scaletest.DispatchError // nil is success
	events  []scaletest.RuntimeEvent                   // besides, with each extrinsic
	// apis answers runtime calls, nil for those that the runtime has not. Without
	// it the node passes none on.
	apis func(b *fakeBlock, name string, args []byte) []byte
	// script takes over some requests. Handled false leaves them to the node.
	script func(conn *fakeConn, method string, params []json.RawMessage) (result any, err *RPCError, handled bool)
}

type fakeBlock struct {
	header     header
	hash       hash32
	extrinsics [][]byte
	state      map[string][]byte
}

type fakeTx struct {
	bytes []byte
	from  [32]byte
	nonce uint32
	conn  *fakeConn
	sub   string
}

type fakeConn struct {
	ws      *websocket.Conn
	heads   string
	runtime string
}

func newFake(t testing.TB, salt byte) *fake {
	t.Helper()
	md, err := scale.BuildMetadata(scaletest.Runtime())
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, md: md, spec: 424, state: map[string][]byte{}, nonces: map[[32]byte]uint32{}, counts: map[string]int{}}
	genesis := header{State: hash32{1, salt}}
	f.blocks = []fakeBlock{{header: genesis, hash: genesis.hash(), state: map[string][]byte{}}}
	f.srv = httptest.NewServer(http.HandlerFunc(f.serve))
	f.url = "ws" + strings.TrimPrefix(f.srv.URL, "http")
	t.Cleanup(func() {
		f.cut()
		f.srv.Close()
		f.wg.Wait()
	})
	return f
}

// cut breaks all connections.
func (f *fake) cut() {
	f.mu.Lock()
	conns := slices.Clone(f.conns)
	f.conns = nil
	f.mu.Unlock()
	for _, c := range conns {
		c.ws.CloseNow()
	}
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.wg.Add(1)
	defer f.wg.Done()
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ws.SetReadLimit(1 << 20)
	c := &fakeConn{ws: ws}
	f.mu.Lock()
	f.conns = append(f.conns, c)
	f.mu.Unlock()
	for {
		_, b, err := ws.Read(context.Background())
		if err != nil {
			return
		}
		f.answer(c, b)
	}
}

func (c *fakeConn) send(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c.ws.Write(ctx, websocket.MessageText, b) // a peer that has gone reads nothing
}

func (c *fakeConn) notify(sub string, v any) {
	c.send(map[string]any{"jsonrpc": "2.0", "method": "x", "params": map[string]any{"subscription": sub, "result": v}})
}

// silence, as a scripted result, leaves a request without an answer.
type silence struct{}

func (f *fake) answer(c *fakeConn, b []byte) {
	var q struct {
		ID     uint64
		Method string
		Params []json.RawMessage
	}
	if err := json.Unmarshal(b, &q); err != nil {
		f.t.Errorf("request %s: %v", b, err)
		return
	}
	f.mu.Lock()
	f.counts[q.Method]++
	script := f.script
	f.mu.Unlock()
	var result any
	var after func()
	var rerr *RPCError
	handled := false
	if script != nil {
		f.scripting.Lock()
		result, rerr, handled = script(c, q.Method, q.Params)
		f.scripting.Unlock()
	}
	if !handled {
		result, rerr, after = f.handle(c, q.Method, q.Params)
	}
	if result == (silence{}) {
		return
	}
	if rerr != nil {
		c.send(map[string]any{"jsonrpc": "2.0", "id": q.ID, "error": rerr})
	} else {
		c.send(map[string]any{"jsonrpc": "2.0", "id": q.ID, "result": result})
	}
	if after != nil {
		after()
	}
}

func param[T any](params []json.RawMessage, i int) (v T) {
	if i < len(params) {
		if err := json.Unmarshal(params[i], &v); err != nil {
			panic(fmt.Sprintf("parameter %s: %v", params[i], err))
		}
	}
	return v
}

func (f *fake) handle(c *fakeConn, method string, params []json.RawMessage) (result any, rerr *RPCError, after func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	head := len(f.blocks) - 1
	at := func(i int) *fakeBlock {
		if i >= len(params) {
			return &f.blocks[head]
		}
		h := param[hash32](params, i)
		for j := range f.blocks {
			if f.blocks[j].hash == h {
				return &f.blocks[j]
			}
		}
		rerr = &RPCError{Code: 4003, Message: "Client error: UnknownBlock: State already discarded for " + h.String()}
		return &f.blocks[0]
	}
	switch method {
	case "chain_getBlockHash":
		n := head
		if len(params) > 0 {
			n = param[int](params, 0)
		}
		if n > head {
			return nil, nil, nil
		}
		return f.blocks[n].hash, nil, nil
	case "chain_getHeader":
		b := at(0)
		return f.header(b.hash), rerr, nil
	case "chain_getFinalizedHead":
		return f.blocks[f.final].hash, nil, nil
	case "chain_getBlock":
		b := at(0)
		xs := []hexBytes{}
		for _, x := range b.extrinsics {
			xs = append(xs, x)
		}
		return map[string]any{"block": map[string]any{"header": f.header(b.hash), "extrinsics": xs}}, rerr, nil
	case "chain_subscribeNewHeads":
		f.lastSub++
		sub := fmt.Sprint("heads", f.lastSub)
		c.heads = sub
		h := f.header(f.blocks[head].hash)
		return sub, nil, func() { c.notify(sub, h) }
	case "state_subscribeRuntimeVersion":
		if f.mute {
			return nil, &RPCError{Code: -32601, Message: "Method not found"}, nil
		}
		f.lastSub++
		sub := fmt.Sprint("runtime", f.lastSub)
		c.runtime = sub
		v := map[string]any{"specVersion": f.spec, "transactionVersion": 1}
		return sub, nil, func() { c.notify(sub, v) }
	case "state_getRuntimeVersion":
		return map[string]any{"specVersion": f.spec, "transactionVersion": 1}, nil, nil
	case "state_getMetadata":
		return hexBytes(f.md.Encode()), nil, nil
	case "state_queryStorageAt":
		b := at(1)
		changes := [][]*string{}
		for _, k := range param[[]string](params, 0) {
			var value *string
			if v, ok := b.state[k]; ok {
				s := "0x" + hex.EncodeToString(v)
				value = &s
			}
			changes = append(changes, []*string{&k, value})
		}
		return []any{map[string]any{"block": b.hash, "changes": changes}}, rerr, nil
	case "state_getKeysPaged":
		b := at(3)
		page := []string{}
		for k := range b.state {
			if start := param[string](params, 2); strings.HasPrefix(k, param[string](params, 0)) && k > start {
				page = append(page, k)
			}
		}
		slices.Sort(page)
		return page[:min(len(page), param[int](params, 1))], rerr, nil
	case "system_accountNextIndex":
		pub, err := keys.ParseAddress(param[string](params, 0))
		if err != nil {
			return nil, &RPCError{Code: -32602, Message: err.Error()}, nil
		}
		n := f.nonces[pub]
		for _, tx := range f.pool {
			if tx.from == pub && tx.nonce == n {
				n++
			}
		}
		return n, nil, nil
	case "author_submitAndWatchExtrinsic":
		return f.submit(c, param[hexBytes](params, 0))
	case "state_call":
		args := param[hexBytes](params, 1)
		b := at(2)
		if rerr != nil {
			return nil, rerr, nil
		}
		if f.apis == nil {
			return nil, &RPCError{Code: -32601, Message: "Method not found"}, nil
		}
		name := param[string](params, 0)
		if name == "Metadata_metadata_at_version" {
			md, err := f.md.EncodeVersion(args[0])
			if err != nil {
				panic(err)
			}
			answer, err := scale.Marshal(scale.SomeOf(md))
			if err != nil {
				panic(err)
			}
			return hexBytes(answer), nil, nil
		}
		answer := f.apis(b, name, args)
		if answer == nil {
			return nil, &RPCError{Code: 4003, Message: "Client error: Execution failed: Exported method " + name + " is not found"}, nil
		}
		return hexBytes(answer), nil, nil
	case "author_unwatchExtrinsic":
		return true, nil, nil
	}
	return nil, &RPCError{Code: -32601, Message: "Method not found"}, nil
}

func (f *fake) header(h hash32) map[string]any {
	n := slices.IndexFunc(f.blocks, func(b fakeBlock) bool { return b.hash == h })
	x := &f.blocks[n].header
	return map[string]any{"number": fmt.Sprintf("0x%x", n), "parentHash": x.Parent, "stateRoot": x.State, "extrinsicsRoot": x.Extrinsics,
		"digest": map[string]any{"logs": x.Digest.Logs}}
}

// opened is a signed extrinsic taken apart.
type opened struct {
	Version   uint8
	Address   scaletest.MultiAddress
	Signature scaletest.MultiSignature
	Era       scaletest.Era
	Nonce     scale.Compact[uint32]
	Tip       scale.Compact[uint64]
	Mode      uint8
}

func open(b []byte) (x opened, extra, call []byte, err error) {
	var body []byte
	if err = scale.Unmarshal(b, &body); err != nil {
		return
	}
	d := scale.NewDecoder(body)
	if err = d.Decode(&x); err != nil {
		return
	}
	extra = body[1+33+65 : len(body)-d.Len()]
	return x, extra, d.Rest(), nil
}

func (f *fake) submit(c *fakeConn, b []byte) (any, *RPCError, func()) {
	x, _, call, err := open(b)
	if err != nil {
		return nil, &RPCError{Code: 1002, Message: err.Error()}, nil
	}
	for _, tx := range f.pool {
		if string(tx.bytes) == string(b) {
			return nil, &RPCError{Code: poolKnown, Message: "Transaction is already imported"}, nil
		}
	}
	from := [32]byte(*x.Address.ID)
	invalid := func(s string) (any, *RPCError, func()) {
		data, _ := json.Marshal(s)
		return nil, &RPCError{Code: poolInvalid, Message: "Invalid Transaction", Data: data}, nil
	}
	if x.Nonce.V < f.nonces[from] {
		return invalid("Transaction is outdated")
	}
	exp := uint64(x.Era[0]&15) + 1
	period := uint64(1) << exp
	phase := uint64(x.Era[0])>>4 | uint64(x.Era[1])<<4
	head := uint64(len(f.blocks) - 1)
	birth := (max(head, phase)-phase)/period*period + phase
	if birth > head {
		return invalid("Transaction has an ancient birth block")
	}
	extra, implicit, err := f.md.Extensions(scale.SignedParts{Nonce: x.Nonce.V, Tip: x.Tip.V, SpecVersion: f.spec, TxVersion: 1,
		Genesis: f.blocks[0].hash, Era: x.Era, Birth: f.blocks[birth].hash})
	if err != nil || !keys.Verify(from, scale.Payload(call, extra, implicit), x.Signature.Sr25519[:]) {
		return invalid("Transaction has a bad signature")
	}
	f.lastSub++
	sub := fmt.Sprint("watch", f.lastSub)
	return sub, nil, func() { // once the answer is out: no update may come before it
		f.mu.Lock()
		f.pool = append(f.pool, fakeTx{b, from, x.Nonce.V, c, sub})
		auto := f.auto
		f.mu.Unlock()
		c.notify(sub, map[string]any{"ready": nil})
		if auto {
			f.produce()
		}
	}
}

// put sets a storage item from the next block on.
func (f *fake) put(value any, pallet, item string, ks ...any) {
	f.t.Helper()
	k, err := f.md.StorageKey(pallet, item, ks...)
	if err != nil {
		f.t.Fatal(err)
	}
	v, err := scale.Marshal(value)
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state["0x"+hex.EncodeToString(k)] = v
}

// produce makes a block of what is in the pool, behind one inherent.
func (f *fake) produce() {
	f.mu.Lock()
	b := fakeBlock{extrinsics: [][]byte{{4, 0}}}
	b.header = header{Number: hexNumber(len(f.blocks)), Parent: f.blocks[len(f.blocks)-1].hash}
	b.header.Digest.Logs = []hexBytes{{6, 1, 2, 3}, {byte(f.forks)}}
	b.hash = b.header.hash()
	var records []scaletest.EventRecord
	var included []fakeTx
	for again := true; again; {
		again = false
		for i, tx := range f.pool {
			if tx.nonce == f.nonces[tx.from] {
				f.nonces[tx.from]++
				included = append(included, tx)
				f.pool = slices.Delete(f.pool, i, i+1)
				again = true
				break
			}
		}
	}
	for _, tx := range included {
		_, _, call, err := open(tx.bytes)
		if err != nil {
			panic(err)
		}
		index := uint32(len(b.extrinsics))
		b.extrinsics = append(b.extrinsics, tx.bytes)
		phase := scaletest.Phase{ApplyExtrinsic: &index}
		var end scaletest.SystemEvent
		end.ExtrinsicSuccess = &struct{ DispatchInfo scaletest.DispatchInfo }{}
		if f.exec != nil {
			if e := f.exec(call); e != nil {
				end = scaletest.SystemEvent{ExtrinsicFailed: &struct {
					DispatchError scaletest.DispatchError
					DispatchInfo  scaletest.DispatchInfo
				}{DispatchError: *e}}
			}
		}
		for _, e := range f.events {
			records = append(records, scaletest.EventRecord{Phase: phase, Event: e})
		}
		records = append(records, scaletest.EventRecord{Phase: phase, Event: scaletest.RuntimeEvent{System: &end}})
	}
	raw, err := scale.Marshal(records)
	if err != nil {
		panic(err)
	}
	f.state["0x"+hex.EncodeToString(scale.StorageKey("System", "Events"))] = raw
	f.state["0x"+hex.EncodeToString(scale.StorageKey("System", "Number"))] = binary.LittleEndian.AppendUint32(nil, uint32(len(f.blocks)))
	b.state = map[string][]byte{}
	for k, v := range f.state {
		b.state[k] = v
	}
	f.blocks = append(f.blocks, b)
	feeds := map[*fakeConn]string{}
	for _, c := range f.conns {
		if c.heads != "" {
			feeds[c] = c.heads
		}
	}
	h := f.header(b.hash)
	f.mu.Unlock()
	for c, sub := range feeds {
		c.notify(sub, h)
	}
	for _, tx := range included {
		tx.conn.notify(tx.sub, map[string]any{"inBlock": b.hash})
	}
}

// fork replaces the last n blocks by as many others.
func (f *fake) fork(n int) {
	f.set(func() {
		f.blocks = f.blocks[:len(f.blocks)-n]
		f.forks++
	})
	for range n {
		f.produce()
	}
}

// upgrade makes the chain one of another runtime, and tells everybody.
func (f *fake) upgrade() {
	f.mu.Lock()
	f.spec++
	v := map[string]any{"specVersion": f.spec, "transactionVersion": 1}
	told := map[*fakeConn]string{}
	for _, c := range f.conns {
		if c.runtime != "" {
			told[c] = c.runtime
		}
	}
	f.mu.Unlock()
	for c, sub := range told {
		c.notify(sub, v)
	}
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// take handles a submission whose answer gets lost.
func (f *fake) take(c *fakeConn, method string, params []json.RawMessage) {
	if _, _, after := f.handle(c, method, params); after != nil {
		after()
	}
}

func (f *fake) count(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[method]
}

// until waits for a condition on the node.
func (f *fake) until(what string, cond func() bool) {
	f.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		f.mu.Lock()
		ok := cond()
		f.mu.Unlock()
		if ok {
			return
		}
	}
	f.t.Fatalf("it never came to be that %s", what)
}

func dialFakes(t testing.TB, o Options, fs ...*fake) *Client {
	t.Helper()
	for _, f := range fs {
		o.Endpoints = append(o.Endpoints, f.url)
	}
	if o.Backoff == 0 {
		o.Backoff = 2 * time.Millisecond
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	transport := &http.Transport{}
	o.transport = transport
	c, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		transport.CloseIdleConnections()
	})
	return c
}

// signer signs with a development key.
type signer struct{ *keys.Pair }

func (s signer) Sign(_ context.Context, payload []byte) ([]byte, error) { return s.Pair.Sign(payload) }

func account(t *testing.T, uri string) signer {
	t.Helper()
	p, err := keys.FromURI(uri)
	if err != nil {
		t.Fatal(err)
	}
	return signer{p}
}
