package subtensor_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"adit/internal/keys"
	"adit/internal/ledger"
	"adit/internal/local/chainnode"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

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

// serve runs our own node and returns its address.
func serve(t testing.TB, blockTime time.Duration) string {
	t.Helper()
	g := ledger.DevGenesis()
	g.Spec.Tempo = 10
	n, err := chainnode.Open(chainnode.Options{Dir: t.TempDir(), Genesis: g, BlockTime: blockTime})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
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
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// A breaker passes connections on to a node, and breaks each after some bytes,
// most often in the middle of a frame.
type breaker struct {
	addr   string
	node   string
	wild   atomic.Bool // until then nothing breaks
	broken atomic.Int64
	wg     sync.WaitGroup
}

func newBreaker(t testing.TB, node string) *breaker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &breaker{addr: l.Addr().String(), node: node}
	b.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.wg.Go(func() { b.pass(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		b.wg.Wait()
	})
	return b
}

func (b *breaker) pass(client net.Conn) {
	defer client.Close()
	node, err := net.Dial("tcp", b.node)
	if err != nil {
		return
	}
	defer node.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		io.Copy(node, client)
		node.Close()
	})
	buf := make([]byte, 512)
	for left := -1; left != 0; {
		n, err := node.Read(buf)
		if err != nil {
			break
		}
		if left < 0 && b.wild.Load() {
			left = 5000 + rand.IntN(40000)
		}
		if left >= 0 {
			n = min(n, left)
			left -= n
		}
		if _, err := client.Write(buf[:n]); err != nil {
			break
		}
		if left == 0 {
			b.broken.Add(1)
		}
	}
	client.Close()
	wg.Wait()
}

// A hundred connections break while several senders use the same keys. No block is
// missed, and every extrinsic is on the chain once.
func TestReconnectUnderLoad(t *testing.T) {
	t.Parallel()
	const breaks = 100
	node := serve(t, 20*time.Millisecond)
	b := newBreaker(t, node)
	c, err := subtensor.Dial(t.Context(), subtensor.Options{Endpoints: []string{"ws://" + b.addr}, Backoff: time.Millisecond, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	ctx := t.Context()
	var seen []subnet.Block
	var until atomic.Uint64 // the block with which to end; 0 while that is not known
	var follower sync.WaitGroup
	follower.Go(func() {
		for h, err := range c.Blocks(ctx, 0) {
			if err != nil {
				t.Errorf("follow: %v", err)
				return
			}
			seen = append(seen, h.Number)
			if end := until.Load(); end > 0 && uint64(h.Number) >= end {
				return
			}
		}
	})

	var mu sync.Mutex
	sent := map[string]subnet.Block{}
	b.wild.Store(true)
	var senders sync.WaitGroup
	for i := range 8 {
		who := key(t, []string{"//Alice", "//Bob"}[i%2])
		senders.Go(func() {
			for j := 0; b.broken.Load() < breaks; j++ {
				text := fmt.Sprintf("sender %d sends %d", i, j)
				in, err := c.Do(ctx, who, subtensor.Call{Pallet: "System", Name: "remark", Args: map[string]any{"remark": text}}, subtensor.SubmitOptions{})
				if err != nil {
					t.Errorf("%s: %v", text, err)
					return
				}
				mu.Lock()
				sent[text] = in.Block
				mu.Unlock()
			}
		})
	}
	senders.Wait()
	b.wild.Store(false)
	head, err := c.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	until.Store(uint64(head))
	follower.Wait()

	missed := 0
	for i, n := range seen {
		if n != subnet.Block(i) {
			missed++
		}
	}
	found := map[string]int{}
	for n := range len(seen) {
		for text := range remarks(t, node, n) {
			found[text]++
		}
	}
	lost, doubled := 0, 0
	for text := range sent {
		switch n := found[text]; {
		case n == 0:
			lost++
		case n > 1:
			doubled++
		}
	}
	t.Logf("%d connections broken, %d blocks, %d extrinsics", b.broken.Load(), len(seen), len(sent))
	if missed+lost+doubled > 0 || len(found) != len(sent) || subnet.Block(len(seen)) <= head {
		t.Errorf("%d blocks missed of %d; %d extrinsics lost, %d doubled, %d found of %d", missed, head, lost, doubled, len(found), len(sent))
	}
}

// remarks asks the node itself, over HTTP, what is said in a block. Texts that are
// said twice there are given twice.
func remarks(t *testing.T, node string, block int) func(func(string) bool) {
	t.Helper()
	var hash string
	ask(t, node, &hash, "chain_getBlockHash", block)
	var b struct{ Block struct{ Extrinsics []string } }
	ask(t, node, &b, "chain_getBlock", hash)
	return func(yield func(string) bool) {
		for _, x := range b.Block.Extrinsics {
			raw, err := hex.DecodeString(strings.TrimPrefix(x, "0x"))
			if err != nil {
				t.Fatal(err)
			}
			if i := strings.Index(string(raw), "sender "); i >= 0 && !yield(string(raw[i:])) {
				return
			}
		}
	}
}

func ask(t *testing.T, node string, out any, method string, params ...any) {
	t.Helper()
	if err := chainnode.Ask(t.Context(), "http://"+node, out, method, params...); err != nil {
		t.Fatal(err)
	}
}
