package tui

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"adit/internal/local"
)

// Summary writes what a network is and what came of it as plain text of at most
// width columns: where everything is, the held-out losses of each cycle, and for
// each miner what it got and why. Without a width it takes 80. What cannot be
// written is lost, as with any output of a command.
func Summary(w io.Writer, s local.Snapshot, width int) {
	if width <= 0 {
		width = 80
	}
	width = max(width, 40)
	var lines []string
	for _, part := range [][]string{
		summaryHead(&s, width), summaryLosses(&s, width), summaryMiners(&s, width), summaryValidators(&s, width), summaryNotices(&s, width),
	} {
		if len(part) > 0 {
			lines = append(append(lines, part...), "")
		}
	}
	for _, line := range lines[:len(lines)-1] {
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

// summaryHead says which network it is, how far it has come, and where it is.
// Paths and addresses are never cut: they are there to be copied.
func summaryHead(s *local.Snapshot, width int) []string {
	facts := []string{"Network with rules " + clean(s.Rules) + ": " + clean(s.Stage)}
	if !preparing(s) {
		facts = append(facts, cycleText(s))
	}
	if s.Block > 0 {
		facts = append(facts, fmt.Sprintf("block %d", s.Block))
	}
	lines := wrapped("", strings.Join(facts, ", "), width)
	if preparing(s) {
		lines = append(lines, wrapped("  done   ", fmt.Sprintf("%.0f %%, %s", 100*bounded(s.Progress.Fraction), clean(s.Progress.Text)), width)...)
	} else if text := phaseText(s); text != "" && s.Stage == "running" {
		lines = append(lines, wrapped("  phase  ", clean(s.Phase)+", "+text, width)...)
	}
	for _, f := range []struct{ name, text string }{
		{"dir", clean(s.Dir)}, {"logs", logDir(s)}, {"chain", clean(s.ChainURL)}, {"hub", clean(s.HubURL)},
		{"s3", clean(s.S3URL)}, {"pages", clean(s.PagesURL)},
	} {
		if f.text != "" {
			if f.name == "chain" {
				f.text += fmt.Sprintf("  netuid %d", s.NetUID)
			}
			lines = append(lines, "  "+pad(f.name, 7, false)+f.text)
		}
	}
	if running, restarts := processes(s); running+len(restarts) > 0 {
		text := fmt.Sprintf("%d of %d running", running, len(s.Procs))
		if len(restarts) > 0 {
			text += ", restarted " + strings.Join(restarts, ", ")
		}
		lines = append(lines, wrapped("  procs  ", text, width)...)
	}
	return lines
}

// maxLosses is how many cycles a summary lists; of more it leaves out the middle.
const maxLosses = 30

// summaryLosses lists the held-out losses, a line for each cycle and a column
// for each group, and as many groups beside one another as there is room for.
func summaryLosses(s *local.Snapshot, width int) []string {
	const label, each = 10, 20
	var lines []string
	if len(s.Groups) == 0 {
		return nil
	}
	lines = append(lines, "Held-out loss in nats a token, and how far it is from the genesis model's")
	for groups := range slices.Chunk(s.Groups, max(1, (width-label)/each)) {
		longest := 0
		one, many := round(s)
		head, bigram, side := pad("  "+one, label, false), pad("  bigram", label, false), pad("", label, false)
		for i := range groups {
			g := &groups[i]
			xs := losses(s, g)
			longest = max(longest, len(xs))
			head += pad("  "+cut(domain(g), each-3), each, false)
			bigram += pad("  "+pad(loss(g.Bigram), 6, true), each, false)
			text := ""
			if len(xs) > 0 {
				text = against(xs[len(xs)-1], g.Bigram)
			}
			if text != "" {
				text = "  " + text + " it"
			}
			side += pad(text, each, false)
		}
		lines = append(lines, head)
		for c := range longest {
			if longest > maxLosses && c == 2 {
				lines = append(lines, fmt.Sprintf("  … %d %s …", longest-maxLosses, many))
			}
			if longest > maxLosses && c >= 2 && c < 2+longest-maxLosses {
				continue
			}
			lines = append(lines, lossRow(s, groups, c, label, each))
		}
		lines = append(lines, bigram)
		if strings.TrimSpace(side) != "" {
			lines = append(lines, side)
		}
	}
	for i, line := range lines {
		lines[i] = cut(line, width)
	}
	return lines
}

// lossRow is the c-th loss of each group.
func lossRow(s *local.Snapshot, groups []local.Group, c, label, each int) string {
	name := "genesis"
	if c > 0 {
		name = fmt.Sprint(c)
	}
	if l := groups[0].Losses; windowed(s) && c > 0 && c < len(l) { // not each window is measured
		name = fmt.Sprint(l[c].Cycle - s.FirstCycle + 1)
	}
	line := pad("  "+name, label, false)
	for i := range groups {
		xs := losses(s, &groups[i])
		text := ""
		if c < len(xs) {
			text = pad(loss(xs[c]), 6, true)
			if c > 0 {
				text += "  " + pad(change(xs[0], xs[c]), 8, true)
			}
		}
		line += pad("  "+text, each, false)
	}
	return line
}

// summaryMiners lists what each miner got in the last round and from the last
// epoch, and why.
func summaryMiners(s *local.Snapshot, width int) []string {
	t := table{indent: 0, notes: "why", maxNote: 8, cols: []column{
		{head: "Miners", min: 12, max: 24},
		{head: "uid", min: 3, right: true},
		{head: "group", short: "grp", min: 3, right: true, drop: 2},
		{head: "val loss", short: "val", min: 6, right: true, drop: 1},
		{head: "score", min: 5, right: true},
		{head: "weight", min: 6, right: true},
		{head: "incentive", short: "incent", min: 6, right: true},
		{head: "emission", short: "emiss", min: 6, right: true},
		{head: "earned", min: 6, right: true},
	}}
	for i := range s.Neurons {
		n := &s.Neurons[i]
		if n.Role != "mine" {
			continue
		}
		note, worth := verdict(n, theme{})
		r := row{note: note, worth: worth, cells: texts(neuronName(n, theme{}).text, uid(n), fmt.Sprint(n.Group), none, none, none,
			share(n.Incentive), amount(n.Emission), amount(n.Earned))}
		if n.Scored {
			r.cells[3].text, r.cells[4].text, r.cells[5].text = loss(n.ValLoss), share(n.Score), share(n.Weight)
		}
		t.rows = append(t.rows, r)
	}
	if len(t.rows) == 0 {
		return nil
	}
	if windowed(s) {
		t.remove(groupColumn)
	}
	return t.lines(width, theme{})
}

// summaryValidators lists what each validator got for its judgement.
func summaryValidators(s *local.Snapshot, width int) []string {
	t := table{indent: 0, cols: []column{
		{head: "Validators", min: 12, max: 24},
		{head: "uid", min: 3, right: true},
		{head: "permit", min: 6, right: true},
		{head: "stake", min: 8, right: true},
		{head: "dividends", short: "divid", min: 9, right: true},
		{head: "emission", short: "emiss", min: 8, right: true},
		{head: "earned", min: 7, right: true},
	}}
	for i := range s.Neurons {
		n := &s.Neurons[i]
		if n.Role != "validate" {
			continue
		}
		permit := "no"
		if n.Permit {
			permit = "yes"
		}
		t.rows = append(t.rows, row{cells: texts(neuronName(n, theme{}).text, uid(n), permit, amount(n.Stake), share(n.Dividends),
			amount(n.Emission), amount(n.Earned))})
	}
	if len(t.rows) == 0 {
		return nil
	}
	return t.lines(width, theme{})
}

func texts(list ...string) []cell {
	cells := make([]cell, len(list))
	for i, text := range list {
		cells[i] = cell{text, lipgloss.NewStyle()}
	}
	return cells
}

// summaryNotices lists the newest notices in full.
func summaryNotices(s *local.Snapshot, width int) []string {
	if len(s.Notices) == 0 {
		return nil
	}
	lines := []string{"Latest notices"}
	for _, n := range s.Notices[max(0, len(s.Notices)-5):] {
		lead := fmt.Sprintf("  %s  %s  ", n.Time.Format(time.TimeOnly), cut(clean(n.From), 20))
		lines = append(lines, wrapped(lead, clean(n.Text), width)...)
	}
	return lines
}
