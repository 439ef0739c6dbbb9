package subtensor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"adit/internal/subnet"
)

// Options says where the chain is and how patient to be. Only Endpoints is
// needed.
type Options struct {
	// Endpoints are WebSocket URLs. When a connection breaks, the next one is
	// tried, round and round.
	Endpoints []string
	// Timeout bounds a connection attempt and each call; default 30 s.
	Timeout time.Duration
	// Backoff is the pause after all endpoints have failed once; it doubles
	// up to a hundredfold. Default 200 ms.
	Backoff time.Duration
	// ReadLimit bounds a message in bytes; default 64 MiB.
	ReadLimit int64
	// Ping is how often a silent node is asked for a sign of life; default 20 s.
	Ping time.Duration

	transport http.RoundTripper // nil is http.DefaultTransport
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.Timeout, 30*time.Second)
	def(&o.Backoff, 200*time.Millisecond)
	def(&o.Ping, 20*time.Second)
	if o.ReadLimit == 0 {
		o.ReadLimit = 64 << 20
	}
	return o
}

// A feed is a subscription that outlives connections: it is made anew on each.
type feed struct {
	method string
	notify func(json.RawMessage) // called in the read loop; must not block
	// optional feeds may be refused by the node.
	optional bool
}

// rpc keeps a link up.
type rpc struct {
	opts  Options
	feeds []feed
	// greet is called with each new link before anybody else sees it. Its
	// error is a reason not to use that endpoint.
	greet func(ctx context.Context, l *link) error

	cancel context.CancelFunc
	done   chan struct{} // closed once run has ended

	mu       sync.Mutex
	link     *link         // nil while there is none
	changed  chan struct{} // closed when link or failures changes
	failures int           // since there last was a link
	err      error         // of the last attempt
	ever     bool          // there has been a link
}

func (r *rpc) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.done, r.changed = cancel, make(chan struct{}), make(chan struct{})
	go r.run(ctx)
}

// close takes the link down and waits for all goroutines.
func (r *rpc) close() {
	r.cancel()
	<-r.done
}

func (r *rpc) update(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	close(r.changed)
	r.changed = make(chan struct{})
}

// errClosed is what calls get after close.
var errClosed = errors.New("chain client is closed")

// run connects, again and again.
func (r *rpc) run(ctx context.Context) {
	defer close(r.done)
	for i := 0; ctx.Err() == nil; i++ {
		err := r.serve(ctx, r.opts.Endpoints[i%len(r.opts.Endpoints)])
		if ctx.Err() != nil {
			err = errClosed
		}
		r.update(func() { r.err = err; r.failures++ })
		r.mu.Lock()
		rounds := r.failures / len(r.opts.Endpoints)
		whole := r.failures%len(r.opts.Endpoints) == 0
		r.mu.Unlock()
		if !whole {
			continue
		}
		pause := r.opts.Backoff * time.Duration(min(1<<min(rounds-1, 10), 100))
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// serve opens a link and stays with it until it is down.
func (r *rpc) serve(ctx context.Context, endpoint string) error {
	l, err := dial(ctx, endpoint, r.opts)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	// Even when the client is closed, the loop ends by the connection, not
	// by its context, so that l.err says why.
	wg.Go(func() { l.read(ctx) })
	wg.Go(func() { l.ping(ctx, r.opts.Ping) })
	defer wg.Wait()
	if err := r.prepare(ctx, l); err != nil {
		l.fail(err)
		return fmt.Errorf("use %s: %w", endpoint, err)
	}
	r.update(func() { r.link, r.ever, r.failures = l, true, 0 })
	<-l.done
	r.update(func() { r.link = nil })
	return l.err
}

func (r *rpc) prepare(ctx context.Context, l *link) error {
	if err := r.greet(ctx, l); err != nil {
		return err
	}
	for _, f := range r.feeds {
		_, err := l.call(ctx, f.notify, f.method)
		if e, ok := errors.AsType[*RPCError](err); ok && f.optional && e != nil {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// up returns the link, waiting for one if there is none. It waits no longer
// than the timeout; and if there has never been one, only until every endpoint
// has failed once, since then their list may be wrong.
func (r *rpc) up(ctx context.Context) (*link, error) {
	limit := time.NewTimer(r.opts.Timeout)
	defer limit.Stop()
	for {
		r.mu.Lock()
		l, changed, err := r.link, r.changed, r.err
		hopeless := !r.ever && r.failures >= len(r.opts.Endpoints)
		r.mu.Unlock()
		if l != nil {
			return l, nil
		}
		if errors.Is(err, errClosed) {
			return nil, errClosed
		}
		if hopeless {
			return nil, temporary(err)
		}
		select {
		case <-changed:
		case <-r.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-limit.C:
			return nil, temporary(errors.Join(errors.New("no endpoint answers in time"), err))
		}
	}
}

// temporary marks err as such, if it is not yet.
func temporary(err error) error {
	if errors.Is(err, subnet.ErrTemporary) {
		return err
	}
	return fmt.Errorf("%w: %w", subnet.ErrTemporary, err)
}

// read makes a call that changes nothing, and so is repeated once if the
// connection breaks. The result goes into out.
func (r *rpc) read(ctx context.Context, out any, method string, params ...any) error {
	for try := 0; ; try++ {
		l, err := r.up(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		result, err := l.call(ctx, nil, method, params...)
		if _, lost := errors.AsType[*lostError](err); lost && try == 0 && ctx.Err() == nil {
			r.down(ctx, l)
			continue
		}
		if err != nil {
			return err
		}
		return decodeResult(out, method, result)
	}
}

// down waits until l is no longer given out.
func (r *rpc) down(ctx context.Context, l *link) {
	for {
		r.mu.Lock()
		gone, changed := r.link != l, r.changed
		r.mu.Unlock()
		if gone {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func decodeResult(out any, method string, result json.RawMessage) error {
	if err := json.Unmarshal(result, out); err != nil {
		return fmt.Errorf("%s: the result makes no sense: %w", method, err)
	}
	return nil
}

// ask is a read over a link that nobody else sees yet.
func ask(ctx context.Context, l *link, out any, method string, params ...any) error {
	result, err := l.call(ctx, nil, method, params...)
	if err != nil {
		return err
	}
	return decodeResult(out, method, result)
}
