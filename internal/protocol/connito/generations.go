package connito

import "adit/internal/subnet"

// PhaseNames are the words for the phases, in order.
type PhaseNames [phases]string

var oneCommit = PhaseNames{Distribute: "Distribute", Train: "Train", MinerCommit1: "Commit", Submission: "Submission", Validate: "Validate", Merge: "Merge"}

// G0 is the network of late 2025, when it was called mycelia: one commitment a
// cycle of 45 blocks, HTTP both ways, hardly a check. Upstream paid the plain
// loss, the higher the better; that was a mistake, and here as in the versions
// after it the drop in loss is paid.
var G0 = Rules{
	Name: "g0",
	Schedule: Schedule{
		Distribute: 2, Train: 10, MinerCommit1: 3, Submission: 10, Validate: 10, Merge: 10,
	},
	PhaseNames:     oneCommit,
	OldService:     true,
	Transports:     []Transport{HTTPTransport},
	Formats:        []subnet.Format{subnet.Torch},
	Signatures:     Hex,
	InsertionOrder: true,
	Lax:            LaxSignature | LaxFresh | LaxMember | LaxPhase | LaxAssigned | LaxTwice | LaxModelHex | LaxBlockHex | LaxChain | LaxPackage,
	Commits:        CommitStyle{Spaced: true, Nulls: true},
	Roles:          RolesBySeed,
	Seed:           SeedFromCommits,
	CommitSeed:     true,
	DeltaPower:     1,
	UnscoredLose:   true,
	ScoreWindow:    8,
	Pools:          []Pool{{Share: 1, Records: 1}},
	OneGroup:       true,
	Eval:           Eval{Batches: 51, Sequence: 1024, Fraction: 0.1, World: 10, Sources: []Source{{Path: "allenai/c4", Name: "en", Weight: 1}}},
}

// G1 is the network of BlockZero's documents: a cycle of 45 blocks in four
// phases, and HTTP endpoints that no public code ever had. In what the documents
// leave open it is as G0, but for the order of the hash, which they do not
// promise, and the signature, which they do not describe.
var G1 = func() Rules {
	r := G0
	r.Name = "g1"
	r.Schedule = Schedule{Distribute: 5, Train: 30, MinerCommit1: 5, Submission: 5}
	r.PhaseNames = PhaseNames{Distribute: "Distribute", Train: "Train", MinerCommit1: "Commit", Submission: "Submit"}
	r.OldService = false
	r.Transports = []Transport{DocsTransport}
	r.Formats = []subnet.Format{subnet.Torch, subnet.Safetensors}
	r.Signatures = Base64URL
	r.InsertionOrder = false
	r.Lax = 0
	r.Commits = CommitStyle{}
	r.Roles = RolesByList
	r.WeightsAge = 448
	return r
}()

// G2Early is the network of early April 2026: nine phases in 472 blocks, two
// commitments, and files over HTTP alone. Every average above nought is paid, since
// a limit on how many came with the ranks.
var G2Early = Rules{
	Name: "g2-472",
	Schedule: Schedule{
		Distribute: 20, Train: 300, MinerCommit1: 8, MinerCommit2: 8, Submission: 20,
		Validate: 50, Merge: 50, ValidatorCommit1: 8, ValidatorCommit2: 8,
	},
	PhaseNames:         phaseNames,
	Transports:         []Transport{HTTPTransport},
	Formats:            []subnet.Format{subnet.Torch},
	Signatures:         Base64URL,
	Lax:                LaxSignature | LaxFresh | LaxMember | LaxModelHex | LaxBlockHex,
	Commits:            CommitStyle{Spaced: true, Nulls: true},
	VersionCycles:      3,
	WeightsAge:         448,
	Seed:               SeedFromCommits,
	CommitSeed:         true,
	MinersPerValidator: 10,
	DeltaPower:         1,
	UnscoredLose:       true,
	ScoreWindow:        8,
	Pools:              []Pool{{Share: 1, Records: 1}},
	OneGroup:           true,
	Eval:               evalHub,
}

// G2 is the network of late April 2026: 480 blocks, files through the Hub and,
// where that fails, over HTTP. It paid raw drops in loss, then ranks of 3, 2 and 1,
// then those of G3, within weeks; the ranks in between are taken here.
var G2 = func() Rules {
	r := G2Early
	r.Name = "g2"
	r.Schedule = Schedule{
		Distribute: 20, Train: 300, MinerCommit1: 10, MinerCommit2: 10, Submission: 60,
		Validate: 10, Merge: 50, ValidatorCommit1: 10, ValidatorCommit2: 10,
	}
	r.Transports = []Transport{HubTransport, HTTPTransport}
	r.Lax = LaxFresh | LaxMember | LaxModelHex | LaxBlockHex
	r.Commits = CommitStyle{}
	r.CommitMax, r.RepoMax, r.RepoMaxValidator = 128, 32, 22
	r.CommitSeed = false
	r.MinersPerValidator = 5
	r.ByIncentive = true
	r.RankPoints = []float64{3, 2, 1}
	r.DeltaPower = 1.2
	r.Pools = []Pool{{Share: 1, Size: 3, Records: 1}}
	r.LateWeights = true
	r.WeightsLead = 15
	return r
}()

// G3 is the network of May 2026: Hub transport, a cycle of 500 blocks.
var G3 = func() Rules {
	r := G2
	r.Name = "g3"
	r.Schedule = Schedule{
		Distribute: 20, Train: 300, MinerCommit1: 10, MinerCommit2: 10, Submission: 80,
		Validate: 10, Merge: 50, ValidatorCommit1: 10, ValidatorCommit2: 10,
	}
	r.Transports = []Transport{HubTransport}
	r.Lax = 0
	r.Groups = GroupSizes{AB: 13, C: 17, TallyA: 3, TallyB: 5, MinWeight: 0.03, MinConsensus: 1}
	r.BaselineFallback = 100
	r.RankPoints = []float64{2.25, 1.5, 1}
	r.UnscoredLose = false
	r.Pools = []Pool{
		{Share: 0.98, Size: 3, Records: 3, Recent: true},
		{Share: 0.02, Size: 5, Records: 2, GroupC: true},
	}
	return r
}()

// G4 is the live network of the summer of 2026: safetensors, a cycle of 524
// blocks, seeds nobody can predict, submissions measured against the pretrained
// model, and no merge.
var G4 = func() Rules {
	r := G3
	r.Name = "g4"
	r.Schedule = Schedule{
		Distribute: 20, Train: 340, MinerCommit1: 11, MinerCommit2: 11, Submission: 60,
		Validate: 10, Merge: 50, ValidatorCommit1: 11, ValidatorCommit2: 11,
	}
	r.Formats = []subnet.Format{subnet.Safetensors, subnet.Torch}
	r.Seed = SeedFromBlock
	r.CommitSeed = true
	r.Baseline = PretrainedBaseline
	r.BaselineFallback = 0
	r.RepoFault = true
	r.NoForeground = true
	r.Pools = []Pool{
		{Share: 0.98, Size: 3, Records: 3, Rounds: 3, Within: 5},
		{Share: 0.02, Size: 5, Records: 1, GroupC: true},
	}
	r.BurnFallback = 0.05
	r.WeightsLead = 5
	r.ExactKeys = true
	r.OwnerTask = true
	r.Eval = Eval{
		Batches: 51, Sequence: 1024, Fraction: 0.1, World: 10, MinText: 200, DedupPrefix: 200,
		Sources: []Source{
			{Path: "allenai/c4", Name: "en", Weight: 0.5, Revision: "1588ec45", Floor: 340_000},
			{Path: "nvidia/Nemotron-CC-Math-v1", Name: "4plus", Weight: 0.5, Revision: "397a2502"},
		},
	}
	return r
}()

var evalHub = Eval{
	Batches: 51, Sequence: 4096, Fraction: 0.1, World: 10,
	Sources: []Source{
		{Path: "allenai/c4", Name: "en", Weight: 0.5},
		{Path: "nvidia/Nemotron-CC-Math-v1", Name: "4plus", Weight: 0.5},
	},
}

// Local is G3 for a network on one machine: a cycle of 96 blocks, which is 48
// seconds at two blocks a second, and gates that pay from the first cycle on.
//
// Unlike upstream, one validator may serve several expert groups, and each
// validator evaluates every miner, since a miner's weight counts only with a
// majority of stake behind it; weights are set when the round is
// scored and not a cycle later; equal submissions leave the earliest its score,
// because where all lose, a copier can take anybody's reward away; the seed
// comes from a block nobody can predict; no tensor may be missing; a
// baseline that cannot be evaluated scores nobody; and a model that cannot be had is
// its miner's fault, as in the live generation, while a validator's slowness is not.
var Local = func() Rules {
	r := G3
	r.Name = "local"
	r.Schedule = Schedule{
		Distribute: 6, Train: 52, MinerCommit1: 5, MinerCommit2: 5, Submission: 8,
		Validate: 5, Merge: 5, ValidatorCommit1: 5, ValidatorCommit2: 5,
	}
	r.Formats = []subnet.Format{subnet.Safetensors, subnet.Torch}
	r.Seed = SeedFromBlock
	r.BaselineFallback = 0
	r.EarliestKeeps = true
	r.RepoFault = true
	r.Pools = []Pool{{Share: 0.98, Size: 3, Records: 1}, {Share: 0.02, Size: 5, Records: 1, GroupC: true}}
	r.LateWeights = false
	r.ExactKeys = true
	r.OneGroup = false
	r.Everyone = true
	r.MinersPerValidator = 0
	r.Groups = GroupSizes{}
	return r
}()

// allRules lists the generations that the roles of this package live, in
// the order in which users see them.
var allRules = []Rules{Local, G0, G1, G2Early, G2, G3, G4}

// Generations lists every generation there was, the oldest first, and then
// [Local].
var Generations = []Rules{G0, G1, G2Early, G2, G3, G4, Local}
