package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/subnet"
	"adit/internal/telemetry"
)

// reported is a config that reports wherever a test wants.
type reported struct {
	Secretive string `yaml:"secretive"`
	reports   subnet.Reports
}

func (*reported) Validate() error                         { return nil }
func (*reported) Services() subnet.Services               { return subnet.Services{} }
func (r *reported) Reports(string, string) subnet.Reports { return r.reports }

// Moment has rounds of four blocks, in two phases.
func (*reported) Moment(b subnet.Block) subnet.Moment {
	start := b / 2 * 2
	return subnet.Moment{Round: uint64(b / 4), Phase: "ab"[b/2%2 : b/2%2+1], Index: int(b / 2 % 2), Start: start, End: start + 1}
}

// listen keeps the events of a bus.
func listen(bus *telemetry.Bus) (got func() []subnet.Event) {
	var mu sync.Mutex
	var events []subnet.Event
	bus.Subscribe(100, func(_ time.Time, e subnet.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	})
	return func() []subnet.Event {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(events)
	}
}

func options(bus *telemetry.Bus) Options {
	return Options{Role: "one", Events: bus, Protocol: subnet.Protocol{
		Metrics: []subnet.Metric{{Name: "loss", Event: "step", Attr: "loss"}},
		Columns: []subnet.Column{{Name: "step", Event: "step", Attr: "n", Stays: true}, {Name: "loss", Event: "step", Attr: "loss"}},
	}}
}

func step(n int) subnet.Event {
	return subnet.Event{Kind: "step", Attrs: []slog.Attr{slog.Int("n", n), slog.Float64("loss", 1.5)}}
}

func TestReports(t *testing.T) {
	dir := t.TempDir()
	for key, value := range map[string]string{"WANDB_MODE": "offline", "WANDB_DIR": "", "WANDB_ENTITY": "team", "ENABLE_TELEMETRY": ""} {
		t.Setenv(key, value)
	}
	bus := telemetry.NewBus()
	end := report(options(bus), dir, &reported{reports: subnet.Reports{
		CSV: "metrics/run.csv", TensorBoard: filepath.Join(dir, "tb"), Every: map[string]int{"step": 2},
		WandB: subnet.WandB{On: true, Project: "p"}, Ports: map[string]uint16{"one": 1}, // nobody asks for that
	}})
	for n := range 4 {
		bus.Emit(step(n + 1))
	}
	end()
	bus.Emit(step(5))
	if err := bus.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "metrics", "run.csv"))
	if err != nil || string(text) != "step,loss\n1,1.5\n2,1.5\n4,1.5\n" {
		t.Errorf("the metrics are %q, %v", text, err)
	}
	for _, pattern := range []string{"tb/events.out.tfevents.*", "wandb/offline-run-*/run-*.wandb"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s is %v, %v", pattern, found, err)
		}
		data, err := os.ReadFile(found[0])
		if err != nil || !strings.Contains(string(data), "loss") {
			t.Errorf("%s holds %q, %v", pattern, data, err)
		}
		if strings.HasPrefix(pattern, "wandb") && (!strings.Contains(string(data), "team") || !strings.Contains(string(data), "secretive")) {
			t.Errorf("the run has neither the account nor the settings: %q", data)
		}
	}
}

// What cannot be written or served is told, and nothing else.
func TestReportsThatFail(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	t.Setenv("WANDB_MODE", "now and then")
	t.Setenv("ENABLE_TELEMETRY", "yes")
	bus := telemetry.NewBus()
	told := listen(bus)
	end := report(options(bus), file, &reported{reports: subnet.Reports{
		CSV: "m.csv", TensorBoard: "tb", WandB: subnet.WandB{On: true},
		Ports: map[string]uint16{"one": netip.MustParseAddrPort(strings.Replace(taken.Addr().String(), "[::]", "127.0.0.1", 1)).Port()},
	}})
	bus.Emit(step(1))
	bus.Emit(step(2))
	end()
	if err := bus.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, e := range told() {
		if e.Level == slog.LevelWarn {
			texts = append(texts, e.Text)
		}
	}
	slices.Sort(texts)
	want := []string{"CSV metrics are not written", "TensorBoard's file is not written", "W&B's run is not written", "metrics are not served"}
	if !slices.Equal(texts, want) {
		t.Errorf("told %q, want %q", texts, want)
	}
}

func TestWhetherMetricsAreServed(t *testing.T) {
	free := func() uint16 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return uint16(l.Addr().(*net.TCPAddr).Port)
	}
	for _, tt := range []struct {
		env    string
		asked  bool
		served bool
	}{{"", false, false}, {"", true, true}, {"true", false, true}, {"YES", false, true}, {"1", true, true}, {"false", false, false}, {"0", true, false}} {
		t.Setenv("ENABLE_TELEMETRY", tt.env)
		bus := telemetry.NewBus()
		o := options(bus)
		if tt.asked {
			o.MetricsPort = free()
		}
		end, ok := serveMetrics(o, subnet.Reports{Ports: map[string]uint16{"one": free()}})
		if ok != tt.served {
			t.Errorf("ENABLE_TELEMETRY=%q, asked %v: served %v", tt.env, tt.asked, ok)
		}
		if ok {
			end()
		}
		if err := bus.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// A clockwork is a chain of a block a second, on which some things fail.
type clockwork struct {
	subnet.Chain
	start time.Time
	down  func() bool
}

var errDown = errors.New("down")

func (c *clockwork) Head(context.Context) (subnet.Block, error) {
	if c.down() {
		return 0, errDown
	}
	return subnet.Block(time.Since(c.start) / time.Second), nil
}

func (c *clockwork) Wait(ctx context.Context, b subnet.Block) error {
	select {
	case <-time.After(time.Until(c.start.Add(time.Duration(b) * time.Second))):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *clockwork) Commit(context.Context, ...string) (subnet.Block, error) {
	time.Sleep(3 * time.Second)
	return 7, nil
}

func (c *clockwork) SetWeights(_ context.Context, w []subnet.Weight) (subnet.Block, error) {
	if len(w) == 0 {
		return 0, errDown
	}
	return 8, nil
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := &clockwork{start: time.Now()}
		chain.down = func() bool { s := time.Since(chain.start); return s > 10*time.Second && s < 14*time.Second }
		ctx, cancel := context.WithTimeout(t.Context(), 25500*time.Millisecond)
		defer cancel()
		var blocks, cycles []string
		emit := func(e subnet.Event) {
			if e.Level >= slog.LevelInfo {
				t.Errorf("people are told of %v", e)
			}
			switch text := fmt.Sprint(e.Attrs); e.Kind {
			case "block":
				blocks = append(blocks, fmt.Sprint(uint64(e.Block)))
				if e.Block == 6 && text != "[cycle=1 phase=b phase_index=1 remaining=1]" {
					t.Errorf("block 6 is %s", text)
				}
			case "cycle":
				cycles = append(cycles, text)
			case "chain-error":
			}
		}
		watch(ctx, observed{chain, emit}, &reported{}, emit)
		if got := strings.Join(blocks, " "); got != "0 1 2 3 4 5 6 7 8 9 10 14 15 16 17 18 19 20 21 22 23 24 25" {
			t.Errorf("blocks %s", got)
		}
		// Of the first round nobody knows that it was seen from its very beginning;
		// the second ended, and the third began, while the chain was away.
		if got := strings.Join(cycles, " "); got != "[cycle=1 cycle_time=4s] [cycle=4 cycle_time=4s] [cycle=5 cycle_time=4s]" {
			t.Errorf("cycles %s", got)
		}
	})
}

func TestObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kinds []string
		down := true
		o := observed{&clockwork{start: time.Now(), down: func() bool { return down }}, func(e subnet.Event) {
			kinds = append(kinds, e.Kind)
			if e.Kind == "chain-commit" && e.Attrs[1].Value.Duration() != 3*time.Second {
				t.Errorf("it took %v", e.Attrs)
			}
		}}
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := o.Head(ctx); !errors.Is(err, errDown) {
			t.Error(err)
		}
		if b, err := o.Commit(ctx, "x"); b != 7 || err != nil {
			t.Error(b, err)
		}
		_, _ = o.SetWeights(ctx, nil)
		_, _ = o.SetWeights(ctx, []subnet.Weight{{UID: 1, Value: 1}})
		cancel()
		_, _ = o.Head(ctx) // whatever goes wrong now is no wonder
		_, _ = o.SetWeights(ctx, nil)
		if got := strings.Join(kinds, " "); got != "chain-error chain-commit chain-error weights-failed weights-set" {
			t.Errorf("told %s", got)
		}
	})
}
