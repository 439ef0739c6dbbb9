package subtensor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// A Runtime is one version of the chain's rules.
type Runtime struct {
	SpecVersion uint32
	TxVersion   uint32
	*scale.Metadata
}

type runtimeVersion struct {
	SpecVersion uint32 `json:"specVersion"`
	TxVersion   uint32 `json:"transactionVersion"`
}

// runtimes knows the versions of the runtime by their number, and which of them
// made the state of a block.
type runtimes struct {
	head     uint32 // of the newest block, as last heard
	told     bool   // the node tells when that changes
	versions map[uint32]*Runtime
	// spans are the blocks of which a version is known to have made the
	// states. It made those between them too, since versions do not return.
	spans map[uint32]span
}

type span struct{ first, last subnet.Block }

// of returns the runtime that made the state after a block, nil if that is not
// known.
func (r *runtimes) of(b subnet.Block) *Runtime {
	for spec, s := range r.spans {
		if s.first <= b && b <= s.last {
			return r.versions[spec]
		}
	}
	return nil
}

// made notes that a version made the state after a block.
func (r *runtimes) made(spec uint32, b subnet.Block) {
	s, ok := r.spans[spec]
	if !ok {
		s = span{b, b}
	}
	r.spans[spec] = span{min(s.first, b), max(s.last, b)}
}

func (c *Client) setSpec(spec uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runtimes.head = spec
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
	if _, err := c.rpc.up(ctx); err != nil { // or the version is not known
		return nil, err
	}
	c.mu.Lock()
	rt := c.runtimes.versions[c.runtimes.head]
	c.mu.Unlock()
	if rt != nil {
		return rt, nil
	}
	return c.fetchRuntime(ctx, c.rpc.read)
}

// runtimeAt returns the runtime that made the state after a block. Newest says
// that the block is the head, whose runtime is known without asking where the
// node tells of upgrades.
func (c *Client) runtimeAt(ctx context.Context, at tip, newest bool) (*Runtime, error) {
	c.mu.Lock()
	rt := c.runtimes.of(at.block)
	if rt == nil && newest && c.runtimes.told {
		rt = c.runtimes.versions[c.runtimes.head]
	}
	c.mu.Unlock()
	if rt != nil {
		return rt, nil
	}
	head, _ := c.heads.get()
	err := c.anywhere(ctx, func(read reader) (err error) {
		if isOld(at.block, head) {
			if err := prove(ctx, read, at.block, at.hash); err != nil {
				return err
			}
		}
		rt, err = c.fetchRuntime(ctx, read, at.hash)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runtimes.made(rt.SpecVersion, at.block)
	return rt, nil
}

// fetchRuntime fetches the runtime of a block, or of the head without one.
func (c *Client) fetchRuntime(ctx context.Context, read reader, at ...any) (*Runtime, error) {
	var v runtimeVersion
	if err := read(ctx, &v, "state_getRuntimeVersion", at...); err != nil {
		return nil, err
	}
	c.mu.Lock()
	if len(at) == 0 {
		c.runtimes.head = v.SpecVersion
	}
	rt := c.runtimes.versions[v.SpecVersion]
	c.mu.Unlock()
	if rt != nil {
		return rt, nil
	}
	b, err := fetchMetadata(ctx, read, at...)
	if err != nil {
		return nil, err
	}
	md, err := scale.ReadMetadata(b)
	if err != nil {
		return nil, &strangeError{fmt.Errorf("runtime %d: %w", v.SpecVersion, err)}
	}
	rt = &Runtime{v.SpecVersion, v.TxVersion, md}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runtimes.versions[v.SpecVersion] = rt
	return rt, nil
}

// A strangeError means that a node describes its runtime in a way that cannot be
// right, or cannot be understood.
type strangeError struct{ err error }

func (e *strangeError) Error() string { return e.err.Error() }
func (e *strangeError) Unwrap() error { return e.err }

// metadataVersion is the one that is asked for: the oldest that tells the runtime
// APIs. Runtimes from 293 on have it.
const metadataVersion = 15

// fetchMetadata returns metadata that tells the runtime APIs, or where there is
// none, as of old runtimes and simple nodes, that which every node has.
func fetchMetadata(ctx context.Context, read reader, at ...any) ([]byte, error) {
	arg, err := scale.Marshal(uint32(metadataVersion))
	if err != nil {
		return nil, err
	}
	var raw hexBytes
	err = read(ctx, &raw, "state_call", append([]any{"Metadata_metadata_at_version", hexBytes(arg)}, at...)...)
	var answer scale.Option[[]byte]
	if err == nil {
		err = scale.Unmarshal(raw, &answer)
		if err == nil && answer.Some {
			return answer.V, nil
		}
	} else if _, refused := errors.AsType[*RPCError](err); !refused {
		return nil, err
	}
	var b hexBytes
	if err := read(ctx, &b, "state_getMetadata", at...); err != nil {
		return nil, err
	}
	return b, nil
}
