package subtensor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// drop ends the subscription.
func (w *watch) drop(ctx context.Context) {
	w.link.drop(context.WithoutCancel(ctx), w.id, "author_unwatchExtrinsic")
}

// update is what a node says of an extrinsic: {"inBlock": hash} and so on. The
// states without a block are a string on most nodes and {"ready": null} on
// some.
func update(b json.RawMessage) (state string, block hash32) {
	if json.Unmarshal(b, &state) == nil {
		return state, block
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(b, &m) != nil {
		return "", block
	}
	for state, v := range m {
		if json.Unmarshal(v, &block) != nil {
			block = hash32{} // broadcast holds peers, not a block
		}
		return state, block
	}
	return "", block
}

// follow waits until an extrinsic is in a block, by what the node says of it
// and, where no node says anything, by looking into every block. It outlasts
// connections.
func (c *Client) follow(ctx context.Context, x *signed, w *watch, o SubmitOptions) (Inclusion, error) {
	next := x.sent + 1 // the first block that has not been looked into
	var refused error  // why the pool does not take it again
	for {
		if w != nil {
			in, done, err := c.listen(ctx, x, w, o)
			if done {
				return in, err
			}
		}
		_, changed := c.heads.get()
		in, err := c.search(ctx, x, &next)
		if err == nil && in.Hash != "" && o.Finalized {
			in, err = c.finalize(ctx, in, &next)
		}
		switch {
		case ctx.Err() != nil:
			return in, unsettled(x, ctx.Err())
		case errors.Is(err, subnet.ErrTemporary):
			w = nil
			continue // the reads wait for the next connection
		case err != nil:
			return in, unsettled(x, err)
		case in.Hash != "":
			return c.settle(ctx, in)
		case next >= x.dies:
			return in, temporary(fmt.Errorf("extrinsic %v is in no block, and too old for the next", x.hash))
		case refused != nil:
			return in, refused
		}
		// The same bytes again: the pool of this node may not have them, and
		// the chain takes them but once.
		w, err = c.watch(ctx, x)
		_, pool := errors.AsType[*PoolError](err)
		switch {
		case isKnown(err): // then it will be in a block soon
		case pool:
			refused = err // perhaps since it was included just now: look once more
		case err == nil, errors.Is(err, subnet.ErrTemporary):
			continue
		default:
			return in, unsettled(x, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return in, unsettled(x, ctx.Err())
		case <-c.rpc.done:
			return in, unsettled(x, errClosed)
		}
	}
}

// listen follows an extrinsic by its watch. It is not done if the connection
// broke, or if the node has let the extrinsic grow too old without a word.
func (c *Client) listen(ctx context.Context, x *signed, w *watch, o SubmitOptions) (in Inclusion, done bool, err error) {
	defer w.drop(ctx)
	for {
		_, changed := c.heads.get()
		select {
		case b := <-w.updates:
			in, done, err := c.updated(ctx, x, b, o)
			if err != nil && ctx.Err() == nil && isLost(err) {
				return Inclusion{}, false, nil
			}
			if done {
				return in, true, err
			}
		case <-w.link.done:
			c.rpc.down(ctx, w.link)
			return Inclusion{}, false, nil
		case <-changed:
			// A little later than it dies: the update may be on its way.
			if head, _ := c.heads.get(); head > x.dies+eraMargin && !o.Finalized {
				return Inclusion{}, false, nil
			}
		case <-ctx.Done():
			return Inclusion{}, true, unsettled(x, ctx.Err())
		}
	}
}

// updated acts on one update. Done means that this was the last.
func (c *Client) updated(ctx context.Context, x *signed, b json.RawMessage, o SubmitOptions) (in Inclusion, done bool, err error) {
	state, block := update(b)
	switch state {
	case "inBlock":
		if o.Finalized {
			return in, false, nil
		}
	case "finalized":
	case "finalityTimeout":
		return in, true, temporary(fmt.Errorf("extrinsic %v is in block %v, which does not become final", x.hash, block))
	case "dropped":
		return in, true, temporary(fmt.Errorf("extrinsic %v was dropped from a full pool", x.hash))
	case "invalid", "usurped":
		return in, true, fmt.Errorf("extrinsic %v became %s in the pool", x.hash, state)
	default: // future, ready, broadcast, retracted
		return in, false, nil
	}
	if in, err = c.inBlock(ctx, x, block); err != nil {
		return in, true, unsettled(x, err)
	}
	if in.Hash == "" {
		return in, true, fmt.Errorf("the node says that block %v holds extrinsic %v, but it does not", block, x.hash)
	}
	in, err = c.settle(ctx, in)
	return in, true, err
}

// search looks into the blocks from next to the head, and moves next behind
// those without the extrinsic.
func (c *Client) search(ctx context.Context, x *signed, next *subnet.Block) (Inclusion, error) {
	head, err := c.Head(ctx)
	if err != nil {
		return Inclusion{}, err
	}
	for ; *next <= head && *next < x.dies; *next++ {
		h, err := c.hash(ctx, *next)
		if err != nil {
			return Inclusion{}, err
		}
		if in, err := c.inBlock(ctx, x, h); err != nil || in.Hash != "" {
			return in, err
		}
	}
	return Inclusion{}, nil
}

// inBlock returns where in a block an extrinsic is. Its Hash is "" if it is
// not.
func (c *Client) inBlock(ctx context.Context, x *signed, block hash32) (Inclusion, error) {
	var b *struct {
		Block struct {
			Header     header     `json:"header"`
			Extrinsics []hexBytes `json:"extrinsics"`
		} `json:"block"`
	}
	if err := c.rpc.read(ctx, &b, "chain_getBlock", block); err != nil {
		return Inclusion{}, err
	}
	if b == nil {
		return Inclusion{}, fmt.Errorf("block %v: %w", block, subnet.ErrNotFound)
	}
	for i, raw := range b.Block.Extrinsics {
		if string(raw) == string(x.bytes) {
			return Inclusion{Block: subnet.Block(b.Block.Header.Number), BlockHash: block.String(), Hash: x.hash.String(), Index: i}, nil
		}
	}
	return Inclusion{}, nil
}

// finalize waits until the block of an inclusion is final. If another takes its
// place, it returns no inclusion and sets next back to it.
func (c *Client) finalize(ctx context.Context, in Inclusion, next *subnet.Block) (Inclusion, error) {
	for {
		_, changed := c.heads.get()
		var last hash32
		if err := c.rpc.read(ctx, &last, "chain_getFinalizedHead"); err != nil {
			return in, err
		}
		var h header
		if err := c.rpc.read(ctx, &h, "chain_getHeader", last); err != nil {
			return in, err
		}
		if now, err := c.Hash(ctx, in.Block); err != nil {
			return in, err
		} else if now != in.BlockHash {
			*next = in.Block
			return Inclusion{}, nil
		}
		if subnet.Block(h.Number) >= in.Block {
			return in, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return in, ctx.Err()
		case <-c.rpc.done:
			return in, errClosed
		}
	}
}

// settle reads the events of an included extrinsic, and from them how its call
// ended.
func (c *Client) settle(ctx context.Context, in Inclusion) (Inclusion, error) {
	events, rt, err := c.events(ctx, in)
	if err != nil {
		return in, fmt.Errorf("extrinsic %s is in block %d, but how it ended, is not known: %w", in.Hash, in.Block, err)
	}
	for _, e := range events {
		if e.Extrinsic == in.Index {
			in.Events = append(in.Events, e)
		}
	}
	return in, outcome(rt.Metadata, in.Events)
}

// events reads all events of the block of an inclusion.
func (c *Client) events(ctx context.Context, in Inclusion) ([]scale.Event, *Runtime, error) {
	var h hash32
	if err := h.UnmarshalText([]byte(in.BlockHash)); err != nil {
		return nil, nil, err
	}
	v, err := c.view(ctx, in.Block, h)
	if err != nil {
		return nil, nil, err
	}
	key, err := v.StorageKey("System", "Events")
	if err != nil {
		return nil, nil, err
	}
	raws, err := v.raw(ctx, []hexBytes{key})
	if err != nil {
		return nil, nil, err
	}
	events, err := v.DecodeEvents(raws[0])
	return events, v.Runtime, err
}
