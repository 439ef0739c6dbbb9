package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"adit/internal/journal"
	"adit/internal/subnet"
)

// controlFile names the network's control socket: a Unix socket with HTTP on
// it, as whoever may read the directory may also control the network.
const controlFile = "control.sock"

// maxSocketPath is what the shortest of the systems allows in a socket's name.
const maxSocketPath = 100

// socketPath returns where the control socket of a directory is. In a directory
// with a very long name it is a relative path from there.
func socketPath(dir string) (string, error) {
	path := filepath.Join(dir, controlFile)
	if len(path) <= maxSocketPath {
		return path, nil
	}
	wd, err := os.Getwd()
	if err == nil {
		if rel, relErr := filepath.Rel(wd, path); relErr == nil && len(rel) <= maxSocketPath {
			return rel, nil
		}
	}
	return "", subnet.WithHint(fmt.Errorf("directory %s: the name is too long for a control socket", dir), "choose a --dir with a shorter name")
}

// A controlServer answers `adit status` and `adit down`.
type controlServer struct {
	listener net.Listener
	http     http.Server
}

func (n *Network) listenControl() (*controlServer, error) {
	path, err := socketPath(n.dir)
	if err != nil {
		return nil, err
	}
	// The directory's lock is held: a socket that is there is a dead one.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(n.Snapshot())
	})
	mux.HandleFunc("POST /down", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		n.down()
	})
	return &controlServer{listener, http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}}, nil
}

// serve answers until close.
func (c *controlServer) serve() error {
	if err := c.http.Serve(c.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("control socket: %w", err)
	}
	return nil
}

func (c *controlServer) close() { _ = c.http.Close() }

// ErrNotRunning is why a network does not answer.
var ErrNotRunning = errors.New("no network is running there")

// Status asks the network that runs in dir for its snapshot.
func Status(ctx context.Context, dir string) (Snapshot, error) {
	var s Snapshot
	body, err := control(ctx, dir, http.MethodGet, "/status")
	if err != nil {
		return s, err
	}
	defer body.Close()
	const limit = 16 << 20
	if err := json.NewDecoder(io.LimitReader(body, limit)).Decode(&s); err != nil {
		return s, fmt.Errorf("read status: %w", err)
	}
	return s, nil
}

// Down tells the network that runs in dir to end, and waits until it has and
// the directory is free.
func Down(ctx context.Context, dir string) error {
	body, err := control(ctx, dir, http.MethodPost, "/down")
	if err != nil {
		return err
	}
	body.Close()
	for {
		if release, err := journal.Lock(dir, "up"); err == nil {
			release()
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the network to end: %w", context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func control(ctx context.Context, dir, method, path string) (io.ReadCloser, error) {
	socket, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, method, "http://adit"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, subnet.WithHint(fmt.Errorf("directory %s: %w", dir, ErrNotRunning), "start it with 'adit up', or name its directory with --dir")
	}
	return resp.Body, nil
}
