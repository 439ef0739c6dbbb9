package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"adit/internal/subnet"
)

// tree makes directories and empty files, whose names end in no slash.
func makeTree(t *testing.T, names ...string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(root, filepath.FromSlash(name))
		dir := path
		if !strings.HasSuffix(name, "/") {
			dir = filepath.Dir(path)
		}
		err := os.MkdirAll(dir, 0o755)
		if err == nil && dir != path {
			err = os.WriteFile(path, nil, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// The guides leave the coldkey out of a run's path.
func TestResolvePathWithoutColdkey(t *testing.T) {
	t.Parallel()
	root := makeTree(t, "miner/me/hk1/foundation/config.yaml", "miner/me/hk2/foundation/config.yaml", "miner/you/hk2/foundation/config.yaml",
		"miner/you/hk3/foundation/", "miner/validator_checkpoint/x")
	at := func(name string) string { return filepath.Join(root, filepath.FromSlash(name)) }
	for _, tt := range []struct{ in, dir string }{
		{"miner/hk1/foundation", "miner/me/hk1/foundation"}, {"miner/hk1/foundation/", "miner/me/hk1/foundation"},
		{"miner/hk1/foundation/config.yaml", "miner/me/hk1/foundation"},
		{"miner/me/hk1/foundation", "miner/me/hk1/foundation"},
		{"miner/hk2/foundation", ""}, {"miner/hk3/foundation", ""}, {"miner/hk4/foundation", ""}, {"nowhere/hk1/foundation", ""},
	} {
		in := at(tt.in)
		if strings.HasSuffix(tt.in, "/") {
			in += "/"
		}
		dir, file, err := ResolvePath(in)
		if tt.dir == "" {
			if err == nil || subnet.Hint(err) == "" {
				t.Errorf("%s: %s, %v", tt.in, dir, err)
			}
			continue
		}
		if err != nil || dir != at(tt.dir) || file != filepath.Join(at(tt.dir), fileName) {
			t.Errorf("%s: %s, %s, %v, want %s", tt.in, dir, file, err, tt.dir)
		}
	}
	if _, _, err := ResolvePath(at("miner/hk2/foundation")); !strings.Contains(subnet.Hint(err), at("miner/me/hk2/foundation")+", "+at("miner/you/hk2/foundation")) {
		t.Errorf("hint = %q", subnet.Hint(err))
	}
}

func TestFindRoot(t *testing.T) {
	root := makeTree(t, "repo/.git/", "repo/a/pyproject.toml", "repo/a/b/c/", "repo/d/requirements.txt", "repo/e/f/")
	t.Setenv("ADIT_HOME", "")
	if _, err := os.Stat("/.dockerenv"); err == nil {
		if info, err := os.Stat("/data"); err == nil && info.IsDir() {
			t.Skip("in a container with /data that is the root")
		}
	}
	for dir, want := range map[string]string{"repo/a/b/c": "repo/a", "repo/d": "repo/d", "repo/e/f": "repo", "repo": "repo"} {
		t.Chdir(filepath.Join(root, filepath.FromSlash(dir)))
		if got, err := FindRoot(); err != nil || got != filepath.Join(root, filepath.FromSlash(want)) {
			t.Errorf("in %s: %s, %v, want %s", dir, got, err, want)
		}
	}
	t.Setenv("ADIT_HOME", "/elsewhere")
	if got, err := FindRoot(); err != nil || got != "/elsewhere" {
		t.Errorf("with ADIT_HOME: %s, %v", got, err)
	}
}
