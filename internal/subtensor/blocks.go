package subtensor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"adit/internal/subnet"
)

// A Header names a block.
type Header struct {
	Number subnet.Block
	Hash   string // as "0x" and 64 digits
	Parent string
}

// maxFork is how many blocks deep a fork may be that [Client.Blocks] follows.
const maxFork = 256

// Blocks goes through the chain's blocks in order, from one of them to the newest
// and on as they are produced, until ctx ends. None is left out, whatever happens
// to connections. If blocks are replaced by others, it goes on with the first of
// those: numbers then repeat, and each header's parent is the one given before it
// or, after a fork, an earlier one.
func (c *Client) Blocks(ctx context.Context, from subnet.Block) iter.Seq2[Header, error] {
	return func(yield func(Header, error) bool) {
		var given []Header // the last ones, in order
		forgotten := false // there were more
		for next := from; ; {
			if err := c.Wait(ctx, next); err != nil {
				yield(Header{}, err)
				return
			}
			h, err := c.header(ctx, next)
			if err != nil {
				yield(Header{}, fmt.Errorf("follow the chain: %w", err))
				return
			}
			if last := len(given) - 1; last >= 0 && given[last].Hash != h.Parent {
				given = given[:last] // it was replaced, and perhaps the one before it
				next--
				if last == 0 && forgotten {
					yield(Header{}, fmt.Errorf("follow the chain: a fork is deeper than %d blocks", maxFork))
					return
				}
				continue
			}
			if !yield(h, nil) {
				return
			}
			if len(given) == maxFork {
				given, forgotten = slices.Delete(given, 0, 1), true
			}
			given = append(given, h)
			next++
		}
	}
}

// header reads a block's header, however often the connection breaks. A lagging
// node that is asked for a block of which another has told is waited for.
func (c *Client) header(ctx context.Context, b subnet.Block) (Header, error) {
	for {
		_, changed := c.heads.get()
		h, err := c.readHeader(ctx, b)
		switch {
		case errors.Is(err, subnet.ErrTemporary) && ctx.Err() == nil:
			continue // the reads wait for the next connection
		case !errors.Is(err, subnet.ErrNotFound) || absent(err):
			return h, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Header{}, ctx.Err()
		case <-c.rpc.done:
			return Header{}, errClosed
		}
	}
}

func (c *Client) readHeader(ctx context.Context, b subnet.Block) (Header, error) {
	hash, err := c.hash(ctx, b)
	if err != nil {
		return Header{}, err
	}
	head, _ := c.heads.get()
	var h *header
	err = c.anywhere(ctx, func(read reader) error {
		err := read(ctx, &h, "chain_getHeader", hash)
		if err == nil && h == nil && isOld(b, head) {
			err = forgotten(b)
		}
		return err
	})
	if err != nil {
		return Header{}, err
	}
	if h == nil {
		return Header{}, fmt.Errorf("block %d: %w", b, subnet.ErrNotFound)
	}
	if subnet.Block(h.Number) != b {
		return Header{}, fmt.Errorf("block %d: the node gives the header of block %d", b, h.Number)
	}
	return Header{Number: b, Hash: hash.String(), Parent: h.Parent.String()}, nil
}
