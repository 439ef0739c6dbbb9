package chainnode

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"adit/internal/keys"
	"adit/internal/ledger"
	"adit/internal/scale"
	"adit/internal/subtensor"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		victim(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

const tao = 1_000_000_000

// devGenesis is that of development chains, with short epochs.
func devGenesis() ledger.Genesis {
	g := ledger.DevGenesis()
	g.Spec.Tempo = 10
	return g
}

// open opens a node whose blocks are made on demand.
func open(t testing.TB, o Options) *Node {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Genesis.Balances == nil {
		o.Genesis = devGenesis()
	}
	n, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// A running node makes blocks and serves until it is stopped.
type running struct {
	*Node
	addr string
	stop func()
}

func run(t testing.TB, o Options, addr string) *running {
	t.Helper()
	n := open(t, o)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := n.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		if err := n.Serve(ctx, l); err != nil {
			t.Error(err)
		}
	})
	r := &running{n, l.Addr().String(), sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})}
	t.Cleanup(r.stop)
	return r
}

// blocks runs a node with fast blocks.
func blocks(t testing.TB, o Options) *running {
	o.BlockTime = 20 * time.Millisecond
	return run(t, o, "127.0.0.1:0")
}

func dial(t testing.TB, r *running) *subtensor.Client {
	t.Helper()
	c, err := subtensor.Dial(t.Context(), subtensor.Options{Endpoints: []string{"ws://" + r.addr}, Backoff: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// A signer signs for a development key.
type signer struct{ *keys.Pair }

func (s signer) Sign(_ context.Context, payload []byte) ([]byte, error) { return s.Pair.Sign(payload) }

func key(t testing.TB, uri string) signer {
	t.Helper()
	p, err := keys.FromURI(uri)
	if err != nil {
		t.Fatal(err)
	}
	return signer{p}
}

// remark is an extrinsic that does nothing.
type remark struct {
	from  signer
	nonce uint32
	tip   uint64
	birth uint32 // 0: immortal; otherwise mortal from this block on
	life  uint64
	size  int
	call  []byte // in the place of a remark
}

// sign returns the extrinsic's bytes for the chain of n.
func (r remark) sign(t testing.TB, n *Node) []byte {
	t.Helper()
	era, birth := ledger.Era{}, n.genesis.hash
	if r.life > 0 {
		era = ledger.Era{Period: r.life, Phase: uint64(r.birth) % r.life}
		birth, _ = n.hashOf(r.birth)
	}
	extra, err := era.AppendSCALE(nil)
	if err != nil {
		t.Fatal(err)
	}
	extra = append(scale.AppendCompact(scale.AppendCompact(extra, uint64(r.nonce)), r.tip), 0)
	implicit := binary.LittleEndian.AppendUint32(nil, n.opts.Genesis.Spec.SpecVersion)
	implicit = binary.LittleEndian.AppendUint32(implicit, n.opts.Genesis.Spec.TransactionVersion)
	implicit = append(append(append(implicit, n.genesis.hash[:]...), birth[:]...), 0)
	call := r.call
	if call == nil {
		call = ledger.Encode(&ledger.Remark{Remark: make([]byte, r.size)})
	}
	sig, err := r.from.Pair.Sign(scale.Payload(call, extra, implicit))
	if err != nil {
		t.Fatal(err)
	}
	public := r.from.Public()
	body := append(append([]byte{0x84, 0}, public[:]...), 1)
	body = append(append(append(body, sig...), extra...), call...)
	return append(scale.AppendCompact(nil, uint64(len(body))), body...)
}

// ask makes a call without a connection and returns its result, or the error.
func ask(n *Node, method string, args ...any) (json.RawMessage, *rpcError) {
	if args == nil {
		args = []any{}
	}
	req, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": args})
	if err != nil {
		panic(err)
	}
	var answer struct {
		Result json.RawMessage
		Error  *rpcError
	}
	if err := json.Unmarshal(n.answerAll(nil, req), &answer); err != nil {
		panic(err)
	}
	return answer.Result, answer.Error
}

// must is ask for what has to succeed.
func must(t testing.TB, n *Node, method string, args ...any) json.RawMessage {
	t.Helper()
	result, err := ask(n, method, args...)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return result
}

func produce(t testing.TB, n *Node) hash {
	t.Helper()
	h, err := n.Produce()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// said returns the text of a result.
func said(b json.RawMessage) string {
	var s string
	if json.Unmarshal(b, &s) != nil {
		return string(b)
	}
	return s
}

func hexOf(h hash) string { return fmt.Sprintf("0x%x", h) }
