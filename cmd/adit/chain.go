package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"adit/internal/keys"
	"adit/internal/local/chainnode"
	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// An endpointFlag says which node is meant, in the commands that are about one
// node and not about a chain.
type endpointFlag struct {
	Endpoint string `aliases:"subtensor.chain_endpoint,chain-endpoint,chain_endpoint,network" env:"BT_SUBTENSOR_CHAIN_ENDPOINT" default:"ws://127.0.0.1:9944" placeholder:"NAME|URL" help:"The node."`
}

func (e endpointFlag) network() networkFlags { return networkFlags{Network: []string{e.Endpoint}} }

func (e endpointFlag) dial(ctx context.Context) (*subtensor.Client, error) {
	return e.network().dial(ctx)
}

// ChainBlocksCommand shows blocks.
type ChainBlocksCommand struct {
	endpointFlag
	Count  uint64 `default:"10" help:"How many, up to the newest."`
	Follow bool   `short:"f" help:"Go on with every block that comes, until interrupted."`
	JSON   bool   `help:"One object a line."`
}

// Help shows examples.
func (ChainBlocksCommand) Help() string {
	return `Each line is a block: its number, its time, its hash, how many extrinsics it
has and how many of those failed, and what happened besides.

Examples:
  adit chain blocks --count 3
  adit chain blocks --follow --endpoint wss://entrypoint-finney.opentensor.ai`
}

// A shownBlock is what is told of one.
type shownBlock struct {
	Number     uint64         `json:"number"`
	Hash       string         `json:"hash"`
	Time       time.Time      `json:"time"`
	Extrinsics int            `json:"extrinsics"`
	Failed     int            `json:"failed"`
	Events     map[string]int `json:"events"`
	order      []string       // of the events
}

// Run prints until it is interrupted, if it is to follow.
func (c ChainBlocksCommand) Run(ctx context.Context, t terminal) error {
	client, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	head, err := client.Head(ctx)
	if err != nil {
		return err
	}
	from := subnet.Block(0)
	if uint64(head)+1 > c.Count {
		from = head + 1 - subnet.Block(c.Count)
	}
	for number := from; c.Follow || number <= head; number++ {
		if err := client.Wait(ctx, number); err != nil {
			return ignoreEnd(ctx, err)
		}
		b, err := readBlock(ctx, client, number)
		if err != nil {
			return ignoreEnd(ctx, err)
		}
		line := b.String()
		if c.JSON {
			text, err := json.Marshal(b)
			if err != nil {
				return err
			}
			line = string(text)
		}
		if _, err := fmt.Fprintln(t.out, line); err != nil {
			return err
		}
	}
	return nil
}

// ignoreEnd drops the error of what was interrupted, which is how following ends.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// readBlock reads what is told of a block from the state after it.
func readBlock(ctx context.Context, client *subtensor.Client, number subnet.Block) (shownBlock, error) {
	b := shownBlock{Number: uint64(number), Events: map[string]int{}}
	var err error
	if b.Hash, err = client.Hash(ctx, number); err != nil {
		return b, err
	}
	now, err := client.Query(ctx, number, "Timestamp", "Now")
	if err != nil {
		return b, err
	}
	millis, _ := now.(uint64)
	b.Time = time.UnixMilli(int64(millis)).UTC()
	events, err := client.Query(ctx, number, "System", "Events")
	if err != nil {
		return b, err
	}
	b.count(events)
	return b, nil
}

// count counts a block's extrinsics and other events, as their records come
// decoded from System.Events.
func (b *shownBlock) count(records any) {
	list, _ := records.([]any)
	for _, r := range list {
		record, _ := r.(map[string]any)
		outer, _ := record["event"].(scale.Variant)
		inner, _ := outer.At(0).(scale.Variant)
		switch name := outer.Name + "." + inner.Name; name {
		case "System.ExtrinsicFailed":
			b.Failed++
			fallthrough
		case "System.ExtrinsicSuccess":
			b.Extrinsics++
		default:
			if b.Events[name]++; b.Events[name] == 1 {
				b.order = append(b.order, name)
			}
		}
	}
}

func (b shownBlock) String() string {
	var events []string
	for _, name := range b.order {
		if n := b.Events[name]; n > 1 {
			name += " x" + strconv.Itoa(n)
		}
		events = append(events, name)
	}
	line := fmt.Sprintf("%8d  %s  %s…  %3d extrinsics", b.Number, b.Time.Format("2006-01-02 15:04:05"), b.Hash[:min(len(b.Hash), 10)], b.Extrinsics)
	if b.Failed > 0 {
		line += fmt.Sprintf(", %d failed", b.Failed)
	}
	if events != nil {
		line += "  " + strings.Join(events, ", ")
	}
	return line
}

// ChainAdvanceCommand lets time jump.
type ChainAdvanceCommand struct {
	endpointFlag
	Blocks int `arg:"" help:"How many blocks to make at once."`
}

// Help shows examples.
func (ChainAdvanceCommand) Help() string {
	return `Makes blocks at once, each a block time after the one before by the chain's
clock: epochs run, prices fall and rate limits end as if that time had passed.

Examples:
  adit chain advance 360`
}

// Run makes the blocks.
func (c ChainAdvanceCommand) Run(ctx context.Context, t terminal) error {
	n, err := c.network().network()
	if err != nil {
		return err
	}
	var hash string
	if err := chainnode.Ask(ctx, n.Endpoints[0], &hash, "engine_createBlocks", c.Blocks); err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.out, hash)
	return err
}

// ChainFaucetCommand gives away what the development accounts have.
type ChainFaucetCommand struct {
	endpointFlag
	Address string `arg:"" help:"Who gets it."`
	Amount  string `arg:"" default:"1000" help:"TAO."`
	From    string `default:"//Alice" placeholder:"URI" help:"The development account that gives it."`
}

// Help shows examples.
func (ChainFaucetCommand) Help() string {
	return `Transfers TAO from a development account, whose key everybody has, and waits
until it is in a block.

Examples:
  adit chain faucet 5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy
  adit chain faucet 5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy 0.5`
}

// A devSigner signs for a development account.
type devSigner struct{ *keys.Pair }

func (s devSigner) Sign(_ context.Context, payload []byte) ([]byte, error) {
	return s.Pair.Sign(payload)
}

// Run transfers.
func (c ChainFaucetCommand) Run(ctx context.Context, t terminal) error {
	rao, err := parseTAO(c.Amount)
	if err != nil {
		return err
	}
	pair, err := keys.FromURI(c.From)
	if err != nil {
		return err
	}
	client, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Transfer(ctx, devSigner{pair}, c.Address, rao); err != nil {
		return err
	}
	balance, err := client.Balance(ctx, c.Address)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "%s has %s TAO\n", c.Address, formatTAO(balance))
	return err
}

// ChainSnapshotCommand takes a snapshot.
type ChainSnapshotCommand struct {
	Dir   string `required:"" placeholder:"DIR" help:"Where the chain is kept. A node may be running there."`
	File  string `arg:"" help:"What to write."`
	Block int64  `default:"-1" placeholder:"N" help:"After which block; the newest unless told."`
}

// Help shows examples.
func (ChainSnapshotCommand) Help() string {
	return `Writes the state after one block to a file, with which other chains can begin:
the same accounts and subnets for every test.

Examples:
  adit chain snapshot --dir chain ready.state
  adit chain serve --dir test-1 --from ready.state`
}

// Run writes it.
func (c ChainSnapshotCommand) Run(t terminal) error {
	number, err := chainnode.WriteSnapshot(c.Dir, c.File, c.Block)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "block %d\n", number)
	return err
}
