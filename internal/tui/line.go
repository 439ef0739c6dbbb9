package tui

import (
	"context"
	"fmt"
	"io"
	"time"

	"adit/internal/local"
)

// tell writes a line for each thing that happens, until ctx is done.
func tell(ctx context.Context, out io.Writer, snapshot func() local.Snapshot) error {
	ticker := time.NewTicker(refresh)
	defer ticker.Stop()
	var t teller
	for {
		s := snapshot()
		for _, line := range t.news(&s) {
			if _, err := fmt.Fprintln(out, line); err != nil {
				return fmt.Errorf("show the network: %w", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// A teller remembers what it has told.
type teller struct {
	stage  string
	phase  string
	losses map[int]int // by group, how many
	notice local.Notice
}

// news returns what a snapshot holds that the ones before did not.
func (t *teller) news(s *local.Snapshot) []string {
	var lines []string
	if s.Stage != t.stage {
		t.stage = s.Stage
		line := clean(s.Stage)
		if i := stageOf(s); i >= 0 {
			line += ": " + stages[i].what
		}
		lines = append(lines, line)
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		xs := losses(s, g)
		if len(xs) == t.losses[g.ID] {
			continue
		}
		if t.losses == nil {
			t.losses = make(map[int]int)
		}
		t.losses[g.ID] = len(xs)
		lines = append(lines, lossText(g, xs))
	}
	if phase := fmt.Sprint(s.Cycle, s.Phase); s.Stage == "running" && s.Phase != "" && phase != t.phase {
		t.phase = phase
		lines = append(lines, fmt.Sprintf("%s: %s, %s", cycleText(s), clean(s.Phase), phaseText(s)))
	}
	for _, n := range t.fresh(s.Notices) {
		lines = append(lines, fmt.Sprintf("%s %s: %s", clean(n.Level), clean(n.From), clean(n.Text)))
	}
	return lines
}

// fresh returns the notices after the last one told.
func (t *teller) fresh(all []local.Notice) []local.Notice {
	if len(all) == 0 {
		return nil
	}
	from := 0
	for i, n := range all {
		if n == t.notice {
			from = i + 1
		}
	}
	t.notice = all[len(all)-1]
	return all[from:]
}

// lossText says where a group's baseline is.
func lossText(g *local.Group, xs []float64) string {
	if len(xs) == 0 {
		return domain(g) + ": no loss yet"
	}
	last := xs[len(xs)-1]
	text := fmt.Sprintf("%s: held-out loss %s", domain(g), loss(last))
	if len(xs) > 1 {
		text += ", " + change(xs[0], last) + " since genesis"
	}
	if a := against(last, g.Bigram); a != "" {
		text += ", " + a + " the bigram model"
	}
	return text
}
