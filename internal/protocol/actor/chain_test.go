package actor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"adit/internal/journal"
	"adit/internal/subnet"
)

// blockTime is that of the tests' chain, in virtual time.
const blockTime = 12 * time.Second

// me is the hotkey of the tests' neuron.
const me subnet.Hotkey = "me"

// errDown is what an endpoint that is down says.
var errDown = fmt.Errorf("no endpoint: %w", subnet.ErrTemporary)

// A fakeChain makes a block each blockTime. What is sent is in the next one, or later.
type fakeChain struct {
	genesis time.Time
	ahead   atomic.Uint64 // by how many blocks it lies about its head

	mu     sync.Mutex
	fails  []error // what is answered to the next questions and acts, nil for the truth
	late   subnet.Block
	lost   bool // what is sent goes into no block, and nobody says so
	mute   bool // nobody says that what was sent is in a block
	stored []inBlock
	sent   []string       // of each act the first field
	sentAt []subnet.Block // and the head then
	asked  int            // questions and acts
}

type inBlock struct {
	at     subnet.Block
	fields []string
}

func newFakeChain() *fakeChain { return &fakeChain{genesis: time.Now()} }

func (c *fakeChain) now() subnet.Block { return subnet.Block(time.Since(c.genesis) / blockTime) }

// fail returns the next failure of the script.
func (c *fakeChain) fail() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if len(c.fails) == 0 {
		return nil
	}
	err := c.fails[0]
	c.fails = c.fails[1:]
	return err
}

func (c *fakeChain) Head(context.Context) (subnet.Block, error) {
	return c.now() + subnet.Block(c.ahead.Load()), c.fail()
}

func (c *fakeChain) Wait(ctx context.Context, b subnet.Block) error {
	b -= min(b, subnet.Block(c.ahead.Load()))
	t := time.NewTimer(time.Until(c.genesis.Add(time.Duration(b) * blockTime)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *fakeChain) Hash(context.Context, subnet.Block) (string, error) { return "0x00", c.fail() }

func (c *fakeChain) Time(context.Context, subnet.Block) (time.Time, error) {
	return c.genesis, c.fail()
}

func (c *fakeChain) Metagraph(context.Context, subnet.Block) (*subnet.Metagraph, error) {
	return &subnet.Metagraph{}, c.fail()
}

func (c *fakeChain) Commitments(_ context.Context, at subnet.Block) ([]subnet.Commitment, error) {
	if err := c.fail(); err != nil {
		return nil, err
	}
	head := c.now()
	if at != subnet.Latest && at > head {
		return nil, fmt.Errorf("block %d: %w", at, subnet.ErrNotFound)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	slot := subnet.Commitment{Hotkey: me}
	for _, s := range c.stored {
		if s.at <= min(at, head) {
			slot.Block, slot.Fields = s.at, s.fields
		}
	}
	return []subnet.Commitment{{Hotkey: "another", Block: 1, Fields: []string{"a"}}, slot}, nil
}

func (c *fakeChain) Commit(ctx context.Context, fields ...string) (subnet.Block, error) {
	if err := c.fail(); err != nil {
		return 0, err
	}
	c.mu.Lock()
	c.sent, c.sentAt = append(c.sent, fields[0]), append(c.sentAt, c.now())
	at, lost, mute := c.now()+1+c.late, c.lost, c.mute
	if !lost {
		c.stored = append(c.stored, inBlock{at, fields})
	}
	c.mu.Unlock()
	if lost || mute {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return at, c.Wait(ctx, at)
}

// retract takes the last commitment out of its block, as a reorganisation does.
func (c *fakeChain) retract() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored = c.stored[:len(c.stored)-1]
}

func (c *fakeChain) SetWeights(context.Context, []subnet.Weight) (subnet.Block, error) {
	return 0, errors.ErrUnsupported
}
func (c *fakeChain) ServeAxon(context.Context, netip.AddrPort) error { return errors.ErrUnsupported }

// newActor returns a neuron on a chain, with a directory and a journal in memory.
func newActor(chain subnet.Chain) (*Actor, *journal.Mem) {
	mem := journal.NewMem()
	return &Actor{Me: me, Env: subnet.Env{Chain: chain, Journal: mem, Dir: mem, Emit: func(subnet.Event) {}}}, mem
}

// at runs something at a block of the chain, while the test goes on.
func at(t *testing.T, c *fakeChain, b subnet.Block, do func()) {
	t.Helper()
	go func() {
		if c.Wait(t.Context(), b) == nil {
			do()
		}
	}()
}
