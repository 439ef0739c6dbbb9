package chainnode

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"adit/internal/keys"
	"adit/internal/ledger"
	"adit/internal/scale"
)

// A method is a call that a client may make. It is given a session only over
// WebSocket.
type method func(*Node, *session, params) (any, error)

// methods are the calls under upstream's names.
var methods = map[string]method{
	"system_chain":            fixed("Adit Local"),
	"system_name":             fixed("adit"),
	"system_version":          fixed("1"),
	"system_chainType":        fixed("Local"),
	"system_health":           fixed(map[string]any{"peers": 0, "isSyncing": false, "shouldHavePeers": false}),
	"system_properties":       fixed(map[string]any{"ss58Format": 42, "tokenDecimals": 9, "tokenSymbol": "TAO", "isEthereum": false}),
	"system_accountNextIndex": nextIndex,

	"chain_getBlockHash":     blockHash,
	"chain_getHeader":        getHeader,
	"chain_getBlock":         getBlock,
	"chain_getFinalizedHead": finalizedHead,

	"chain_subscribeNewHeads":         subscribeHeads("chain_newHead"),
	"chain_unsubscribeNewHeads":       unsubscribe,
	"chain_subscribeFinalizedHeads":   subscribeHeads("chain_finalizedHead"),
	"chain_unsubscribeFinalizedHeads": unsubscribe,

	"state_getMetadata":               getMetadata,
	"state_getRuntimeVersion":         getRuntimeVersion,
	"state_subscribeRuntimeVersion":   subscribeRuntimeVersion,
	"state_unsubscribeRuntimeVersion": unsubscribe,
	"state_getStorage":                getStorage,
	"state_getKeysPaged":              getKeysPaged,
	"state_queryStorageAt":            queryStorageAt,

	"author_submitExtrinsic":         submitExtrinsic,
	"author_submitAndWatchExtrinsic": submitAndWatch,
	"author_unwatchExtrinsic":        unsubscribe,
	"author_pendingExtrinsics":       pendingExtrinsics,

	"engine_createBlock": createBlock,
}

func fixed(v any) method {
	return func(*Node, *session, params) (any, error) { return v, nil }
}

// params are a call's arguments. Missing ones are as good as null.
type params []json.RawMessage

// get reads argument i into v, and says whether it was there.
func (p params) get(i int, v any) (bool, error) {
	if i >= len(p) || string(p[i]) == "null" {
		return false, nil
	}
	if err := json.Unmarshal(p[i], v); err != nil {
		return false, fmt.Errorf("Invalid params: argument %d: %w", i, err)
	}
	return true, nil
}

// need is get for what must be there.
func (p params) need(i int, v any) error {
	ok, err := p.get(i, v)
	if err == nil && !ok {
		err = fmt.Errorf("Invalid params: argument %d is missing", i)
	}
	return err
}

// A hexBytes is bytes as "0x" and hexadecimal digits.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte("0x" + hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(text []byte) error {
	digits, ok := strings.CutPrefix(string(text), "0x")
	if !ok {
		return errors.New("bytes must begin with 0x")
	}
	b, err := hex.DecodeString(digits)
	*h = b
	return err
}

// asHex is for values of a hash's type.
func asHex(h hash) hexBytes { return h[:] }

// at returns the number of the block that argument i names by its hash, or the
// head's.
func (n *Node) at(p params, i int) (uint32, error) {
	var h hexBytes
	ok, err := p.get(i, &h)
	if err != nil || !ok {
		return n.number(), err
	}
	number, known := n.byHash[hash(append(h, make([]byte, 32)...)[:32])]
	if !known || len(h) != 32 {
		return 0, &rpcError{Code: 4003, Message: "Client error: UnknownBlock: State already discarded for 0x" + hex.EncodeToString(h)}
	}
	if number < n.history.oldest {
		return 0, &rpcError{Code: 4003, Message: "Client error: UnknownBlock: State already discarded for 0x" + hex.EncodeToString(h)}
	}
	return number, nil
}

func nextIndex(n *Node, _ *session, p params) (any, error) {
	var address string
	if err := p.need(0, &address); err != nil {
		return nil, err
	}
	who, err := keys.ParseAddress(address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var info ledger.AccountInfo
	if value := n.history.at(n.number(), accountKey(who)); value != nil {
		if err := scale.Unmarshal(value, &info); err != nil {
			return nil, err
		}
	}
	return n.pool.nextNonce(who, info.Nonce), nil
}

func blockHash(n *Node, _ *session, p params) (any, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	number := uint64(n.number())
	var hexNumber string
	if _, err := p.get(0, &number); err != nil {
		if _, hexErr := p.get(0, &hexNumber); hexErr != nil {
			return nil, err
		}
		if number, err = strconv.ParseUint(strings.TrimPrefix(hexNumber, "0x"), 16, 32); err != nil {
			return nil, err
		}
	}
	if number > uint64(n.number()) {
		return nil, nil
	}
	h, err := n.hashOf(uint32(number))
	if err != nil {
		return nil, nil // as upstream: null
	}
	return asHex(h), nil
}

// headerJSON is a header as clients read it.
func headerJSON(h header) any {
	return map[string]any{
		"parentHash": asHex(h.ParentHash), "number": fmt.Sprintf("0x%x", h.Number.V),
		"stateRoot": asHex(h.StateRoot), "extrinsicsRoot": asHex(h.ExtrinsicsRoot),
		"digest": map[string]any{"logs": []string{}},
	}
}

// blockAt returns the block that argument i names, or false if it is not kept.
func (n *Node) blockAt(p params, i int) (block, bool, error) {
	var h hexBytes
	ok, err := p.get(i, &h)
	if err != nil {
		return block{}, false, err
	}
	number := n.number()
	if ok {
		if len(h) != 32 {
			return block{}, false, errors.New("Invalid params: a hash has 32 bytes")
		}
		if number, ok = n.byHash[hash(h)]; !ok {
			return block{}, false, nil
		}
	}
	b, ok := n.block(number)
	return b, ok, nil
}

func getHeader(n *Node, _ *session, p params) (any, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	b, ok, err := n.blockAt(p, 0)
	if err != nil || !ok {
		return nil, err
	}
	return headerJSON(b.Header), nil
}

func getBlock(n *Node, _ *session, p params) (any, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	b, ok, err := n.blockAt(p, 0)
	if err != nil || !ok {
		return nil, err
	}
	extrinsics := make([]hexBytes, len(b.Extrinsics))
	for i, x := range b.Extrinsics {
		extrinsics[i] = x
	}
	return map[string]any{"block": map[string]any{"header": headerJSON(b.Header), "extrinsics": extrinsics}, "justifications": nil}, nil
}

func finalizedHead(n *Node, _ *session, _ params) (any, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return asHex(n.headHash()), nil
}

func subscribeHeads(notice string) method {
	return func(n *Node, s *session, _ params) (any, error) {
		return s.subscribe(notice, func(notify func(any)) func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			id := n.watchers.add(func(h header) { notify(headerJSON(h)) })
			notify(headerJSON(n.blocks[len(n.blocks)-1].Header))
			return func() {
				n.mu.Lock()
				defer n.mu.Unlock()
				delete(n.watchers.heads, id)
			}
		})
	}
}

func unsubscribe(_ *Node, s *session, p params) (any, error) {
	var id string
	if err := p.need(0, &id); err != nil {
		return nil, err
	}
	return s.unsubscribe(id), nil
}

// createBlock makes a block at once, with upstream's name from its manual seal.
func createBlock(n *Node, _ *session, _ params) (any, error) {
	h, err := n.Produce()
	if err != nil {
		return nil, &rpcError{Code: -32603, Message: err.Error()}
	}
	return map[string]any{"hash": asHex(h)}, nil
}
