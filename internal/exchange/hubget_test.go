package exchange_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"adit/internal/exchange"
	"adit/internal/exchange/storetest"
	"adit/internal/subnet"
)

const oneCommit = "1111111111111111111111111111111111111111"

// fakeHub serves one file, as badly as a test wants.
type fakeHub struct {
	data []byte
	etag string // "" for the SHA-256 of data
	// get, if set, answers the number-th GET, from 1, instead; false leaves it
	// to the usual answer.
	get func(number int, w http.ResponseWriter, r *http.Request) bool
	// head, if set, does so with HEAD.
	head func(number int, w http.ResponseWriter, r *http.Request) bool

	mu     sync.Mutex
	gets   []*http.Request
	heads  int
	server *httptest.Server
}

func (f *fakeHub) start(t *testing.T) *fakeHub {
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

func (f *fakeHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	var number int
	hook := f.get
	if r.Method == http.MethodHead {
		f.heads++
		number, hook = f.heads, f.head
	} else {
		f.gets = append(f.gets, r)
		number = len(f.gets)
	}
	f.mu.Unlock()
	etag := f.etag
	if etag == "" {
		etag = fmt.Sprintf("%x", sha256.Sum256(f.data))
	}
	w.Header().Set("X-Repo-Commit", oneCommit)
	w.Header().Set("X-Linked-Etag", `"`+etag+`"`)
	w.Header().Set("X-Linked-Size", strconv.Itoa(len(f.data)))
	if hook != nil && hook(number, w, r) {
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.data))
}

// ranges returns the Range headers of all GETs.
func (f *fakeHub) ranges() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, r := range f.gets {
		all = append(all, r.Header.Get("Range"))
	}
	return strings.Join(all, " ")
}

func (f *fakeHub) open(t *testing.T) subnet.Store {
	return open(t, "hf://a/b", exchange.Options{HubEndpoint: f.server.URL, Token: "secret", Client: f.server.Client(),
		Stall: 100 * time.Millisecond, Attempts: 3, Backoff: time.Millisecond})
}

// cut sends the first n bytes of the answer and hangs up.
func cut(data []byte, n int) func(int, http.ResponseWriter, *http.Request) bool {
	return func(number int, w http.ResponseWriter, r *http.Request) bool {
		if number > 1 {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.Write(data[:n])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func answerWith(status int, header ...string) func(int, http.ResponseWriter, *http.Request) bool {
	return func(number int, w http.ResponseWriter, r *http.Request) bool {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		return true
	}
}

func first(n int, f func(int, http.ResponseWriter, *http.Request) bool) func(int, http.ResponseWriter, *http.Request) bool {
	return func(number int, w http.ResponseWriter, r *http.Request) bool {
		return number <= n && f(number, w, r)
	}
}

func TestHubGet(t *testing.T) {
	t.Parallel()
	data := storetest.Noise(1, 100000)
	for _, tt := range []struct {
		name   string
		hub    *fakeHub
		have   []byte
		ranges string // of the requests
	}{
		{name: "plain", hub: &fakeHub{data: data}},
		{name: "git's digest of a regular file", hub: &fakeHub{data: data,
			etag: fmt.Sprintf("%x", sha1.Sum(append([]byte("blob 100000\x00"), data...)))}},
		{name: "goes on", hub: &fakeHub{data: data}, have: data[:60000], ranges: "bytes=60000-"},
		{name: "complete already", hub: &fakeHub{data: data}, have: data, ranges: ""},
		{name: "cut in the middle", hub: &fakeHub{data: data, get: cut(data, 40000)}, ranges: " bytes=40000-"},
		{name: "stands still", hub: &fakeHub{data: data, get: func(number int, w http.ResponseWriter, r *http.Request) bool {
			if number > 1 {
				return false
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			w.Write(data[:40000])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}}, ranges: " bytes=40000-"},
		{name: "never answers", hub: &fakeHub{data: data, get: first(1, func(_ int, _ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		})}, ranges: " "},
		{name: "range ignored", hub: &fakeHub{data: data, get: func(_ int, w http.ResponseWriter, r *http.Request) bool {
			w.Write(data)
			return true
		}}, have: data[:60000], ranges: "bytes=60000-"},
		{name: "range refused", hub: &fakeHub{data: data, get: first(1, answerWith(416))}, have: data[:60000], ranges: "bytes=60000- "},
		{name: "wrong beginning", hub: &fakeHub{data: data}, have: storetest.Noise(2, 60000), ranges: "bytes=60000- "},
		{name: "wrong bytes once", hub: &fakeHub{data: data, get: first(1, func(_ int, w http.ResponseWriter, r *http.Request) bool {
			w.Write(storetest.Noise(3, len(data)))
			return true
		})}, ranges: " "},
		{name: "busy", hub: &fakeHub{data: data, head: first(2, answerWith(503)), get: first(2, answerWith(429))}, ranges: "  "},
		{name: "more than announced", hub: &fakeHub{data: data, get: func(_ int, w http.ResponseWriter, r *http.Request) bool {
			w.Write(data)
			w.Write(data)
			return true
		}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := tt.hub.start(t)
			var d storetest.Draft
			d.Write(tt.have)
			if err := f.open(t).Get(t.Context(), "", "m.pt", &d, 100000); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(d.Bytes(), data) {
				t.Errorf("got %d bytes, not those of the file", d.Size())
			}
			if got := f.ranges(); got != tt.ranges {
				t.Errorf("ranges asked for: %q, want %q", got, tt.ranges)
			}
			// The commit that HEAD told is asked for, though main may move.
			for _, r := range f.gets {
				if want := "/a/b/resolve/" + oneCommit + "/m.pt"; r.URL.Path != want {
					t.Errorf("GET %s, want %s", r.URL.Path, want)
				}
			}
		})
	}
}

func TestHubGetErrors(t *testing.T) {
	t.Parallel()
	data := storetest.Noise(1, 100000)
	wrong := func(_ int, w http.ResponseWriter, r *http.Request) bool {
		w.Write(storetest.Noise(3, len(data)))
		return true
	}
	for _, tt := range []struct {
		name  string
		hub   *fakeHub
		is    error // wrapped, or nil
		text  string
		hint  string
		left  int64 // bytes in the draft
		limit int64
	}{
		{name: "wrong bytes", hub: &fakeHub{data: data, get: wrong}, text: "not those that the store's digest says"},
		{name: "too large", hub: &fakeHub{data: data}, limit: 99999, text: "more than the 99999"},
		{name: "lies about its size", hub: &fakeHub{data: data, head: answerWith(200, "X-Linked-Size", "50000")},
			text: "not those that the store's digest says"},
		{name: "no digest", hub: &fakeHub{data: data, etag: "abc"}, text: "no digest"},
		{name: "no size", hub: &fakeHub{data: data, head: answerWith(200, "X-Linked-Size", "many")}, text: "how large"},
		{name: "negative size", hub: &fakeHub{data: data, head: answerWith(200, "X-Linked-Size", "-5")}, text: "how large"},
		{name: "always cut", hub: &fakeHub{data: data, get: func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n == 1 {
				return cut(data, 40000)(1, w, r)
			}
			panic(http.ErrAbortHandler)
		}}, is: subnet.ErrTemporary, left: 40000},
		{name: "always busy", hub: &fakeHub{data: data, head: answerWith(500)}, is: subnet.ErrTemporary},
		{name: "elsewhere in the file", hub: &fakeHub{data: data, get: answerWith(206, "Content-Range", "bytes 7-9/100000")}, text: "asked for the bytes from 0"},
		{name: "nowhere in the file", hub: &fakeHub{data: data, get: answerWith(206, "Content-Range", "lines 7")}, text: "not which"},
		{name: "no such file", hub: &fakeHub{head: answerWith(404, "X-Error-Code", "EntryNotFound")}, is: subnet.ErrNotFound},
		{name: "no such repository", hub: &fakeHub{head: answerWith(401, "X-Error-Code", "RepoNotFound")}, is: subnet.ErrNotFound, hint: "private"},
		{name: "bad token", hub: &fakeHub{head: answerWith(401)}, text: "401", hint: "token in HF_TOKEN"},
		{name: "gated", hub: &fakeHub{head: answerWith(403, "X-Error-Code", "GatedRepo")}, text: "403", hint: "conditions"},
		{name: "vanishes", hub: &fakeHub{data: data, get: answerWith(404)}, is: subnet.ErrNotFound},
		{name: "ugly text", hub: &fakeHub{head: answerWith(400, "X-Error-Message", strings.Repeat("x", 5000))}, text: "xxx"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := tt.hub.start(t)
			limit := int64(1 << 30)
			if tt.limit > 0 {
				limit = tt.limit
			}
			var d storetest.Draft
			err := f.open(t).Get(t.Context(), "", "m.pt", &d, limit)
			if err == nil {
				t.Fatal("no error")
			}
			for _, kind := range []error{subnet.ErrNotFound, subnet.ErrTemporary} {
				if errors.Is(err, kind) != (tt.is == kind) {
					t.Errorf("error %v: is %q = %v", err, kind, errors.Is(err, kind))
				}
			}
			if !strings.Contains(err.Error(), tt.text) || len(err.Error()) > 500 {
				t.Errorf("error %v, want %q in it", err, tt.text)
			}
			if hint := subnet.Hint(err); !strings.Contains(hint, tt.hint) {
				t.Errorf("hint %q, want %q in it", hint, tt.hint)
			}
			if d.Size() != tt.left {
				t.Errorf("draft of %d bytes, want %d", d.Size(), tt.left)
			}
		})
	}
}

// The bytes are elsewhere, where our token must not go.
func TestHubRedirect(t *testing.T) {
	t.Parallel()
	data := storetest.Noise(1, 100000)
	var mu sync.Mutex
	var asked []string
	cdn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.Header.Get("Range")+" "+r.Header.Get("Authorization"))
		mu.Unlock()
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(cdn.Close)
	away := func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("%s without the token", r.Method)
		}
		http.Redirect(w, r, cdn.URL+"/x", http.StatusFound)
		return true
	}
	f := (&fakeHub{data: data, get: away, head: away}).start(t)
	var d storetest.Draft
	d.Write(data[:60000])
	if err := f.open(t).Get(t.Context(), "", "m.pt", &d, 100000); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(d.Bytes(), data) {
		t.Errorf("got %d bytes, not those of the file", d.Size())
	}
	if got := strings.Join(asked, ","); got != "GET bytes=60000- " {
		t.Errorf("asked of the other server: %q", got)
	}
}

// Cancelling while the hub is silent comes back at once, and keeps the bytes.
func TestHubCancel(t *testing.T) {
	t.Parallel()
	data := storetest.Noise(1, 100000)
	ctx, cancel := context.WithCancel(t.Context())
	f := (&fakeHub{data: data, get: func(_ int, w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.Write(data[:40000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}}).start(t)
	s := open(t, "hf://a/b", exchange.Options{HubEndpoint: f.server.URL, Client: f.server.Client(), Stall: time.Hour})
	d := storetest.Draft{}
	d.OnWrite = func() {
		if d.Size() == 40000 {
			cancel()
		}
	}
	err := s.Get(ctx, "", "m.pt", &d, 1<<30)
	if !errors.Is(err, context.Canceled) || errors.Is(err, subnet.ErrTemporary) || d.Size() != 40000 {
		t.Errorf("cancelled Get: %v, %d bytes", err, d.Size())
	}
}

// sink is a draft that keeps nothing in memory.
type sink struct {
	storetest.Draft
	size int64
}

func (s *sink) Write(p []byte) (int, error) { s.size += int64(len(p)); return len(p), nil }
func (s *sink) Size() int64                 { return s.size }

// zeros is a file of zeros.
type zeros struct{ size int64 }

func (z zeros) ReadAt(p []byte, off int64) (int, error) {
	n := min(int64(len(p)), z.size-off)
	clear(p[:n])
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// A file of any size passes through a little memory.
func TestHubMemory(t *testing.T) {
	const size = 64 << 20
	sum := sha256.New()
	io.Copy(sum, io.NewSectionReader(zeros{size}, 0, size))
	f := (&fakeHub{etag: fmt.Sprintf("%x", sum.Sum(nil)), get: func(_ int, w http.ResponseWriter, r *http.Request) bool {
		http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(zeros{size}, 0, size))
		return true
	}, head: answerWith(200, "X-Linked-Size", strconv.Itoa(size))}).start(t)
	s := open(t, "hf://a/b", exchange.Options{HubEndpoint: f.server.URL, Client: f.server.Client()})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var d sink
	if err := s.Get(t.Context(), "", "m.pt", &d, size); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > size/8 {
		t.Errorf("a download of %d bytes allocated %d", size, used)
	}
}
