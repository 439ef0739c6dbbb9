package connito

import (
	"errors"
	"fmt"
	"slices"

	"adit/internal/subnet"
)

// A recordedRound is what an explanation reads of a validator's record of a round,
// rounds/<id>.json.
type recordedRound struct {
	ID     uint64 `json:"round_id"`
	Cycle  uint64 `json:"cycle"`
	Closed bool   `json:"closed"`
	Groups []struct {
		Group    int             `json:"expert_group"`
		Baseline *float64        `json:"baseline_loss"`
		A        []subnet.UID    `json:"validation_group_a"`
		B        []subnet.UID    `json:"validation_group_b"`
		C        []subnet.UID    `json:"validation_group_c"`
		Miners   []recordedMiner `json:"miners"`
	} `json:"groups"`
}

type recordedMiner struct {
	UID     subnet.UID    `json:"uid"`
	Hotkey  subnet.Hotkey `json:"hotkey"`
	State   string        `json:"state"`
	Loss    float64       `json:"val_loss"`
	Points  float64       `json:"points"`
	Reason  string        `json:"reason"`
	Why     Why           `json:"gates"`
	Weights Why           `json:"weight_gates"`
}

// recorded takes the gates from a validator's own record of the round, where there
// is one: it knows what no other neuron can. It returns false in a directory that
// has none.
func (a *account) recorded() (bool, error) {
	name := fmt.Sprintf("rounds/%d.json", a.rules.roundID(a.cycle))
	var r recordedRound
	if err := a.readJSON(name, &r); errors.Is(err, subnet.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if r.Cycle != a.cycle {
		return false, fmt.Errorf("%s is of cycle %d, not %d", name, r.Cycle, a.cycle)
	}
	a.Text += ", as this validator recorded it in " + name
	for _, g := range r.Groups {
		i := slices.IndexFunc(g.Miners, func(m recordedMiner) bool { return m.UID == a.miner.UID && m.Hotkey == a.Hotkey })
		if i < 0 {
			continue
		}
		m := g.Miners[i]
		a.add(m.Why)
		var facts []Fact
		if g.Baseline != nil {
			facts = append(facts, fact("baseline", *g.Baseline))
		}
		for i, list := range [][]subnet.UID{g.A, g.B, g.C} {
			if slices.Contains(list, m.UID) {
				facts = append(facts, Fact{"validation group", "ABC"[i : i+1]})
			}
		}
		for _, other := range g.Miners {
			if other.Loss > 0 {
				facts = append(facts, fact(fmt.Sprintf("loss of uid %d", other.UID), other.Loss))
			}
		}
		switch {
		case !r.Closed:
			a.gate("points", subnet.Unknown, fmt.Sprintf("the round is not scored yet, and the submission is %s", m.State), facts...)
		case m.Points > 0:
			a.gate("points", subnet.Passed, m.Reason, append(facts, fact("points", m.Points))...)
		default:
			a.gate("points", subnet.Stopped, m.Reason, append(facts, fact("points", m.Points))...)
		}
		a.add(m.Weights)
		if len(m.Weights) == 0 {
			a.gate(gateWeight, subnet.Unknown, "no weights have been made of this round yet")
		}
		return true, nil
	}
	a.gate(gateSecond, subnet.Stopped, fmt.Sprintf("uid %d is not in this validator's record of the round", a.miner.UID))
	return true, nil
}
