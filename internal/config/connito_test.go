package config

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// generated are the files that the generator writes.
var generated = []struct{ rules, role string }{
	{"g0", "miner"}, {"g1", "miner"}, {"g2-472", "validator"}, {"g2", "validator"}, {"g3", "miner"}, {"g3", "validator"}, {"g4", "miner"}, {"g4", "validator"}, {"local", "miner"},
}

// TestGenerated compares the two files that people get with those in testdata, and
// reads each of all generations back: it says what the defaults are, and nothing in
// it is without effect.
func TestGenerated(t *testing.T) {
	t.Parallel()
	for _, g := range generated {
		path := filepath.Join(t.TempDir(), g.rules+"-"+g.role+".yaml")
		if err := WriteAll(path, connito.Defaults(g.rules, g.role), "Settings of a "+g.role+"."); err != nil {
			t.Fatal(err)
		}
		if g.rules == "g3" {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "connito", g.role+".yaml")
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(text)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", golden, diff)
			}
		}
		var got lenient
		r, err := Read(Source{Path: path}, &got)
		if err != nil {
			t.Errorf("%s %s: %v", g.rules, g.role, err)
		}
		if len(r.Warnings) > 0 {
			t.Errorf("%s %s: warnings %q", g.rules, g.role, r.Warnings)
		}
		if diff := cmp.Diff(values(t, connito.Defaults(g.rules, g.role)), values(t, &got.Config)); diff != "" {
			t.Errorf("%s %s (-default +read):\n%s", g.rules, g.role, diff)
		}
	}
}

// lenient settings are right whatever they lack, and read no further files.
type lenient struct {
	connito.Config `yaml:",inline"`
}

func (*lenient) Validate() error                               { return nil }
func (*lenient) Extend(subnet.Files, string) ([]string, error) { return nil, nil }

// values are all settings by their paths.
func values(t *testing.T, c *connito.Config) map[string]string {
	t.Helper()
	list, err := Values(c, Report{})
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, v := range list {
		all[v.Path] = v.Text
	}
	return all
}

// read reads a text of settings over the defaults.
func readText(t *testing.T, text string) (*connito.Config, Report, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var c lenient
	r, err := Read(Source{Path: path}, &c)
	return &c.Config, r, err
}

// nest returns the YAML of one setting.
func nest(path, value string) string {
	var b strings.Builder
	names := strings.Split(path, ".")
	for i, name := range names {
		fmt.Fprintf(&b, "%s%s:", strings.Repeat("  ", i), name)
		if i == len(names)-1 {
			b.WriteString(" " + value)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestSheet gives every setting that any version of upstream's has, one by one: each
// is taken, or stands for another, or is told to have no effect. The table has them
// with the values of the generation in its first column.
func TestSheet(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/connito/sheet.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := make(map[string]bool)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), " #")
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if len(fields) != 4 {
			t.Fatalf("%q: want generation, setting, value and outcome", line)
		}
		rules, path, value, want := fields[0], fields[1], fields[2], fields[3]
		if seen[rules+path] {
			t.Errorf("%s stands twice", path)
		}
		seen[rules+path] = true
		top := nest(path, value)
		if path != "rules" {
			top = "rules: " + rules + "\n" + top
		}
		c, r, err := readText(t, top)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		got := "taken"
		switch _, isOwn := values(t, c)[path]; {
		case len(r.Warnings) == 1 && strings.Contains(r.Warnings[0], path+" has no effect: "):
			got = "ignored"
		case len(r.Warnings) > 0:
			got = "warned"
		case !isOwn && value == "null":
			got = "ignored" // where it says nothing
		case !isOwn:
			got = "mapped"
		}
		if got != want {
			t.Errorf("%s: %s is %s, want %s; %q", rules, path, got, want, r.Warnings)
		}
		if want == "taken" { // and is the default
			if diff := cmp.Diff(values(t, connito.Defaults(rules, c.Role)), values(t, c)); diff != "" {
				t.Errorf("%s: %s: %s is not the default (-default +read):\n%s", rules, path, value, diff)
			}
		}
	}
	if len(seen) < 150 {
		t.Errorf("only %d settings", len(seen))
	}
	// Nothing is in the tables of foreign settings that the program has itself.
	c := connito.NewConfig().(*connito.Config)
	own := values(t, c)
	for _, path := range c.Foreign() {
		if _, ok := own[path]; ok {
			t.Errorf("%s is a setting and a foreign one", path)
		}
		m, ok := c.Translate(path, "1")
		if !ok || (m.Ignored == "") == (len(m.Settings) == 0) {
			t.Errorf("%s means %+v, %t", path, m, ok)
		}
		for _, s := range m.Settings {
			to, _, _ := strings.Cut(s, "=")
			if _, ok := own[to]; !ok {
				t.Errorf("%s stands for %s, which there is not", path, to)
			}
		}
	}
}

// blockzero is the example of BlockZero's documents.
const blockzero = `model_path: Qwen/Qwen3-VL-30B-Instruct
expert_group: 0
chain_endpoint: wss://entrypoint-finney.opentensor.ai:443
netuid: 42
wallet:
  name: my_wallet
  hotkey: my_hotkey
checkpoint_dir: ./checkpoints
data_path: ./data/train.jsonl
batch_size: 2
gradient_accumulation_steps: 8
learning_rate: 3e-6
warmup_steps: 10
max_steps: 50
fp16: false
wandb: true
wandb_project: mine
checkpoint_keep_top_k: 7
num_workers: 4
seed: 42
`

func TestDocumentsAliases(t *testing.T) {
	t.Parallel()
	c, r, err := readText(t, blockzero)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Warnings) != 2 || !strings.Contains(r.Warnings[0], "config.yaml:19: num_workers has no effect") || !strings.Contains(r.Warnings[1], "config.yaml:20: seed") {
		t.Errorf("warnings = %q", r.Warnings)
	}
	if r.From["opt.lr"] != "config.yaml:12, as learning_rate" {
		t.Errorf("opt.lr is from %q", r.From["opt.lr"])
	}
	want := connito.Defaults("g1", "miner")
	want.Model.ModelPath, want.Model.Precision = "Qwen/Qwen3-VL-30B-Instruct", "fp32"
	want.Task.ExpertGroupName, want.Task.Data = "0", "./data/train.jsonl"
	want.Chain.Network, want.Chain.LiteNetwork = "wss://entrypoint-finney.opentensor.ai:443", "wss://entrypoint-finney.opentensor.ai:443"
	want.Chain.NetUID, want.Chain.ColdkeyName, want.Chain.HotkeyName = 42, "my_wallet", "my_hotkey"
	want.Ckpt.CheckpointPath, want.Ckpt.CheckpointTopK = "./checkpoints", 7
	want.Opt.BatchSize, want.Opt.LR = 2, 3e-6
	want.LocalPar.GradientAccumulationSteps = 8
	want.Sched.WarmupSteps, want.Sched.MaxSteps = 10, 50
	want.Log.LogWandB, want.Log.WandBProjectName = true, "mine"
	if diff := cmp.Diff(values(t, want), values(t, c)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := c.Services().Endpoints; !slices.Equal(got, []string{"wss://entrypoint-finney.opentensor.ai:443"}) {
		t.Errorf("endpoints = %q", got)
	}
}

// TestGeneration finds the generation of a file that names none, and its defaults.
func TestGeneration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"", "local"}, {"opt: {lr: 1}", "local"}, {"rules: g3", "g3"}, {"rules: g3\nchain: {netuid: 348}", "g3"},
		{"chain: {netuid: 348}", "g0"}, {"netuid: 42", "g1"}, {"chain: {netuid: 102}", connito.Live()}, {"chain: {netuid: 1}", "local"},
		{"chain: {network: archive}", connito.Live()}, {"chain: {network: ws://127.0.0.1:9944}", "local"},
	} {
		c, _, err := readText(t, tt.text)
		if err != nil || c.Rules != tt.want {
			t.Errorf("%q: rules = %q, %v, want %q", tt.text, c.Rules, err, tt.want)
		}
	}
	var l lenient
	if _, err := Read(Source{Set: []string{"rules=g0", "role=validator"}}, &l); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(values(t, connito.Defaults("g0", "validator")), values(t, &l.Config)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c, _, err := readText(t, "local_par: {global_opt_interval: 50}\nckpt: {checkpoint_interval: null}\nlog: {metric_interval: 7}")
	if err != nil || c.Ckpt.CheckpointInterval != 10 || c.Log.MetricInterval != 7 {
		t.Errorf("intervals of %d and %d, %v", c.Ckpt.CheckpointInterval, c.Log.MetricInterval, err)
	}
}

func TestBadConnito(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"opt:\n  learning_rat: 1", `config.yaml:2:3: unknown setting "opt.learning_rat": did you mean "learning_rate"?`},
		{"evaluation:\n  total_steps: 3", `config.yaml:2:3: unknown setting "evaluation.total_steps": did you mean "sched.total_steps"?`},
		{"dht:\n  prot: 1", `unknown setting "dht.prot": did you mean "port"?`},
		{"ckpt:\n  checkpont_topk: 2", `did you mean "checkpoint_topk"?`},
		{"dth:\n  port: 1", `unknown setting "dth"`},
		{"learning_rate: 1\nopt:\n  lr: 2", `config.yaml:1:1: learning_rate is opt.lr, which is given as well (config.yaml:3)`},
		{"learning_rate: fast", `config.yaml:1:1: learning_rate: must be a number`},
		{"wandb: [1]", `config.yaml:1:1: wandb: must be true or false`},
		{"cycle:\n  train_period: -1", `cycle.train_period: must be a whole number`},
		{"chain:\n  netuid: many", `chain.netuid: must be a whole number from 0 to 65535`},
		{"task:\n  exp:\n    data:\n      sequence_lenght: 1", `config.yaml:4:7: unknown setting "task.exp.data.sequence_lenght": did you mean "sequence_length"?`},
		{"task:\n  exp:\n    data:\n      dataset_nam: 1", `did you mean "dataset_name"?`},
	} {
		if _, _, err := readText(t, tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %s", tt.text, err, tt.want)
		}
	}
	for _, tt := range []struct{ set, want string }{
		{"local_par.world_size=0", "local_par.world_size: must be from 1 to 64"}, {"local_par.world_size=65", "local_par.world_size"}, {"local_par.ip_address=here", `local_par.ip_address: "here" is no IP address`},
		{"chain.network=http://x", "chain.network"}, {"chain.network=", "chain.network"}, {"role=owner", "role: must be miner or validator"},
		{"rules=g9", "rules"}, {"model.precision=fp8", "model.precision"}, {"run.run_name=../x", "run.run_name"}, {"chain.hotkey_name=a/b", "chain.hotkey_name"},
		{"checkpoint_dir=s3://bucket/x", "ckpt.checkpoint_path"}, {"hf.checkpoint_repo=me", "hf.checkpoint_repo"}, {"hf.default_repo_name=me/co", "hf.default_repo_name"},
		{"opt.weight_decay=.nan", "opt.weight_decay"}, {"moe.partial_topk=-1", "moe.partial_topk"}, {"sched.max_steps=-1", "sched.max_steps"},
		{"evaluation.weight_group_1_share=.nan", "evaluation.weight_group_1_share"},
	} {
		err := Load("", connito.NewConfig(), []string{tt.set})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.set, err, tt.want)
		}
	}
	var c lenient
	if r, err := Read(Source{Set: []string{"dht.port=1", "learning_rate=3"}}, &c); err != nil || len(r.Warnings) != 1 || c.Opt.LR != 3 || r.From["opt.lr"] != "--set, as learning_rate" {
		t.Errorf("overrides of other names: %v, %+v, lr %v", err, r, c.Opt.LR)
	}
}

const group = `{"1": [[0, 3], [1, 5]]}`

// TestGroups reads expert groups from their directories.
func TestGroups(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("expert_groups/exp_math/config.yaml", "group_id: 4\ndata:\n  dataset_name: allenai/c4\n  sequence_length: 77\n")
	put("expert_groups/exp_math/expert_assignment.json", group)
	put("expert_groups/exp_law/config.yaml", "group_id: 3\n")
	put("expert_groups/exp_law/expert_assignment.json", group)
	put("expert_groups/README.md", "")
	put("elsewhere/half/config.yaml", "group_id: 1\n")
	read := func(set ...string) (*connito.Config, Report, error) {
		var c unchecked
		r, err := Read(Source{Set: append([]string{"rules=g3", "role=validator"}, set...), Root: root}, &c)
		return &c.Config, r, err
	}
	ids := func(c *connito.Config) (ids []int) {
		for _, g := range c.Task.Groups {
			ids = append(ids, g.ID)
		}
		return ids
	}

	c, r, err := read()
	if err != nil || !slices.Equal(ids(c), []int{4}) || c.Services().SeqLen != 77 || len(r.Warnings) != 1 || r.From["task.exp.group_id"] != "config.yaml:1" {
		t.Errorf("exp_math: groups %v, %d tokens, %+v, %v", ids(c), c.Services().SeqLen, r, err)
	}
	if c, _, err := read("expert_group=3"); err != nil || !slices.Equal(ids(c), []int{3}) {
		t.Errorf("group 3: %v, %v", ids(c), err)
	}
	if _, _, err := read("expert_group=5"); err == nil || subnet.Hint(err) == "" {
		t.Errorf("group 5: %v", err)
	}
	if _, _, err := read("task.expert_group_name=none"); !errors.Is(err, subnet.ErrNotFound) || !strings.Contains(subnet.Hint(err), "expert_groups") {
		t.Errorf("no group: %v (hint %q)", err, subnet.Hint(err))
	}
	if _, _, err := read("task.expert_group_name=half", "task.base_path=elsewhere"); !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("half a group: %v", err)
	}
	put("expert_groups/bad/config.yaml", "group_id: 9\ndate: {}\n")
	if _, _, err := read("task.expert_group_name=bad"); err == nil || !strings.Contains(err.Error(), `config.yaml:2:1: unknown setting "task.exp.date": did you mean "data"?`) {
		t.Errorf("a group with a typing mistake: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(root, "expert_groups", "bad")); err != nil {
		t.Fatal(err)
	}
	if c, _, err := read("task.load_all_expert_groups=true"); err != nil || !slices.Equal(ids(c), []int{3, 4}) {
		t.Errorf("all groups: %v, %v", ids(c), err)
	}
}

// unchecked settings are right whatever they lack.
type unchecked struct {
	connito.Config `yaml:",inline"`
}

func (*unchecked) Validate() error { return nil }

// TestLocked brings back what a public network fixes, in memory, and only there.
func TestLocked(t *testing.T) {
	t.Parallel()
	set := []string{"rules=g3", "role=miner", "task.groups=[{id: 0, assignment: {1: [[0, 0]]}}]", "cycle.train_period=5", "evaluation.score_window=3", "opt.lr=1"}
	read := func(more ...string) (*connito.Config, []string) {
		var c unchecked
		r, err := Read(Source{Set: append(slices.Clone(set), more...), Role: "mine"}, &c)
		if err != nil {
			t.Fatal(err)
		}
		return &c.Config, r.Warnings
	}
	if c, w := read(); len(w) != 2 || c.Cycle.TrainPeriod != 300 || c.Evaluation.ScoreWindow != 8 || c.Opt.LR != 1 || !strings.HasPrefix(w[0], "auto_update_config: resetting locked field to default: cycle.train_period is 300 on this network, not 5") {
		t.Errorf("on the public network: %d, %d, %q", c.Cycle.TrainPeriod, c.Evaluation.ScoreWindow, w)
	}
	if c, w := read("auto_update_config=false"); len(w) > 0 || c.Cycle.TrainPeriod != 5 {
		t.Errorf("without auto_update_config: %d, %q", c.Cycle.TrainPeriod, w)
	}
	if c, w := read("chain.endpoints=[ws://127.0.0.1:1]"); len(w) > 0 || c.Cycle.TrainPeriod != 5 {
		t.Errorf("on another network: %d, %q", c.Cycle.TrainPeriod, w)
	}
	var c unchecked
	if _, err := Read(Source{Set: set, Role: "validate"}, &c); err == nil || subnet.Hint(err) == "" {
		t.Errorf("a miner's file for a validator: %v", err)
	}
}

// FuzzConnito reads anything as a neuron's settings, and checks what it became.
func FuzzConnito(f *testing.F) {
	f.Add(blockzero)
	f.Add("rules: g3\ncycle: {train_period: 9}\nwallet:\n  name: x\ndht: {port: 1}\ntask: {exp: {data: {dataset_sources: [{path: x}]}}}")
	f.Add("wallet: null\ndht:\nlearning_rate: [1]\nfp16: maybe")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 {
			return
		}
		path := filepath.Join(dir, "config.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var c lenient
		if _, err := Read(Source{Path: path, Set: []string{"netuid=" + text, "wallet.name=" + text}}, &c); err == nil && c.Config.Validate() == nil {
			c.Services()
		}
	})
}

// earlier is a file that 'adit up' wrote before there were roles and networks in it.
const earlier = `rules: local
chain:
  netuid: 2
  endpoints:
  - ws://127.0.0.1:9944
  wallet_path: wallets
  coldkey_name: validator-0
  hotkey_name: default
  ip: 127.0.0.1
  port: 8003
cycle:
  validator_whitelist:
  - 5Gabc
model:
  model_path: genesis
  precision: fp32
  threads: 0
task:
  groups:
  - id: 0
    assignment:
      1:
      - - 0
        - 0
  - id: 1
    assignment:
      1:
      - - 0
        - 4
  data: data
  sequence_length: 128
hf:
  checkpoint_repo: validator-0/co
  token_env_var: HF_TOKEN
  endpoint: http://127.0.0.1:8600
opt:
  lr: 0.002
  weight_decay: 0.1
  batch_size: 4
  outer_lr: 1.0
  outer_momentum: 0.3
sched:
  warmup_steps: 20
  total_steps: 0
ckpt:
  format: safetensors
  checkpoint_interval: 60
  checkpoint_topk: 2
  eval_sequences: 16
  max_bytes: 8589934592
evaluation:
  sequences: 128
  report_sequences: 256
  top_k_miners_to_merge: 2
log:
  log_wandb: false
  wandb_project_name: test-moe
  base_metric_path: metrics
  metric_path: ""
  metric_interval: 20
  tensorboard: false
`

func TestEarlierFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(earlier), 0o600); err != nil {
		t.Fatal(err)
	}
	c := connito.NewConfig().(*connito.Config)
	r, err := Read(Source{Path: path, Role: "validate"}, c)
	if err != nil || len(r.Warnings) > 0 {
		t.Fatalf("%v, warnings %q", err, r.Warnings)
	}
	s := c.Services()
	if c.Role != connito.RoleValidator || len(c.Task.Groups) != 2 || s.DType != "f32" || s.SeqLen != 128 || !slices.Equal(s.Endpoints, []string{"ws://127.0.0.1:9944"}) || !s.Axon.IsValid() || s.ExpertsPerToken != 0 {
		t.Errorf("role %s, %d groups, %+v", c.Role, len(c.Task.Groups), s)
	}
}
