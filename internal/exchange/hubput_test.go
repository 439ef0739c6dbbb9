package exchange_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"adit/internal/exchange"
	"adit/internal/exchange/storetest"
	"adit/internal/subnet"
)

// sinkHub takes one large file in the way that a test wants, and commits.
type sinkHub struct {
	// chunk is the size of parts, 0 for one piece.
	chunk int
	// refuse returns a status other than 0 for the number-th request, from 1,
	// of a kind: create, preupload, batch, put, part, complete, head, commit.
	refuse func(kind string, number int) int

	mu      sync.Mutex
	counts  map[string]int
	object  []byte
	oid     string // published
	commits int
	leaked  []string
	server  *httptest.Server
}

func (s *sinkHub) start(t *testing.T) *sinkHub {
	s.counts = make(map[string]int)
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

func (s *sinkHub) head() string { return fmt.Sprintf("%040d", s.commits) }

func (s *sinkHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind := ""
	for _, k := range []string{"create", "preupload", "batch", "put", "part", "complete", "revision", "paths-info", "commit"} {
		if strings.Contains(r.URL.Path, "/"+k) {
			kind = k
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[kind]++
	if (kind == "put" || kind == "part") != (r.Header.Get("Authorization") == "") {
		s.leaked = append(s.leaked, kind)
	}
	status := 0
	if s.refuse != nil {
		status = s.refuse(kind, s.counts[kind])
	}
	lost := kind == "commit" && status == 504 // done, but the answer does not arrive
	if status != 0 && !lost {
		w.WriteHeader(status)
		return
	}
	switch kind {
	case "preupload":
		fmt.Fprint(w, `{"files":[{"path":"m.pt","uploadMode":"lfs"}]}`)
	case "batch":
		var in struct{ Objects []struct{ OID string } }
		json.Unmarshal(body, &in)
		actions := fmt.Sprintf(`{"upload":{"href":"%s/put","header":{"X-Extra":"1"}}}`, s.server.URL)
		if s.chunk > 0 {
			actions = fmt.Sprintf(`{"upload":{"href":"%[1]s/complete","header":{"chunk_size":"%[2]d","00001":"%[1]s/part1","00002":"%[1]s/part2"}}}`, s.server.URL, s.chunk)
		}
		fmt.Fprintf(w, `{"objects":[{"oid":%q,"size":1,"actions":%s}]}`, in.Objects[0].OID, actions)
	case "put":
		s.object = body
		if r.Header.Get("X-Extra") != "1" {
			s.leaked = append(s.leaked, "no header")
		}
	case "part":
		s.object = append(s.object, body...)
		w.Header().Set("ETag", fmt.Sprintf("etag-%d", len(body)))
	case "complete":
		if !strings.Contains(string(body), `"parts":[{"partNumber":1,"etag":"etag-60000"},{"partNumber":2,"etag":"etag-40000"}]`) {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	case "revision":
		fmt.Fprintf(w, `{"sha":%q}`, s.head())
	case "paths-info":
		fmt.Fprintf(w, `[{"path":"m.pt","oid":"0","lfs":{"oid":%q}}]`, s.oid)
	case "commit":
		if !strings.Contains(string(body), `"parentCommit":"`+s.head()+`"`) {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		s.commits++
		s.oid = fmt.Sprintf("%x", sha256.Sum256(s.object))
		if lost {
			w.WriteHeader(status)
			return
		}
		fmt.Fprintf(w, `{"commitOid":%q}`, s.head())
	}
}

func TestHubPublish(t *testing.T) {
	t.Parallel()
	once := func(kind string, status int) func(string, int) int {
		return func(k string, number int) int {
			if k == kind && number == 1 {
				return status
			}
			return 0
		}
	}
	for _, tt := range []struct {
		name  string
		hub   *sinkHub
		calls map[string]int
	}{
		{"in one piece", &sinkHub{}, map[string]int{"put": 1, "commit": 1}},
		{"in parts", &sinkHub{chunk: 60000}, map[string]int{"part": 2, "complete": 1, "commit": 1}},
		{"repository exists", &sinkHub{refuse: once("create", 409)}, map[string]int{"create": 1}},
		{"upload fails once", &sinkHub{refuse: once("put", 500)}, map[string]int{"put": 2, "batch": 1}},
		{"upload URL has expired", &sinkHub{refuse: once("put", 403)}, map[string]int{"put": 2, "batch": 2}},
		{"hub is busy", &sinkHub{refuse: once("batch", 429)}, map[string]int{"batch": 2, "put": 1}},
		{"another writer was first", &sinkHub{refuse: once("commit", 412)}, map[string]int{"commit": 2, "revision": 2}},
		{"the commit is made, the answer lost", &sinkHub{refuse: once("commit", 504)}, map[string]int{"commit": 1, "revision": 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := tt.hub.start(t)
			var done int64
			store := open(t, "hf://a/b", exchange.Options{HubEndpoint: s.server.URL, Token: "secret", Client: s.server.Client(),
				Attempts: 3, Backoff: time.Millisecond, Progress: func(_ string, d, total int64) {
					if total != 100000 {
						t.Errorf("progress of %d", total)
					}
					done = d
				}})
			data := storetest.Noise(1, 100000)
			if err := store.Stage(t.Context(), "m.pt", storetest.NewFile("m.pt", data)); err != nil {
				t.Fatal(err)
			}
			if s.commits != 0 {
				t.Error("Stage has committed")
			}
			revision, err := store.Publish(t.Context(), "message")
			if err != nil {
				t.Fatal(err)
			}
			if revision != fmt.Sprintf("%040d", 1) || s.commits != 1 {
				t.Errorf("revision %s after %d commits", revision, s.commits)
			}
			if !bytes.Equal(s.object, data) || done != int64(len(data)) {
				t.Errorf("%d bytes arrived, progress says %d", len(s.object), done)
			}
			if len(s.leaked) > 0 {
				t.Errorf("token sent or missing: %v", s.leaked)
			}
			for kind, n := range tt.calls {
				if s.counts[kind] != n {
					t.Errorf("%d requests of %s, want %d (all: %v)", s.counts[kind], kind, n, s.counts)
				}
			}
		})
	}
}

func TestHubPublishErrors(t *testing.T) {
	t.Parallel()
	always := func(kind string, status int) func(string, int) int {
		return func(k string, _ int) int {
			if k == kind {
				return status
			}
			return 0
		}
	}
	for _, tt := range []struct {
		name, hint string
		hub        *sinkHub
		temporary  bool
	}{
		{"no permission", "lacks the permission", &sinkHub{refuse: always("create", 403)}, false},
		{"no room", "no room", &sinkHub{refuse: always("put", 507)}, false},
		{"out of order", "", &sinkHub{refuse: always("put", 503)}, true},
		{"always crossed", "", &sinkHub{refuse: always("commit", 412)}, true},
		{"chunks of one byte", "", &sinkHub{chunk: 1}, false},
		{"a part without a place", "", &sinkHub{chunk: 20000}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := tt.hub.start(t)
			if tt.name == "no permission" {
				s.refuse = func(kind string, _ int) int { return 403 }
			}
			store := open(t, "hf://a/b", exchange.Options{HubEndpoint: s.server.URL, Token: "secret", Client: s.server.Client(),
				Attempts: 2, Backoff: time.Millisecond})
			err := store.Stage(t.Context(), "m.pt", storetest.NewFile("m.pt", storetest.Noise(1, 100000)))
			if err == nil {
				_, err = store.Publish(t.Context(), "message")
			}
			if err == nil || isTemporary(err) != tt.temporary || !strings.Contains(subnet.Hint(err), tt.hint) {
				t.Errorf("error %v (temporary: %v, hint %q)", err, isTemporary(err), subnet.Hint(err))
			}
		})
	}
}

// A hub's answer may lead elsewhere; the token must not go there.
func TestHubVerifyElsewhere(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Path+r.Header.Get("Authorization"))
		io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, "{}")
	}))
	t.Cleanup(elsewhere.Close)
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Objects []struct{ OID string } }
		json.NewDecoder(r.Body).Decode(&in)
		if len(in.Objects) == 0 {
			fmt.Fprint(w, "{}")
			return
		}
		fmt.Fprintf(w, `{"objects":[{"oid":%q,"size":1,"actions":{"upload":{"href":"%[2]s/put"},"verify":{"href":"%[2]s/verify"}}}]}`,
			in.Objects[0].OID, elsewhere.URL)
	}))
	t.Cleanup(hub.Close)
	store := open(t, "hf://a/b", exchange.Options{HubEndpoint: hub.URL, Token: "secret"})
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	if err := store.Stage(t.Context(), "m.pt", storetest.NewFile("m.pt", storetest.Noise(1, 5000))); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked, " "); got != "/put /verify" {
		t.Errorf("asked elsewhere: %q", got)
	}
}

// What was staged before a restart is at the hub, and is not sent again.
func TestHubHasIt(t *testing.T) {
	t.Parallel()
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Objects []struct{ OID string } }
		json.NewDecoder(r.Body).Decode(&in)
		if len(in.Objects) == 0 {
			fmt.Fprint(w, "{}")
			return
		}
		fmt.Fprintf(w, `{"objects":[{"oid":%q,"size":5000}]}`, in.Objects[0].OID)
	}))
	t.Cleanup(hub.Close)
	store := open(t, "hf://a/b", exchange.Options{HubEndpoint: hub.URL, Token: "secret"})
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	if err := store.Stage(t.Context(), "m.pt", storetest.NewFile("m.pt", storetest.Noise(1, 5000))); err != nil {
		t.Fatal(err)
	}
}
