package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"adit/internal/config"
	"adit/internal/keys"
	"adit/internal/ledger"
	"adit/internal/local/chainnode"
	"adit/internal/node"
	"adit/internal/subnet"
	"adit/internal/telemetry"
	"adit/internal/wallet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settings are those of a protocol that does what a test wants.
type settings struct {
	Endpoint string `yaml:"endpoint"`
	Wallet   string `yaml:"wallet"`
	Model    string `yaml:"model"`
	DType    string `yaml:"dtype"`
	Steps    int    `yaml:"steps"`
}

func (s *settings) Validate() error {
	if s.Steps < 0 {
		return errors.New("steps: must not be below 0")
	}
	return nil
}

func (s *settings) Services() subnet.Services {
	return subnet.Services{NetUID: 1, Endpoints: []string{s.Endpoint}, Wallet: s.Wallet, Coldkey: "me", Hotkey: "hk",
		Model: s.Model, Data: filepath.Join(s.Model, "data"), SeqLen: 8, DType: s.DType}
}

// protocol has roles of one part each, and one of both.
func protocol(run func(context.Context, subnet.Env) error) subnet.Protocol {
	return subnet.Protocol{
		Name:      "toy",
		NewConfig: func() subnet.Config { return &settings{DType: "f32"} },
		Roles: []subnet.Role{
			{Name: "one", Parts: []string{"one"}, Run: run},
			{Name: "two", Parts: []string{"two"}, Run: run},
			{Name: "both", Parts: []string{"one", "two"}, Run: run},
		},
	}
}

// chain runs a chain node and returns where.
func chain(t *testing.T) string {
	t.Helper()
	alice, err := keys.FromURI("//Alice")
	if err != nil {
		t.Fatal(err)
	}
	n, err := chainnode.Open(chainnode.Options{Dir: t.TempDir(), Genesis: ledger.Genesis{SudoKey: alice.Public(), Balances: map[[32]byte]uint64{alice.Public(): 1e9}}})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := chainnode.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- n.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-served, n.Close()); err != nil {
			t.Error(err)
		}
	})
	return "ws://" + listener.Addr().String()
}

// neuron makes the directory of a neuron with a hotkey.
func neuron(t *testing.T, endpoint string) (dir string, hotkey subnet.Hotkey) {
	t.Helper()
	dir = t.TempDir()
	wallets := filepath.Join(dir, "wallets")
	w, err := wallet.At(wallets, "me", "hk")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateHotkey(""); err != nil {
		t.Fatal(err)
	}
	key, err := w.Hotkey()
	if err != nil {
		t.Fatal(err)
	}
	c := &settings{Endpoint: endpoint, Wallet: wallets, Model: filepath.Join(dir, "model"), DType: "f32"}
	if err := config.Write(filepath.Join(dir, "config.yaml"), c, ""); err != nil {
		t.Fatal(err)
	}
	return dir, key.Hotkey()
}

// newBus returns a bus for the length of the test.
func newBus(t *testing.T) *telemetry.Bus {
	bus := telemetry.NewBus()
	t.Cleanup(func() {
		if err := bus.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return bus
}

// play runs a role in dir to its end.
func play(ctx context.Context, t *testing.T, dir, role string, run func(context.Context, subnet.Env) error, set ...string) error {
	t.Helper()
	bus := newBus(t)
	return node.Run(ctx, node.Options{Protocol: protocol(run), Role: role, Path: dir, Set: set, Events: bus})
}

func TestRun(t *testing.T) {
	t.Parallel()
	dir, hotkey := neuron(t, chain(t))
	run := func(ctx context.Context, env subnet.Env) error {
		if s := env.Config.(*settings); s.Steps != 7 {
			t.Errorf("steps = %d", s.Steps)
		}
		if head, err := env.Chain.Head(ctx); head != 0 || err != nil {
			t.Errorf("Head = %d, %v", head, err)
		}
		sig, err := env.Signer.Sign(ctx, []byte("message"))
		if env.Signer.Hotkey() != hotkey || err != nil || !env.Verify(hotkey, []byte("message"), sig) || env.Verify(hotkey, []byte("other"), sig) || env.Verify("5nobody", []byte("message"), sig) {
			t.Errorf("%s signs with %v", env.Signer.Hotkey(), err)
		}
		if _, err := env.Journal.Intend("act", "payload"); err != nil {
			t.Error(err)
		}
		d, err := env.Dir.Create("file")
		if err == nil {
			err = errors.Join(d.Commit(), d.Close())
		}
		if err != nil {
			t.Error(err)
		}
		if _, err := env.Open("dir:" + dir); err != nil {
			t.Error(err)
		}
		if _, err := env.Open("nowhere:"); err == nil {
			t.Error("a store is open that there is no kind of")
		}
		env.Emit(subnet.Event{Kind: "played", Text: "it was played"})
		return nil
	}
	if err := play(t.Context(), t, dir, "two", run, "steps=7"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "file")); err != nil {
		t.Error(err)
	}
	events, err := os.ReadFile(filepath.Join(dir, "events.two.jsonl"))
	if err != nil || !strings.Contains(string(events), `"text":"it was played"`) {
		t.Errorf("events: %s, %v", events, err)
	}
	// The role of both parts remembers what the part did.
	err = play(t.Context(), t, dir, "both", func(_ context.Context, env subnet.Env) error {
		if standing, err := env.Journal.Intend("act", "another"); standing != "payload" || err != nil {
			t.Errorf("intended %q, %v", standing, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestParts lets two processes share a directory as long as they do different
// things.
func TestParts(t *testing.T) {
	t.Parallel()
	dir, _ := neuron(t, chain(t))
	nothing := func(context.Context, subnet.Env) error { return nil }
	err := play(t.Context(), t, dir, "one", func(ctx context.Context, _ subnet.Env) error {
		for _, role := range []string{"one", "both"} {
			err := play(ctx, t, dir, role, nothing)
			if err == nil || !strings.Contains(err.Error(), "another process holds it") || !strings.Contains(subnet.Hint(err), fmt.Sprintf("process %d ", os.Getpid())) {
				t.Errorf("%s beside one: %v, hint %q", role, err, subnet.Hint(err))
			}
		}
		return play(ctx, t, dir, "two", nothing)
	})
	if err != nil {
		t.Error(err)
	}
	if err := play(t.Context(), t, dir, "both", nothing); err != nil {
		t.Errorf("both after one: %v", err)
	}
}

func TestRoleEnds(t *testing.T) {
	t.Parallel()
	dir, _ := neuron(t, chain(t))
	lost := errors.New("lost")
	for _, tt := range []struct {
		run  func(context.Context, subnet.Env) error
		want string // of the error; none if it is ""
	}{
		{func(context.Context, subnet.Env) error { return lost }, "one: lost"},
		{func(context.Context, subnet.Env) error { panic("out of order") }, "role one: panic: out of order\n"},
		{func(context.Context, subnet.Env) error { return fmt.Errorf("wait: %w", context.Canceled) }, ""},
		{func(ctx context.Context, env subnet.Env) error { return env.Chain.Wait(ctx, 1) }, ""},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		err := play(ctx, t, dir, "one", func(ctx context.Context, env subnet.Env) error {
			cancel()
			return tt.run(ctx, env)
		})
		cancel()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
			t.Errorf("Run error = %v, want %q", err, tt.want)
		}
	}
	if err := play(t.Context(), t, dir, "one", func(context.Context, subnet.Env) error { return lost }); !errors.Is(err, lost) {
		t.Errorf("Run error = %v", err)
	}
}

// TestRunRefuses does not get as far as playing.
func TestRunRefuses(t *testing.T) {
	t.Parallel()
	nowhere := "ws://127.0.0.1:1"
	dir, _ := neuron(t, nowhere)
	for _, tt := range []struct {
		role, path string
		set        []string
		want       string
		hint       bool
	}{
		{"three", dir, nil, `protocol toy has no role "three"`, false},
		{"one", filepath.Join(dir, "missing"), nil, "not found", true},
		{"one", t.TempDir(), nil, "config.yaml", true},
		{"one", dir, []string{"steps=-1"}, "steps: must not be below 0", false},
		{"one", dir, []string{"stpes=1"}, "stpes", false},
		{"one", dir, []string{"wallet=" + t.TempDir()}, "hotkey", true},
		{"one", dir, nil, "connect to the chain: ", true},
		{"one", dir, []string{"endpoint=nonsense"}, "nonsense", true},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := play(ctx, t, tt.path, tt.role, func(context.Context, subnet.Env) error {
			t.Errorf("%v is played", tt)
			return nil
		}, tt.set...)
		cancel()
		if err == nil || !strings.Contains(err.Error(), tt.want) || tt.hint && subnet.Hint(err) == "" {
			t.Errorf("%v: Run error = %v, hint %q", tt, err, subnet.Hint(err))
		}
	}
}

// TestEngineRefuses names what a base model lacks, when a role first wants it.
func TestEngineRefuses(t *testing.T) {
	t.Parallel()
	dir, _ := neuron(t, chain(t))
	model := filepath.Join(dir, "model")
	write := func(name, text string) {
		path := filepath.Join(model, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		prepare func()
		want    string
	}{
		{func() {}, "base model: "},
		{func() { write(node.ConfigFile, "{") }, node.ConfigFile},
		{func() { write(node.ConfigFile, strings.Repeat(" ", 2<<20)) }, node.ConfigFile},
		{func() { write(node.ConfigFile, `{"model_type": "resnet"}`) }, node.ConfigFile},
		{func() { write("data/corpus.json", "{}") }, node.ConfigFile},
	} {
		tt.prepare()
		err := play(t.Context(), t, dir, "one", func(ctx context.Context, env subnet.Env) error {
			m, err := env.Engine.Open(ctx)
			if err == nil {
				m.Close()
			}
			return err
		})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Run error = %v, want one about %q", err, tt.want)
		}
	}
}
