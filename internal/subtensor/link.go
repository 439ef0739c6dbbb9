package subtensor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"adit/internal/subnet"
)

// An RPCError is a node's answer that it will not or cannot.
type RPCError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

func (e *RPCError) Error() string {
	s := fmt.Sprintf("%s (%d)", e.Message, e.Code)
	if d := e.data(); d != "" {
		s += ": " + d
	}
	return s
}

// data returns the data as text.
func (e *RPCError) data() string {
	var s string
	if json.Unmarshal(e.Data, &s) == nil {
		return s
	}
	return string(e.Data)
}

// lostError says that the connection broke, so that it is not known whether the
// node did what it was asked.
type lostError struct{ err error }

func (e *lostError) Error() string   { return "connection lost: " + e.err.Error() }
func (e *lostError) Unwrap() []error { return []error{subnet.ErrTemporary, e.err} }

// A link is one connection to one endpoint. Its read loop gives every answer to
// the call that waits for it, and every notification to its subscription.
type link struct {
	endpoint string
	ws       *websocket.Conn
	timeout  time.Duration
	done     chan struct{} // closed once the read loop has ended and err is set

	mu      sync.Mutex
	err     error // why the link is down
	lastID  uint64
	pending map[uint64]*request
	subs    map[string]func(json.RawMessage) // by subscription id as it stood in JSON
}

// A request waits for its answer.
type request struct {
	reply chan reply // of size 1
	// notify makes the request a subscription. It is entered in the read
	// loop, before the next message is read: notifications may follow the
	// answer at once.
	notify func(json.RawMessage)
}

type reply struct {
	result json.RawMessage
	err    error
}

// dial opens a link. The caller runs its read loop.
func dial(ctx context.Context, endpoint string, o Options) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, endpoint, &websocket.DialOptions{HTTPClient: &http.Client{Transport: o.transport}})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", endpoint, err)
	}
	ws.SetReadLimit(o.ReadLimit)
	return &link{
		endpoint: endpoint, ws: ws, timeout: o.Timeout, done: make(chan struct{}),
		pending: map[uint64]*request{}, subs: map[string]func(json.RawMessage){},
	}, nil
}

// read is the read loop. It ends when the connection does, or with the first
// message that makes no sense: what follows it cannot be trusted either.
func (l *link) read(ctx context.Context) {
	var err error
	for err == nil {
		var b []byte
		if _, b, err = l.ws.Read(ctx); err == nil {
			err = l.handle(b)
		}
	}
	l.ws.CloseNow()
	l.mu.Lock()
	if l.err == nil {
		l.err = &lostError{fmt.Errorf("%s: %w", l.endpoint, err)}
	}
	for _, r := range l.pending {
		r.reply <- reply{err: l.err}
	}
	l.pending = nil
	l.mu.Unlock()
	close(l.done)
}

// message is an answer or a notification.
type message struct {
	ID     *uint64         `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *RPCError       `json:"error"`
	Params struct {
		Subscription json.RawMessage `json:"subscription"`
		Result       json.RawMessage `json:"result"`
	} `json:"params"`
}

func (l *link) handle(b []byte) error {
	var m message
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("message is no JSON-RPC: %w", err)
	}
	l.mu.Lock()
	if m.ID == nil {
		notify := l.subs[string(m.Params.Subscription)]
		l.mu.Unlock()
		if m.Error != nil {
			return m.Error // a node that could not read what it was sent
		}
		if notify != nil { // else it crossed with the end of the subscription
			notify(m.Params.Result)
		}
		return nil
	}
	defer l.mu.Unlock()
	r := l.pending[*m.ID]
	if r == nil {
		return nil // nobody waits for it any more
	}
	delete(l.pending, *m.ID)
	if m.Error != nil {
		r.reply <- reply{err: m.Error}
		return nil
	}
	if r.notify != nil {
		l.subs[string(m.Result)] = r.notify
	}
	r.reply <- reply{result: m.Result}
	return nil
}

// call sends a request and waits for its answer. A node that does not answer in
// time is left.
func (l *link) call(ctx context.Context, notify func(json.RawMessage), method string, params ...any) (json.RawMessage, error) {
	if params == nil {
		params = []any{}
	}
	r := &request{make(chan reply, 1), notify}
	l.mu.Lock()
	if l.pending == nil {
		defer l.mu.Unlock()
		return nil, l.err
	}
	l.lastID++
	id := l.lastID
	l.pending[id] = r
	l.mu.Unlock()

	b, err := json.Marshal(struct {
		Version string `json:"jsonrpc"`
		ID      uint64 `json:"id"`
		Method  string `json:"method"`
		Params  []any  `json:"params"`
	}{"2.0", id, method, params})
	if err != nil {
		l.forget(id)
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	// Not under the caller's context: the library closes the connection when
	// the context of a write ends.
	wctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeout)
	defer cancel()
	// What has closed the connection knows better why.
	if err := l.ws.Write(wctx, websocket.MessageText, b); err != nil && !errors.Is(err, net.ErrClosed) {
		l.fail(fmt.Errorf("%s: %w", method, err))
	}
	select {
	case a := <-r.reply:
		if a.err != nil {
			return nil, fmt.Errorf("%s: %w", method, a.err)
		}
		return a.result, nil
	case <-ctx.Done():
		l.forget(id)
		return nil, fmt.Errorf("%s: %w", method, ctx.Err())
	case <-wctx.Done():
		l.fail(fmt.Errorf("%s: no answer within %v", method, l.timeout))
		a := <-r.reply
		return nil, fmt.Errorf("%s: %w", method, a.err)
	}
}

// down reports whether the link is of no more use.
func (l *link) down() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err != nil
}

func (l *link) forget(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pending, id)
}

// fail takes the link down for a reason. The read loop then ends.
func (l *link) fail(err error) {
	l.mu.Lock()
	if l.err == nil {
		l.err = &lostError{fmt.Errorf("%s: %w", l.endpoint, err)}
	}
	l.mu.Unlock()
	l.ws.CloseNow()
}

// drop forgets a subscription and tells the node, which need not answer.
func (l *link) drop(ctx context.Context, id json.RawMessage, method string) {
	l.mu.Lock()
	delete(l.subs, string(id))
	l.mu.Unlock()
	l.call(ctx, nil, method, id) // a link that is down has dropped it anyhow
}

// ping asks for a sign of life now and then until the link is down.
func (l *link) ping(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-t.C:
		}
		pctx, cancel := context.WithTimeout(ctx, l.timeout)
		err := l.ws.Ping(pctx)
		cancel()
		if err != nil {
			l.fail(fmt.Errorf("ping: %w", err))
			return
		}
	}
}
