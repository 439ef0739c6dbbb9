package exchange

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"adit/internal/exchange/storetest"
	"adit/internal/exchange/transfer"
)

// A directory that somebody else can write is no reason to leave it, or to
// believe what is in it.
func TestDirDamage(t *testing.T) {
	root := t.TempDir()
	s, err := openDir(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stage(t.Context(), "m.pt", storetest.NewFile("m.pt", []byte("model"))); err != nil {
		t.Fatal(err)
	}
	id, err := s.Publish(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := filepath.Glob(filepath.Join(root, "blobs", "*"))
	if err != nil || len(blobs) != 1 {
		t.Fatal(blobs, err)
	}
	get := func() (string, error) {
		var d storetest.Draft
		err := s.Get(t.Context(), id, "m.pt", &d, 100)
		return string(d.Bytes()), err
	}
	for _, damage := range []struct{ file, content, text string }{
		{blobs[0], "motel", "not those that the store's digest says"},
		{blobs[0], "mod", "unexpected EOF"},
		{filepath.Join(root, "revisions", id+".json"), `{"files":[{"path":"m.pt","size":5,"sha256":"../../etc/passwd"}]}`, "not a digest"},
		{filepath.Join(root, "revisions", id+".json"), `{`, "manifest"},
	} {
		old, err := os.ReadFile(damage.file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(damage.file, []byte(damage.content), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := get(); err == nil || !strings.Contains(err.Error(), damage.text) {
			t.Errorf("with %q: %q, %v, want %q", damage.content, got, err, damage.text)
		}
		if err := os.WriteFile(damage.file, old, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := get(); err != nil || got != "model" {
		t.Errorf("mended: %q, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(root, "log", "000000000002"), []byte("../../x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Get(t.Context(), "", "m.pt", new(storetest.Draft), 100); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("with a damaged log: %v", err)
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"hf://a/b", "dir:///x", "mem:x", "model.pt", "../x", "a/b/c", "1234567", "refs/pr/1", "main", "C:\\x"} {
		f.Add(s)
	}
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, s string) {
		if transfer.CheckPath(s) == nil {
			if !filepath.IsLocal(filepath.FromSlash(s)) {
				t.Errorf("transfer.CheckPath(%q) lets it out", s)
			}
			if u := (&hub{repo: "a/b"}).resolveURL("main", s); strings.ContainsAny(u, "?#\\\" ") {
				t.Errorf("path %q makes the URL %s", s, u)
			}
		}
		if checkRevision(s) == nil && (strings.Contains(s, "..") || strings.ContainsAny(s, "\\?#%: \n")) {
			t.Errorf("checkRevision(%q) accepts it", s)
		}
		if validRepo(s) && (strings.Count(s, "/") != 1 || strings.Contains(s, "..")) {
			t.Errorf("validRepo(%q)", s)
		}
		if store, err := Open(s, Options{HubEndpoint: "http://localhost"}); (err == nil) != (store != nil) {
			t.Errorf("Open(%q) = %v, %v", s, store, err)
		}
		if id, err := expand(s, []string{"aaaaaaaaaa", "aaaaaaaabb", "bbbbbbbbbb"}); err == nil && !strings.HasPrefix(id, s) {
			t.Errorf("expand(%q) = %q", s, id)
		}
		_, _ = (&dir{root: root}).resolve(s)
	})
}

func FuzzManifest(f *testing.F) {
	sum := strings.Repeat("ab", 32)
	f.Add(`{"id":"x","files":[{"path":"a/m.pt","size":5,"sha256":"` + sum + `"},{"path":"b","size":0,"sha256":"` + sum + `"}]}`)
	f.Add(`{"files":[{"path":"m.pt","size":-5,"sha256":"../x"}]}`)
	f.Add(`{"files":[{"path":"b","sha256":"` + sum + `"},{"path":"a","sha256":"` + sum + `"}]}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, raw string) {
		m, err := parseManifest([]byte(raw))
		if err != nil {
			return
		}
		for _, e := range m.Files {
			if got, ok := m.find(e.Path); !ok || got != e {
				t.Errorf("%q cannot be found", e.Path)
			}
			if !filepath.IsLocal(string(e.SHA256)) || transfer.CheckPath(e.Path) != nil || e.Size < 0 {
				t.Errorf("accepted %+v", e)
			}
		}
		// What follows it must be read as well.
		if next, changed := m.with([]entry{{"m.pt", 7, digest(sum)}}, "next"); changed {
			raw, err := json.Marshal(next)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := parseManifest(raw); err != nil || again.ID != next.ID || len(again.ID) != 40 {
				t.Errorf("%s is read as %+v, %v", raw, again, err)
			}
		}
	})
}
