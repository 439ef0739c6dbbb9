package subtensor

import (
	"context"
	"fmt"
	"sync"

	"adit/internal/subnet"
)

// A Client talks to one chain. It may be used by many goroutines.
type Client struct {
	rpc   rpc
	heads heads

	mu       sync.Mutex
	genesis  hash32 // the zero value until the first connection, if any will do
	runtimes runtimes
	senders  map[[32]byte]*sender
}

// Dial connects to the first endpoint that answers. It fails once all have been
// tried. If they serve another chain than was asked for, that is a
// *[WrongChainError]; if they do not answer, it wraps [subnet.ErrTemporary].
func Dial(ctx context.Context, o Options) (*Client, error) {
	network, err := parseNetworks(o.Endpoints)
	if err != nil {
		return nil, fmt.Errorf("connect to the chain: %w", err)
	}
	o.Endpoints = network.Endpoints
	if o.Genesis == ([32]byte{}) {
		o.Genesis = network.Genesis
	}
	c := &Client{
		genesis:  o.Genesis,
		runtimes: runtimes{versions: map[uint32]*Runtime{}, spans: map[uint32]span{}},
		senders:  map[[32]byte]*sender{},
	}
	c.heads.changed = make(chan struct{})
	c.rpc = rpc{opts: o.withDefaults(), greet: c.greet, verify: c.verify, feeds: []feed{
		{method: "chain_subscribeNewHeads", notify: c.heads.notify},
		{method: "state_subscribeRuntimeVersion", notify: c.notifyRuntime, taken: c.tells},
	}}
	c.rpc.start()
	if _, err := c.Runtime(ctx); err != nil {
		c.Close()
		return nil, subnet.WithHint(fmt.Errorf("connect to the chain: %w", err),
			"check the chain's endpoint, and that a node listens there")
	}
	return c, nil
}

// Close ends the connection and everything that waits for it.
func (c *Client) Close() { c.rpc.close() }

// Genesis returns the hash of block 0, which names the chain.
func (c *Client) Genesis() [32]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.genesis
}

// tells notes whether the node tells of runtime upgrades.
func (c *Client) tells(does bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runtimes.told = does
}

// verify makes sure that a new connection leads to the right chain.
func (c *Client) verify(ctx context.Context, l *link) error {
	var genesis hash32
	if err := l.ask(ctx, &genesis, "chain_getBlockHash", 0); err != nil {
		return err
	}
	c.mu.Lock()
	want := c.genesis
	if want == (hash32{}) {
		c.genesis = genesis
		want = genesis
	}
	c.mu.Unlock()
	if want != genesis {
		return &WrongChainError{l.endpoint, genesis, want}
	}
	return nil
}

// greet makes sure that a new connection can be used, and learns where the chain
// is.
func (c *Client) greet(ctx context.Context, l *link) error {
	if err := c.verify(ctx, l); err != nil {
		return err
	}
	if _, err := c.fetchRuntime(ctx, l.ask); err != nil {
		return err
	}
	var h header
	if err := l.ask(ctx, &h, "chain_getHeader"); err != nil {
		return err
	}
	var hash *hash32
	if err := l.ask(ctx, &hash, "chain_getBlockHash", uint64(h.Number)); err != nil {
		return err
	}
	if hash == nil {
		return fmt.Errorf("it has no block %d, which it says is its newest", h.Number)
	}
	c.heads.learn(&h, *hash)
	c.heads.set(tip{subnet.Block(h.Number), *hash})
	return nil
}
