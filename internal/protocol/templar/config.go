package templar

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"

	"adit/internal/subnet"
)

// Config holds the settings of a Templar neuron, under the names of upstream's
// flags. Keys of buckets are no settings: they are in the environment, under
// upstream's names.
type Config struct {
	Rules   string `yaml:"rules" help:"the generation of the network: see 'adit protocols'"`
	NetUID  uint16 `yaml:"netuid" help:"the subnet's number"`
	Project string `yaml:"project" help:"the Weights & Biases project that figures go to"`
	Bucket  string `yaml:"bucket" help:"the bucket that the neuron writes to and puts on chain; where keys are put on chain too, it is called as the account is"`

	ActualBatchSize int    `yaml:"actual_batch_size" help:"sequences learned from at once; 0 takes micro_batch_size of hparams.json"`
	Device          string `yaml:"device" help:"cpu, or auto for the best that there is; cuda and cuda:N are taken for auto"`
	Threads         int    `yaml:"threads" help:"to compute with; 0 means one per core"`
	Model           string `yaml:"model" help:"directory of the base model, as Hugging Face lays it out: all neurons of a network begin with the same one"`
	HParams         string `yaml:"hparams" help:"file of the network's numbers, which goes over those of the generation; none if there is no such file"`

	Remote     bool `yaml:"remote" help:"connect with the buckets of other neurons, and not with one's own alone"`
	SyncState  bool `yaml:"sync_state" help:"begin with the state that the network has, and not with the base model"`
	Random     bool `yaml:"random" help:"train on random pages, and not on those of one's uid; validators judge by those of the uid"`
	Baseline   bool `yaml:"baseline" help:"train alone: nothing is downloaded, merged or uploaded"`
	Test       bool `yaml:"test" help:"connect with the test network"`
	UseWandB   bool `yaml:"use_wandb" help:"send figures to Weights & Biases: WANDB_API_KEY and WANDB_MODE say how"`
	AutoUpdate bool `yaml:"autoupdate" help:"has no effect: a program that replaces itself by what somebody else uploads is not yours"`
	Debug      bool `yaml:"debug" help:"tell more details"`
	Trace      bool `yaml:"trace" help:"tell every detail"`

	Wallet struct {
		Name   string `yaml:"name" help:"of the wallet, which is that of its coldkey"`
		Hotkey string `yaml:"hotkey" help:"in the wallet"`
		Path   string `yaml:"path" help:"directory of wallets; none means ~/.bittensor/wallets"`
	} `yaml:"wallet"`

	Subtensor struct {
		Network  string `yaml:"network" help:"finney, test, archive, local or a ws:// or wss:// URL"`
		Endpoint string `yaml:"chain_endpoint" help:"URL of a node, which is asked before the network's own; none for that alone"`
	} `yaml:"subtensor"`

	DataSet struct {
		URL  string `yaml:"url" help:"of the server that gives out pages"`
		Name string `yaml:"name" help:"of the data set there; none means the generation's own"`
		Dir  string `yaml:"dir" help:"directory of the shards within the data set's bucket; none takes DATASET_BINS_PATH of the environment"`
		BOS  string `yaml:"bos" help:"what the tokenizer puts before a text: a token or its number"`
		EOS  string `yaml:"eos" help:"what ends a text: a token or its number"`
	} `yaml:"dataset"`

	S3 struct {
		Endpoint string `yaml:"endpoint" help:"URL of every bucket, as on a network of one machine; none means where the generation has them"`
		Region   string `yaml:"region" help:"that requests are signed for; none means the generation's"`
	} `yaml:"s3"`

	Fetch struct {
		Parallel   int     `yaml:"parallel" help:"downloads at a time"`
		TimeoutSec float64 `yaml:"timeout_sec" help:"after which a download from another neuron is given up"`
	} `yaml:"fetch"`

	Save struct {
		EverySec float64 `yaml:"every_sec" help:"how often at most the model is saved, to go on from after a restart"`
	} `yaml:"save"`

	// Cheat makes a miner break one rule, to see that the network notices: see
	// [Cheats]. It is refused on a network that is not on this machine.
	Cheat string `yaml:"cheat,omitempty"`

	// numbers is what HParams holds.
	numbers []byte
	// envFile is what .env.yaml holds, or nil.
	envFile *Keys
}

// NewConfig returns the settings of the first generation: those of the guide.
func NewConfig() subnet.Config { return Defaults("slices") }

// Defaults returns the settings that a generation begins with.
func Defaults(rules string) *Config {
	c := &Config{Rules: rules, NetUID: 3, Project: "aesop2", Bucket: "decis", ActualBatchSize: 8, Device: "auto", HParams: "hparams.json", Model: "model"}
	c.Wallet.Name, c.Wallet.Hotkey = "default", "default"
	c.Subtensor.Network = "finney"
	c.DataSet.URL, c.DataSet.BOS, c.DataSet.EOS = DataServer, "<s>", "</s>"
	c.Fetch.Parallel, c.Fetch.TimeoutSec = 16, 20
	c.Save.EverySec = 120
	if r, err := RulesByName(rules); err == nil && r.Scheme == GradientScheme {
		c.Project, c.Bucket, c.ActualBatchSize = r.Sparse.Project, "", 0
		c.Remote = true
		c.Fetch.TimeoutSec = 600
	} else if err == nil && r.Commitment == BucketKeys {
		c.Remote, c.Bucket = true, ""
	}
	return c
}

// Choose implements [subnet.Chooser].
func (c *Config) Choose(given func(path string) string) {
	*c = *Defaults(cmp.Or(given("rules"), c.Rules))
}

// testNetwork is what upstream's --test stands for.
const testNetwork = "test"

// Extend implements [subnet.Extender]: it reads hparams.json and .env.yaml where
// there are such files, and tells which settings do nothing.
//
// Unlike upstream, which asks GitHub every minute for an hparams.json and overwrites
// the file with it, the file counts, and nobody changes the numbers of a neuron that
// runs.
func (c *Config) Extend(files subnet.Files, _ string) (warnings []string, err error) {
	if c.Test {
		c.Subtensor.Network, c.Subtensor.Endpoint = testNetwork, ""
	}
	if c.AutoUpdate {
		warnings = append(warnings, "autoupdate: it has no effect: this program does not replace itself; install a new version when you have read what is new in it")
	}
	if strings.HasPrefix(c.Device, "cuda") {
		warnings = append(warnings, fmt.Sprintf("device: %s is taken for auto: the engine takes the device that there is", c.Device))
	}
	if c.HParams != "" {
		data, err := files.Read(c.HParams)
		switch {
		case err == nil:
			c.numbers = data
			rules, err := RulesByName(c.Rules)
			if err != nil {
				break // which Validate tells
			}
			_, unknown, err := rules.WithHParams(data)
			if err != nil {
				return warnings, fmt.Errorf("hparams: %s: %w", c.HParams, err)
			}
			for _, key := range unknown {
				warnings = append(warnings, fmt.Sprintf("hparams: %s: %.80q means nothing in %s", c.HParams, key, rules.Name))
			}
		case errors.Is(err, subnet.ErrNotFound) && c.HParams == Defaults(c.Rules).HParams:
		default:
			return warnings, fmt.Errorf("hparams: %w", err)
		}
	}
	if data, err := files.Read(envFile); err == nil {
		keys, err := ParseEnvYAML(data)
		if err != nil {
			return warnings, err
		}
		c.envFile = &keys
	}
	return warnings, nil
}

// envFile is where a neuron of r2 has its keys.
const envFile = ".env.yaml"

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
	if c.Bucket != "" && !isBucketName(c.Bucket) {
		bad("bucket", "must be 3 to 63 lower-case letters, digits, dashes and points, not %q", c.Bucket)
	}
	if c.Bucket == "" && err == nil && rules.Commitment == BucketName {
		bad("bucket", "needs the name of a bucket that the neuron may write to")
	}
	if d := c.Device; d != "auto" && d != "cpu" && d != "cuda" && !strings.HasPrefix(d, "cuda:") {
		bad("device", "must be auto, cpu, cuda or cuda:N, not %q", d)
	}
	if c.ActualBatchSize < 0 || c.ActualBatchSize > many || c.ActualBatchSize == 0 && err == nil && rules.Scheme == SliceScheme {
		bad("actual_batch_size", "must be 1 or more")
	}
	if c.Model == "" {
		bad("model", "needs the directory of the base model")
	}
	for _, e := range c.networks() {
		if strings.ContainsAny(e, " \t") || strings.Contains(e, "://") && !strings.HasPrefix(e, "ws://") && !strings.HasPrefix(e, "wss://") {
			bad("subtensor.network", "%q is neither a name nor a ws:// or wss:// URL", e)
		}
	}
	if len(c.networks()) == 0 {
		bad("subtensor.network", "needs the name of a network, or a URL")
	}
	for _, u := range []struct{ path, value string }{{"dataset.url", c.DataSet.URL}, {"s3.endpoint", c.S3.Endpoint}} {
		if v, err := url.Parse(u.value); u.value != "" && (err != nil || v.Scheme != "http" && v.Scheme != "https" || v.Host == "") {
			bad(u.path, "%q is no http:// or https:// URL", u.value)
		}
	}
	if c.DataSet.BOS == "" || c.DataSet.EOS == "" {
		bad("dataset.bos", "and dataset.eos need a token or its number each")
	}
	if c.Fetch.Parallel < 1 || c.Fetch.Parallel > 256 {
		bad("fetch.parallel", "must be 1 to 256")
	}
	if !(c.Fetch.TimeoutSec > 0) || c.Fetch.TimeoutSec > 86_400 {
		bad("fetch.timeout_sec", "must be above 0, and at most a day")
	}
	if !(c.Save.EverySec >= 0) || c.Save.EverySec > 86_400 {
		bad("save.every_sec", "must be 0 or more, and at most a day")
	}
	if err := c.checkCheat(); err != nil {
		bad("cheat", "%v", err)
	}
	return errors.Join(errs...)
}

// ruleset returns the generation's rules with the numbers of hparams.json.
func (c *Config) ruleset() (Rules, error) {
	r, err := RulesByName(c.Rules)
	if err != nil || c.numbers == nil {
		return r, err
	}
	r, _, err = r.WithHParams(c.numbers)
	return r, err
}

// networks are where the chain is, the preferred one first.
func (c *Config) networks() (list []string) {
	for _, n := range []string{c.Subtensor.Endpoint, c.Subtensor.Network} {
		if n != "" {
			list = append(list, n)
		}
	}
	return list
}

// Services implements [subnet.Config]. The engine has no text of its own: it is
// given pages, or samples.
func (c *Config) Services() subnet.Services {
	s := subnet.Services{
		NetUID: subnet.NetUID(c.NetUID), Endpoints: c.networks(),
		Wallet: c.Wallet.Path, Coldkey: c.Wallet.Name, Hotkey: c.Wallet.Hotkey,
		Model: c.Model, DType: "f32", Threads: c.Threads,
		Names: subnet.ServiceNames{
			NetUID: "netuid", Endpoints: "subtensor.network", Coldkey: "wallet.name", Model: "model", SeqLen: "sequence_length in hparams.json", Threads: "threads",
		},
	}
	if r, err := c.ruleset(); err == nil {
		s.SeqLen = int(r.Slice.SequenceLength)
		if r.Scheme == GradientScheme {
			s.SeqLen = int(r.Sparse.SequenceLength)
		}
	}
	return s
}

// Directory implements [subnet.Placed].
func (c *Config) Directory() string {
	return path.Join("templar", c.Wallet.Name, c.Wallet.Hotkey)
}

// Unsaid implements [subnet.Placed].
func (c *Config) Unsaid() []string { return nil }

// RunName implements [subnet.Placed].
func (c *Config) RunName() string { return fmt.Sprintf("templar-%d", c.NetUID) }

// Moment implements [subnet.Clock].
func (c *Config) Moment(b subnet.Block) subnet.Moment {
	r, err := c.ruleset()
	if err != nil {
		return subnet.Moment{}
	}
	w := r.Window(b)
	return subnet.Moment{Round: uint64(w), Phase: "Window", Start: r.Start(w), End: r.Start(w+1) - 1}
}

// keys returns what the neuron may do with its own bucket.
func (c *Config) keys(r Rules, secret func(string) string) (Keys, error) {
	if r.Commitment == BucketName {
		pair := KeyPair{secret(EnvAWSKey), secret(EnvAWSSecret)}
		if pair.ID == "" || pair.Secret == "" {
			return Keys{}, subnet.WithHint(fmt.Errorf("%s and %s are not both set", EnvAWSKey, EnvAWSSecret),
				"put the keys of an account that may write to "+c.Bucket+" into the environment")
		}
		return Keys{c.Bucket, c.Bucket, pair, pair}, nil
	}
	if c.envFile != nil {
		return *c.envFile, nil
	}
	env := make(map[string]string)
	for _, name := range GradientStore.EnvNames() {
		env[name] = secret(name)
	}
	k, err := GradientStore.KeysFrom(env, true)
	if err != nil {
		return Keys{}, subnet.WithHint(fmt.Errorf("keys of the neuron's own bucket: %w", err),
			"put the keys of your bucket into the environment: those to read are put on chain, those to write stay here")
	}
	return k, nil
}

// placed lays over an address what the settings say of every bucket.
func (c *Config) placed(a subnet.BucketAddress) subnet.BucketAddress {
	a.Endpoint = cmp.Or(c.S3.Endpoint, a.Endpoint)
	a.Region = cmp.Or(c.S3.Region, a.Region)
	return a
}
