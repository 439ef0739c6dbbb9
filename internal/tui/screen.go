package tui

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"adit/internal/local"
)

// A screen is a snapshot laid out for a terminal.
type screen struct {
	lines []string // at most as many as the terminal has
	// The middle part has body lines, of which room are shown from the top-th
	// on. Each section of it begins at one of the starts.
	body, room, top int
	starts          []int
}

// lowScreen is the height below which blank lines and bars go, so that the
// numbers stay.
const lowScreen = 18

// layout draws a snapshot in width columns and height lines. Of what does not
// fit the phase stays, then the groups, the miners and the latest notices; the
// rest is reached by scrolling the middle part to its top-th line.
func layout(s *local.Snapshot, now time.Time, width, height, top int, th theme) screen {
	if width <= 0 || height <= 0 {
		return screen{}
	}
	low := height < lowScreen
	head := headLines(s, now, width, low, th)
	blank := func() {
		if !low {
			head = append(head, "")
		}
	}
	blank()
	switch {
	case preparing(s):
		head = append(head, stageLines(s, width, th)...)
	case s.Stage == "running":
		head = append(head, phaseLines(s, width, height < lowScreen-4, th)...)
	default:
		head = append(head, endLines(s, th)...)
	}
	blank()

	var sc screen
	rest := max(0, height-len(head)-1)
	body := sc.middle(s, width, low, ifRoom, th)
	if len(body)+2+min(len(s.Notices), 3) > rest {
		body = sc.middle(s, width, low, always, th)
	}
	least := min(4, rest/4) // also when there is more of the middle than room
	if low {
		least = min(1, rest/4)
	}
	notes := noticeLines(s, width, max(rest-len(body)-1, least), th)
	if len(notes) > 0 && !low {
		notes = append([]string{""}, notes...)
	}
	sc.body, sc.room = len(body), max(0, rest-len(notes))
	sc.top = max(0, min(top, sc.body-sc.room))
	shown := body[sc.top:min(sc.top+sc.room, sc.body)]

	sc.lines = append(head, shown...)
	for len(sc.lines) < height-1-len(notes) {
		sc.lines = append(sc.lines, "")
	}
	sc.lines = append(sc.lines, notes...)
	sc.lines = append(sc.lines[:min(len(sc.lines), height-1)], sc.footer(s, width, th))
	for i, line := range sc.lines {
		sc.lines[i] = strings.TrimRight(cut(line, width), " ")
	}
	return sc
}

// headLines say which network this is and how far it has come.
func headLines(s *local.Snapshot, now time.Time, width int, low bool, th theme) []string {
	facts := []string{}
	if s.Stage == "running" || s.Cycles > 0 {
		facts = append(facts, th.strong.Render(cycleText(s)))
	}
	if s.Block > 0 {
		facts = append(facts, fmt.Sprintf("block %d", s.Block))
	}
	if up := now.Sub(s.Started); !s.Started.IsZero() && up > 0 {
		facts = append(facts, "up "+span(up))
	}
	left := " " + th.title.Render("ADIT") + th.faint.Render("  rules "+clean(s.Rules))
	lines := []string{ends(left, strings.Join(facts, th.faint.Render(" · "))+" ", width)}
	if low {
		return lines
	}
	where := ""
	for _, w := range []struct{ name, url string }{{"chain", s.ChainURL}, {"hub", s.HubURL}, {"s3", s.S3URL}} {
		if w.url != "" {
			where += "  " + w.name + " " + clean(w.url)
		}
	}
	dir := cutLeft(clean(s.Dir), max(width-2-ansi.StringWidth(where), 16))
	return append(lines, th.faint.Render(" "+dir+where))
}

// middle draws the part that scrolls, and notes where its sections begin.
func (sc *screen) middle(s *local.Snapshot, width int, low bool, least worth, th theme) []string {
	sc.starts = nil
	var body []string
	section := func(lines []string) {
		if len(body) > 0 && !low {
			body = append(body, "")
		}
		sc.starts = append(sc.starts, len(body))
		body = append(body, lines...)
	}
	if len(s.Groups) > 0 && !preparing(s) {
		section(groupLines(s, width, th))
	}
	for _, t := range []table{minerTable(s, least, th), validatorTable(s, th)} {
		if len(t.rows) > 0 && !preparing(s) {
			section(t.lines(width, th))
		}
	}
	return body
}

// processes returns how many run, and which had to be restarted.
func processes(s *local.Snapshot) (running int, restarts []string) {
	for _, p := range s.Procs {
		if p.Running {
			running++
		}
		if p.Restarts > 0 {
			restarts = append(restarts, fmt.Sprintf("%s %d×", clean(p.Name), p.Restarts))
		}
	}
	return running, restarts
}

func procText(s *local.Snapshot, th theme) string {
	if len(s.Procs) == 0 {
		return ""
	}
	running, restarts := processes(s)
	text := th.faint.Render(fmt.Sprintf("%d of %d processes running", running, len(s.Procs)))
	if len(restarts) > 0 {
		text += th.faint.Render(", restarted ") + th.warn.Render(strings.Join(restarts, ", "))
	}
	return text + " "
}

// noticeLines draws how the processes are and the newest notices, in at most
// room lines.
func noticeLines(s *local.Snapshot, width, room int, th theme) []string {
	if room <= 0 {
		return nil
	}
	var lines []string
	if room > 2 || len(s.Notices) == 0 {
		title := th.title.Render("NOTICES")
		if len(s.Notices) == 0 {
			title += th.faint.Render("  none")
		}
		lines = append(lines, ends(" "+title, procText(s, th), width))
	}
	for _, n := range s.Notices[max(0, len(s.Notices)-(room-len(lines))):] {
		lines = append(lines, noticeLine(n, th))
	}
	return lines
}

func noticeLine(n local.Notice, th theme) string {
	style := th.faint
	switch n.Level {
	case "WARN":
		style = th.warn
	case "ERROR":
		style = th.bad
	}
	return "   " + th.faint.Render(n.Time.Format(time.TimeOnly)) + "  " + style.Render(clean(n.From)) + "  " + clean(n.Text)
}

// logDir is where the logs of a network are.
func logDir(s *local.Snapshot) string {
	for _, p := range s.Procs {
		if p.Log != "" {
			return clean(filepath.Dir(p.Log))
		}
	}
	for _, n := range s.Neurons {
		if n.Log != "" {
			return clean(filepath.Dir(n.Log))
		}
	}
	return clean(filepath.Join(s.Dir, "logs"))
}

// footer names the keys, and where to read more.
func (sc *screen) footer(s *local.Snapshot, width int, th theme) string {
	key := func(k, what string) string { return th.strong.Render(k) + th.faint.Render(" "+what) }
	left := " " + key("q", "end the network")
	if sc.body > sc.room {
		left += "   " + key("↑↓", "scroll") + "   " + key("tab", "next part")
		left += th.faint.Render(fmt.Sprintf("   lines %d–%d of %d", min(sc.top+1, sc.body), min(sc.top+sc.room, sc.body), sc.body))
	}
	if room := width - ansi.StringWidth(left) - 10; room >= 16 {
		return ends(left, th.faint.Render("logs "+cutLeft(logDir(s), room-2)+" "), width)
	}
	return left
}
