package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"adit/internal/data"
	"adit/internal/engine/model"
	"adit/internal/exchange"
	"adit/internal/journal"
	"adit/internal/keys"
	"adit/internal/node"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/wallet"
)

// Options say what is looked at.
type Options struct {
	Protocol subnet.Protocol
	Path     string   // the run's directory, or its config.yaml; "" for the customary one
	Root     string   // of the runs, "" for the customary one
	Set      []string // settings that replace the file's, as key=value
	Role     string   // that it is to play: see [subnet.Role]; "" for what its settings are for
	Version  string   // of the program
}

// A patient is what the checks have learned so far. A field is set by one check,
// and read by those that need it.
type patient struct {
	o         Options
	role      subnet.Role
	validates bool

	settings node.Settings // by settings file
	invalid  error         // what is wrong with the values
	services subnet.Services
	dir      *journal.Dir // by run's directory

	wallet  *wallet.Wallet // by wallet
	coldkey subtensor.Account
	hotkey  subtensor.Account
	me      subnet.Hotkey

	client *subtensor.Client // by chain
	chain  subnet.Chain
	stamp  time.Time // of the head when the connection was made
	seen   time.Time // by this machine's clock
	block  time.Duration
	meta   *subnet.Metagraph // by subnet
	neuron subnet.Neuron     // by registered

	hub    hubAnswer    // by hub
	web    *http.Client // for the hub, follows redirects as it does
	ask    *http.Client // for others, follows none
	base   model.Config // by model
	corpus *data.Corpus // by text

	groups grouped // by expert groups: nil if the protocol has none
}

// A grouped is a [subnet.Config] whose neurons train a part of a model each.
type grouped interface {
	// ExpertGroups returns the experts of each group, by its number.
	ExpertGroups() map[int]subnet.Experts
	// Owns says whether a parameter is trained by a group.
	Owns(group int, param string) bool
	// Kept is how many checkpoints, and how many baselines, are kept.
	Kept() int
}

// Run looks at a neuron, whose role the protocol must have. It returns an error only
// if there is nothing to look at.
func Run(ctx context.Context, o Options) (Report, error) {
	if o.Role == "" {
		o.Role = roleOf(o)
	}
	role, ok := o.Protocol.Role(o.Role)
	if !ok {
		return Report{}, fmt.Errorf("protocol %s has no role %q", o.Protocol.Name, o.Role)
	}
	p := &patient{o: o, role: role, validates: o.Role == "validate", web: &http.Client{}}
	p.ask = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	// Transports of its own, whose connections end with the checks.
	for _, c := range []*http.Client{p.web, p.ask} {
		t := http.DefaultTransport.(*http.Transport).Clone()
		c.Transport = t
		defer t.CloseIdleConnections()
	}
	defer func() {
		if p.client != nil {
			p.client.Close()
		}
	}()
	return summed(run(ctx, p.checks())), nil
}

// A cast is a [subnet.Config] that knows for which role it was written.
type cast interface{ RoleName() string }

// roleOf returns the role that the settings are for, a miner's if nobody says.
func roleOf(o Options) string {
	s, _ := node.ReadSettings(node.Options{Protocol: o.Protocol, Path: o.Path, Root: o.Root, Set: o.Set}, "") // what is wrong is found again
	if c, ok := s.Config.(cast); ok {
		return c.RoleName()
	}
	return "mine"
}

// checks returns all checks, in the order in which they are shown.
func (p *patient) checks() []Check {
	all := slices.Concat(p.ofSettings(), p.ofWallet(), p.ofMachine(), p.ofChain(), p.ofNeuron(), p.ofHub(), p.ofClock(), p.ofModel(), p.ofAxon())
	for _, c := range p.o.Protocol.Checks {
		if c.Role != "" && (c.Role == "validate") != p.validates {
			continue
		}
		check := Check{Topic: p.o.Protocol.Name, Name: c.Name, Needs: c.Needs}
		needs := closure(all, c.Needs)
		check.Run = func(ctx context.Context) subnet.Finding { return c.Run(ctx, p.env(needs)) }
		all = append(all, check)
	}
	return all
}

// closure returns the names of all checks that have ended well when those named
// have.
func closure(all []Check, names []string) map[string]bool {
	needs := make(map[string]bool)
	for _, name := range names {
		needs[name] = true
	}
	for _, c := range slices.Backward(all) { // needs come before
		if needs[c.Name] {
			for _, name := range c.Needs {
				needs[name] = true
			}
		}
	}
	return needs
}

// env is what a check of a protocol may look at: what the checks that it needs have
// found.
func (p *patient) env(needs map[string]bool) subnet.Env {
	env := subnet.Env{HTTP: p.ask, Secret: os.Getenv, Emit: func(subnet.Event) {}, Verify: verify}
	if needs[subnet.NeedSettings] {
		env.NetUID, env.Config = p.services.NetUID, p.settings.Config
		env.Bucket = node.Buckets()
		env.Open = func(url string) (subnet.Store, error) {
			return exchange.Open(url, exchange.Options{HubEndpoint: p.services.Hub, Token: os.Getenv(p.services.HubToken)})
		}
	}
	if needs[subnet.NeedChain] {
		env.Chain = p.chain
	}
	if needs[subnet.NeedHotkey] {
		env.Signer = watcher(p.me)
	}
	if needs[subnet.NeedDirectory] && p.dir != nil {
		env.Dir = p.dir
	}
	return env
}

// A watcher is a hotkey that signs nothing.
type watcher subnet.Hotkey

func (w watcher) Hotkey() subnet.Hotkey { return subnet.Hotkey(w) }

func (w watcher) Sign(context.Context, []byte) ([]byte, error) {
	return nil, errors.New("nothing is signed here")
}

func verify(who subnet.Hotkey, msg, sig []byte) bool {
	pub, err := keys.ParseAddress(string(who))
	return err == nil && keys.VerifyWrapped(pub, msg, sig)
}
