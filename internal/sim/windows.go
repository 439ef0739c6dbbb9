package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"adit/internal/exchange"
	"adit/internal/journal"
	"adit/internal/protocol/templar"
	"adit/internal/subnet"
)

// WindowOptions say what network of windows to simulate.
type WindowOptions struct {
	Rules      string // of Templar, such as "sparse/20"
	Seed       uint64
	Miners     int // honest ones
	Validators int // the first one leads
	Cheats     []string
	Forgers    []string // of the kinds of [WindowForgers]
	Strangers  []string // rules of miners that are of another version
	// Crowded is the neuron whose bucket has a million other objects, -1 for none.
	Crowded int
}

// A Windows is a simulated network of windows.
type Windows struct {
	Chain   *Chain
	Neurons []*Neuron
	opts    WindowOptions
	rules   templar.Rules
	buckets exchange.MemBuckets
	players []*player

	mu   sync.Mutex
	past map[string][]upload // by bucket and key, in order
	// listed counts what was told of the crowded bucket.
	listed int
}

// A player is what a neuron of windows has besides.
type player struct {
	config *templar.Config
	rules  templar.Rules
	env    map[string]string
	bucket string // its name
}

// An upload is one version of an object.
type upload struct {
	data []byte
	when time.Time // by the store's clock
	at   subnet.Block
}

// What a window is played with, in small.
const (
	windowBlockTime = 12 * time.Second
	sliceNumbers    = `{"window_length": %d, "sequence_length": 32, "learning_rate": 0.01, "eta_min": 0.001, "compression": 10, "validator_moving_alpha": 0.5, "num_warmup_steps": 2, "num_stable_steps": 100000, "num_decay_steps": 10}`
	sparseNumbers   = `{"blocks_per_window": %d, "sequence_length": 16, "topk_compression": 64, "batch_size": 4, "target_batch_size": 8, "inner_steps": 3, "outer_learning_rate": 0.9, "checkpoint_frequency": 3, "windows_per_weights": 1, "validator_sample_micro_bs": 2, "sync_max_steps_behind": 3, "optimizer": {"adamw": {"learning_rate": 0.05, "scheduler": {"warmup_steps": 1, "t_max": 100000, "warmup_inner_steps": 0, "initial_warmup_inner_steps": 0, "replay_rewind_inner_steps": 0}}}}`
)

// windowParams are the parameters of the cost model.
var windowParams = []subnet.Param{{Name: "a.weight", Shape: []int{16, 16}}, {Name: "b.weight", Shape: []int{40}}}

// NewWindows makes a network, whose time has not begun.
func NewWindows(o WindowOptions) (*Windows, error) {
	n := &Windows{opts: o, past: make(map[string][]upload)}
	add := func(name, role, rules, cheat, forger string) {
		n.Neurons = append(n.Neurons, &Neuron{
			Name: name, Role: role, Cheat: cheat, Forger: forger, Hotkey: address(n.key(name)),
			Memory: journal.NewMem(), events: make(map[string]int),
		})
		n.players = append(n.players, &player{config: templar.Defaults(rules)})
	}
	for i := range o.Validators {
		add(fmt.Sprintf("validator-%d", i), "validate", o.Rules, "", "")
	}
	for i := range o.Miners {
		add(fmt.Sprintf("miner-%d", i), "mine", o.Rules, "", "")
	}
	for i, c := range o.Cheats {
		add(fmt.Sprintf("cheat-%d-%s", i, c), "mine", o.Rules, c, "")
	}
	for i, f := range o.Forgers {
		add(fmt.Sprintf("forger-%d-%s", i, f), "mine", o.Rules, "", f)
	}
	for i, r := range o.Strangers {
		add(fmt.Sprintf("stranger-%d", i), "mine", r, "", "")
	}
	var hotkeys [][32]byte
	for i, v := range n.Neurons {
		hotkeys = append(hotkeys, n.key(v.Name))
		if err := n.equip(i); err != nil {
			return nil, err
		}
	}
	n.rules = n.players[0].rules
	var err error
	if n.Chain, err = newChain(windowBlockTime, uint16(n.rules.WindowBlocks()), hotkeys, o.Validators); err != nil {
		return nil, err
	}
	for _, v := range n.Neurons {
		v.chain = n.Chain.as(n.key(v.Name))
	}
	return n, n.layText()
}

func (n *Windows) key(name string) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "hotkey %d %s", n.opts.Seed, name))
}

// numbers is the one file that a neuron's settings read.
type numbers string

func (f numbers) Read(path string) ([]byte, error) {
	if path != "hparams.json" {
		return nil, fmt.Errorf("%s: %w", path, subnet.ErrNotFound)
	}
	return []byte(f), nil
}
func (numbers) List(string) ([]string, error) { return nil, nil }
func (numbers) Decode(path, _ string, _ any) error {
	return fmt.Errorf("%s: %w", path, subnet.ErrNotFound)
}

// equip gives a neuron its settings, its keys and its bucket.
func (n *Windows) equip(i int) error {
	p, v := n.players[i], n.Neurons[i]
	c := p.config
	rules, err := templar.RulesByName(c.Rules)
	if err != nil {
		return err
	}
	text := fmt.Sprintf(sparseNumbers, rules.WindowBlocks())
	if rules.Scheme == templar.SliceScheme {
		text = fmt.Sprintf(sliceNumbers, rules.WindowBlocks())
	}
	if _, err := c.Extend(numbers(text), ""); err != nil {
		return err
	}
	if p.rules, _, err = rules.WithHParams([]byte(text)); err != nil {
		return err
	}
	c.NetUID, c.Remote, c.Cheat, c.Subtensor.Network = 1, true, v.Cheat, "local"
	c.DataSet.BOS, c.DataSet.EOS, c.Save.EverySec, c.Fetch.TimeoutSec = "256", "257", 0, 20
	c.ActualBatchSize = 50
	if rules.Scheme == templar.GradientScheme {
		c.ActualBatchSize = 2
	}
	if rules.Commitment == templar.BucketName {
		c.Bucket = fmt.Sprintf("bucket-%d", i)
		p.bucket = c.Bucket
		p.env = map[string]string{templar.EnvAWSKey: "key", templar.EnvAWSSecret: "secret"}
	} else {
		p.bucket = fmt.Sprintf("%032x", i+1)
		p.env = storeEnv(templar.GradientStore, p.bucket)
	}
	for k, v := range n.textEnv() {
		p.env[k] = v
	}
	return nil
}

// storeEnv is what the environment says of a store.
func storeEnv(s templar.Store, account string) map[string]string {
	env := make(map[string]string)
	for i, name := range s.EnvNames() {
		env[name] = account
		if i >= 2 {
			sum := sha256.Sum256([]byte(name + account))
			env[name] = hex.EncodeToString(sum[:])
			if i%2 == 0 {
				env[name] = env[name][:32]
			}
		}
	}
	return env
}

// owner returns the neuron whose bucket is called so, or -1.
func (n *Windows) owner(bucket string) int {
	return slices.IndexFunc(n.players, func(p *player) bool { return p.bucket == bucket })
}

// services are those of a neuron in good weather.
func (n *Windows) services(i int) subnet.Env {
	v, p := n.Neurons[i], n.players[i]
	engine := NewEngine(windowParams)
	engine.StepTime = 2 * time.Second
	engine.Rate = 0.1
	return subnet.Env{
		NetUID: 1, Config: p.config, Signer: signer{v.Hotkey}, Chain: v.chain, Engine: engine,
		Dir: v.Memory, Journal: v.Memory,
		Bucket: func(a subnet.BucketAddress) (subnet.Bucket, error) { return n.buckets.Open(a), nil },
		HTTP:   &http.Client{Transport: pageServer{}},
		Secret: func(name string) string { return p.env[name] },
		Verify: verify, Emit: v.emit,
	}
}

// uploaded notes a version of an object.
func (n *Windows) uploaded(owner int, key string, data []byte, when time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := pastKey(owner, key)
	n.past[name] = append(n.past[name], upload{bytes.Clone(data), when, n.Chain.now()})
}

func pastKey(owner int, key string) string { return fmt.Sprintf("%d/%s", owner, key) }

// versions returns all that was ever uploaded under a key.
func (n *Windows) versions(owner int, key string) []upload {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.past[pastKey(owner, key)])
}
