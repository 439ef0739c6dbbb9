package tui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"adit/internal/local"
)

// shown is a model of a running network on a terminal of that size.
func shown(t *testing.T, width, height int) model {
	t.Helper()
	m := model{snapshot: runningSnapshot, snap: runningSnapshot(), now: began}
	next, cmd := m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	if cmd != nil {
		t.Fatal("a new size asks for something to be done")
	}
	return next.(model)
}

var keys = map[string]tea.KeyPressMsg{
	"q":         {Code: 'q', Text: "q"},
	"x":         {Code: 'x', Text: "x"},
	"ctrl+c":    {Code: 'c', Mod: tea.ModCtrl},
	"up":        {Code: tea.KeyUp},
	"down":      {Code: tea.KeyDown},
	"end":       {Code: tea.KeyEnd},
	"home":      {Code: tea.KeyHome},
	"pgdown":    {Code: tea.KeyPgDown},
	"tab":       {Code: tea.KeyTab},
	"shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift},
}

// TestScrolling presses keys on a terminal that is too low by several lines.
func TestScrolling(t *testing.T) {
	sc := shown(t, 100, 24).screen()
	most := sc.body - sc.room
	if most < 3 || len(sc.starts) != 3 || sc.starts[1] >= most+3 {
		t.Fatalf("body of %d lines, room for %d, sections at %v: the test wants another height", sc.body, sc.room, sc.starts)
	}
	for _, tt := range []struct {
		keys string
		top  int
	}{
		{"down", 1},
		{"down down up", 1},
		{"up", 0},
		{"end", most},
		{"end down", most},
		{"end up", most - 1},
		{"end home", 0},
		{"pgdown", min(sc.room-1, most)},
		{"tab", min(sc.starts[1], most)},
		{"end tab", 0},
		{"end shift+tab", sc.starts[1]},
		{"down shift+tab", 0},
		{"shift+tab", most},
		{"x", 0},
	} {
		m := shown(t, 100, 24)
		for _, k := range strings.Fields(tt.keys) {
			next, cmd := m.Update(keys[k])
			if cmd != nil {
				t.Errorf("%s: asks for something to be done", tt.keys)
			}
			m = next.(model)
		}
		if got := m.screen().top; got != tt.top || m.quit {
			t.Errorf("%s: the first line is %d, quit %v, want %d and false", tt.keys, got, m.quit, tt.top)
		}
	}
}

// TestNoScrolling: where all fits nothing moves, and the footer does not say so.
func TestNoScrolling(t *testing.T) {
	m := shown(t, 120, 50)
	for _, k := range []string{"down", "end", "tab", "pgdown"} {
		next, _ := m.Update(keys[k])
		m = next.(model)
	}
	sc := m.screen()
	if sc.top != 0 || strings.Contains(sc.lines[len(sc.lines)-1], "scroll") {
		t.Errorf("the first line is %d, the footer %q", sc.top, sc.lines[len(sc.lines)-1])
	}
	// On a terminal that grew, the first key starts from what is seen.
	low := shown(t, 100, 24)
	next, _ := low.Update(keys["end"])
	next, _ = next.Update(tea.WindowSizeMsg{Width: 100, Height: 50})
	next, _ = next.Update(keys["down"])
	if got := next.(model).screen().top; got != 0 {
		t.Errorf("after growing the first line is %d, want 0", got)
	}
}

func TestQuitKeys(t *testing.T) {
	for _, k := range []string{"q", "ctrl+c"} {
		next, cmd := shown(t, 100, 24).Update(keys[k])
		if !next.(model).quit || cmd == nil {
			t.Fatalf("%s: quit %v, command %v", k, next.(model).quit, cmd)
		}
		if _, ok := cmd().(tea.QuitMsg); !ok {
			t.Errorf("%s does not end the program", k)
		}
	}
}

// TestTick looks at the network again and asks for the next time.
func TestTick(t *testing.T) {
	m := shown(t, 100, 40)
	m.snapshot = func() local.Snapshot { s := runningSnapshot(); s.Block = 570; return s }
	next, cmd := m.Update(tick(began.Add(time.Minute)))
	if cmd == nil {
		t.Error("nobody will look again")
	}
	v := next.View()
	if !v.AltScreen || !strings.Contains(v.Content, "block 570") || !strings.Contains(v.Content, "up 60 s") {
		t.Errorf("alternate screen %v, content:\n%s", v.AltScreen, v.Content)
	}
}

// TestRun runs the program itself, on pipes.
func TestRun(t *testing.T) {
	t.Setenv("TERM", "xterm-256color")
	t.Run("q", func(t *testing.T) {
		var out bytes.Buffer
		if err := Run(t.Context(), strings.NewReader("q"), &out, runningSnapshot); !errors.Is(err, ErrQuit) {
			t.Errorf("Run = %v, want %v", err, ErrQuit)
		}
		on, off := strings.Index(out.String(), "\x1b[?1049h"), strings.LastIndex(out.String(), "\x1b[?1049l")
		if on < 0 || off < on {
			t.Errorf("alternate screen entered at %d, left at %d", on, off)
		}
	})
	t.Run("done", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		defer w.Close()
		calls := 0
		err := Run(ctx, r, io.Discard, func() local.Snapshot {
			if calls++; calls == 2 {
				cancel()
			}
			return runningSnapshot()
		})
		if err != nil || calls < 2 {
			t.Errorf("Run = %v after %d snapshots", err, calls)
		}
	})
	t.Run("done before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := Run(ctx, strings.NewReader(""), io.Discard, runningSnapshot); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	t.Run("dumb", func(t *testing.T) {
		t.Setenv("TERM", "dumb")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var out bytes.Buffer
		if err := Run(ctx, strings.NewReader("q"), &out, runningSnapshot); err != nil {
			t.Errorf("Run = %v", err)
		}
		if got := out.String(); strings.ContainsRune(got, '\x1b') || !strings.Contains(got, "cycle 4 of 6: Train, block 15 of 40, about 13 s left\n") {
			t.Errorf("output:\n%s", got)
		}
	})
}
