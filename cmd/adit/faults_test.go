//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"adit/internal/local"
)

// TestFaults is what takes longer than a test should: conformance/faults/run.sh
// runs it. ADIT_FAULTS is the seed of the moments at which processes are killed.
func TestFaults(t *testing.T) {
	var seed uint64
	if _, err := fmt.Sscan(os.Getenv("ADIT_FAULTS"), &seed); err != nil {
		t.Skip("ADIT_FAULTS is not set: see conformance/faults")
	}
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))

	// Every child is killed once, at any moment of a cycle; after that a whole
	// cycle must go well.
	dir := filepath.Join(t.TempDir(), "net")
	t.Run("first cycle", func(t *testing.T) {
		n := up(t, dir, small(fast, "--cycles", "1")...)
		if status, _ := n.ended(); status != 0 {
			t.Fatalf("status %d", status)
		}
		checkCycle(t, n.summary(), 1)
	})
	for _, victim := range []string{"chain", "hub", "validator-0", "miner-0-0", "miner-1-0"} {
		t.Run("kill "+victim, func(t *testing.T) { killChild(t, dir, victim, rnd) })
	}
	t.Run("kill everything", func(t *testing.T) { killAll(t, dir, rnd) })
	t.Run("a cycle after all that", func(t *testing.T) {
		n := up(t, dir, small(fast, "--cycles", "1")...)
		wholeCycle(n, 0, n.status("its goal", func(s local.Snapshot) bool { return s.Goal > 1 }).FirstCycle+1)
		if status, _ := n.ended(); status != 0 {
			t.Fatalf("status %d", status)
		}
		gone(t, n.summary())
	})
	t.Run("a child that does not listen", func(t *testing.T) { stopped(t, dir) })
	t.Run("terminals", func(t *testing.T) { terminals(t, dir) })
	t.Run("kill the supervisor while it prepares", func(t *testing.T) { killEarly(t, rnd) })
}

// killChild kills one process at a random moment of a cycle, and waits until a
// later one has gone well.
func killChild(t *testing.T, dir, victim string, rnd *rand.Rand) {
	n := up(t, dir, small(fast)...)
	s := n.status("the network", func(s local.Snapshot) bool { return s.Stage == "running" && s.Block > 0 })
	at := s.Block + 5 + rnd.Uint64N(90)
	s = n.status("the moment", func(s local.Snapshot) bool { return s.Block >= at })
	t.Logf("kill %s at block %d, in %s of cycle %d", victim, s.Block, s.Phase, s.Cycle)
	seen := n.count()
	kill(t, pid(t, s, victim))
	n.await("the news of a death", seen, func(e event) bool { return e.kind == "died" && e.from == victim })
	wholeCycle(n, seen, s.Cycle+1)
	interrupt(t, n, n.status("children", func(s local.Snapshot) bool { return allStarted(s, 5) }))
}

// wholeCycle waits until a cycle, of that number or a later one, has gone well: both
// miners' submissions were evaluated, and the next baselines published.
func wholeCycle(n *process, seen int, least uint64) {
	n.t.Helper()
	type submission struct {
		cycle  uint64
		hotkey string
	}
	went := make(map[submission]bool)
	count := make(map[uint64]int)
	n.await("a whole cycle", seen, func(e event) bool {
		cycle := e.number("cycle")
		if e.kind == "score" && e.attrs["loss"].Kind() == slog.KindFloat64 && e.attrs["loss"].Float64() > 0 {
			if s := (submission{cycle, e.attrs["hotkey"].String()}); !went[s] {
				went[s] = true
				count[cycle]++
			}
		}
		return e.from == "validator-0" && e.kind == "commit2" && cycle >= least && count[cycle] == 2
	})
}

// killAll kills every child and the supervisor at once.
func killAll(t *testing.T, dir string, rnd *rand.Rand) {
	n := up(t, dir, small(fast)...)
	s := n.status("the network", func(s local.Snapshot) bool { return s.Stage == "running" && s.Block > 0 && allStarted(s, 5) })
	at := s.Block + 5 + rnd.Uint64N(85)
	s = n.status("the moment", func(s local.Snapshot) bool { return s.Block >= at })
	t.Logf("kill everything at block %d, in %s", s.Block, s.Phase)
	for _, p := range s.Procs {
		kill(t, p.PID)
	}
	kill(t, n.cmd.Process.Pid)
	n.ended()
	gone(t, s)
}

// stopped ends a network whose miner is stopped, and cannot take notice.
func stopped(t *testing.T, dir string) {
	n := up(t, dir, small(fast)...)
	s := n.status("children", func(s local.Snapshot) bool { return s.Stage == "running" && allStarted(s, 5) })
	if err := syscall.Kill(pid(t, s, "miner-0-0"), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	interrupt(t, n, s)
}

// terminals mines in the guides' two terminals, over the directory that a miner
// of the network has, against a chain, a hub and a validator by themselves.
func terminals(t *testing.T, dir string) {
	neurons := membersOf(t, dir)
	in := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	url := func(p *process) string {
		e, _ := p.await("its address", 0, func(e event) bool { return e.kind == "serving" })
		return e.attrs["url"].String()
	}
	chain := part(t, "", "chain", "serve", "--dir", in("chain"), "--port", "0", "--block-time", "200ms", "--allow-loopback-axons")
	hub := part(t, "", "hub", "serve", "--dir", in("hub"), "--port", "0", "--tokens", in("hub", "tokens.txt"))
	where := func(command ...string) []string {
		return append(command, "--set", fmt.Sprintf("chain.endpoints=[%q]", url(chain)), "--set", "hf.endpoint="+url(hub),
			"--set", "cycle.validator_whitelist=["+neurons["validator-0"].Hotkey+"]")
	}
	token := func(name string) string { return "HF_TOKEN=" + neurons[name].Token }
	miner := in("neurons", "miner-0-0")
	parts := []*process{
		part(t, token("validator-0"), where("validate", "connito", "--path", in("neurons", "validator-0"))...),
		part(t, "", where("train", "--path", miner)...),
		part(t, token("miner-0-0"), where("model-io", "--path", miner)...),
	}
	train, io := parts[1], parts[2]
	train.await("training", 0, func(e event) bool { return e.kind == "setup" })
	io.await("the chain", 0, func(e event) bool { return e.kind == "sync" })

	// One process more would do the work of both.
	_, errs, status := adit(t, where("mine", "connito", "--path", miner)...)
	if status != 1 || !strings.Contains(errs, "another process holds it") || !strings.Contains(errs, "\nhint: process ") {
		t.Errorf("mine beside train and model-io: status %d, said %q", status, errs)
	}
	done, _ := io.await("a submission", 0, func(e event) bool { return e.kind == "commit2" })
	parts[0].await("its score", 0, func(e event) bool {
		return e.kind == "score" && e.number("cycle") == done.number("cycle") && e.attrs["hotkey"].String() == neurons["miner-0-0"].Hotkey && e.attrs["loss"].Float64() > 0
	})
	for _, p := range append(parts, hub, chain) {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if status, took := p.ended(); status != 0 || took > 5*time.Second || p.out.Len() > 0 {
			t.Errorf("%v took %v to end, with status %d, and said %q", p.cmd.Args[1:3], took, status, p.out.String())
		}
	}
}

// A member is a neuron in network.json.
type member struct {
	Name, Role, Token, Hotkey string
	Port                      int
}

func membersOf(t *testing.T, dir string) map[string]member {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "network.json"))
	if err != nil {
		t.Fatal(err)
	}
	var plan struct{ Neurons []member }
	if err := json.Unmarshal(text, &plan); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]member)
	for _, m := range plan.Neurons {
		all[m.Name] = m
	}
	return all
}

// killEarly kills the supervisor at five moments of a new network's preparation;
// what comes after goes on from there.
func killEarly(t *testing.T, rnd *rand.Rand) {
	dir := filepath.Join(t.TempDir(), "net")
	for i := range 5 {
		n := up(t, dir, small(fast)...)
		wait := time.Duration(rnd.Int64N(int64(time.Duration(i+1) * time.Second)))
		select {
		case <-time.After(wait):
		case <-n.done:
			t.Fatal("ended by itself")
		}
		s, err := local.Status(t.Context(), dir)
		t.Logf("kill it after %v, in %s", wait, s.Stage)
		kill(t, n.cmd.Process.Pid)
		n.ended()
		if err == nil && len(s.Procs) > 0 {
			gone(t, s)
		}
	}
	n := up(t, dir, small(fast, "--cycles", "1")...)
	if status, _ := n.ended(); status != 0 {
		t.Fatalf("status %d", status)
	}
	s := n.summary()
	// A validator that is killed between a model and its loss does not tell that
	// loss again; but the latest must be there.
	for _, g := range s.Groups {
		if k := len(g.Losses); k == 0 || g.Losses[k-1].Cycle != s.Cycle-1 {
			t.Errorf("losses of group %d at the beginning of cycle %d: %v", g.ID, s.Cycle, g.Losses)
		}
	}
}
