//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"adit/internal/local"
	"adit/internal/telemetry"
)

// program returns a command line of adit. It finds no home and no temporary
// directory but empty ones, which must stay so: see untouched.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), runAdit+"=1", "HOME="+untouched(t), "TMPDIR="+untouched(t))
	return cmd
}

// untouched returns a directory that must be empty when the test ends.
func untouched(t *testing.T) string {
	dir := t.TempDir()
	t.Cleanup(func() {
		list, err := os.ReadDir(dir)
		if err != nil || len(list) > 0 {
			t.Errorf("a place that is none of the network's holds %v, %v", list, err)
		}
	})
	return dir
}

// adit runs a command to its end.
func adit(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := program(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			t.Fatal(err)
		}
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// An event is a line of JSON of a network that runs with --json.
type event struct {
	from, kind, text string
	attrs            map[string]slog.Value
}

func (e event) number(key string) uint64 {
	if v, ok := e.attrs[key]; ok && v.Kind() == slog.KindInt64 {
		return uint64(v.Int64())
	}
	return 0
}

// A process is a running command that reports in JSON.
type process struct {
	t   *testing.T
	dir string // of the network, if it is one
	cmd *exec.Cmd
	out bytes.Buffer // what it writes besides reports: a network's summary, a part's errors

	mu     sync.Mutex
	events []event
	other  []string      // lines among the reports that are none
	more   chan struct{} // closed and replaced when there are more
	done   chan struct{} // closed when the process has ended
}

// A validator on two cores keeps up with blocks of 100 ms if it has them for
// itself. Other tests may run beside this one.
const (
	fast = "200ms"
	calm = "300ms"
)

// small are settings that let a cycle of 90 blocks be enough to learn something.
// The text is this repository.
func small(blockTime string, args ...string) []string {
	return append([]string{"--data", "../../internal/ledger", "--data", "../../internal/subtensor", "--miners", "1", "--genesis", "2s", "--block-time", blockTime}, args...)
}

// up starts a network in dir, which reports on standard error.
func up(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{t: t, dir: dir, cmd: program(t, append([]string{"up", "--json", "--dir", dir}, args...)...)}
	p.cmd.Stdout = &p.out
	reports, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.start(reports)
	return p
}

// part starts a part of a network, which reports on standard output.
func part(t *testing.T, env string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: program(t, append(args, "--json")...)}
	p.cmd.Env = append(p.cmd.Env, env)
	p.cmd.Stderr = &p.out
	reports, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.start(reports)
	return p
}

func (n *process) start(reports io.Reader) {
	n.t.Helper()
	n.more, n.done = make(chan struct{}), make(chan struct{})
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	go func() {
		defer close(n.done)
		n.read(reports)
		_ = n.cmd.Wait()
	}()
	n.t.Cleanup(func() {
		n.cmd.Process.Kill()
		<-n.done
		if n.t.Failed() {
			n.dump()
		}
	})
}

func (n *process) read(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, e, err := telemetry.ParseJSONLine(lines.Bytes())
		n.mu.Lock()
		if err != nil {
			n.other = append(n.other, lines.Text())
		} else {
			ev := event{kind: e.Kind, text: e.Text, attrs: make(map[string]slog.Value)}
			for _, a := range e.Attrs {
				ev.attrs[a.Key] = a.Value
			}
			ev.from = ev.attrs["from"].String()
			n.events = append(n.events, ev)
		}
		close(n.more)
		n.more = make(chan struct{})
		n.mu.Unlock()
	}
}

// dump shows what led to a failure.
func (n *process) dump() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.t.Logf("%v", n.cmd.Args[1:])
	for _, l := range n.other {
		n.t.Logf("said: %s", l)
	}
	for _, e := range n.events {
		if e.kind != "step" {
			n.t.Logf("%s %s %s %v", e.from, e.kind, e.text, e.attrs)
		}
	}
}

// await returns the first event, from the from-th on, that is wanted, and the
// number of the one after it.
func (n *process) await(what string, from int, wanted func(event) bool) (event, int) {
	n.t.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		n.mu.Lock()
		events, more := n.events, n.more
		n.mu.Unlock()
		for ; from < len(events); from++ {
			if wanted(events[from]) {
				return events[from], from + 1
			}
		}
		select {
		case <-more:
		case <-n.done:
			n.t.Fatalf("it ended before %s: %s", what, n.out.String())
		case <-deadline:
			n.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// count returns how many events have happened.
func (n *process) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.events)
}

// ended waits for the end, and returns the exit status and how long it took.
func (n *process) ended() (status int, took time.Duration) {
	n.t.Helper()
	began := time.Now()
	select {
	case <-n.done:
	case <-time.After(2 * time.Minute):
		n.t.Fatal("it does not end")
	}
	return n.cmd.ProcessState.ExitCode(), time.Since(began)
}

// summary returns what it printed at the end.
func (n *process) summary() local.Snapshot {
	n.t.Helper()
	var s local.Snapshot
	d := json.NewDecoder(&n.out)
	if err := d.Decode(&s); err != nil {
		n.t.Fatalf("read the summary: %v", err)
	}
	if rest, _ := io.ReadAll(d.Buffered()); strings.TrimSpace(string(rest)) != "" {
		n.t.Errorf("more than a summary was printed: %q", rest)
	}
	return s
}

// status asks the network for its state until it is as wanted.
func (n *process) status(what string, wanted func(local.Snapshot) bool) local.Snapshot {
	n.t.Helper()
	var s local.Snapshot
	eventually(n.t, what, func() bool {
		var err error
		s, err = local.Status(n.t.Context(), n.dir)
		return err == nil && wanted(s)
	})
	return s
}

// pid returns the number of a child's process.
func pid(t *testing.T, s local.Snapshot, name string) int {
	t.Helper()
	for _, p := range s.Procs {
		if p.Name == name {
			return p.PID
		}
	}
	t.Fatalf("there is no process %s", name)
	return 0
}

// kill ends a process without a chance to do anything about it.
func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill %d: %v", pid, err)
	}
}

// gone waits until none of a network's processes is left.
func gone(t *testing.T, s local.Snapshot) {
	t.Helper()
	if len(s.Procs) == 0 {
		t.Error("no processes to look for")
	}
	eventually(t, "the end of all processes", func() bool {
		for _, p := range s.Procs {
			// A process that was about to be started has no number yet.
			if p.PID != 0 && alive(p.PID) {
				return false
			}
		}
		return true
	})
}

// allStarted says whether a network has so many processes, and all of them run.
func allStarted(s local.Snapshot, count int) bool {
	for _, p := range s.Procs {
		if !p.Running || p.PID == 0 {
			return false
		}
	}
	return len(s.Procs) == count
}

// alive says whether a process still does something: one that has ended and
// that nobody asked about does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true // a system without /proc
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// genesisOf returns what tells the file of one genesis model from another.
func genesisOf(t *testing.T, dir string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "genesis", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return info
}
