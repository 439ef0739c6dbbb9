package connito

import (
	"fmt"

	"adit/internal/subnet"
)

// Rules holds every number in which the generations of the network differ.
type Rules struct {
	Name     string
	Schedule Schedule

	// VersionCycles is how many cycles old the baseline may be that a
	// submission started from.
	VersionCycles int
	// RepoMax is the longest Hub repository name that fits a commitment of
	// CommitMax bytes.
	CommitMax, RepoMax int

	// Seed says where the seed of an evaluation comes from.
	Seed SeedSource
	// RankPoints are paid to the best submissions of a round, the first first.
	RankPoints []float64
	// DeltaPower is applied to the drop in loss.
	DeltaPower float64
	// EarliestKeeps lets the earliest of equal submissions keep its score;
	// otherwise all of them lose it.
	EarliestKeeps bool
	// ScoreWindow is how many rounds an average covers.
	ScoreWindow int
	// Pools divide the weights, the first pool first.
	Pools []Pool

	// LateWeights sets weights WeightsLead blocks before the next cycle's
	// MinerCommit1 and not in the Validate phase.
	LateWeights bool
	WeightsLead subnet.Block
	// ExactKeys refuses a submission that lacks a tensor of its group.
	ExactKeys bool
	// OneGroup refuses a validator of more than one expert group.
	OneGroup bool
}

// A Pool is a share of the weights for the best of those who qualify.
type Pool struct {
	Share   float64
	Size    int  // at most so many miners
	Records int  // with at least so many scored rounds
	Recent  bool // and points in both this round and the one before
}

// A SeedSource is where an evaluation's seed comes from.
type SeedSource int

const (
	// SeedFromCommits is the hash of the validators' committed seeds. Where
	// none commits one, as upstream's later versions do not, anybody can
	// predict it.
	SeedFromCommits SeedSource = iota
	// SeedFromBlock is the hash of the last block of MinerCommit2: nobody
	// knows it before all submissions are fixed.
	SeedFromBlock
)

// G3 is the network of May 2026: Hub transport, a cycle of 500 blocks.
var G3 = Rules{
	Name: "g3",
	Schedule: Schedule{
		Distribute: 20, Train: 300, MinerCommit1: 10, MinerCommit2: 10, Submission: 80,
		Validate: 10, Merge: 50, ValidatorCommit1: 10, ValidatorCommit2: 10,
	},
	VersionCycles: 3,
	CommitMax:     128,
	RepoMax:       32,
	Seed:          SeedFromCommits,
	RankPoints:    []float64{2.25, 1.5, 1},
	DeltaPower:    1.2,
	ScoreWindow:   8,
	Pools: []Pool{
		{Share: 0.98, Size: 3, Records: 3, Recent: true},
		{Share: 0.02, Size: 5, Records: 2},
	},
	LateWeights: true,
	WeightsLead: 15,
	OneGroup:    true,
}

// Local is G3 for a network on one machine: a cycle of 96 blocks, which is 48
// seconds at two blocks a second, and gates that pay from the first cycle on.
//
// Unlike upstream, one validator may serve several expert groups, since a
// miner's weight counts only with a majority of stake behind it, and a network
// of one validator per group would have none; weights are set when the round is
// scored and not a cycle later; equal submissions leave the earliest its score,
// because where all lose, a copier can take anybody's reward away; the seed
// comes from a block nobody can predict; and no tensor may be missing.
var Local = func() Rules {
	r := G3
	r.Name = "local"
	r.Schedule = Schedule{
		Distribute: 6, Train: 52, MinerCommit1: 5, MinerCommit2: 5, Submission: 8,
		Validate: 5, Merge: 5, ValidatorCommit1: 5, ValidatorCommit2: 5,
	}
	r.Seed = SeedFromBlock
	r.EarliestKeeps = true
	r.Pools = []Pool{{Share: 0.98, Size: 3, Records: 1}, {Share: 0.02, Size: 5, Records: 1}}
	r.LateWeights = false
	r.ExactKeys = true
	r.OneGroup = false
	return r
}()

// allRules lists the generations in the order in which users see them.
var allRules = []Rules{Local, G3}

// RulesByName returns the generation of that name.
func RulesByName(name string) (Rules, error) {
	for _, r := range allRules {
		if r.Name == name {
			return r, nil
		}
	}
	return Rules{}, fmt.Errorf("unknown rules %q, want one of %v", name, rulesNames())
}

func rulesNames() []string {
	var names []string
	for _, r := range allRules {
		names = append(names, r.Name)
	}
	return names
}
