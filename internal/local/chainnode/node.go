package chainnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"adit/internal/journal"
	"adit/internal/ledger"
	"adit/internal/subnet"
)

// Options is what a node may be told.
type Options struct {
	Dir       string
	BlockTime time.Duration // between blocks; 0 makes them on demand only
	Genesis   ledger.Genesis
	Emit      func(subnet.Event)
}

// A Node makes blocks and answers questions about them.
type Node struct {
	opts    Options
	release func()

	mu       sync.Mutex
	ledger   *ledger.Ledger
	history  *history
	disk     *disk
	blocks   []block // since the oldest state kept
	byHash   map[hash]uint32
	genesis  hash
	pool     pool
	watchers watchers
	metadata []byte
}

// Open opens the chain in the directory, or begins one. No other process can
// open it until it is closed.
func Open(o Options) (*Node, error) {
	if _, err := journal.OpenDir(o.Dir); err != nil {
		return nil, err
	}
	release, err := journal.Lock(o.Dir)
	if err != nil {
		return nil, err
	}
	n := &Node{opts: o, release: release, history: newHistory(), disk: &disk{dir: o.Dir}, byHash: make(map[hash]uint32)}
	if err := n.load(); err != nil {
		n.Close()
		return nil, err
	}
	n.metadata = n.ledger.Metadata()
	return n, nil
}

// Close ends the node. Blocks are on disk already.
func (n *Node) Close() error {
	err := n.disk.close()
	n.release()
	return err
}

// load reads the chain from disk, or makes block 0.
func (n *Node) load() error {
	var first *snapshot
	err := n.disk.read(func(s snapshot) error {
		first = &s
		n.history.add(s.Number, fromChanges(s.Values))
		n.history.oldest = s.Number
		n.adopt(block{Header: header{StateRoot: s.State}, Millis: s.Millis}, s.Number, s.Hash)
		return nil
	}, func(b block) error {
		if want := n.number() + 1; b.Header.Number.V != want {
			return fmt.Errorf("block %d, want %d", b.Header.Number.V, want)
		}
		n.history.add(b.Header.Number.V, fromChanges(b.Changes))
		n.adopt(b, b.Header.Number.V, b.Header.hash())
		return nil
	})
	if err != nil {
		return err
	}
	if first == nil {
		return n.begin()
	}
	n.restore()
	genesis, err := n.hashOf(0)
	n.genesis = genesis
	return err
}

// begin makes block 0.
func (n *Node) begin() error {
	n.ledger = ledger.New(n.opts.Genesis)
	changes := toChanges(n.ledger.End())
	b := block{Millis: uint64(time.Now().UnixMilli())}
	b.Header.StateRoot, b.Header.ExtrinsicsRoot = roots(hash{}, changes, nil)
	n.genesis = b.Header.hash()
	n.history.add(0, fromChanges(changes))
	n.adopt(b, 0, n.genesis)
	n.ledger.Seal(n.genesis)
	_, err := n.disk.begin(snapshot{Hash: n.genesis, State: b.Header.StateRoot, Millis: b.Millis, Values: changes})
	return err
}

// adopt makes a block the head.
func (n *Node) adopt(b block, number uint32, h hash) {
	b.Header.Number.V = number
	b.Changes = nil // the history has them
	n.blocks = append(n.blocks, b)
	n.byHash[h] = number
}

// restore makes the ledger what it was after the head.
func (n *Node) restore() {
	n.ledger = ledger.Restore(n.opts.Genesis, n.history.values(n.number()))
	n.ledger.Seal(n.headHash())
}

// number returns the head's.
func (n *Node) number() uint32 { return n.blocks[len(n.blocks)-1].Header.Number.V }

// block returns a block that is kept, or false.
func (n *Node) block(number uint32) (block, bool) {
	first := n.blocks[0].Header.Number.V
	if number < first || number > n.number() {
		return block{}, false
	}
	return n.blocks[number-first], true
}

// headHash returns the head's hash: the snapshot that a chain begins with after
// a restart has no header to compute it from.
func (n *Node) headHash() hash {
	head := n.number()
	if b, _ := n.block(head); head > n.blocks[0].Header.Number.V {
		return b.Header.hash()
	}
	for h, number := range n.byHash {
		if number == head {
			return h
		}
	}
	panic("unreachable: every block kept has a hash")
}

// hashOf returns the hash of a block on the chain, however old.
func (n *Node) hashOf(number uint32) (hash, error) {
	if number == n.number() {
		return n.headHash(), nil
	}
	var h hash
	value := n.history.at(n.number(), blockHashKey(number))
	if copy(h[:], value) != len(h) {
		return h, fmt.Errorf("no block %d", number)
	}
	return h, nil
}

// Run makes blocks at the pace of the options until ctx is done.
func (n *Node) Run(ctx context.Context) error {
	if n.opts.BlockTime <= 0 {
		<-ctx.Done()
		return nil
	}
	ticker := time.NewTicker(n.opts.BlockTime)
	defer ticker.Stop()
	full := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		_, err := n.Produce()
		if err != nil && !full {
			n.emit(subnet.Event{Level: slog.LevelError, Kind: "chain", Text: "no block made, trying again", Attrs: []slog.Attr{slog.String("error", err.Error())}})
		}
		full = err != nil
	}
}

func (n *Node) emit(e subnet.Event) {
	if n.opts.Emit != nil {
		n.opts.Emit(e)
	}
}

// Produce makes one block of what is in the pool and returns its hash.
func (n *Node) Produce() (hash, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	parent := n.headHash()
	last := n.blocks[len(n.blocks)-1]
	number := last.Header.Number.V + 1
	// Blocks on demand come faster than the clock: their times do not.
	millis := max(uint64(time.Now().UnixMilli()), last.Millis+uint64(max(n.opts.BlockTime, time.Millisecond).Milliseconds()))

	n.ledger.Begin(number, parent, millis)
	extrinsics := [][]byte{ledger.TimestampExtrinsic(millis)}
	var included []*pooled
	for _, x := range n.pool.ready() {
		if _, err := n.ledger.Apply(x.bytes); err != nil {
			if invalid, ok := errors.AsType[*ledger.InvalidError](err); ok && invalid.Kind == ledger.InvalidFuture {
				continue // its time will come
			}
			n.pool.remove(x)
			x.tell("invalid")
			continue
		}
		extrinsics = append(extrinsics, x.bytes)
		included = append(included, x)
	}
	b := block{Millis: millis, Extrinsics: extrinsics, Changes: toChanges(n.ledger.End())}
	b.Header.ParentHash = parent
	b.Header.Number.V = number
	b.Header.StateRoot, b.Header.ExtrinsicsRoot = roots(last.Header.StateRoot, b.Changes, extrinsics)
	h := b.Header.hash()
	if err := n.disk.append(b); err != nil {
		n.restore() // as if the block had not been tried
		return hash{}, fmt.Errorf("write block %d: %w", number, err)
	}
	n.ledger.Seal(h)
	n.history.add(number, fromChanges(b.Changes))
	n.adopt(b, number, h)
	for _, x := range included {
		n.pool.remove(x)
		x.tell("inBlock", h)
		x.tell("finalized", h)
	}
	n.watchers.head(b.Header)
	return h, n.rotate(h)
}

// rotate begins a new segment when the newest is full, and forgets what the
// oldest held.
func (n *Node) rotate(h hash) error {
	if n.disk.blocks < segmentBlocks {
		return nil
	}
	head := n.blocks[len(n.blocks)-1]
	values := n.history.values(n.number())
	s := snapshot{Number: n.number(), Hash: h, State: head.Header.StateRoot, Millis: head.Millis}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		c := change{Key: []byte(key)}
		c.Value.Some, c.Value.V = true, values[key]
		s.Values = append(s.Values, c)
	}
	oldest, err := n.disk.begin(s)
	if err != nil {
		return fmt.Errorf("begin a segment: %w", err)
	}
	n.history.forget(uint32(oldest))
	n.blocks = slices.Clone(slices.DeleteFunc(n.blocks, func(b block) bool { return b.Header.Number.V < uint32(oldest) }))
	maps.DeleteFunc(n.byHash, func(_ hash, number uint32) bool { return number < uint32(oldest) })
	return nil
}
