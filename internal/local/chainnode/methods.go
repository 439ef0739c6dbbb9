package chainnode

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A method is a call that a client may make. It is given a session only over
// WebSocket.
type method func(*Node, *session, params) (any, error)

// locked lets a method have the node to itself.
func locked(m method) method {
	return func(n *Node, s *session, p params) (any, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		return m(n, s, p)
	}
}

func fixed(v any) method {
	return func(*Node, *session, params) (any, error) { return v, nil }
}

// methods are the calls under upstream's names, with the older names that
// clients still use.
var methods = map[string]method{
	"rpc_methods": rpcMethods,

	"system_chain":            fixed("Adit Local"),
	"system_name":             fixed("adit"),
	"system_version":          fixed("1"),
	"system_chainType":        fixed("Local"),
	"system_health":           fixed(map[string]any{"peers": 0, "isSyncing": false, "shouldHavePeers": false}),
	"system_properties":       fixed(map[string]any{"ss58Format": 42, "tokenDecimals": 9, "tokenSymbol": "TAO", "isEthereum": false}),
	"system_nodeRoles":        fixed([]string{"Authority"}),
	"system_peers":            fixed([]any{}),
	"system_syncState":        locked(syncState),
	"system_accountNextIndex": locked(nextIndex),
	"account_nextIndex":       locked(nextIndex),

	"chain_getBlockHash":              locked(blockHash),
	"chain_getHead":                   locked(blockHash),
	"chain_getHeader":                 locked(getHeader),
	"chain_getBlock":                  locked(getBlock),
	"chain_getFinalizedHead":          locked(finalizedHead),
	"chain_getFinalisedHead":          locked(finalizedHead),
	"chain_getRuntimeVersion":         locked(getRuntimeVersion),
	"chain_subscribeNewHeads":         locked(subscribeHeads("chain_newHead")),
	"chain_subscribeNewHead":          locked(subscribeHeads("chain_newHead")),
	"chain_subscribeAllHeads":         locked(subscribeHeads("chain_allHead")),
	"chain_subscribeFinalizedHeads":   locked(subscribeHeads("chain_finalizedHead")),
	"chain_subscribeFinalisedHeads":   locked(subscribeHeads("chain_finalizedHead")),
	"chain_subscribeRuntimeVersion":   locked(subscribeRuntimeVersion),
	"chain_unsubscribeNewHeads":       locked(unsubscribe),
	"chain_unsubscribeNewHead":        locked(unsubscribe),
	"chain_unsubscribeAllHeads":       locked(unsubscribe),
	"chain_unsubscribeFinalizedHeads": locked(unsubscribe),
	"chain_unsubscribeFinalisedHeads": locked(unsubscribe),
	"chain_unsubscribeRuntimeVersion": locked(unsubscribe),
	"state_getMetadata":               locked(getMetadata),
	"state_getRuntimeVersion":         locked(getRuntimeVersion),
	"state_getStorage":                locked(getStorage),
	"state_getStorageAt":              locked(getStorage),
	"state_getStorageHash":            locked(getStorageHash),
	"state_getStorageHashAt":          locked(getStorageHash),
	"state_getStorageSize":            locked(getStorageSize),
	"state_getStorageSizeAt":          locked(getStorageSize),
	"state_getKeys":                   locked(getKeys),
	"state_getKeysPaged":              locked(getKeysPaged),
	"state_getKeysPagedAt":            locked(getKeysPaged),
	"state_queryStorageAt":            locked(queryStorageAt),
	"state_subscribeStorage":          locked(subscribeStorage),
	"state_subscribeRuntimeVersion":   locked(subscribeRuntimeVersion),
	"state_unsubscribeStorage":        locked(unsubscribe),
	"state_unsubscribeRuntimeVersion": locked(unsubscribe),
	"state_call":                      locked(stateCall),
	"state_callAt":                    locked(stateCall),
	"payment_queryInfo":               locked(queryInfo),
	"author_submitExtrinsic":          locked(submitExtrinsic),
	"author_submitAndWatchExtrinsic":  locked(submitAndWatch),
	"author_unwatchExtrinsic":         locked(unsubscribe),
	"author_pendingExtrinsics":        locked(pendingExtrinsics),
	"engine_createBlock":              createBlock,
	"engine_createBlocks":             createBlocks,
}

func rpcMethods(n *Node, _ *session, _ params) (any, error) {
	return map[string]any{"methods": n.names}, nil
}

// params are a call's arguments. Missing ones are as good as null.
type params []json.RawMessage

// get reads argument i into v, and says whether it was there.
func (p params) get(i int, v any) (bool, error) {
	if i >= len(p) || string(p[i]) == "null" {
		return false, nil
	}
	if err := json.Unmarshal(p[i], v); err != nil {
		return false, invalidParams(fmt.Errorf("argument %d: %w", i, err))
	}
	return true, nil
}

// need is get for what must be there.
func (p params) need(i int, v any) error {
	ok, err := p.get(i, v)
	if err == nil && !ok {
		err = invalidParams(fmt.Errorf("argument %d is missing", i))
	}
	return err
}

// hash reads argument i, and says whether it was there.
func (p params) hash(i int) (h hash, ok bool, err error) {
	var b hexBytes
	if ok, err = p.get(i, &b); err != nil || !ok {
		return h, false, err
	}
	if copy(h[:], b) != len(b) || len(b) != len(h) {
		return h, false, invalidParams(fmt.Errorf("argument %d: a hash has %d bytes, not %d", i, len(h), len(b)))
	}
	return h, true, nil
}

// A hexBytes is bytes as "0x" and hexadecimal digits.
type hexBytes []byte

// MarshalText implements [encoding.TextMarshaler].
func (h hexBytes) MarshalText() ([]byte, error) {
	return hex.AppendEncode([]byte("0x"), h), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
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
