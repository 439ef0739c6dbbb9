package sim

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
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
	stop := context.AfterFunc(r.Context(), func() { body.CloseWithError(r.Context().Err()) })
	a := &answer{pipe: pipe, head: make(chan struct{}), header: make(http.Header), response: http.Response{
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: answerBody{body, stop}, ContentLength: -1, Request: r,
	}}
	go func() {
		defer in.Body.Close()
		defer func() {
			p := recover()
			if p != nil && p != http.ErrAbortHandler {
				panic(p)
			}
			if p != nil { // the handler breaks the connection
				pipe.CloseWithError(io.ErrUnexpectedEOF)
				a.WriteHeader(http.StatusOK)
			}
		}()
		h.ServeHTTP(a, in)
		a.WriteHeader(http.StatusOK)
		pipe.Close()
	}()
	select {
	case <-a.head:
		return &a.response, nil
	case <-r.Context().Done():
		body.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
}

// An answerBody ends with the request's context, as a connection's does.
type answerBody struct {
	*io.PipeReader
	stop func() bool
}

func (b answerBody) Close() error {
	b.stop()
	return b.PipeReader.Close()
}

// An answer is what a handler writes.
type answer struct {
	response http.Response
	header   http.Header // the handler's, of which the client gets a copy
	pipe     *io.PipeWriter
	once     sync.Once
	head     chan struct{} // closed when the client may read the head
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	a.once.Do(func() {
		a.response.StatusCode, a.response.Status = status, fmt.Sprint(status, " ", http.StatusText(status))
		a.response.Header = a.header.Clone() // later changes do not count
		if length, err := strconv.ParseInt(a.header.Get("Content-Length"), 10, 64); err == nil {
			a.response.ContentLength = length
		}
		close(a.head)
	})
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.pipe.Write(b)
}
