package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"adit/internal/exchange"
	"adit/internal/exchange/storetest"
	"adit/internal/subnet"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("HUB_TEST_SERVE"); dir != "" {
		serveUntilKilled(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

var tokens = map[string]string{"token-a": "alice", "token-b": "bob"}

// site is a hub behind a socket.
type site struct {
	*Hub
	url    string
	client *http.Client
	// attempts is how often stores try; many, since writers cross in tests.
	attempts int

	mu     sync.Mutex
	events []subnet.Event
}

func newSite(t *testing.T, dir string, opts Options) *site {
	t.Helper()
	s := &site{attempts: 12}
	if opts.Tokens == nil {
		opts.Tokens = tokens
	}
	opts.Emit = func(e subnet.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, e)
	}
	var err error
	if s.Hub, err = Open(dir, opts); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url, s.client = srv.URL, srv.Client()
	return s
}

// open returns a store of repo for the owner of token.
func (s *site) open(t *testing.T, repo, token string) subnet.Store {
	t.Helper()
	store, err := exchange.Open("hf://"+repo, exchange.Options{HubEndpoint: s.url, Token: token, TokenEnv: "NO_SUCH_TOKEN",
		Client: s.client, Backoff: time.Millisecond, Attempts: s.attempts})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func (s *site) kinds() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kinds []string
	for _, e := range s.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// ask sends a request and returns the answer with its body read.
func (s *site) ask(t *testing.T, method, path, token, body string) (*http.Response, string) {
	t.Helper()
	url := path
	if strings.HasPrefix(path, "/") {
		url = s.url + path
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(raw)
}

func publish(t *testing.T, s subnet.Store, path string, data []byte) string {
	t.Helper()
	if err := s.Stage(t.Context(), path, storetest.NewFile(path, data)); err != nil {
		t.Fatal(err)
	}
	revision, err := s.Publish(t.Context(), "publish "+path)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func fetch(t *testing.T, s subnet.Store, revision, path string) ([]byte, error) {
	t.Helper()
	var d storetest.Draft
	err := s.Get(t.Context(), revision, path, &d, 1<<30)
	return d.Bytes(), err
}

// The store's contract, over the wire, with uploads in one piece and in parts.
func TestStore(t *testing.T) {
	t.Parallel()
	for _, partSize := range []int64{0, 1000 << 10} {
		t.Run(fmt.Sprintf("part size %d", partSize), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, t.TempDir(), Options{PartSize: partSize})
			n := 0
			storetest.Run(t, func(t *testing.T) func() subnet.Store {
				n++
				repo := fmt.Sprintf("alice/repo-%d", n)
				return func() subnet.Store { return s.open(t, repo, "token-a") }
			})
			if !slices.Contains(s.kinds(), "hub-publish") || !slices.Contains(s.kinds(), "hub-download") || slices.Contains(s.kinds(), "hub-fault") {
				t.Errorf("events: %v", s.kinds())
			}
		})
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSite(t, dir, Options{})
	a := s.open(t, "alice/m", "token-a")
	first := publish(t, a, "m.pt", storetest.Noise(1, 5000))
	second := publish(t, a, "m.pt", storetest.Noise(2, 5000))

	again := newSite(t, dir, Options{})
	b := again.open(t, "ALICE/M", "")
	for i, revision := range []string{first, second} {
		got, err := fetch(t, b, revision[:7], "m.pt")
		if err != nil || !bytes.Equal(got, storetest.Noise(byte(i+1), 5000)) {
			t.Errorf("revision %d after reopening: %d bytes, %v", i, len(got), err)
		}
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), Options{})
	publish(t, s.open(t, "alice/open", "token-a"), "m.pt", []byte("m"))
	if resp, body := s.ask(t, "POST", "/api/repos/create", "token-a", `{"name":"hidden","private":true}`); resp.StatusCode != 200 {
		t.Fatal(body)
	}
	publish(t, s.open(t, "alice/hidden", "token-a"), "m.pt", []byte("m"))

	for _, tt := range []struct {
		method, path, token, body string
		status                    int
		code                      string
	}{
		{"GET", "/api/whoami-v2", "token-a", "", 200, ""},
		{"GET", "/api/whoami-v2", "", "", 401, ""},
		{"GET", "/api/whoami-v2", "token-x", "", 401, ""},
		{"GET", "/alice/open/resolve/main/m.pt", "", "", 200, ""},
		{"GET", "/alice/open/resolve/main/m.pt", "token-b", "", 200, ""},
		{"GET", "/alice/open/resolve/main/m.pt", "token-x", "", 401, ""},
		{"GET", "/alice/open/resolve/main/x.pt", "", "", 404, "EntryNotFound"},
		{"GET", "/alice/open/resolve/dev/m.pt", "", "", 404, "RevisionNotFound"},
		{"GET", "/alice/none/resolve/main/m.pt", "", "", 401, "RepoNotFound"},
		{"GET", "/alice/none/resolve/main/m.pt", "token-b", "", 404, "RepoNotFound"},
		{"GET", "/alice/hidden/resolve/main/m.pt", "", "", 401, "RepoNotFound"},
		{"GET", "/alice/hidden/resolve/main/m.pt", "token-b", "", 404, "RepoNotFound"},
		{"GET", "/alice/hidden/resolve/main/m.pt", "token-a", "", 200, ""},
		{"GET", "/api/models/alice/open/tree/main/nothing", "", "", 404, "EntryNotFound"},
		{"POST", "/api/repos/create", "", `{"name":"x"}`, 401, ""},
		{"POST", "/api/repos/create", "token-b", `{"name":"x","organization":"alice"}`, 403, ""},
		{"POST", "/api/repos/create", "token-b", `{"name":"../x"}`, 400, ""},
		{"POST", "/api/repos/create", "token-b", `{"name":"x","type":"dataset"}`, 400, ""},
		{"POST", "/api/repos/create", "token-a", `{"name":"open"}`, 409, ""},
		{"POST", "/api/repos/create", "token-a", `{"name":"OPEN"}`, 409, ""},
		{"DELETE", "/api/repos/delete", "token-b", `{"name":"open","organization":"alice"}`, 403, ""},
		{"POST", "/api/models/alice/open/preupload/main", "token-b", `{"files":[]}`, 403, ""},
		{"POST", "/api/models/alice/open/commit/main", "token-b", `{"key":"header","value":{"summary":"x"}}`, 403, ""},
		{"POST", "/api/models/alice/open/commit/main", "", `{"key":"header","value":{"summary":"x"}}`, 401, ""},
		{"POST", "/alice/open.git/info/lfs/objects/batch", "token-b", `{"operation":"upload"}`, 403, ""},
		{"PUT", "/lfs/object/" + strings.Repeat("0", 64) + "/1", "token-a", "x", 403, ""},
		{"PUT", "/lfs/object/" + strings.Repeat("0", 64) + "/1?expires=99999999999&signature=00", "token-a", "x", 403, ""},
		{"GET", "/api/datasets/alice/open", "", "", 404, ""},
		{"DELETE", "/api/repos/delete", "token-a", `{"name":"open"}`, 200, ""},
		{"DELETE", "/api/repos/delete", "token-a", `{"name":"open"}`, 404, "RepoNotFound"},
		{"GET", "/alice/open/resolve/main/m.pt", "token-b", "", 404, "RepoNotFound"},
	} {
		resp, body := s.ask(t, tt.method, tt.path, tt.token, tt.body)
		if resp.StatusCode != tt.status || resp.Header.Get("X-Error-Code") != tt.code {
			t.Errorf("%s %s as %q = %d %q, want %d %q: %s", tt.method, tt.path, tt.token,
				resp.StatusCode, resp.Header.Get("X-Error-Code"), tt.status, tt.code, body)
		}
	}
}

func TestForeignWriter(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), Options{})
	publish(t, s.open(t, "alice/m", "token-a"), "m.pt", []byte("m"))
	for token, hint := range map[string]string{"token-b": "permission", "": "set NO_SUCH_TOKEN", "wrong": "does not accept"} {
		err := s.open(t, "alice/m", token).Stage(t.Context(), "m.pt", storetest.NewFile("m.pt", []byte("n")))
		if err == nil || !strings.Contains(subnet.Hint(err), hint) || errors.Is(err, subnet.ErrTemporary) {
			t.Errorf("Stage with token %q: %v (hint %q), want a hint with %q", token, err, subnet.Hint(err), hint)
		}
	}
	_, err := fetch(t, s.open(t, "alice/none", "token-b"), "", "m.pt")
	if !errors.Is(err, subnet.ErrNotFound) || !strings.Contains(subnet.Hint(err), "private") {
		t.Errorf("missing repository: %v (hint %q)", err, subnet.Hint(err))
	}
	if who, err := exchange.Whoami(t.Context(), exchange.Options{HubEndpoint: s.url, Token: "token-b", Client: s.client}); who != "bob" || err != nil {
		t.Errorf("Whoami = %q, %v", who, err)
	}
}

// commitLines posts a commit of the given lines after a header.
func (s *site) commitLines(t *testing.T, repo, parent string, lines ...string) (*http.Response, string) {
	t.Helper()
	header := fmt.Sprintf(`{"key":"header","value":{"summary":"s","parentCommit":%q}}`, parent)
	return s.ask(t, "POST", "/api/models/"+repo+"/commit/main", "token-a", strings.Join(append([]string{header}, lines...), "\n"))
}

func TestCommit(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), Options{})
	first := publish(t, s.open(t, "alice/m", "token-a"), "dir/a.pt", []byte("a"))
	file := func(path string) string {
		return fmt.Sprintf(`{"key":"file","value":{"path":%q,"content":"YQ==","encoding":"base64"}}`, path)
	}
	for _, tt := range []struct {
		parent, line string
		status       int
	}{
		{strings.Repeat("0", 40), file("b.txt"), 412},
		{"0000000", file("b.txt"), 412},
		{"", file("../b.txt"), 400},
		{"", file("/b.txt"), 400},
		{"", file(".git/config"), 400},
		{"", file("dir"), 400},        // a folder
		{"", file("dir/a.pt/b"), 400}, // under a file
		{"", `{"key":"file","value":{"path":"b","content":"?","encoding":"base64"}}`, 400},
		{"", `{"key":"file","value":{"path":"b","content":"?","encoding":"rot13"}}`, 400},
		{"", `{"key":"lfsFile","value":{"path":"b","algo":"sha256","oid":"` + strings.Repeat("0", 64) + `","size":1}}`, 400},
		{"", `{"key":"lfsFile","value":{"path":"b","algo":"sha256","oid":"../../key","size":1}}`, 400},
		{"", `{"key":"deletedFile","value":{"path":"b"}}`, 404},
		{"", `{"key":"header","value":{"summary":"twice"}}`, 400},
		{"", `{"key":"evil","value":{"path":"b"}}`, 400},
		{"", `{`, 400},
		{first[:7], file("b.txt"), 200},
	} {
		if resp, body := s.commitLines(t, "alice/m", tt.parent, tt.line); resp.StatusCode != tt.status {
			t.Errorf("commit on %q of %s = %d, want %d: %s", tt.parent, tt.line, resp.StatusCode, tt.status, body)
		}
	}
	// The same commit again changes nothing, and says which one it was.
	var one, two struct{ CommitOID string }
	_, body := s.commitLines(t, "alice/m", "", file("c.txt"), `{"key":"deletedFolder","value":{"path":"dir/"}}`)
	if err := json.Unmarshal([]byte(body), &one); err != nil {
		t.Fatal(body)
	}
	_, body = s.commitLines(t, "alice/m", "", file("c.txt"))
	if err := json.Unmarshal([]byte(body), &two); err != nil || one != two {
		t.Errorf("the same commit twice: %v and %v", one, two)
	}
	_, body = s.ask(t, "GET", "/api/models/alice/m/tree/main?recursive=True", "", "")
	if strings.Contains(body, "dir") || !strings.Contains(body, "c.txt") {
		t.Errorf("tree after deleting dir: %s", body)
	}
}

func TestTreePages(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), Options{})
	store := s.open(t, "alice/m", "token-a")
	for _, path := range []string{"a/b/1.txt", "a/b/2.txt", "a/3.pt", "z.txt"} {
		if err := store.Stage(t.Context(), path, storetest.NewFile(path, []byte(path))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Publish(t.Context(), "files"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ under, query, want string }{
		{"", "", ".gitattributes a z.txt"},
		{"", "recursive=true", ".gitattributes a a/3.pt a/b a/b/1.txt a/b/2.txt z.txt"},
		{"", "recursive=True&limit=2", ".gitattributes a a/3.pt a/b a/b/1.txt a/b/2.txt z.txt"},
		{"/a", "", "a/3.pt a/b"},
		{"/a/b", "limit=1", "a/b/1.txt a/b/2.txt"},
	} {
		var paths []string
		for next, pages := "/api/models/alice/m/tree/main"+tt.under+"?"+tt.query, 0; next != "" && pages < 10; pages++ {
			resp, body := s.ask(t, "GET", next, "", "")
			var entries []entry
			if err := json.Unmarshal([]byte(body), &entries); err != nil {
				t.Fatalf("%s: %s", next, body)
			}
			for _, e := range entries {
				paths = append(paths, e.Path)
			}
			link := resp.Header.Get("Link")
			next, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
		}
		if got := strings.Join(paths, " "); got != tt.want {
			t.Errorf("tree%s?%s = %s, want %s", tt.under, tt.query, got, tt.want)
		}
	}
}

// Two commits whose ids begin alike cannot be told apart by that.
func TestAmbiguousRevision(t *testing.T) {
	t.Parallel()
	p := &repo{history: []commit{{ID: "aaaaaaa1" + strings.Repeat("0", 32)}, {ID: "aaaaaaa2" + strings.Repeat("0", 32)}}}
	h := new(Hub)
	for rev, want := range map[string]string{
		"aaaaaaa":  "ambiguous",
		"aaaaaaa1": "",
		"AAAAAAA2": "",
		"aaa":      "Invalid rev id",
		"bbbbbbb":  "Invalid rev id",
		"":         "Invalid rev id",
		"main":     "",
	} {
		_, err := h.revision(p, rev)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("revision(%q): %v, want %q", rev, err, want)
		}
	}
}

func TestRanges(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), Options{})
	data := storetest.Noise(1, 5000)
	revision := publish(t, s.open(t, "alice/m", "token-a"), "m.pt", data)
	for _, tt := range []struct {
		method, header string
		status         int
		body           []byte
	}{
		{"GET", "", 200, data},
		{"HEAD", "", 200, nil},
		{"GET", "bytes=4000-", 206, data[4000:]},
		{"GET", "bytes=10-19", 206, data[10:20]},
		{"GET", "bytes=5000-", 416, nil},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, s.url+"/alice/m/resolve/"+revision[:7]+"/m.pt", nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.header != "" {
			req.Header.Set("Range", tt.header)
		}
		resp, err := s.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status || tt.status < 300 && !bytes.Equal(body, tt.body) {
			t.Errorf("%s %s = %d, %d bytes, %v", tt.method, tt.header, resp.StatusCode, len(body), err)
		}
		h := resp.Header
		if h.Get("X-Repo-Commit") != revision || h.Get("X-Linked-Size") != "5000" || len(h.Get("X-Linked-Etag")) != 66 ||
			tt.status < 300 && (h.Get("Accept-Ranges") != "bytes" || h.Get("ETag") != h.Get("X-Linked-Etag")) {
			t.Errorf("%s %s: header %v", tt.method, tt.header, h)
		}
	}
}

func TestCaps(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), Options{MaxFile: 100000, MaxBody: 2000})
	store := s.open(t, "alice/m", "token-a")
	err := store.Stage(t.Context(), "m.pt", storetest.NewFile("m.pt", storetest.Noise(1, 100001)))
	if err == nil || !strings.Contains(err.Error(), "more than the 100000") || errors.Is(err, subnet.ErrTemporary) {
		t.Errorf("too large a file: %v", err)
	}
	publish(t, store, "m.pt", storetest.Noise(1, 100000))
	if resp, body := s.ask(t, "POST", "/api/models/alice/m/preupload/main", "token-a",
		`{"files":[{"path":"`+strings.Repeat("x", 3000)); resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("large request = %d %s", resp.StatusCode, body)
	}
	if resp, body := s.commitLines(t, "alice/m", "",
		`{"key":"file","value":{"path":"b","content":"`+strings.Repeat("YWFh", 1000)+`"}}`); resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("large commit = %d %s", resp.StatusCode, body)
	}
}

// A full disk refuses what does not fit; all else stays as it was.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, partSize := range []int64{0, 30000} {
		s := newSite(t, dir, Options{PartSize: partSize})
		store := s.open(t, "alice/m", "token-a")
		revision := publish(t, store, "m.pt", storetest.Noise(1, 5000))
		s.testOnlyWrite = func(f *os.File, p []byte) (int, error) {
			n, _ := f.Write(p[:len(p)/2])
			return n, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
		}
		large, small := storetest.NewFile("m.pt", storetest.Noise(2, 100000)), storetest.NewFile("c.txt", []byte("text"))
		err := store.Stage(t.Context(), "m.pt", large)
		if err == nil || !strings.Contains(err.Error(), "disk is full") || !strings.Contains(subnet.Hint(err), "no room") {
			t.Errorf("Stage on a full disk: %v (hint %q)", err, subnet.Hint(err))
		}
		if err := store.Stage(t.Context(), "c.txt", small); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Publish(t.Context(), "c"); err == nil || !strings.Contains(err.Error(), "disk is full") {
			t.Errorf("Publish on a full disk: %v", err)
		}
		if got, err := fetch(t, store, "", "m.pt"); err != nil || !bytes.Equal(got, storetest.Noise(1, 5000)) {
			t.Errorf("after a full disk: %d bytes, %v", len(got), err)
		}
		s.testOnlyWrite = nil
		if err := store.Stage(t.Context(), "m.pt", large); err != nil {
			t.Fatal(err)
		}
		next, err := store.Publish(t.Context(), "c")
		if err != nil || next == revision {
			t.Errorf("with room again: %s, %v", next, err)
		}
		// Put things back for the other part size.
		publish(t, store, "m.pt", storetest.Noise(1, 5000))
		if resp, body := s.commitLines(t, "alice/m", "", `{"key":"deletedFile","value":{"path":"c.txt"}}`); resp.StatusCode != 200 {
			t.Fatal(body)
		}
		if err := os.Remove(s.blob(lfsSum(t, large))); err != nil {
			t.Fatal(err)
		}
	}
}

func lfsSum(t *testing.T, f subnet.File) string {
	t.Helper()
	var d storetest.Draft
	if _, err := io.Copy(&d, io.NewSectionReader(f, 0, f.Size())); err != nil {
		t.Fatal(err)
	}
	return sumOf(d.Bytes())
}

// Weeks of publishing do not fill the disk.
func TestKeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSite(t, dir, Options{Keep: 2, Grace: time.Hour})
	store := s.open(t, "alice/m", "token-a")
	publish(t, store, "config.json", []byte("{}"))
	var revisions []string
	for i := range 6 {
		revisions = append(revisions, publish(t, store, "m.pt", storetest.Noise(byte(i), 5000)))
	}
	// Within the grace period all stays.
	if got, err := fetch(t, store, revisions[0], "m.pt"); err != nil || len(got) != 5000 {
		t.Errorf("young file: %d bytes, %v", len(got), err)
	}
	// An upload that waits for its commit, younger than the rest.
	age(t, dir, 2*time.Hour)
	waiting := storetest.Noise(99, 5000)
	if err := store.Stage(t.Context(), "w.pt", storetest.NewFile("w.pt", waiting)); err != nil {
		t.Fatal(err)
	}
	if err := s.prune(); err != nil {
		t.Fatal(err)
	}
	for i, revision := range revisions {
		got, err := fetch(t, store, revision, "m.pt")
		if i < 4 && !errors.Is(err, subnet.ErrNotFound) || i >= 4 && (err != nil || !bytes.Equal(got, storetest.Noise(byte(i), 5000))) {
			t.Errorf("revision %d of 6, keeping 2: %d bytes, %v", i, len(got), err)
		}
		if got, err := fetch(t, store, revision, "config.json"); err != nil || string(got) != "{}" {
			t.Errorf("small file of revision %d: %q, %v", i, got, err)
		}
	}
	last, err := store.Publish(t.Context(), "w")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fetch(t, store, last, "w.pt"); err != nil || !bytes.Equal(got, waiting) {
		t.Errorf("upload that waited: %d bytes, %v", len(got), err)
	}
	// A content that the hub has, when it is staged, is not removed before the
	// commit, though the commits that had it have become old.
	publish(t, store, "m.pt", storetest.Noise(10, 5000))
	age(t, dir, 2*time.Hour)
	if err := store.Stage(t.Context(), "again.pt", storetest.NewFile("again.pt", storetest.Noise(10, 5000))); err != nil {
		t.Fatal(err)
	}
	other := s.open(t, "alice/m", "token-a")
	publish(t, other, "m.pt", storetest.Noise(11, 5000))
	publish(t, other, "m.pt", storetest.Noise(12, 5000))
	if last, err = store.Publish(t.Context(), "again"); err != nil {
		t.Fatalf("publish what was staged before others published: %v", err)
	}
	if got, err := fetch(t, store, last, "again.pt"); err != nil || !bytes.Equal(got, storetest.Noise(10, 5000)) {
		t.Errorf("content staged before others published: %d bytes, %v", len(got), err)
	}
}

// age makes all contents older.
func age(t *testing.T, dir string, by time.Duration) {
	t.Helper()
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "*", "*"))
	if err != nil || len(blobs) == 0 {
		t.Fatal(blobs, err)
	}
	for _, b := range blobs {
		when := time.Now().Add(-by)
		if err := os.Chtimes(b, when, when); err != nil {
			t.Fatal(err)
		}
	}
}
