package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"adit/internal/local"
)

// ErrQuit is what [Run] returns when the person in front of the terminal wants
// the network to end.
var ErrQuit = errors.New("quit")

const (
	refresh = 250 * time.Millisecond
	// framesPerSecond is how soon a key is answered. Drawing takes time from
	// the training.
	framesPerSecond = 20
)

// Run shows a network until ctx is done, which is no error, or until q or Ctrl-C
// is pressed: [ErrQuit]. It calls snapshot about four times a second, from one
// goroutine. The terminal is as it was when Run returns, also after a panic.
//
// The colours follow NO_COLOR and the terminal's abilities. A terminal that
// cannot move its cursor (TERM=dumb) gets a line for each thing that happens.
func Run(ctx context.Context, in io.Reader, out io.Writer, snapshot func() local.Snapshot) error {
	if term := os.Getenv("TERM"); term == "dumb" || term == "" && runtime.GOOS != "windows" {
		return tell(ctx, out, snapshot)
	}
	m := model{snapshot: snapshot, snap: snapshot(), now: time.Now(), theme: colours()}
	// Signals are the caller's, who ends ctx.
	p := tea.NewProgram(m, tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond))

	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(ended); p.Quit() })
	last, err := p.Run()
	if !stop() {
		<-ended
	}
	switch m, ok := last.(model); {
	case err != nil:
		return fmt.Errorf("show the network: %w", err)
	case ok && m.quit:
		return ErrQuit
	}
	return nil
}

// A model is what is on the terminal.
type model struct {
	snapshot func() local.Snapshot
	snap     local.Snapshot
	now      time.Time
	theme    theme

	width, height int
	top           int  // of the middle part, the first line shown
	quit          bool // the person wants the network to end
}

// A tick is the time at which the snapshot is looked at again.
type tick time.Time

func next() tea.Cmd {
	return tea.Tick(refresh, func(t time.Time) tea.Msg { return tick(t) })
}

// Init starts the clock.
func (m model) Init() tea.Cmd { return next() }

// Update takes in the time, the size of the terminal, and keys.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tick:
		m.snap, m.now = m.snapshot(), time.Time(msg)
		return m, next()
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m.key(msg.String())
	}
	return m, nil
}

func (m model) key(name string) (tea.Model, tea.Cmd) {
	sc := m.screen()
	m.top = sc.top // a smaller snapshot or a larger terminal may have moved it
	switch name {
	case "q", "ctrl+c":
		m.quit = true
		return m, tea.Quit
	case "up", "k":
		m.top--
	case "down", "j":
		m.top++
	case "pgup", "b":
		m.top -= max(1, sc.room-1)
	case "pgdown", "space":
		m.top += max(1, sc.room-1)
	case "home", "g":
		m.top = 0
	case "end", "G":
		m.top = sc.body
	case "tab":
		m.top = sc.after(m.top)
	case "shift+tab":
		m.top = sc.before(m.top)
	}
	m.top = max(0, min(m.top, sc.body-sc.room))
	return m, nil
}

// after returns the start of the next section that is not at the top yet, or
// the first one's if the end is already on the screen.
func (sc *screen) after(top int) int {
	for _, start := range sc.starts {
		if start > top && top < sc.body-sc.room {
			return start
		}
	}
	return 0
}

// before returns the start of the section before the one at the top.
func (sc *screen) before(top int) int {
	if top == 0 {
		return sc.body
	}
	before := 0
	for _, start := range sc.starts {
		if start < top {
			before = start
		}
	}
	return before
}

func (m model) screen() screen {
	return layout(&m.snap, m.now, m.width, m.height, m.top, m.theme)
}

// View draws the screen.
func (m model) View() tea.View {
	v := tea.NewView(strings.Join(m.screen().lines, "\n"))
	v.AltScreen = true
	return v
}
