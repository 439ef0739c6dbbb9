package connito

import (
	"testing"

	"adit/internal/subnet"
)

// TestScheduleG3 checks the phase table of the sheet: block 8081340 is the
// first of Submission in cycle 16162.
func TestScheduleG3(t *testing.T) {
	if got := G3.Schedule.Cycle(); got != 500 {
		t.Fatalf("cycle = %d blocks, want 500", got)
	}
	for _, tt := range []struct {
		block subnet.Block
		want  Position
	}{
		{0, Position{0, Distribute, 0, 19}},
		{19, Position{0, Distribute, 0, 19}},
		{20, Position{0, Train, 20, 319}},
		{319, Position{0, Train, 20, 319}},
		{320, Position{0, MinerCommit1, 320, 329}},
		{339, Position{0, MinerCommit2, 330, 339}},
		{429, Position{0, Validate, 420, 429}},
		{479, Position{0, Merge, 430, 479}},
		{489, Position{0, ValidatorCommit1, 480, 489}},
		{499, Position{0, ValidatorCommit2, 490, 499}},
		{500, Position{1, Distribute, 500, 519}},
		{8081340, Position{16162, Submission, 8081340, 8081419}},
	} {
		if got := G3.Schedule.At(tt.block); got != tt.want {
			t.Errorf("At(%d) = %v, want %v", tt.block, got, tt.want)
		}
	}
}

// TestCommitWindows checks that what is sent in the windows is what is read:
// the first commitment as the slot stands after the first block of the second
// phase, the second one after the block that follows its phase.
func TestCommitWindows(t *testing.T) {
	for _, r := range allRules {
		if !r.TwoCommits() {
			continue
		}
		for _, first := range []Phase{MinerCommit1, ValidatorCommit1} {
			from1, to1 := r.Schedule.commit1Window(7, first)
			from2, to2 := r.Schedule.commit2Window(7, first)
			read1, read2 := r.Schedule.commitReads(7, first)
			if to1 != read1 || from2 != read1+1 || to2 != read2 {
				t.Errorf("%s %v: windows %d-%d and %d-%d, read at %d and %d", r.Name, first, from1, to1, from2, to2, read1, read2)
			}
			if from1 > to1 || from2 > to2 {
				t.Errorf("%s %v: empty window", r.Name, first)
			}
			if got := r.Schedule.At(to1).Phase; got != first+1 {
				t.Errorf("%s: last block for the first commitment is in %v, want %v", r.Name, got, first+1)
			}
		}
	}
}

func TestReadCycle(t *testing.T) {
	for _, tt := range []struct {
		head  subnet.Block
		first Phase
		want  int
	}{
		{339, MinerCommit1, -1}, {340, MinerCommit1, 0}, {839, MinerCommit1, 0}, {840, MinerCommit1, 1},
		{499, ValidatorCommit1, -1}, {500, ValidatorCommit1, 0}, {999, ValidatorCommit1, 0}, {1000, ValidatorCommit1, 1},
	} {
		cycle, ok := G3.Schedule.readCycle(tt.head, tt.first)
		if ok != (tt.want >= 0) || ok && cycle != uint64(tt.want) {
			t.Errorf("readCycle(%d, %v) = %d, %v, want %d", tt.head, tt.first, cycle, ok, tt.want)
		}
	}
	if cycle, ok := G0.Schedule.readCycle(15, MinerCommit1); cycle != 0 || !ok {
		t.Errorf("g0 after Commit: %d, %v", cycle, ok)
	}
}

func TestVersionFits(t *testing.T) {
	r := G3
	for _, tt := range []struct {
		version, cycle uint64
		want           bool
	}{
		{r.Schedule.Version(9), 10, true},
		{r.Schedule.Version(7), 10, true},
		{r.Schedule.Version(6), 10, false},
		{r.Schedule.Version(10) + 1, 10, false},
		{0, 10, false},
		{0, 1, true},
	} {
		if got := r.versionFits(tt.version, tt.cycle); got != tt.want {
			t.Errorf("versionFits(%d, %d) = %v, want %v", tt.version, tt.cycle, got, tt.want)
		}
	}
}
