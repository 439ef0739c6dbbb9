package connito

import (
	"fmt"

	"adit/internal/subnet"
)

// A Phase is what the network is doing at a block.
type Phase int

// The phases of a cycle, in order.
const (
	Distribute       Phase = iota // miners fetch their group's baseline
	Train                         // and train it
	MinerCommit1                  // the signature of a hash goes on chain
	MinerCommit2                  // then the hash, and where the model is
	Submission                    // the validator fetches and evaluates
	Validate                      // scores and sets weights
	Merge                         // makes the next baseline of the best
	ValidatorCommit1              // signs it on chain
	ValidatorCommit2              // says where it is
	phases
)

var phaseNames = [phases]string{
	"Distribute", "Train", "MinerCommit1", "MinerCommit2", "Submission",
	"Validate", "Merge", "ValidatorCommit1", "ValidatorCommit2",
}

func (p Phase) String() string { return phaseNames[p] }

// A Schedule holds the length of each phase in blocks. A phase of no length is
// one that a generation does not have: with a single commit phase, that is
// MinerCommit2.
type Schedule [phases]subnet.Block

// NewSchedule returns the schedule of nine lengths, as the owner's service tells
// them: blocks of each phase in order, 0 for one that the generation does not
// have.
func NewSchedule(blocks [9]uint64) (Schedule, error) {
	var s Schedule
	for p, n := range blocks {
		if n > maxPhase {
			return Schedule{}, fmt.Errorf("phase %v of %d blocks, want at most %d", Phase(p), n, maxPhase)
		}
		s[p] = subnet.Block(n)
	}
	for _, p := range []Phase{Distribute, Train, MinerCommit1, Submission} {
		if s[p] == 0 {
			return Schedule{}, fmt.Errorf("no %v phase", p)
		}
	}
	return s, nil
}

// blocks is what NewSchedule makes the schedule of.
func (s Schedule) blocks() (blocks [phases]uint64) {
	for p, n := range s {
		blocks[p] = uint64(n)
	}
	return blocks
}

// maxPhase is the longest phase that is believed: two weeks of blocks.
const maxPhase = 100_800

// Cycle returns the length of a cycle.
func (s Schedule) Cycle() subnet.Block {
	var sum subnet.Block
	for _, n := range s {
		sum += n
	}
	return sum
}

// A Position is where a block stands in its cycle.
type Position struct {
	Cycle uint64
	Phase Phase
	// The phase covers blocks Start to End, both included.
	Start, End subnet.Block
}

// At returns the position of block b. Cycles are counted from block 0, whenever
// the network began.
func (s Schedule) At(b subnet.Block) Position {
	cycle := uint64(b / s.Cycle())
	for p := range phases {
		if end := s.End(cycle, p); s[p] > 0 && b <= end {
			return Position{cycle, p, s.Start(cycle, p), end}
		}
	}
	panic("unreachable: the last phase ends with the cycle")
}

// Start returns the first block of phase p in a cycle.
func (s Schedule) Start(cycle uint64, p Phase) subnet.Block {
	b := subnet.Block(cycle) * s.Cycle()
	for _, n := range s[:p] {
		b += n
	}
	return b
}

// End returns the last block of phase p in a cycle; of a phase that there is
// not, the block before its start.
func (s Schedule) End(cycle uint64, p Phase) subnet.Block {
	return s.Start(cycle, p) + s[p] - 1
}

// Version returns the global version of the baseline that a cycle's merge
// makes: the block at which the cycle's MinerCommit1 starts.
func (s Schedule) Version(cycle uint64) uint64 {
	return uint64(s.Start(cycle, MinerCommit1))
}

// commit1Window and commit2Window are the blocks in which the two commitments
// of a role must be included. A hotkey has one slot, read after the block that
// follows each phase: so the first must be the slot's content after the first
// block of the second phase, and the second must not come before it was read.
//
// With a single commit phase there is nothing to hide: the first window is that
// phase and the block after it, and the second is empty.
func (s Schedule) commit1Window(cycle uint64, first Phase) (from, to subnet.Block) {
	return s.Start(cycle, first), s.End(cycle, first) + 1
}

func (s Schedule) commit2Window(cycle uint64, first Phase) (from, to subnet.Block) {
	return s.End(cycle, first) + 2, s.End(cycle, first+1) + 1
}

// commitReads returns the blocks after which the two commitments of a role are
// read.
func (s Schedule) commitReads(cycle uint64, first Phase) (one, two subnet.Block) {
	return s.End(cycle, first) + 1, s.End(cycle, first+1) + 1
}

// readCycle returns the newest cycle of which both commitments of a role can be
// read when the head is at a block, or false if there is none yet.
func (s Schedule) readCycle(head subnet.Block, first Phase) (uint64, bool) {
	cycle := uint64(head / s.Cycle())
	for {
		if _, two := s.commitReads(cycle, first); two <= head {
			return cycle, true
		}
		if cycle == 0 {
			return 0, false
		}
		cycle--
	}
}
