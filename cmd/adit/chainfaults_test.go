//go:build linux

package main

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"adit/internal/keys"
	"adit/internal/local/chainnode"
	"adit/internal/subtensor"
)

// A crowd sends remarks with the same keys, as fast as they get into blocks, and
// remembers where each went.
type crowd struct {
	t      *testing.T
	client *subtensor.Client
	size   int // bytes of a remark
	over   chan struct{}
	wg     sync.WaitGroup

	mu   sync.Mutex
	sent map[string]subtensor.Inclusion
}

func newCrowd(t *testing.T, url string, size int) *crowd {
	t.Helper()
	client, err := subtensor.Dial(t.Context(), subtensor.Options{Endpoints: []string{url}, Timeout: time.Minute, Backoff: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	c := &crowd{t: t, client: client, size: size, over: make(chan struct{}), sent: make(map[string]subtensor.Inclusion)}
	for i := range 8 {
		pair, err := keys.FromURI([]string{"//Alice", "//Bob"}[i%2])
		if err != nil {
			t.Fatal(err)
		}
		who := devSigner{pair}
		c.wg.Go(func() {
			for j := 0; ; j++ {
				select {
				case <-c.over:
					return
				default:
				}
				text := fmt.Sprintf("<%d of %d>", j, i)
				in, err := client.Do(t.Context(), who, subtensor.Call{Pallet: "System", Name: "remark",
					Args: map[string]any{"remark": text + strings.Repeat(" ", c.size)}}, subtensor.SubmitOptions{Finalized: i < 4})
				if err != nil {
					t.Errorf("%s: %v", text, err)
					return
				}
				c.mu.Lock()
				c.sent[text] = in
				c.mu.Unlock()
			}
		})
	}
	return c
}

func (c *crowd) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sent)
}

// end stops the crowd, and goes through the whole chain: each remark is there once,
// in the block that its sender was told, and nothing else.
func (c *crowd) end(url string) {
	c.t.Helper()
	close(c.over)
	c.wg.Wait()
	http := "http" + strings.TrimPrefix(url, "ws")
	ask := func(out any, method string, params ...any) {
		c.t.Helper()
		if err := chainnode.Ask(c.t.Context(), http, out, method, params...); err != nil {
			c.t.Fatal(err)
		}
	}
	found := make(map[string]int)
	doubled, moved := 0, 0
	var hash *string
	blocks := 0
	for ; ; blocks++ {
		if ask(&hash, "chain_getBlockHash", blocks); hash == nil {
			break
		}
		var b struct{ Block struct{ Extrinsics []string } }
		ask(&b, "chain_getBlock", *hash)
		for _, x := range b.Block.Extrinsics {
			raw, err := hex.DecodeString(strings.TrimPrefix(x, "0x"))
			if err != nil {
				c.t.Fatal(err)
			}
			// Signatures come first, and may hold any byte.
			_, text, _ := strings.Cut(string(raw[max(0, strings.LastIndexByte(string(raw), '<')):]), "<")
			text, _, whole := strings.Cut(text, ">")
			if text = "<" + text + ">"; !whole || !strings.Contains(text, " of ") {
				continue
			}
			if found[text]++; found[text] > 1 {
				doubled++
			}
			if in, known := c.sent[text]; known && in.BlockHash != *hash {
				moved++
			}
		}
		hash = nil
	}
	lost := 0
	for text := range c.sent {
		if found[text] == 0 {
			lost++
		}
	}
	c.t.Logf("%d extrinsics in %d blocks", len(c.sent), blocks)
	if lost+doubled+moved > 0 || len(found) != len(c.sent) {
		c.t.Errorf("%d extrinsics lost, %d doubled, %d in another block than told; %d found of %d", lost, doubled, moved, len(found), len(c.sent))
	}
}

// chainAt runs a chain by itself, and returns its address.
func chainAt(t *testing.T, dir, port string) (*process, string) {
	t.Helper()
	p := part(t, "", "chain", "serve", "--dir", dir, "--port", port, "--block-time", "50ms")
	e, _ := p.await("its address", 0, func(e event) bool { return e.kind == "serving" })
	return p, e.attrs["url"].String()
}

func portOf(url string) string { return url[strings.LastIndexByte(url, ':')+1:] }

// TestFaultsChain kills a chain under load, again and again.
func TestFaultsChain(t *testing.T) {
	var seed uint64
	if _, err := fmt.Sscan(os.Getenv("ADIT_FAULTS"), &seed); err != nil {
		t.Skip("ADIT_FAULTS is not set: see conformance/faults")
	}
	t.Run("kill it under load", func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		dir := filepath.Join(t.TempDir(), "chain")
		p, url := chainAt(t, dir, "0")
		c := newCrowd(t, url, 10)
		for range 20 {
			at := c.count() + 8 + rnd.IntN(20)
			eventually(t, "extrinsics", func() bool { return c.count() >= at || t.Failed() })
			kill(t, p.cmd.Process.Pid)
			p.ended()
			p, _ = chainAt(t, dir, portOf(url))
		}
		c.end(url)
	})
}

// TestFaultsFullDiskOfChain lets the disk of a chain under load fill. It says so,
// and makes no blocks until there is room; it may be killed meanwhile.
func TestFaultsFullDiskOfChain(t *testing.T) {
	if os.Getenv("ADIT_FAULTS") == "" {
		t.Skip("ADIT_FAULTS is not set: see conformance/faults")
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(disk, "chain")
	p, url := chainAt(t, dir, "0")
	c := newCrowd(t, url, 2000)
	full := func(e event) bool {
		return e.kind == "chain" && e.attrs["error"].Kind() == slog.KindString && strings.Contains(e.attrs["error"].String(), "no space left on device")
	}
	_, next := p.await("the news of a full disk", 0, full)
	var before, after struct{ Number string }
	head := func(out any) {
		t.Helper()
		if err := chainnode.Ask(t.Context(), "http"+strings.TrimPrefix(url, "ws"), out, "chain_getHeader"); err != nil {
			t.Fatal(err)
		}
	}
	room := func(size string) {
		t.Helper()
		if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size="+size); err != nil {
			t.Fatal(err)
		}
	}
	head(&before)
	room("3m")
	p.await("blocks again", next, func(e event) bool { return e.kind == "chain" && e.text == "blocks are made again" })
	eventually(t, "more blocks", func() bool {
		head(&after)
		return after.Number > before.Number || len(after.Number) > len(before.Number)
	})

	// Once more, and now it is killed while its disk is full.
	p.await("the news of a full disk", next, full)
	kill(t, p.cmd.Process.Pid)
	p.ended()
	room("64m")
	count := c.count()
	chainAt(t, dir, portOf(url))
	eventually(t, "extrinsics after that", func() bool { return c.count() > count+20 || t.Failed() })
	c.end(url)
}
