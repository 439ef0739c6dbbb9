//go:build unix

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/local"
)

// TestUp takes a network through its life: a first cycle in which a miner is
// killed while it trains, another start that goes on from there, 'adit down', a
// killed supervisor, Ctrl-C.
func TestUp(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole network, in real time")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "net")

	n := up(t, dir, small(calm, "--cycles", "1")...)
	running := n.status("children", func(s local.Snapshot) bool { return s.Stage == "running" && allStarted(s, 5) })
	askAround(t, dir, running)

	// A miner that is killed while it trains still submits.
	const victim = "miner-1-0"
	_, at := n.await("training", 0, func(e event) bool { return e.kind == "step" && e.from == victim })
	kill(t, pid(t, running, victim))
	_, at = n.await("the news of a death", at, func(e event) bool { return e.kind == "died" && e.from == victim })
	n.await("a submission in spite of it", at, func(e event) bool {
		return e.kind == "commit2" && e.from == victim && e.number("cycle") == running.FirstCycle
	})
	if status, _ := n.ended(); status != 0 || len(n.other) > 0 {
		t.Fatalf("status %d, and on standard error %q", status, n.other)
	}
	first := n.summary()
	gone(t, first)
	checkCycle(t, first, 1)
	genesis := genesisOf(t, dir)

	// Again: it goes on with the chain, the model and the scores that it had.
	n = up(t, dir, small(calm, "--cycles", "1")...)
	n.await("training", 0, func(e event) bool { return e.kind == "step" })
	second := n.status("the chain", func(s local.Snapshot) bool { return s.Stage == "running" && s.Block > first.Block })
	if second.FirstCycle != first.FirstCycle || second.Cycles != 1 || second.Goal != 2 {
		t.Errorf("it goes on in cycle %d of %d, the first being %d; want 1 of 2, and %d", second.Cycles, second.Goal, second.FirstCycle, first.FirstCycle)
	}
	if diff := cmp.Diff(first.Groups, second.Groups); diff != "" {
		t.Errorf("losses at the second start (-before +now):\n%s", diff)
	}
	if now := genesisOf(t, dir); !os.SameFile(now, genesis) || !now.ModTime().Equal(genesis.ModTime()) {
		t.Error("the genesis model was made again")
	}

	// 'adit down' returns when all is over.
	if out, errs, status := adit(t, "down", "--dir", dir); status != 0 || out != "" || !strings.Contains(errs, "has ended") {
		t.Errorf("down: status %d, printed %q, said %q", status, out, errs)
	}
	if status, took := n.ended(); status != 0 || took > 2*time.Second {
		t.Errorf("after down the network took %v to end, with status %d", took, status)
	}
	gone(t, second)

	// A supervisor that is killed takes its children with it, and leaves
	// nothing that is in the way of the next.
	n = up(t, dir, small(calm)...)
	running = n.status("children", func(s local.Snapshot) bool { return allStarted(s, 5) })
	kill(t, n.cmd.Process.Pid)
	n.ended()
	gone(t, running)
	n = up(t, dir, small(calm)...)
	running = n.status("children", func(s local.Snapshot) bool { return s.Stage == "running" && allStarted(s, 5) })
	interrupt(t, n, running)
}

// interrupt is Ctrl-C: all must be over in five seconds.
func interrupt(t *testing.T, n *process, running local.Snapshot) {
	t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if status, took := n.ended(); status != 0 || took > 5*time.Second {
		t.Errorf("Ctrl-C took %v, with status %d", took, status)
	}
	gone(t, running)
	if s := n.summary(); s.Error != "" || s.Stage != "ended" {
		t.Errorf("after Ctrl-C the network is %q, with the error %q", s.Stage, s.Error)
	}
}

// askAround looks at a running network from another terminal.
func askAround(t *testing.T, dir string, running local.Snapshot) {
	t.Helper()
	var s local.Snapshot
	out, errs, status := adit(t, "status", "--dir", dir, "--json")
	if err := json.Unmarshal([]byte(out), &s); err != nil || status != 0 || errs != "" {
		t.Fatalf("status: %d, %v, said %q", status, err, errs)
	}
	for _, p := range s.Procs {
		if !p.Running || !alive(p.PID) || p.PID != pid(t, running, p.Name) {
			t.Errorf("%s is said to be process %d, running %v", p.Name, p.PID, p.Running)
		}
	}
	if out, _, status := adit(t, "status", "--dir", dir); status != 0 || !strings.Contains(out, "miner-1-0") {
		t.Errorf("status: %d, printed\n%s", status, out)
	}
	out, _, status = adit(t, "logs", "-n", "5", "--dir", dir, "hub", "chain")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); status != 0 || len(lines) > 10 || !strings.Contains(out, "chain node ready") {
		t.Errorf("logs: %d, printed\n%s", status, out)
	}
	_, errs, status = adit(t, append([]string{"up", "--dir", dir}, small(calm)...)...)
	if status != 1 || !strings.Contains(errs, "adit: a network is running in ") || !strings.Contains(errs, "\nhint: ") {
		t.Errorf("a second network in the directory: status %d, said %q", status, errs)
	}
}

// checkCycle checks what the end of a cycle must have brought.
func checkCycle(t *testing.T, s local.Snapshot, cycles int) {
	t.Helper()
	if s.Stage != "ended" || s.Cycles != cycles || s.Goal != cycles || s.Error != "" {
		t.Errorf("%q after %d cycles of %d, error %q", s.Stage, s.Cycles, s.Goal, s.Error)
	}
	for _, g := range s.Groups {
		if len(g.Losses) != cycles+1 || g.Bigram <= 0 || g.Domain == "" {
			t.Errorf("group %d, %q: losses %v, bigram %v", g.ID, g.Domain, g.Losses, g.Bigram)
			continue
		}
		for i := range cycles {
			if g.Losses[i+1].Loss > g.Losses[i].Loss {
				t.Errorf("group %d: the loss rose: %v", g.ID, g.Losses)
			}
		}
	}
	for _, v := range s.Neurons {
		if v.Role == "mine" && (!v.Scored || v.Score <= 0 || v.Weight <= 0 || v.Incentive <= 0 || v.Earned <= 0) {
			t.Errorf("%s has score %v (%s), weight %v, incentive %v, earned %v", v.Name, v.Score, v.Reason, v.Weight, v.Incentive, v.Earned)
		}
		if v.Role == "validate" && (!v.Permit || v.Dividends <= 0) {
			t.Errorf("%s has permit %v, dividends %v", v.Name, v.Permit, v.Dividends)
		}
	}
	for _, p := range s.Procs {
		if p.Running {
			t.Errorf("%s is said to run after the end", p.Name)
		}
	}
}
