package subtensor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

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
	// Period is for how many blocks the extrinsic may be included, a power of
	// two of at most 1024, or else the next one; default 128, as upstream.
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
// or for another runtime. Programs that share a key need some tries.
const maxResign = 8

// Submit signs a call, sends it and follows it until it is in a block. It
// returns an error if the call failed there: a *[scale.ModuleError] or a
// *[DispatchError], together with the inclusion; or a *[PoolError] if no block
// will ever hold it.
//
// An extrinsic is sent again only as it was signed, or signed with the same
// nonce after the runtime was upgraded, so it cannot happen twice; it gets
// another nonce only after a node has refused it. If ctx ends while it is on its
// way, the error says so: it may still be included. The call must be encoded for
// the runtime of the newest block.
func (c *Client) Submit(ctx context.Context, s Signer, call []byte, o SubmitOptions) (Inclusion, error) {
	if o.Period == 0 {
		o.Period = 128
	}
	rt, err := c.Runtime(ctx)
	if err != nil {
		return Inclusion{}, fmt.Errorf("submit: %w", err)
	}
	x := &signed{signer: s, call: call, made: rt, options: o}
	for try := 1; ; try++ {
		w, err := c.send(ctx, x)
		if err == nil {
			in, err := c.follow(ctx, x, w)
			c.land(x, in)
			return in, err
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
	case e.misread():
		// The runtime may have been upgraded, or the era's block replaced.
		_, err := c.fetchRuntime(ctx, c.rpc.read)
		return err == nil
	}
	return false
}

// A signed extrinsic is on its way.
type signed struct {
	signer  Signer
	call    []byte
	made    *Runtime // that call is encoded for
	options SubmitOptions

	nonce uint32
	bytes hexBytes
	hash  hash32
	past  []hexBytes   // with the same nonce, for earlier runtimes
	sent  subnet.Block // the head before it was first sent
	dies  subnet.Block // the first block that cannot include it
}

// A sender keeps the nonces of one account in order.
type sender struct {
	turn     chan struct{}   // holds a token while nobody signs
	inFlight map[uint32]bool // nonces of extrinsics whose fate is not known
	// A node that has not seen block, the last that holds an extrinsic of
	// this sender, cannot know that the nonces before next are used.
	next  uint32
	block subnet.Block
}

func (c *Client) sender(s Signer) *sender {
	c.mu.Lock()
	defer c.mu.Unlock()
	pub := s.Public()
	if c.senders[pub] == nil {
		c.senders[pub] = &sender{turn: make(chan struct{}, 1), inFlight: map[uint32]bool{}}
		c.senders[pub].turn <- struct{}{}
	}
	return c.senders[pub]
}

// land notes that an extrinsic is no longer followed, and where it ended if it
// did. The nonce of one that ended nowhere is free for the next: those that were
// signed after it wait for it.
func (c *Client) land(x *signed, in Inclusion) {
	who := c.sender(x.signer)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(who.inFlight, x.nonce)
	if in.Hash != "" && in.Block >= who.block {
		who.next, who.block = max(who.next, x.nonce+1), in.Block
	}
}

// free returns the nonce for the next extrinsic, given what a node says that it
// is and that node's head.
func (w *sender) free(nonce uint32, head subnet.Block) uint32 {
	if head < w.block {
		nonce = max(nonce, w.next)
	}
	for w.inFlight[nonce] {
		nonce++
	}
	return nonce
}

// send signs and submits. One account's extrinsics are sent one after the
// other, each once the pool has taken the one before, and followed together.
// The node is asked for the nonce each time, so that other users of the key, and
// whatever went wrong, are heeded.
func (c *Client) send(ctx context.Context, x *signed) (*watch, error) {
	who := c.sender(x.signer)
	select {
	case <-who.turn:
		defer func() { who.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	head, err := c.Head(ctx)
	if err != nil {
		return nil, err
	}
	var nonce uint32
	if err := c.rpc.read(ctx, &nonce, "system_accountNextIndex", keys.Address(x.signer.Public())); err != nil {
		return nil, err
	}
	c.mu.Lock()
	x.nonce = who.free(nonce, head)
	c.mu.Unlock()
	x.sent = head
	if err := c.sign(ctx, x); err != nil {
		return nil, err
	}
	w, err := c.watch(ctx, x)
	if err != nil && !isLost(err) && !isKnown(err) {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	who.inFlight[x.nonce] = true
	return w, nil
}

// sign signs x with its nonce for the runtime of the newest block.
func (c *Client) sign(ctx context.Context, x *signed) error {
	rt, err := c.Runtime(ctx)
	if err != nil {
		return err
	}
	if err := x.translate(rt); err != nil {
		return err
	}
	head, err := c.Head(ctx)
	if err != nil {
		return err
	}
	// The chain itself remembers 2400 blocks; a node need not.
	era, birth := scale.MortalEra(min(x.options.Period, 1024), uint64(head-min(head, eraMargin)))
	hash, err := c.hash(ctx, subnet.Block(birth))
	if err != nil {
		return err
	}
	extra, implicit, err := rt.Extensions(scale.SignedParts{Nonce: x.nonce, Tip: x.options.Tip, SpecVersion: rt.SpecVersion,
		TxVersion: rt.TxVersion, Genesis: c.Genesis(), Era: era, Birth: hash})
	if err != nil {
		return err
	}
	sig, err := x.signer.Sign(ctx, scale.Payload(x.call, extra, implicit))
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	b, err := rt.SignedExtrinsic(x.signer.Public(), sig, extra, x.call)
	if err != nil {
		return err
	}
	period := uint64(1) << (era[0]&15 + 1)
	x.bytes, x.hash, x.dies = b, scale.Blake2b256(b), subnet.Block(birth+period)
	return nil
}

// translate makes the call one of another runtime, by its names: the same bytes
// may mean something else there.
func (x *signed) translate(rt *Runtime) error {
	if rt.SpecVersion == x.made.SpecVersion {
		return nil
	}
	from, err := x.made.CallType()
	if err != nil {
		return err
	}
	to, err := rt.CallType()
	if err != nil {
		return err
	}
	v, err := x.made.DecodeValue(from, scale.NewDecoder(x.call))
	if err == nil {
		x.call, err = rt.EncodeValue(to, v)
	}
	if err != nil {
		return fmt.Errorf("the call is not what it was before runtime %d: %w", rt.SpecVersion, err)
	}
	x.made = rt
	return nil
}

// resign signs x for a new runtime, with its nonce, and so at most one of the two
// can be included. It reports whether there was a new one.
func (c *Client) resign(ctx context.Context, x *signed) (bool, error) {
	rt, err := c.fetchRuntime(ctx, c.rpc.read)
	if err != nil || rt.SpecVersion == x.made.SpecVersion {
		return false, err
	}
	old := x.bytes
	if err := c.sign(ctx, x); err != nil {
		return false, err
	}
	x.past = append(x.past, old)
	return true, nil
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
