package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"adit/internal/exchange"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// A Survival is a run of a network in bad weather.
type Survival struct {
	*Network
	weather *weather
	lots    *rand.Rand // of what a crash leaves of drafts
	mu      sync.Mutex
	// exits are the roles that ended though nobody killed them, and not for want of
	// an endpoint when they began, which they leave to people.
	exits []string
	// tamper, if not nil, changes what a life may touch.
	tamper func(*Neuron, *subnet.Env)
}

// Brave returns a network on which faults will come, before its time has begun.
func Brave(o Options, faults []Fault) (*Survival, error) {
	n, err := New(o)
	if err != nil {
		return nil, err
	}
	s := &Survival{Network: n, weather: &weather{chain: n.Chain, faults: faults, hits: make(map[Kind]int)}, lots: rand.New(rand.NewPCG(o.Seed, 1))}
	for i := range faults {
		if f := &faults[i]; f.Kind == Reorg {
			n.Chain.forks = append(n.Chain.forks, &fork{base: f.From, depth: subnet.Block(f.Op), lots: rand.New(rand.NewPCG(o.Seed, uint64(f.From)))})
			s.weather.hits[Reorg]++
		}
	}
	slices.SortFunc(n.Chain.forks, func(a, b *fork) int { return int(a.base) - int(b.base) })
	for i, v := range n.Neurons {
		v.config.Ckpt.CheckpointInterval = 1
		v.chain.late = func() subnet.Block {
			if f := s.weather.on(i, Late); f != nil {
				return subnet.Block(f.Op)
			}
			return 0
		}
		v.Memory.Fault = func(string, string) error {
			if s.weather.on(i, DiskFull) != nil {
				return errFull
			}
			return nil
		}
		if o.Owner {
			v.config.Cycle.OwnerURL = "http://" + ownerAt.String()
		}
	}
	return s, nil
}

// ownerAt is where the owner's service is, in a network that has one.
var ownerAt = netip.MustParseAddrPort("10.9.9.9:8080")

// Run runs the network until ctx is done. Who is killed, or ends by itself, is
// started again.
func (s *Survival) Run(ctx context.Context) {
	var all sync.WaitGroup
	if s.opts.Owner {
		all.Go(func() { s.own(ctx) })
	}
	for i, v := range s.Neurons {
		all.Go(func() {
			if v.Role != "validate" && v.chain.Wait(ctx, s.opts.Rules.Schedule.Start(1, connito.Distribute)) != nil {
				return
			}
			s.lives(ctx, i, v)
		})
	}
	all.Wait()
}

// own is the owner's service.
func (s *Survival) own(ctx context.Context) {
	role, _ := connito.Protocol.Role("owner")
	var listed []subnet.Hotkey
	for _, v := range s.Neurons {
		if v.Role == "validate" {
			listed = append(listed, v.Hotkey)
		}
	}
	cfg := &connito.OwnerConfig{NetUID: 1, Endpoints: []string{"simulated"}, Rules: s.opts.Rules, At: ownerAt, Whitelist: func() ([]subnet.Hotkey, error) { return listed, nil }}
	env := subnet.Env{NetUID: 1, Config: cfg, Chain: s.Chain.as([32]byte{}), Serve: s.web.serve, Emit: func(subnet.Event) {}}
	if err := role.Run(ctx, env); err != nil {
		s.exited(fmt.Sprintf("owner: %v", err))
	}
}

// lives runs one neuron, life after life.
func (s *Survival) lives(ctx context.Context, i int, v *Neuron) {
	role, _ := connito.Protocol.Role(v.Role)
	spent := make(map[*Fault]bool)
	if at := v.config.Services().Axon; at.IsValid() {
		if err := v.chain.ServeAxon(ctx, at); err != nil {
			return
		}
	}
	for ctx.Err() == nil {
		one, cancel := context.WithCancelCause(ctx)
		began := s.Chain.now()
		l := newLife(i, s.weather, spent, cancel)
		err := role.Run(one, s.env(i, v, l))
		cancel(nil)
		from, off := s.Chain.now(), subnet.Block(1)
		switch {
		case l.alive() && ctx.Err() != nil:
			if err != nil {
				s.exited(fmt.Sprintf("%s: %v", v.Name, err))
			}
			return
		case l.alive() && from > began+4:
			s.exited(fmt.Sprintf("block %d: %s: %v", from, v.Name, err))
		case !l.alive():
			v.Memory.Crash(s.lots)
			off = l.dead.To - l.dead.From
		}
		_ = v.chain.Wait(ctx, from+off)
		s.weather.was(i, from, from+off)
	}
}

func (s *Survival) exited(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exits = append(s.exits, text)
}

// env is what a life may touch.
func (s *Survival) env(i int, v *Neuron, l *life) subnet.Env {
	env := s.services(v)
	env.Signer = mortalSigner{env.Signer, l}
	env.Chain = roughChain{v.chain, l}
	env.Dir = mortalDir{v.Memory, l}
	env.Journal = mortalJournal{v.Memory, l}
	env.Open = func(url string) (subnet.Store, error) {
		repo := url[len("hf://"):]
		name, _, _ := strings.Cut(repo, "/")
		store, err := exchange.Open("mem:"+repo, exchange.Options{Mem: &s.hub})
		return roughStore{store, s.index(name), l}, err
	}
	env.HTTP = &http.Client{Transport: roughWeb{&s.web, l, s.whose}}
	env.Emit = func(e subnet.Event) {
		if l.alive() {
			e.Block = s.Chain.now()
			v.emit(e)
		}
	}
	if v.Forger != "" {
		forge(&env, v.Forger)
	}
	if s.tamper != nil {
		s.tamper(v, &env)
	}
	return env
}

func (s *Survival) index(name string) int {
	return slices.IndexFunc(s.Neurons, func(v *Neuron) bool { return v.Name == name })
}

// whose returns who serves at an address.
func (s *Survival) whose(host string) (int, bool) {
	return slices.IndexFunc(s.Neurons, func(v *Neuron) bool {
		at := v.config.Services().Axon
		return at.IsValid() && at.String() == host
	}), host == ownerAt.String()
}
