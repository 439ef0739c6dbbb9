package connito

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"adit/internal/subnet"
)

// toldFile is where a neuron keeps what the owner's service told it last.
const toldFile = "owner.json"

// A told is what a neuron knows from the owner: each thing with the block from
// which on it counts, the last one and the one before it. A neuron that restarts
// goes on with the same, whether the service answers or not.
type told struct {
	URL   string       `json:"url"`   // of the service
	Rules string       `json:"rules"` // that its table was read by
	Seen  subnet.Block `json:"seen"`  // when it last answered; 0 if it never did

	Tables    []toldTable `json:"tables,omitempty"`
	Whitelist []toldList  `json:"whitelist,omitempty"`
	Tasks     []toldTask  `json:"tasks,omitempty"`
}

type toldTable struct {
	From   subnet.Block   `json:"from"`
	Blocks [phases]uint64 `json:"blocks"`
}

type toldList struct {
	From    subnet.Block    `json:"from"`
	Hotkeys []subnet.Hotkey `json:"hotkeys"`
}

type toldTask struct {
	From subnet.Block `json:"from"`
	activeTask
}

// parseTold reads the file. What it says was checked when it came, and is again.
func parseTold(data []byte) (told, error) {
	var t told
	if len(data) > maxService {
		return told{}, fmt.Errorf("%s: %d bytes, want at most %d", toldFile, len(data), maxService)
	}
	if err := json.Unmarshal(data, &t); err != nil {
		return told{}, fmt.Errorf("%s: %w", toldFile, err)
	}
	for _, table := range t.Tables {
		if _, err := NewSchedule(table.Blocks); err != nil {
			return told{}, fmt.Errorf("%s: %w", toldFile, err)
		}
	}
	for _, list := range t.Whitelist {
		if len(list.Hotkeys) == 0 || len(list.Hotkeys) > maxListed {
			return told{}, fmt.Errorf("%s: a whitelist of %d", toldFile, len(list.Hotkeys))
		}
	}
	for _, task := range t.Tasks {
		if err := task.check(); err != nil {
			return told{}, fmt.Errorf("%s: %w", toldFile, err)
		}
	}
	return t, nil
}

// inForce returns the last entry that counts at a block.
func inForce[T any](list []T, from func(T) subnet.Block, at subnet.Block) (entry T, ok bool) {
	for _, e := range slices.Backward(list) {
		if from(e) <= at {
			return e, true
		}
	}
	return entry, false
}

// rulesAt returns the rules with the phase table that counts at a block.
func (t told) rulesAt(r Rules, at subnet.Block) Rules {
	if table, ok := inForce(t.Tables, func(e toldTable) subnet.Block { return e.From }, at); ok {
		if s, err := NewSchedule(table.Blocks); err == nil { // parseTold has seen to that
			return r.WithSchedule(s)
		}
	}
	return r
}

// whitelistAt returns the validators that count at a block, or the neuron's own
// list where the owner told none: an empty answer is none.
func (t told) whitelistAt(own []string, at subnet.Block) []string {
	list, ok := inForce(t.Whitelist, func(e toldList) subnet.Block { return e.From }, at)
	if !ok {
		return own
	}
	names := make([]string, len(list.Hotkeys))
	for i, h := range list.Hotkeys {
		names[i] = string(h)
	}
	return names
}

// taskAt returns the task that is worked on at a block, or false.
func (t told) taskAt(at subnet.Block) (activeTask, bool) {
	task, ok := inForce(t.Tasks, func(e toldTask) subnet.Block { return e.From }, at)
	return task.activeTask, ok
}

// learnTable takes over the table that the service told at a block. It counts from
// block from on; until then the present one does, so that no cycle is counted by
// two tables. It returns what changes, or "".
func (t *told) learnTable(r Rules, s Schedule, at, from subnet.Block) string {
	present, last := t.rulesAt(r, at).Schedule, t.rulesAt(r, subnet.Latest).Schedule
	if s == last {
		return ""
	}
	t.Tables = []toldTable{{0, present.blocks()}}
	if s == present {
		return "the phase table stays after all: " + s.describe(r)
	}
	if from <= at {
		t.Tables = nil
	}
	t.Tables = append(t.Tables, toldTable{from, s.blocks()})
	return fmt.Sprintf("%s, and before %s", s.describe(r), present.describe(r))
}

// describe names the lengths of a table.
func (s Schedule) describe(r Rules) string {
	var parts []string
	for p := range phases {
		if s[p] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", r.PhaseName(p), s[p]))
		}
	}
	return fmt.Sprintf("%d blocks (%s)", s.Cycle(), strings.Join(parts, ", "))
}

// learnWhitelist takes over a list that is not empty. It returns who came and who
// went.
func (t *told) learnWhitelist(own []string, list []subnet.Hotkey, at, from subnet.Block) (came, went []subnet.Hotkey) {
	last := t.whitelistAt(own, subnet.Latest)
	for _, h := range list {
		if !slices.Contains(last, string(h)) {
			came = append(came, h)
		}
	}
	for _, h := range last {
		if !slices.Contains(list, subnet.Hotkey(h)) {
			went = append(went, subnet.Hotkey(h))
		}
	}
	if len(list) == 0 || len(came)+len(went) == 0 {
		return nil, nil
	}
	kept, ok := inForce(t.Whitelist, func(e toldList) subnet.Block { return e.From }, at)
	t.Whitelist = nil
	if ok && from > at {
		t.Whitelist = append(t.Whitelist, kept)
	}
	t.Whitelist = append(t.Whitelist, toldList{from, list})
	return came, went
}

// learnTask takes over a task whose bundle is there.
func (t *told) learnTask(task activeTask, at, from subnet.Block) (changed bool) {
	if last, ok := t.taskAt(subnet.Latest); ok && last == task {
		return false
	}
	kept, ok := inForce(t.Tasks, func(e toldTask) subnet.Block { return e.From }, at)
	t.Tasks = nil
	if ok && from > at {
		t.Tasks = append(t.Tasks, kept)
	}
	t.Tasks = append(t.Tasks, toldTask{from, task})
	return true
}

// newCycle returns the first block of the cycle after the one that a block is in,
// by the table that counts there.
func (t told) newCycle(r Rules, at subnet.Block) subnet.Block {
	s := t.rulesAt(r, at).Schedule
	return s.Start(s.At(at).Cycle+1, Distribute)
}

// taskFrom returns from which block on a task counts that is told at a block:
// miners take it as long as they distribute, validators when that is over, and
// either waits for the next cycle if it is too late for that.
func (t told) taskFrom(r Rules, validator bool, at subnet.Block) subnet.Block {
	s := t.rulesAt(r, at).Schedule
	pos := s.At(at)
	switch {
	case pos.Phase != Distribute && validator:
		return s.Start(pos.Cycle+1, Train)
	case pos.Phase != Distribute:
		return s.Start(pos.Cycle+1, Distribute)
	case validator:
		return s.Start(pos.Cycle, Train)
	}
	return at
}
