package chainnode

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"adit/internal/ledger"
	"adit/internal/scale"
)

// A pool holds extrinsics that wait for a block. It is guarded by the node.
type pool struct {
	byHash   map[hash]*pooled
	accounts map[[32]byte]map[uint32]*pooled // by nonce
	bytes    int
	arrivals uint64
	bans     bans
}

// maxPool and maxPoolBytes are how many extrinsics may wait, as on upstream's
// nodes.
const (
	maxPool      = 8192
	maxPoolBytes = 20 << 20
)

// A pooled is an extrinsic in the pool.
type pooled struct {
	hash     hash
	bytes    []byte
	who      [32]byte
	nonce    uint32
	priority uint64
	dies     uint64 // the first block that cannot take it
	arrived  uint64
	bare     bool  // nobody's: it waits for no other
	ready    bool  // its watcher knows that nothing must come before it
	watch    *feed // nil if nobody asked
}

// tell tells the watcher what has become of an extrinsic. After an end nothing
// follows.
func (x *pooled) tell(status any, end bool) {
	if x.watch == nil {
		return
	}
	x.watch.notify(status)
	if end {
		x.watch.end()
	}
}

func newPool() pool {
	return pool{byHash: make(map[hash]*pooled), accounts: make(map[[32]byte]map[uint32]*pooled)}
}

// refused returns why an extrinsic is not even looked at, if so.
func (p *pool) refused(h hash) error {
	switch {
	case p.bans.has(h):
		return &rpcError{Code: 1012, Message: "Transaction is temporarily banned"}
	case p.byHash[h] != nil:
		return &rpcError{Code: 1013, Message: "Transaction Already Imported", Data: asHex(h)}
	}
	return nil
}

// add takes in an extrinsic that the ledger finds valid after block head. One of
// the same account and nonce gives way if it offers less. nonce returns an
// account's next.
func (p *pool) add(h hash, xt []byte, v ledger.Validity, head uint32, nonce func([32]byte) uint32, watch *feed) error {
	x := &pooled{hash: h, bytes: bytes.Clone(xt), who: v.Provides.Account, nonce: v.Provides.Nonce,
		priority: v.Priority, dies: uint64(head) + v.Longevity, watch: watch}
	x.bare = isBare(xt)
	old := p.accounts[x.who][x.nonce]
	if old != nil && x.priority <= old.priority {
		return &rpcError{Code: 1014, Message: fmt.Sprintf("Priority is too low: (%d vs %d)", old.priority, x.priority),
			Data: "The transaction has too low priority to replace another transaction already in the pool."}
	}
	for p.full(x, old) {
		last := p.stuck(nonce, old)
		if last == nil {
			return &rpcError{Code: 1016, Message: "Immediately Dropped", Data: "The transaction couldn't enter the pool because of the limit"}
		}
		p.remove(last)
		last.tell("dropped", true)
	}
	if old != nil {
		p.remove(old)
		old.tell(map[string]any{"usurped": asHex(h)}, true)
	}
	p.arrivals++
	x.arrived = p.arrivals
	p.byHash[h] = x
	p.bytes += len(x.bytes)
	if x.bare {
		x.ready = true
		x.tell("ready", false)
		return nil
	}
	if p.accounts[x.who] == nil {
		p.accounts[x.who] = make(map[uint32]*pooled)
	}
	p.accounts[x.who][x.nonce] = x
	// Nothing is to be walked through that is ready: lines get thousands long.
	if before := p.accounts[x.who][x.nonce-1]; x.nonce <= nonce(x.who) || before != nil && before.ready {
		for _, next := range p.line(x.who, x.nonce) {
			if next.ready {
				break
			}
			next.ready = true
			next.tell("ready", false)
		}
	}
	if !x.ready {
		x.tell("future", false)
	}
	return nil
}

// isBare reports whether an extrinsic has no signature.
func isBare(xt []byte) bool {
	const version = 0x04
	d := scale.NewDecoder(xt)
	if _, err := d.Compact(); err != nil {
		return false
	}
	b, err := d.Byte()
	return err == nil && b == version
}

// line returns the extrinsics of an account from a nonce on without a gap.
func (p *pool) line(who [32]byte, nonce uint32) []*pooled {
	var line []*pooled
	for x := p.accounts[who][nonce]; x != nil; x = p.accounts[who][nonce] {
		line = append(line, x)
		nonce++
	}
	return line
}

// full reports whether there is no room for an extrinsic in the place of another
// or of none.
func (p *pool) full(x, old *pooled) bool {
	count, size := len(p.byHash)+1, p.bytes+len(x.bytes)
	if old != nil {
		count, size = count-1, size-len(old.bytes)
	}
	return count > maxPool || size > maxPoolBytes
}

// stuck returns the oldest extrinsic, except for one, that waits for another to
// come before it.
func (p *pool) stuck(nonce func([32]byte) uint32, except *pooled) *pooled {
	runs := make(map[*pooled]bool)
	for who := range p.accounts {
		for _, x := range p.line(who, nonce(who)) {
			runs[x] = true
		}
	}
	var oldest *pooled
	for _, x := range p.byHash {
		if !runs[x] && !x.bare && x != except && (oldest == nil || x.arrived < oldest.arrived) {
			oldest = x
		}
	}
	return oldest
}

func (p *pool) remove(x *pooled) {
	delete(p.byHash, x.hash)
	p.bytes -= len(x.bytes)
	if x.bare {
		return
	}
	delete(p.accounts[x.who], x.nonce)
	if len(p.accounts[x.who]) == 0 {
		delete(p.accounts, x.who)
	}
}

// expire removes what block number cannot take any more.
func (p *pool) expire(number uint32) {
	for _, x := range p.byHash {
		if x.dies <= uint64(number) {
			p.drop(x)
		}
	}
}

// drop removes an extrinsic that has become invalid.
func (p *pool) drop(x *pooled) {
	p.remove(x)
	p.bans.add(x.hash)
	x.tell("invalid", true)
	for _, next := range p.line(x.who, x.nonce+1) { // which wait again
		if !next.ready {
			break
		}
		next.ready = false
	}
}

// ready returns what may go into a block: in order of arrival, but each
// account's by nonce, and what nobody signed first. Unlike upstream, a tip buys no earlier place: blocks are
// hardly ever full here.
func (p *pool) ready(nonce func([32]byte) uint32) []*pooled {
	lines := make(map[[32]byte][]*pooled, len(p.accounts))
	var list []*pooled
	for who := range p.accounts {
		lines[who] = p.line(who, nonce(who))
		list = append(list, lines[who]...)
	}
	byArrival := func(a, b *pooled) int { return cmp.Compare(a.arrived, b.arrived) }
	slices.SortFunc(list, byArrival)
	for i, x := range list {
		list[i], lines[x.who] = lines[x.who][0], lines[x.who][1:]
	}
	var bare []*pooled
	for _, x := range p.byHash {
		if x.bare {
			bare = append(bare, x)
		}
	}
	slices.SortFunc(bare, byArrival)
	return append(bare, list...)
}

// nextNonce returns the nonce after those of the account that wait without a
// gap, given the account's own.
func (p *pool) nextNonce(who [32]byte, nonce uint32) uint32 {
	return nonce + uint32(len(p.line(who, nonce)))
}

// bans are the extrinsics that need not be looked at again: those on chain, and
// those that were invalid. Unlike upstream, where a ban is for half an hour, it
// is for the next maxBans extrinsics at least.
type bans struct{ young, old map[hash]bool }

const maxBans = 4096

func (b *bans) add(h hash) {
	if b.young == nil || len(b.young) >= maxBans {
		b.young, b.old = make(map[hash]bool), b.young
	}
	b.young[h] = true
}

func (b *bans) has(h hash) bool { return b.young[h] || b.old[h] }
