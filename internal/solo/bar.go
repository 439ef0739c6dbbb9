package solo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// Bar is a Watcher that draws how far the work is on the last line of a terminal,
// again and again. Lines that are to stay go above it. The colours follow NO_COLOR
// and the terminal's abilities.
type Bar struct {
	w     io.Writer
	width func() int // cells of the terminal
	drawn bool       // there is something on the line
	last  time.Time  // when it was drawn
	stage string
	plan  Plan
	step  *Step // the last one
	now   func() time.Time
}

// NewBar returns a bar on the terminal w, which has so many cells in a line.
func NewBar(w io.Writer, width func() int) *Bar { return &Bar{w: w, width: width, now: time.Now} }

// redraw is how often the bar is drawn at the most.
const redraw = 100 * time.Millisecond

const (
	barCells   = 24 // of a gauge
	leastCells = 8  // of one where there is little room
	clearLine  = "\r\x1b[K"
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
)

// line shows a text in place of what is there. The last cell stays free: a
// terminal may go on to the next line as soon as it is filled.
func (b *Bar) line(text string) {
	hide := ""
	if !b.drawn {
		hide = hideCursor
	}
	b.drawn, b.last = true, b.now()
	fmt.Fprint(b.w, hide+clearLine)
	lipgloss.Fprint(b.w, ansi.Truncate(text, max(b.width()-1, 1), "…"))
}

// due reports whether it is time to draw again.
func (b *Bar) due() bool { return b.now().Sub(b.last) >= redraw }

// Close leaves the terminal as it was.
func (b *Bar) Close() {
	if b.drawn {
		fmt.Fprint(b.w, clearLine+showCursor)
		b.drawn = false
	}
}

// above writes a line that stays, and draws the bar again below it.
func (b *Bar) above(format string, args ...any) {
	b.Close()
	fmt.Fprintf(b.w, "adit: "+format+"\n", args...)
	b.last = time.Time{}
	if b.step != nil {
		b.Step(*b.step)
	}
}

// gauge draws a part from 0 to 1.
func gauge(part float64, cells int) string {
	if !(part > 0) { // NaN too
		part = 0
	}
	n := min(cells, int(part*float64(cells)+0.5))
	done := lipgloss.NewStyle().Foreground(lipgloss.Cyan)
	return done.Render(strings.Repeat("━", n)) + lipgloss.NewStyle().Faint(true).Render(strings.Repeat("─", cells-n))
}

// Stage draws how much of a stage is done.
func (b *Bar) Stage(what string, done, total int64) {
	if what == b.stage && !b.due() {
		return
	}
	b.stage = what
	text := what
	if b.step != nil {
		text = countText(*b.step) + "  " + what
	}
	if total > 0 {
		part := float64(done) / float64(total)
		text = fmt.Sprintf("%s  %s %3.0f%%", text, gauge(part, barCells), 100*part)
	}
	b.line(text)
}

// Note writes a line above the bar.
func (b *Bar) Note(text string) { b.above("%s", text) }

// Begin writes what is about to be trained.
func (b *Bar) Begin(p Plan) {
	b.plan = p
	b.above("training %s", planText(p))
}

// Step draws the bar.
func (b *Bar) Step(s Step) {
	b.step = &s
	if b.stage == "" && !b.due() && s.Step != s.Total {
		return
	}
	b.stage = ""
	b.line(b.stepLine(s))
}

// stepLine is a step with a gauge, without what there is no room for.
func (b *Bar) stepLine(s Step) string {
	room := b.width() - 1 - ansi.StringWidth(countText(s)) - 4
	parts := stepParts(s)
	text := strings.Join(parts, "  ")
	for len(parts) > 1 && room-len(text) < leastCells {
		parts = parts[:len(parts)-1]
		text = strings.Join(parts, "  ")
	}
	cells := max(leastCells, min(room-len(text), barCells))
	return fmt.Sprintf("%s  %s  %s", countText(s), gauge(s.Spent, cells), text)
}

// Evaluated writes a line above the bar.
func (b *Bar) Evaluated(e Evaluated) { b.above("step %d: %s", e.Step, evaluatedText(e)) }

// Saved says so on the bar's line alone: it happens again and again.
func (b *Bar) Saved(Saved) { b.stage = "saved" }
