package node

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"adit/internal/subnet"
)

// Limits of talking with strangers.
const (
	dialTimeout   = 10 * time.Second
	headTimeout   = 30 * time.Second
	idleTimeout   = 60 * time.Second
	maxHeadBytes  = 64 << 10
	shutdownGrace = 3 * time.Second // less than Ctrl-C may take
)

// newClient returns what a role asks others with. How long an answer may take in
// all is up to whoever asks.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout:    dialTimeout,
			ResponseHeaderTimeout:  headTimeout,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: maxHeadBytes,
			MaxIdleConnsPerHost:    2,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// serve answers requests at an address until ctx is done, and then lets those
// that are being answered end.
func serve(ctx context.Context, at netip.AddrPort, h http.Handler) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", at.String())
	if err != nil {
		return subnet.WithHint(fmt.Errorf("serve at %s: %w", at, err), "another program may have the port; choose another, or end that one")
	}
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: headTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeadBytes,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve at %s: %w", at, err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if server.Shutdown(grace) != nil {
		server.Close()
	}
	<-ended
	return nil
}
