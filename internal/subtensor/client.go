package subtensor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// A Client talks to one chain. It may be used by many goroutines.
type Client struct {
	rpc     rpc
	genesis hash32
	heads   heads

	mu       sync.Mutex
	spec     uint32              // the runtime of the head, as last heard
	runtimes map[uint32]*Runtime // by spec version
	specs    map[hash32]uint32   // which runtime made the state of a block
	senders  map[[32]byte]*sender
}

// A Runtime is one version of the chain's rules.
type Runtime struct {
	SpecVersion uint32
	TxVersion   uint32
	*scale.Metadata
}

// Dial connects to the first endpoint that answers. It fails once all have been
// tried.
func Dial(ctx context.Context, o Options) (*Client, error) {
	if len(o.Endpoints) == 0 {
		return nil, errors.New("connect to the chain: no endpoint is set")
	}
	c := &Client{
		runtimes: map[uint32]*Runtime{},
		specs:    map[hash32]uint32{},
		senders:  map[[32]byte]*sender{},
	}
	c.heads.changed = make(chan struct{})
	c.rpc = rpc{opts: o.withDefaults(), greet: c.greet, feeds: []feed{
		{method: "chain_subscribeNewHeads", notify: c.heads.notify},
		{method: "state_subscribeRuntimeVersion", notify: c.notifyRuntime, optional: true},
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
func (c *Client) Genesis() [32]byte { return c.genesis }

type runtimeVersion struct {
	SpecVersion uint32 `json:"specVersion"`
	TxVersion   uint32 `json:"transactionVersion"`
}

// greet makes sure that a new connection leads to the same chain as the one
// before, and learns where that chain is.
func (c *Client) greet(ctx context.Context, l *link) error {
	var genesis hash32
	if err := ask(ctx, l, &genesis, "chain_getBlockHash", 0); err != nil {
		return err
	}
	c.mu.Lock()
	other := c.genesis != hash32{} && c.genesis != genesis
	if !other {
		c.genesis = genesis
	}
	c.mu.Unlock()
	if other {
		return fmt.Errorf("it serves another chain: its genesis is %v", genesis)
	}
	var v runtimeVersion
	if err := ask(ctx, l, &v, "state_getRuntimeVersion"); err != nil {
		return err
	}
	var h header
	if err := ask(ctx, l, &h, "chain_getHeader"); err != nil {
		return err
	}
	c.setSpec(v.SpecVersion)
	c.heads.set(subnet.Block(h.Number))
	return nil
}

func (c *Client) setSpec(spec uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spec = spec
}

func (c *Client) notifyRuntime(b json.RawMessage) {
	var v runtimeVersion
	if json.Unmarshal(b, &v) == nil && v.SpecVersion != 0 {
		c.setSpec(v.SpecVersion)
	}
}

// Runtime returns the runtime of the newest block. Its metadata is fetched once
// per version.
func (c *Client) Runtime(ctx context.Context) (*Runtime, error) {
	if _, err := c.rpc.up(ctx); err != nil { // or spec is not known
		return nil, err
	}
	c.mu.Lock()
	rt := c.runtimes[c.spec]
	c.mu.Unlock()
	if rt != nil {
		return rt, nil
	}
	return c.fetchRuntime(ctx)
}

// fetchRuntime fetches the runtime of a block, or of the head without one.
func (c *Client) fetchRuntime(ctx context.Context, at ...any) (*Runtime, error) {
	var v runtimeVersion
	if err := c.rpc.read(ctx, &v, "state_getRuntimeVersion", at...); err != nil {
		return nil, stateError(err)
	}
	c.mu.Lock()
	if len(at) == 0 {
		c.spec = v.SpecVersion
	}
	rt := c.runtimes[v.SpecVersion]
	c.mu.Unlock()
	if rt != nil {
		return rt, nil
	}
	var b hexBytes
	if err := c.rpc.read(ctx, &b, "state_getMetadata", at...); err != nil {
		return nil, stateError(err)
	}
	md, err := scale.ReadMetadata(b)
	if err != nil {
		return nil, fmt.Errorf("runtime %d: %w", v.SpecVersion, err)
	}
	rt = &Runtime{v.SpecVersion, v.TxVersion, md}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runtimes[v.SpecVersion] = rt
	return rt, nil
}

// maxSpecs bounds how many blocks' runtimes are remembered.
const maxSpecs = 1024

// runtimeAt returns the runtime that made the state of a block.
func (c *Client) runtimeAt(ctx context.Context, at hash32) (*Runtime, error) {
	c.mu.Lock()
	rt := c.runtimes[c.specs[at]]
	c.mu.Unlock()
	if rt != nil {
		return rt, nil
	}
	rt, err := c.fetchRuntime(ctx, at)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.specs) >= maxSpecs {
		clear(c.specs)
	}
	c.specs[at] = rt.SpecVersion
	return rt, nil
}

// Call encodes a call by name; see [scale.Metadata.EncodeCall].
func (c *Client) Call(ctx context.Context, pallet, name string, args ...any) ([]byte, error) {
	rt, err := c.Runtime(ctx)
	if err != nil {
		return nil, err
	}
	return rt.EncodeCall(pallet, name, args...)
}
