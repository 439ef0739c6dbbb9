package connito

import (
	"slices"

	"adit/internal/subnet"
)

// isValidator says whether a neuron is a validator at a block: one that the owner
// lists, whose weights are not too old. In G0 it is whoever commits to a seed. An
// empty list has nobody.
func (r Rules) isValidator(n subnet.Neuron, commits []Commit, listed []subnet.Hotkey, at subnet.Block) bool {
	if r.Roles == RolesBySeed {
		return slices.ContainsFunc(commits, func(c Commit) bool { return c.Seed != nil })
	}
	return slices.Contains(listed, n.Hotkey) && (r.WeightsAge == 0 || at <= n.LastUpdate || at-n.LastUpdate <= r.WeightsAge)
}

// majority returns, of the baselines that validators committed to, those with the
// hash that has the most stake behind it; of equal ones, the hash that comes first
// in the list.
func majority(list []baseline) []baseline {
	stake := make(map[string]uint64)
	for _, b := range list {
		stake[b.Hash] += b.neuron.Stake
	}
	var best string
	for _, b := range list {
		if best == "" || stake[b.Hash] > stake[best] {
			best = b.Hash
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(b baseline) bool { return b.Hash != best })
}
