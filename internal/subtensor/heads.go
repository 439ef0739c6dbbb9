package subtensor

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// header is a block's header as JSON-RPC writes it.
type header struct {
	Number     hexNumber `json:"number"`
	Parent     hash32    `json:"parentHash"`
	State      hash32    `json:"stateRoot"`
	Extrinsics hash32    `json:"extrinsicsRoot"`
	Digest     struct {
		Logs []hexBytes `json:"logs"` // each in SCALE
	} `json:"digest"`
}

// hash returns the hash of the block, which is that of its header in SCALE.
func (h *header) hash() hash32 {
	b := append([]byte(nil), h.Parent[:]...)
	b = scale.AppendCompact(b, uint64(h.Number))
	b = append(b, h.State[:]...)
	b = append(b, h.Extrinsics[:]...)
	b = scale.AppendCompact(b, uint64(len(h.Digest.Logs)))
	for _, l := range h.Digest.Logs {
		b = append(b, l...)
	}
	return scale.Blake2b256(b)
}

// A tip is a block that is, or was, the newest.
type tip struct {
	block subnet.Block
	hash  hash32 // the zero value if it has to be asked for
}

// heads knows the newest block. One subscription feeds it for all who wait.
type heads struct {
	mu      sync.Mutex
	tip     tip
	hashing bool          // this chain hashes its headers as header.hash does
	changed chan struct{} // closed when the head changes
}

func (h *heads) set(t tip) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t != h.tip {
		h.tip = t
		close(h.changed)
		h.changed = make(chan struct{})
	}
}

// notify takes a header from the subscription. One that makes no sense is
// passed over: the next one tells more.
func (h *heads) notify(b json.RawMessage) {
	var head header
	if json.Unmarshal(b, &head) == nil {
		h.take(&head)
	}
}

func (h *heads) take(head *header) {
	t := tip{block: subnet.Block(head.Number)}
	h.mu.Lock()
	hashing := h.hashing
	h.mu.Unlock()
	if hashing {
		t.hash = head.hash()
	}
	h.set(t)
}

// learn finds out whether the hash of a header can be computed.
func (h *heads) learn(head *header, hash hash32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hashing = head.hash() == hash
}

func (h *heads) now() (tip, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tip, h.changed
}

func (h *heads) get() (subnet.Block, <-chan struct{}) {
	t, changed := h.now()
	return t.block, changed
}

// Head returns the newest block. While there is no connection it waits for
// one: an old head is no answer.
func (c *Client) Head(ctx context.Context) (subnet.Block, error) {
	t, err := c.tip(ctx)
	return t.block, err
}

func (c *Client) tip(ctx context.Context) (tip, error) {
	if _, err := c.rpc.up(ctx); err != nil {
		return tip{}, fmt.Errorf("read head: %w", err)
	}
	t, _ := c.heads.now()
	return t, nil
}

// refresh asks for the newest block, of which the subscription may not have
// told yet.
func (c *Client) refresh(ctx context.Context) error {
	var h header
	if err := c.rpc.read(ctx, &h, "chain_getHeader"); err != nil {
		return err
	}
	if head, _ := c.heads.get(); subnet.Block(h.Number) > head {
		c.heads.take(&h)
	}
	return nil
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
		t, err := c.resolve(ctx, b)
		return t.hash, err
	}
	head, _ := c.heads.get()
	var h *hash32
	err := c.anywhere(ctx, func(read reader) error {
		err := read(ctx, &h, "chain_getBlockHash", uint64(b))
		if err == nil && h == nil && isOld(b, head) {
			err = forgotten(b)
		}
		return err
	})
	if err != nil {
		return hash32{}, err
	}
	if h == nil {
		return hash32{}, fmt.Errorf("block %d: %w", b, subnet.ErrNotFound)
	}
	return *h, nil
}

// isOld reports whether a block is so far behind the head that a node which does
// not know it has forgotten it, rather than not heard of it yet.
func isOld(b, head subnet.Block) bool { return b+maxFork < head }

func forgotten(b subnet.Block) error {
	return subnet.WithHint(&PrunedError{fmt.Errorf("it does not know block %d", b)}, hintPruned)
}

// resolve returns a block with its hash.
func (c *Client) resolve(ctx context.Context, b subnet.Block) (tip, error) {
	t := tip{block: b}
	if b == subnet.Latest {
		var err error
		if t, err = c.tip(ctx); err != nil || t.hash != (hash32{}) {
			return t, err
		}
	}
	var err error
	t.hash, err = c.hash(ctx, t.block)
	return t, err
}
