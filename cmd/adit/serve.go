package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"adit/internal/ledger"
	"adit/internal/local/chainnode"
	"adit/internal/local/hub"
	"adit/internal/subnet"
	"adit/internal/telemetry"
)

// ChainCommand is about the local chain.
type ChainCommand struct {
	Serve    ChainServeCommand    `cmd:"" help:"Run a local chain node."`
	Blocks   ChainBlocksCommand   `cmd:"" help:"Show blocks, and follow them."`
	Advance  ChainAdvanceCommand  `cmd:"" help:"Make many blocks at once, as if time had passed."`
	Faucet   ChainFaucetCommand   `cmd:"" help:"Give an account some of what the development accounts have."`
	Snapshot ChainSnapshotCommand `cmd:"" help:"Write the state after a block to a file."`
}

// ChainServeCommand runs a chain node.
type ChainServeCommand struct {
	Dir                string        `required:"" placeholder:"DIR" help:"Where the chain is kept."`
	Port               int           `default:"9944" help:"Port on 127.0.0.1 for WebSocket and HTTP."`
	BlockTime          time.Duration `default:"12s" help:"Time between blocks; 0 makes them on demand only, by engine_createBlock."`
	From               string        `placeholder:"FILE" help:"A file of 'adit chain snapshot' that a new chain begins with."`
	Tempo              uint16        `default:"360" help:"Blocks of an epoch of a new subnet."`
	Beacon             string        `default:"local" placeholder:"BEACON" help:"Whose pulses open what is time-locked: 'local', of this node itself; 'quicknet', which the SDK locks for, fetched from the net; a relay's URL for the same; or 'none', those of quicknet that others send."`
	AllowLoopbackAxons bool          `help:"Let neurons serve axons on 127.0.0.1, which the chain refuses."`
	JSON               bool          `help:"Report in JSON, one object a line."`
	Supervised         bool          `hidden:"" help:"Report in JSON, and end when standard input does."`
}

// Help shows examples.
func (ChainServeCommand) Help() string {
	return `A chain of its own, with the calls, the storage and the metadata of Subtensor.
The development accounts //Alice to //Ferdie have a million TAO each; //Alice is
its sudo key.

Examples:
  adit chain serve --dir chain
  adit chain serve --dir chain --block-time 250ms --allow-loopback-axons
  adit chain serve --dir test-1 --from ready.state --port 0 --tempo 10`
}

// Run serves until it is interrupted.
func (c ChainServeCommand) Run(ctx context.Context, t terminal) error {
	ctx, stop := supervised(ctx, t, c.Supervised)
	defer stop()
	bus, end := reports(t, c.JSON || c.Supervised)
	defer end()
	genesis := ledger.DevGenesis()
	genesis.AllowLoopbackAxons = c.AllowLoopbackAxons
	genesis.Spec.Tempo = c.Tempo
	relay := ""
	switch c.Beacon {
	case "local":
		genesis.Beacon = chainnode.DevBeaconChain()
	case "quicknet":
		relay = chainnode.QuicknetURL
	case "none":
	default:
		if !strings.HasPrefix(c.Beacon, "http") {
			return subnet.WithHint(fmt.Errorf("no beacon %q", c.Beacon), "it is local, quicknet, none, or a relay's URL")
		}
		relay = c.Beacon
	}
	listener, err := chainnode.Listen(c.Port)
	if err != nil {
		return err
	}
	defer listener.Close()
	n, err := chainnode.Open(chainnode.Options{Dir: c.Dir, BlockTime: c.BlockTime, Genesis: genesis, From: c.From, Emit: bus.Emit})
	if err != nil {
		return err
	}
	defer n.Close()
	bus.Emit(subnet.Event{Kind: "serving", Text: "chain node ready", Attrs: []slog.Attr{
		slog.String("url", "ws://"+listener.Addr().String()), slog.String("dir", c.Dir), slog.Duration("block_time", c.BlockTime)}})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return n.Run(ctx) })
	group.Go(func() error { return n.Serve(ctx, listener) })
	if relay != "" {
		group.Go(func() error { return n.Relay(ctx, relay) })
	}
	return group.Wait()
}

// HubCommand is about the local model hub.
type HubCommand struct {
	Serve HubServeCommand `cmd:"" help:"Run a local model hub."`
}

// HubServeCommand runs a model hub.
type HubServeCommand struct {
	Dir    string `required:"" placeholder:"DIR" help:"Where the repositories are kept."`
	Port   int    `default:"8600" help:"Port on 127.0.0.1."`
	Tokens string `placeholder:"FILE" help:"Who may write: lines of a token and its user. None means nobody."`
	Keep   int    `default:"8" help:"For how many of its newest revisions a repository keeps large files; 0 for all."`
	serverFlags
}

// Help shows examples.
func (HubServeCommand) Help() string {
	return `A hub that speaks the Hugging Face Hub's HTTP API: clients find it by the
environment variable HF_ENDPOINT.

Examples:
  adit hub serve --dir hub --tokens tokens.txt
  HF_ENDPOINT=http://127.0.0.1:8600 HF_TOKEN=... hf download miner-0-0/co`
}

// Run serves until it is interrupted.
func (c HubServeCommand) Run(ctx context.Context, t terminal) error {
	return c.serve(ctx, t, "model hub", c.Port, func(_ context.Context, bus *telemetry.Bus) (http.Handler, []slog.Attr, error) {
		tokens, err := readTokens(c.Tokens)
		if err != nil {
			return nil, nil, err
		}
		h, err := hub.Open(c.Dir, hub.Options{Tokens: tokens, Keep: c.Keep, Emit: bus.Emit})
		return h, []slog.Attr{slog.String("dir", c.Dir)}, err
	})
}

// readTokens reads a hub's tokens: lines of a token and the user it belongs to.
func readTokens(path string) (map[string]string, error) {
	tokens := make(map[string]string)
	if path == "" {
		return tokens, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != 2 {
			return nil, subnet.WithHint(fmt.Errorf("%s:%d: not a token and a user", path, n), "each line is a token, a space, and the user it belongs to")
		}
		tokens[fields[0]] = fields[1]
	}
	return tokens, nil
}
