package connito

import (
	"strconv"
	"strings"

	"adit/internal/subnet"
)

// The roles that a file of settings is for, as upstream calls them.
const (
	RoleMiner     = "miner"
	RoleValidator = "validator"
)

// roleOf is the role of the file for a role of [Protocol].
func roleOf(role string) string {
	if role == "validate" || role == RoleValidator {
		return RoleValidator
	}
	return RoleMiner
}

// A preset is what the settings of a generation begin with, where generations
// differ in more than their [Rules].
type preset struct {
	rules         string
	netuid        uint16
	network, lite string
	ip            string
	model         string
	group         string // of experts
	precision     string
	lr            float64
	warmup, total int
	steps         int // of a cycle
	topk          int // experts of a token
	keep          int // checkpoints
	batch         int // learned from at once
	accumulate    int
	sequence      int
	judged        int // sequences by which a submission is
	repo          string
	project       string
	owner         string // URL of the phase service
	format        subnet.Format
}

// ownerURL is the phase service of the public network.
const ownerURL = "https://cycle-api.connito.ai:443"

// presets are upstream's defaults of each generation, and ours for a network on
// one machine.
var presets = []preset{
	{rules: "g0", netuid: 348, network: "test", ip: "0.0.0.0", model: "Qwen/Qwen3-Next-80B-A3B-Thinking", group: "exp_math", precision: "fp16-mixed",
		lr: 2e-5, warmup: 600, total: 88000, topk: 1, keep: 5, batch: 1, accumulate: 4, sequence: 1024, judged: 51, repo: "co", project: "test-moe", format: subnet.Torch, owner: "http://localhost:7000"},
	{rules: "g1", netuid: 42, network: "wss://entrypoint-finney.opentensor.ai:443", ip: "0.0.0.0", model: "Qwen/Qwen3-VL-30B-Instruct", group: "0", precision: "fp16-mixed",
		lr: 3e-5, warmup: 100, total: 500, steps: 500, topk: 0, keep: 3, batch: 4, accumulate: 4, sequence: 4096, judged: 51, repo: "co", project: "blockzero-miner", format: subnet.Torch},
	{rules: "g2-472", netuid: 102, network: "archive", lite: "finney", ip: "0.0.0.0", model: "deepseek-ai/DeepSeek-V2-Lite", group: "exp_math", precision: "fp16-mixed",
		lr: 1e-5, total: 88000, topk: 1, keep: 2, batch: 1, accumulate: 4, sequence: 4096, judged: 51, repo: "co", project: "test-moe", format: subnet.Torch, owner: ownerURL},
	{rules: "g2", netuid: 102, network: "archive", lite: "finney", ip: "0.0.0.0", model: "deepseek-ai/DeepSeek-V2-Lite", group: "exp_math", precision: "fp16-mixed",
		lr: 1e-5, total: 88000, topk: 1, keep: 2, batch: 1, accumulate: 4, sequence: 4096, judged: 51, repo: "co", project: "test-moe", format: subnet.Torch, owner: ownerURL},
	{rules: "g3", netuid: 102, network: "archive", lite: "finney", ip: "0.0.0.0", model: "deepseek-ai/DeepSeek-V2-Lite", group: "exp_math", precision: "fp16-mixed",
		lr: 1e-5, total: 88000, topk: 1, keep: 2, batch: 1, accumulate: 4, sequence: 4096, judged: 51, repo: "co", project: "test-moe", format: subnet.Torch, owner: ownerURL},
	{rules: "g4", netuid: 102, network: "archive", lite: "finney", ip: "0.0.0.0", model: "deepseek-ai/DeepSeek-V2-Lite", group: "exp_nemotron_c4", precision: "fp16-mixed",
		lr: 1e-4, total: 88000, topk: 6, keep: 2, batch: 1, accumulate: 4, sequence: 1024, judged: 51, repo: "co", project: "test-moe", format: subnet.Safetensors, owner: ownerURL},
	{rules: "local", netuid: 1, network: "local", precision: "fp32",
		lr: 2e-3, warmup: 5, total: 88000, keep: 2, batch: 8, accumulate: 1, sequence: 128, judged: 64, repo: "co", project: "test-moe", format: subnet.Safetensors},
}

// NewConfig returns the defaults of a miner of [Local].
func NewConfig() subnet.Config { return Defaults(Local.Name, RoleMiner) }

// Defaults returns the settings that a generation begins with, for a validator, or
// a miner, by a role of [Protocol] or of the file; for a generation that there is
// not, those of [Local] under its name.
func Defaults(rules, role string) *Config {
	c := defaults(rules, roleOf(role))
	fixed := *c
	c.fixed, c.told = &fixed, new(toldSchedule)
	return c
}

func defaults(rules, role string) *Config {
	p := presets[len(presets)-1]
	base, _, _ := strings.Cut(rules, "/")
	for _, q := range presets {
		if q.rules == base {
			p = q
		}
	}
	c := &Config{Rules: rules, Role: role, AutoUpdateConfig: true}
	c.Chain.NetUID, c.Chain.Network, c.Chain.LiteNetwork = p.netuid, p.network, p.lite
	c.Chain.ColdkeyName, c.Chain.HotkeyName = "template_coldkey_name", "template_hotkey_name"
	if p.rules == Local.Name {
		c.Chain.ColdkeyName, c.Chain.HotkeyName = "default", "default"
	}
	c.Chain.IP, c.Chain.Port = p.ip, 8000
	c.Cycle.OwnerURL, c.Cycle.APITimeoutSec, c.Cycle.APIRetries, c.Cycle.APIBackoffSec = p.owner, 10, apiRetries, 2
	c.Run.RunName = "foundation"
	c.Model.ModelPath, c.Model.Precision = p.model, p.precision
	c.MoE.PartialTopK = p.topk
	c.Opt.LR, c.Opt.WeightDecay = p.lr, 0.1
	c.Opt.OuterLR, c.Opt.OuterMomentum = 0.7, 0.9
	c.Sched.WarmupSteps, c.Sched.TotalSteps, c.Sched.MaxSteps = p.warmup, p.total, p.steps
	c.Ckpt.ResumeFromCkpt = true
	c.Ckpt.BaseCheckpointPath = "checkpoints/" + role
	c.Ckpt.Format = string(p.format)
	c.Ckpt.CheckpointInterval, c.Ckpt.CheckpointTopK, c.Ckpt.EvalSequences, c.Ckpt.MaxBytes = 20, p.keep, 16, 8<<30
	c.Ckpt.MinerSubmissionArchiveMaxFiles = 500
	c.Ckpt.MaxSubmissionBytes, c.Ckpt.SubmissionConcurrency = maxSubmission, uploadsAtOnce
	c.HF.DefaultRepoName, c.HF.TokenEnvVar = p.repo, "HF_TOKEN"
	c.Log.WandBProjectName, c.Log.BaseMetricPath, c.Log.MetricInterval = p.project, "metrics", 20
	c.Task.ExpertGroupName, c.Task.BasePath = p.group, "expert_groups"
	c.Task.Exp.Data.BatchSize, c.Task.Exp.Data.PerDeviceTrainBatchSize, c.Task.Exp.Data.SequenceLength = 4, p.batch, p.sequence
	c.LocalPar.GradientAccumulationSteps, c.LocalPar.GlobalOptInterval = p.accumulate, 100
	c.LocalPar.WorldSize, c.LocalPar.IPAddress, c.LocalPar.Port = 1, "127.0.0.1", 29500
	c.Evaluation.PerMinerDownloadTimeoutSec, c.Evaluation.PerMinerEvalTimeoutSec = 180, 300
	c.Evaluation.Sequences, c.Evaluation.ReportSequences, c.Evaluation.TopKMinersMerged = p.judged, 128, 1
	if r, ok := generation(rules); ok {
		c.take(r)
	}
	return c
}

// generation returns the rules of any generation, also of one whose round no role
// of this package lives.
func generation(name string) (Rules, bool) {
	if r, err := RulesByName(name); err == nil {
		return r, true // it may be scaled
	}
	for _, r := range Generations {
		if r.Name == name {
			return r, true
		}
	}
	return Rules{}, false
}

// take puts the numbers of a generation among the settings.
func (c *Config) take(r Rules) {
	c.Cycle.CycleLength = uint64(r.WeightsAge)
	for p, v := range c.periods() {
		*v = uint64(r.Schedule[p])
	}
	c.Cycle.VersionRangeCycles = r.VersionCycles
	e := &c.Evaluation
	e.ScoreWindow, e.ForegroundTopN = r.ScoreWindow, r.MinersPerValidator
	e.BackgroundWorkerEnabled = true
	e.EnableRoundGroupConstruction = r.Groups != GroupSizes{}
	e.ValidationGroupABTotal, e.ValidationGroupCSize = r.Groups.AB, r.Groups.C
	e.GroupAMinConsensus, e.GroupAMinWeight = r.Groups.MinConsensus, r.Groups.MinWeight
	if len(r.Pools) > 0 {
		e.TopKMinersToReward, e.WeightGroup1Size, e.WeightGroup1Share = r.Pools[0].Size, r.Pools[0].Size, r.Pools[0].Share
	}
	if len(r.Pools) > 1 {
		e.WeightGroup2Size, e.WeightGroup2Share = r.Pools[1].Size, r.Pools[1].Share
	}
	e.RepoUnavailableIsMinerFault = r.RepoFault
}

// periods are the settings of the phases' lengths. That of commitments is under
// the first of their phases.
func (c *Config) periods() map[Phase]*uint64 {
	return map[Phase]*uint64{
		Distribute: &c.Cycle.DistributePeriod, Train: &c.Cycle.TrainPeriod, MinerCommit1: &c.Cycle.CommitPeriod,
		Submission: &c.Cycle.SubmissionPeriod, Validate: &c.Cycle.ValidatePeriod, Merge: &c.Cycle.MergePeriod,
	}
}

// ruleset returns the generation's rules, with what a person changed of them, and
// the phase table that the owner told of.
func (c *Config) ruleset() (Rules, error) {
	r, err := c.changed()
	c.told.lay(&r)
	return r, err
}

// changed returns the generation's rules, with what a person changed of them.
func (c *Config) changed() (Rules, error) {
	r, err := RulesByName(c.Rules)
	if err != nil {
		return r, err
	}
	was := c.fixed
	if was == nil { // a zero value that somebody filled in: nothing was changed
		return r, nil
	}
	lay(&r.WeightsAge, subnet.Block(c.Cycle.CycleLength), subnet.Block(was.Cycle.CycleLength))
	before := was.periods()
	for p, v := range c.periods() {
		lay(&r.Schedule[p], subnet.Block(*v), subnet.Block(*before[p]))
	}
	if c.Cycle.CommitPeriod != was.Cycle.CommitPeriod {
		for _, p := range []Phase{MinerCommit2, ValidatorCommit1, ValidatorCommit2} {
			if r.Schedule[p] > 0 {
				r.Schedule[p] = subnet.Block(c.Cycle.CommitPeriod)
			}
		}
	}
	lay(&r.VersionCycles, c.Cycle.VersionRangeCycles, was.Cycle.VersionRangeCycles)
	e, w := c.Evaluation, was.Evaluation
	lay(&r.ScoreWindow, e.ScoreWindow, w.ScoreWindow)
	lay(&r.MinersPerValidator, e.ForegroundTopN, w.ForegroundTopN)
	lay(&r.Groups.AB, e.ValidationGroupABTotal, w.ValidationGroupABTotal)
	lay(&r.Groups.C, e.ValidationGroupCSize, w.ValidationGroupCSize)
	lay(&r.Groups.MinConsensus, e.GroupAMinConsensus, w.GroupAMinConsensus)
	lay(&r.Groups.MinWeight, e.GroupAMinWeight, w.GroupAMinWeight)
	r.NoBackground = w.BackgroundWorkerEnabled && !e.BackgroundWorkerEnabled
	if e.EnableRoundGroupConstruction != w.EnableRoundGroupConstruction {
		r.Groups = GroupSizes{}
		if e.EnableRoundGroupConstruction {
			r.Groups = G3.Groups
		}
	}
	lay(&r.RepoFault, e.RepoUnavailableIsMinerFault, w.RepoUnavailableIsMinerFault)
	r.Pools = append([]Pool(nil), r.Pools...) // the generation keeps its own
	if len(r.Pools) > 0 {
		if r.Groups == (GroupSizes{}) {
			lay(&r.Pools[0].Size, e.TopKMinersToReward, w.TopKMinersToReward)
		}
		lay(&r.Pools[0].Size, e.WeightGroup1Size, w.WeightGroup1Size)
		lay(&r.Pools[0].Share, e.WeightGroup1Share, w.WeightGroup1Share)
	}
	if len(r.Pools) > 1 {
		lay(&r.Pools[1].Size, e.WeightGroup2Size, w.WeightGroup2Size)
		lay(&r.Pools[1].Share, e.WeightGroup2Share, w.WeightGroup2Share)
	}
	if r.Schedule.Cycle() == 0 {
		return r, errNoCycle
	}
	return r, nil
}

// lay puts a setting that was changed over the generation's number.
func lay[T comparable](to *T, now, was T) {
	if now != was {
		*to = now
	}
}

// Choose implements [subnet.Chooser]: the defaults are those of the generation and
// the role. A file that names no generation, as upstream's do not, is of the one
// that its subnet has, or, where it names no public network, of a local one.
func (c *Config) Choose(given func(path string) string) {
	rules, role := given("rules"), given("role")
	if rules == "" {
		if rules = c.Rules; rules == "" {
			rules = Local.Name
		}
		netuid := given("chain.netuid")
		if netuid == "" {
			netuid = given("netuid") // as the documents have it
		}
		switch {
		case netuid != "":
			rules = rulesOf(netuid)
		case public(given("chain.network")) || public(given("chain_endpoint")):
			rules = Live()
		}
	}
	if role == "" {
		role = c.Role
	}
	*c = *Defaults(rules, role)
	if n, err := strconv.Atoi(given("local_par.global_opt_interval")); err == nil && n > 0 {
		c.Ckpt.CheckpointInterval, c.Log.MetricInterval = max(1, n/5), max(1, n/5)
	}
}

// rulesOf returns the generation of a subnet.
func rulesOf(netuid string) string {
	for _, p := range presets {
		if netuid == strconv.Itoa(int(p.netuid)) && p.netuid != presets[len(presets)-1].netuid {
			if p.netuid == liveNetUID {
				return Live()
			}
			return p.rules
		}
	}
	return Local.Name
}

const liveNetUID = 102

// Live returns the newest generation of the public network that the roles of this
// package live.
func Live() string {
	live := Local.Name
	for _, p := range presets {
		if _, err := RulesByName(p.rules); err == nil && p.netuid == liveNetUID {
			live = p.rules
		}
	}
	return live
}

// public reports whether a network is everybody's, where all neurons must agree.
func public(network string) bool {
	switch strings.ToLower(network) {
	case "finney", "archive", "test", "latent-lite":
		return true
	}
	return strings.Contains(network, ".opentensor.ai") || strings.Contains(network, ".latent.to")
}
