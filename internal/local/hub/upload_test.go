package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"adit/internal/exchange/storetest"
)

// actions asks where to upload data, as the owner of alice/m.
func (s *site) actions(t *testing.T, data []byte) (upload, verify action) {
	t.Helper()
	resp, body := s.ask(t, "POST", "/alice/m.git/info/lfs/objects/batch", "token-a", fmt.Sprintf(
		`{"operation":"upload","transfers":["basic","multipart"],"hash_algo":"sha256","objects":[{"oid":%q,"size":%d}]}`, sumOf(data), len(data)))
	var out struct{ Objects []object }
	if err := json.Unmarshal([]byte(body), &out); err != nil || len(out.Objects) != 1 {
		t.Fatalf("batch = %d %s", resp.StatusCode, body)
	}
	return out.Objects[0].Actions["upload"], out.Objects[0].Actions["verify"]
}

// What arrives is what was announced, or it does not arrive.
func TestWrongUploads(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), Options{PartSize: 1000})
	s.ask(t, "POST", "/api/repos/create", "token-a", `{"name":"m"}`)
	data := storetest.Noise(1, 900)
	upload, verify := s.actions(t, data)
	for _, tt := range []struct {
		url    string
		body   []byte
		status int
	}{
		{upload.Href, data[:899], 400},
		{upload.Href, append(data[:899:899], data[899]^1), 400},
		{upload.Href, append(data[:900:900], 0), 413},
		{upload.Href + "0", data, 403},
		{strings.Replace(upload.Href, "/900?", "/901?", 1), data, 403},
		{strings.Replace(upload.Href, "expires=", "expires=9", 1), data, 403},
		{verify.Href, fmt.Appendf(nil, `{"oid":%q,"size":900}`, sumOf(data)), 404},
		{upload.Href, data, 200},
		{verify.Href, fmt.Appendf(nil, `{"oid":%q,"size":900}`, sumOf(data)), 200},
		{verify.Href, fmt.Appendf(nil, `{"oid":%q,"size":901}`, sumOf(data)), 404},
	} {
		method := http.MethodPut
		if tt.url == verify.Href {
			method = http.MethodPost
		}
		if resp, body := s.ask(t, method, tt.url, "token-a", string(tt.body)); resp.StatusCode != tt.status {
			t.Errorf("%s with %d bytes = %d %s, want %d", tt.url, len(tt.body), resp.StatusCode, body, tt.status)
		}
	}
	if upload, _ := s.actions(t, data); upload.Href != "" {
		t.Errorf("asked to upload what is there: %+v", upload)
	}
}

func TestWrongParts(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), Options{PartSize: 1000})
	s.ask(t, "POST", "/api/repos/create", "token-a", `{"name":"m"}`)
	data := storetest.Noise(2, 2500)
	upload, _ := s.actions(t, data)
	if upload.Header["chunk_size"] != "1000" || len(upload.Header) != 4 {
		t.Fatalf("upload in parts: %+v", upload)
	}
	put := func(number string, part []byte, status int) {
		t.Helper()
		if resp, body := s.ask(t, "PUT", upload.Header[number], "", string(part)); resp.StatusCode != status || status == 200 && resp.Header.Get("ETag") == "" {
			t.Errorf("part %s of %d bytes = %d %s, want %d", number, len(part), resp.StatusCode, body, status)
		}
	}
	complete := func(status int) {
		t.Helper()
		if resp, body := s.ask(t, "POST", upload.Href, "", "{}"); resp.StatusCode != status {
			t.Errorf("complete = %d %s, want %d", resp.StatusCode, body, status)
		}
	}
	complete(404)
	put("1", data[:999], 400)
	put("1", data[:1001], 413)
	put("3", data[2000:], 200) // in any order
	put("1", data[1000:2000], 200)
	put("2", data[1000:2000], 200)
	complete(400) // and all is forgotten
	put("1", data[:1000], 200)
	put("2", data[1000:2000], 200)
	complete(400)
	put("3", data[2000:], 200)
	put("2", data[1000:2000], 200)
	put("1", data[:1000], 200)
	complete(200)
	complete(200) // the answer may have been lost
	if got, err := os.ReadFile(s.blob(sumOf(data))); err != nil || sumOf(got) != sumOf(data) {
		t.Errorf("what has arrived: %d bytes, %v", len(got), err)
	}
	if left, err := os.ReadDir(s.dir + "/tmp"); err != nil || len(left) > 0 {
		t.Errorf("remains: %v %v", left, err)
	}
}

// A commit that waited while its repository was deleted must not revive it.
func TestCommitAfterDelete(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSite(t, dir, Options{})
	publish(t, s.open(t, "alice/m", "token-a"), "m.pt", []byte("m"))
	p := s.repos["alice/m"]
	s.ask(t, "DELETE", "/api/repos/delete", "token-a", `{"name":"m"}`)
	_, _, err := s.apply(p, "alice", change{summary: "late", ops: []op{{kind: "file", path: "x", content: []byte("x")}}})
	if no, ok := errors.AsType[*failure](err); !ok || no.code != repoNotFound {
		t.Errorf("commit after delete: %v", err)
	}
	if again := newSite(t, dir, Options{}); len(again.repos) > 0 {
		t.Errorf("revived: %v", again.repos)
	}
}

// Expired is expired, whatever else is right.
func TestSignature(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), Options{})
	data := []byte("data")
	path := fmt.Sprintf("/lfs/object/%s/%d", sumOf(data), len(data))
	for _, tt := range []struct {
		after  time.Duration
		status int
	}{{-time.Minute, 403}, {time.Hour, 200}} {
		expires := fmt.Sprint(time.Now().Add(tt.after).Unix())
		resp, body := s.ask(t, "PUT", path+"?expires="+expires+"&signature="+s.signature(path, expires), "", string(data))
		if resp.StatusCode != tt.status {
			t.Errorf("expiring after %v = %d %s, want %d", tt.after, resp.StatusCode, body, tt.status)
		}
	}
}
