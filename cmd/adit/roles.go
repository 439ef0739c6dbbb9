package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"adit/internal/node"
	"adit/internal/protocol"
	"adit/internal/subnet"
	"adit/internal/telemetry"
)

// A settingFlags is what upstream's programs take besides --path.
type settingFlags struct {
	Root             string `env:"ADIT_HOME" placeholder:"DIR" help:"Where checkpoints and expert groups are; the repository around, or /data in a container, unless given." group:"Which run"`
	ColdkeyName      string `name:"coldkey_name" aliases:"coldkey-name" placeholder:"NAME" help:"The wallet, instead of chain.coldkey_name." group:"Which run"`
	HotkeyName       string `name:"hotkey_name" aliases:"hotkey-name" placeholder:"NAME" help:"Its hotkey, instead of chain.hotkey_name." group:"Which run"`
	RunName          string `name:"run_name" aliases:"run-name" placeholder:"NAME" help:"The run, instead of run.run_name." group:"Which run"`
	AutoUpdateConfig *bool  `name:"auto_update_config" aliases:"auto-update-config" negatable:"no-auto_update_config" help:"On a public network, let what the generation fixes go before the file (the default). The file is never rewritten." group:"Which run"`
	Debug            bool   `help:"Show every detail." group:"Which run"`

	DHTPort     int    `name:"dht_port" hidden:""`
	DHTPublicIP string `name:"dht_public_ip" hidden:""`
	Overwrite   bool   `hidden:""`
	NoBump      bool   `name:"no_bump" hidden:""`
	Test        bool   `hidden:""`
}

// named reports whether the flags say which run is meant.
func (f settingFlags) named() bool {
	return f.ColdkeyName != "" || f.HotkeyName != "" || f.RunName != ""
}

// settings returns the flags as settings, which go before those of a file.
func (f settingFlags) settings() []string {
	var set []string
	for _, s := range []struct{ path, value string }{
		{"chain.coldkey_name", f.ColdkeyName}, {"chain.hotkey_name", f.HotkeyName}, {"run.run_name", f.RunName},
	} {
		if s.value != "" {
			set = append(set, s.path+"="+s.value)
		}
	}
	if f.AutoUpdateConfig != nil {
		set = append(set, fmt.Sprintf("auto_update_config=%t", *f.AutoUpdateConfig))
	}
	return set
}

// remark tells of flags of upstream's that do nothing here.
func (f settingFlags) remark(t terminal) {
	for _, r := range []struct {
		given bool
		text  string
	}{
		{f.DHTPort != 0, "--dht_port has no effect: validators do not average over hivemind here"},
		{f.DHTPublicIP != "", "--dht_public_ip has no effect: validators do not average over hivemind here"},
		{f.Overwrite, "--overwrite has no effect: settings are never rewritten"},
		{f.NoBump, "--no_bump has no effect: a run is never given another name"},
		{f.Test, "--test has no effect: 'adit up' runs a network of short phases to try things on"},
		{f.AutoUpdateConfig != nil && *f.AutoUpdateConfig, "--auto_update_config: what the generation fixes goes before the file; the file itself is never rewritten"},
	} {
		if r.given {
			fmt.Fprintf(t.err, "adit: %s\n", r.text)
		}
	}
}

// A neuronFlags is what every command that runs a neuron takes.
type neuronFlags struct {
	Path string   `placeholder:"DIR" help:"The run's directory, or the config.yaml in it. Without, the defaults count, and the directory is found by coldkey, hotkey and run."`
	Set  []string `sep:"none" placeholder:"KEY=VALUE" help:"Replace a setting of the file, for example opt.lr=1e-3. May be given again."`
	settingFlags
	JSON        bool   `help:"Report in JSON, one object a line, on standard output."`
	MetricsPort uint16 `placeholder:"PORT" env:"CONNITO_TELEMETRY_PORT" help:"Serve metrics for Prometheus at this port. With ENABLE_TELEMETRY=true in the environment the role's own is served."`
	Supervised  bool   `hidden:"" help:"Report in JSON, and end when standard input does."`
}

// run plays a role of a protocol until ctx is done.
func (f neuronFlags) run(ctx context.Context, t terminal, name, role string) error {
	p, ok := protocol.ByName(name)
	if !ok {
		return subnet.WithHint(fmt.Errorf("unknown protocol %q", name), "run 'adit protocols' to list them")
	}
	f.remark(t)
	ctx, stop := supervised(ctx, t, f.Supervised)
	defer stop()
	level := slog.LevelInfo
	if f.Debug {
		level = slog.LevelDebug
	}
	bus, end := reportsFrom(t, f.JSON || f.Supervised, level)
	defer end()
	return node.Run(ctx, node.Options{Protocol: p, Role: role, Path: f.Path, Root: f.Root, Set: append(f.settings(), f.Set...), Events: bus, MetricsPort: f.MetricsPort})
}

// supervised returns a context that ends with standard input too, if on: a
// child must not outlive its supervisor, however that died.
func supervised(ctx context.Context, t terminal, on bool) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if on {
		go func() {
			_, _ = io.Copy(io.Discard, t.in)
			cancel()
		}()
	}
	return ctx, cancel
}

// reportQueue is how many events may wait to be written.
const reportQueue = 4096

// reports returns a bus whose events are written to standard output: as lines
// for people, in the guides' words, or as JSON. end writes what is left.
func reports(t terminal, asJSON bool) (bus *telemetry.Bus, end func()) {
	return reportsFrom(t, asJSON, slog.LevelInfo)
}

// reportsFrom is reports with lines of that level at least.
func reportsFrom(t terminal, asJSON bool, level slog.Level) (bus *telemetry.Bus, end func()) {
	bus = telemetry.NewBus()
	if asJSON {
		bus.Subscribe(reportQueue, telemetry.NewJSONWriter(t.out).Write)
	} else {
		w := telemetry.NewLogWriter(t.out)
		w.Min = level
		bus.Subscribe(reportQueue, w.Write)
	}
	return bus, func() { stopBus(bus) }
}

// stopBus lets what was emitted be written. If nobody reads, nothing can be done
// about it.
func stopBus(bus *telemetry.Bus) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = bus.Stop(ctx)
}

// MineCommand mines.
type MineCommand struct {
	Protocol string `arg:"" help:"The network's protocol: see 'adit protocols'. 'adit mine PROTOCOL --help' lists its settings, each of which is a flag."`
	neuronFlags
}

// Help shows examples.
func (MineCommand) Help() string {
	return `Trains and exchanges models in one process. 'adit train' and 'adit model-io' are
its two halves, for two terminals over the same directory.

Examples:
  adit mine connito --path checkpoints/miner/me/hk1/foundation
  adit mine connito --path run/config.yaml --opt.lr 1e-3
  adit mine templar --netuid 223 --wallet.name me --wallet.hotkey hk1 --bucket mine --remote --sync_state
  adit mine templar --help`
}

// Run mines until it is interrupted.
func (c MineCommand) Run(ctx context.Context, t terminal) error {
	return c.run(ctx, t, c.Protocol, "mine")
}

// ValidateCommand validates.
type ValidateCommand struct {
	Protocol string `arg:"" help:"The network's protocol: see 'adit protocols'. 'adit validate PROTOCOL --help' lists its settings, each of which is a flag."`
	neuronFlags
}

// Help shows examples.
func (ValidateCommand) Help() string {
	return `Scores miners, sets weights on chain and publishes what they made together.

Examples:
  adit validate connito --path checkpoints/validator/me/hk1/foundation
  adit validate templar --netuid 223 --wallet.name me --wallet.hotkey V1 --bucket mine --sync_state`
}

// Run validates until it is interrupted.
func (c ValidateCommand) Run(ctx context.Context, t terminal) error {
	return c.run(ctx, t, c.Protocol, "validate")
}

// ModelIOCommand is the guides' second terminal.
type ModelIOCommand struct {
	neuronFlags
}

// Help shows examples.
func (ModelIOCommand) Help() string {
	return `Downloads baselines, and commits and publishes the checkpoints that 'adit train'
writes into the same directory. The two may be started in any order, and again.

Examples:
  adit model-io --path checkpoints/miner/me/hk1/foundation`
}

// Run exchanges models until it is interrupted.
func (c ModelIOCommand) Run(ctx context.Context, t terminal) error {
	return c.run(ctx, t, "connito", "model-io")
}
