package node

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
)

func TestServe(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(l.Addr().String())
	if err := serve(t.Context(), at, nil); err == nil {
		t.Error("serves at an address that is taken")
	}
	l.Close()

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- serve(ctx, at, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/away" {
				http.Redirect(w, r, "/elsewhere", http.StatusFound)
				return
			}
			io.WriteString(w, "here")
		}))
	}()
	client := newClient()
	defer client.CloseIdleConnections()
	var answer *http.Response
	for answer == nil { // until it listens
		if answer, err = client.Get("http://" + at.String()); err != nil && t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
	text, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || string(text) != "here" {
		t.Errorf("answered %q, %v", text, err)
	}
	if answer, err = client.Get("http://" + at.String() + "/away"); err != nil || answer.StatusCode != http.StatusFound {
		t.Errorf("a redirect led to %v, %v", answer, err)
	} else {
		answer.Body.Close()
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
}
