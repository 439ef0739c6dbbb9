package local

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"adit/internal/journal"
	"adit/internal/subnet"
)

// A Network is a whole network on this machine, in one directory.
type Network struct {
	opts   Options
	dir    string
	plan   *plan
	state  state
	recipe recipe
	// emit is told of everything that happens, by whom.
	emit func(name string, at time.Time, e subnet.Event)

	mu    sync.Mutex
	procs []*process
	end   context.CancelFunc
	// What progress was told last, and when.
	told   string
	toldAt time.Time
	// measured is when the model was saved that was measured last.
	measured time.Time

	release func()
}

// Open makes a network of the options, or opens the one that is in the
// directory. No other process can open it until it is closed. If it fails, what
// the directory holds is as it was.
func Open(o Options, emit func(name string, at time.Time, e subnet.Event)) (*Network, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if _, err := socketPath(dir); err != nil {
		return nil, err
	}
	before, err := readPlan(dir)
	if err != nil {
		return nil, err
	}
	if before == nil {
		// Text that is not there is found out before anything is made.
		if _, err := sources(o.Data, o.Groups); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		return nil, subnet.WithHint(fmt.Errorf("make the network's directory: %w", err), "choose another --dir")
	}
	n := &Network{opts: o, dir: dir, emit: emit}
	if n.release, err = journal.Lock(dir, "up"); err != nil {
		return nil, inUse(dir, err)
	}
	// Now that nobody else can change it.
	if n.plan, err = readPlan(dir); err == nil {
		err = n.settle()
	}
	if err != nil {
		n.release()
		return nil, err
	}
	return n, nil
}

// inUse says why a directory could not be locked.
func inUse(dir string, err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, statusErr := Status(ctx, dir); statusErr != nil {
		return fmt.Errorf("open the network in %s: %w", dir, err) // the lock's own advice names the process
	}
	return subnet.WithHint(fmt.Errorf("a network is running in %s", dir), "see it with 'adit status', end it with 'adit down', or choose another --dir")
}

// Close lets others open the network.
func (n *Network) Close() { n.release() }

// settle makes the plan what it is to be now, and the first snapshot of it.
func (n *Network) settle() error {
	given, err := absolute(n.opts.Data)
	if err != nil {
		return err
	}
	switch {
	case n.plan == nil:
		n.plan = &plan{Version: planVersion, Protocol: protocolName(n.opts.Protocol), Rules: n.opts.Rules, Groups: n.opts.Groups, Seed: n.opts.Seed, Genesis: n.opts.Genesis, Data: given}
	case protocolName(n.opts.Protocol) != n.plan.Protocol:
		return subnet.WithHint(fmt.Errorf("the network in %s is one of %s, not of %s", n.dir, cmp.Or(n.plan.Protocol, Protocols[0]), cmp.Or(n.opts.Protocol, Protocols[0])),
			"choose another --dir for a network of another protocol")
	case n.opts.Rules != n.plan.Rules && n.opts.Rules != "":
		lives, err := recipeOf(n.plan.Protocol, n.plan.Rules)
		if err != nil {
			return err
		}
		return subnet.WithHint(fmt.Errorf("the network in %s lives by the rules %s, not %s", n.dir, cmp.Or(n.plan.Rules, lives.ruleName()), n.opts.Rules),
			"its neurons' settings were made for them: choose another --dir for a network with other rules")
	case n.opts.Groups != n.plan.Groups:
		return subnet.WithHint(fmt.Errorf("the network in %s has --groups %d, not %d", n.dir, n.plan.Groups, n.opts.Groups),
			"its model was made for them: choose another --dir for a network with other groups")
	case len(given) > 0 && !slices.Equal(given, n.plan.Data):
		if n.hasGenesis() {
			return subnet.WithHint(fmt.Errorf("the network in %s was made with other text than this --data", n.dir),
				"leave --data out to go on with the text that it has, or choose another --dir")
		}
		n.plan.Data = given // nothing was made of the other
	}
	if n.recipe, err = recipeOf(n.plan.Protocol, n.plan.Rules); err != nil {
		return err
	}
	n.recipe.extend(n.plan, n.opts, token)
	n.plan.BlockTime = n.opts.BlockTime
	for _, port := range append([]*int{&n.plan.ChainPort}, n.recipe.ports(n.plan)...) {
		if err := freePort(port); err != nil {
			return err
		}
	}
	n.state.file = filepath.Join(n.dir, "history.json")
	if err := n.state.recall(); err != nil {
		return err
	}
	n.state.update(func(s *Snapshot) {
		s.Dir, s.Started, s.Rules, s.Stage = n.dir, time.Now(), n.recipe.ruleName(), "text"
		s.Protocol, s.S3URL, s.PagesURL = cmp.Or(n.plan.Protocol, Protocols[0]), n.plan.s3URL(), n.plan.pagesURL()
		s.ChainURL, s.HubURL, s.BlockTime, s.Goal = n.plan.chainURL(), n.plan.hubURL(), n.plan.BlockTime, n.opts.Cycles
		s.NetUID, s.FirstCycle = n.plan.NetUID, n.plan.FirstCycle
		for _, m := range n.plan.Neurons {
			s.Neurons = append(s.Neurons, Neuron{Name: m.Name, Role: m.Role, UID: -1, Hotkey: m.Hotkey, Group: m.Group, Cheat: m.Cheat,
				Dir: n.plan.neuronDir(n.dir, m), Log: n.plan.logFile(n.dir, m.Name)})
		}
	})
	return n.plan.save(n.dir)
}

// protocolName is how the plan has the name of a protocol.
func protocolName(name string) string {
	if name == Protocols[0] {
		return ""
	}
	return name
}

func absolute(paths []string) ([]string, error) {
	var all []string
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		all = append(all, abs)
	}
	return all, nil
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
// no process of it is left. An error is also in the snapshot, from the moment it
// ends the network.
func (n *Network) Run(ctx context.Context) error {
	asked, end := context.WithCancel(ctx)
	defer end()
	n.mu.Lock()
	n.end = end
	n.mu.Unlock()

	control, err := n.listenControl()
	if err != nil {
		return n.ended(err)
	}
	// It answers until all else has ended: so `adit status` can say that, and
	// `adit down` wait for it.
	served := make(chan error, 1)
	go func() { defer end(); served <- control.serve() }()

	places := []slog.Attr{slog.String("dir", n.dir), slog.String("chain", n.plan.chainURL())}
	for _, s := range []struct{ name, url string }{{"hub", n.plan.hubURL()}, {"s3", n.plan.s3URL()}, {"pages", n.plan.pagesURL()}} {
		if s.url != "" {
			places = append(places, slog.String(s.name, s.url))
		}
	}
	n.emit("up", time.Now(), subnet.Event{Kind: "places", Text: "starting a network", Attrs: append(places, slog.String("logs", filepath.Join(n.dir, "logs")))})
	group, ctx := errgroup.WithContext(asked)
	group.Go(func() error { // the story, as the package tells it
		defer end()
		err := n.story(ctx, group)
		if asked.Err() != nil {
			return nil // asked to end: what broke off by that is no failure
		}
		return err
	})
	group.Go(func() error {
		<-ctx.Done()
		n.state.update(func(s *Snapshot) { s.Stage = stageEnding })
		return nil
	})
	err = n.ended(group.Wait())
	control.close()
	return cmp.Or(err, <-served)
}

// ended notes how the network ended.
func (n *Network) ended(err error) error {
	n.state.update(func(s *Snapshot) {
		s.Stage = stageEnded
		if err != nil {
			s.Error, s.Hint = err.Error(), subnet.Hint(err)
		}
	})
	return err
}

// enter notes that a stage has begun.
func (n *Network) enter(stage string, p Progress) {
	n.state.update(func(s *Snapshot) {
		if s.Stage != stageEnding { // which none follows but the end
			s.Stage, s.Progress = stage, p
		}
	})
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
	both.Go(func() error { return n.recipe.genesis(setupCtx, n, corpus) })
	both.Go(func() error { return persistently(setupCtx, n.setUpChain) })
	both.Go(func() error { return n.fitBigrams(setupCtx, corpus) })
	if err := both.Wait(); err != nil {
		return err
	}
	if err := persistently(ctx, n.begin); err != nil {
		return err
	}
	for _, p := range n.recipe.textServices(n) {
		n.start(ctx, group, p)
	}
	if err := n.listening(ctx, n.plan.PagesPort); err != nil {
		return err
	}
	for _, m := range n.plan.Neurons {
		if err := n.recipe.writeConfig(n, m); err != nil {
			return err
		}
	}
	n.startNeurons(ctx, group, n.plan.FirstCycle)
	n.enter(stageRunning, Progress{})
	return n.watch(ctx, group, corpus)
}

// listening waits until a service has its port, if there is one. A service that cannot
// live ends the network by itself.
func (n *Network) listening(ctx context.Context, port int) error {
	for port != 0 {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// startNeurons starts those neurons that do not run yet and are to take part in a
// round.
func (n *Network) startNeurons(ctx context.Context, group *errgroup.Group, round uint64) {
	for _, m := range n.plan.Neurons {
		if round < n.plan.FirstCycle+m.Join || n.started(m.Name) {
			continue
		}
		args := []string{m.Role, cmp.Or(n.plan.Protocol, Protocols[0]), "--path", n.plan.neuronDir(n.dir, m)}
		for _, s := range n.recipe.settings(n.plan, m) {
			args = append(args, "--set", s)
		}
		n.start(ctx, group, &process{name: m.Name, env: n.recipe.secrets(n.plan, m), args: args, vital: m.Role == "validate"})
	}
}

// started reports whether a process was started, whatever became of it since.
func (n *Network) started(name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.procs, func(p *process) bool { return p.name == name })
}

// startServices starts the chain node and what else the protocol needs.
func (n *Network) startServices(ctx context.Context, group *errgroup.Group) error {
	services, err := n.recipe.services(n)
	if err != nil {
		return err
	}
	n.start(ctx, group, &process{name: "chain", vital: true, args: []string{"chain", "serve", "--dir", n.plan.chainDir(n.dir),
		"--port", fmt.Sprint(n.plan.ChainPort), "--block-time", n.plan.BlockTime.String(), "--allow-loopback-axons"}})
	for _, p := range services {
		n.start(ctx, group, p)
	}
	return nil
}

// start keeps a process of this program running.
func (n *Network) start(ctx context.Context, group *errgroup.Group, p *process) {
	p.pace, p.log, p.event = usual, n.plan.logFile(n.dir, p.name), n.event
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

// tellEvery is how often a stage's progress is told; the snapshot always has it.
const tellEvery = 2 * time.Second

// progress tells how far a stage has come.
func (n *Network) progress(stage, what, detail string, fraction float64) {
	p := Progress{what, min(fraction, 1)}
	if detail != "" {
		p.Text += " " + detail
	}
	n.enter(stage, p)
	n.mu.Lock()
	tell := n.told != what || time.Since(n.toldAt) >= tellEvery
	if tell {
		n.told, n.toldAt = what, time.Now()
	}
	n.mu.Unlock()
	if tell {
		n.emit("up", time.Now(), subnet.Event{Kind: "progress", Text: stage + ": " + p.Text})
	}
}

// miners and validators of the plan.
func (p *plan) role(role string) []member {
	return slices.DeleteFunc(slices.Clone(p.Neurons), func(m member) bool { return m.Role != role })
}
