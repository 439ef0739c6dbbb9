package chainnode

import (
	"bytes"
	"cmp"
	"slices"

	"adit/internal/ledger"
	"adit/internal/scale"
)

// A pool holds extrinsics that wait for a block. It is guarded by the node.
type pool struct {
	byHash map[hash]*pooled
	next   uint64
}

// maxPool is how many extrinsics may wait, as on upstream's nodes.
const maxPool = 8192

// A pooled is an extrinsic in the pool.
type pooled struct {
	hash    hash
	bytes   []byte
	who     [32]byte
	nonce   uint32
	arrived uint64
	// status is told what becomes of it; nil if nobody asked.
	status func(state string, block ...hash)
}

func (x *pooled) tell(state string, block ...hash) {
	if x.status != nil {
		x.status(state, block...)
	}
}

// add takes in an extrinsic that the ledger finds valid. One of the same
// account and nonce that is there stands.
func (p *pool) add(xt []byte, v ledger.Validity, status func(string, ...hash)) (hash, error) {
	if p.byHash == nil {
		p.byHash = make(map[hash]*pooled)
	}
	h := scale.Blake2b256(xt)
	switch {
	case p.byHash[h] != nil:
		return h, &rpcError{Code: 1013, Message: "Transaction is already imported"}
	case len(p.byHash) >= maxPool:
		return h, &rpcError{Code: 1016, Message: "Immediately dropped: the pool is full"}
	case p.with(v.Provides.Account, v.Provides.Nonce) != nil:
		return h, &rpcError{Code: 1014, Message: "Priority is too low", Data: "The transaction has too low priority to replace another transaction already in the pool."}
	}
	p.next++
	p.byHash[h] = &pooled{hash: h, bytes: bytes.Clone(xt), who: v.Provides.Account, nonce: v.Provides.Nonce, arrived: p.next, status: status}
	return h, nil
}

func (p *pool) with(who [32]byte, nonce uint32) *pooled {
	for _, x := range p.byHash {
		if x.who == who && x.nonce == nonce {
			return x
		}
	}
	return nil
}

func (p *pool) remove(x *pooled) { delete(p.byHash, x.hash) }

// ready returns what may go into a block: in order of arrival, but each
// account's by nonce.
func (p *pool) ready() []*pooled {
	list := make([]*pooled, 0, len(p.byHash))
	for _, x := range p.byHash {
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b *pooled) int { return cmp.Compare(a.arrived, b.arrived) })
	queues := make(map[[32]byte][]*pooled)
	for _, x := range list {
		queues[x.who] = append(queues[x.who], x)
	}
	for _, q := range queues {
		slices.SortStableFunc(q, func(a, b *pooled) int { return cmp.Compare(a.nonce, b.nonce) })
	}
	for i, x := range list {
		list[i], queues[x.who] = queues[x.who][0], queues[x.who][1:]
	}
	return list
}

// nextNonce returns the nonce after those of the account that wait without a
// gap, given the account's own.
func (p *pool) nextNonce(who [32]byte, nonce uint32) uint32 {
	for p.with(who, nonce) != nil {
		nonce++
	}
	return nonce
}
