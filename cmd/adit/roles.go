package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"adit/internal/node"
	"adit/internal/protocol"
	"adit/internal/subnet"
	"adit/internal/telemetry"
)

// A neuronFlags is what every command that runs a neuron takes.
type neuronFlags struct {
	Path        string   `required:"" placeholder:"DIR" help:"The run's directory, or the config.yaml in it."`
	Set         []string `sep:"none" placeholder:"KEY=VALUE" help:"Replace a setting of the file, for example opt.lr=1e-3. May be given again."`
	JSON        bool     `help:"Report in JSON, one object a line, on standard output."`
	MetricsPort uint16   `placeholder:"PORT" env:"CONNITO_TELEMETRY_PORT" help:"Serve metrics for Prometheus at this port. With ENABLE_TELEMETRY=true in the environment the role's own is served."`
	Supervised  bool     `hidden:"" help:"Report in JSON, and end when standard input does."`
}

// run plays a role of a protocol until ctx is done.
func (f neuronFlags) run(ctx context.Context, t terminal, name, role string) error {
	p, ok := protocol.ByName(name)
	if !ok {
		return subnet.WithHint(fmt.Errorf("unknown protocol %q", name), "run 'adit protocols' to list them")
	}
	ctx, stop := supervised(ctx, t, f.Supervised)
	defer stop()
	bus, end := reports(t, f.JSON || f.Supervised)
	defer end()
	return node.Run(ctx, node.Options{Protocol: p, Role: role, Path: f.Path, Set: f.Set, Events: bus, MetricsPort: f.MetricsPort})
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
	bus = telemetry.NewBus()
	if asJSON {
		bus.Subscribe(reportQueue, telemetry.NewJSONWriter(t.out).Write)
	} else {
		bus.Subscribe(reportQueue, telemetry.NewLogWriter(t.out).Write)
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
	Protocol string `arg:"" help:"The network's protocol: see 'adit protocols'."`
	neuronFlags
}

// Help shows examples.
func (MineCommand) Help() string {
	return `Trains and exchanges models in one process. 'adit train' and 'adit model-io' are
its two halves, for two terminals over the same directory.

Examples:
  adit mine connito --path checkpoints/miner/me/hk1/foundation
  adit mine connito --path run/config.yaml --set opt.lr=1e-3`
}

// Run mines until it is interrupted.
func (c MineCommand) Run(ctx context.Context, t terminal) error {
	return c.run(ctx, t, c.Protocol, "mine")
}

// ValidateCommand validates.
type ValidateCommand struct {
	Protocol string `arg:"" help:"The network's protocol: see 'adit protocols'."`
	neuronFlags
}

// Help shows examples.
func (ValidateCommand) Help() string {
	return `Scores miners, sets weights on chain and publishes what they made together.

Examples:
  adit validate connito --path checkpoints/validator/me/hk1/foundation`
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
