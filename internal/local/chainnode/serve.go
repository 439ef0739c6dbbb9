package chainnode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"adit/internal/subnet"
)

// Serve answers JSON-RPC on the listener until ctx is done.
func (n *Node) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           http.HandlerFunc(n.handle),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		_ = server.Close() // connections see ctx and end by themselves
		<-done
		return nil
	}
}

// Listen opens the node's port. A port in use is an error with a hint.
func Listen(port int) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, subnet.WithHint(err, "another node may be running: end it, or choose another --port")
	}
	return l, nil
}

// maxRequest bounds a message from a client, in bytes.
const maxRequest = 16 << 20

func (n *Node) handle(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		n.handlePost(w, r)
		return
	}
	// Any page may talk to a local node, as to upstream's.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // it has been answered
	}
	conn.SetReadLimit(maxRequest)
	c := &session{node: n, conn: conn, feeds: make(map[string]func())}
	c.run(r.Context())
}

func (n *Node) handlePost(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(n.answerAll(nil, body))
}

// A session is one client's connection, with its subscriptions.
type session struct {
	node *Node
	conn *websocket.Conn
	cut  context.CancelFunc

	out   chan []byte
	last  int // subscription, used by the reader only
	fresh []*feed
	mu    sync.Mutex
	feeds map[string]func() // by subscription, what ends it
}

// A feed is a subscription's notices. They are held back until the client has
// been told the subscription's name.
type feed struct {
	mu   sync.Mutex
	open bool
	held [][]byte
}

func (f *feed) offer(msg []byte, send func([]byte)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open {
		f.held = append(f.held, msg)
		return
	}
	send(msg)
}

func (f *feed) release(send func([]byte)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open = true
	for _, msg := range f.held {
		send(msg)
	}
	f.held = nil
}

// maxOut is how many messages may wait for a client. One that does not read is
// let go.
const maxOut = 4096

func (s *session) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	s.cut, s.out = cancel, make(chan []byte, maxOut)
	var writer sync.WaitGroup
	writer.Go(func() {
		defer cancel()
		for {
			select {
			case <-ctx.Done():
				return
			case msg := <-s.out:
				if s.conn.Write(ctx, websocket.MessageText, msg) != nil {
					return
				}
			}
		}
	})
	for {
		_, msg, err := s.conn.Read(ctx)
		if err != nil {
			break
		}
		s.send(s.node.answerAll(s, msg))
		for _, f := range s.fresh {
			f.release(s.send)
		}
		s.fresh = nil
	}
	cancel()
	writer.Wait()
	s.mu.Lock()
	ends := s.feeds
	s.feeds = nil
	s.mu.Unlock()
	for _, end := range ends {
		end()
	}
	_ = s.conn.CloseNow()
}

// send queues a message; a client that does not read is cut off.
func (s *session) send(msg []byte) {
	select {
	case s.out <- msg:
	default:
		s.cut()
	}
}

// subscribe opens a subscription: start is given what sends its notices, and
// returns what ends it.
func (s *session) subscribe(method string, start func(notify func(any)) (end func())) (string, error) {
	if s == nil {
		return "", &rpcError{Code: -32603, Message: "Subscriptions are not available on this transport"}
	}
	s.last++
	id := strconv.Itoa(s.last)
	f := new(feed)
	s.fresh = append(s.fresh, f)
	end := start(func(result any) {
		msg, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": method, "params": map[string]any{"subscription": id, "result": result}})
		if err == nil {
			f.offer(msg, s.send)
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feeds == nil {
		end()
		return "", errors.New("connection closed")
	}
	s.feeds[id] = end
	return id, nil
}

// unsubscribe ends a subscription and says whether there was one.
func (s *session) unsubscribe(id string) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	end, ok := s.feeds[id]
	delete(s.feeds, id)
	s.mu.Unlock()
	if ok {
		end()
	}
	return ok
}

// An rpcError is an error as JSON-RPC has it.
type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

func (e *rpcError) Error() string { return fmt.Sprintf("%d: %s", e.Code, e.Message) }

type request struct {
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

type response struct {
	Version string          `json:"jsonrpc"`
	Result  any             `json:"result"`
	ID      json.RawMessage `json:"id"`
}

type failure struct {
	Version string          `json:"jsonrpc"`
	Error   *rpcError       `json:"error"`
	ID      json.RawMessage `json:"id"`
}

// maxBatch bounds the requests in one message.
const maxBatch = 1024

// answerAll answers a request or a batch of them.
func (n *Node) answerAll(s *session, msg []byte) []byte {
	var batch []request
	var answers any
	if json.Unmarshal(msg, &batch) == nil && len(batch) <= maxBatch {
		list := make([]any, len(batch))
		for i, r := range batch {
			list[i] = n.answer(s, r)
		}
		answers = list
	} else {
		var r request
		if err := json.Unmarshal(msg, &r); err != nil {
			answers = failure{"2.0", &rpcError{Code: -32700, Message: "Parse error"}, json.RawMessage("null")}
		} else {
			answers = n.answer(s, r)
		}
	}
	out, err := json.Marshal(answers)
	if err != nil {
		return nil // unreachable: answers are maps, strings and numbers
	}
	return out
}

func (n *Node) answer(s *session, r request) any {
	if len(r.ID) == 0 {
		r.ID = json.RawMessage("null")
	}
	call, ok := methods[r.Method]
	if !ok {
		return failure{"2.0", &rpcError{Code: -32601, Message: "Method not found"}, r.ID}
	}
	result, err := call(n, s, params(r.Params))
	if err != nil {
		e, ok := errors.AsType[*rpcError](err)
		if !ok {
			e = &rpcError{Code: -32602, Message: err.Error()}
		}
		return failure{"2.0", e, r.ID}
	}
	return response{"2.0", result, r.ID}
}
