package sim

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"adit/internal/exchange"
	"adit/internal/journal"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// Options say what network to simulate.
type Options struct {
	Rules      connito.Rules
	Seed       uint64
	Groups     int
	Miners     int // honest ones, per group
	Validators int
	Cheats     []string // of the kinds of [connito.Cheats], in group 0
	Forgers    []string // of the kinds of [Forgers], in group 0
	BlockTime  time.Duration
	Owner      bool // its service tells the phases, in a run that has one
}

// A Network is a simulated network.
type Network struct {
	Chain   *Chain
	Neurons []*Neuron
	opts    Options
	hub     exchange.Mem
	web     web
	experts []connito.Group
}

// A Neuron is one of its neurons.
type Neuron struct {
	Name   string
	Role   string
	Cheat  string
	Forger string // of the kinds of [Forgers]
	Group  int
	Hotkey subnet.Hotkey
	// Memory is its directory and journal, which outlive a restart.
	Memory *journal.Mem
	chain  *client
	config *connito.Config

	mu     sync.Mutex
	events map[string]int
	log    []subnet.Event
}

// The size of the cost model.
const (
	expertsPerGroup = 2
	layers          = 1
	tensorSize      = 16
)

// New makes a network, whose time has not begun.
func New(o Options) (*Network, error) {
	n := &Network{opts: o}
	for g := range o.Groups {
		a := make(connito.Assignment)
		for l := range layers {
			for i := range expertsPerGroup {
				a[l] = append(a[l], [2]int{i, g*expertsPerGroup + i})
			}
		}
		n.experts = append(n.experts, connito.Group{ID: g, Assignment: a})
	}
	for i := range o.Validators {
		n.add(fmt.Sprintf("validator-%d", i), "validate", 0, "")
	}
	for g := range o.Groups {
		for i := range o.Miners {
			n.add(fmt.Sprintf("miner-%d-%d", g, i), "mine", g, "")
		}
	}
	for i, c := range o.Cheats {
		n.add(fmt.Sprintf("cheat-%d-%s", i, c), "mine", 0, c)
	}
	for i, f := range o.Forgers {
		n.add(fmt.Sprintf("forger-%d-%s", i, f), "mine", 0, "")
		n.Neurons[len(n.Neurons)-1].Forger = f
	}
	var hotkeys [][32]byte
	for _, v := range n.Neurons {
		hotkeys = append(hotkeys, n.key(v.Name))
	}
	var err error
	n.Chain, err = newChain(o.BlockTime, uint16(o.Rules.Schedule.Cycle()/3), hotkeys, o.Validators)
	if err != nil {
		return nil, err
	}
	for _, v := range n.Neurons {
		v.chain = n.Chain.as(n.key(v.Name))
	}
	return n, nil
}

// key returns a neuron's hotkey, which depends on the seed.
func (n *Network) key(name string) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "hotkey %d %s", n.opts.Seed, name))
}

func (n *Network) add(name, role string, group int, cheat string) {
	c := connito.NewConfig().(*connito.Config)
	c.Rules = n.opts.Rules.Name
	c.Model.ModelPath, c.Task.Data = "simulated", "simulated"
	c.HF.CheckpointRepo = name + "/co"
	c.Cheat = cheat
	// A step of the cost model takes a second: a few checkpoints a cycle.
	c.Ckpt.CheckpointInterval = max(1, int(n.opts.Rules.Schedule[connito.Train])*int(n.opts.BlockTime/time.Second)/3)
	c.Opt.OuterLR, c.Opt.OuterMomentum = 1, 0
	for _, g := range n.experts {
		if role == "validate" || g.ID == group {
			c.Task.Groups = append(c.Task.Groups, g)
		}
	}
	for i := range n.opts.Validators {
		c.Cycle.ValidatorWhitelist = append(c.Cycle.ValidatorWhitelist, string(address(n.key(fmt.Sprintf("validator-%d", i)))))
	}
	if n.direct() {
		c.Ckpt.Format = string(n.opts.Rules.Formats[0])
	}
	if n.direct() || n.opts.Validators > 1 { // which merge with one another
		if role == "validate" {
			c.Chain.IP = netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + len(n.Neurons))}).String()
		}
	}
	n.Neurons = append(n.Neurons, &Neuron{
		Name: name, Role: role, Cheat: cheat, Group: group, Hotkey: address(n.key(name)),
		Memory: journal.NewMem(), config: c, events: make(map[string]int),
	})
}

// direct says whether models go over HTTP.
func (n *Network) direct() bool {
	return slices.ContainsFunc(n.opts.Rules.Transports, func(t connito.Transport) bool { return t != connito.HubTransport })
}

// Run runs every neuron until ctx is done: the miners from the second cycle on,
// as in the first there is no baseline yet.
func (n *Network) Run(ctx context.Context) error {
	errs := make([]error, len(n.Neurons))
	var all sync.WaitGroup
	for i, v := range n.Neurons {
		all.Go(func() {
			if v.Role != "validate" && v.chain.Wait(ctx, n.opts.Rules.Schedule.Start(1, connito.Distribute)) != nil {
				return
			}
			errs[i] = n.RunNeuron(ctx, v)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// RunNeuron runs one neuron until ctx is done. It may be run again, as after a
// restart.
func (n *Network) RunNeuron(ctx context.Context, v *Neuron) error {
	role, ok := connito.Protocol.Role(v.Role)
	if !ok {
		return fmt.Errorf("no role %q", v.Role)
	}
	if at := v.config.Services().Axon; at.IsValid() {
		if err := v.chain.ServeAxon(ctx, at); err != nil {
			return fmt.Errorf("serve axon: %w", err)
		}
	}
	return role.Run(ctx, n.Env(v))
}

// Env returns what a neuron's roles may touch.
func (n *Network) Env(v *Neuron) subnet.Env {
	env := n.services(v)
	if v.Forger != "" {
		forge(&env, v.Forger)
	}
	return env
}

func (n *Network) services(v *Neuron) subnet.Env {
	engine := newEngine(n.experts, tensorSize)
	engine.StepTime = n.stepTime(v)
	return subnet.Env{
		NetUID:  1,
		Config:  v.config,
		Signer:  signer{v.Hotkey},
		Chain:   v.chain,
		Engine:  engine,
		Dir:     v.Memory,
		Journal: v.Memory,
		Open: func(url string) (subnet.Store, error) {
			return exchange.Open("mem:"+url[len("hf://"):], exchange.Options{Mem: &n.hub})
		},
		HTTP:   &http.Client{Transport: &n.web},
		Serve:  n.web.serve,
		Secret: func(string) string { return "" },
		Verify: verify,
		Emit:   v.emit,
	}
}

// stepTime is how long a step takes a neuron: no two are equally fast.
func (n *Network) stepTime(v *Neuron) time.Duration {
	h := n.key(v.Name + " speed")
	train := time.Duration(n.opts.Rules.Schedule[connito.Train]) * n.opts.BlockTime
	return train/10 + train*time.Duration(h[0])/5000
}

func (v *Neuron) emit(e subnet.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.events[e.Kind]++
	if e.Kind != "step" {
		v.log = append(v.log, e)
	}
}

// Count returns how often a neuron reported each kind of event.
func (v *Neuron) Count(kind string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.events[kind]
}

// Log returns what a neuron reported, without its steps.
func (v *Neuron) Log() []subnet.Event {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.log
}

// A signer signs with a keyed hash: only the simulation knows the key, and it
// checks signatures itself.
type signer struct{ hotkey subnet.Hotkey }

func (s signer) Hotkey() subnet.Hotkey { return s.hotkey }

func (s signer) Sign(_ context.Context, payload []byte) ([]byte, error) {
	mac := hmac.New(sha256.New, []byte(s.hotkey))
	mac.Write(payload)
	sum := mac.Sum(nil)
	return append(sum, sum...), nil // as long as a real one
}

func verify(who subnet.Hotkey, msg, sig []byte) bool {
	want, err := signer{who}.Sign(context.Background(), msg)
	return err == nil && hmac.Equal(want, sig)
}
