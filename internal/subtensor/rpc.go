package subtensor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"adit/internal/subnet"
)

// Options says where the chain is and how patient to be. Only Endpoints is
// needed.
type Options struct {
	// Endpoints are WebSocket URLs or names of networks; see [ParseNetwork].
	// When a connection breaks, the next one is tried, round and round.
	Endpoints []string
	// Genesis is the hash of the chain's block 0. Endpoints of another chain
	// are not used. The zero value stands for what the name of the network
	// says, or else for the chain that the first connection leads to.
	Genesis [32]byte
	// Timeout bounds each call, with the wait for a connection if there is none;
	// default 30 s. An attempt to connect gets a third of it, or a half of two
	// endpoints, so that one that hangs leaves time for others.
	Timeout time.Duration
	// Backoff is the pause after all endpoints have failed once; it doubles
	// up to a hundredfold, and up to half of it is left out at random.
	// Default 200 ms.
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
	// taken, of a feed that the node may refuse, is told whether it did not.
	taken func(bool)
}

// rpc keeps a link up.
type rpc struct {
	opts  Options
	feeds []feed
	// greet is called with each new link before anybody else sees it. Its
	// error is a reason not to use that endpoint.
	greet func(ctx context.Context, l *link) error
	// verify is the part of greet that makes sure that it is the right chain.
	verify func(ctx context.Context, l *link) error

	life   context.Context // done when the client is closed
	cancel context.CancelFunc
	done   chan struct{} // closed once run has ended

	mu       sync.Mutex
	link     *link         // nil while there is none
	changed  chan struct{} // closed when link or failures changes
	failures int           // since there last was a link
	errs     []error       // of the last attempt at each endpoint
	closed   bool
	ever     bool // there has been a link

	spares *spares
}

func (r *rpc) start() {
	r.life, r.cancel = context.WithCancel(context.Background())
	r.done, r.changed = make(chan struct{}), make(chan struct{})
	r.errs = make([]error, len(r.opts.Endpoints))
	r.spares = newSpares()
	go r.run(r.life)
}

// close takes the link down and waits for all goroutines.
func (r *rpc) close() {
	r.cancel()
	<-r.done
	r.closeSpares()
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

// run connects, again and again. The pause grows while connections fail or break
// soon after they are made.
func (r *rpc) run(ctx context.Context) {
	defer close(r.done)
	n := len(r.opts.Endpoints)
	strikes := 0
	for i := 0; ctx.Err() == nil; i++ {
		lived, err := r.serve(ctx, r.opts.Endpoints[i%n])
		if ctx.Err() != nil {
			break
		}
		r.update(func() {
			r.errs[i%n] = err
			if lived == 0 {
				r.failures++
			}
		})
		if lived > 10*r.opts.Backoff {
			strikes = 0
		}
		if strikes++; strikes%n != 0 {
			continue
		}
		pause := r.opts.Backoff * time.Duration(min(1<<min(strikes/n-1, 10), 100))
		// So that not everybody comes back in the same moment.
		pause -= time.Duration(rand.Int64N(int64(pause)/2 + 1))
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	r.update(func() { r.closed = true })
}

// serve opens a link, stays with it until it is down, and returns why, and for
// how long it was of use.
func (r *rpc) serve(ctx context.Context, endpoint string) (lived time.Duration, err error) {
	limit := r.opts.Timeout / time.Duration(min(len(r.opts.Endpoints), 3))
	actx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	hung := func(err error) error {
		if actx.Err() != nil && ctx.Err() == nil {
			return fmt.Errorf("no answer within %v: %w", limit, err)
		}
		return err
	}
	l, err := dial(actx, endpoint, r.opts)
	if err != nil {
		return 0, hung(err)
	}
	var wg sync.WaitGroup
	// Even when the client is closed, the loop ends by the connection, not
	// by its context, so that l.err says why.
	wg.Go(func() { l.read(ctx) })
	wg.Go(func() { l.ping(ctx, r.opts.Ping) })
	defer wg.Wait()
	if err := r.prepare(actx, l); err != nil {
		l.fail(err)
		return 0, fmt.Errorf("use %s: %w", endpoint, hung(err))
	}
	began := time.Now()
	r.update(func() { r.link, r.ever, r.failures = l, true, 0 })
	<-l.done
	r.update(func() { r.link = nil })
	return max(time.Since(began), 1), l.err
}

func (r *rpc) prepare(ctx context.Context, l *link) error {
	if err := r.greet(ctx, l); err != nil {
		return err
	}
	for _, f := range r.feeds {
		_, err := l.call(ctx, f.notify, f.method)
		if _, refused := errors.AsType[*RPCError](err); refused && f.taken != nil {
			f.taken(false)
			continue
		}
		if err != nil {
			return err
		}
		if f.taken != nil {
			f.taken(true)
		}
	}
	return nil
}

// up returns the link, waiting for one if there is none. It waits no longer
// than the timeout; but if there has never been one, until every endpoint has
// failed once, since then their list may be wrong.
func (r *rpc) up(ctx context.Context) (*link, error) {
	limit := time.NewTimer(r.opts.Timeout)
	defer limit.Stop()
	late := limit.C
	for {
		r.mu.Lock()
		l, changed, closed := r.link, r.changed, r.closed
		err := r.why()
		hopeless := !r.ever && r.failures >= len(r.opts.Endpoints)
		if !r.ever {
			late = nil
		}
		r.mu.Unlock()
		switch {
		case l != nil:
			return l, nil
		case closed:
			return nil, errClosed
		case hopeless:
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-late:
			return nil, fmt.Errorf("no endpoint answers in time: %w", err)
		}
	}
}

// why returns what is the matter with the endpoints. It is temporary, unless all
// of them serve another chain, or one that cannot be understood.
func (r *rpc) why() error {
	var all []error
	wrong := 0
	for _, err := range r.errs {
		_, stranger := errors.AsType[*WrongChainError](err)
		_, strange := errors.AsType[*strangeError](err)
		if stranger || strange {
			wrong++
		}
		if err != nil {
			all = append(all, err)
		}
	}
	switch {
	case len(all) == 0:
		return subnet.ErrTemporary
	case len(all) == 1 && wrong == 1:
		return all[0]
	case len(all) == 1:
		return temporary(all[0])
	case wrong == len(r.errs):
		return joined(all)
	}
	return temporary(joined(all))
}

// joined is a list of errors in one line.
type joined []error

func (j joined) Unwrap() []error { return j }

func (j joined) Error() string {
	texts := make([]string, len(j))
	for i, err := range j {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// temporary marks err as such, if it is not yet.
func temporary(err error) error {
	if errors.Is(err, subnet.ErrTemporary) {
		return err
	}
	return fmt.Errorf("%w: %w", subnet.ErrTemporary, err)
}

// maxTries is how often a read is asked for, where each time the connection
// breaks: what is asked for may be what breaks it.
const maxTries = 16

// read makes a call that changes nothing, and so is repeated on the next
// connection if this one breaks, as long as it has not taken more than the time
// for one call. An answer that is too long is asked for but once more. The result
// goes into out.
func (r *rpc) read(ctx context.Context, out any, method string, params ...any) error {
	began := time.Now()
	for try := 1; ; try++ {
		l, err := r.up(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		result, err := l.call(ctx, nil, method, params...)
		again := try == 1 || try < maxTries && time.Since(began) < r.opts.Timeout && !errors.Is(err, websocket.ErrMessageTooBig)
		if isLost(err) && again && ctx.Err() == nil {
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

// ask is a read over this link and no other.
func (l *link) ask(ctx context.Context, out any, method string, params ...any) error {
	result, err := l.call(ctx, nil, method, params...)
	if err != nil {
		return err
	}
	return decodeResult(out, method, result)
}
