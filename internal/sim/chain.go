package sim

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"adit/internal/keys"
	"adit/internal/ledger"
	"adit/internal/scale"
	"adit/internal/subnet"
)

// A Chain is the real ledger with a block every BlockTime of virtual time. What
// is sent goes into the next block. Blocks are made when somebody looks, so that
// the many in which nothing happens cost next to nothing.
type Chain struct {
	blockTime time.Duration
	genesis   time.Time
	netuid    uint16

	mu          sync.Mutex
	ledger      *ledger.Ledger
	founded     ledger.Genesis
	values      map[string][]byte // what the ledger held when it was flushed last
	head        subnet.Block
	pending     []*sent
	commitments []versionOf[[]subnet.Commitment]
	metagraphs  []versionOf[*subnet.Metagraph]
	// What the head has changed and record has not kept yet.
	committed, judged bool

	forks    []*fork // that are to come, in order
	forked   int     // that were, each of which makes other hashes
	included []inclusion
}

// An inclusion is a call that went well in a block.
type inclusion struct {
	block subnet.Block
	sent  *sent
}

// A versionOf is a state from a block on.
type versionOf[T any] struct {
	block subnet.Block
	state T
}

// sent is a call on its way into a block.
type sent struct {
	who  [32]byte
	call ledger.Call
	due  subnet.Block // at which it is included
	done chan answered
}

// answered is what became of a call, and in which block.
type answered struct {
	block subnet.Block
	err   error
}

// newChain founds a chain with one subnet of the given tempo and registers the
// hotkeys, of which the first validators get stake.
func newChain(blockTime time.Duration, tempo uint16, hotkeys [][32]byte, validators int) (*Chain, error) {
	const balance = 1_000_000 * 1_000_000_000
	owner := [32]byte{0xff}
	g := ledger.Genesis{Balances: map[[32]byte]uint64{owner: balance}}
	c := &Chain{blockTime: blockTime, genesis: time.Now(), netuid: 1, founded: g, ledger: ledger.New(g), values: make(map[string][]byte)}
	c.flush()
	c.step()
	do := func(root bool, call ledger.Call) error {
		if root {
			return c.ledger.DispatchRoot(call)
		}
		return c.ledger.Dispatch(owner, call)
	}
	type act struct {
		root bool
		call ledger.Call
	}
	acts := []act{
		{true, &ledger.SetStartCallDelay{}},
		{true, &ledger.SetAdminFreezeWindow{}},
		{false, &ledger.RegisterNetwork{Hotkey: [32]byte{0xfe}}},
		{false, &ledger.StartCall{Netuid: 1}},
		{true, &ledger.SetTempo{Netuid: 1, Tempo: tempo}},
		{true, &ledger.SetWeightsSetRateLimit{Netuid: 1}},
		{true, &ledger.SetCommitRevealEnabled{Netuid: 1}},
		// Whoever stakes later gets less for it, and miners earn stake: with as many
		// permits as validators the last of them would lose its own.
		{true, &ledger.SetMaxAllowedValidators{Netuid: 1, MaxAllowedValidators: uint16(len(hotkeys) + 1)}},
		{true, &ledger.SetRegistrationAllowed{Netuid: 1, RegistrationAllowed: true}},
	}
	for i, h := range hotkeys {
		acts = append(acts, act{false, &ledger.BurnedRegister{Netuid: 1, Hotkey: h}})
		if i < validators {
			acts = append(acts, act{false, &ledger.AddStake{Hotkey: h, Netuid: 1, AmountStaked: 2_000 * 1_000_000_000}})
		}
	}
	for _, a := range acts {
		if err := do(a.root, a.call); err != nil {
			return nil, fmt.Errorf("set up the chain: %T: %w", a.call, err)
		}
	}
	c.committed, c.judged = true, true
	c.record()
	return c, nil
}

// now returns the height that the clock says.
func (c *Chain) now() subnet.Block { return subnet.Block(time.Since(c.genesis) / c.blockTime) }

// catchUp makes the blocks that are due. The caller holds the lock.
func (c *Chain) catchUp() {
	for c.head < c.now() {
		c.reorganise()
		c.step()
		c.pending = slices.DeleteFunc(c.pending, func(s *sent) bool {
			if s.due > c.head {
				return false
			}
			c.include(s)
			return true
		})
		c.record()
	}
}

// include carries out a call in the head.
func (c *Chain) include(s *sent) {
	err := c.ledger.Dispatch(s.who, s.call)
	if _, ok := s.call.(*ledger.SetCommitment); ok {
		c.committed = true
	} else {
		c.judged = true
	}
	if err == nil {
		c.included = append(c.included, inclusion{c.head, s})
	}
	select {
	case s.done <- answered{c.head, err}:
	default: // it was in a block before, which is no more
	}
}

// changesKept is for how many blocks the ledger may collect what they changed:
// nobody here asks for it block by block.
const changesKept = 256

// step begins the next block, which is when epochs run.
func (c *Chain) step() {
	if next, ok := c.ledger.NextEpoch(c.netuid); ok && next <= uint64(c.head)+1 {
		c.judged = true
	}
	c.head++
	if c.head%changesKept == 0 {
		c.flush()
	}
	c.ledger.Begin(uint32(c.head), c.hash(c.head-1), uint64(c.head)*uint64(c.blockTime.Milliseconds()))
}

// record keeps the state after the head, as far as it differs from the one
// before.
func (c *Chain) record() {
	if c.judged {
		meta, _ := c.ledger.Metagraph(subnet.NetUID(c.netuid))
		c.metagraphs = keep(c.metagraphs, versionOf[*subnet.Metagraph]{c.head, meta})
	}
	if c.committed {
		c.commitments = keep(c.commitments, versionOf[[]subnet.Commitment]{c.head, c.ledger.Commitments(subnet.NetUID(c.netuid))})
	}
	c.committed, c.judged = false, false
}

// keep adds the newest state and forgets what is long past.
func keep[T any](list []versionOf[T], newest versionOf[T]) []versionOf[T] {
	const kept = 1024
	list = append(list, newest)
	return list[max(0, len(list)-kept):]
}

// stateAt returns the state after a block.
func stateAt[T any](list []versionOf[T], at subnet.Block) (state T, err error) {
	for _, v := range slices.Backward(list) {
		if v.block <= at {
			return v.state, nil
		}
	}
	return state, fmt.Errorf("state of block %d is gone", at)
}

// hash is what nobody can predict from the block before, and everybody can
// repeat from the number.
func (c *Chain) hash(b subnet.Block) [32]byte {
	fork := 0
	for i := range c.forked {
		if f := c.forks[i]; b > f.base {
			fork = i + 1
		}
	}
	return sha256.Sum256(binary.LittleEndian.AppendUint64(fmt.Appendf(nil, "simulated block of fork %d", fork), uint64(b)))
}

// as returns the chain as a hotkey sees it.
func (c *Chain) as(hotkey [32]byte) *client { return &client{Chain: c, hotkey: hotkey} }

// A client is one neuron's view of the chain. Late, if not nil, says by how many
// blocks what is sent now is included late.
type client struct {
	*Chain
	hotkey [32]byte
	late   func() subnet.Block
}

var _ subnet.Chain = (*client)(nil)

func (c *client) Head(context.Context) (subnet.Block, error) {
	return c.now(), nil
}

func (c *client) Wait(ctx context.Context, b subnet.Block) error {
	timer := time.NewTimer(time.Until(c.genesis.Add(time.Duration(b) * c.blockTime)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for block %d: %w", b, context.Cause(ctx))
	}
}

func (c *client) Hash(_ context.Context, b subnet.Block) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	h := c.hash(b)
	return "0x" + hex.EncodeToString(h[:]), nil
}

// Time implements [subnet.Chain].
func (c *client) Time(_ context.Context, b subnet.Block) (time.Time, error) {
	if b == subnet.Latest {
		b = c.now()
	}
	if b > c.now() {
		return time.Time{}, fmt.Errorf("block %d: %w", b, subnet.ErrNotFound)
	}
	return c.genesis.Add(time.Duration(b) * c.blockTime), nil
}

func (c *client) Metagraph(_ context.Context, at subnet.Block) (*subnet.Metagraph, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	return stateAt(c.metagraphs, at)
}

func (c *client) Commitments(_ context.Context, at subnet.Block) ([]subnet.Commitment, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	return stateAt(c.commitments, at)
}

func (c *client) Commit(ctx context.Context, fields ...string) (subnet.Block, error) {
	info := ledger.CommitmentInfo{}
	for _, f := range fields {
		d, err := ledger.RawData(f)
		if err != nil {
			return 0, err
		}
		info.Fields = append(info.Fields, d)
	}
	return c.send(ctx, &ledger.SetCommitment{Netuid: c.netuid, Info: info})
}

func (c *client) SetWeights(ctx context.Context, weights []subnet.Weight) (subnet.Block, error) {
	call := &ledger.SetWeights{Netuid: c.netuid}
	var largest float64
	for _, w := range weights {
		largest = max(largest, w.Value)
	}
	for _, w := range weights {
		if w.Value > 0 {
			call.Dests = append(call.Dests, uint16(w.UID))
			call.Weights = append(call.Weights, uint16(math.Round(w.Value/largest*math.MaxUint16)))
		}
	}
	return c.send(ctx, call)
}

func (c *client) ServeAxon(ctx context.Context, addr netip.AddrPort) error {
	ip := addr.Addr().As4()
	_, err := c.send(ctx, &ledger.ServeAxon{Netuid: c.netuid, IP: scale.U128{Lo: uint64(binary.BigEndian.Uint32(ip[:]))}, Port: addr.Port(), IPType: 4})
	return err
}

// send puts a call into the next block, or a later one, and waits for it.
func (c *client) send(ctx context.Context, call ledger.Call) (subnet.Block, error) {
	s := &sent{who: c.hotkey, call: call, done: make(chan answered, 1)}
	c.mu.Lock()
	c.catchUp()
	s.due = c.head + 1
	if c.late != nil {
		s.due += c.late()
	}
	c.pending = append(c.pending, s)
	due := s.due
	c.mu.Unlock()
	if err := c.Wait(ctx, due); err != nil {
		return 0, err // it may be in the block all the same
	}
	c.mu.Lock()
	c.catchUp()
	c.mu.Unlock()
	a := <-s.done
	if a.err != nil {
		return 0, a.err
	}
	return a.block, nil
}

// address is a hotkey as neurons are called.
func address(hotkey [32]byte) subnet.Hotkey { return subnet.Hotkey(keys.Address(hotkey)) }
