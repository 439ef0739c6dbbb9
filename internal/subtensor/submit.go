package subtensor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
)

// A Signer signs for one account, with sr25519.
type Signer interface {
	Public() [32]byte
	Sign(ctx context.Context, payload []byte) ([]byte, error)
}

// SubmitOptions says how an extrinsic is sent. The zero value will do.
type SubmitOptions struct {
	// Finalized waits until the block can no longer be replaced, not only
	// until there is one.
	Finalized bool
	// Period is for how many blocks the extrinsic may be included; default 64.
	Period uint64
	Tip    uint64 // in RAO
}

// An Inclusion is where on the chain an extrinsic ended.
type Inclusion struct {
	Block     subnet.Block
	BlockHash string
	Hash      string // of the extrinsic
	Index     int    // in the block
	Events    []scale.Event
}

// eraMargin is how many blocks behind the head an era begins: that block is
// signed, and the newest might still be replaced.
const eraMargin = 4

// maxResign is how often a refused extrinsic is signed anew, with another nonce
// or for another runtime.
const maxResign = 3

// Submit signs a call, sends it and follows it until it is in a block. It
// returns an error if the call failed there: a *[scale.ModuleError] or a
// *[DispatchError], together with the inclusion; or a *[PoolError] if no block
// will ever hold it.
//
// An extrinsic is sent again only as it was signed, so it cannot happen twice;
// it is signed anew only after a node has refused it. If ctx ends while it is
// on its way, the error says so: it may still be included.
func (c *Client) Submit(ctx context.Context, s Signer, call []byte, o SubmitOptions) (Inclusion, error) {
	if o.Period == 0 {
		o.Period = 64
	}
	for try := 1; ; try++ {
		x, w, err := c.send(ctx, s, call, o)
		if err == nil {
			defer c.sent(s)
			return c.follow(ctx, x, w, o)
		}
		if try > maxResign || !c.curable(ctx, err) {
			return Inclusion{}, fmt.Errorf("submit: %w", err)
		}
	}
}

// curable reports whether a refused extrinsic may be taken if it is signed
// anew, and finds out what has changed.
func (c *Client) curable(ctx context.Context, err error) bool {
	e, ok := errors.AsType[*PoolError](err)
	if !ok {
		return false
	}
	switch {
	case e.Code == poolPriority:
		return true // another with the same nonce is in the pool
	case e.outdated():
		return true // another with the same nonce is on chain
	case e.Code == 1002, e.Code == poolInvalid && strings.Contains(e.Text, "bad signature"):
		// The runtime may have been upgraded, or the era's block replaced.
		_, err := c.fetchRuntime(ctx)
		return err == nil
	}
	return false
}

// A signed extrinsic is on its way.
type signed struct {
	bytes hexBytes
	hash  hash32
	sent  subnet.Block // the head before it was sent
	dies  subnet.Block // the first block that cannot include it
}

// A sender keeps the nonces of one account in order.
type sender struct {
	turn     chan struct{} // holds a token while nobody signs
	next     uint32        // after the last nonce that was used here
	inFlight int
}

func (c *Client) sender(s Signer) *sender {
	c.mu.Lock()
	defer c.mu.Unlock()
	pub := s.Public()
	if c.senders[pub] == nil {
		c.senders[pub] = &sender{turn: make(chan struct{}, 1)}
		c.senders[pub].turn <- struct{}{}
	}
	return c.senders[pub]
}

// sent tells that an extrinsic of s is no longer in flight.
func (c *Client) sent(s Signer) {
	x := c.sender(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	x.inFlight--
}

// send signs and submits. One account's extrinsics are sent one after the
// other, each once the pool has taken the one before, and followed together.
func (c *Client) send(ctx context.Context, s Signer, call []byte, o SubmitOptions) (*signed, *watch, error) {
	who := c.sender(s)
	select {
	case <-who.turn:
		defer func() { who.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	var nonce uint32
	if err := c.rpc.read(ctx, &nonce, "system_accountNextIndex", keys.Address(s.Public())); err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	if who.inFlight > 0 && nonce < who.next {
		nonce = who.next // the node has not heard of what another node took
	}
	c.mu.Unlock()
	x, err := c.sign(ctx, s, call, nonce, o)
	if err != nil {
		return nil, nil, err
	}
	w, err := c.watch(ctx, x)
	if err != nil && !isLost(err) && !isKnown(err) {
		return nil, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	who.next = nonce + 1
	who.inFlight++
	return x, w, nil
}

func (c *Client) sign(ctx context.Context, s Signer, call []byte, nonce uint32, o SubmitOptions) (*signed, error) {
	rt, err := c.Runtime(ctx)
	if err != nil {
		return nil, err
	}
	head, err := c.Head(ctx)
	if err != nil {
		return nil, err
	}
	// The chain itself remembers 2400 blocks; a node need not.
	era, birth := scale.MortalEra(min(o.Period, 1024), uint64(head-min(head, eraMargin)))
	hash, err := c.hash(ctx, subnet.Block(birth))
	if err != nil {
		return nil, err
	}
	extra, implicit, err := rt.Extensions(scale.SignedParts{Nonce: nonce, Tip: o.Tip, SpecVersion: rt.SpecVersion,
		TxVersion: rt.TxVersion, Genesis: c.genesis, Era: era, Birth: hash})
	if err != nil {
		return nil, err
	}
	sig, err := s.Sign(ctx, scale.Payload(call, extra, implicit))
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	b, err := rt.SignedExtrinsic(s.Public(), sig, extra, call)
	if err != nil {
		return nil, err
	}
	period := uint64(1) << (era[0]&15 + 1)
	return &signed{b, scale.Blake2b256(b), head, subnet.Block(birth + period)}, nil
}

// A watch is a subscription to what becomes of an extrinsic.
type watch struct {
	link    *link
	id      json.RawMessage
	updates chan json.RawMessage
}

// maxUpdates bounds how many updates may wait to be read; there are about five
// in an extrinsic's life.
const maxUpdates = 64

// watch submits an extrinsic. It may have arrived even if there is an error,
// which then is one of a lost connection, or says that the node has it already;
// follow finds out.
func (c *Client) watch(ctx context.Context, x *signed) (*watch, error) {
	l, err := c.rpc.up(ctx)
	if err != nil {
		return nil, err
	}
	w := &watch{link: l, updates: make(chan json.RawMessage, maxUpdates)}
	w.id, err = l.call(ctx, func(b json.RawMessage) {
		select {
		case w.updates <- b:
		default: // follow looks into the blocks
		}
	}, "author_submitAndWatchExtrinsic", x.bytes)
	switch {
	case err == nil:
		return w, nil
	case isLost(err):
		c.rpc.down(ctx, l)
		return nil, err
	case ctx.Err() != nil:
		return nil, unsettled(x, err)
	}
	return nil, poolError(err)
}

// isLost reports whether the connection broke before there was an answer.
func isLost(err error) bool {
	_, lost := errors.AsType[*lostError](err)
	return lost
}

// isKnown reports whether a node refused an extrinsic for having it already.
func isKnown(err error) bool {
	e, ok := errors.AsType[*PoolError](err)
	return ok && e.Code == poolKnown
}

// unsettled says that an extrinsic may or may not be included later.
func unsettled(x *signed, err error) error {
	return fmt.Errorf("extrinsic %v may be on its way: %w", x.hash, err)
}
