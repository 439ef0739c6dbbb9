package connito

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"adit/internal/subnet"
)

// weigh turns the scores after a round into weights, sorted by uid. Each expert
// group has an equal part; in it each pool takes its share for the best averages
// that qualify and were not in a pool before, in proportion to the averages. The
// share of an empty first pool of several goes to uid 0, which burns it.
func (r Rules) weigh(s Scores, expertGroups []int, round uint64) []subnet.Weight {
	weights, _ := r.weighWhy(s, expertGroups, round, nil)
	return weights
}

// weighWhy is weigh with the groups of the round, if there are any, and tells for
// each uid in the scores what came of it in each pool.
func (r Rules) weighWhy(s Scores, expertGroups []int, round uint64, c *cohort) ([]subnet.Weight, map[subnet.UID]Why) {
	weights := make(map[subnet.UID]float64)
	why := make(map[subnet.UID]Why)
	for _, group := range expertGroups {
		part := 1 / float64(len(expertGroups))
		taken := make(map[subnet.UID]bool)
		for i, pool := range r.Pools {
			best := r.qualified(s, i, group, round, c, taken, why)
			var sum float64
			for _, uid := range best {
				sum += s[uid].average(r.ScoreWindow)
				taken[uid] = true
			}
			for _, uid := range best {
				weights[uid] += pool.Share * part * s[uid].average(r.ScoreWindow) / sum
			}
			if i == 0 && len(best) == 0 && len(r.Pools) > 1 {
				weights[0] += pool.Share * part
			}
		}
	}
	list := normalised(weights)
	for uid, gates := range why {
		i := slices.IndexFunc(list, func(w subnet.Weight) bool { return w.UID == uid })
		g := Gate{Name: gateWeight, Reason: "no weight"}
		if i >= 0 {
			g.Passed, g.Reason, g.Facts = true, "has weight", []Fact{fact("weight", list[i].Value)}
		}
		why[uid] = append(gates, g)
	}
	return list, why
}

// normalised returns weights that add up to 1, sorted by uid.
func normalised(weights map[subnet.UID]float64) []subnet.Weight {
	list := make([]subnet.Weight, 0, len(weights))
	var sum float64
	for _, uid := range slices.Sorted(maps.Keys(weights)) {
		if weights[uid] > 0 {
			list = append(list, subnet.Weight{UID: uid, Value: weights[uid]})
			sum += weights[uid]
		}
	}
	for i := range list {
		list[i].Value /= sum
	}
	return list
}

// qualified returns the uids of an expert group that a pool pays, the best
// average first.
func (r Rules) qualified(s Scores, number, group int, round uint64, c *cohort, taken map[subnet.UID]bool, why map[subnet.UID]Why) []subnet.UID {
	pool := r.Pools[number]
	gate := func(uid subnet.UID, passed bool, reason string) {
		h := s[uid]
		why[uid] = append(why[uid], Gate{Name: poolGate(number + 1), Passed: passed, Reason: reason, Facts: []Fact{
			fact("average", h.average(r.ScoreWindow)), fact("records", float64(len(h.Points))), fact("share", pool.Share),
		}})
	}
	var uids []subnet.UID
	for _, uid := range slices.Sorted(maps.Keys(s)) {
		if s[uid].Group != group || taken[uid] {
			continue
		}
		if reason := r.unqualified(s[uid], pool, round, c.has(pool, uid)); reason != "" {
			gate(uid, false, reason)
			continue
		}
		uids = append(uids, uid)
	}
	slices.SortFunc(uids, func(a, b subnet.UID) int {
		return cmp.Or(-cmp.Compare(s[a].average(r.ScoreWindow), s[b].average(r.ScoreWindow)), cmp.Compare(a, b))
	})
	size := len(uids)
	if pool.Size > 0 {
		size = min(size, pool.Size)
	}
	for i, uid := range uids {
		if i < size {
			gate(uid, true, fmt.Sprintf("number %d by average", i+1))
		} else {
			gate(uid, false, fmt.Sprintf("number %d by average, and the pool has %d places", i+1, pool.Size))
		}
	}
	return uids[:size]
}

// poolGate is the name of the gate of a pool, the first being 1.
func poolGate(number int) string { return fmt.Sprintf("pool %d", number) }

// unqualified says why a pool does not take a miner, or "".
func (r Rules) unqualified(h *History, pool Pool, round uint64, grouped bool) string {
	cycle := uint64(r.Schedule.Cycle())
	switch {
	case !grouped:
		return "in no group that the pool pays"
	case len(h.Points) < pool.Records:
		return fmt.Sprintf("%d scored rounds, and the pool wants %d", len(h.Points), pool.Records)
	case !(h.average(r.ScoreWindow) > 0):
		return "its average is nought"
	case pool.Recent && !h.scoredNear(round, cycle/2):
		return "no points in the round"
	case pool.Recent && (round < cycle || !h.scoredNear(round-cycle, cycle/2)):
		return "no points in the round before"
	}
	if pool.Rounds > 0 {
		since := uint64(0)
		if span := uint64(pool.Within-1) * cycle; round > span {
			since = round - span - min(round-span, cycle/2)
		}
		if n := h.roundsSince(since); n < pool.Rounds {
			return fmt.Sprintf("%d rounds in the last %d cycles, and the pool wants %d", n, pool.Within, pool.Rounds)
		}
	}
	return ""
}

// A fallbackView is what fallback weights are made of.
type fallbackView struct {
	Metagraph *subnet.Metagraph
	Me        subnet.Hotkey
	Head      subnet.Block
	Scheduled bool // this round's weights are on their way
	Validator func(subnet.Neuron) bool
}

// fallbackMiners is how many miners share fallback weights.
const fallbackMiners = 5

// fallback returns the weights of a validator that could score nobody for longer
// than weights count: its own old ones, validators removed, unless they are all
// equal; or else equal ones for the miners of whom the other validators, by their
// stake, think most. A part is burnt where the generation says so. None means
// there is nothing to set.
func (r Rules) fallback(v fallbackView) []subnet.Weight {
	me, ok := v.Metagraph.ByHotkey(v.Me)
	if !ok || v.Scheduled || r.WeightsAge == 0 || v.Head < me.LastUpdate || v.Head-me.LastUpdate <= r.WeightsAge {
		return nil
	}
	judges := make(map[subnet.UID]bool)
	for _, n := range v.Metagraph.Neurons {
		judges[n.UID] = n.Hotkey == v.Me || v.Validator(n)
	}
	weights := make(map[subnet.UID]float64)
	equal := true
	for _, w := range me.Weights {
		if !judges[w.UID] && w.Value > 0 {
			for _, other := range weights {
				equal = equal && other == w.Value
			}
			weights[w.UID] = w.Value
		}
	}
	if equal {
		clear(weights)
		sums := make(map[subnet.UID]float64)
		for _, n := range v.Metagraph.Neurons {
			if n.Hotkey == v.Me || !judges[n.UID] {
				continue
			}
			for _, w := range n.Weights {
				if !judges[w.UID] && w.Value > 0 {
					sums[w.UID] += float64(n.Stake) * w.Value
				}
			}
		}
		best := slices.SortedFunc(maps.Keys(sums), func(a, b subnet.UID) int {
			return cmp.Or(-cmp.Compare(sums[a], sums[b]), cmp.Compare(a, b))
		})
		for _, uid := range best[:min(len(best), fallbackMiners)] {
			weights[uid] = 1
		}
	}
	list := normalised(weights)
	if len(list) == 0 || r.BurnFallback == 0 {
		return list
	}
	burnt := make(map[subnet.UID]float64)
	for _, w := range list {
		burnt[w.UID] = w.Value * (1 - r.BurnFallback)
	}
	burnt[0] += r.BurnFallback
	return normalised(burnt)
}
