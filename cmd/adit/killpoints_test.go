package main

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"adit/internal/protocol"
	"adit/internal/subnet"
)

// killAt in the environment is a directory in which a test arms the points at which
// a neuron of the test binary dies. A point is the moment before or after an entry
// of the neuron's journal, an act that cannot be taken back, or a file of a round:
// see [points]. The program itself knows nothing of all this: its services are
// wrapped on their way into a role.
const killAt = "ADIT_TEST_KILL_AT"

// armedFile lists the points at which to die, a line each; passedFile gets those
// that were passed, and at which the neuron died.
const (
	armedFile  = "armed"
	passedFile = "passed"
	diedAt     = "died "
)

// mortal has every role of every protocol die where a test wants it.
func mortal() {
	dir := os.Getenv(killAt)
	if dir == "" {
		return
	}
	all := slices.Clone(protocol.All)
	for i := range all {
		all[i].Roles = slices.Clone(all[i].Roles)
		for j := range all[i].Roles {
			run := all[i].Roles[j].Run
			all[i].Roles[j].Run = func(ctx context.Context, env subnet.Env) error {
				return run(ctx, (&points{dir: dir}).wrap(env))
			}
		}
	}
	protocol.All = all
}

// Points are where a neuron may die. They are named after what the neuron does
// there, without the number of the cycle: "MinerCommit1/commit1 intend, before".
type points struct {
	dir string
	mu  sync.Mutex
	act string // the key that was intended last, which is what is sent to the chain
}

func (p *points) wrap(env subnet.Env) subnet.Env {
	open, client := env.Open, *env.HTTP
	env.Journal = mortalJournal{env.Journal, p}
	env.Chain = mortalChain{env.Chain, p}
	env.Dir = mortalDir{env.Dir, p}
	env.Open = func(url string) (subnet.Store, error) {
		s, err := open(url)
		return mortalStore{s, p}, err
	}
	client.Transport = mortalTransport{env.HTTP.Transport, p}
	env.HTTP = &client
	return env
}

// around passes the points before and after something.
func (p *points) around(name string, do func()) {
	p.at(name + ", before")
	do()
	p.at(name + ", after")
}

// at is a point: here the neuron dies if it is to, with nothing between this and
// the next instruction but what else the process is doing.
func (p *points) at(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	armed, err := os.ReadFile(filepath.Join(p.dir, armedFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		panic(err)
	}
	lines := strings.Split(string(armed), "\n")
	if i := slices.Index(lines, name); i >= 0 {
		if err := os.WriteFile(filepath.Join(p.dir, armedFile), []byte(strings.Join(slices.Delete(lines, i, i+1), "\n")), 0o644); err != nil {
			panic(err)
		}
		p.note(diedAt + name)
		me, err := os.FindProcess(os.Getpid())
		if err != nil {
			panic(err)
		}
		_ = me.Kill()
		select {}
	}
	p.note(name)
}

func (p *points) note(line string) {
	f, err := os.OpenFile(filepath.Join(p.dir, passedFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.WriteString(line + "\n"); err != nil {
		panic(err)
	}
}

// ofCycle is what a key or a file's name says of its cycle.
var ofCycle = regexp.MustCompile(`^(of-\d+/)?cycle/\d+/`)

type mortalJournal struct {
	subnet.Journal
	*points
}

func (j mortalJournal) Intend(key, payload string) (standing string, err error) {
	name := ofCycle.ReplaceAllString(key, "")
	j.mu.Lock()
	j.act = name
	j.mu.Unlock()
	j.around(name+" intend", func() { standing, err = j.Journal.Intend(key, payload) })
	return standing, err
}

func (j mortalJournal) Done(key, result string) (err error) {
	j.around(ofCycle.ReplaceAllString(key, "")+" done", func() { err = j.Journal.Done(key, result) })
	return err
}

type mortalChain struct {
	subnet.Chain
	*points
}

func (c mortalChain) sending() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.act == "" {
		return "introduction"
	}
	return c.act
}

func (c mortalChain) Commit(ctx context.Context, fields ...string) (b subnet.Block, err error) {
	c.around(c.sending()+" sent", func() { b, err = c.Chain.Commit(ctx, fields...) })
	return b, err
}

func (c mortalChain) SetWeights(ctx context.Context, w []subnet.Weight) (b subnet.Block, err error) {
	c.around("weights sent", func() { b, err = c.Chain.SetWeights(ctx, w) })
	return b, err
}

type mortalStore struct {
	subnet.Store
	*points
}

func (s mortalStore) Stage(ctx context.Context, path string, f subnet.File) (err error) {
	s.around("upload", func() { err = s.Store.Stage(ctx, path, f) })
	return err
}

func (s mortalStore) Publish(ctx context.Context, message string) (revision string, err error) {
	s.around("made public", func() { revision, err = s.Store.Publish(ctx, message) })
	return revision, err
}

type mortalTransport struct {
	http.RoundTripper
	*points
}

func (t mortalTransport) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	if r.Method != http.MethodPost {
		return t.RoundTripper.RoundTrip(r)
	}
	t.around("posted "+r.URL.Path, func() { answer, err = t.RoundTripper.RoundTrip(r) })
	return answer, err
}

// A mortalDir has points around the files that a validator keeps of its rounds.
type mortalDir struct {
	subnet.Dir
	*points
}

var (
	ofRound   = regexp.MustCompile(`^(score_aggregator\.json|cohort_state\.json|(\.tmp_)?globalver_\d+/.*|rounds/\d+\.json)$`)
	anyNumber = regexp.MustCompile(`\d+`)
)

func (d mortalDir) Create(name string) (subnet.Draft, error) {
	draft, err := d.Dir.Create(name)
	if err == nil && ofRound.MatchString(name) {
		draft = mortalDraft{draft, d.points, "file " + anyNumber.ReplaceAllString(name, "N")}
	}
	return draft, err
}

type mortalDraft struct {
	subnet.Draft
	points *points
	name   string
}

func (d mortalDraft) Commit() (err error) {
	d.points.around(d.name, func() { err = d.Draft.Commit() })
	return err
}
