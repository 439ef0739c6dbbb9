package connito

import (
	"cmp"
	"math"
	"slices"

	"adit/internal/subnet"
)

// An Entry is one miner's part in a round of one expert group.
type Entry struct {
	UID       subnet.UID
	Hotkey    subnet.Hotkey
	Group     int
	Hash      string       // "" if there is no submission to speak of
	Committed subnet.Block // of the first commitment
	Loss      float64      // on the round's sample; +Inf if any batch was not finite
	Refused   string       // why it was not evaluated, or ""
	Points    float64      // what it earns, set by [Rules.rank]
	Reason    string       // why, in words, set by [Rules.rank]
}

// rank gives each entry of a group its points: the best by the drop in loss
// from the group's baseline first. An entry without a drop, or without a
// submission that could be evaluated, gets none.
func (r Rules) rank(baseline float64, entries []Entry) {
	order := make([]*Entry, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		e.Points = 0
		switch {
		case e.Refused != "":
			e.Reason = e.Refused
		case r.delta(baseline, e.Loss) == 0:
			e.Reason = "no better than the baseline"
		default:
			order = append(order, e)
		}
	}
	// Of equal losses the earlier commitment comes first, then the lower uid.
	slices.SortFunc(order, func(a, b *Entry) int {
		return cmp.Or(cmp.Compare(a.Loss, b.Loss), cmp.Compare(a.Committed, b.Committed), cmp.Compare(a.UID, b.UID))
	})
	place := 0
	for i, e := range order {
		first := i == 0 || order[i-1].Loss != e.Loss
		last := i == len(order)-1 || order[i+1].Loss != e.Loss
		switch {
		case first && (last || r.EarliestKeeps):
			e.Reason = "beyond the paid ranks"
			if place < len(r.RankPoints) {
				e.Points = r.RankPoints[place]
				e.Reason = ordinals[place]
			}
			place++
		case r.EarliestKeeps:
			e.Reason = "equals a submission that was committed earlier"
		default:
			e.Reason = "equals another submission"
		}
	}
}

var ordinals = [...]string{"best of its group", "second of its group", "third of its group"}

// delta is the round score: the drop in loss, to the generation's power; none
// for a loss that is not finite.
func (r Rules) delta(baseline, loss float64) float64 {
	if drop := baseline - loss; drop > 0 && !math.IsInf(drop, 0) {
		return math.Pow(drop, r.DeltaPower)
	}
	return 0 // also for NaN
}

// A Point is what a miner earned in one round.
type Point struct {
	Round uint64  `json:"round"` // its cycle
	Score float64 `json:"score"`
}

// A History is the record of one uid. It begins anew when the uid changes hands.
type History struct {
	Hotkey subnet.Hotkey `json:"hotkey"`
	Group  int           `json:"group"`
	Points []Point       `json:"points"` // by round
}

// Scores holds the history of each miner. It is kept in score_aggregator.json.
type Scores map[subnet.UID]*History

// keepPoints is how many rounds a history holds: ten times upstream's window.
const keepPoints = 80

// add records what an entry earned in a round. A round counts once.
func (s Scores) add(round uint64, e Entry) {
	h := s[e.UID]
	if h == nil || h.Hotkey != e.Hotkey || h.Group != e.Group {
		h = &History{Hotkey: e.Hotkey, Group: e.Group}
		s[e.UID] = h
	}
	h.Points = slices.DeleteFunc(h.Points, func(p Point) bool { return p.Round == round })
	h.Points = append(h.Points, Point{round, e.Points})
	h.Points = h.Points[max(0, len(h.Points)-keepPoints):]
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

// scoredIn says whether the round paid the miner anything.
func (h *History) scoredIn(round uint64) bool {
	return slices.ContainsFunc(h.Points, func(p Point) bool { return p.Round == round && p.Score > 0 })
}

// weigh turns the scores after a round into weights, sorted by uid. Each group
// has an equal part; in it each pool takes its share for the best averages that
// qualify and were not in a pool before, in proportion to the averages. The
// share of an empty first pool goes to uid 0, which burns it.
func (r Rules) weigh(s Scores, groups int, round uint64) []subnet.Weight {
	weights := make(map[subnet.UID]float64)
	for group := range groups {
		taken := make(map[subnet.UID]bool)
		for i, pool := range r.Pools {
			best := r.qualified(s, pool, group, round, taken)
			var sum float64
			for _, uid := range best {
				sum += s[uid].average(r.ScoreWindow)
				taken[uid] = true
			}
			for _, uid := range best {
				weights[uid] += pool.Share / float64(groups) * s[uid].average(r.ScoreWindow) / sum
			}
			if i == 0 && len(best) == 0 {
				weights[0] += pool.Share / float64(groups)
			}
		}
	}
	list := make([]subnet.Weight, 0, len(weights))
	var sum float64
	for uid, w := range weights {
		list = append(list, subnet.Weight{UID: uid, Value: w})
	}
	slices.SortFunc(list, func(a, b subnet.Weight) int { return cmp.Compare(a.UID, b.UID) })
	for _, w := range list {
		sum += w.Value
	}
	for i := range list {
		list[i].Value /= sum
	}
	return list
}

// qualified returns the uids of a group that a pool pays, the best average
// first.
func (r Rules) qualified(s Scores, pool Pool, group int, round uint64, taken map[subnet.UID]bool) []subnet.UID {
	var uids []subnet.UID
	for uid, h := range s {
		if h.Group != group || taken[uid] || len(h.Points) < pool.Records || h.average(r.ScoreWindow) <= 0 {
			continue
		}
		if pool.Recent && (round == 0 || !h.scoredIn(round) || !h.scoredIn(round-1)) {
			continue
		}
		uids = append(uids, uid)
	}
	slices.SortFunc(uids, func(a, b subnet.UID) int {
		return cmp.Or(-cmp.Compare(s[a].average(r.ScoreWindow), s[b].average(r.ScoreWindow)), cmp.Compare(a, b))
	})
	return uids[:min(len(uids), pool.Size)]
}
