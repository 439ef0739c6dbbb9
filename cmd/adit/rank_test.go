//go:build unix

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"adit/internal/local"
)

// TestRanks trains a miner of a network with two processes: the second one is
// killed, and another comes; the first one is told to end, and both do; the first
// one is killed, and the other ends by itself.
func TestRanks(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a network")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "network")
	n := up(t, dir, small(fast)...)
	n.await("a baseline to train", 0, func(e event) bool { return e.kind == "step" && e.from == "miner-0-0" })
	interrupt(t, n, n.status("children", func(s local.Snapshot) bool { return s.Stage == "running" }))

	chain := part(t, "", "chain", "serve", "--dir", filepath.Join(dir, "chain"), "--port", "0", "--block-time", "200ms", "--allow-loopback-axons")
	at, _ := chain.await("its address", 0, func(e event) bool { return e.kind == "serving" })
	train := func() *process {
		return part(t, "", "train", "--path", filepath.Join(dir, "neurons", "miner-0-0"), "--set", fmt.Sprintf("chain.endpoints=[%q]", at.attrs["url"].String()),
			"--set", "local_par.world_size=2", "--set", "local_par.port=0", "--set", "model.threads=1")
	}
	started := func(p *process, from int) (pid, next int) {
		e, next := p.await("a process that trains along", from, func(e event) bool { return e.kind == "rank" && e.number("pid") > 0 })
		if e.number("rank") != 1 || e.number("world_size") != 2 {
			t.Errorf("started %v", e.attrs)
		}
		return int(e.number("pid")), next
	}
	steps := func(p *process, from, count int) {
		for range count {
			_, from = p.await("a step", from, func(e event) bool { return e.kind == "step" })
		}
	}
	ends := func(pid int) {
		eventually(t, "the end of the process that trains along", func() bool { return !alive(pid) })
	}

	first := train()
	pid, next := started(first, 0)
	steps(first, next, 2)
	kill(t, pid)
	lost, next := first.await("that it is missed", next, func(e event) bool { return e.kind == "rank" && e.attrs["error"].String() != "<nil>" })
	if text := lost.attrs["error"].String(); !strings.Contains(text, "rank 1 of 2") {
		t.Errorf("missed: %q", text)
	}
	pid, next = started(first, next)
	steps(first, next, 2)
	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status, took := first.ended(); status != 0 || took > 5*time.Second || first.out.Len() > 0 {
		t.Errorf("it took %v to end, with status %d, and said %q", took, status, first.out.String())
	}
	ends(pid)

	second := train()
	pid, next = started(second, 0)
	steps(second, next, 1)
	kill(t, second.cmd.Process.Pid)
	ends(pid)
}
