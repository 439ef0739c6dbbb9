package connito

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"adit/internal/subnet"
)

// A round is what a validator froze when Submission began, and what has come of it
// since. It is kept in rounds/<id>.json, written anew after each evaluation: a
// validator that restarts goes on with it, and `adit why` reads in it why a
// submission earned what it did.
type round struct {
	Schema   int           `json:"schema_version"`
	ID       uint64        `json:"round_id"` // the block at which Submission began
	Cycle    uint64        `json:"cycle"`
	Rules    string        `json:"rules"`
	FrozenAt subnet.Block  `json:"frozen_at"`
	Groups   []*groupRound `json:"groups"`
	// Closed says that the round was scored: its points are in the history.
	Closed  bool            `json:"closed"`
	Weights []subnet.Weight `json:"weights,omitempty"` // that were made of it
}

// A groupRound is the round of one expert group; the one without experts, number
// -1, has those whose group nobody knows.
type groupRound struct {
	Group int    `json:"expert_group"`
	Seed  string `json:"seed"`
	// Base is the shard that submissions are compared with: a name in the
	// neuron's directory.
	Base string `json:"baseline"`
	// Baseline is its loss, once it was measured. Where that came to nothing,
	// Unmeasured says why.
	Baseline   *float64      `json:"baseline_loss,omitempty"`
	Unmeasured string        `json:"baseline_unmeasured,omitempty"`
	A          []subnet.UID  `json:"validation_group_a,omitempty"`
	B          []subnet.UID  `json:"validation_group_b,omitempty"`
	C          []subnet.UID  `json:"validation_group_c,omitempty"`
	Foreground []subnet.UID  `json:"foreground_uids,omitempty"`
	Background []subnet.UID  `json:"background_uids,omitempty"`
	Miners     []*minerRound `json:"miners"` // by uid
	// Elsewhere is how many miners other validators have in their foreground.
	Elsewhere int `json:"foreground_elsewhere,omitempty"`
	// Excluded says that others merged and this validator did not.
	Excluded bool `json:"excluded,omitempty"`
}

// A minerRound is one miner's part in a round.
type minerRound struct {
	UID       subnet.UID    `json:"uid"`
	Hotkey    subnet.Hotkey `json:"hotkey"`
	Committed subnet.Block  `json:"committed,omitempty"`
	Commit    Commit        `json:"commit"`
	State     string        `json:"state"` // see below
	File      string        `json:"file,omitempty"`
	Loss      float64       `json:"val_loss,omitempty"` // if it was evaluated
	Points    float64       `json:"points"`             // if the round is closed
	Reason    string        `json:"reason,omitempty"`
	// Tried is why a submission that is still to be evaluated could not be had, if
	// that may be its miner's fault.
	Tried string `json:"tried,omitempty"`
	Why   Why    `json:"gates"`
	// Weights are the gates of the pools, once weights were made.
	Weights Why `json:"weight_gates,omitempty"`
}

// The states of a miner in a round, in upstream's words.
const (
	statePending = "pending"
	stateScored  = "scored"
	stateFailed  = "failed"            // which need not be the miner's fault
	stateRefused = "validation_failed" // which is
)

const (
	roundDir    = "rounds"
	roundSchema = 1
	maxRound    = 16 << 20 // bytes
)

func roundFile(id uint64) string { return fmt.Sprintf("%s/%d.json", roundDir, id) }

// parseRound reads a round of the rules' generation.
func (r Rules) parseRound(data []byte) (*round, error) {
	if len(data) > maxRound {
		return nil, fmt.Errorf("round of %d bytes, want at most %d", len(data), maxRound)
	}
	var got round
	if err := json.Unmarshal(data, &got); err != nil {
		return nil, fmt.Errorf("round: %w", err)
	}
	if got.Schema != roundSchema {
		return nil, fmt.Errorf("round of schema %d, want %d", got.Schema, roundSchema)
	}
	if got.Rules != r.Name || got.ID != r.roundID(got.Cycle) {
		return nil, fmt.Errorf("round %d of rules %.40q, want %d of %q", got.ID, got.Rules, r.roundID(got.Cycle), r.Name)
	}
	if slices.Contains(got.Groups, nil) || slices.ContainsFunc(got.Groups, func(g *groupRound) bool { return slices.Contains(g.Miners, nil) }) {
		return nil, fmt.Errorf("round %d has null where a group or a miner should be", got.ID)
	}
	return &got, nil
}

// pending returns how many miners of the round are still to be evaluated.
func (r *round) pending() int {
	left := 0
	for _, g := range r.Groups {
		for _, m := range g.Miners {
			if m.State == statePending {
				left++
			}
		}
	}
	return left
}

// group returns the round of an expert group, or nil.
func (r *round) group(id int) *groupRound {
	for _, g := range r.Groups {
		if g.Group == id {
			return g
		}
	}
	return nil
}

func (g *groupRound) miner(uid subnet.UID) *minerRound {
	for _, m := range g.Miners {
		if m.UID == uid {
			return m
		}
	}
	return nil
}

// pending returns those of a list that are still to be evaluated, in its order.
func (g *groupRound) pending(list []subnet.UID) []*minerRound {
	var left []*minerRound
	for _, uid := range list {
		if m := g.miner(uid); m != nil && m.State == statePending {
			left = append(left, m)
		}
	}
	return left
}

// entry returns a miner's part as it is ranked.
func (m *minerRound) entry(group int) Entry {
	e := Entry{UID: m.UID, Hotkey: m.Hotkey, Group: group, Hash: m.Commit.Hash, Committed: m.Committed, Loss: m.Loss, Why: slices.Clone(m.Why)}
	if bad, failed := m.Why.failed(); failed {
		e.Refused = bad.Reason
	}
	return e
}

// settle takes in what an evaluation came to.
func (m *minerRound) settle(w Why, loss float64) {
	m.Why, m.State = append(m.Why, w...), stateScored
	switch _, bad := m.Why.failed(); {
	case !bad:
		m.Loss = loss
	case m.Why.Status().operational():
		m.State = stateFailed
	default:
		m.State = stateRefused
	}
}

// entries returns the miners of a list as they are ranked.
func (g *groupRound) entries(in func(*minerRound) bool) []Entry {
	var list []Entry
	for _, m := range g.Miners {
		if in(m) {
			list = append(list, m.entry(g.Group))
		}
	}
	return list
}

// expire ends the wait for what was not evaluated when the round is closed.
func (g *groupRound) expire() {
	for _, m := range g.Miners {
		if m.State != statePending {
			continue
		}
		gate := Gate{Name: gateDeadline, Reason: "not evaluated before the round was scored"}
		switch {
		case g.Unmeasured != "":
			gate.Reason = "the baseline could not be evaluated: " + g.Unmeasured
		case !slices.Contains(g.Foreground, m.UID) && !slices.Contains(g.Background, m.UID):
			gate.Reason = assignedElsewhere
		case m.Tried != "":
			gate = Gate{Name: gateDownload, Reason: m.Tried}
		case m.Commit.Repo == "":
			gate = Gate{Name: gateDownload, Reason: "nothing was submitted"}
		}
		m.settle(Why{gate}, 0)
	}
}

// assignedElsewhere is why a validator says nothing about a miner.
const assignedElsewhere = "assigned to another validator"

// leavesPoint says whether a miner's part in a closed round goes into its history.
// Who was not scored for whatever reason loses only with the validator that it was
// assigned to.
func (r Rules) roundLeavesPoint(g *groupRound, m *minerRound) bool {
	s := m.Why.Status()
	if !r.leavesPoint(s) {
		return false
	}
	return !s.operational() || r.RepoFault && s == EvalDownloadFailed || slices.Contains(g.Foreground, m.UID)
}

// keepers returns the miners of a round whose files are still needed: the three
// lowest losses so far, and the three best averages.
func (g *groupRound) keepers(average map[subnet.UID]float64) map[subnet.UID]bool {
	const best = 3
	scored := slices.DeleteFunc(slices.Clone(g.Miners), func(m *minerRound) bool { return m.State != stateScored || m.File == "" })
	keep := make(map[subnet.UID]bool)
	slices.SortStableFunc(scored, func(a, b *minerRound) int { return cmp.Compare(a.Loss, b.Loss) })
	for _, m := range scored[:min(len(scored), best)] {
		keep[m.UID] = true
	}
	slices.SortStableFunc(scored, func(a, b *minerRound) int { return -cmp.Compare(average[a.UID], average[b.UID]) })
	for _, m := range scored[:min(len(scored), best)] {
		keep[m.UID] = true
	}
	return keep
}
