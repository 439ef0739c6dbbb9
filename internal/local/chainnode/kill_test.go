package chainnode

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"adit/internal/subtensor"
)

// victimDir is set in the process that a test kills, and victimAddr if it shall
// serve there.
const (
	victimDir  = "ADIT_TEST_CHAIN"
	victimAddr = "ADIT_TEST_CHAIN_ADDR"
)

// victim makes blocks and tells of each, until it is killed.
func victim(dir string) {
	addr := os.Getenv(victimAddr)
	o := victimOptions(dir)
	if addr != "" {
		o.segmentBlocks = servedBlocks
	}
	n, err := Open(o)
	if err != nil {
		fmt.Println("open:", err)
		return
	}
	if addr != "" {
		if err := victimServes(n, addr); err != nil {
			fmt.Println("serve:", err)
		}
		return
	}
	for {
		h, err := n.Produce()
		if err != nil {
			fmt.Println("produce:", err)
			return
		}
		fmt.Printf("%d %x\n", n.number(), h)
	}
}

// servedBlocks is how many blocks a segment has of a node that serves: a client that
// is slow shall still find the block that it was told of.
const servedBlocks = 200

func victimOptions(dir string) Options {
	return Options{Dir: dir, Genesis: devGenesis(), BlockTime: 10 * time.Millisecond, segmentBlocks: 7}
}

// victimServes makes blocks by the clock and serves, until it is killed.
func victimServes(n *Node, addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() { _ = n.Run(context.Background()) }() // as long as the process lives
	return n.Serve(context.Background(), l)
}

// TestKill kills a node at arbitrary instants: every block that anybody was told
// of is there afterwards, and the chain goes on.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	told := make(map[uint32]hash)
	for round := range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), victimDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		lines := bufio.NewScanner(out)
		for i := 0; lines.Scan(); i++ {
			var number uint32
			var h []byte
			if _, err := fmt.Sscanf(lines.Text(), "%d %x", &number, &h); err != nil {
				t.Errorf("the node says %q", lines.Text())
				break
			}
			told[number] = hash(h)
			if i == 9+5*round { // and goes on reading what it still has said
				_ = cmd.Process.Kill()
			}
		}
		timer.Stop()
		_ = cmd.Wait()

		n, err := Open(victimOptions(dir))
		if err != nil {
			t.Fatal(err)
		}
		for number, h := range told {
			if number < n.blocks[0].header.number() {
				continue
			}
			if got, ok := n.hashOf(number); !ok || got != h {
				t.Errorf("block %d is %x, want %x", number, got, h)
			}
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(told) < 60 {
		t.Errorf("only %d blocks were made", len(told))
	}
}

// TestKillUnderLoad kills a node again and again while clients send with the same
// keys. What a client was told is in a block, or final, is in that block afterwards;
// every extrinsic is on the chain once, and every nonce used once.
func TestKillUnderLoad(t *testing.T) {
	t.Parallel()
	const kills = 6
	dir, addr := t.TempDir(), "127.0.0.1:0"
	var victim *exec.Cmd
	start := func() {
		t.Helper()
		victim = exec.Command(os.Args[0])
		victim.Env = append(os.Environ(), victimDir+"="+dir, victimAddr+"="+addr)
		out, err := victim.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fscanln(out, &addr); err != nil || !strings.HasPrefix(addr, "127.0.0.1:") {
			t.Fatalf("the node says %q, %v", addr, err)
		}
	}
	kill := func() {
		_ = victim.Process.Kill()
		_ = victim.Wait()
	}
	start()
	defer func() { kill() }()
	c, err := subtensor.Dial(t.Context(), subtensor.Options{Endpoints: []string{"ws://" + addr}, Backoff: time.Millisecond, Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	over := make(chan struct{})
	var mu sync.Mutex
	sent := make(map[string]subtensor.Inclusion)
	var senders sync.WaitGroup
	for i := range 6 {
		who := key(t, []string{"//Alice", "//Bob"}[i%2])
		senders.Go(func() {
			for j := 0; ; j++ {
				select {
				case <-over:
					return
				default:
				}
				text := fmt.Sprintf("sender %d sends %d.", i, j)
				in, err := c.Do(t.Context(), who, subtensor.Call{Pallet: "System", Name: "remark", Args: map[string]any{"remark": text}}, subtensor.SubmitOptions{Finalized: i < 2})
				if err != nil {
					t.Errorf("%s: %v", text, err)
					return
				}
				mu.Lock()
				sent[text] = in
				mu.Unlock()
			}
		})
	}
	for range kills {
		mu.Lock()
		enough := len(sent) + 6 + rand.IntN(12)
		mu.Unlock()
		for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
			mu.Lock()
			n := len(sent)
			mu.Unlock()
			if n >= enough || t.Failed() {
				tick.Stop()
				break
			}
		}
		kill()
		start()
	}
	close(over)
	senders.Wait()
	kill()

	o := victimOptions(dir)
	o.segmentBlocks = servedBlocks
	n, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for text, in := range sent {
		// The chain keeps some segments only.
		if uint32(in.Block) <= n.blocks[0].header.number() {
			continue
		}
		if h, ok := n.hashOf(uint32(in.Block)); !ok || hexOf(h) != in.BlockHash {
			t.Errorf("%q was in block %d %s, which is %x now", text, in.Block, in.BlockHash, h)
		}
	}
	if got := n.ledger.Nonce(key(t, "//Alice").Public()) + n.ledger.Nonce(key(t, "//Bob").Public()); int(got) != len(sent) {
		t.Errorf("%d nonces are used for %d extrinsics", got, len(sent))
	}
	t.Logf("%d extrinsics, %d blocks, %d kills", len(sent), n.number(), kills)
}
