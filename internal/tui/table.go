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
	// notes heads the rows' notes, which stand at the end of the line if there
	// is room for the longest, and otherwise below their rows.
	notes string
	// all says that every note is worth a line of its own, and may take several.
	all bool
	// brief notes are cut at the end of the line and never stand below.
	brief bool
}

type column struct {
	head  string
	short string // the head where room is scarce
	over  string // what this column and its neighbours are about
	min   int    // width it keeps, so that nothing moves when numbers grow
	max   int    // width beyond which it is cut, or 0
	right bool   // numbers
	drop  int    // columns with the highest go first; those with 0 stay
}

type row struct {
	cells []cell
	note  cell
	quiet bool // the note may be left out
}

type cell struct {
	text  string
	style lipgloss.Style
}

// A fit is how a table is laid out in a width.
type fit struct {
	shown  []int // columns
	widths []int // by column
	gap    int
	short  bool
	inline bool // notes stand in the line
	total  int  // width without notes
}

// fit finds the layout that shows most in width cells.
func (t *table) fit(width int) fit {
	f := fit{widths: make([]int, len(t.cols))}
	for c := range t.cols {
		f.shown = append(f.shown, c)
	}
	for {
		for _, f.short = range []bool{false, true} {
			f.gap = 2
			if f.short {
				f.gap = 1
			}
			t.measure(&f)
			if f.total <= width {
				room := width - f.total - 2
				f.inline = t.longest() <= room || t.brief && room >= 8
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

// longest is the width of the longest note.
func (t *table) longest() int {
	w := 0
	for _, r := range t.rows {
		w = max(w, ansi.StringWidth(r.note.text))
	}
	return w
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
	head := t.line(&f, heads)
	if f.inline && t.longest() > 0 {
		head += "  " + th.faint.Render(t.notes)
	}
	lines = append(lines, head)
	for _, r := range t.rows {
		line := t.line(&f, r.cells)
		if f.inline && r.note.text != "" {
			line += "  " + r.note.style.Render(r.note.text)
		}
		lines = append(lines, line)
		if !f.inline && r.note.text != "" && (t.all || !r.quiet) {
			lines = append(lines, t.below(r.note, width)...)
		}
	}
	for i := range lines {
		lines[i] = strings.TrimRight(cut(lines[i], width), " ")
	}
	return lines
}

// below draws a note under its row. On a screen it has one line.
func (t *table) below(note cell, width int) []string {
	lead := strings.Repeat(" ", t.indent) + "  └ "
	texts := []string{note.text}
	if t.all {
		texts = strings.Split(ansi.Wrap(note.text, max(width-t.indent-4, 10), ""), "\n")
	}
	for i, text := range texts {
		if i > 0 {
			lead = strings.Repeat(" ", t.indent+4)
		}
		texts[i] = note.style.Render(lead + text)
	}
	return texts
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
