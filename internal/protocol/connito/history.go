package connito

import (
	"slices"

	"adit/internal/subnet"
)

// A Point is what a miner earned in one round.
type Point struct {
	Time  string  // when, as ISO 8601; "" if nobody knows
	Score float64 // see [Rules.rank]
	Round uint64  // its id, the block at which Submission began; 0 if nobody knows
}

// A History is the record of one uid. It begins anew when the uid changes hands.
type History struct {
	Hotkey subnet.Hotkey
	Group  int
	Points []Point // by round
}

// Scores holds the history of each miner. It is kept in score_aggregator.json:
// see [Scores.encode].
type Scores map[subnet.UID]*History

// keepPoints is how many rounds a history holds: ten times upstream's window.
const keepPoints = 80

// roundID returns the id of a cycle's round.
func (r Rules) roundID(cycle uint64) uint64 { return uint64(r.Schedule.Start(cycle, Submission)) }

// add records what an entry earned in a round. A round counts once.
func (s Scores) add(round uint64, at string, e Entry) {
	h := s[e.UID]
	if h == nil || h.Hotkey != e.Hotkey || h.Group != e.Group {
		h = &History{Hotkey: e.Hotkey, Group: e.Group}
		s[e.UID] = h
	}
	h.Points = slices.DeleteFunc(h.Points, func(p Point) bool { return p.Round == round && round != 0 })
	h.Points = append(h.Points, Point{at, e.Points, round})
	h.Points = h.Points[max(0, len(h.Points)-keepPoints):]
}

// prune forgets the points that no average of a round counts any more: those from
// more than the window's cycles before it.
func (r Rules) prune(s Scores, round uint64) {
	span := uint64(r.ScoreWindow) * uint64(r.Schedule.Cycle())
	if round <= span {
		return
	}
	for uid, h := range s {
		h.Points = slices.DeleteFunc(h.Points, func(p Point) bool { return p.Round != 0 && p.Round < round-span })
		if len(h.Points) == 0 {
			delete(s, uid)
		}
	}
}

// average is the mean of the last points in the window.
func (h *History) average(window int) float64 {
	last := h.Points[max(0, len(h.Points)-window):]
	if len(last) == 0 {
		return 0
	}
	var sum float64
	for _, p := range last {
		sum += p.Score
	}
	return sum / float64(len(last))
}

// scoredNear says whether a round that began at about a block paid the miner
// anything.
//
// Unlike upstream, which wants that very block, so that a change of the phase
// lengths costs everybody a cycle.
func (h *History) scoredNear(block uint64, within uint64) bool {
	return slices.ContainsFunc(h.Points, func(p Point) bool {
		return p.Score > 0 && max(p.Round, block)-min(p.Round, block) < max(within, 1)
	})
}

// roundsSince counts the rounds of the record from a block on.
func (h *History) roundsSince(block uint64) int {
	seen := make(map[uint64]bool)
	for _, p := range h.Points {
		if p.Round >= block && p.Round != 0 {
			seen[p.Round] = true
		}
	}
	return len(seen)
}
