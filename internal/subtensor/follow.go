package subtensor

import (
	"bytes"
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
	refused               // the pool has thrown it out
	gone                  // nobody follows it any more
)

// follow waits until an extrinsic is in a block, by what the node says of it
// and, where no node says anything, by looking into every block. It outlasts
// connections and upgrades. Once a node has taken an extrinsic, others may have
// it, so it is given up only when no block can take it any more, or the chain
// says what is wrong with it.
func (c *Client) follow(ctx context.Context, x *signed, w *watch) (Inclusion, error) {
	next := x.sent + 1 // the first block that has not been looked into
	end := gone
	var dead error // why it will not be in a block
	for {
		if w != nil {
			var in Inclusion
			var err error
			if in, end, err = c.listen(ctx, x, w); end == settled {
				return in, err
			}
			w = nil
		}
		_, changed := c.heads.get()
		in, err := c.search(ctx, x, &next)
		if err == nil && in.Hash != "" && x.options.Finalized {
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
			return in, subnet.WithHint(temporary(fmt.Errorf("extrinsic %v is in no block, and too old for the next", x.hash)),
				"do it again; if other programs sign with this key, let only one use it")
		case dead != nil:
			return in, dead
		}
		w, err = c.again(ctx, x, end, next)
		switch v, final := errors.AsType[*verdict](err); {
		case final:
			dead = v.err
			if err := c.refresh(ctx); err != nil { // it may have come into a block just now
				return in, unsettled(x, err)
			}
			continue
		case errors.Is(err, subnet.ErrTemporary):
			continue
		case err != nil:
			return in, unsettled(x, err)
		case w != nil:
			continue
		}
		if end != refused { // else the next block may tell what this one did not
			end = gone
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

// A verdict says why an extrinsic is not worth waiting for.
type verdict struct{ err error }

func (v *verdict) Error() string { return v.err.Error() }

// again sends an extrinsic again that nobody follows: the pool of this node may
// not have it, and the chain takes it but once. Of one that the pool has thrown
// out, the chain is first asked what is wrong with it: pools do not say, and do
// not take it again for a while either. Without a watch and an error, there is
// nothing to do but wait for the next block. Before next, no block has it.
func (c *Client) again(ctx context.Context, x *signed, end ending, next subnet.Block) (*watch, error) {
	var err error
	if end == refused {
		err = c.validity(ctx, x)
	}
	var w *watch
	if err == nil {
		w, err = c.watch(ctx, x)
	}
	e, pool := errors.AsType[*PoolError](err)
	switch {
	case !pool || e.passing() && !e.outdated():
		if pool {
			return nil, nil // it may be in another node's pool
		}
		return w, err
	case e.outdated():
		return nil, c.overtaken(ctx, x, next, e)
	case e.misread():
		anew, err := c.resign(ctx, x)
		if err != nil {
			return nil, err
		}
		if anew {
			return c.again(ctx, x, gone, next)
		}
	}
	return nil, &verdict{unsettled(x, err)}
}

// overtaken finds out whether the nonce of x was used by another extrinsic, where
// a node says that it is used. It may be that x is in a block that the client has
// not heard of, since that node was ahead.
func (c *Client) overtaken(ctx context.Context, x *signed, next subnet.Block, e *PoolError) error {
	if err := c.refresh(ctx); err != nil {
		return err
	}
	v, err := c.At(ctx, next-1)
	if err != nil {
		return err
	}
	account, err := v.Account(ctx, x.signer.Public())
	if err != nil || account.Nonce <= x.nonce {
		return err // nothing is known yet
	}
	return &verdict{subnet.WithHint(fmt.Errorf("nonce %d was used by another extrinsic: %w", x.nonce, e),
		"another program signs with this key; do it again, and let only one use the key")}
}

// outdated reports whether the nonce is used already.
func (e *PoolError) outdated() bool {
	return e.Code == poolInvalid && strings.Contains(e.Text, "outdated")
}

// misread reports whether the chain takes the signature for another payload, or
// cannot read the extrinsic: so it is after the runtime was upgraded.
func (e *PoolError) misread() bool {
	return e.Code == poolRuntime || e.Code == poolInvalid && strings.Contains(e.Text, "bad signature")
}

// passing reports whether a pool refused an extrinsic only because of what else
// it holds, or because one with the nonce before has not come yet.
func (e *PoolError) passing() bool {
	return e.Code == poolKnown || e.Code == poolPriority || e.Code == poolFull || e.Code == poolBanned ||
		e.Code == poolInvalid && strings.Contains(e.Text, "valid in the future")
}

// patience is for how many blocks a watch is believed to be still alive.
const patience = 8

// listen follows an extrinsic by its watch.
func (c *Client) listen(ctx context.Context, x *signed, w *watch) (Inclusion, ending, error) {
	defer w.drop(ctx)
	since, _ := c.heads.get()
	for {
		_, changed := c.heads.get()
		select {
		case b := <-w.updates:
			switch state, block := update(b); {
			case state == "finalized", state == "inBlock" && !x.options.Finalized:
				in, err := c.included(ctx, x, block)
				if isLost(err) && in.Hash == "" {
					return in, gone, nil
				}
				return in, settled, err
			case state == "invalid":
				return Inclusion{}, refused, nil
			case slices.Contains([]string{"dropped", "usurped", "finalityTimeout"}, state):
				return Inclusion{}, gone, nil // from this pool, that is
			}
		case <-w.link.done:
			c.rpc.down(ctx, w.link)
			return Inclusion{}, gone, nil
		case <-changed:
			if head, _ := c.heads.get(); head > since+patience {
				return Inclusion{}, gone, nil
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
		if x.is(raw) {
			return Inclusion{Block: subnet.Block(b.Block.Header.Number), BlockHash: block.String(), Hash: hash32(scale.Blake2b256(raw)).String(), Index: i}, nil
		}
	}
	return Inclusion{}, nil
}

// is reports whether an extrinsic in a block is x, as it is or was signed.
func (x *signed) is(raw hexBytes) bool {
	return bytes.Equal(raw, x.bytes) || slices.ContainsFunc(x.past, func(p hexBytes) bool { return bytes.Equal(raw, p) })
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
	for errors.Is(err, subnet.ErrTemporary) && ctx.Err() == nil {
		events, rt, err = c.events(ctx, in)
	}
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
	v, err := c.view(ctx, tip{in.Block, h}, false)
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
