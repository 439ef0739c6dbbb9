package exchange_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"adit/internal/exchange"
	"adit/internal/exchange/storetest"
	"adit/internal/subnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMem(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() subnet.Store {
		m := new(exchange.Mem)
		return func() subnet.Store { return open(t, "mem:x", exchange.Options{Mem: m}) }
	})
}

func TestDir(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) func() subnet.Store {
		root := dirURL(filepath.Join(t.TempDir(), "a store"))
		return func() subnet.Store { return open(t, root, exchange.Options{}) }
	})
}

func dirURL(path string) string {
	path = filepath.ToSlash(path)
	if runtime.GOOS == "windows" {
		path = "/" + path
	}
	return "dir://" + strings.ReplaceAll(path, " ", "%20")
}

func open(t *testing.T, url string, opts exchange.Options) subnet.Store {
	t.Helper()
	s, err := exchange.Open(url, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpen(t *testing.T) {
	t.Setenv("HF_ENDPOINT", "")
	for _, tt := range []struct{ url, err string }{
		{"hf://owner/repo", ""},
		{"hf://Owner-1/repo_2.pt", ""},
		{"dir:///tmp/x", ""},
		{"mem:x", "no stores in memory"},
		{"hf://repo", "not a repository"},
		{"hf://a/b/c", "not a repository"},
		{"hf://a/..", "not a repository"},
		{"hf://a/b?x", "not a repository"},
		{"hf:owner/repo", "not a repository"},
		{"hf://owner/repo.git", "not a repository"},
		{"hf://" + strings.Repeat("o", 96) + "/r", "not a repository"},
		{"dir://host/x", "not an absolute path"},
		{"dir:x", "not an absolute path"},
		{"s3://bucket/x", "unknown kind of store"},
		{"https://example.org/x", "unknown kind of store"},
		{"", "unknown kind of store"},
	} {
		_, err := exchange.Open(tt.url, exchange.Options{})
		if got := fmt.Sprint(err); tt.err == "" && err != nil || !strings.Contains(got, tt.err) {
			t.Errorf("Open(%q) error = %v, want %q", tt.url, err, tt.err)
		}
	}
	_, err := exchange.Open("ipfs://x", exchange.Options{})
	if hint := subnet.Hint(err); !strings.Contains(hint, "hf://") || !strings.Contains(hint, "dir://") || !strings.Contains(hint, "mem:") {
		t.Errorf("hint = %q, want the known schemes", hint)
	}
	for _, endpoint := range []string{"ftp://x", "huggingface.co", "http://", "://"} {
		if _, err := exchange.Open("hf://a/b", exchange.Options{HubEndpoint: endpoint}); err == nil {
			t.Errorf("endpoint %q was accepted", endpoint)
		}
	}
}
