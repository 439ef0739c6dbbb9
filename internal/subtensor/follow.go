package subtensor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

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

// An ending is why following an extrinsic by its watch ended.
type ending int

const (
	settled ending = iota // it is known what became of it
	silent                // the node no longer follows it, or says nothing
	lost                  // the connection broke
)

// follow waits until an extrinsic is in a block, by what the node says of it
// and, where no node says anything, by looking into every block. It outlasts
// connections. Once a node has taken an extrinsic, others may have it, so it is
// given up only when no block can take it any more.
func (c *Client) follow(ctx context.Context, x *signed, w *watch, o SubmitOptions) (Inclusion, error) {
	next := x.sent + 1 // the first block that has not been looked into
	end := lost
	var refused error // why the pool does not take it again
	for {
		if w != nil {
			var in Inclusion
			var err error
			if in, end, err = c.listen(ctx, x, w, o); end == settled {
				return in, err
			}
			w = nil
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
		if end == lost {
			// The same bytes again: the pool of this node may not have them,
			// and the chain takes them but once.
			w, err = c.watch(ctx, x)
			e, pool := errors.AsType[*PoolError](err)
			switch {
			case pool && e.outdated():
				// Its nonce is used. If not by itself just now, it is dead.
				refused = err
			case pool && !e.passing():
				refused = unsettled(x, err)
			case pool: // it may be in another node's pool
			case err == nil, errors.Is(err, subnet.ErrTemporary):
				continue
			default:
				return in, unsettled(x, err)
			}
		}
		end = lost
		select {
		case <-changed:
		case <-ctx.Done():
			return in, unsettled(x, ctx.Err())
		case <-c.rpc.done:
			return in, unsettled(x, errClosed)
		}
	}
}

// outdated reports whether the nonce is used already.
func (e *PoolError) outdated() bool {
	return e.Code == poolInvalid && strings.Contains(e.Text, "outdated")
}

// passing reports whether a pool refused an extrinsic only because of what else
// it holds.
func (e *PoolError) passing() bool {
	return e.Code == poolKnown || e.Code == poolPriority || e.Code == poolFull || e.Code == poolBanned
}

// patience is for how many blocks a watch is believed to be still alive.
const patience = 8

// listen follows an extrinsic by its watch.
func (c *Client) listen(ctx context.Context, x *signed, w *watch, o SubmitOptions) (Inclusion, ending, error) {
	defer w.drop(ctx)
	since, _ := c.heads.get()
	for {
		_, changed := c.heads.get()
		select {
		case b := <-w.updates:
			switch state, block := update(b); {
			case state == "finalized", state == "inBlock" && !o.Finalized:
				in, err := c.included(ctx, x, block)
				if isLost(err) && in.Hash == "" {
					return in, lost, nil
				}
				return in, settled, err
			case slices.Contains([]string{"dropped", "invalid", "usurped", "finalityTimeout"}, state):
				// Of this pool, that is: sent again, it gets a reason.
				return Inclusion{}, silent, nil
			}
		case <-w.link.done:
			c.rpc.down(ctx, w.link)
			return Inclusion{}, lost, nil
		case <-changed:
			if head, _ := c.heads.get(); head > since+patience {
				return Inclusion{}, silent, nil
			}
		case <-ctx.Done():
			return Inclusion{}, settled, unsettled(x, ctx.Err())
		}
	}
}

// included returns the inclusion of which a node has told.
func (c *Client) included(ctx context.Context, x *signed, block hash32) (Inclusion, error) {
	in, err := c.inBlock(ctx, x, block)
	if err != nil {
		return in, unsettled(x, err)
	}
	if in.Hash == "" {
		return in, unsettled(x, fmt.Errorf("the node says that block %v holds it, but it does not", block))
	}
	return c.settle(ctx, in)
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
