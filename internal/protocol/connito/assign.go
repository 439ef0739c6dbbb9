package connito

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"

	"adit/internal/subnet"
)

// A Judge is a validator in an assignment, with the seed it committed to.
type Judge struct {
	Hotkey subnet.Hotkey
	Seed   uint64
}

// assign gives each miner one validator to evaluate it, so that everybody who
// reads the chain comes to the same result. At most limit miners go to one
// validator; 0 is no limit.
//
// Each validator takes an equal part, and the rest goes to those who are drawn
// for it. Miners come in an order that is drawn too, and each goes to the first
// validator of its own order that has a place; where none has, to its last, over
// the limit. The validators' given order decides between equals, and where no
// seeds are committed all are equal: it must be that of the chain's storage. In
// the result each list is in the order of placing.
func assign(judges []Judge, miners []subnet.Hotkey, limit int) map[subnet.Hotkey][]subnet.Hotkey {
	result := make(map[subnet.Hotkey][]subnet.Hotkey, len(judges))
	if len(judges) == 0 {
		return result
	}
	seeds := make(map[subnet.Hotkey]uint64, len(judges))
	for _, j := range judges {
		seeds[j.Hotkey] = j.Seed
		result[j.Hotkey] = nil
	}
	combined := combinedSeed(seeds)

	room := make(map[subnet.Hotkey]int, len(judges))
	rest := len(miners) % len(judges)
	for i, j := range drawn(judges, func(j Judge) [32]byte { return h256("cap_bonus", j.digits(), combined) }) {
		n := len(miners) / len(judges)
		if i < rest {
			n++
		}
		if limit > 0 {
			n = min(n, limit)
		}
		room[j.Hotkey] = n
	}

	type ticket struct {
		miner subnet.Hotkey
		order [32]byte
	}
	queue := make([]ticket, len(miners))
	for i, m := range miners {
		queue[i] = ticket{m, h256("miner_order", string(m), combined)}
	}
	slices.SortStableFunc(queue, func(a, b ticket) int { return bytes.Compare(a.order[:], b.order[:]) })
	for _, t := range queue {
		wanted := drawn(judges, func(j Judge) [32]byte { return h256("preference", string(t.miner), j.digits(), combined) })
		to := wanted[len(wanted)-1].Hotkey
		for _, j := range wanted {
			if room[j.Hotkey] > 0 {
				to = j.Hotkey
				break
			}
		}
		room[to]--
		result[to] = append(result[to], t.miner)
	}
	return result
}

func (j Judge) digits() string { return strconv.FormatUint(j.Seed, 10) }

// drawn returns the validators by a hash, the highest first, equals in the order
// in which they were.
func drawn(judges []Judge, hash func(Judge) [32]byte) []Judge {
	type lot struct {
		Judge
		hash [32]byte
	}
	lots := make([]lot, len(judges))
	for i, j := range judges {
		lots[i] = lot{j, hash(j)}
	}
	slices.SortStableFunc(lots, func(a, b lot) int { return -bytes.Compare(a.hash[:], b.hash[:]) })
	sorted := make([]Judge, len(lots))
	for i, l := range lots {
		sorted[i] = l.Judge
	}
	return sorted
}

// A Candidate is a miner that may be assigned: one with a complete commitment.
type Candidate struct {
	UID       subnet.UID
	Hotkey    subnet.Hotkey
	Incentive float64
}

// assignment returns who evaluates whom in a round: of the candidates those with
// the highest incentive, as many as all validators together take, where the
// generation has such a limit.
func (r Rules) assignment(judges []Judge, candidates []Candidate) map[subnet.Hotkey][]subnet.Hotkey {
	if r.ByIncentive && r.MinersPerValidator > 0 {
		candidates = slices.SortedFunc(slices.Values(candidates), func(a, b Candidate) int {
			return cmp.Or(-cmp.Compare(a.Incentive, b.Incentive), cmp.Compare(a.Hotkey, b.Hotkey))
		})
		candidates = candidates[:min(len(candidates), r.MinersPerValidator*len(judges))]
	}
	return assign(judges, hotkeys(candidates), r.MinersPerValidator)
}

func hotkeys(candidates []Candidate) []subnet.Hotkey {
	list := make([]subnet.Hotkey, len(candidates))
	for i, c := range candidates {
		list[i] = c.Hotkey
	}
	return list
}

// assignedTo returns the validator that evaluates a miner, or false.
func assignedTo(result map[subnet.Hotkey][]subnet.Hotkey, miner subnet.Hotkey) (subnet.Hotkey, bool) {
	for validator, miners := range result {
		if slices.Contains(miners, miner) {
			return validator, true
		}
	}
	return "", false
}
