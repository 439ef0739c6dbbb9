package chainnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"adit/internal/ledger"
	"adit/internal/subnet"
)

// maxBody is the most bytes the extrinsics of a block may have, upstream's
// limit for its normal class.
const maxBody = 7_864_320

// Run makes blocks at the pace of the options until ctx is done. A block that
// cannot be made, as on a full disk, is tried again.
func (n *Node) Run(ctx context.Context) error {
	if n.opts.BlockTime <= 0 {
		<-ctx.Done()
		return nil
	}
	timer := time.NewTimer(n.opts.BlockTime)
	defer timer.Stop()
	halted := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		_, err := n.Produce()
		timer.Reset(n.pause(err == nil))
		switch {
		case err != nil && !halted:
			n.emit(slog.LevelError, "no block made, trying again", err)
		case err == nil && halted:
			n.emit(slog.LevelInfo, "blocks are made again", nil)
		}
		halted = err != nil
	}
}

// pause returns how long to wait for the next block: until a block time after the
// last one by its own time. After one that came late the next does too, since its time
// is a block time later at least, and the chain's clock would be ahead of the world's
// for good. Where a client has made time jump, it is ahead, and stays so.
func (n *Node) pause(made bool) time.Duration {
	if !made {
		return n.opts.BlockTime
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	next := time.UnixMilli(int64(n.head().millis)).Add(n.opts.BlockTime)
	return min(max(time.Until(next), 0), n.opts.BlockTime)
}

func (n *Node) emit(level slog.Level, text string, err error) {
	if n.opts.Emit == nil {
		return
	}
	e := subnet.Event{Level: level, Kind: "chain", Text: text}
	if err != nil {
		e.Attrs = []slog.Attr{slog.String("error", err.Error())}
	}
	n.opts.Emit(e)
}

// Produce makes one block of what is in the pool and returns its hash. After an
// error there is no block, and the pool is as it was.
func (n *Node) Produce() ([32]byte, error) {
	n.mu.Lock()
	h, err := n.produce(uint64(time.Now().UnixMilli()))
	var late error
	if err == nil {
		late = n.rotate()
	}
	n.mu.Unlock()
	if late != nil {
		n.emit(slog.LevelWarn, "old blocks are not removed, trying again after the next", late)
	}
	return h, err
}

// maxAdvance is how many blocks a client may have made at a time.
const maxAdvance = 1_000_000

// Advance makes so many blocks at once, each a block time after the one before
// by the chain's clock: a jump in time. Others may ask and send between them. It
// returns the hash of the last.
func (n *Node) Advance(ctx context.Context, count int) (h [32]byte, err error) {
	for range count {
		if err := ctx.Err(); err != nil {
			return h, err
		}
		if h, err = n.Produce(); err != nil {
			return h, err
		}
	}
	return h, nil
}

// A made block is what feeds hear of.
type made struct {
	kept
	changes []ledger.Change
}

// produce makes a block at a time in milliseconds since 1970.
func (n *Node) produce(now uint64) (hash, error) {
	if n.closed { // and the directory perhaps another's
		return hash{}, errors.New("make a block: the node is closed")
	}
	head := n.head()
	b := block{Header: header{ParentHash: head.hash}}
	b.Header.Number.V = head.header.number() + 1
	// Blocks on demand come faster than the clock: their times do not.
	b.Millis = max(now, head.millis+uint64(max(n.opts.BlockTime, time.Millisecond).Milliseconds()))

	n.ledger.Begin(b.Header.number(), head.hash, b.Millis)
	included, refused := n.fill(&b)
	changes := n.ledger.End()
	b.Changes = toChanges(changes)
	b.Header.StateRoot, b.Header.ExtrinsicsRoot = roots(head.header.StateRoot, b.Changes, b.Extrinsics)
	place, err := n.disk.append(b)
	if err != nil {
		n.restore() // as if the block had not been tried
		return hash{}, fmt.Errorf("write block %d: %w", b.Header.number(), err)
	}
	next := kept{b.Header, b.Header.hash(), b.Millis, place}
	n.ledger.Seal(next.hash)
	n.history.add(next.header.number(), changes)
	n.adopt(next)

	for _, x := range included {
		n.pool.remove(x)
		n.pool.bans.add(x.hash)
		x.tell(map[string]any{"inBlock": asHex(next.hash)}, false)
	}
	n.settle(included, next.hash)
	for _, x := range refused {
		n.pool.drop(x)
	}
	n.pool.expire(next.header.number() + 1)
	for f := range n.feeds {
		f.onBlock(made{next, changes})
	}
	return next.hash, nil
}

// settle tells watchers that their extrinsics are final. Blocks are at once; but
// polkadot.js fetches the block that it hears of first, and forgets about it if
// it hears of the end meanwhile. So the end is told with the next block, if that
// comes by itself.
func (n *Node) settle(included []*pooled, block hash) {
	if n.opts.BlockTime > 0 {
		included, n.settling = n.settling, included
		block, n.settlingIn = n.settlingIn, block
	}
	for _, x := range included {
		x.tell(map[string]any{"finalized": asHex(block)}, true)
	}
}

// fill puts extrinsics from the pool into a block, and returns which are in it
// and which no block can take any more.
func (n *Node) fill(b *block) (included, refused []*pooled) {
	b.Extrinsics = [][]byte{ledger.TimestampExtrinsic(b.Millis)}
	number := b.Header.number()
	if xt := n.announce(number); xt != nil {
		if _, err := n.ledger.Apply(xt); err == nil {
			b.Extrinsics = append(b.Extrinsics, xt)
		}
	}
	if xt := n.pulses(b); xt != nil {
		if _, err := n.ledger.Apply(xt); err == nil { // or somebody's pulse of that round came first
			b.Extrinsics = append(b.Extrinsics, xt)
		}
	}
	room := maxBody
	for _, x := range n.pool.ready(n.ledger.Nonce) {
		if len(x.bytes) > room {
			continue
		}
		if _, err := n.ledger.Apply(x.bytes); err != nil {
			invalid, ok := errors.AsType[*ledger.InvalidError](err)
			if !ok || invalid.Kind != ledger.InvalidFuture { // whose predecessor has just failed
				refused = append(refused, x)
			}
			continue
		}
		room -= len(x.bytes)
		b.Extrinsics = append(b.Extrinsics, x.bytes)
		included = append(included, x)
		// What is encrypted in it follows at once, before others can have read it.
		// If it cannot, or has no sender, it is found nowhere.
		inner, ok, err := n.unshield(number, x.bytes)
		if !ok || err != nil || len(inner) > room || isBare(inner) {
			continue
		}
		if _, err := n.ledger.Apply(inner); err == nil {
			room -= len(inner)
			b.Extrinsics = append(b.Extrinsics, inner)
		}
	}
	return included, refused
}

// rotate begins a new segment when the newest is full, and forgets what the
// oldest held.
func (n *Node) rotate() error {
	if n.disk.blocks < n.disk.full {
		return nil
	}
	head := n.head()
	s := stateOf(n.genesis.header, head.header, head.millis, n.history.values(n.number()))
	if err := n.disk.begin(s); err != nil {
		return fmt.Errorf("begin a segment: %w", err)
	}
	oldest, err := n.disk.prune()
	if err != nil {
		return fmt.Errorf("remove a segment: %w", err)
	}
	n.forget(oldest)
	return nil
}

// forget drops the blocks before one, and what is not on disk of that one.
func (n *Node) forget(oldest uint32) {
	first := n.blocks[0].header.number()
	if oldest <= first {
		return
	}
	for _, b := range n.blocks[:oldest-first] {
		delete(n.byHash, b.hash)
	}
	n.blocks = slices.Clone(n.blocks[oldest-first:])
	n.blocks[0].place = place{}
	n.history.forget(oldest)
}
