package connito

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A timedChain has a block every twelve seconds of virtual time.
type timedChain struct {
	subnet.Chain
	genesis time.Time
}

func (c timedChain) Head(context.Context) (subnet.Block, error) {
	return subnet.Block(time.Since(c.genesis) / blockTime), nil
}

func (c timedChain) Commitments(context.Context, subnet.Block) ([]subnet.Commitment, error) {
	return nil, nil
}

func (c timedChain) Wait(ctx context.Context, b subnet.Block) error {
	if actor.Pause(ctx, time.Until(c.genesis.Add(time.Duration(b)*blockTime))) != nil {
		return ctx.Err()
	}
	return nil
}

const blockTime = blockSeconds * time.Second

// A roundTripper answers requests with a handler, without a network. A panic of
// the handler is a connection that broke.
type roundTripper struct{ h http.Handler }

func (t roundTripper) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	done := make(chan struct{})
	w := httptest.NewRecorder()
	go func() {
		defer close(done)
		defer func() {
			if recover() != nil {
				err = errors.New("connection reset")
			}
		}()
		t.h.ServeHTTP(w, r)
	}()
	select {
	case <-done:
		if err != nil {
			return nil, err
		}
		return w.Result(), nil
	case <-r.Context().Done():
		<-done
		return nil, r.Context().Err()
	}
}

// A folder is a neuron's directory in memory.
type folder struct {
	subnet.Dir
	mu    sync.Mutex
	files map[string]string
}

type folderFile struct {
	*strings.Reader
	name string
}

func (f folderFile) Name() string { return f.name }
func (f folderFile) Close() error { return nil }

type folderDraft struct {
	subnet.Draft
	d    *folder
	name string
	text strings.Builder
}

func (w *folderDraft) Write(b []byte) (int, error) { return w.text.Write(b) }
func (w *folderDraft) Close() error                { return nil }
func (w *folderDraft) Commit() error {
	w.d.put(w.name, w.text.String())
	return nil
}

func (d *folder) Open(name string) (subnet.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	text, ok := d.files[name]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", name, subnet.ErrNotFound)
	}
	return folderFile{strings.NewReader(text), name}, nil
}

func (d *folder) Create(name string) (subnet.Draft, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	return &folderDraft{d: d, name: name}, nil
}

func (d *folder) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, name)
	return nil
}

func (d *folder) put(name, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files == nil {
		d.files = make(map[string]string)
	}
	d.files[name] = text
}

func (d *folder) get(name string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.files[name]
}

type hotkeySigner struct{ subnet.Signer }

func (hotkeySigner) Hotkey() subnet.Hotkey { return "me" }

// A played is one run of the rounds that a follower played.
type played struct {
	From, To  subnet.Block
	Cycle     subnet.Block // its length
	Whitelist []string
	Group     int
	Key       string // under which the journal has "x"
}

// A followTest is a neuron that follows an owner's service in virtual time.
type followTest struct {
	t       *testing.T
	cfg     *Config
	dir     *folder
	chain   timedChain
	handler http.Handler

	mu     sync.Mutex
	runs   []played
	events []subnet.Event
	keys   []string
}

type keyJournal struct{ f *followTest }

func (j keyJournal) Intend(key, _ string) (string, error) {
	j.f.keys = append(j.f.keys, key)
	return "", nil
}
func (j keyJournal) Done(string, string) error        { return nil }
func (j keyJournal) Result(key string) (string, bool) { return key, true }

func newFollow(t *testing.T, rules Rules, at subnet.Block, h http.Handler) *followTest {
	c := Defaults(rules.Name, RoleMiner)
	c.Rules = rules.Name
	c.Cycle.OwnerURL = "http://owner/"
	c.Task.Groups = []Group{{ID: 1, Assignment: Assignment{1: {{0, 1}}}}}
	return &followTest{t: t, cfg: c, dir: &folder{}, handler: h, chain: timedChain{genesis: time.Now().Add(-time.Duration(at) * blockTime)}}
}

// run follows for so many blocks.
func (f *followTest) run(how follow, blocks int) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	env := subnet.Env{
		Config: f.cfg, Signer: hotkeySigner{}, Chain: f.chain, Dir: f.dir, Journal: keyJournal{f},
		HTTP: &http.Client{Transport: roundTripper{f.handler}},
		Emit: func(e subnet.Event) { f.mu.Lock(); defer f.mu.Unlock(); f.events = append(f.events, e) },
	}
	over := make(chan error)
	go func() {
		over <- followed(ctx, env, how, func(ctx context.Context, env subnet.Env) error {
			n, err := newNeuron(env)
			if err != nil {
				return err
			}
			from, _ := n.Chain.Head(ctx)
			key, _ := n.Journal.Result("x")
			<-ctx.Done()
			to, _ := n.Chain.Head(context.WithoutCancel(ctx))
			f.mu.Lock()
			defer f.mu.Unlock()
			f.runs = append(f.runs, played{from, to, n.rules.Schedule.Cycle(), n.cfg.Cycle.ValidatorWhitelist, n.cfg.Task.Groups[0].ID, key})
			return nil
		})
	}()
	time.Sleep(time.Duration(blocks) * blockTime)
	cancel()
	if err := <-over; err != nil {
		f.t.Error(err)
	}
}

// said returns the events of a kind that people see, with an attribute of each.
func (f *followTest) said(kind, attr string) (list []string) {
	for _, e := range f.events {
		if e.Kind != kind || e.Level < slog.LevelInfo {
			continue
		}
		value := ""
		for _, a := range e.Attrs {
			if a.Key == attr {
				value = a.Value.String()
			}
		}
		list = append(list, e.Text+": "+value)
	}
	return list
}

// owner is an owner's service over the test's chain.
func (f *followTest) owner(cfg *OwnerConfig) http.Handler {
	return &ownerService{subnet.Env{Chain: f.chain, Emit: func(subnet.Event) {}}, cfg}
}

func lengths(t *testing.T, r Rules, blocks ...uint64) Rules {
	t.Helper()
	r, err := r.WithLengths(blocks)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func names(list []subnet.Hotkey) (s []string) {
	for _, h := range list {
		s = append(s, string(h))
	}
	return s
}

// TestFollowTable begins under the table that the service tells, keeps to it when
// the service is gone, takes a new one over at the end of the cycle it comes in,
// and goes on the same after a restart in between.
func TestFollowTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := lengths(t, G3, 20, 300, 10, 10, 80, 10, 50, 10, 14), lengths(t, G3, 20, 300, 10, 10, 80, 10, 50, 10, 30)
		list := listedHotkeys(3)
		cfg := &OwnerConfig{Rules: first, Whitelist: func() ([]subnet.Hotkey, error) { return list, nil }}
		f := newFollow(t, G3, 504*20+100, nil)
		var mu sync.Mutex
		down := false
		service := f.owner(cfg)
		f.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if down {
				panic("down")
			}
			service.ServeHTTP(w, r)
		})
		set := func(change func()) { mu.Lock(); defer mu.Unlock(); change() }

		f.run(follow{keeper: true}, 10) // from block 10180 to 10190: cycle 20 of 504
		want := []played{{10180, 10190, 504, names(list), 1, "of-504/x"}}
		if diff := cmp.Diff(want, f.runs); diff != "" {
			t.Fatal(diff)
		}
		if got := f.cfg.Moment(10180); got.Round != 20 || got.Start != 10100 || got.End != 10399 {
			t.Errorf("watched: %+v", got)
		}

		// It changes while the neuron is away: what is in progress stays.
		set(func() { cfg.Rules = second; list = list[:2] })
		f.run(follow{keeper: true}, 10)
		set(func() { down = true })
		f.run(follow{keeper: true}, 500) // block 10200 to 10700; the cycle ended at 10584
		want = append(want,
			played{10190, 10200, 504, names(listedHotkeys(3)), 1, "of-504/x"},
			played{10200, 10585, 504, names(listedHotkeys(3)), 1, "of-504/x"},
			played{10585, 10700, 520, names(listedHotkeys(2)), 1, "of-520/x"})
		if diff := cmp.Diff(want, f.runs); diff != "" {
			t.Error(diff)
		}
		if got := f.said("phases", "from"); len(got) != 2 || got[1] != "the owner's phase table is another than ours: 10584" {
			t.Errorf("told of the tables: %q", got)
		}
		if got := f.said("owner", "error"); len(got) != 3 || !strings.Contains(got[0], "request failed after retries: /: ") {
			t.Errorf("told of the service: %q", got)
		}
		if got := f.said("whitelist", "went"); len(got) != 2 || !strings.Contains(got[1], names(listedHotkeys(3))[2]) {
			t.Errorf("told of the list: %q", got)
		}

		// Back at the generation's own table, the journal's keys are as ever.
		set(func() { down, cfg.Rules = false, G3 })
		f.run(follow{keeper: true}, 400) // in block 10920 a cycle of 520 begins
		if last := f.runs[len(f.runs)-1]; last.Cycle != 500 || last.From != 10921 || last.Key != "x" {
			t.Errorf("%+v", f.runs)
		}
	})
}

// TestFollowWithout has no service: the role plays under the settings.
func TestFollowWithout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollow(t, G3, 100, nil)
		f.cfg.Cycle.OwnerURL = ""
		f.cfg.Cycle.ValidatorWhitelist = []string{"a"}
		f.run(follow{keeper: true}, 700)
		if diff := cmp.Diff([]played{{100, 800, 500, []string{"a"}, 1, "x"}}, f.runs); diff != "" || len(f.events) > 0 {
			t.Error(diff, f.events)
		}
	})
}

// TestFollowBadService has services that tell nothing usable: phases are the
// settings' own, the whitelist is never empty for it, rounds begin in time, and
// somebody hears why.
func TestFollowBadService(t *testing.T) {
	answer := func(path, text string) func(*followTest) http.Handler {
		return func(f *followTest) http.Handler {
			good := f.owner(&OwnerConfig{Rules: G3, Whitelist: func() ([]subnet.Hotkey, error) { return listedHotkeys(1), nil }})
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == path {
					_, _ = io.WriteString(w, text)
				} else {
					good.ServeHTTP(w, r)
				}
			})
		}
	}
	status := func(code int) func(*followTest) http.Handler {
		return func(*followTest) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>blocked</html>", code) })
		}
	}
	root := actor.JSON(G3.serviceRoot())
	listed, own := names(listedHotkeys(1)), []string{"own"}
	for _, tt := range []struct {
		name    string
		handler func(*followTest) http.Handler
		list    []string
		kind    string // of a warning
		error   string // that it holds
		cycle   subnet.Block
	}{
		{"403", status(403), own, "owner", "HTTP error calling /: 403: <html>blocked</html>", 500},
		{"404", status(404), own, "owner", "HTTP error calling /: 404", 500},
		{"503", status(503), own, "owner", "request failed after retries: /: 503", 500},
		{"redirect", status(301), own, "owner", "request failed after retries: /: 301", 500},
		{"slow", func(*followTest) http.Handler {
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		}, own, "owner", "deadline exceeded", 500},
		{"down", func(*followTest) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("down") })
		}, own, "owner", "connection reset", 500},
		{"garbage", answer("/", "\x00\xff{"), listed, "owner", "invalid character", 500},
		{"endless", answer("/", strings.Repeat(" ", maxService+2)), listed, "owner", "more than 1048576 bytes", 500},
		{"zero length", answer("/", strings.Replace(root, `"length":300`, `"length":0`, 1)), listed, "owner", "no use for 0 blocks", 500},
		{"absurd length", answer("/", strings.Replace(strings.Replace(root, `"length":300`, `"length":99999999`, 1), `"cycle_length":500,`, "", 1)), listed, "owner", "want at most 100800", 500},
		{"wrong sum", answer("/", strings.Replace(root, `"length":300`, `"length":301`, 1)), listed, "owner", "a cycle of 500 blocks, but its phases have 501", 500},
		{"another generation", answer("/", actor.JSON(G0.serviceRoot())), listed, "owner", "no use for", 500},
		{"another table than it lives by", answer("/get_phase", actor.JSON(G4.phaseInfo(1100))), listed, "clock", "counts 524 blocks a cycle, its table 500", 500},
		{"another origin", answer("/get_phase", `{"block":1100,"cycle_length":500,"cycle_index":1,"cycle_block_index":100,"phase_name":"Train","phase_index":1,"phase_start_block":1020,"phase_end_block":1319}`),
			listed, "clock", "block 1100 is in cycle 1 for the service, in 2 by its table", 500},
		{"another block", answer("/get_phase", actor.JSON(G3.phaseInfo(1600))), listed, "clock", "block 1600 for the service, 1100 here", 500},
		{"no list", answer("/get_validator_whitelist", "[]"), own, "owner", "whitelist: empty", 500},
		{"a bad list", answer("/get_validator_whitelist", `["5x"]`), own, "owner", `hotkey "5x"`, 500},
		{"a table of another length", answer("/", actor.JSON(lengths(t, G3, 20, 300, 10, 10, 80, 10, 50, 10, 11).serviceRoot())), listed, "clock", "counts 500 blocks a cycle, its table 501", 500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFollow(t, G3, 1100, nil)
				f.cfg.Cycle.ValidatorWhitelist = own
				f.handler = tt.handler(f)
				f.run(follow{keeper: true}, 50)
				if len(f.runs) != 1 || f.runs[0].Cycle != tt.cycle || !slices.Equal(f.runs[0].Whitelist, tt.list) || f.runs[0].From > 1101 {
					t.Errorf("played %+v", f.runs)
				}
				if said := f.said(tt.kind, "error"); !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, tt.error) }) {
					t.Errorf("said %q, want %q", said, tt.error)
				}
			})
		})
	}
}

// TestFollowFlaky has a service that answers the third time: the background asks
// as often as upstream does, and no round waits.
func TestFollowFlaky(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollow(t, G3, 1100, nil)
		good, tries := f.owner(&OwnerConfig{Rules: lengths(t, G3, 20, 300, 10, 10, 80, 10, 50, 10, 30)}), 0
		var at []time.Duration
		began := time.Now()
		f.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				at = append(at, time.Since(began))
				if tries++; tries < 4 {
					http.Error(w, "later", http.StatusBadGateway)
					return
				}
			}
			good.ServeHTTP(w, r)
		})
		f.run(follow{keeper: true}, 410)
		if diff := cmp.Diff([]time.Duration{0, 0, 2 * time.Second, 6 * time.Second}, at[:4]); diff != "" {
			t.Errorf("asked at other times: %s", diff)
		}
		if len(f.runs) != 2 || f.runs[0].From != 1100 || f.runs[1].From != 1501 || f.runs[1].Cycle != 520 {
			t.Errorf("%+v", f.runs)
		}
	})
}

// TestFollowReader is train beside model-io: it plays under what the other keeps,
// and asks only if nothing is kept.
func TestFollowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollow(t, G3, 1100, nil)
		asked := 0
		good := f.owner(&OwnerConfig{Rules: lengths(t, G3, 20, 300, 10, 10, 80, 10, 50, 10, 30)})
		f.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked++; good.ServeHTTP(w, r) })
		f.run(follow{}, 10)
		if len(f.runs) != 1 || f.runs[0].Cycle != 520 || asked == 0 || f.dir.get(toldFile) != "" {
			t.Errorf("%+v, asked %d times, kept %q", f.runs, asked, f.dir.get(toldFile))
		}
		asked = 0
		kept := told{URL: f.cfg.Cycle.OwnerURL, Rules: "g3", Seen: 1110, Tables: []toldTable{{1300, G4.Schedule.blocks()}}}
		f.dir.put(toldFile, actor.JSON(kept))
		f.run(follow{}, 300)
		if len(f.runs) != 3 || f.runs[1].Cycle != 500 || f.runs[2].From != 1301 || f.runs[2].Cycle != 524 || asked > 0 {
			t.Errorf("%+v, asked %d times", f.runs, asked)
		}
		// What is of another service, or of other rules, or nothing, is not taken.
		for _, bad := range []string{actor.JSON(told{URL: "http://other", Rules: "g3", Tables: kept.Tables}), actor.JSON(told{URL: kept.URL, Rules: "g4", Tables: kept.Tables}), "nope", `{"tables":[{"from":0,"blocks":[1]}]}`} {
			f.dir.put(toldFile, bad)
			f.runs = nil
			f.run(follow{}, 2)
			if len(f.runs) != 1 || f.runs[0].Cycle != 520 { // as the service tells
				t.Errorf("%s: %+v", bad, f.runs)
			}
		}
	})
}

// TestFollowTask has an owner that changes the task: miners take it while they
// distribute, validators when that is over.
func TestFollowTask(t *testing.T) {
	for _, tt := range []struct {
		how   follow
		start subnet.Block // when the second task counts, and then a block
	}{
		{follow{keeper: true}, 2 * 524},
		{follow{keeper: true, validator: true}, 2*524 + 20},
	} {
		synctest.Test(t, func(t *testing.T) {
			bundles := make([]string, 2)
			for i, expert := range []int{22, 17} {
				b, err := SealTask(fmt.Sprintf("exp_%d", i), fmt.Appendf(nil, `{"group_id":%d,"data":{"lr":1e-05,"sources":[{"path":"x"},"y"],"none":[],"on":true}}`, 4+i),
					fmt.Appendf(nil, `{"1":[[0,%d]]}`, expert), []byte(`{"a":1}`))
				if err != nil {
					t.Fatal(err)
				}
				bundles[i] = string(b)
			}
			f := newFollow(t, G4, 600, nil)
			now := 0
			var mu sync.Mutex
			f.handler = f.owner(&OwnerConfig{Rules: G4, Task: func() ([]byte, error) { mu.Lock(); defer mu.Unlock(); return []byte(bundles[now]), nil }})
			go func() { time.Sleep(200 * blockTime); mu.Lock(); defer mu.Unlock(); now = 1 }()
			f.run(tt.how, 600)
			if len(f.runs) != 2 || f.runs[0].Group != 4 || f.runs[0].From != 600 || f.runs[1].Group != 5 || f.runs[1].From != tt.start+1 {
				t.Errorf("%+v", f.runs)
			}
			if got := f.said("task", "task_before"); len(got) != 2 || got[1] != "the owner's task changed: exp_0" {
				t.Errorf("told of the task: %q", got)
			}
			var sum taskBundle
			if err := json.Unmarshal([]byte(bundles[1]), &sum); err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]string{
				"config.yaml":            "data:\n  lr: 1.0e-05\n  none: []\n  \"on\": true\n  sources:\n    -\n      path: \"x\"\n    - \"y\"\ngroup_id: 5\n",
				"expert_assignment.json": "{\n  \"1\": [[0, 17]]\n}\n",
				"shard_policy.json":      `{"a":1}`,
				".bundle_sha256":         sum.Sum + "\n",
			} {
				if diff := cmp.Diff(want, f.dir.get("expert_groups/exp_1/"+name)); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		})
	}
}

// TestFollowTaskForged has a bundle that is not what it says.
func TestFollowTaskForged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := SealTask("exp_x", []byte(`{"group_id":4}`), []byte(`{"1":[[0,22]]}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		f := newFollow(t, G4, 600, nil)
		good := f.owner(&OwnerConfig{Rules: G4, Task: func() ([]byte, error) { return b, nil }})
		f.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/active_task_bundle" {
				_, _ = io.WriteString(w, strings.Replace(string(b), "22", "23", 1))
				return
			}
			good.ServeHTTP(w, r)
		})
		f.run(follow{keeper: true}, 10)
		if len(f.runs) != 1 || f.runs[0].Group != 1 || len(f.dir.files["expert_groups/exp_x/"+assignmentFile]) > 0 {
			t.Errorf("%+v, %v", f.runs, f.dir.files)
		}
		if got := f.said("owner", "error"); len(got) == 0 || !strings.Contains(got[0], "sha256 is") {
			t.Errorf("%q", got)
		}
	})
}

func FuzzParseTold(f *testing.F) {
	f.Add([]byte(actor.JSON(told{URL: "http://x", Rules: "g3", Seen: 5, Tables: []toldTable{{0, G3.Schedule.blocks()}, {7, G4.Schedule.blocks()}}, Whitelist: []toldList{{3, listedHotkeys(1)}}})))
	f.Add([]byte(`{"tasks":[{"from":1,"name":"x","group_id":1,"bundle_sha256":""}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		kept, err := parseTold(data)
		if err != nil {
			return
		}
		for _, at := range []subnet.Block{0, 6, 1 << 40} {
			r := kept.rulesAt(G3, at)
			if from := kept.newCycle(G3, at); from <= at || r.Schedule.At(at).End < at {
				t.Errorf("at %d the next cycle begins at %d", at, from)
			}
			kept.taskAt(at)
			kept.whitelistAt(nil, at)
		}
	})
}
