package chainnode

import (
	"errors"
	"fmt"

	"adit/internal/keys"
	"adit/internal/ledger"
	"adit/internal/scale"
)

// The calls about extrinsics: author_, and an account's next nonce.

func nextIndex(n *Node, _ *session, p params) (any, error) {
	var address string
	if err := p.need(0, &address); err != nil {
		return nil, err
	}
	who, err := keys.ParseAddress(address)
	if err != nil {
		return nil, invalidParams(err)
	}
	return n.pool.nextNonce(who, n.ledger.Nonce(who)), nil
}

func submitExtrinsic(n *Node, _ *session, p params) (any, error) {
	h, err := n.submit(p, nil)
	if err != nil {
		return nil, err
	}
	return asHex(h), nil
}

func submitAndWatch(n *Node, s *session, p params) (any, error) {
	f, err := s.subscribe("author_extrinsicUpdate")
	if err != nil {
		return nil, err
	}
	if _, err := n.submit(p, f); err != nil {
		f.cancel()
		return nil, err
	}
	return f.id, nil
}

// submit puts the extrinsic in argument 0 into the pool, if the ledger finds it
// valid.
func (n *Node) submit(p params, watch *feed) (hash, error) {
	var xt hexBytes
	if err := p.need(0, &xt); err != nil {
		return hash{}, err
	}
	h := scale.Blake2b256(xt)
	if err := n.pool.refused(h); err != nil {
		return h, err
	}
	v, err := n.ledger.Validate(xt)
	if invalid, ok := errors.AsType[*ledger.InvalidError](err); ok {
		n.pool.bans.add(h)
		return h, &rpcError{Code: 1010, Message: "Invalid Transaction", Data: invalid.Error()}
	}
	if err != nil {
		return h, &rpcError{Code: 1001, Message: fmt.Sprintf("Extrinsic has invalid format: %v", err)}
	}
	return h, n.pool.add(h, xt, v, n.number(), n.ledger.Nonce, watch)
}

func pendingExtrinsics(n *Node, _ *session, _ params) (any, error) {
	pending := []hexBytes{}
	for _, x := range n.pool.ready(n.ledger.Nonce) {
		pending = append(pending, x.bytes)
	}
	return pending, nil
}
