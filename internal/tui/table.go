package tui

import (
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// A table is rows of aligned cells. It gives up columns rather than the width
// it is given.
type table struct {
	indent int
	cols   []column
	rows   []row
	// notes heads the rows' notes. A note stands at the end of its line if there
	// is room, and otherwise below, if it is worth at least that much, in at
	// most so many lines.
	notes   string
	worth   worth
	maxNote int
	// brief notes are cut at the end of the line and never stand below.
	brief bool
}

// A worth says what room a note deserves.
type worth int

const (
	ifEmpty worth = iota // nobody misses it
	ifRoom
	always
)

type column struct {
	head  string
	short string // the head where room is scarce
	over  string // what this column and its neighbours are about
	min   int    // width it keeps, so that nothing moves when numbers grow
	max   int    // width beyond which it is cut, or 0
	brief int    // width that will do where room is scarce, or 0
	right bool   // numbers
	drop  int    // columns with the highest go first; those with 0 stay
}

type row struct {
	cells []cell
	note  cell
	worth worth // of the note
}

type cell struct {
	text  string
	style lipgloss.Style
}

// remove takes a column out, with its cells.
func (t *table) remove(c int) {
	t.cols = slices.Delete(t.cols, c, c+1)
	for i := range t.rows {
		t.rows[i].cells = slices.Delete(t.rows[i].cells, c, c+1)
	}
}

// A fit is how a table is laid out in a width.
type fit struct {
	shown  []int // columns
	widths []int // by column
	gap    int
	short  bool
	total  int // width without notes
	room   int // for a note in the line, or 0
}

// minNote is the least room for notes that is used: that of most reasons for a
// score.
const minNote = 19

// fit finds the layout that shows most in width cells.
func (t *table) fit(width int) fit {
	f := fit{widths: make([]int, len(t.cols))}
	for c := range t.cols {
		f.shown = append(f.shown, c)
	}
	for {
		for _, try := range []struct {
			short bool
			gap   int
		}{{false, 2}, {true, 2}, {true, 1}} {
			f.short, f.gap = try.short, try.gap
			t.measure(&f)
			if f.total <= width {
				if room := width - f.total - 2; room >= minNote || t.brief && room >= minNote/2 {
					f.room = room
				}
				return f
			}
		}
		worst := 0
		for i, c := range f.shown {
			if t.cols[c].drop > t.cols[f.shown[worst]].drop {
				worst = i
			}
		}
		if len(f.shown) == 0 || t.cols[f.shown[worst]].drop == 0 {
			return f // the lines are cut
		}
		f.shown = append(f.shown[:worst:worst], f.shown[worst+1:]...)
	}
}

// measure sets the widths.
func (t *table) measure(f *fit) {
	f.total = t.indent + f.gap*(len(f.shown)-1)
	for _, c := range f.shown {
		col := t.cols[c]
		w := max(col.min, ansi.StringWidth(t.head(c, f)))
		for _, r := range t.rows {
			w = max(w, ansi.StringWidth(r.cells[c].text))
		}
		if col.max > 0 {
			w = min(w, col.max)
		}
		if f.short && col.brief > 0 {
			w = min(w, max(col.brief, ansi.StringWidth(t.head(c, f))))
		}
		f.widths[c] = w
		f.total += w
	}
}

func (t *table) head(c int, f *fit) string {
	if f.short && t.cols[c].short != "" {
		return t.cols[c].short
	}
	return t.cols[c].head
}

// lines draws the table. The first column's head is its title.
func (t *table) lines(width int, th theme) []string {
	f := t.fit(width)
	var lines []string
	if slices.ContainsFunc(f.shown, func(c int) bool { return t.cols[c].over != "" }) {
		lines = append(lines, t.overs(&f, th))
	}
	heads := make([]cell, len(t.cols))
	for _, c := range f.shown {
		heads[c] = cell{t.head(c, &f), th.faint}
	}
	heads[0].style = th.title
	title, said := len(lines), false
	lines = append(lines, t.line(&f, heads))
	for _, r := range t.rows {
		line, note := t.line(&f, r.cells), r.note.text
		inline := note != "" && f.room > 0 && (t.brief || ansi.StringWidth(note) <= f.room)
		if inline {
			line += "  " + r.note.style.Render(cut(note, f.room))
		}
		lines = append(lines, line)
		switch {
		case inline && !said:
			lines[title] += "  " + th.faint.Render(t.notes)
			said = true
		case note != "" && !inline && !t.brief && r.worth >= t.worth:
			lines = append(lines, t.below(r.note, width)...)
		}
	}
	for i := range lines {
		lines[i] = strings.TrimRight(cut(lines[i], width), " ")
	}
	return lines
}

// below draws a note under its row.
func (t *table) below(note cell, width int) []string {
	lead := strings.Repeat(" ", t.indent) + "  └ "
	lines := wrapped(lead, note.text, width)
	if over := len(lines) - t.maxNote; over > 0 {
		lines = lines[:t.maxNote]
		lines[len(lines)-1] = cut(lines[len(lines)-1]+" …", width)
	}
	for i, line := range lines {
		lines[i] = note.style.Render(line)
	}
	return lines
}

// wrapped breaks a text into lines of at most width columns, after a lead.
func wrapped(lead, text string, width int) []string {
	indent := ansi.StringWidth(lead)
	lines := strings.Split(ansi.Wrap(text, max(width-indent, 20), ""), "\n")
	for i, line := range lines {
		lines[i] = cut(lead+line, width)
		lead = strings.Repeat(" ", indent)
	}
	return lines
}

func (t *table) line(f *fit, cells []cell) string {
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", t.indent))
	for i, c := range f.shown {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", f.gap))
		}
		text := cells[c].style.Render(cut(cells[c].text, f.widths[c]))
		b.WriteString(pad(text, f.widths[c], t.cols[c].right))
	}
	return b.String()
}

// overs draws what neighbouring columns are about, with a rule as long as they
// are wide.
func (t *table) overs(f *fit, th theme) string {
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", t.indent))
	for i := 0; i < len(f.shown); {
		over := t.cols[f.shown[i]].over
		w := f.widths[f.shown[i]]
		j := i + 1
		for ; j < len(f.shown) && t.cols[f.shown[j]].over == over; j++ {
			w += f.gap + f.widths[f.shown[j]]
		}
		text := ""
		if over != "" {
			text = cut(over, w)
			if rest := w - ansi.StringWidth(text) - 1; rest > 0 {
				text += " " + strings.Repeat("─", rest)
			}
		}
		if i > 0 {
			b.WriteString(strings.Repeat(" ", f.gap))
		}
		b.WriteString(th.faint.Render(pad(text, w, false)))
		i = j
	}
	return b.String()
}
