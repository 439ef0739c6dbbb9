package templar

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A neuron is what the roles have in common: the services, the settings, the
// generation of the network, the neuron's own bucket, and who else there is.
type neuron struct {
	actor.Actor
	cfg   *Config
	rules Rules
	// keys are those of the own bucket, and own is that, to write to.
	keys Keys
	own  subnet.Bucket

	mu     sync.Mutex
	opened map[subnet.BucketAddress]subnet.Bucket // others', to read from
	slow   map[subnet.Hotkey]float64              // seconds that the last download took
	off    time.Duration                          // by which the machine's clock is ahead of the chain's
}

func newNeuron(env subnet.Env) (*neuron, error) {
	cfg, ok := env.Config.(*Config)
	if !ok {
		return nil, fmt.Errorf("settings are of type %T, want those of templar", env.Config)
	}
	rules, err := cfg.ruleset()
	if err != nil {
		return nil, err
	}
	if env.Chain != nil { // what only explains may have none
		env.Chain = actor.Sober(env.Chain, env.Emit)
	}
	n := &neuron{Actor: actor.New(env), cfg: cfg, rules: rules, opened: make(map[subnet.BucketAddress]subnet.Bucket), slow: make(map[subnet.Hotkey]float64)}
	if n.keys, err = cfg.keys(rules, env.Secret); err != nil {
		return nil, err
	}
	if n.own, err = env.Bucket(cfg.placed(rules.Address(n.keys, true))); err != nil {
		return nil, fmt.Errorf("bucket %s: %w", n.keys.Bucket, err)
	}
	return n, nil
}

// window returns the window of the head, and the head.
func (n *neuron) window(ctx context.Context) (Window, subnet.Block, error) {
	head, err := n.Chain.Head(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("read head: %w", err)
	}
	return n.rules.Window(head), head, nil
}

// waitWindow waits until a window has begun.
func (n *neuron) waitWindow(ctx context.Context, w Window) error {
	if err := n.Chain.Wait(ctx, n.rules.Start(w)); err != nil {
		return fmt.Errorf("wait for window %d: %w", w, err)
	}
	return nil
}

// within returns a context that ends with a window.
func (n *neuron) within(ctx context.Context, w Window) (context.Context, context.CancelFunc) {
	return actor.Until(ctx, n.Chain, n.rules.Start(w+1))
}

// bucket returns the bucket at an address, which is opened once.
func (n *neuron) bucket(at subnet.BucketAddress) (subnet.Bucket, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if b, ok := n.opened[at]; ok {
		return b, nil
	}
	b, err := n.Bucket(at)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", at, err)
	}
	n.opened[at] = b
	return b, nil
}

// forget closes what belongs to buckets that nobody has any more.
func (n *neuron) forget(keep map[subnet.BucketAddress]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for at := range n.opened {
		if !keep[at] {
			delete(n.opened, at)
		}
	}
}

// errUnregistered is why a neuron has nobody to work for.
var errUnregistered = errors.New("the hotkey is not registered")

func (n *neuron) unregistered() error {
	return subnet.WithHint(fmt.Errorf("%w in subnet %d: %s", errUnregistered, n.NetUID, n.Me),
		fmt.Sprintf("run 'adit subnets register --netuid %d' with its wallet", n.NetUID))
}

func isUnregistered(err error) bool { return errors.Is(err, errUnregistered) }
