package local

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"adit/internal/subnet"
)

// A watched is a supervised child, and what it is heard to say.
type watched struct {
	*process
	cancel context.CancelFunc
	done   chan error

	mu     sync.Mutex
	events []subnet.Event
	more   chan struct{}
}

func watch(t *testing.T, as string, change func(*process)) *watched {
	t.Helper()
	w := &watched{more: make(chan struct{}, 1), done: make(chan error, 1)}
	w.process = &process{
		name: "child", env: []string{actAs + "=" + as}, log: filepath.Join(t.TempDir(), "logs", "child.log"),
		pace: pace{first: time.Millisecond, last: 4 * time.Millisecond, longLife: time.Hour, deaths: 4, grace: 20 * time.Second},
		event: func(name string, at time.Time, e subnet.Event) {
			if name != "child" || at.IsZero() {
				t.Errorf("event of %q at %v", name, at)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
			select {
			case w.more <- struct{}{}:
			default:
			}
		},
	}
	if change != nil {
		change(w.process)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.cancel = cancel
	go func() { w.done <- w.run(ctx) }()
	t.Cleanup(func() { cancel() })
	return w
}

// await returns the n-th event of a kind, from 1.
func (w *watched) await(t *testing.T, kind string, n int) subnet.Event {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		w.mu.Lock()
		left := n
		for _, e := range w.events {
			if e.Kind == kind {
				if left--; left == 0 {
					w.mu.Unlock()
					return e
				}
			}
		}
		w.mu.Unlock()
		select {
		case <-w.more:
		case <-deadline:
			t.Fatalf("waited in vain for %d times %q; there are %v", n, kind, w.events)
		}
	}
}

// end waits until the supervision is over.
func (w *watched) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-w.done:
		if s := w.snapshot(); s.Running {
			t.Errorf("process %d is said to run after its end", s.PID)
		}
		return err
	case <-time.After(time.Minute):
		t.Fatal("the supervision does not end")
		return nil
	}
}

func (w *watched) logged(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(w.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestProcessKilled(t *testing.T) {
	t.Parallel()
	w := watch(t, "good", nil)
	before := w.snapshot()
	if before.Name != "child" || before.Log != w.log {
		t.Errorf("snapshot before the start: %+v", before)
	}
	// Deaths by another's hand do not count, however many.
	for i := range 6 {
		e := w.await(t, "said", i+1)
		s := w.snapshot()
		if got := e.Attrs[0].Value.Int64(); !s.Running || int64(s.PID) != got || s.Restarts != i {
			t.Errorf("snapshot %+v of the process %d after %d restarts", s, got, i)
		}
		p, err := os.FindProcess(s.PID)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		died := w.await(t, "died", i+1)
		if cause := attrs(died.Attrs).text("error"); !strings.Contains(cause, "killed") {
			t.Errorf("it died by %q", cause)
		}
	}
	w.await(t, "said", 7)
	w.cancel()
	if err := w.end(t); err != nil {
		t.Errorf("run error = %v", err)
	}
	if log := w.logged(t); strings.Count(log, "ready") != 7 {
		t.Errorf("the log of seven lives is\n%s", log)
	}
}

func TestProcessThatCannotLive(t *testing.T) {
	t.Parallel()
	for _, vital := range []bool{true, false} {
		w := watch(t, "broken", func(p *process) { p.vital = vital })
		err := w.end(t)
		w.await(t, "died", 3) // and not a fourth time
		const want = "child ended 4 times in a row, at last with: exit status 1: write x: no space left on device"
		if vital {
			if err == nil || err.Error() != want || subnet.Hint(err) != "free some space" {
				t.Errorf("run error = %v, hint %q", err, subnet.Hint(err))
			}
			continue
		}
		if err != nil {
			t.Errorf("run error of one that can be done without = %v", err)
		}
		if e := attrs(w.await(t, "given-up", 1).Attrs); e.text("error") != want || e.text("hint") != "free some space" {
			t.Errorf("it was given up with %v", e)
		}
		if log := w.logged(t); strings.Count(log, "no space left") != 4 {
			t.Errorf("the log is\n%s", log)
		}
	}
}

func TestProcessLastWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ as, want string }{
		{"panics", "exit status 2: panic: a bug of ours"},
		{"garbage", "exit status 3: on standard error"},
		{"quiet", "exit status 0"},
	} {
		w := watch(t, tt.as, nil)
		if cause := attrs(w.await(t, "died", 1).Attrs).text("error"); cause != tt.want {
			t.Errorf("%s died by %q, want %q", tt.as, cause, tt.want)
		}
		w.cancel()
		w.end(t)
	}
}

func TestProcessThatIsDeaf(t *testing.T) {
	t.Parallel()
	w := watch(t, "deaf", func(p *process) { p.pace.grace = 50 * time.Millisecond })
	w.await(t, "said", 1)
	w.cancel()
	if err := w.end(t); err != nil {
		t.Errorf("run error = %v", err)
	}
}

func TestProcessGarbage(t *testing.T) {
	t.Parallel()
	w := watch(t, "garbage", nil)
	if e := w.await(t, "said", 1); e.Text != "a report" {
		t.Errorf("event %+v", e)
	}
	w.await(t, "died", 1)
	w.cancel()
	w.end(t)
	// Standard error is read beside the rest, and may come at any place of it.
	before, after, heard := strings.Cut(w.logged(t), "on standard error\n")
	if !heard {
		t.Error("the log lacks what came on standard error")
	}
	log := strings.Split(before+after, "\n")
	for _, want := range []string{"not a report", `{"time":"yesterday"}`, strings.Repeat("long", maxLine), "cut off"} {
		if !slices.Contains(log, want) {
			t.Errorf("the log lacks the line %.20q…", want)
		}
	}
	if !slices.ContainsFunc(log, func(l string) bool { return strings.Contains(l, "] a report ") }) {
		t.Error("the log lacks the report")
	}
}
