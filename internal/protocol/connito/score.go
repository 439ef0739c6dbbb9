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
	Why       Why          // the gates it came to
}

// rank gives each entry of a group its points: the best by the drop in loss
// from the group's baseline first. An entry without a drop, or without a
// submission that could be evaluated, gets none.
func (r Rules) rank(baseline float64, entries []Entry) {
	order := make([]*Entry, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		e.Points = 0
		if e.Refused != "" {
			e.Reason = e.Refused
			continue
		}
		score := r.delta(baseline, e.Loss)
		g := Gate{Name: gateLoss, Passed: score > 0, Facts: []Fact{
			fact("baseline", baseline), fact("loss", e.Loss), fact("delta", max(0, baseline-e.Loss)), fact("score", score),
		}}
		if !g.Passed {
			g.Reason = "no better than the baseline"
			e.Reason = g.Reason
		} else {
			order = append(order, e)
		}
		e.Why = append(e.Why, g)
	}
	// Of equal scores the earlier commitment comes first, then the lower uid.
	score := func(e *Entry) float64 { return r.delta(baseline, e.Loss) }
	slices.SortFunc(order, func(a, b *Entry) int {
		return cmp.Or(-cmp.Compare(score(a), score(b)), cmp.Compare(a.Committed, b.Committed), cmp.Compare(a.UID, b.UID))
	})
	place := 0
	for i, e := range order {
		first := i == 0 || score(order[i-1]) != score(e)
		last := i == len(order)-1 || score(order[i+1]) != score(e)
		switch {
		case len(r.RankPoints) > 0 && copied(e, entries):
			e.Reason = "equals a submission that was committed earlier"
		case len(r.RankPoints) == 0:
			e.Points, e.Reason = score(e), "paid by its drop in loss"
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
		e.Why = append(e.Why, Gate{Name: gateRank, Passed: e.Points > 0, Reason: e.Reason, Facts: []Fact{
			fact("place", float64(i+1)), fact("of", float64(len(order))), fact("points", e.Points),
		}})
	}
}

// copied says whether another miner signed the same hash earlier whose submission could
// not be had, or was left to another validator: what it was is known all the same. Else
// a copy would be paid for the model of a miner whose repository is down.
func copied(e *Entry, entries []Entry) bool {
	return slices.ContainsFunc(entries, func(o Entry) bool {
		return o.Refused != "" && o.Hash == e.Hash && o.Hash != "" && o.Committed < e.Committed && o.Why.Status().operational()
	})
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

// valLoss is the loss of a submission on a round's batches, of which a
// mixture's own part is not counted: the mean over the batches. A batch that is
// not finite makes it the worst there is.
//
// Unlike upstream, which takes the mean of what is left, so that who spoils the
// hardest batches looks good.
func valLoss(losses, aux []float64) float64 {
	var sum float64
	for i, loss := range losses {
		sum += loss
		if i < len(aux) {
			sum -= aux[i]
		}
	}
	mean := sum / float64(len(losses))
	if math.IsNaN(mean) || math.IsInf(mean, 0) {
		return math.Inf(1)
	}
	return mean
}

// baselineLoss returns what submissions are compared with, given the loss of the
// baseline, or false if there is nothing to compare them with.
func (r Rules) baselineLoss(loss float64) (float64, bool) {
	if !math.IsNaN(loss) && !math.IsInf(loss, 0) {
		return loss, true
	}
	return r.BaselineFallback, r.BaselineFallback > 0
}

// topMiners returns the entries to merge: those that were paid, the best first,
// at most k.
func topMiners(entries []Entry, k int) []Entry {
	best := slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return !(e.Points > 0) })
	slices.SortFunc(best, func(a, b Entry) int {
		return cmp.Or(-cmp.Compare(a.Points, b.Points), cmp.Compare(a.Loss, b.Loss), cmp.Compare(a.Committed, b.Committed), cmp.Compare(a.UID, b.UID))
	})
	return best[:min(len(best), k)]
}
