// Package toxic holds the client for buckets against connections that are cut, slow
// or silent, with toxiproxy between it and a store. It has a package to itself since the
// proxy leaves goroutines behind, which the tests of the client do not.
package toxic

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"adit/internal/exchange/s3"
	"adit/internal/exchange/storetest"
	"adit/internal/exchange/transfer"
	local "adit/internal/local/s3"
	"adit/internal/subnet"
)

// A line is a connection to a store that a test can spoil.
type line struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
}

func newLine(t *testing.T, url string) *line {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", strings.TrimPrefix(url, "http://"))
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return &line{t, p}
}

// spoil adds a toxic, and returns what removes it.
func (l *line) spoil(kind, stream, attributes string) (cure func()) {
	l.t.Helper()
	name := kind + "-" + stream
	_, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
		`{"name": %q, "type": %q, "stream": %q, "toxicity": 1, "attributes": {%s}}`, name, kind, stream, attributes)))
	if err != nil {
		l.t.Fatal(err)
	}
	return func() {
		if err := l.proxy.Toxics.RemoveToxic(l.t.Context(), name); err != nil {
			l.t.Error(err)
		}
	}
}

const smallPart = 64 << 10

// spoilt returns a bucket, and the line to it.
func spoilt(t *testing.T) (*line, *s3.Bucket) {
	t.Helper()
	key := local.Key{Access: "writer0123456789", Secret: "writer's secret"}
	store, err := local.Open(t.TempDir(), local.Options{Buckets: []local.Bucket{{Name: "gradients", Write: key}}, MinPart: smallPart, Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(store)
	t.Cleanup(h.Close)
	l := newLine(t, h.URL)
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	b, err := s3.Open(subnet.BucketAddress{Endpoint: "http://" + l.proxy.Listen, Name: "gradients", AccessKey: key.Access, SecretKey: key.Secret}, s3.Options{
		Policy:    transfer.Policy{Stall: 300 * time.Millisecond, Attempts: 3, Backoff: time.Millisecond},
		Transport: transport, PartSize: smallPart, Parallel: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, b
}

func TestSlow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, kind, attributes string }{
		{"latency", "latency", `"latency": 30, "jitter": 20`},
		// Slow is not stalled: at 256 kB/s the file takes longer than a stall may.
		{"a narrow line", "bandwidth", `"rate": 256`},
		{"crumbs", "slicer", `"average_size": 2000, "size_variation": 1000, "delay": 100`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, b := spoilt(t)
			l.spoil(tt.kind, "downstream", tt.attributes)
			if tt.kind != "bandwidth" { // of which one sees only the near end
				l.spoil(tt.kind, "upstream", tt.attributes)
			}
			data := storetest.Noise(1, 3*smallPart)
			o, err := b.Put(t.Context(), "m.pt", storetest.NewFile("m", data), true)
			if err != nil {
				t.Fatal(err)
			}
			var d storetest.Draft
			if err := b.Get(t.Context(), o, &d, 1<<20); err != nil || !bytes.Equal(d.Bytes(), data) || d.Written() != len(data) {
				t.Errorf("Get: %v, %d bytes, %d written", err, d.Size(), d.Written())
			}
		})
	}
}

// A line that breaks again and again brings a little more each time.
func TestCut(t *testing.T) {
	t.Parallel()
	l, b := spoilt(t)
	data := storetest.Noise(1, 5*smallPart)
	cure := l.spoil("limit_data", "upstream", fmt.Sprintf(`"bytes": %d`, smallPart*3/2))
	o, err := b.Put(t.Context(), "m.pt", storetest.NewFile("m", data), false)
	if err != nil {
		t.Fatalf("Put over a line that breaks after a part and a half: %v", err)
	}
	cure()
	cure = l.spoil("limit_data", "downstream", `"bytes": 50000`)
	var d storetest.Draft
	if err := b.Get(t.Context(), o, &d, 1<<20); err != nil || !bytes.Equal(d.Bytes(), data) || d.Written() != len(data) {
		t.Errorf("Get over a line that breaks after 50000 bytes: %v, %d bytes, %d written", err, d.Size(), d.Written())
	}
	cure()
}

// A line on which nothing moves is given up in good time, and taken up again.
func TestStall(t *testing.T) {
	t.Parallel()
	l, b := spoilt(t)
	data := storetest.Noise(1, 100_000)
	o, err := b.Put(t.Context(), "m.pt", storetest.NewFile("m", data), false)
	if err != nil {
		t.Fatal(err)
	}
	// 99 of 100 kB come, and then no more, on any connection.
	half := l.spoil("limit_data", "downstream", `"bytes": 99000`)
	silent := func() func() { return l.spoil("timeout", "downstream", `"timeout": 0`) }
	d := storetest.Draft{}
	var cure func()
	d.OnWrite = func() {
		if cure == nil && d.Size() > 10_000 {
			cure = silent()
		}
	}
	began := time.Now()
	if err := b.Get(t.Context(), o, &d, 1<<20); err == nil {
		t.Skip("all came before the line was still")
	} else if !errors.Is(err, subnet.ErrTemporary) {
		t.Errorf("Get over a line that is still: %v, want ErrTemporary", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v to notice", took)
	}
	have := d.Written()
	if have == 0 || !bytes.Equal(d.Bytes(), data[:d.Size()]) {
		t.Errorf("%d bytes were written, %d are held", have, d.Size())
	}
	cure()
	half()
	if err := b.Get(t.Context(), o, &d, 1<<20); err != nil || !bytes.Equal(d.Bytes(), data) || d.Written() != len(data) {
		t.Errorf("Get afterwards: %v, %d bytes, %d written", err, d.Size(), d.Written())
	}
}

// A store that is gone is a temporary failure, of everything.
func TestGone(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"refused", "reset", "silent"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			l, b := spoilt(t)
			o, err := b.Put(t.Context(), "m.pt", storetest.NewFile("m", []byte("m")), false)
			if err != nil {
				t.Fatal(err)
			}
			cure := func() {
				if err := l.proxy.Start(); err != nil {
					t.Error(err)
				}
			}
			switch kind {
			case "refused":
				l.proxy.Stop()
			case "reset":
				cure = l.spoil("reset_peer", "downstream", `"timeout": 0`)
			case "silent":
				cure = l.spoil("timeout", "upstream", `"timeout": 0`)
			}
			var d storetest.Draft
			var wg sync.WaitGroup
			for what, do := range map[string]func() error{
				"Put": func() error {
					_, err := b.Put(t.Context(), "n.pt", storetest.NewFile("n", storetest.Noise(1, 1000)), true)
					return err
				},
				"Get":    func() error { return b.Get(t.Context(), o, &d, 100) },
				"Stat":   func() error { _, err := b.Stat(t.Context(), "m.pt"); return err },
				"List":   func() error { _, err := b.List(t.Context(), "", "", 5); return err },
				"Remove": func() error { return b.Remove(t.Context(), "x", "y") },
				"Clock":  func() error { _, err := b.Clock(t.Context()); return err },
			} {
				wg.Go(func() {
					if err := do(); !errors.Is(err, subnet.ErrTemporary) {
						t.Errorf("%s: %v, want ErrTemporary", what, err)
					}
				})
			}
			wg.Wait()
			cure()
			if err := b.Get(t.Context(), o, &d, 100); err != nil || string(d.Bytes()) != "m" {
				t.Errorf("Get when it is back: %v, %q", err, d.Bytes())
			}
		})
	}
}
