package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"adit/internal/local"
	"adit/internal/subnet"
	"adit/internal/telemetry"
	"adit/internal/tui"
)

// A dirFlag names a local network.
type dirFlag struct {
	Dir string `default:"${networkdir}" placeholder:"DIR" help:"The network's directory (${default})."`
}

// defaultDir is where a local network is unless a person says otherwise.
func defaultDir() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return "adit-local"
	}
	return filepath.Join(home, ".adit", "local")
}

// UpCommand runs a whole network.
type UpCommand struct {
	dirFlag
	Protocol   string         `default:"connito" placeholder:"NAME" help:"Which kind of network: connito or templar (${default})."`
	Data       []string       `sep:"none" placeholder:"PATH" help:"Text to train on: a file or folder of text, JSONL or Parquet, once for each group. The Go source tree, if none is given."`
	Rules      string         `placeholder:"NAME" help:"Live by the rules of a generation, in cycles of 120 blocks, or g3/200 in those of 200: see 'adit protocols'. Those of a local network, if none is given. Of templar, slices, and windows of a few seconds."`
	Groups     *int           `placeholder:"2" help:"Expert groups. One, where by the rules a validator has no more."`
	Miners     *int           `placeholder:"2" help:"Miners in each group. Of templar 3, of which the last joins late."`
	Validators int            `default:"1" help:"Validators."`
	Cheats     []string       `placeholder:"KIND" help:"Add miners that break a rule: copy, late, mismatch, nan, random, silent. Of templar copy, late, nan, noise, shape; it has one of noise unless you say none."`
	Cycles     int            `help:"End after so many cycles, or windows of templar, with a summary."`
	BlockTime  *time.Duration `placeholder:"500ms" help:"Time between blocks. A cycle has 96."`
	Genesis    time.Duration  `default:"25s" help:"How long the first model is trained. Templar's is not."`
	Seed       uint64         `help:"Of the first model and the order of the text."`
	JSON       bool           `help:"Print the summary as JSON, and what happens before it as JSON lines on standard error."`
	Plain      bool           `help:"Print log lines even on a terminal."`
}

// Help shows examples.
func (UpCommand) Help() string {
	return `Starts a chain node, a model hub, validators and miners on this machine, each a
process of its own, and shows them at work. A first model is trained at the
first start and kept. Ctrl-C ends all of them; the next start goes on from there.

A network of templar has an object store instead of the hub, and begins with a model
that knows nothing.

Examples:
  adit up
  adit up --cycles 3
  adit up --data code/ --data prose.jsonl --miners 3 --dir /tmp/net
  adit up --cheats random,copy --cycles 3 --json
  adit up --rules g2 --validators 2 --dir /tmp/g2
  adit up --protocol templar
  adit up --protocol templar --rules sparse --cheats copy --cycles 20 --dir /tmp/sparse`
}

func (c UpCommand) options() local.Options {
	o := local.Usual(c.Protocol, c.Rules)
	o.Dir, o.Protocol, o.Data, o.Rules, o.Validators = c.Dir, c.Protocol, c.Data, c.Rules, c.Validators
	o.Cycles, o.Seed, o.Genesis = c.Cycles, c.Seed, c.Genesis
	if c.Groups != nil {
		o.Groups = *c.Groups
	}
	if c.Miners != nil {
		o.Miners = *c.Miners
	}
	if c.BlockTime != nil {
		o.BlockTime = *c.BlockTime
	}
	if len(c.Cheats) > 0 {
		o.Cheats = c.Cheats
	}
	if slices.Equal(c.Cheats, []string{"none"}) {
		o.Cheats = nil
	}
	return o
}

// Validate says everything that is wrong with the options at once.
func (c UpCommand) Validate() error { return c.options().Validate() }

// Run runs the network until it is interrupted, told to end, or done.
func (c UpCommand) Run(ctx context.Context, t terminal) error {
	live := !c.JSON && !c.Plain && isTerminal(t.in) && isTerminal(t.out)
	// Events go through a queue: the network does not wait for whoever reads.
	bus := telemetry.NewBus()
	defer stopBus(bus)
	switch {
	case c.JSON:
		bus.Subscribe(reportQueue, telemetry.NewJSONWriter(t.err).Write)
	case !live:
		bus.Subscribe(reportQueue, thinned(telemetry.NewLogWriter(t.out).Write))
	}
	n, err := local.Open(c.options(), func(name string, at time.Time, e subnet.Event) {
		e.Attrs = append(e.Attrs[:len(e.Attrs):len(e.Attrs)], whose(name))
		bus.Forward(at, e)
	})
	if err != nil {
		return err
	}
	defer n.Close()
	if !live && !c.JSON {
		fmt.Fprintf(t.err, "adit: watch it with 'adit status --dir %[1]s' and 'adit logs --dir %[1]s', end it with Ctrl-C or 'adit down --dir %[1]s'\n", c.Dir)
	}

	ctx, end := context.WithCancel(ctx)
	defer end()
	group := new(errgroup.Group)
	group.Go(func() error { defer end(); return n.Run(ctx) })
	if live {
		group.Go(func() error {
			defer end() // whoever leaves the view ends the network
			if err := tui.Run(ctx, t.in, t.out, n.Snapshot); !errors.Is(err, tui.ErrQuit) {
				return err
			}
			return nil
		})
	}
	err = group.Wait()
	stopBus(bus) // the summary comes last
	if s := n.Snapshot(); c.JSON || s.FirstCycle > 0 {
		err = cmp.Or(err, printSnapshot(t, s, c.JSON))
	}
	return err
}

// stepEvery is how often a miner's steps are shown among log lines: its own log
// has all of them.
const stepEvery = 2 * time.Second

// thinned leaves out most of the steps, which would drown everything else.
func thinned(write telemetry.Reader) telemetry.Reader {
	shown := make(map[string]time.Time)
	return func(at time.Time, e subnet.Event) {
		if e.Kind == "step" {
			from := e.Attrs[len(e.Attrs)-1].Value.String() // which was put there last
			if at.Sub(shown[from]) < stepEvery {
				return
			}
			shown[from] = at
		}
		write(at, e)
	}
}

// StatusCommand shows a running network.
type StatusCommand struct {
	dirFlag
	JSON bool `help:"Print JSON."`
}

// Help shows examples.
func (StatusCommand) Help() string {
	return `Examples:
  adit status
  adit status --dir /tmp/net --json`
}

// Run prints the network's state.
func (c StatusCommand) Run(ctx context.Context, t terminal) error {
	s, err := local.Status(ctx, c.Dir)
	if err != nil {
		return err
	}
	return printSnapshot(t, s, c.JSON)
}

func printSnapshot(t terminal, s local.Snapshot, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(t.out).Encode(s)
	}
	width := 80
	if f, ok := t.out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			width = w
		}
	}
	tui.Summary(t.out, s, width)
	return nil
}

// DownCommand ends a running network.
type DownCommand struct {
	dirFlag
}

// Help shows examples.
func (DownCommand) Help() string {
	return `Ends a network that 'adit up' started elsewhere, as Ctrl-C does there.

Examples:
  adit down
  adit down --dir /tmp/net`
}

// downPatience is how long a network may take to end.
const downPatience = 15 * time.Second

// Run ends the network and waits until it has.
func (c DownCommand) Run(ctx context.Context, t terminal) error {
	ctx, cancel := context.WithTimeout(ctx, downPatience)
	defer cancel()
	if err := local.Down(ctx, c.Dir); err != nil {
		return err
	}
	fmt.Fprintf(t.err, "adit: the network in %s has ended\n", c.Dir)
	return nil
}

// isTerminal says whether a person is at the other end.
func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
