package connito

import (
	"errors"
	"fmt"
	"slices"

	"adit/internal/subnet"
)

// recorded takes the gates from a validator's own record of the round, where there
// is one: it knows what no other neuron can. It returns false in a directory that
// has none.
func (a *account) recorded() (bool, error) {
	name := roundFile(a.rules.roundID(a.cycle))
	r, err := a.loadRound(a.cycle)
	if errors.Is(err, subnet.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if r.Cycle != a.cycle {
		return false, fmt.Errorf("%s is of cycle %d, not %d", name, r.Cycle, a.cycle)
	}
	a.Text += ", as this validator recorded it in " + name
	for _, g := range r.Groups {
		i := slices.IndexFunc(g.Miners, func(m *minerRound) bool { return m.UID == a.miner.UID && m.Hotkey == a.Hotkey })
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
