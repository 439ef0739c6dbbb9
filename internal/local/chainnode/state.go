package chainnode

import (
	"encoding/hex"
	"fmt"

	"adit/internal/scale"
)

// The calls about storage and the runtime: state_.

// maxKeys is how many keys upstream gives at most at a time.
const maxKeys = 1000

// at returns the number of the block that argument i names by its hash, or the
// head's. Blocks that never were and those whose state is discarded are not told
// apart: their hashes are not kept.
func (n *Node) at(p params, i int) (uint32, error) {
	h, ok, err := p.hash(i)
	if err != nil || !ok {
		return n.number(), err
	}
	number, known := n.byHash[h]
	if !known {
		return 0, &rpcError{Code: 4003, Message: "Client error: UnknownBlock: State already discarded for 0x" + hex.EncodeToString(h[:])}
	}
	return number, nil
}

// getMetadata is the same for every block: this node is never upgraded while it
// runs.
func getMetadata(n *Node, _ *session, p params) (any, error) {
	_, err := n.at(p, 0)
	return hexBytes(n.metadata[baseMetadata]), err
}

func getRuntimeVersion(n *Node, _ *session, p params) (any, error) {
	_, err := n.at(p, 0)
	return n.runtimeVersion(), err
}

func (n *Node) runtimeVersion() any {
	v := n.version()
	apis := make([][2]any, len(v.APIs))
	for i, a := range v.APIs {
		apis[i] = [2]any{hexBytes(a.F0[:]), a.F1}
	}
	return map[string]any{
		"specName": v.SpecName, "implName": v.ImplName, "authoringVersion": v.AuthoringVersion,
		"specVersion": v.SpecVersion, "implVersion": v.ImplVersion, "transactionVersion": v.TransactionVersion,
		"stateVersion": v.SystemVersion, "systemVersion": v.SystemVersion, "apis": apis,
	}
}

// subscribeRuntimeVersion tells the version once; see getMetadata.
func subscribeRuntimeVersion(n *Node, s *session, _ params) (any, error) {
	f, err := s.subscribe("state_runtimeVersion")
	if err != nil {
		return nil, err
	}
	f.notify(n.runtimeVersion())
	return f.id, nil
}

// value returns what is under the key in argument 0 after the block in argument
// 1, or nil.
func (n *Node) value(p params) ([]byte, error) {
	var key hexBytes
	if err := p.need(0, &key); err != nil {
		return nil, err
	}
	at, err := n.at(p, 1)
	if err != nil {
		return nil, err
	}
	return n.history.at(at, string(key)), nil
}

func getStorage(n *Node, _ *session, p params) (any, error) {
	value, err := n.value(p)
	return orNull(value), err
}

func getStorageHash(n *Node, _ *session, p params) (any, error) {
	value, err := n.value(p)
	if err != nil || value == nil {
		return nil, err
	}
	return asHex(scale.Blake2b256(value)), nil
}

func getStorageSize(n *Node, _ *session, p params) (any, error) {
	value, err := n.value(p)
	if err != nil || value == nil {
		return nil, err
	}
	return len(value), nil
}

// orNull is a value as JSON has it: null if there is none.
func orNull(value []byte) any {
	if value == nil {
		return nil
	}
	return hexBytes(value)
}

// getKeys returns all keys under a prefix, if an answer holds them.
func getKeys(n *Node, _ *session, p params) (any, error) {
	var prefix hexBytes
	if err := p.need(0, &prefix); err != nil {
		return nil, err
	}
	at, err := n.at(p, 1)
	if err != nil {
		return nil, err
	}
	return asKeys(n.history.under(at, string(prefix), "", -1)), nil
}

func getKeysPaged(n *Node, _ *session, p params) (any, error) {
	var prefix, after hexBytes
	var count uint32
	if _, err := p.get(0, &prefix); err != nil {
		return nil, err
	}
	if err := p.need(1, &count); err != nil {
		return nil, err
	}
	if _, err := p.get(2, &after); err != nil {
		return nil, err
	}
	if count > maxKeys {
		return nil, &rpcError{Code: 4002, Message: fmt.Sprintf("count exceeds maximum value. value: %d, max: %d", count, maxKeys)}
	}
	at, err := n.at(p, 3)
	if err != nil {
		return nil, err
	}
	return asKeys(n.history.under(at, string(prefix), string(after), int(count))), nil
}

func asKeys(list []string) []hexBytes {
	keys := make([]hexBytes, len(list))
	for i, k := range list {
		keys[i] = hexBytes(k)
	}
	return keys
}

func queryStorageAt(n *Node, _ *session, p params) (any, error) {
	var keys []hexBytes
	if err := p.need(0, &keys); err != nil {
		return nil, err
	}
	at, err := n.at(p, 1)
	if err != nil {
		return nil, err
	}
	b, _ := n.block(at) // a block whose state is kept is kept
	set, err := n.changeSet(b, keys)
	if err != nil {
		return nil, err
	}
	return []any{set}, nil
}

// changeSet returns the values of keys after a block.
func (n *Node) changeSet(b kept, keys []hexBytes) (any, error) {
	changes := make([][2]any, len(keys))
	size := 0
	for i, k := range keys {
		value := n.history.at(b.header.number(), string(k))
		if size += 2 * (len(k) + len(value)); size > maxResponse {
			return nil, errTooBig()
		}
		changes[i] = [2]any{k, orNull(value)}
	}
	return map[string]any{"block": asHex(b.hash), "changes": changes}, nil
}

// subscribeStorage tells the values of keys, and later those that a block
// changes.
func subscribeStorage(n *Node, s *session, p params) (any, error) {
	var keys []hexBytes
	if err := p.need(0, &keys); err != nil {
		return nil, err
	}
	now, err := n.changeSet(n.head(), keys)
	if err != nil {
		return nil, err
	}
	f, err := s.subscribe("state_storage")
	if err != nil {
		return nil, err
	}
	wanted := make(map[string]bool, len(keys))
	for _, k := range keys {
		wanted[string(k)] = true
	}
	f.watch(func(b made) {
		var changes [][2]any
		for _, c := range b.changes {
			if wanted[string(c.Key)] {
				changes = append(changes, [2]any{hexBytes(c.Key), orNull(c.Value)})
			}
		}
		if changes != nil {
			f.notify(map[string]any{"block": asHex(b.hash), "changes": changes})
		}
	})
	f.notify(now)
	return f.id, nil
}
