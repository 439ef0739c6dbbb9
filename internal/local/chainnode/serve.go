package chainnode

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"adit/internal/subnet"
)

// Listen opens the node's port on this machine alone. A port in use is an error
// with a hint.
func Listen(port int) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, subnet.WithHint(err, "another node may be running: end it, or choose another --port")
	}
	return l, nil
}

// Serve answers JSON-RPC on the listener until ctx is done, and closes it. When
// it returns, no client is being answered any more.
func (n *Node) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := &door{node: n}
	server := &http.Server{
		Handler:           d,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	var err error
	select {
	case err = <-done:
		cancel()
	case <-ctx.Done():
		n.end()
		err = server.Close() // which leaves WebSockets alone: they see ctx
		<-done
	}
	d.close()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// A door lets clients in and knows who is inside.
type door struct {
	node *Node

	mu     sync.Mutex
	closed bool
	inside sync.WaitGroup
}

func (d *door) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.inside.Add(1)
	}
	return !d.closed
}

// close lets nobody in any more and waits until all have left.
func (d *door) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.inside.Wait()
}

// ServeHTTP answers a POST, and speaks WebSocket otherwise.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !d.enter() {
		return
	}
	defer d.inside.Done()
	if r.Method == http.MethodPost {
		d.post(w, r)
		return
	}
	// Any page may talk to a local node, as to upstream's: wallets and explorers
	// are pages. It holds no keys.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // it has been answered
	}
	conn.SetReadLimit(maxRequest)
	newSession(d.node, conn).run(r.Context())
}

func (d *door) post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(d.node.answerAll(nil, body)) // a client that has gone has gone
}
