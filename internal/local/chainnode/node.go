package chainnode

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"adit/internal/drand"
	"adit/internal/journal"
	"adit/internal/ledger"
	"adit/internal/scale"
	"adit/internal/subnet"
)

// Options is what a node may be told. Dir is needed.
type Options struct {
	Dir       string
	BlockTime time.Duration // between blocks; 0 makes them on demand only
	// Genesis is what a new chain begins with. Of a chain that is there already,
	// only its Spec and AllowLoopbackAxons count.
	Genesis ledger.Genesis
	// From is a file of [WriteSnapshot] that a new chain begins with, in the place
	// of the genesis.
	From string
	Emit func(subnet.Event) // nil: nobody is told

	segmentBlocks int                                       // segmentDefault, but in tests
	open          func(path string, flag int) (file, error) // openFile, but in tests
}

// A Node makes blocks and answers questions about them. It may be used by many
// goroutines.
type Node struct {
	opts     Options
	release  func()
	metadata map[uint8][]byte // by version
	apis     *scale.APIs[*ledger.Ledger]
	names    []string      // of the methods
	beacon   *drand.Beacon // nil: the chain takes the pulses of one that is not ours

	life context.Context // done when the node is to end
	end  context.CancelFunc

	mu      sync.Mutex // guards all below, and the feeds of every session
	closed  bool
	ledger  *ledger.Ledger
	history *history
	disk    *disk
	genesis kept
	blocks  []kept // since the oldest whose state is kept
	byHash  map[hash]uint32
	pool    pool
	feeds   map[*feed]bool // those that hear of every block
	past    []pastLedger   // states of older blocks, that asked for last at the end

	// announced is the key that clients encrypt to, in a span of blocks.
	announced struct {
		span uint32
		key  []byte
	}

	settling   []*pooled // in the last block, whose watchers do not know yet that it is final
	settlingIn hash
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
	if o.segmentBlocks == 0 {
		o.segmentBlocks = segmentDefault
	}
	if o.open == nil {
		o.open = openFile
	}
	n := &Node{
		opts: o, release: release, history: newHistory(), byHash: make(map[hash]uint32), pool: newPool(), feeds: make(map[*feed]bool),
		disk: &disk{dir: o.Dir, full: o.segmentBlocks, open: o.open},
	}
	n.life, n.end = context.WithCancel(context.Background())
	if err := n.load(); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	if err := n.describe(); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	if DevBeaconChain() == n.ledger.Beacon() {
		n.beacon = devBeacon()
	}
	n.names = slices.Sorted(maps.Keys(methods))
	return n, nil
}

// Close ends the node. Every block that anybody was told of is on disk already.
func (n *Node) Close() error {
	n.end()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	err := n.disk.close()
	n.release()
	return err
}

// load reads the chain from disk, or makes block 0.
func (n *Node) load() error {
	if err := n.disk.clean(); err != nil {
		return err
	}
	err := n.disk.read(func(s snapshot) error {
		h := s.Header.hash()
		if len(n.blocks) > 0 { // what it holds is known from the blocks before
			if h != n.head().hash {
				return fmt.Errorf("it continues block %d, but the segment before ends with block %d", s.Header.number(), n.number())
			}
			return nil
		}
		n.resume(s)
		return nil
	}, func(b block, p place) error {
		if b.Header.ParentHash != n.head().hash {
			return fmt.Errorf("block %d does not continue block %d", b.Header.number(), n.number())
		}
		n.history.add(b.Header.number(), fromChanges(b.Changes))
		n.adopt(kept{b.Header, b.Header.hash(), b.Millis, p})
		return nil
	})
	if err != nil {
		return err
	}
	if len(n.blocks) > 0 && n.opts.From != "" {
		return subnet.WithHint(fmt.Errorf("%s holds a chain already, and cannot begin with a snapshot", n.opts.Dir),
			"leave the snapshot out to go on with that chain, or choose another directory")
	}
	if len(n.blocks) == 0 && n.opts.From == "" {
		return n.begin()
	}
	if len(n.blocks) == 0 {
		if err := n.beginFrom(n.opts.From); err != nil {
			return err
		}
	}
	n.restore()
	return nil
}

// resume takes a snapshot for the first block whose state is held.
func (n *Node) resume(s snapshot) {
	n.genesis = kept{header: s.Genesis, hash: s.Genesis.hash()}
	n.history.add(s.Header.number(), fromChanges(s.Values))
	n.history.oldest = s.Header.number()
	n.adopt(kept{header: s.Header, hash: s.Header.hash(), millis: s.Millis})
}

// begin makes block 0.
func (n *Node) begin() error {
	n.ledger = ledger.New(n.opts.Genesis)
	changes := n.ledger.End()
	first := kept{millis: uint64(time.Now().UnixMilli())}
	stored := toChanges(changes)
	first.header.StateRoot, first.header.ExtrinsicsRoot = roots(hash{}, stored, nil)
	first.hash = first.header.hash()
	n.genesis = first
	n.history.add(0, changes)
	n.adopt(first)
	n.ledger.Seal(first.hash)
	return n.disk.begin(snapshot{first.header, first.header, first.millis, stored})
}

// adopt makes a block the head.
func (n *Node) adopt(b kept) {
	n.blocks = append(n.blocks, b)
	n.byHash[b.hash] = b.header.number()
}

// restore makes the ledger what it was after the head.
func (n *Node) restore() {
	n.ledger = ledger.Restore(n.opts.Genesis, n.history.values(n.number()))
	n.ledger.Seal(n.head().hash)
}

func (n *Node) head() kept { return n.blocks[len(n.blocks)-1] }

// number returns the head's.
func (n *Node) number() uint32 { return n.head().header.number() }

// block returns a block that is kept, or false.
func (n *Node) block(number uint32) (kept, bool) {
	if number == 0 {
		return n.genesis, true
	}
	first := n.blocks[0].header.number()
	if number < first || number > n.number() {
		return kept{}, false
	}
	return n.blocks[number-first], true
}

// find is block by a hash.
func (n *Node) find(h hash) (kept, bool) {
	if h == n.genesis.hash {
		return n.genesis, true
	}
	number, ok := n.byHash[h]
	if !ok {
		return kept{}, false
	}
	return n.block(number)
}

// hashOf returns the hash of a block on the chain, or false. Unlike upstream,
// which knows those of all blocks, only block 0 is remembered once its state is
// discarded: a chain of a quarter second a block would gather a gigabyte in
// three months.
func (n *Node) hashOf(number uint32) (hash, bool) {
	b, ok := n.block(number)
	return b.hash, ok
}
