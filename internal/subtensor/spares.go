package subtensor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// A reader asks a node for something that changes nothing, as [rpc.read] does.
type reader func(ctx context.Context, out any, method string, params ...any) error

// A PrunedError means that no node of the list has the state after a block, or
// the block, any more. It is a [subnet.ErrNotFound]; an archive node may have it.
type PrunedError struct{ Err error }

func (e *PrunedError) Error() string { return "the node no longer has that state: " + e.Err.Error() }

// Unwrap returns what the nodes say, and subnet.ErrNotFound.
func (e *PrunedError) Unwrap() []error { return []error{subnet.ErrNotFound, e.Err} }

const hintPruned = "the node keeps only recent states; use the endpoint of an archive node, such as archive, or add it to the list"

// stateError recognises the answer of a node that no longer has a state.
func stateError(err error) error {
	e, ok := errors.AsType[*RPCError](err)
	if !ok {
		return err
	}
	text := e.Message + " " + e.data()
	for _, sign := range []string{"discarded", "UnknownBlock", "Unknown block", "pruned"} {
		if strings.Contains(text, sign) {
			return subnet.WithHint(&PrunedError{err}, hintPruned)
		}
	}
	return err
}

// A strayError means that a node answers for another block than it was asked for.
type strayError struct{ text string }

func (e *strayError) Error() string { return e.text }

// absent reports whether another node may have what this one does not.
func absent(err error) bool {
	_, pruned := errors.AsType[*PrunedError](err)
	_, stray := errors.AsType[*strayError](err)
	return pruned || stray
}

// prove makes sure that a node answers questions about a block with the state
// after it, and not with the head's: of most questions the answer does not tell.
func prove(ctx context.Context, read reader, b subnet.Block, hash hash32) error {
	raws := make([][]byte, 1)
	if err := values(ctx, read, hash, []hexBytes{scale.StorageKey("System", "Number")}, raws); err != nil {
		return err
	}
	var number [8]byte // little-endian, and nothing stands for block 0
	if len(raws[0]) > len(number) {
		return fmt.Errorf("the number of block %d is %x", b, raws[0])
	}
	copy(number[:], raws[0])
	if got := binary.LittleEndian.Uint64(number[:]); got != uint64(b) {
		return &strayError{fmt.Sprintf("the node answers for block %d, not %d", got, b)}
	}
	return nil
}

// anywhere reads something over the connection in use. What that node no longer
// has is asked of the other endpoints.
func (c *Client) anywhere(ctx context.Context, get func(reader) error) error {
	err := stateError(get(c.rpc.read))
	if err == nil || !absent(err) || ctx.Err() != nil {
		return err
	}
	all := joined{err}
	for _, endpoint := range c.rpc.others() {
		err := stateError(c.rpc.elsewhere(ctx, endpoint, get))
		if err == nil || ctx.Err() != nil {
			return err
		}
		all = append(all, fmt.Errorf("%s: %w", endpoint, err))
	}
	if len(all) == 1 {
		return err
	}
	return subnet.WithHint(&PrunedError{all}, hintPruned)
}

// spares are links to endpoints besides the one in use, each made when that is
// asked for a state that it does not have. They are kept: such questions come in
// rows.
type spares struct {
	turn    chan struct{} // holds a token while nobody uses what is below
	links   map[string]*link
	outages map[string]outage
	good    string // the endpoint that has answered last
	wg      sync.WaitGroup
}

// An outage is why an endpoint was not to be had, and until when it is left alone.
type outage struct {
	err   error
	until time.Time
}

func newSpares() *spares {
	s := &spares{turn: make(chan struct{}, 1), links: map[string]*link{}, outages: map[string]outage{}}
	s.turn <- struct{}{}
	return s
}

// others returns the endpoints that are not in use, beginning with the one that
// has had an answer last.
func (r *rpc) others() []string {
	r.mu.Lock()
	used := ""
	if r.link != nil {
		used = r.link.endpoint
	}
	good := r.spares.good
	r.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(r.opts.Endpoints), func(e string) bool { return e == used })
	if i := slices.Index(list, good); i > 0 {
		list[0], list[i] = list[i], list[0]
	}
	return list
}

// elsewhere asks one other endpoint. A link that has broken since it was last used
// is made anew.
func (r *rpc) elsewhere(ctx context.Context, endpoint string, get func(reader) error) error {
	for try := 1; ; try++ {
		l, err := r.spare(ctx, endpoint)
		if err != nil {
			return err
		}
		err = get(l.ask)
		if isLost(err) && try == 1 && ctx.Err() == nil {
			continue
		}
		if err == nil {
			r.mu.Lock()
			r.spares.good = endpoint
			r.mu.Unlock()
		}
		return err
	}
}

// spare returns a link to an endpoint that serves the chain.
func (r *rpc) spare(ctx context.Context, endpoint string) (*link, error) {
	s := r.spares
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.life.Done():
	}
	if r.life.Err() != nil {
		return nil, errClosed
	}
	if l := s.links[endpoint]; l != nil && !l.down() {
		return l, nil
	}
	if o := s.outages[endpoint]; time.Now().Before(o.until) {
		return nil, o.err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	l, err := dial(ctx, endpoint, r.opts)
	if err == nil {
		s.wg.Go(func() { l.read(r.life) })
		s.wg.Go(func() { l.ping(r.life, r.opts.Ping) })
		if err = r.verify(ctx, l); err == nil {
			s.links[endpoint] = l
			return l, nil
		}
		l.fail(err)
	}
	if ctx.Err() == nil {
		s.outages[endpoint] = outage{err, time.Now().Add(100 * r.opts.Backoff)}
	}
	return nil, err
}

// closeSpares waits for the links' goroutines, once the client's life is over.
func (r *rpc) closeSpares() {
	<-r.spares.turn // whoever gets it next makes no link any more
	r.spares.wg.Wait()
	r.spares.turn <- struct{}{}
}
