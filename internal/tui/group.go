package tui

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"adit/internal/local"
)

// losses returns the baseline's losses of a group, the genesis model's first.
// Until a validator reports that one it is the supervisor's measurement.
func losses(s *local.Snapshot, g *local.Group) []float64 {
	var xs []float64
	for _, l := range g.Losses {
		xs = append(xs, l.Loss)
	}
	if len(xs) == 0 {
		for _, l := range s.Genesis {
			if l.Group == g.ID {
				return []float64{l.Loss}
			}
		}
	}
	return xs
}

// domain names a group by its text.
func domain(g *local.Group) string {
	if d := clean(g.Domain); d != "" {
		return d
	}
	return fmt.Sprintf("group %d", g.ID)
}

// against says how far a loss is below the bigram model's, or above.
func against(loss, bigram float64) string {
	switch d := bigram - loss; {
	case bigram == 0 || loss == 0 || math.IsNaN(d) || math.Abs(d) >= tooLarge:
		return ""
	case d >= 0:
		return fmt.Sprintf("%.3f below", d)
	default:
		return fmt.Sprintf("%.3f above", -d)
	}
}

// groupLines draws the held-out losses: where each group is, how far from where
// it began, and on which side of the bigram model.
func groupLines(s *local.Snapshot, width int, th theme) []string {
	t := table{indent: 1, cols: []column{
		{head: "HELD-OUT LOSS", min: 14, max: 24},
		{head: "now", min: 6, right: true},
		{head: "vs genesis", short: "vs gen", min: 7, right: true},
		{head: "bigram", min: 6, right: true},
		{head: "", min: 11},
		{head: "trend", min: 5, drop: 1},
		{head: "genesis, then each cycle", short: "genesis, cycles", min: 12, drop: 2},
	}}
	history := len(t.cols) - 1
	if one, many := round(s); windowed(s) {
		t.cols[history].head, t.cols[history].short = "genesis, then each "+one+" that was measured", "genesis, "+many
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		r := row{cells: []cell{
			{text: "  " + domain(g)}, {none, th.faint}, {none, th.faint}, {loss(g.Bigram), th.faint}, {}, {}, {},
		}}
		if xs := losses(s, g); len(xs) > 0 {
			last := xs[len(xs)-1]
			r.cells[1] = cell{loss(last), th.strong}
			if len(xs) > 1 {
				r.cells[2] = cell{change(xs[0], last), th.strong}
				if last < xs[0] {
					r.cells[2].style = th.good
				}
			}
			r.cells[4] = cell{against(last, g.Bigram), th.faint}
			if last < g.Bigram {
				r.cells[4].style = th.good
			}
			r.cells[5] = cell{sparkline(xs, 12), th.done}
		}
		t.rows = append(t.rows, r)
	}
	// The history has what the others leave, the latest losses first to stay.
	f := t.fit(width)
	if slices.Contains(f.shown, history) {
		room := f.widths[history] + max(0, width-f.total)
		for i := range s.Groups {
			t.rows[i].cells[history] = cell{recent(losses(s, &s.Groups[i]), room), th.faint}
		}
	}
	return t.lines(width, th)
}

// recent lists losses in width cells: the first one, and of the others as many of
// the last as there is room for.
func recent(xs []float64, width int) string {
	if len(xs) == 0 {
		return ""
	}
	texts := make([]string, len(xs))
	for i, x := range xs {
		texts[i] = loss(x)
	}
	for from := 1; from < len(texts); from++ {
		all := texts[0] + "  "
		if from > 1 {
			all += "… "
		}
		if all += strings.Join(texts[from:], " "); ansi.StringWidth(all) <= width {
			return all
		}
	}
	return texts[0]
}
