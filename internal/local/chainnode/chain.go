package chainnode

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The calls about blocks: chain_, system_syncState and engine_.

func syncState(n *Node, _ *session, _ params) (any, error) {
	return map[string]any{"startingBlock": n.blocks[0].header.number(), "currentBlock": n.number(), "highestBlock": n.number()}, nil
}

// blockHash returns the hash of one block, the head's without an argument, or a
// list of them for a list. What is not known is null.
func blockHash(n *Node, _ *session, p params) (any, error) {
	if len(p) > 0 && strings.HasPrefix(string(p[0]), "[") {
		var list []json.RawMessage
		if err := p.need(0, &list); err != nil {
			return nil, err
		}
		hashes := make([]any, len(list))
		for i, one := range list {
			h, err := blockHash(n, nil, params{one})
			if err != nil {
				return nil, err
			}
			hashes[i] = h
		}
		return hashes, nil
	}
	var arg json.RawMessage
	ok, err := p.get(0, &arg)
	if err != nil {
		return nil, err
	}
	if !ok {
		return asHex(n.head().hash), nil
	}
	number, err := blockNumber(arg)
	if err != nil {
		return nil, invalidParams(err)
	}
	if h, ok := n.hashOf(number); ok {
		return asHex(h), nil
	}
	return nil, nil
}

// blockNumber reads a number, or one as a string of hexadecimal digits.
func blockNumber(arg json.RawMessage) (uint32, error) {
	var number uint32
	var text string
	if json.Unmarshal(arg, &number) == nil {
		return number, nil
	}
	if json.Unmarshal(arg, &text) == nil {
		if digits, ok := strings.CutPrefix(text, "0x"); ok {
			n, err := strconv.ParseUint(digits, 16, 32)
			return uint32(n), err
		}
	}
	return 0, errors.New("a block number is 32 bits, in decimal or as a string of 0x and digits")
}

// headerJSON is a header as clients read it.
func headerJSON(h header) any {
	return map[string]any{
		"parentHash": asHex(h.ParentHash), "number": fmt.Sprintf("0x%x", h.number()),
		"stateRoot": asHex(h.StateRoot), "extrinsicsRoot": asHex(h.ExtrinsicsRoot),
		"digest": map[string]any{"logs": []string{}},
	}
}

// blockAt returns the block that argument 0 names by its hash, the head without
// one, or false if it is not kept.
func (n *Node) blockAt(p params) (kept, bool, error) {
	h, ok, err := p.hash(0)
	if err != nil {
		return kept{}, false, err
	}
	if !ok {
		return n.head(), true, nil
	}
	b, ok := n.find(h)
	return b, ok, nil
}

func getHeader(n *Node, _ *session, p params) (any, error) {
	b, ok, err := n.blockAt(p)
	if err != nil || !ok {
		return nil, err
	}
	return headerJSON(b.header), nil
}

// getBlock returns a block with its extrinsics, or null if they are not kept:
// those of the oldest block with a state went with the segment before it.
func getBlock(n *Node, _ *session, p params) (any, error) {
	b, ok, err := n.blockAt(p)
	if err != nil || !ok {
		return nil, err
	}
	extrinsics := []hexBytes{}
	switch {
	case b.place != place{}:
		body, err := n.disk.body(b.place)
		if err != nil {
			return nil, err
		}
		for _, x := range body {
			extrinsics = append(extrinsics, x)
		}
	case b.header.number() > 0: // block 0 has none
		return nil, nil
	}
	return map[string]any{"block": map[string]any{"header": headerJSON(b.header), "extrinsics": extrinsics}, "justifications": nil}, nil
}

func finalizedHead(n *Node, _ *session, _ params) (any, error) { return asHex(n.head().hash), nil }

// subscribeHeads tells every new head, beginning with the one there is.
func subscribeHeads(notice string) method {
	return func(n *Node, s *session, _ params) (any, error) {
		f, err := s.subscribe(notice)
		if err != nil {
			return nil, err
		}
		f.watch(func(b made) { f.notify(headerJSON(b.header)) })
		f.notify(headerJSON(n.head().header))
		return f.id, nil
	}
}

// unsubscribe ends a subscription of any kind and says whether there was one.
func unsubscribe(_ *Node, s *session, p params) (any, error) {
	var id string
	if err := p.need(0, &id); err != nil {
		return nil, err
	}
	if s == nil || s.feeds[id] == nil {
		return false, nil
	}
	s.feeds[id].end()
	return true, nil
}

// createBlock makes a block at once, with upstream's name from its manual seal.
func createBlock(n *Node, _ *session, _ params) (any, error) {
	h, err := n.Produce()
	if err != nil {
		return nil, err
	}
	return map[string]any{"hash": asHex(h), "aux": map[string]any{
		"header_only": false, "clear_justification_requests": false, "needs_justification": false, "bad_justification": false, "is_new_best": true,
	}}, nil
}

// createBlocks makes as many blocks as argument 0 says, at once; see
// [Node.Advance].
func createBlocks(n *Node, _ *session, p params) (any, error) {
	var count int
	if err := p.need(0, &count); err != nil {
		return nil, err
	}
	if count < 1 || count > maxAdvance {
		return nil, invalidParams(fmt.Errorf("from 1 to %d blocks can be made at once, not %d", maxAdvance, count))
	}
	h, err := n.Advance(n.life, count)
	if err != nil {
		return nil, err
	}
	return asHex(h), nil
}
