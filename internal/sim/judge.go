package sim

import (
	"encoding/json"
	"fmt"
	"strings"

	"adit/internal/ledger"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// A Verdict is what a judge says of a run: someone who knows the rules, the faults
// and what the chain and the validators' records hold, and nothing of what a neuron
// thought.
type Verdict struct {
	Cycles   int // of miners
	Expected int // submissions that the rules would accept in spite of all faults
	Counted  int // that some validator evaluated, expected or not
	Lost     int // that were expected, and not evaluated
	Doubled  int // commitments that were in a block twice
	Weighed  int // weights that cheats were given
	Exits    int // roles that ended by themselves
	// Said tells of each that should not be.
	Said []string
}

// The margins of the judge, in blocks: how long all that an act needs must have been
// in order, without a break, before the judge holds a neuron to it.
const (
	// marginCommit is for a commitment: the client waits for an endpoint for two and
	// a half blocks before it says that there is none, then a try goes into the
	// next block.
	marginCommit = 5
	// marginSent is for how long a neuron that was killed may wait for a commitment
	// that it may have sent, before it sends it again.
	marginSent = 6
	// marginFetch is for what is downloaded or uploaded.
	marginFetch = 7
	// marginEval is for an evaluation, with its download.
	marginEval = 7
)

// A judge holds a run against its rules.
type judge struct {
	*Survival
	// Blocks in which what a neuron needs was not in order: its chain, disk and
	// process; its repository; its HTTP.
	self, hub, http calendar
	// unsure are the blocks in which a neuron may not know what it has sent.
	unsure calendar
	last   subnet.Block
}

// Judge says what became of the cycles from 1 on.
func (s *Survival) Judge(cycles int) Verdict {
	j := &judge{Survival: s, last: s.Chain.now(), hub: newCalendar(len(s.Neurons)), http: newCalendar(len(s.Neurons))}
	j.self, j.unsure = s.weather.troubled(len(s.Neurons))
	for _, f := range s.weather.faults {
		switch f.Kind {
		case Hub500, Hub429, HubCut, HubWrong, HubStall:
			j.hub.mark(f.Who, f.From, f.To+5) // a minute until a stall is noticed
		case HTTPDown, HTTP500, HTTP429, HTTPCut, HTTPWrong, HTTPStall:
			j.http.mark(f.Who, f.From, f.To+5)
		}
	}
	alone := s.endedAlone()
	v := Verdict{Exits: len(alone), Said: alone}
	for i, m := range s.Neurons {
		if m.Role == "validate" || m.Cheat != "" || m.Forger != "" {
			continue
		}
		for cycle := uint64(1); cycle <= uint64(cycles); cycle++ {
			v.Cycles++
			counted, why := j.counted(m, cycle)
			if counted {
				v.Counted++
			}
			if j.expected(i, cycle) {
				v.Expected++
				if !counted {
					v.Lost++
					v.Said = append(v.Said, fmt.Sprintf("lost: %s, cycle %d: %s", m.Name, cycle, why))
				}
			}
		}
	}
	j.doubled(&v)
	j.weighed(&v)
	return v
}

// clean says whether for so many blocks on end, all of them from block from to block
// to, none is in any of the lists.
func clean(from, to, margin subnet.Block, lists ...map[subnet.Block]bool) bool {
	var run subnet.Block
	for b := from; b <= to; b++ {
		run++
		for _, l := range lists {
			if l[b] {
				run = 0
			}
		}
		if run >= margin {
			return true
		}
	}
	return false
}

// expected says whether the rules would have accepted a miner's submission: in every
// window of the cycle there was time enough in which nothing was wrong.
func (j *judge) expected(i int, cycle uint64) bool {
	r := j.opts.Rules
	s := r.Schedule
	m := j.Neurons[i]
	validators := j.opts.Validators
	all := []map[subnet.Block]bool{j.self[i], j.hub[i]}
	if r.Serves() {
		all = append(all, j.http[i])
	}
	var judges []map[subnet.Block]bool
	for k := range validators {
		judges = append(judges, j.self[k], j.hub[k])
		if r.Serves() {
			judges = append(judges, j.http[k])
		}
	}
	everything := append(judges, all...)

	// A baseline of the last cycle, time to fetch it, and to train two steps.
	steps := subnet.Block(3*j.stepTime(m)/j.opts.BlockTime) + 1
	if !j.published(cycle-1) || !clean(s.Start(cycle, connito.Distribute), s.Start(cycle, connito.MinerCommit1)-3, steps+marginFetch, everything...) {
		return false
	}
	from, to := s.Start(cycle, connito.MinerCommit1), s.End(cycle, connito.MinerCommit1)+1
	if !clean(from, to, marginCommit, j.self[i], j.unsure[i]) {
		return false
	}
	if r.TwoCommits() {
		from, to = s.End(cycle, connito.MinerCommit1)+2, s.End(cycle, connito.MinerCommit2)+1
	}
	if !clean(from, to, marginCommit, j.self[i], j.unsure[i], j.hub[i]) {
		return false
	}
	from, to = s.Start(cycle, connito.Submission)+1, s.End(cycle, connito.Submission)
	return clean(from, to, marginEval, everything...)
}

// published says whether a validator said in a cycle where its baseline is.
func (j *judge) published(cycle uint64) bool {
	s := j.opts.Rules.Schedule
	from, to := s.Start(cycle, connito.ValidatorCommit2), s.End(cycle, connito.ValidatorCommit2)+1
	if !j.opts.Rules.TwoCommits() {
		from, to = s.Start(cycle, connito.Distribute), s.End(cycle, connito.Submission)
	}
	for _, in := range j.Chain.included {
		if fields, ok := commitment(in); ok && in.block >= from && in.block <= to && j.role(in.sent.who) == "validate" && hashOf(fields) != "" {
			return true
		}
	}
	return false
}

// role returns what a hotkey's neuron is, or "".
func (j *judge) role(hotkey [32]byte) string {
	for _, v := range j.Neurons {
		if v.Hotkey == address(hotkey) {
			return v.Role
		}
	}
	return ""
}

// commitment returns the text of a commitment.
func commitment(in inclusion) (string, bool) {
	call, ok := in.sent.call.(*ledger.SetCommitment)
	if !ok {
		return "", false
	}
	var all strings.Builder
	for _, f := range call.Info.Fields {
		all.Write(f.Bytes)
	}
	return all.String(), true
}

// hashOf returns what stands under "h".
func hashOf(commit string) string {
	_, rest, _ := strings.Cut(strings.ReplaceAll(commit, `": "`, `":"`), `"h":"`)
	hash, _, _ := strings.Cut(rest, `"`)
	return hash
}

// counted says whether a validator evaluated a miner's submission of a cycle, by the
// record that it keeps of the round, and else why not.
func (j *judge) counted(m *Neuron, cycle uint64) (bool, string) {
	id := uint64(j.opts.Rules.Schedule.Start(cycle, connito.Submission))
	var reasons []string
	for _, v := range j.Neurons[:j.opts.Validators] {
		f, err := v.Memory.Open(fmt.Sprintf("rounds/%d.json", id))
		if err != nil {
			reasons = append(reasons, v.Name+" does not know the round")
			continue
		}
		why := v.Name + " does not know the miner"
		data := make([]byte, f.Size())
		_, _ = f.ReadAt(data, 0)
		var r struct {
			Groups []struct {
				Miners []struct {
					Hotkey subnet.Hotkey `json:"hotkey"`
					State  string        `json:"state"`
					Gates  []struct {
						Passed bool   `json:"passed"`
						Reason string `json:"reason"`
					} `json:"gates"`
				} `json:"miners"`
			} `json:"groups"`
		}
		if err := json.Unmarshal(data, &r); err != nil {
			return false, err.Error()
		}
		for _, g := range r.Groups {
			for _, e := range g.Miners {
				if e.Hotkey != m.Hotkey {
					continue
				}
				if e.State == "scored" {
					return true, ""
				}
				why = v.Name + ": " + e.State
				for _, g := range e.Gates {
					if !g.Passed {
						why += ", " + g.Reason
						break
					}
				}
			}
		}
		reasons = append(reasons, why)
	}
	return false, strings.Join(reasons, "; ")
}

// soon is within how many blocks a validator does not say the same thing for another
// reason.
const soon = 12

// doubled counts the commitments of a kind that a miner had included more than once
// in a cycle. A validator has several to make: of it, those that say the same count,
// if one soon follows the other.
func (j *judge) doubled(v *Verdict) {
	s := j.opts.Rules.Schedule
	type act struct {
		who    [32]byte
		cycle  uint64
		second bool
		fields string
	}
	seen := make(map[act]subnet.Block)
	for _, in := range j.Chain.included {
		fields, ok := commitment(in)
		role := j.role(in.sent.who)
		if !ok || role == "" || in.block == 0 || j.cheats(in.sent.who) {
			continue
		}
		at := s.At(in.block - 1) // the windows end a block after the phase
		a := act{in.sent.who, at.Cycle, hashOf(fields) != "", ""}
		if role == "validate" {
			a.fields = fields
		}
		if before, twice := seen[a]; twice && (role == "mine" || in.block < before+soon) {
			v.Doubled++
			v.Said = append(v.Said, fmt.Sprintf("doubled: %s in blocks %d and %d (%v of cycle %d): %.60s", j.name(in.sent.who), before, in.block, at.Phase, at.Cycle, fields))
		}
		seen[a] = in.block
	}
}

func (j *judge) cheats(hotkey [32]byte) bool {
	for _, v := range j.Neurons {
		if v.Hotkey == address(hotkey) {
			return v.Cheat != ""
		}
	}
	return false
}

func (j *judge) name(hotkey [32]byte) string {
	for _, v := range j.Neurons {
		if v.Hotkey == address(hotkey) {
			return v.Name
		}
	}
	return "stranger"
}

// weighed counts the weights that cheats were given.
func (j *judge) weighed(v *Verdict) {
	meta, err := stateAt(j.Chain.metagraphs, subnet.Latest)
	if err != nil {
		v.Said = append(v.Said, err.Error())
		return
	}
	cheats := make(map[uint16]string)
	for _, n := range j.Neurons {
		if on, ok := meta.ByHotkey(n.Hotkey); ok && (n.Cheat != "" || n.Forger != "") {
			cheats[uint16(on.UID)] = n.Name
		}
	}
	for _, in := range j.Chain.included {
		call, ok := in.sent.call.(*ledger.SetWeights)
		if !ok {
			continue
		}
		for i, uid := range call.Dests {
			if name := cheats[uid]; name != "" && call.Weights[i] > 0 {
				v.Weighed++
				v.Said = append(v.Said, fmt.Sprintf("weighed: %s in block %d by %s", name, in.block, j.name(in.sent.who)))
			}
		}
	}
}
