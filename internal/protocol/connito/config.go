package connito

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"adit/internal/subnet"
)

// Config holds the settings of a Connito neuron, under upstream's names. The
// help of each is its comment in a config.yaml.
type Config struct {
	Rules string `yaml:"rules" help:"the generation of the network: local or g3"`

	Chain struct {
		NetUID      uint16   `yaml:"netuid" help:"the subnet's number"`
		Endpoints   []string `yaml:"endpoints" help:"ws:// or wss:// URLs, the preferred one first; a node that keeps past states"`
		WalletPath  string   `yaml:"wallet_path" help:"directory of wallets; none means ~/.bittensor/wallets"`
		ColdkeyName string   `yaml:"coldkey_name" help:"of the wallet"`
		HotkeyName  string   `yaml:"hotkey_name" help:"in the wallet"`
		IP          string   `yaml:"ip" help:"served as axon, with port; none serves no axon"`
		Port        uint16   `yaml:"port"`
		ServerLax   []string `yaml:"server_lax,omitempty" help:"checks that the checkpoint server leaves out; upstream means those that upstream's version of the generation leaves out"`
	} `yaml:"chain"`

	Cycle struct {
		ValidatorWhitelist []string `yaml:"validator_whitelist" help:"hotkeys whose baselines count; none means every one with a validator permit"`
	} `yaml:"cycle"`

	Model struct {
		ModelPath string `yaml:"model_path" help:"directory of the base model, as Hugging Face lays it out"`
		Precision string `yaml:"precision" help:"of saved tensors: fp32, fp16 or bf16"`
		Threads   int    `yaml:"threads" help:"none means one per core"`
	} `yaml:"model"`

	Task struct {
		Groups         []Group `yaml:"groups" help:"the expert groups: one for a miner, one or more for a validator"`
		Data           string  `yaml:"data" help:"directory of the prepared text"`
		SequenceLength int     `yaml:"sequence_length" help:"tokens in a training sequence"`
	} `yaml:"task"`

	HF struct {
		CheckpointRepo string `yaml:"checkpoint_repo" help:"owner/name of the repository to publish in"`
		TokenEnvVar    string `yaml:"token_env_var" help:"environment variable that holds the token"`
		Endpoint       string `yaml:"endpoint" help:"of the model hub; none means the public one"`
	} `yaml:"hf"`

	Opt struct {
		LR            float64 `yaml:"lr" help:"of AdamW"`
		WeightDecay   float64 `yaml:"weight_decay" help:"decoupled"`
		BatchSize     int     `yaml:"batch_size" help:"sequences per optimizer step"`
		OuterLR       float64 `yaml:"outer_lr" help:"of the validator's outer step"`
		OuterMomentum float64 `yaml:"outer_momentum" help:"Nesterov"`
	} `yaml:"opt"`

	Sched struct {
		WarmupSteps int `yaml:"warmup_steps" help:"of each cycle"`
		TotalSteps  int `yaml:"total_steps" help:"at which half a cosine reaches nought; 0 for the end of each Train phase"`
	} `yaml:"sched"`

	Ckpt struct {
		Format             string `yaml:"format" help:"safetensors or pt"`
		CheckpointInterval int    `yaml:"checkpoint_interval" help:"optimizer steps between checkpoints"`
		CheckpointTopK     int    `yaml:"checkpoint_topk" help:"checkpoints and baselines kept"`
		EvalSequences      int    `yaml:"eval_sequences" help:"held-out sequences that choose the best checkpoint"`
		MaxBytes           int64  `yaml:"max_bytes" help:"largest file taken from another neuron"`

		MaxSubmissionBytes          int64 `yaml:"max_submission_bytes" help:"largest submission that is taken over HTTP"`
		MaxSubmissionBytesPerExpert int64 `yaml:"max_submission_bytes_per_expert" help:"for each expert of the group; 0 leaves it to max_submission_bytes"`
		SubmissionConcurrency       int   `yaml:"submission_concurrency" help:"submissions that are received at a time"`
	} `yaml:"ckpt"`

	Evaluation struct {
		Sequences        int `yaml:"sequences" help:"held-out sequences per submission"`
		ReportSequences  int `yaml:"report_sequences" help:"held-out sequences by which baselines are compared over cycles"`
		TopKMinersMerged int `yaml:"top_k_miners_to_merge" help:"submissions in a group's next baseline"`
	} `yaml:"evaluation"`

	Log struct {
		LogWandB         bool   `yaml:"log_wandb" help:"send figures to Weights & Biases: WANDB_API_KEY and WANDB_MODE say how"`
		WandBProjectName string `yaml:"wandb_project_name" help:"the project is called subnet-expert- and this"`
		BaseMetricPath   string `yaml:"base_metric_path" help:"directory of CSV metrics, within the run's unless it begins with a slash"`
		MetricPath       string `yaml:"metric_path" help:"CSV file of metrics; none means base_metric_path and the run's name"`
		MetricInterval   int    `yaml:"metric_interval" help:"optimizer steps between rows of metrics"`
		TensorBoard      bool   `yaml:"tensorboard" help:"write figures for TensorBoard too, beside the CSV"`
	} `yaml:"log"`

	// Cheat makes a miner break one rule, to see that the network notices:
	// see [Cheats]. It is refused on a network other than a local one.
	Cheat string `yaml:"cheat,omitempty"`
}

// A Group is an expert group: its number, which is also the domain of its text,
// and its experts.
type Group struct {
	ID         int        `yaml:"id"`
	Assignment Assignment `yaml:"assignment"`
}

// NewConfig returns the defaults.
func NewConfig() subnet.Config {
	var c Config
	c.Rules = Local.Name
	c.Chain.NetUID = 1
	c.Chain.Endpoints = []string{"ws://127.0.0.1:9944"}
	c.Chain.ColdkeyName = "default"
	c.Chain.HotkeyName = "default"
	c.Chain.Port = 8000
	c.Model.Precision = "fp32"
	c.Task.SequenceLength = 128
	c.HF.TokenEnvVar = "HF_TOKEN"
	c.Opt.LR = 2e-3
	c.Opt.WeightDecay = 0.1
	c.Opt.BatchSize = 8
	c.Opt.OuterLR = 0.7
	c.Opt.OuterMomentum = 0.9
	c.Sched.WarmupSteps = 5
	c.Sched.TotalSteps = 88000
	c.Ckpt.Format = string(subnet.Safetensors)
	c.Ckpt.CheckpointInterval = 20
	c.Ckpt.CheckpointTopK = 2
	c.Ckpt.EvalSequences = 16
	c.Ckpt.MaxBytes = 8 << 30
	c.Ckpt.MaxSubmissionBytes = maxSubmission
	c.Ckpt.SubmissionConcurrency = uploadsAtOnce
	c.Evaluation.Sequences = 128
	c.Evaluation.ReportSequences = 256
	c.Evaluation.TopKMinersMerged = 1
	c.Log.WandBProjectName = "test-moe"
	c.Log.BaseMetricPath = "metrics"
	c.Log.MetricInterval = 20
	return &c
}

var precisions = map[string]string{"fp32": "f32", "fp16": "f16", "bf16": "bf16"}

// Validate implements [subnet.Config].
func (c *Config) Validate() error {
	var errs []error
	bad := func(path, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
	}
	rules, err := RulesByName(c.Rules)
	if err != nil {
		bad("rules", "%v", err)
	}
	if len(c.Chain.Endpoints) == 0 {
		bad("chain.endpoints", "needs at least one")
	}
	for _, e := range c.Chain.Endpoints {
		if !strings.HasPrefix(e, "ws://") && !strings.HasPrefix(e, "wss://") {
			bad("chain.endpoints", "%q must start with ws:// or wss://", e)
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
	if precisions[c.Model.Precision] == "" {
		bad("model.precision", "must be fp32, fp16 or bf16, not %q", c.Model.Precision)
	}
	if c.Model.ModelPath == "" {
		bad("model.model_path", "needs the directory of the base model")
	}
	if c.Task.Data == "" {
		bad("task.data", "needs the directory of the prepared text")
	}
	if len(c.Task.Groups) == 0 {
		bad("task.groups", "needs at least one expert group")
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
	if owner, name, ok := strings.Cut(c.HF.CheckpointRepo, "/"); !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		bad("hf.checkpoint_repo", "must be owner/name, not %q", c.HF.CheckpointRepo)
	} else if len(c.HF.CheckpointRepo) > rules.RepoMax && rules.RepoMax > 0 {
		bad("hf.checkpoint_repo", "has %d characters, but only %d fit the chain's commitment", len(c.HF.CheckpointRepo), rules.RepoMax)
	}
	if f := subnet.Format(c.Ckpt.Format); f != subnet.Safetensors && f != subnet.Torch {
		bad("ckpt.format", "must be %s or %s, not %q", subnet.Safetensors, subnet.Torch, c.Ckpt.Format)
	}
	for _, v := range []struct {
		path  string
		value float64
	}{
		{"opt.lr", c.Opt.LR}, {"opt.batch_size", float64(c.Opt.BatchSize)}, {"opt.outer_lr", c.Opt.OuterLR},
		{"task.sequence_length", float64(c.Task.SequenceLength)},
		{"ckpt.checkpoint_interval", float64(c.Ckpt.CheckpointInterval)},
		{"ckpt.checkpoint_topk", float64(c.Ckpt.CheckpointTopK)},
		{"ckpt.eval_sequences", float64(c.Ckpt.EvalSequences)}, {"ckpt.max_bytes", float64(c.Ckpt.MaxBytes)},
		{"ckpt.max_submission_bytes", float64(c.Ckpt.MaxSubmissionBytes)}, {"ckpt.submission_concurrency", float64(c.Ckpt.SubmissionConcurrency)},
		{"log.metric_interval", float64(c.Log.MetricInterval)},
		{"evaluation.sequences", float64(c.Evaluation.Sequences)},
		{"evaluation.report_sequences", float64(c.Evaluation.ReportSequences)},
		{"evaluation.top_k_miners_to_merge", float64(c.Evaluation.TopKMinersMerged)},
	} {
		if !(v.value > 0) {
			bad(v.path, "must be above 0")
		}
	}
	if c.Sched.WarmupSteps < 0 || c.Sched.TotalSteps < 0 {
		bad("sched", "neither warmup_steps nor total_steps may be below 0")
	}
	if c.Opt.OuterMomentum < 0 || c.Opt.OuterMomentum >= 1 {
		bad("opt.outer_momentum", "must be in [0, 1)")
	}
	if c.Cheat != "" && !isCheat(c.Cheat) {
		bad("cheat", "must be one of %v, not %q", Cheats, c.Cheat)
	}
	return errors.Join(errs...)
}

func (c *Config) axon() (netip.AddrPort, error) {
	if c.Chain.IP == "" {
		return netip.AddrPort{}, nil
	}
	addr, err := netip.ParseAddr(c.Chain.IP)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is no IP address", c.Chain.IP)
	}
	return netip.AddrPortFrom(addr, c.Chain.Port), nil
}

// Services implements [subnet.Config].
func (c *Config) Services() subnet.Services {
	axon, _ := c.axon() // checked by Validate
	return subnet.Services{
		NetUID: subnet.NetUID(c.Chain.NetUID), Endpoints: c.Chain.Endpoints,
		Wallet: c.Chain.WalletPath, Coldkey: c.Chain.ColdkeyName, Hotkey: c.Chain.HotkeyName,
		Hub: c.HF.Endpoint, HubToken: c.HF.TokenEnvVar,
		Model: c.Model.ModelPath, Data: c.Task.Data, SeqLen: c.Task.SequenceLength, DType: precisions[c.Model.Precision], Threads: c.Model.Threads,
		Axon: axon,
	}
}
