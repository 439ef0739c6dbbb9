package connito

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"adit/internal/subnet"
)

// Config holds the settings of a Connito neuron, under upstream's names. The
// help of each is its comment in a config.yaml. What upstream's versions and the
// documents have besides is in foreign.go.
type Config struct {
	Rules            string `yaml:"rules" help:"the generation of the network: see 'adit protocols'"`
	Role             string `yaml:"role" help:"miner or validator"`
	AutoUpdateConfig bool   `yaml:"auto_update_config" help:"on a public network, what the generation fixes goes before this file, with a warning; the file is never rewritten"`

	Chain struct {
		NetUID      uint16   `yaml:"netuid" help:"the subnet's number"`
		Network     string   `yaml:"network" help:"finney, test, archive, local or a ws:// or wss:// URL: nodes that keep past states"`
		LiteNetwork string   `yaml:"lite_network" help:"the same for what needs no past states; none for the network above"`
		Endpoints   []string `yaml:"endpoints" help:"instead of both: names or URLs, the preferred one first"`
		WalletPath  string   `yaml:"wallet_path" help:"directory of wallets; none means ~/.bittensor/wallets"`
		ColdkeyName string   `yaml:"coldkey_name" help:"of the wallet"`
		HotkeyName  string   `yaml:"hotkey_name" help:"in the wallet"`
		IP          string   `yaml:"ip" help:"served as axon, with port; none or 0.0.0.0 puts no axon on chain"`
		Port        uint16   `yaml:"port"`
		ServerLax   []string `yaml:"server_lax,omitempty" help:"checks that the checkpoint server leaves out; upstream means those that upstream's version of the generation leaves out"`
	} `yaml:"chain"`

	Cycle struct {
		ValidatorWhitelist []string `yaml:"validator_whitelist" help:"hotkeys whose baselines count; none means every one with a validator permit"`
		CycleLength        uint64   `yaml:"cycle_length" help:"blocks after which a validator's weights are too old"`
		DistributePeriod   uint64   `yaml:"distribute_period" help:"the phases' lengths in blocks"`
		TrainPeriod        uint64   `yaml:"train_period"`
		CommitPeriod       uint64   `yaml:"commit_period" help:"of each phase of commitments that the generation has"`
		SubmissionPeriod   uint64   `yaml:"submission_period"`
		ValidatePeriod     uint64   `yaml:"validate_period"`
		MergePeriod        uint64   `yaml:"merge_period"`
		OwnerURL           string   `yaml:"owner_url" help:"of the owner's phase service, which tells the phases' lengths; none takes those above"`
		APITimeoutSec      float64  `yaml:"api_timeout_sec" help:"for an answer of it"`
		APIRetries         int      `yaml:"api_retries" help:"how often it is asked again"`
		APIBackoffSec      float64  `yaml:"api_backoff_sec" help:"before the first time; longer before each other"`
		VersionRangeCycles int      `yaml:"version_range_cycles" help:"how many cycles old the baseline of a submission may be; 0 for any age"`
	} `yaml:"cycle"`

	Run struct {
		RunName  string `yaml:"run_name" help:"the last part of the run's directory; no hotkey has two runs of a name at once on a machine"`
		RootPath string `yaml:"root_path" help:"where relative paths of expert groups are from; none means the root of the runs"`
	} `yaml:"run"`

	Model struct {
		ModelPath string `yaml:"model_path" help:"directory of the base model, as Hugging Face lays it out, or a name in Hugging Face's cache"`
		Precision string `yaml:"precision" help:"fp16-mixed or bf16-mixed; or fp32, fp16 or bf16, which train in 32 bits and save in these"`
		Threads   int    `yaml:"threads" help:"of each process; none means one per core, which the processes of local_par.world_size share out"`
	} `yaml:"model"`

	MoE struct {
		PartialTopK int `yaml:"partial_topk" help:"experts that a token goes through; 0 means as the model's config.json has it"`
	} `yaml:"moe"`

	Opt struct {
		LR            float64 `yaml:"lr" help:"of AdamW"`
		WeightDecay   float64 `yaml:"weight_decay" help:"decoupled"`
		BatchSize     int     `yaml:"batch_size" help:"sequences learned from at once; 0 for task.exp.data.per_device_train_batch_size"`
		OuterLR       float64 `yaml:"outer_lr" help:"of the validator's outer step"`
		OuterMomentum float64 `yaml:"outer_momentum" help:"Nesterov"`
	} `yaml:"opt"`

	Sched struct {
		WarmupSteps int `yaml:"warmup_steps" help:"of each cycle"`
		TotalSteps  int `yaml:"total_steps" help:"at which half a cosine reaches nought; 0 for the end of each Train phase"`
		MaxSteps    int `yaml:"max_steps" help:"optimizer steps of a cycle; 0 for as many as there is time for"`
	} `yaml:"sched"`

	Ckpt struct {
		ResumeFromCkpt     bool   `yaml:"resume_from_ckpt" help:"go on from the newest checkpoint on the same baseline"`
		BaseCheckpointPath string `yaml:"base_checkpoint_path" help:"runs are under it in directories by coldkey, hotkey and run"`
		CheckpointPath     string `yaml:"checkpoint_path" help:"the run's directory, if none is given on the command line, instead of that"`
		Format             string `yaml:"format" help:"safetensors or pt"`
		CheckpointInterval int    `yaml:"checkpoint_interval" help:"optimizer steps between checkpoints"`
		CheckpointTopK     int    `yaml:"checkpoint_topk" help:"checkpoints and baselines kept"`
		EvalSequences      int    `yaml:"eval_sequences" help:"held-out sequences that choose the best checkpoint"`
		MaxBytes           int64  `yaml:"max_bytes" help:"largest file taken from another neuron"`

		ArchiveSubmissions             bool `yaml:"archive_submissions" help:"keep the best submissions of each round"`
		MinerSubmissionArchiveMaxFiles int  `yaml:"miner_submission_archive_max_files" help:"at most so many of them"`

		MaxSubmissionBytes          int64 `yaml:"max_submission_bytes" help:"largest submission that is taken over HTTP"`
		MaxSubmissionBytesPerExpert int64 `yaml:"max_submission_bytes_per_expert" help:"for each expert of the group; 0 leaves it to max_submission_bytes"`
		SubmissionConcurrency       int   `yaml:"submission_concurrency" help:"submissions that are received at a time"`
	} `yaml:"ckpt"`

	HF struct {
		CheckpointRepo  string `yaml:"checkpoint_repo" help:"owner/name of the repository to publish in; none means the token's owner and default_repo_name"`
		DefaultRepoName string `yaml:"default_repo_name" help:"short, since it has to fit a commitment"`
		TokenEnvVar     string `yaml:"token_env_var" help:"environment variable that holds the token"`
		Endpoint        string `yaml:"endpoint" help:"of the model hub; none means the public one"`
	} `yaml:"hf"`

	Log struct {
		LogWandB         bool     `yaml:"log_wandb" help:"send figures to Weights & Biases: WANDB_API_KEY and WANDB_MODE say how"`
		WandBProjectName string   `yaml:"wandb_project_name" help:"the project is called subnet-expert- and this"`
		WandBResume      bool     `yaml:"wandb_resume" help:"go on with the first run of wandb_partial_id, instead of a new one at each start"`
		WandBPartialID   []string `yaml:"wandb_partial_id" help:"its identifier: letters, digits, - and _"`
		BaseMetricPath   string   `yaml:"base_metric_path" help:"directory of CSV metrics, within the run's unless it begins with a slash"`
		MetricPath       string   `yaml:"metric_path" help:"CSV file of metrics; none means base_metric_path and the run's name"`
		MetricInterval   int      `yaml:"metric_interval" help:"optimizer steps between rows of metrics"`
		TensorBoard      bool     `yaml:"tensorboard" help:"write figures for TensorBoard too, beside the CSV"`
	} `yaml:"log"`

	Task struct {
		ExpertGroupName     string  `yaml:"expert_group_name" help:"the expert group: a directory of base_path with config.yaml and expert_assignment.json, or its number"`
		LoadAllExpertGroups bool    `yaml:"load_all_expert_groups" help:"all that are in base_path"`
		BasePath            string  `yaml:"base_path" help:"directory of expert groups"`
		Groups              []Group `yaml:"groups" help:"the expert groups themselves, instead of all these: one for a miner, one or more for a validator"`
		Data                string  `yaml:"data" help:"directory of the prepared text"`
		SequenceLength      int     `yaml:"sequence_length" help:"tokens in a training sequence; 0 for exp.data.sequence_length"`
		Exp                 TaskExp `yaml:"exp" help:"the group's own settings; those of its config.yaml go before these"`
	} `yaml:"task"`

	LocalPar struct {
		GradientAccumulationSteps int    `yaml:"gradient_accumulation_steps" help:"batches per optimizer step; 0 for task.exp.data.batch_size by what is learned from at once"`
		GlobalOptInterval         int    `yaml:"global_opt_interval" help:"optimizer steps, of which a fifth lies between checkpoints and between rows of metrics, if nothing else is said"`
		WorldSize                 int    `yaml:"world_size" help:"processes that train together, each with its own part of a step's text and model.threads, and add their gradients up"`
		IPAddress                 string `yaml:"ip_address" help:"of this machine, where they meet"`
		Port                      uint16 `yaml:"port" help:"there; 0 for any that is free"`
	} `yaml:"local_par"`

	Evaluation struct {
		Sequences                    int     `yaml:"sequences" help:"held-out sequences per submission"`
		ReportSequences              int     `yaml:"report_sequences" help:"held-out sequences by which baselines are compared over cycles"`
		PerMinerDownloadTimeoutSec   int     `yaml:"per_miner_download_timeout_sec" help:"a submission that takes longer to download is not evaluated in its round"`
		PerMinerEvalTimeoutSec       int     `yaml:"per_miner_eval_timeout_sec" help:"nor one that takes longer to evaluate"`
		TopKMinersMerged             int     `yaml:"top_k_miners_to_merge" help:"submissions in a group's next baseline"`
		TopKMinersToReward           int     `yaml:"top_k_miners_to_reward" help:"miners paid, where miners are in no groups; 0 for all"`
		ScoreWindow                  int     `yaml:"score_window" help:"rounds in a miner's average"`
		ForegroundTopN               int     `yaml:"foreground_top_n" help:"miners assigned to a validator at most"`
		BackgroundWorkerEnabled      bool    `yaml:"background_worker_enabled" help:"evaluate, in the time that is left, miners besides those of the foreground"`
		EnableRoundGroupConstruction bool    `yaml:"enable_round_group_construction" help:"sort miners into groups A, B and C by the weights on chain"`
		WeightGroup1Size             int     `yaml:"weight_group_1_size" help:"miners that share the first part of the weights"`
		WeightGroup1Share            float64 `yaml:"weight_group_1_share"`
		WeightGroup2Size             int     `yaml:"weight_group_2_size" help:"and the second"`
		WeightGroup2Share            float64 `yaml:"weight_group_2_share"`
		ValidationGroupABTotal       int     `yaml:"validation_group_ab_total" help:"places in groups A and B"`
		ValidationGroupCSize         int     `yaml:"validation_group_c_size"`
		GroupAMinConsensus           int     `yaml:"group_a_min_consensus" help:"validators that must have weighed a miner of group A"`
		GroupAMinWeight              float64 `yaml:"group_a_min_weight_per_validator" help:"which one of them must exceed"`
		RepoUnavailableIsMinerFault  bool    `yaml:"repo_unavailable_is_miner_fault" help:"score a miner 0 whose repository cannot be reached"`
	} `yaml:"evaluation"`

	// Cheat makes a miner break one rule, to see that the network notices:
	// see [Cheats]. It is refused on a network other than a local one.
	Cheat string `yaml:"cheat,omitempty"`

	// fixed are the settings that the generation named by it began with: what
	// differs from them is laid over its rules.
	fixed *Config
	// told is the phase table that the owner's service tells, if any.
	told *toldSchedule
}

// A TaskExp is what an expert group's config.yaml holds.
type TaskExp struct {
	GroupID int `yaml:"group_id" help:"the group's number"`
	Data    struct {
		BatchSize               int `yaml:"batch_size" help:"sequences per optimizer step, where gradient_accumulation_steps is 0"`
		SequenceLength          int `yaml:"sequence_length" help:"tokens in a training sequence"`
		PerDeviceTrainBatchSize int `yaml:"per_device_train_batch_size" help:"sequences learned from at once"`
	} `yaml:"data"`
}

// A Group is an expert group: its number, which is also the domain of its text,
// and its experts.
type Group struct {
	ID         int        `yaml:"id"`
	Assignment Assignment `yaml:"assignment"`
}

// A precision says in which numbers a model is trained, and saved.
type precision struct{ train, saved string }

// precisions are upstream's two, which save what the first of a model's parameters
// is in, and three that train in 32 bits.
var precisions = map[string]precision{
	"fp32": {"fp32", "f32"}, "fp16": {"fp32", "f16"}, "bf16": {"fp32", "bf16"},
	"fp16-mixed": {"fp16-mixed", "f16"}, "bf16-mixed": {"bf16-mixed", "bf16"},
}

// Validate implements [subnet.Config].
func (c *Config) Validate() error {
	var errs []error
	bad := func(path, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
	}
	rules, err := c.ruleset()
	if err != nil {
		bad("rules", "%v", err)
	}
	if c.Role != RoleMiner && c.Role != RoleValidator {
		bad("role", "must be %s or %s, not %q", RoleMiner, RoleValidator, c.Role)
	}
	if len(c.networks()) == 0 {
		bad("chain.network", "needs the name of a network, or a URL")
	}
	for _, e := range c.networks() {
		if e == "" || strings.ContainsAny(e, " \t") || strings.Contains(e, "://") && !strings.HasPrefix(e, "ws://") && !strings.HasPrefix(e, "wss://") {
			bad("chain.network", "%q is neither a name nor a ws:// or wss:// URL", e)
		}
	}
	if _, err := c.axon(); err != nil {
		bad("chain.ip", "%v", err)
	}
	if _, err := rules.parseLaxity(c.Chain.ServerLax); err != nil {
		bad("chain.server_lax", "%v", err)
	}
	if c.Ckpt.MaxSubmissionBytesPerExpert < 0 {
		bad("ckpt.max_submission_bytes_per_expert", "must not be below 0")
	}
	if precisions[c.Model.Precision] == (precision{}) {
		bad("model.precision", "must be fp16-mixed, bf16-mixed, fp32, fp16 or bf16, not %q", c.Model.Precision)
	}
	if c.Model.ModelPath == "" {
		bad("model.model_path", "needs the directory of the base model")
	}
	if c.Task.Data == "" {
		bad("task.data", "needs the directory of the prepared text")
	}
	if len(c.Task.Groups) == 0 && c.Task.ExpertGroupName == "" && !c.Task.LoadAllExpertGroups { // else [Config.Extend] brings them, or fails
		bad("task.groups", "needs at least one expert group, unless task.expert_group_name names one")
	}
	if c.Role == RoleMiner && len(c.Task.Groups) > 1 {
		bad("task.groups", "a miner has one expert group, not %d", len(c.Task.Groups))
	}
	seen := make(map[int]bool)
	for i, g := range c.Task.Groups {
		if g.ID < 0 || seen[g.ID] {
			bad(fmt.Sprintf("task.groups[%d].id", i), "must be a number of its own, not below 0")
		}
		seen[g.ID] = true
		if len(g.Assignment) == 0 {
			bad(fmt.Sprintf("task.groups[%d].assignment", i), "names no experts")
		}
	}
	if c.HF.CheckpointRepo == "" {
		if c.HF.DefaultRepoName == "" || strings.Contains(c.HF.DefaultRepoName, "/") {
			bad("hf.default_repo_name", "must be the name of a repository without its owner, not %q", c.HF.DefaultRepoName)
		}
	} else if err := checkRepo(rules, c.HF.CheckpointRepo); err != nil {
		bad("hf.checkpoint_repo", "%v", err)
	}
	if ids := c.Log.WandBPartialID; c.Log.WandBResume && (len(ids) == 0 || !wandbID.MatchString(ids[0])) {
		bad("log.wandb_partial_id", "must begin with the identifier of the run that log.wandb_resume is to go on with, not %q", ids)
	}
	if f := subnet.Format(c.Ckpt.Format); f != subnet.Safetensors && f != subnet.Torch {
		bad("ckpt.format", "must be %s or %s, not %q", subnet.Safetensors, subnet.Torch, c.Ckpt.Format)
	}
	for _, v := range []struct {
		path  string
		value float64
	}{
		{"opt.lr", c.Opt.LR}, {"opt.outer_lr", c.Opt.OuterLR},
		{"opt.batch_size", float64(c.batch())}, {"task.sequence_length", float64(c.sequence())},
		{"cycle.api_timeout_sec", c.Cycle.APITimeoutSec}, {"cycle.api_backoff_sec", c.Cycle.APIBackoffSec},
		{"ckpt.checkpoint_interval", float64(c.Ckpt.CheckpointInterval)},
		{"ckpt.checkpoint_topk", float64(c.Ckpt.CheckpointTopK)},
		{"ckpt.eval_sequences", float64(c.Ckpt.EvalSequences)}, {"ckpt.max_bytes", float64(c.Ckpt.MaxBytes)},
		{"ckpt.max_submission_bytes", float64(c.Ckpt.MaxSubmissionBytes)}, {"ckpt.submission_concurrency", float64(c.Ckpt.SubmissionConcurrency)},
		{"log.metric_interval", float64(c.Log.MetricInterval)},
		{"evaluation.sequences", float64(c.Evaluation.Sequences)},
		{"evaluation.report_sequences", float64(c.Evaluation.ReportSequences)},
		{"evaluation.per_miner_download_timeout_sec", float64(c.Evaluation.PerMinerDownloadTimeoutSec)},
		{"evaluation.per_miner_eval_timeout_sec", float64(c.Evaluation.PerMinerEvalTimeoutSec)},
		{"evaluation.top_k_miners_to_merge", float64(c.Evaluation.TopKMinersMerged)},
	} {
		if !(v.value > 0) {
			bad(v.path, "must be above 0")
		}
	}
	if u, err := url.Parse(c.Cycle.OwnerURL); c.Cycle.OwnerURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		bad("cycle.owner_url", "must be a URL that begins with http:// or https://, not %q", c.Cycle.OwnerURL)
	}
	if c.Cycle.APIRetries < 0 || c.Cycle.APIRetries > apiRetries*2 {
		bad("cycle.api_retries", "must be from 0 to %d", apiRetries*2)
	}
	for _, v := range []struct {
		path  string
		value float64
	}{
		{"sched.warmup_steps", float64(c.Sched.WarmupSteps)}, {"sched.total_steps", float64(c.Sched.TotalSteps)}, {"sched.max_steps", float64(c.Sched.MaxSteps)},
		{"opt.batch_size", float64(c.Opt.BatchSize)}, {"opt.weight_decay", c.Opt.WeightDecay},
		{"local_par.gradient_accumulation_steps", float64(c.LocalPar.GradientAccumulationSteps)},
		{"moe.partial_topk", float64(c.MoE.PartialTopK)}, {"model.threads", float64(c.Model.Threads)},
		{"cycle.version_range_cycles", float64(c.Cycle.VersionRangeCycles)},
		{"evaluation.top_k_miners_to_reward", float64(c.Evaluation.TopKMinersToReward)}, {"evaluation.foreground_top_n", float64(c.Evaluation.ForegroundTopN)},
		{"evaluation.weight_group_1_size", float64(c.Evaluation.WeightGroup1Size)}, {"evaluation.weight_group_2_size", float64(c.Evaluation.WeightGroup2Size)},
		{"evaluation.weight_group_1_share", c.Evaluation.WeightGroup1Share}, {"evaluation.weight_group_2_share", c.Evaluation.WeightGroup2Share},
		{"evaluation.validation_group_ab_total", float64(c.Evaluation.ValidationGroupABTotal)}, {"evaluation.validation_group_c_size", float64(c.Evaluation.ValidationGroupCSize)},
	} {
		if !(v.value >= 0) {
			bad(v.path, "must not be below 0")
		}
	}
	for _, name := range []struct{ path, value string }{{"run.run_name", c.Run.RunName}, {"chain.coldkey_name", c.Chain.ColdkeyName}, {"chain.hotkey_name", c.Chain.HotkeyName}} {
		if name.value == "" || name.value == "." || name.value == ".." || strings.ContainsAny(name.value, `/\`) {
			bad(name.path, "must be a name, not %q: it is one of a directory too", name.value)
		}
	}
	if strings.Contains(c.Ckpt.CheckpointPath, "://") {
		bad("ckpt.checkpoint_path", "must be a directory of this machine, not %q", c.Ckpt.CheckpointPath)
	}
	if n := c.LocalPar.WorldSize; n < 1 || n > maxWorld {
		bad("local_par.world_size", "must be from 1 to %d", maxWorld)
	}
	if addr, err := netip.ParseAddr(c.LocalPar.IPAddress); err != nil || addr.Zone() != "" {
		bad("local_par.ip_address", "%q is no IP address", c.LocalPar.IPAddress)
	}
	if c.Opt.OuterMomentum < 0 || c.Opt.OuterMomentum >= 1 {
		bad("opt.outer_momentum", "must be in [0, 1)")
	}
	if c.Cheat != "" && !isCheat(c.Cheat) {
		bad("cheat", "must be one of %v, not %q", Cheats, c.Cheat)
	}
	return errors.Join(errs...)
}

// checkRepo says what is wrong with a repository to publish in.
func checkRepo(r Rules, repo string) error {
	owner, name, ok := strings.Cut(repo, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return fmt.Errorf("must be owner/name, not %q", repo)
	}
	if len(repo) > r.RepoMax && r.RepoMax > 0 {
		return fmt.Errorf("has %d characters, but only %d fit the chain's commitment", len(repo), r.RepoMax)
	}
	return nil
}

func (c *Config) axon() (netip.AddrPort, error) {
	if c.Chain.IP == "" {
		return netip.AddrPort{}, nil
	}
	addr, err := netip.ParseAddr(c.Chain.IP)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is no IP address", c.Chain.IP)
	}
	if addr.IsUnspecified() { // every address of the machine, of which none can be told to others
		return netip.AddrPort{}, nil
	}
	return netip.AddrPortFrom(addr, c.Chain.Port), nil
}

// networks are where the chain is: what is read at the head is asked of the first
// that answers, and past states of those that still have them.
func (c *Config) networks() []string {
	if len(c.Chain.Endpoints) > 0 {
		return c.Chain.Endpoints
	}
	var list []string
	for _, n := range []string{c.Chain.LiteNetwork, c.Chain.Network} {
		if n != "" && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// batch is how many sequences are learned from at once, and accumulate how many
// times before an optimizer step.
func (c *Config) batch() int { return cmp.Or(c.Opt.BatchSize, c.Task.Exp.Data.PerDeviceTrainBatchSize) }

func (c *Config) accumulate() int {
	if n := c.LocalPar.GradientAccumulationSteps; n > 0 || c.batch() == 0 {
		return max(1, n)
	}
	together := c.batch() * max(1, c.LocalPar.WorldSize)
	return max(1, (c.Task.Exp.Data.BatchSize+together-1)/together)
}

// maxWorld is more processes than one machine has use for.
const maxWorld = 64

// ranks are the processes that train together.
//
// Unlike upstream, where each goes its own way: the averaging is commented out
// there, so that they overwrite one another's checkpoints.
func (c *Config) ranks() subnet.Ranks {
	addr, _ := netip.ParseAddr(c.LocalPar.IPAddress) // checked by Validate
	return subnet.Ranks{World: c.LocalPar.WorldSize, At: netip.AddrPortFrom(addr, c.LocalPar.Port)}
}

// threads is with how many each process computes. Unless it is said, those of a
// miner share the machine out.
func (c *Config) threads() int {
	if c.Model.Threads > 0 || c.Role != RoleMiner || c.LocalPar.WorldSize <= 1 {
		return c.Model.Threads
	}
	return max(1, runtime.NumCPU()/c.LocalPar.WorldSize)
}

// sequence is how many tokens a training sequence has.
// wandbID is what the identifier of a run in Weights & Biases may be, here also the
// name of a file.
var wandbID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

func (c *Config) sequence() int { return cmp.Or(c.Task.SequenceLength, c.Task.Exp.Data.SequenceLength) }

// Services implements [subnet.Config].
func (c *Config) Services() subnet.Services {
	axon, _ := c.axon() // checked by Validate
	return subnet.Services{
		NetUID: subnet.NetUID(c.Chain.NetUID), Endpoints: c.networks(),
		Wallet: c.Chain.WalletPath, Coldkey: c.Chain.ColdkeyName, Hotkey: c.Chain.HotkeyName,
		Hub: c.HF.Endpoint, HubToken: c.HF.TokenEnvVar,
		Model: c.Model.ModelPath, Data: c.Task.Data, SeqLen: c.sequence(), DType: precisions[c.Model.Precision].saved, Threads: c.threads(),
		ExpertsPerToken: c.MoE.PartialTopK,
		Axon:            axon,
		Names: subnet.ServiceNames{
			NetUID: "chain.netuid", Endpoints: "chain.endpoints", Coldkey: "chain.coldkey_name", Model: "model.model_path",
			SeqLen: "task.sequence_length", Threads: "model.threads", AxonIP: "chain.ip", AxonPort: "chain.port",
		},
	}
}
