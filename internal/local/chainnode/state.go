package chainnode

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"adit/internal/ledger"
	"adit/internal/scale"
)

// Storage keys that the node itself reads.
func blockHashKey(number uint32) string {
	key := scale.StorageKey("System", "BlockHash")
	return string(scale.Twox64Concat.Append(key, binary.LittleEndian.AppendUint32(nil, number)))
}

func accountKey(who [32]byte) string {
	return string(scale.Blake2_128Concat.Append(scale.StorageKey("System", "Account"), who[:]))
}

func getMetadata(n *Node, _ *session, _ params) (any, error) { return hexBytes(n.metadata), nil }

func getRuntimeVersion(n *Node, _ *session, _ params) (any, error) { return n.runtimeVersion(), nil }

func (n *Node) runtimeVersion() any {
	spec := n.opts.Genesis.Spec
	if spec == (ledger.Spec{}) {
		spec = ledger.DefaultSpec
	}
	return map[string]any{
		"specName": "node-subtensor", "implName": "node-subtensor", "authoringVersion": 1,
		"specVersion": spec.SpecVersion, "implVersion": 1, "transactionVersion": spec.TransactionVersion,
		"stateVersion": 1, "apis": []any{},
	}
}

// subscribeRuntimeVersion tells the version once: this node is never upgraded
// while it runs.
func subscribeRuntimeVersion(n *Node, s *session, _ params) (any, error) {
	return s.subscribe("state_runtimeVersion", func(notify func(any)) func() {
		notify(n.runtimeVersion())
		return func() {}
	})
}

func getStorage(n *Node, _ *session, p params) (any, error) {
	var key hexBytes
	if err := p.need(0, &key); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	at, err := n.at(p, 1)
	if err != nil {
		return nil, err
	}
	return orNull(n.history.at(at, string(key))), nil
}

// orNull is a value as JSON has it: null if there is none.
func orNull(value []byte) any {
	if value == nil {
		return nil
	}
	return hexBytes(value)
}

// maxKeys is how many keys or values upstream gives at most at a time.
const maxKeys = 1000

func getKeysPaged(n *Node, _ *session, p params) (any, error) {
	var prefix, after hexBytes
	var count int
	if _, err := p.get(0, &prefix); err != nil {
		return nil, err
	}
	if err := p.need(1, &count); err != nil {
		return nil, err
	}
	if _, err := p.get(2, &after); err != nil {
		return nil, err
	}
	if count < 0 || count > maxKeys {
		return nil, &rpcError{Code: 4002, Message: fmt.Sprintf("count exceeds maximum value. value: %d, max: %d", count, maxKeys)}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	at, err := n.at(p, 3)
	if err != nil {
		return nil, err
	}
	found := n.history.under(at, string(prefix), string(after), count)
	keys := make([]hexBytes, len(found))
	for i, k := range found {
		keys[i] = hexBytes(k)
	}
	return keys, nil
}

func queryStorageAt(n *Node, _ *session, p params) (any, error) {
	var keys []hexBytes
	if err := p.need(0, &keys); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	at, err := n.at(p, 1)
	if err != nil {
		return nil, err
	}
	h, err := n.hashOf(at)
	if err != nil {
		return nil, err
	}
	changes := make([][2]any, len(keys))
	for i, k := range keys {
		changes[i] = [2]any{k, orNull(n.history.at(at, string(k)))}
	}
	return []any{map[string]any{"block": asHex(h), "changes": changes}}, nil
}

func submitExtrinsic(n *Node, _ *session, p params) (any, error) {
	var xt hexBytes
	if err := p.need(0, &xt); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	h, err := n.submit(xt, nil)
	if err != nil {
		return nil, err
	}
	return asHex(h), nil
}

// submit puts an extrinsic into the pool, if the ledger finds it valid.
func (n *Node) submit(xt []byte, status func(string, ...hash)) (hash, error) {
	v, err := n.ledger.Validate(xt)
	if err != nil {
		return hash{}, &rpcError{Code: 1010, Message: "Invalid Transaction", Data: err.Error()}
	}
	return n.pool.add(xt, v, status)
}

func submitAndWatch(n *Node, s *session, p params) (any, error) {
	var xt hexBytes
	if err := p.need(0, &xt); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var refused error
	id, err := s.subscribe("author_extrinsicUpdate", func(notify func(any)) func() {
		var ended atomic.Bool
		_, refused = n.submit(xt, func(state string, block ...hash) {
			switch {
			case ended.Load():
			case len(block) > 0:
				notify(map[string]any{state: asHex(block[0])})
			default:
				notify(state)
			}
		})
		notify("ready")
		return func() { ended.Store(true) }
	})
	if refused != nil {
		s.unsubscribe(id) // it was never named to anybody
		return nil, refused
	}
	return id, err
}

func pendingExtrinsics(n *Node, _ *session, _ params) (any, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	pending := []hexBytes{}
	for _, x := range n.pool.ready() {
		pending = append(pending, x.bytes)
	}
	return pending, nil
}
