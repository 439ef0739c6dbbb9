package connito

import (
	"context"
	"fmt"
	"slices"

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

// roster reads the roster of a cycle, whose commitments must be readable.
func (n *neuron) roster(ctx context.Context, cycle uint64) (*roster, error) {
	one, two := n.rules.Schedule.commitReads(cycle, MinerCommit1)
	first, err := n.Chain.Commitments(ctx, one)
	if err != nil {
		return nil, fmt.Errorf("read first commitments: %w", err)
	}
	second, err := n.Chain.Commitments(ctx, two)
	if err != nil {
		return nil, fmt.Errorf("read second commitments: %w", err)
	}
	meta, err := n.Chain.Metagraph(ctx, two)
	if err != nil {
		return nil, fmt.Errorf("read metagraph: %w", err)
	}
	return n.rules.newRoster(cycle, first, second, meta, n.validator, n.signedBy), nil
}

// newRoster makes a roster of the state after the blocks at which the miners'
// commitments are read.
func (r Rules) newRoster(cycle uint64, first, second []subnet.Commitment, meta *subnet.Metagraph,
	validator func(subnet.Neuron) bool, signedBy func(subnet.Hotkey, string, []Commit) bool) *roster {
	t := &roster{
		meta: meta, commits: make(map[subnet.Hotkey]Commit), judges: make(map[int][]Judge),
		assigned: make(map[int]map[subnet.Hotkey][]subnet.Hotkey),
	}
	signed := make(map[subnet.Hotkey]subnet.Commitment, len(first))
	for _, c := range first {
		signed[c.Hotkey] = c
	}
	candidates := make(map[int][]Candidate)
	for _, c := range second {
		neuron, ok := meta.ByHotkey(c.Hotkey)
		if !ok {
			continue
		}
		commits := parseCommits(c.Fields)
		if r.Roles == RolesBySeed && r.isValidator(neuron, commits, nil, 0) || r.Roles != RolesBySeed && validator(neuron) {
			for _, commit := range commits {
				if commit.Group == nil || slices.ContainsFunc(t.judges[*commit.Group], func(j Judge) bool { return j.Hotkey == c.Hotkey }) {
					continue
				}
				j := Judge{Hotkey: c.Hotkey}
				if commit.Seed != nil {
					j.Seed = *commit.Seed
				}
				t.judges[*commit.Group] = append(t.judges[*commit.Group], j)
			}
			continue
		}
		commit, why := r.admit(claim{
			First: parseCommits(signed[c.Hotkey].Fields), FirstAt: signed[c.Hotkey].Block,
			Second: commits, SecondAt: c.Block,
			Signed: func(hash string, first []Commit) bool { return signedBy(c.Hotkey, hash, first) },
		}, cycle)
		if _, bad := why.failed(); bad {
			continue
		}
		t.commits[c.Hotkey] = commit
		candidates[*commit.Group] = append(candidates[*commit.Group], Candidate{neuron.UID, neuron.Hotkey, neuron.Incentive})
	}
	for group, list := range candidates {
		t.assigned[group] = r.assignment(t.judges[group], list)
	}
	return t
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
