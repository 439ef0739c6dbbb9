package chainnode

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"github.com/coder/websocket"
)

// maxFeeds is how many subscriptions a connection may have, as upstream.
const maxFeeds = 1024

// A session is one client's connection, with its subscriptions. It reads, and
// answers in order; a second goroutine writes.
type session struct {
	node *Node
	conn *websocket.Conn
	out  *outbox

	// Guarded by the node:
	feeds map[string]*feed
	fresh []*feed // of which the client has not been told yet
	last  int     // name of a feed
}

func newSession(n *Node, conn *websocket.Conn) *session {
	return &session{node: n, conn: conn, feeds: make(map[string]*feed)}
}

func (s *session) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	s.out = newOutbox(cancel)
	var writer sync.WaitGroup
	writer.Go(func() {
		defer cancel() // which ends read
		for {
			msg, err := s.out.next(ctx)
			if err != nil || s.conn.Write(ctx, websocket.MessageText, msg) != nil {
				return
			}
		}
	})
	defer func() {
		cancel()
		s.leave()
		writer.Wait()
		_ = s.conn.CloseNow()
	}()
	for {
		_, msg, err := s.conn.Read(ctx)
		if err != nil {
			return
		}
		if answer := s.node.answerAll(s, msg); answer != nil {
			if s.out.put(ctx, answer) != nil {
				return
			}
		}
		s.release()
	}
}

// release lets the feeds speak whose names the client has been told.
func (s *session) release() {
	s.node.mu.Lock()
	defer s.node.mu.Unlock()
	for _, f := range s.fresh {
		f.open = true
		for _, msg := range f.held {
			s.out.offer(msg)
		}
		f.held = nil
	}
	s.fresh = nil
}

// leave ends all feeds.
func (s *session) leave() {
	s.node.mu.Lock()
	defer s.node.mu.Unlock()
	for _, f := range s.feeds {
		f.end()
	}
}

// A feed is a subscription. It is guarded by the node. What it says before its
// client knows its name is held back.
type feed struct {
	session *session
	id      string
	method  string
	onBlock func(made) // nil: of an extrinsic

	ended, open bool
	held        [][]byte
}

// subscribe opens a feed whose notices are called method. The node is locked.
func (s *session) subscribe(method string) (*feed, error) {
	if s == nil {
		return nil, &rpcError{Code: codeInternal, Message: "Internal error", Data: "subscriptions need a WebSocket"}
	}
	if len(s.feeds) >= maxFeeds {
		return nil, &rpcError{Code: codeSubscriptions, Message: "Too many subscriptions on the connection", Data: fmt.Sprintf("Exceeded max limit of %d", maxFeeds)}
	}
	s.last++
	f := &feed{session: s, id: strconv.Itoa(s.last), method: method}
	s.feeds[f.id] = f
	s.fresh = append(s.fresh, f)
	return f, nil
}

// watch has onBlock called for every block from now on.
func (f *feed) watch(onBlock func(made)) {
	f.onBlock = onBlock
	f.session.node.feeds[f] = true
}

// notify tells the client something, unless the feed has ended.
func (f *feed) notify(result any) {
	if f.ended {
		return
	}
	b, err := json.Marshal(result)
	if err != nil {
		panic(err) // unreachable: notices are maps, strings and bytes
	}
	msg := fmt.Appendf(nil, `{"jsonrpc":"2.0","method":%q,"params":{"subscription":%q,"result":%s}}`, f.method, f.id, b)
	if !f.open {
		f.held = append(f.held, msg)
		return
	}
	f.session.out.offer(msg)
}

// end lets nothing follow. What is held back is still said.
func (f *feed) end() {
	f.ended = true
	delete(f.session.feeds, f.id)
	delete(f.session.node.feeds, f)
}

// cancel ends a feed of which its client shall never hear.
func (f *feed) cancel() {
	f.end()
	f.held = nil
}
