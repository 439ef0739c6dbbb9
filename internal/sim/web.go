package sim

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"sync"
)

// A web is HTTP between the neurons of a simulation: servers by their address,
// reached without a network.
type web struct {
	mu      sync.Mutex
	servers map[string]http.Handler
}

// serve answers requests at an address until ctx is done.
func (w *web) serve(ctx context.Context, at netip.AddrPort, h http.Handler) error {
	w.mu.Lock()
	if w.servers[at.String()] != nil {
		w.mu.Unlock()
		return fmt.Errorf("serve at %s: address already in use", at)
	}
	if w.servers == nil {
		w.servers = make(map[string]http.Handler)
	}
	w.servers[at.String()] = h
	w.mu.Unlock()
	<-ctx.Done()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.servers, at.String())
	return nil
}

// RoundTrip implements [http.RoundTripper]. The body of the answer comes as it is
// written.
func (w *web) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	h := w.servers[r.URL.Host]
	w.mu.Unlock()
	if h == nil {
		return nil, fmt.Errorf("dial %s: connection refused", r.URL.Host)
	}
	in := r.Clone(r.Context()) // what a server gets is not what a client holds
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:1"
	body, pipe := io.Pipe()
	a := &answer{pipe: pipe, head: make(chan struct{}), Response: http.Response{
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header), Body: body, ContentLength: -1, Request: r,
	}}
	go func() {
		defer in.Body.Close()
		h.ServeHTTP(a, in)
		a.WriteHeader(http.StatusOK)
		pipe.Close()
	}()
	select {
	case <-a.head:
		return &a.Response, nil
	case <-r.Context().Done():
		body.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
}

// An answer is what a handler writes.
type answer struct {
	http.Response
	pipe *io.PipeWriter
	once sync.Once
	head chan struct{} // closed when the client may read the head
}

func (a *answer) Header() http.Header { return a.Response.Header }

func (a *answer) WriteHeader(status int) {
	a.once.Do(func() {
		a.StatusCode, a.Status = status, fmt.Sprint(status, " ", http.StatusText(status))
		a.Response.Header = a.Response.Header.Clone() // later changes do not count
		close(a.head)
	})
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.pipe.Write(b)
}
