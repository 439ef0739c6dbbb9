package subtensor

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"adit/internal/subnet"
)

// A View is the state of the chain after one block. All that is read from it
// belongs together.
type View struct {
	c     *Client
	Block subnet.Block
	hash  hash32
	*Runtime
	newest bool // it was the head when it was taken
}

// At returns the state after a block. Of [subnet.Latest] it takes no round trip
// where the node tells of heads and of upgrades.
func (c *Client) At(ctx context.Context, b subnet.Block) (*View, error) {
	t, err := c.resolve(ctx, b)
	if err != nil {
		return nil, err
	}
	return c.view(ctx, t, b == subnet.Latest)
}

func (c *Client) view(ctx context.Context, at tip, newest bool) (*View, error) {
	rt, err := c.runtimeAt(ctx, at, newest)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", at.block, err)
	}
	return &View{c, at.block, at.hash, rt, newest}, nil
}

// Query reads one storage item after a block; see [scale.Metadata.DecodeValue]
// for what it returns. An optional item that is not there is nil.
func (c *Client) Query(ctx context.Context, at subnet.Block, pallet, item string, keys ...any) (any, error) {
	v, err := c.At(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("read %s.%s: %w", pallet, item, err)
	}
	return v.Get(ctx, pallet, item, keys...)
}

// An Entry names one storage item, with the keys of a map.
type Entry struct {
	Pallet, Item string
	Keys         []any
}

// Get reads one item.
func (v *View) Get(ctx context.Context, pallet, item string, keys ...any) (any, error) {
	vs, err := v.GetAll(ctx, []Entry{{pallet, item, keys}})
	if err != nil {
		return nil, err
	}
	return vs[0], nil
}

// GetAll reads many items in few round trips. An item that is not there is its
// default, or nil.
func (v *View) GetAll(ctx context.Context, entries []Entry) ([]any, error) {
	keys := make([]hexBytes, len(entries))
	for i, e := range entries {
		k, err := v.StorageKey(e.Pallet, e.Item, e.Keys...)
		if err != nil {
			return nil, err
		}
		keys[i] = k
	}
	raws, err := v.raw(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read state after block %d: %w", v.Block, err)
	}
	out := make([]any, len(entries))
	for i, e := range entries {
		if out[i], err = v.DecodeStorage(e.Pallet, e.Item, raws[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// batch is how many keys are asked for, or listed, at a time, and inFlight how
// many such requests at once.
const (
	batch    = 500
	inFlight = 4
)

// raw returns the bytes under each key, nil where there are none.
func (v *View) raw(ctx context.Context, keys []hexBytes) ([][]byte, error) {
	out := make([][]byte, len(keys))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	for from := 0; from < len(keys); from += batch {
		to := min(from+batch, len(keys))
		g.Go(func() error { return v.rawBatch(ctx, keys[from:to], out[from:to]) })
	}
	return out, g.Wait()
}

func (v *View) rawBatch(ctx context.Context, keys []hexBytes, out [][]byte) error {
	return v.c.anywhere(ctx, func(read reader) error { return values(ctx, read, v.hash, keys, out) })
}

// values reads the bytes under each key after a block into out.
func values(ctx context.Context, read reader, hash hash32, keys []hexBytes, out [][]byte) error {
	var sets []struct {
		Block   hash32      `json:"block"`
		Changes [][]*string `json:"changes"`
	}
	if err := read(ctx, &sets, "state_queryStorageAt", keys, hash); err != nil {
		return err
	}
	if len(sets) != 1 || sets[0].Block != hash {
		return &strayError{fmt.Sprintf("state_queryStorageAt: the node answers for another block than %v", hash)}
	}
	byKey := make(map[string]*string, len(keys))
	for _, change := range sets[0].Changes {
		if len(change) != 2 || change[0] == nil {
			return errors.New("state_queryStorageAt: a change is not a pair")
		}
		byKey[*change[0]] = change[1]
	}
	for i, k := range keys {
		value, ok := byKey["0x"+hex.EncodeToString(k)]
		if !ok {
			return fmt.Errorf("state_queryStorageAt: the node passes over key 0x%x", []byte(k))
		}
		out[i] = nil
		if value == nil {
			continue
		}
		var b hexBytes
		if err := b.UnmarshalText([]byte(*value)); err != nil {
			return fmt.Errorf("state_queryStorageAt: %w", err)
		}
		out[i] = append([]byte{}, b...) // not nil, even if empty
	}
	return nil
}

// sure is [Client.anywhere] for questions whose answer does not tell of which
// block it is.
func (v *View) sure(ctx context.Context, get func(reader) error) error {
	return v.c.anywhere(ctx, func(read reader) error {
		if !v.newest {
			if err := prove(ctx, read, v.Block, v.hash); err != nil {
				return err
			}
		}
		return get(read)
	})
}

// A Pair is one entry of a map.
type Pair struct {
	Keys  []any
	Value any
}

// maxPairs bounds how many entries one iteration may return.
const maxPairs = 1 << 20

// Pairs reads all entries of a map whose first keys are those given, in the
// order of their storage keys.
func (v *View) Pairs(ctx context.Context, pallet, item string, keys ...any) ([]Pair, error) {
	prefix, err := v.StorageKey(pallet, item, keys...)
	if err != nil {
		return nil, err
	}
	list, err := v.list(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("list %s.%s after block %d: %w", pallet, item, v.Block, err)
	}
	raws, err := v.raw(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("read %s.%s after block %d: %w", pallet, item, v.Block, err)
	}
	out := make([]Pair, len(list))
	for i, k := range list {
		if out[i].Keys, err = v.DecodeStorageKey(pallet, item, k); err != nil {
			return nil, err
		}
		if out[i].Value, err = v.DecodeStorage(pallet, item, raws[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// list returns all keys with a prefix, page by page.
func (v *View) list(ctx context.Context, prefix hexBytes) ([]hexBytes, error) {
	var all []hexBytes
	err := v.sure(ctx, func(read reader) (err error) {
		all, err = pages(ctx, read, prefix, v.hash)
		return err
	})
	return all, err
}

func pages(ctx context.Context, read reader, prefix hexBytes, hash hash32) ([]hexBytes, error) {
	var all []hexBytes
	for last := prefix; ; {
		var page []hexBytes
		if err := read(ctx, &page, "state_getKeysPaged", prefix, batch, last, hash); err != nil {
			return nil, err
		}
		for _, k := range page {
			if string(k) <= string(last) && len(all) > 0 {
				return nil, errors.New("state_getKeysPaged: the node's keys are out of order")
			}
			last = k
			all = append(all, k)
		}
		if len(page) < batch {
			return all, nil
		}
		if len(all) > maxPairs {
			return nil, fmt.Errorf("more than %d entries", maxPairs)
		}
	}
}
