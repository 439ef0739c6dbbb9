package connito

import (
	"encoding/json"
	"fmt"

	"adit/internal/subnet"
)

// The owner's phase service answers GET requests with the JSON of this file. A
// neuron that knows the lengths of the phases needs none of it but [serviceRoot]:
// all the rest follows from the height.

// A phaseInfo is the answer to /get_phase.
type phaseInfo struct {
	Block           subnet.Block `json:"block"`
	CycleLength     subnet.Block `json:"cycle_length"`
	CycleIndex      uint64       `json:"cycle_index"`
	CycleBlockIndex subnet.Block `json:"cycle_block_index"`
	PhaseName       string       `json:"phase_name"`
	PhaseIndex      int          `json:"phase_index"`
	PhaseStart      subnet.Block `json:"phase_start_block"`
	PhaseEnd        subnet.Block `json:"phase_end_block"` // included
	BlocksInto      subnet.Block `json:"blocks_into_phase"`
	BlocksRemaining subnet.Block `json:"blocks_remaining_in_phase"`
}

// phaseInfo returns what /get_phase says of a block.
func (r Rules) phaseInfo(b subnet.Block) phaseInfo {
	p := r.Schedule.At(b)
	return phaseInfo{
		Block: b, CycleLength: r.Schedule.Cycle(), CycleIndex: p.Cycle, CycleBlockIndex: b % r.Schedule.Cycle(),
		PhaseName: r.PhaseName(p.Phase), PhaseIndex: r.phaseIndex(p.Phase), PhaseStart: p.Start, PhaseEnd: p.End,
		BlocksInto: b - p.Start, BlocksRemaining: p.End - b,
	}
}

// phaseIndex is a phase's place among those that the generation has.
func (r Rules) phaseIndex(p Phase) int {
	i := 0
	for _, n := range r.Schedule[:p] {
		if n > 0 {
			i++
		}
	}
	return i
}

// disagreement says in what an answer of the owner's service contradicts the
// neuron's own table, or "".
func (r Rules) disagreement(got phaseInfo) string {
	want := r.phaseInfo(got.Block)
	switch {
	case got.CycleLength != want.CycleLength:
		return fmt.Sprintf("the service counts %d blocks a cycle, the rules %d", got.CycleLength, want.CycleLength)
	case got.CycleIndex != want.CycleIndex:
		return fmt.Sprintf("block %d is in cycle %d for the service, in %d by the rules", got.Block, got.CycleIndex, want.CycleIndex)
	case got.PhaseName != want.PhaseName || got.PhaseStart != want.PhaseStart || got.PhaseEnd != want.PhaseEnd:
		return fmt.Sprintf("block %d is in %s, %d to %d, for the service, in %s, %d to %d, by the rules",
			got.Block, got.PhaseName, got.PhaseStart, got.PhaseEnd, want.PhaseName, want.PhaseStart, want.PhaseEnd)
	}
	return ""
}

// A phaseSpan is one entry of /blocks_until_next_phase or of
// /previous_phase_blocks. Blocks before the first are negative.
type phaseSpan struct {
	Name            string
	Start, End      int64
	Until           int64
	hasUntil, naked bool
}

// phaseSpans is a JSON object in the order of the phases.
type phaseSpans []phaseSpan

// MarshalJSON writes {name: [start, end, until]}, or without until, or, of G0,
// {name: until}.
func (list phaseSpans) MarshalJSON() ([]byte, error) {
	var obj fields
	for _, s := range list {
		switch {
		case s.naked:
			obj = append(obj, field{s.Name, s.Until})
		case s.hasUntil:
			obj = append(obj, field{s.Name, []any{s.Start, s.End, s.Until}})
		default:
			obj = append(obj, field{s.Name, []any{s.Start, s.End}})
		}
	}
	return appendJSON(nil, obj, jsonStyle{}), nil
}

// blocksUntilNext is the answer to /blocks_until_next_phase: each phase's next
// start at or after block b, so that the first block of a phase is 0 blocks
// away from it. In G0 the number of blocks alone is told.
func (r Rules) blocksUntilNext(b subnet.Block) phaseSpans {
	var list phaseSpans
	for p := range phases {
		if r.Schedule[p] == 0 {
			continue
		}
		start := r.nextStart(b, p)
		end := start + r.Schedule[p] - 1
		list = append(list, phaseSpan{
			Name: r.PhaseName(p), Start: int64(start), End: int64(end), Until: int64(start - b),
			hasUntil: true, naked: r.OldService,
		})
	}
	return list
}

// previousPhases is the answer to /previous_phase_blocks: each phase's next
// occurrence less a cycle. Within a phase that is the one in progress, but at its
// first block it is the one of the cycle before, since the next occurrence is
// then the present one. In G0 it is the last one that is over.
func (r Rules) previousPhases(b subnet.Block) phaseSpans {
	var list phaseSpans
	cycle := int64(r.Schedule.Cycle())
	for p := range phases {
		if r.Schedule[p] == 0 {
			continue
		}
		start := int64(r.nextStart(b, p)) - cycle
		end := start + int64(r.Schedule[p]) - 1
		if r.OldService && end >= int64(b) {
			start, end = start-cycle, end-cycle
		}
		list = append(list, phaseSpan{Name: r.PhaseName(p), Start: start, End: end})
	}
	return list
}

// nextStart returns the first start of a phase at or after a block.
func (r Rules) nextStart(b subnet.Block, p Phase) subnet.Block {
	cycle := uint64(b / r.Schedule.Cycle())
	if start := r.Schedule.Start(cycle, p); start >= b {
		return start
	}
	return r.Schedule.Start(cycle+1, p)
}

// A serviceRoot is the answer to /: the phase table.
type serviceRoot struct {
	Message     string            `json:"message"`
	CycleLength uint64            `json:"cycle_length"`
	Phases      []servicePhase    `json:"phases"`
	Usage       map[string]string `json:"usage"`
}

type servicePhase struct {
	Index  int    `json:"index"`
	Name   string `json:"name"`
	Length uint64 `json:"length"`
}

// serviceRoot returns what the service of a network with these rules says.
func (r Rules) serviceRoot() serviceRoot {
	root := serviceRoot{
		Message: "Phase service is running", CycleLength: uint64(r.Schedule.Cycle()),
		Usage: map[string]string{
			"/get_phase": "the phase of the head", "/blocks_until_next_phase": "the next start of each phase",
			"/previous_phase_blocks": "the last span of each phase",
		},
	}
	for p := range phases {
		if r.Schedule[p] > 0 {
			root.Phases = append(root.Phases, servicePhase{r.phaseIndex(p), r.PhaseName(p), uint64(r.Schedule[p])})
		}
	}
	return root
}

// maxService is the largest answer of the owner's service that is read.
const maxService = 1 << 20

// parseRoot reads the phase table in the answer to / and returns the rules with
// it. Names are the generation's own; a table that lacks one of its phases, or
// has another, is of another generation, and an error.
func (r Rules) parseRoot(data []byte) (Rules, error) {
	if len(data) > maxService {
		return r, fmt.Errorf("phase table of %d bytes, want at most %d", len(data), maxService)
	}
	// The usage is for people and of no fixed type.
	var root struct {
		CycleLength uint64         `json:"cycle_length"`
		Phases      []servicePhase `json:"phases"`
	}
	if err := json.Unmarshal(data, &root); err != nil {
		return r, fmt.Errorf("phase table: %w", err)
	}
	var blocks [phases]uint64
	for _, got := range root.Phases {
		p, ok := r.phaseByName(got.Name)
		if !ok || blocks[p] > 0 || got.Length == 0 {
			return r, fmt.Errorf("phase table: rules %s have no use for %d blocks of phase %.40q", r.Name, got.Length, got.Name)
		}
		blocks[p] = got.Length
	}
	for p := range phases {
		if (blocks[p] > 0) != (r.Schedule[p] > 0) {
			return r, fmt.Errorf("phase table: rules %s want a phase %s", r.Name, r.PhaseName(p))
		}
	}
	s, err := NewSchedule(blocks)
	if err != nil {
		return r, fmt.Errorf("phase table: %w", err)
	}
	if root.CycleLength != 0 && root.CycleLength != uint64(s.Cycle()) {
		return r, fmt.Errorf("phase table: a cycle of %d blocks, but its phases have %d", root.CycleLength, s.Cycle())
	}
	return r.WithSchedule(s), nil
}

func (r Rules) phaseByName(name string) (Phase, bool) {
	for p := range phases {
		if r.Schedule[p] > 0 && r.PhaseName(p) == name {
			return p, true
		}
	}
	return 0, false
}

// parsePhaseInfo reads the answer to /get_phase.
func parsePhaseInfo(data []byte) (phaseInfo, error) {
	var p phaseInfo
	if len(data) > maxService {
		return p, fmt.Errorf("phase of %d bytes, want at most %d", len(data), maxService)
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return phaseInfo{}, fmt.Errorf("phase: %w", err)
	}
	if p.CycleLength == 0 || p.PhaseName == "" || p.PhaseStart > p.Block || p.PhaseEnd < p.Block {
		return phaseInfo{}, fmt.Errorf("phase: block %d in %.40q, %d to %d", p.Block, p.PhaseName, p.PhaseStart, p.PhaseEnd)
	}
	return p, nil
}
