package subtensor

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"adit/internal/subnet"
)

// header is the part of a block's header that is of interest.
type header struct {
	Number hexNumber `json:"number"`
}

// heads knows the newest block. One subscription feeds it for all who wait.
type heads struct {
	mu      sync.Mutex
	head    subnet.Block
	changed chan struct{} // closed when head changes
}

func (h *heads) set(b subnet.Block) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b != h.head {
		h.head = b
		close(h.changed)
		h.changed = make(chan struct{})
	}
}

// notify takes a header from the subscription. One that makes no sense is
// passed over: the next one tells more.
func (h *heads) notify(b json.RawMessage) {
	var head header
	if json.Unmarshal(b, &head) == nil {
		h.set(subnet.Block(head.Number))
	}
}

func (h *heads) get() (subnet.Block, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.head, h.changed
}

// Head returns the newest block. While there is no connection it waits for
// one: an old head is no answer.
func (c *Client) Head(ctx context.Context) (subnet.Block, error) {
	if _, err := c.rpc.up(ctx); err != nil {
		return 0, fmt.Errorf("read head: %w", err)
	}
	head, _ := c.heads.get()
	return head, nil
}

// Wait returns nil once block b has been produced. It outlasts connections.
func (c *Client) Wait(ctx context.Context, b subnet.Block) error {
	for {
		head, changed := c.heads.get()
		if head >= b {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.rpc.done:
			return fmt.Errorf("wait for block %d: %w", b, errClosed)
		}
	}
}

// Hash returns the hash of a block as "0x" and 64 digits. A block that has not
// been produced wraps [subnet.ErrNotFound].
func (c *Client) Hash(ctx context.Context, b subnet.Block) (string, error) {
	h, err := c.hash(ctx, b)
	if err != nil {
		return "", err
	}
	return h.String(), nil
}

func (c *Client) hash(ctx context.Context, b subnet.Block) (hash32, error) {
	if b == subnet.Latest {
		head, err := c.Head(ctx)
		if err != nil {
			return hash32{}, err
		}
		b = head
	}
	var h *hash32
	if err := c.rpc.read(ctx, &h, "chain_getBlockHash", uint64(b)); err != nil {
		return hash32{}, err
	}
	if h == nil {
		return hash32{}, fmt.Errorf("block %d: %w", b, subnet.ErrNotFound)
	}
	return *h, nil
}
