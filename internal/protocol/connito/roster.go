package connito

import (
	"context"

	"adit/internal/subnet"
)

// A roster is what the chain says of a cycle's submissions from the moment both
// their commitments can be read: who may submit what, and to whom.
//
// Unlike upstream, which reads commitments at the head, it is made of the state
// after one block, so that a miner and its validator come to the same assignment
// whenever they look.
type roster struct {
	meta    *subnet.Metagraph
	commits map[subnet.Hotkey]Commit // of miners who may submit
	judges  map[int][]Judge          // by expert group, in storage order
	// assigned says which miners go to which validator of a group.
	assigned map[int]map[subnet.Hotkey][]subnet.Hotkey
}

// roster reads the roster of a cycle, and waits until there is one.
func (n *neuron) roster(ctx context.Context, cycle uint64) (*roster, error) {
	f, err := n.frame(ctx, cycle)
	if err != nil {
		return nil, err
	}
	t := &roster{
		meta: f.meta, commits: make(map[subnet.Hotkey]Commit), judges: make(map[int][]Judge),
		assigned: make(map[int]map[subnet.Hotkey][]subnet.Hotkey),
	}
	for _, g := range n.cfg.Task.Groups {
		t.judges[g.ID], _ = n.judges(f, g.ID)
	}
	candidates := make(map[int][]Candidate)
	for _, neuron := range f.meta.Neurons {
		if n.unscored(f, neuron) {
			continue
		}
		commit, why := n.rules.admit(n.claim(f, neuron.Hotkey), cycle)
		if _, bad := why.failed(); bad {
			continue
		}
		t.commits[neuron.Hotkey] = commit
		candidates[*commit.Group] = append(candidates[*commit.Group], Candidate{neuron.UID, neuron.Hotkey, neuron.Incentive})
	}
	for group, list := range candidates {
		if _, known := t.judges[group]; !known {
			t.judges[group], _ = n.judges(f, group)
		}
		t.assigned[group] = n.rules.assignment(t.judges[group], list)
	}
	return t, nil
}

// commit returns what a miner may submit, or nil.
func (t *roster) commit(who subnet.Hotkey) *Commit {
	if c, ok := t.commits[who]; ok {
		return &c
	}
	return nil
}

// destination returns the validator that evaluates a miner, or false.
func (t *roster) destination(miner subnet.Hotkey) (subnet.Neuron, bool) {
	c, ok := t.commits[miner]
	if !ok {
		return subnet.Neuron{}, false
	}
	hotkey, ok := assignedTo(t.assigned[*c.Group], miner)
	if !ok {
		return subnet.Neuron{}, false
	}
	return t.meta.ByHotkey(hotkey)
}
