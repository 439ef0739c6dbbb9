package chainnode

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// victimDir is set in the process that TestKill kills.
const victimDir = "ADIT_TEST_CHAIN"

// victim makes blocks and tells of each, until it is killed.
func victim(dir string) {
	n, err := Open(Options{Dir: dir, Genesis: devGenesis(), segmentBlocks: 7})
	if err != nil {
		fmt.Println("open:", err)
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

		n, err := Open(Options{Dir: dir, Genesis: devGenesis(), segmentBlocks: 7})
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
