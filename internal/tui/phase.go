package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"adit/internal/local"
)

// phases are the parts of a cycle in order, and what they are called where there
// is no room.
var phases = [...]struct{ name, short string }{
	{"Distribute", "Distribute"},
	{"Train", "Train"},
	{"MinerCommit1", "MCommit1"},
	{"MinerCommit2", "MCommit2"},
	{"Submission", "Submission"},
	{"Validate", "Validate"},
	{"Merge", "Merge"},
	{"ValidatorCommit1", "VCommit1"},
	{"ValidatorCommit2", "VCommit2"},
}

// stages are what a network does before its first cycle.
var stages = [...]struct{ name, what string }{
	{"text", "the text, as tokens"},
	{"genesis", "the model to begin with"},
	{"chain", "accounts, the subnet, its neurons"},
	{"running", "validators and miners"},
}

// preparing says whether a network has yet to begin.
func preparing(s *local.Snapshot) bool {
	i := stageOf(s)
	return i >= 0 && i < len(stages)-1
}

// stageOf returns the index of the network's stage, or -1.
func stageOf(s *local.Snapshot) int {
	for i, st := range stages {
		if st.name == s.Stage {
			return i
		}
	}
	return -1
}

// round is what a network does again and again.
func round(s *local.Snapshot) (one, many string) {
	if windowed(s) {
		return "window", "windows"
	}
	return "cycle", "cycles"
}

// windowed reports whether a network lives in windows: they have no phases, and its
// miners no groups.
func windowed(s *local.Snapshot) bool { return s.Protocol == "templar" }

// cycleText says which cycle of how many it is.
func cycleText(s *local.Snapshot) string {
	n := s.Cycles + 1
	one, many := round(s)
	switch over := s.Stage != "running"; {
	case s.Goal > 0 && (over || s.Cycles >= s.Goal):
		return fmt.Sprintf("%d of %d %s done", s.Cycles, s.Goal, many)
	case over:
		return count(s.Cycles, one, many) + " done"
	case s.Goal > 0:
		return fmt.Sprintf("%s %d of %d", one, n, s.Goal)
	}
	return fmt.Sprintf("%s %d", one, n)
}

// A position is where the head of the chain stands in its phase.
type position struct {
	done, blocks uint64 // the head is the done-th of the phase's blocks
	left         time.Duration
}

// at returns the position, or false if the numbers make no phase.
func at(s *local.Snapshot) (position, bool) {
	if s.PhaseEnd < s.PhaseStart || s.Block < s.PhaseStart || s.Block > s.PhaseEnd {
		return position{}, false
	}
	// The next phase begins with the block after the last.
	left := time.Duration(min(s.PhaseEnd-s.Block+1, 1<<20)) * s.BlockTime
	return position{s.Block - s.PhaseStart + 1, s.PhaseEnd - s.PhaseStart + 1, left}, true
}

// phaseText says where the network is in its cycle.
func phaseText(s *local.Snapshot) string {
	p, ok := at(s)
	if !ok {
		return ""
	}
	text := fmt.Sprintf("block %d of %d", p.done, p.blocks)
	if p.left > 0 {
		text += fmt.Sprintf(", about %s left", span(p.left))
	}
	return text
}

// phaseLines draws the cycle: what is going on in words, the phases by name, and
// a bar under each. Only the words are kept in a narrow or low terminal.
func phaseLines(s *local.Snapshot, width int, low bool, th theme) []string {
	name := clean(s.Phase)
	if name == "" {
		return []string{" " + th.accent.Render("▸ starting") + "  " + stages[len(stages)-1].what}
	}
	lines := []string{" " + th.accent.Render("▸ "+name) + "  " + phaseText(s)}
	now := slices.IndexFunc(phases[:], func(p struct{ name, short string }) bool { return p.name == s.Phase })
	if now < 0 || low {
		return lines
	}
	for _, try := range []struct {
		short bool
		gap   string
	}{{false, "  "}, {true, "  "}, {true, " "}} {
		names, bars := phaseBars(s, now, try.short, try.gap, th)
		if 1+ansi.StringWidth(names) <= width {
			return append(lines, " "+names, " "+bars)
		}
	}
	return lines
}

func phaseBars(s *local.Snapshot, now int, short bool, gap string, th theme) (names, bars string) {
	var ns, bs []string
	for i, p := range phases {
		text, style, drawn, fraction := p.name, th.faint, th.done, 0.0
		if short {
			text = p.short
		}
		switch {
		case i < now:
			fraction = 1
		case i == now:
			style, drawn = th.accent, th.accent
			if pos, ok := at(s); ok {
				fraction = float64(pos.done) / float64(pos.blocks)
			}
		}
		ns = append(ns, style.Render(text))
		bs = append(bs, bar(fraction, ansi.StringWidth(text), drawn, th.faint))
	}
	return strings.Join(ns, gap), strings.Join(bs, gap)
}

// stageLines draws what is done before the first cycle.
func stageLines(s *local.Snapshot, width int, th theme) []string {
	now := stageOf(s)
	lines := []string{" " + th.accent.Render("▸ preparing the network")}
	for i, st := range stages {
		name := pad(st.name, 9, false)
		switch {
		case i < now:
			lines = append(lines, "   "+th.good.Render("✓")+" "+name+th.faint.Render(st.what))
		case i > now:
			lines = append(lines, "   "+th.faint.Render("· "+name+st.what))
		default:
			lines = append(lines, "   "+th.accent.Render("▸ "+name)+st.what)
			cells := min(max(width-20, 10), 60)
			drawn := bar(s.Progress.Fraction, cells, th.accent, th.faint)
			lines = append(lines, "     "+drawn+fmt.Sprintf(" %3.0f %%", 100*bounded(s.Progress.Fraction)))
			lines = append(lines, "     "+clean(s.Progress.Text))
		}
	}
	return lines
}

// bounded returns a fraction that is one.
func bounded(x float64) float64 {
	if !(x > 0) { // NaN too
		return 0
	}
	return min(x, 1)
}

// endLines stand where the cycle was.
func endLines(s *local.Snapshot, th theme) []string {
	running, _ := processes(s)
	text := "  nothing of it is running"
	if running > 0 {
		text = "  waiting for " + count(running, "process", "processes")
	}
	return []string{" " + th.accent.Render("▸ "+clean(s.Stage)) + text}
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
