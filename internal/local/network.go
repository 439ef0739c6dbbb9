package local

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"adit/internal/journal"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// A Network is a whole network on this machine, in one directory.
type Network struct {
	opts  Options
	dir   string
	plan  *plan
	state state
	rules connito.Rules
	// emit is told of everything that happens, by whom.
	emit func(name string, at time.Time, e subnet.Event)

	mu    sync.Mutex
	procs []*process
	end   context.CancelFunc

	release func()
}

// Open makes a network of the options, or opens the one that is in the
// directory. No other process can open it until it is closed.
func Open(o Options, emit func(name string, at time.Time, e subnet.Event)) (*Network, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	n := &Network{opts: o, dir: dir, emit: emit, rules: connito.Local}
	if n.plan, err = readPlan(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		return nil, err
	}
	if n.release, err = journal.Lock(dir, "up"); err != nil {
		return nil, subnet.WithHint(fmt.Errorf("a network is running in %s", dir), "see it with 'adit status', end it with 'adit down', or choose another --dir")
	}
	if err := n.settle(); err != nil {
		n.release()
		return nil, err
	}
	return n, nil
}

// Close lets others open the network.
func (n *Network) Close() { n.release() }

// settle makes the plan what it is to be now, and the first snapshot of it.
func (n *Network) settle() error {
	if n.plan == nil {
		n.plan = &plan{Version: planVersion, Groups: n.opts.Groups, Seed: n.opts.Seed, Genesis: n.opts.Genesis, BlockTime: n.opts.BlockTime}
		for _, d := range n.opts.Data {
			abs, err := filepath.Abs(d)
			if err != nil {
				return err
			}
			n.plan.Data = append(n.plan.Data, abs)
		}
	} else if n.plan.Groups != n.opts.Groups {
		return subnet.WithHint(fmt.Errorf("the network in %s has %d groups", n.dir, n.plan.Groups), "its model was made for them; choose another --dir for a network with other groups")
	}
	n.plan.extend(n.opts, token)
	n.plan.BlockTime = n.opts.BlockTime
	for _, port := range []*int{&n.plan.ChainPort, &n.plan.HubPort} {
		if err := freePort(port); err != nil {
			return err
		}
	}
	n.state.file = filepath.Join(n.dir, "history.json")
	if err := n.state.recall(); err != nil {
		return err
	}
	n.state.update(func(s *Snapshot) {
		s.Dir, s.Started, s.Rules, s.Stage = n.dir, time.Now(), n.rules.Name, "text"
		s.ChainURL, s.HubURL, s.BlockTime, s.Goal = n.plan.chainURL(), n.plan.hubURL(), n.plan.BlockTime, n.opts.Cycles
		s.FirstCycle = n.plan.FirstCycle
		for _, m := range n.plan.Neurons {
			s.Neurons = append(s.Neurons, Neuron{Name: m.Name, Role: m.Role, UID: -1, Hotkey: m.Hotkey, Group: m.Group, Cheat: m.Cheat,
				Dir: n.plan.neuronDir(n.dir, m), Log: n.plan.logFile(n.dir, m.Name)})
		}
	})
	return n.plan.save(n.dir)
}

// token returns a secret that nobody guesses.
func token() string {
	b := make([]byte, 20)
	rand.Read(b) // never fails
	return "hf_" + hex.EncodeToString(b)
}

// freePort keeps *port if it can be listened on, and replaces it by a free one
// if not.
func freePort(port *int) error {
	for _, try := range []int{*port, 0} {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", try))
		if err != nil {
			continue
		}
		*port = l.Addr().(*net.TCPAddr).Port
		return l.Close()
	}
	return errors.New("no free port on 127.0.0.1")
}

// Snapshot returns what is known of the network.
func (n *Network) Snapshot() Snapshot {
	s := n.state.snapshot()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.procs {
		s.Procs = append(s.Procs, p.snapshot())
	}
	return s
}

// down ends the network, as Ctrl-C does.
func (n *Network) down() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.end != nil {
		n.end()
	}
}

// Run starts the network and keeps it running until ctx is done, or somebody
// says `adit down`, or the cycles that were asked for are over. It returns when
// no process of it is left.
func (n *Network) Run(ctx context.Context) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	n.mu.Lock()
	n.end = end
	n.mu.Unlock()

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return n.serveControl(ctx) })
	group.Go(func() error { // the story, as the package tells it
		defer end()
		return n.story(ctx, group)
	})
	err := group.Wait()
	n.state.update(func(s *Snapshot) { s.Stage = "ended" })
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// story brings the network up, step by step, and watches it.
func (n *Network) story(ctx context.Context, group *errgroup.Group) error {
	if err := n.startServices(ctx, group); err != nil {
		return err
	}
	corpus, err := n.prepareText(ctx)
	if err != nil {
		return err
	}
	// The chain is set up while the first model is trained.
	both, setupCtx := errgroup.WithContext(ctx)
	both.Go(func() error { return n.trainGenesis(setupCtx, corpus) })
	both.Go(func() error { return n.setUpChain(setupCtx) })
	both.Go(func() error { return n.fitBigrams(corpus) })
	if err := both.Wait(); err != nil {
		return err
	}
	if err := n.firstCycle(ctx); err != nil {
		return err
	}
	for _, m := range n.plan.Neurons {
		if err := n.writeConfig(m); err != nil {
			return err
		}
		args := append([]string{m.Role, connito.Protocol.Name, "--path", n.plan.neuronDir(n.dir, m)}, n.settings()...)
		n.start(ctx, group, m.Name, []string{"HF_TOKEN=" + m.Token}, args...)
	}
	n.state.update(func(s *Snapshot) { s.Stage = "running" })
	return n.watch(ctx)
}

// startServices starts the chain node and the hub.
func (n *Network) startServices(ctx context.Context, group *errgroup.Group) error {
	tokens := filepath.Join(n.plan.hubDir(n.dir), "tokens.txt")
	var lines []string
	for _, m := range n.plan.Neurons {
		lines = append(lines, m.Token+" "+m.Name)
	}
	if err := os.MkdirAll(filepath.Dir(tokens), 0o755); err != nil {
		return err
	}
	if err := writeFile(tokens, []byte(strings.Join(lines, "\n")+"\n")); err != nil {
		return err
	}
	n.start(ctx, group, "chain", nil, "chain", "serve", "--dir", n.plan.chainDir(n.dir), "--port", fmt.Sprint(n.plan.ChainPort),
		"--block-time", n.plan.BlockTime.String(), "--allow-loopback-axons")
	n.start(ctx, group, "hub", nil, "hub", "serve", "--dir", n.plan.hubDir(n.dir), "--port", fmt.Sprint(n.plan.HubPort), "--tokens", tokens)
	return nil
}

// start keeps a process of this program running.
func (n *Network) start(ctx context.Context, group *errgroup.Group, name string, env []string, args ...string) {
	p := &process{name: name, args: args, env: env, log: n.plan.logFile(n.dir, name), event: n.event}
	n.mu.Lock()
	n.procs = append(n.procs, p)
	n.mu.Unlock()
	group.Go(func() error { return p.run(ctx) })
}

// event takes in what a process reports.
func (n *Network) event(name string, at time.Time, e subnet.Event) {
	n.state.event(name, at, e)
	n.emit(name, at, e)
}

// progress tells how far a stage has come.
func (n *Network) progress(stage, text string, fraction float64) {
	n.state.update(func(s *Snapshot) { s.Stage, s.Progress = stage, Progress{text, min(fraction, 1)} })
	n.emit("up", time.Now(), subnet.Event{Kind: "progress", Text: stage + ": " + text})
}

// miners and validators of the plan.
func (p *plan) role(role string) []member {
	return slices.DeleteFunc(slices.Clone(p.Neurons), func(m member) bool { return m.Role != role })
}
