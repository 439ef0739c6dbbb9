package sim

import (
	"context"
	"fmt"
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
	*ordeal
	// tamper, if not nil, changes what a life may touch.
	tamper func(*Neuron, *subnet.Env)
}

// Brave returns a network on which faults will come, before its time has begun.
func Brave(o Options, faults []Fault) (*Survival, error) {
	n, err := New(o)
	if err != nil {
		return nil, err
	}
	s := &Survival{Network: n, ordeal: newOrdeal(n.Chain, o.Seed, faults)}
	for i, v := range n.Neurons {
		v.config.Ckpt.CheckpointInterval = 1
		s.expose(i, v)
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
			s.live(ctx, i, v)
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

// live runs one neuron, life after life.
func (s *Survival) live(ctx context.Context, i int, v *Neuron) {
	role, _ := connito.Protocol.Role(v.Role)
	if at := v.config.Services().Axon; at.IsValid() {
		if err := v.chain.ServeAxon(ctx, at); err != nil {
			return
		}
	}
	s.lives(ctx, i, v, func(ctx context.Context, l *life) error { return role.Run(ctx, s.env(i, v, l)) })
}

// env is what a life may touch.
func (s *Survival) env(i int, v *Neuron, l *life) subnet.Env {
	env := s.endured(s.services(v), v, l)
	env.Open = func(url string) (subnet.Store, error) {
		repo := url[len("hf://"):]
		name, _, _ := strings.Cut(repo, "/")
		store, err := exchange.Open("mem:"+repo, exchange.Options{Mem: &s.hub})
		return roughStore{store, s.index(name), l}, err
	}
	env.HTTP = &http.Client{Transport: roughWeb{&s.web, l, s.whose}}
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
