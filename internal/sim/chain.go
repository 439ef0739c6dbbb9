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
	head        subnet.Block
	pending     []*sent
	commitments []versionOf[[]subnet.Commitment]
	metagraphs  []versionOf[*subnet.Metagraph]
	// What the head has changed and record has not kept yet.
	committed, judged bool
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
	done chan error
}

// newChain founds a chain with one subnet of the given tempo and registers the
// hotkeys, of which the first validators get stake.
func newChain(blockTime time.Duration, tempo uint16, hotkeys [][32]byte, validators int) (*Chain, error) {
	const balance = 1_000_000 * 1_000_000_000
	owner := [32]byte{0xff}
	g := ledger.Genesis{Balances: map[[32]byte]uint64{owner: balance}}
	c := &Chain{blockTime: blockTime, genesis: time.Now(), netuid: 1, ledger: ledger.New(g)}
	c.ledger.End()
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
		c.step()
		for _, s := range c.pending {
			err := c.ledger.Dispatch(s.who, s.call)
			if _, ok := s.call.(*ledger.SetCommitment); ok {
				c.committed = true
			} else {
				c.judged = true
			}
			s.done <- err
		}
		c.pending = c.pending[:0]
		c.record()
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
		c.ledger.End()
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
	return sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("simulated block"), uint64(b)))
}

// as returns the chain as a hotkey sees it.
func (c *Chain) as(hotkey [32]byte) *client { return &client{Chain: c, hotkey: hotkey} }

// A client is one neuron's view of the chain. Fault, if not nil, is asked before
// every call and may fail it.
type client struct {
	*Chain
	hotkey [32]byte
	fault  func(op string) error
}

var _ subnet.Chain = (*client)(nil)

func (c *client) failing(op string) error {
	if c.fault == nil {
		return nil
	}
	return c.fault(op)
}

func (c *client) Head(context.Context) (subnet.Block, error) {
	if err := c.failing("head"); err != nil {
		return 0, err
	}
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
	if err := c.failing("hash"); err != nil {
		return "", err
	}
	h := c.hash(b)
	return "0x" + hex.EncodeToString(h[:]), nil
}

func (c *client) Metagraph(_ context.Context, at subnet.Block) (*subnet.Metagraph, error) {
	if err := c.failing("metagraph"); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	return stateAt(c.metagraphs, at)
}

func (c *client) Commitments(_ context.Context, at subnet.Block) ([]subnet.Commitment, error) {
	if err := c.failing("commitments"); err != nil {
		return nil, err
	}
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
	return c.send(ctx, "commit", &ledger.SetCommitment{Netuid: c.netuid, Info: info})
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
	return c.send(ctx, "weights", call)
}

func (c *client) ServeAxon(ctx context.Context, addr netip.AddrPort) error {
	ip := addr.Addr().As4()
	_, err := c.send(ctx, "axon", &ledger.ServeAxon{Netuid: c.netuid, IP: scale.U128{Lo: uint64(binary.BigEndian.Uint32(ip[:]))}, Port: addr.Port(), IPType: 4})
	return err
}

// send puts a call into the next block and waits for it.
func (c *client) send(ctx context.Context, op string, call ledger.Call) (subnet.Block, error) {
	if err := c.failing(op); err != nil {
		return 0, err
	}
	s := &sent{who: c.hotkey, call: call, done: make(chan error, 1)}
	c.mu.Lock()
	c.catchUp()
	c.pending = append(c.pending, s)
	block := c.head + 1
	c.mu.Unlock()
	if err := c.Wait(ctx, block); err != nil {
		return 0, err // it may be in the block all the same
	}
	c.mu.Lock()
	c.catchUp()
	c.mu.Unlock()
	if err := <-s.done; err != nil {
		return 0, err
	}
	return block, nil
}

// address is a hotkey as neurons are called.
func address(hotkey [32]byte) subnet.Hotkey { return subnet.Hotkey(keys.Address(hotkey)) }
