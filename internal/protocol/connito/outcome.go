package connito

import (
	"context"
	"fmt"
	"math"
	"strings"

	"adit/internal/subnet"
)

// ranked says what is known of the others' submissions away from the validators: who
// submitted the very same, and no more.
func (a *account) ranked(m measure) {
	if m == (measure{}) {
		return
	}
	if a.equalled() {
		return
	}
	text := fmt.Sprintf("its score is %.4g; how many scored higher only the validators know", a.rules.delta(m.baseline, m.loss))
	if n := len(a.rules.RankPoints); n > 0 {
		text += fmt.Sprintf(", and the best %d of a group are paid", n)
	}
	if !a.rules.EarliestKeeps {
		text += "; equal submissions lose their points"
	}
	a.gate(gateRank, subnet.Unknown, text)
}

// equalled looks for others who submitted the very same: hashes are on chain, and
// equal models have equal scores.
func (a *account) equalled() bool {
	f := a.frozen
	if f == nil { // they are not fixed yet
		return false
	}
	hash := func(who subnet.Hotkey) string {
		if len(f.revealed[who]) == 0 {
			return ""
		}
		return f.revealed[who][0].Hash
	}
	if hash(a.Hotkey) == "" {
		return false
	}
	mine := f.first[a.Hotkey].Block
	for _, v := range f.meta.Neurons {
		if v.Hotkey == a.Hotkey || hash(v.Hotkey) != hash(a.Hotkey) || a.unscored(f, v) {
			continue
		}
		at := f.first[v.Hotkey].Block
		facts := []Fact{{"of uid", fmt.Sprint(v.UID)}, {"committed", fmt.Sprint(at)}, {"this", fmt.Sprint(mine)}}
		if !a.rules.EarliestKeeps {
			a.gate(gateRank, subnet.Stopped, "equals another submission", facts...)
			return true
		}
		if at < mine || at == mine && v.UID < a.miner.UID {
			a.gate(gateRank, subnet.Stopped, "equals a submission that was committed earlier", facts...)
			return true
		}
	}
	return false
}

// paid says what weight validators gave the miner after the round.
func (a *account) paid(ctx context.Context) error {
	s := a.rules.Schedule
	at := s.Start(a.cycle+1, Distribute) - 1
	if a.rules.LateWeights {
		at = s.Start(a.cycle+1, MinerCommit1)
	}
	if at > a.head {
		a.gate(gateWeight, subnet.Unknown, fmt.Sprintf("weights count this round from about block %d on", at))
		return nil
	}
	meta, err := a.Chain.Metagraph(ctx, at)
	if err != nil {
		return fmt.Errorf("read weights at block %d: %w", at, err)
	}
	v, ok := meta.ByHotkey(a.Hotkey)
	if !ok {
		a.gate(gateWeight, subnet.Stopped, fmt.Sprintf("it had no uid any more at block %d", at))
		return nil
	}
	facts := []Fact{{"block", fmt.Sprint(at)}}
	var sum float64
	judges := 0
	for _, j := range meta.Neurons {
		if len(j.Weights) == 0 || !a.validator(j) {
			continue
		}
		judges++
		for _, w := range j.Weights {
			if w.UID == v.UID && w.Value > 0 {
				sum += w.Value
				facts = append(facts, fact(fmt.Sprintf("by uid %d", j.UID), math.Round(w.Value*1e4)/1e4))
			}
		}
	}
	facts = append(facts, fact("incentive", math.Round(v.Incentive*1e4)/1e4))
	switch {
	case judges == 0:
		a.gate(gateWeight, subnet.Unknown, "no validator has set weights that can be read; the subnet may have them committed first", facts...)
	case sum > 0:
		a.gate(gateWeight, subnet.Passed, "weight on chain, older rounds included", facts...)
	default:
		a.gate(gateWeight, subnet.Stopped, strings.TrimSpace("no validator gave it weight "+a.poolText()), facts...)
	}
	return nil
}

// poolText says what it takes to get weight.
func (a *account) poolText() string {
	var list []string
	for i, p := range a.rules.Pools {
		t := fmt.Sprintf("pool %d takes those with %d scored rounds", i+1, p.Records)
		if p.Recent {
			t += ", points in two rounds running"
		}
		if p.Rounds > 0 {
			t += fmt.Sprintf(", %d rounds in the last %d cycles", p.Rounds, p.Within)
		}
		list = append(list, t+" and an average above nought")
	}
	return "(" + strings.Join(list, "; ") + ")"
}

// scores returns the histories in a validator's directory, or nil in another's.
func (a *account) scores() Scores {
	data, err := a.Read(scoresFile)
	if err != nil {
		return nil
	}
	scores, err := parseScores(data, a.cfg.Task.Groups[0].ID)
	if err != nil {
		return nil
	}
	return scores
}
