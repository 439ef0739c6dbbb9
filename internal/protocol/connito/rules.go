package connito

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"adit/internal/subnet"
)

// Rules holds everything in which the generations of the network differ. The
// values stand in generations.go.
type Rules struct {
	Name     string
	Schedule Schedule
	// PhaseNames are the words of the owner's service and of the log. A phase
	// without a name is one that the generation does not have.
	PhaseNames PhaseNames
	// OldService is the owner's first phase service, which tells less, and
	// neurons that look at it less often.
	OldService bool

	// Transports are the ways a model travels between a miner and a validator,
	// the preferred one first; each is tried where the one before it failed.
	Transports []Transport
	// Formats are the file formats of a shard, the preferred one first.
	Formats []subnet.Format
	// Signatures is how a signature is written in an HTTP message.
	Signatures Encoding
	// InsertionOrder hashes a model's tensors in the order of the file; the
	// later generations sort them by name.
	InsertionOrder bool
	// Lax lists the checks of the checkpoint server that upstream's version of
	// this generation leaves out. Ours leaves out none unless told to.
	Lax Laxity

	// Commits is how the JSON of a commitment is written. All are read alike.
	Commits CommitStyle
	// VersionCycles is how many cycles old the baseline may be that a
	// submission started from; 0 for any age.
	VersionCycles int
	// RepoMax is the longest Hub repository name that fits a commitment of
	// CommitMax bytes; RepoMaxValidator is what upstream's validator takes,
	// which checks its own with a longer hash than it will send. 0 is no limit.
	CommitMax, RepoMax, RepoMaxValidator int
	// Roles is how a validator is told from a miner.
	Roles RoleSource
	// WeightsAge is for how many blocks after its last weights a validator is
	// one; after as many, it falls back on old weights.
	WeightsAge subnet.Block

	// Seed says where the seed of an evaluation comes from.
	Seed SeedSource
	// CommitSeed is when a validator commits to a random number of 16 bits: it
	// takes part in the assignment, and in some generations in the evaluation.
	CommitSeed bool
	// MinersPerValidator caps an assignment. ByIncentive takes the miners with
	// the highest incentive first, where there are more than the cap allows.
	MinersPerValidator int
	ByIncentive        bool
	// Everyone has each validator evaluate all miners in the foreground.
	Everyone bool
	// NoForeground evaluates every miner each round in the background.
	NoForeground bool
	// NoBackground evaluates the foreground alone, as a validator may be told to.
	NoBackground bool
	// Groups are the sizes of a round's groups; the zero value has none.
	Groups GroupSizes

	// Baseline is what a submission's loss is compared with, and merged into.
	Baseline BaselineSource
	// BaselineFallback is the loss that upstream takes where its baseline could
	// not be evaluated, which makes every submission look good; 0 scores nobody.
	BaselineFallback float64
	// RankPoints are paid to the best submissions of a round, the first first.
	// Without any, a submission is paid its round score.
	RankPoints []float64
	// DeltaPower is applied to the drop in loss.
	DeltaPower float64
	// EarliestKeeps lets the earliest of equal submissions keep its score;
	// otherwise all of them lose it.
	EarliestKeeps bool
	// UnscoredLose gives no points to a miner that was assigned and not scored,
	// whoever's fault it was; otherwise such a round leaves no trace.
	UnscoredLose bool
	// RepoFault makes a repository that cannot be reached the miner's fault.
	RepoFault bool
	// ScoreWindow is how many rounds an average covers.
	ScoreWindow int
	// Pools divide the weights, the first pool first.
	Pools []Pool
	// BurnFallback is the share of fallback weights that goes to uid 0.
	BurnFallback float64

	// LateWeights sets weights WeightsLead blocks before the next cycle's
	// MinerCommit1 and not in the Validate phase.
	LateWeights bool
	WeightsLead subnet.Block
	// ExactKeys refuses a submission that lacks a tensor of its group.
	ExactKeys bool
	// OneGroup refuses a validator of more than one expert group.
	OneGroup bool
	// OwnerTask lets the owner say which task is worked on, with its experts.
	OwnerTask bool

	// Eval says what text submissions are evaluated on.
	Eval Eval
}

// A Transport is a way for a model to travel.
type Transport int

const (
	// HubTransport goes through a repository of the model hub.
	HubTransport Transport = iota
	// HTTPTransport goes through a validator's checkpoint server.
	HTTPTransport
	// DocsTransport goes through the endpoints that BlockZero's documents
	// describe and no public code ever had.
	DocsTransport
)

var transportNames = [...]string{"hub", "http", "docs"}

func (t Transport) String() string { return transportNames[t] }

// A RoleSource tells validators from miners.
type RoleSource int

const (
	// RolesByList takes for a validator whom the owner lists, if its weights
	// are not older than WeightsAge.
	RolesByList RoleSource = iota
	// RolesBySeed takes for a validator whoever commits to a seed.
	RolesBySeed
)

// A BaselineSource is what submissions are measured against.
type BaselineSource int

const (
	// MergedBaseline is the last merge, which the best submissions move.
	MergedBaseline BaselineSource = iota
	// PretrainedBaseline is always the base model's own; nothing is merged, and
	// what miners start from is the shard of the best average.
	PretrainedBaseline
)

// A Pool is a share of the weights for the best of those who qualify.
type Pool struct {
	Share   float64
	Size    int  // at most so many miners; 0 is no limit
	Records int  // with at least so many scored rounds
	Recent  bool // and points in both this round and the one before
	Rounds  int  // or records of so many rounds
	Within  int  // in so many cycles
	GroupC  bool // group C may be in it too, where there are groups
}

// A SeedSource is where an evaluation's seed comes from.
type SeedSource int

const (
	// SeedFromCommits is the hash of the validators' committed seeds. Where
	// none commits one, as upstream's later versions do not, anybody can
	// predict it.
	SeedFromCommits SeedSource = iota
	// SeedFromBlock is made of the hash of the last block of MinerCommit2:
	// nobody knows it before all submissions are fixed.
	SeedFromBlock
)

// GroupSizes are the sizes of the groups of a round, and what it takes to be in
// the first: see groups.go.
type GroupSizes struct {
	AB, C        int     // places in groups A and B together, and in C
	TallyA       int     // weights that count of each validator for A
	TallyB       int     // and for B
	MinWeight    float64 // that one validator must exceed for a miner of A
	MinConsensus int     // validators that must have weighed it
}

// An Eval is the text on which a submission is measured.
type Eval struct {
	Batches  int     // at most, of one sequence
	Sequence int     // tokens
	Fraction float64 // of the stream that a seed selects
	World    int     // parts of the stream, of which the first is used
	Sources  []Source
	// MinText and DedupPrefix drop texts of fewer characters, and texts that
	// begin with the same characters as one before; 0 drops none.
	MinText, DedupPrefix int
}

// A Source is a public data set, or part of one.
type Source struct {
	Path, Name string
	Weight     float64
	Revision   string // the first digits of its revision; "" is the newest
	Floor      int    // texts that each of its files surely has; 0 if nobody knows
}

// WithSchedule returns the rules with another phase table, such as the one the
// owner's service tells of.
func (r Rules) WithSchedule(s Schedule) Rules {
	r.Schedule = s
	return r
}

// WithLengths returns the rules with other lengths of the phases that the
// generation has, in order, or of all nine with 0 for those that it has not.
func (r Rules) WithLengths(blocks []uint64) (Rules, error) {
	var own []Phase
	for p := range phases {
		if r.Schedule[p] > 0 || len(blocks) == int(phases) {
			own = append(own, p)
		}
	}
	if len(blocks) != len(own) {
		return r, fmt.Errorf("%d lengths, but rules %s have %d phases", len(blocks), r.Name, len(own))
	}
	var all [phases]uint64
	for i, p := range own {
		if all[p] = blocks[i]; (all[p] > 0) != (r.Schedule[p] > 0) {
			return r, fmt.Errorf("phase %s of %d blocks: rules %s have one of %d", r.PhaseName(p), all[p], r.Name, r.Schedule[p])
		}
	}
	s, err := NewSchedule(all)
	return r.WithSchedule(s), err
}

// Scaled returns the rules for a network on one machine, with cycles of about so
// many blocks: each phase is longer or shorter in proportion, but no commit phase
// shorter than it takes to commit, and all that counts cycles in blocks goes with
// it.
func (r Rules) Scaled(cycle subnet.Block) Rules {
	before := r.Schedule.Cycle()
	scale := func(n subnet.Block) subnet.Block { return (n*cycle + before/2) / before }
	var rest subnet.Block
	for p, n := range r.Schedule {
		if n == 0 || Phase(p) == Train {
			continue
		}
		r.Schedule[p] = max(scale(n), shortestPhase)
		rest += r.Schedule[p]
	}
	r.Schedule[Train] = max(shortestTrain, cycle-min(cycle, rest))
	r.WeightsAge = max(scale(r.WeightsAge), min(r.WeightsAge, r.Schedule.Cycle()*9/10))
	if r.WeightsLead > 0 {
		r.WeightsLead = max(scale(r.WeightsLead), shortestLead)
	}
	r.Name = fmt.Sprintf("%s/%d", r.Name, cycle)
	return r
}

// What a network on one machine needs of a phase, in blocks.
const (
	shortestPhase subnet.Block = 5
	shortestTrain subnet.Block = 20
	shortestLead  subnet.Block = 3
)

// shortestCycle is the shortest cycle that a network is scaled to.
const shortestCycle = 40

// has says whether models travel in some way.
func (r Rules) has(t Transport) bool { return slices.Contains(r.Transports, t) }

// PhaseName returns the generation's word for a phase.
func (r Rules) PhaseName(p Phase) string {
	if name := r.PhaseNames[p]; name != "" {
		return name
	}
	return p.String()
}

// TwoCommits says whether a neuron commits twice, first to the signature alone.
func (r Rules) TwoCommits() bool { return r.Schedule[MinerCommit2] > 0 }

// RulesByName returns the generation of that name, of those whose round the
// roles of this package can live. "g3/120" is g3 with cycles of 120 blocks, for a
// network on one machine: see [Rules.Scaled].
func RulesByName(name string) (Rules, error) {
	base, length, scaled := strings.Cut(name, "/")
	for _, r := range allRules {
		if r.Name != base {
			continue
		}
		if !scaled {
			return r, nil
		}
		cycle, err := strconv.ParseUint(length, 10, 32)
		if err != nil || strconv.FormatUint(cycle, 10) != length || cycle < shortestCycle || cycle > maxPhase {
			return Rules{}, fmt.Errorf("rules %q: the length of a cycle must be %d to %d blocks", name, shortestCycle, maxPhase)
		}
		return r.Scaled(subnet.Block(cycle)), nil
	}
	return Rules{}, fmt.Errorf("unknown rules %q, want one of %v", name, rulesNames())
}

// GenerationByName returns the generation of that name, of all there were.
func GenerationByName(name string) (Rules, error) {
	var names []string
	for _, r := range Generations {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	return Rules{}, fmt.Errorf("unknown rules %q, want one of %v", name, names)
}

func rulesNames() []string {
	var names []string
	for _, r := range allRules {
		names = append(names, r.Name)
	}
	return names
}

// Serves says whether a validator has a checkpoint server.
func (r Rules) Serves() bool { return r.direct() }
