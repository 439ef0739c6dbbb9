package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/journal/dirtest"
	"adit/internal/subnet"
)

func openDir(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDisk(t *testing.T) {
	t.Parallel()
	dirtest.Run(t, func(t *testing.T) (subnet.Dir, func() subnet.Dir) {
		path := filepath.Join(t.TempDir(), "deep", "run")
		return openDir(t, path), func() subnet.Dir { return openDir(t, path) }
	})
}

func TestOtherVersion(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(path, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("adit.version", "2\n")
	write(".adit_gone_x", "something of theirs")
	_, err := OpenDir(path)
	if err == nil || !strings.Contains(err.Error(), `version "2"`) || subnet.Hint(err) == "" {
		t.Fatalf("OpenDir error = %v (hint %q)", err, subnet.Hint(err))
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) != 2 {
		t.Errorf("the directory was touched: %v, %v", entries, err)
	}
}

// A directory that is not marked yet may be anything, such as a home directory
// by mistake: nothing in it may be taken for a leftover.
func TestUnmarkedIsNotMended(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	theirs := filepath.Join(path, ".adit_gone_x")
	if err := os.WriteFile(theirs, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	openDir(t, path)
	if _, err := os.Stat(theirs); err != nil {
		t.Error(err)
	}
}

func TestMend(t *testing.T) {
	t.Parallel()
	// Each case is what a kill at some instruction of Rename or Remove leaves
	// below "sub", by path and content.
	for _, tt := range []struct {
		name       string
		left, want map[string]string
	}{
		{"rename killed before the first step",
			map[string]string{"to/x": "old", "from/x": "new"},
			map[string]string{"to/x": "old", "from/x": "new"}},
		{"rename killed after the old stepped aside",
			map[string]string{".adit_old_to/x": "old", "from/x": "new"},
			map[string]string{"to/x": "old", "from/x": "new"}},
		{"rename killed after the new took its place",
			map[string]string{".adit_old_to/x": "old", "to/x": "new"},
			map[string]string{"to/x": "new"}},
		{"rename killed while the old is put out of sight",
			map[string]string{".adit_gone_.adit_old_to_1/x": "old", "to/x": "new"},
			map[string]string{"to/x": "new"}},
		{"remove killed half way",
			map[string]string{".adit_gone_to_2/y": "half of it", "other": "kept"},
			map[string]string{"other": "kept"}},
		{"a file that a directory was to replace",
			map[string]string{".adit_old_to": "old", "from/x": "new"},
			map[string]string{"to": "old", "from/x": "new"}},
		{"drafts are left alone",
			map[string]string{".part_a": "half", "to/.part_b": "half"},
			map[string]string{".part_a": "half", "to/.part_b": "half"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			openDir(t, root) // marks it
			sub := filepath.Join(root, "sub")
			for name, text := range tt.left {
				path := filepath.Join(sub, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			openDir(t, root)
			if diff := cmp.Diff(tt.want, tree(t, sub)); diff != "" {
				t.Errorf("after opening (-want +got):\n%s", diff)
			}
		})
	}
}

// A leftover of a replacement must not come back when what replaced it leaves.
func TestOldDoesNotReturn(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*Dir) error{
		"remove": func(d *Dir) error { return d.Remove("to") },
		"rename": func(d *Dir) error { return d.Rename("to", "elsewhere") },
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			d := openDir(t, root)
			for _, dir := range []string{"to", ".adit_old_to"} {
				if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := leave(d); err != nil {
				t.Fatal(err)
			}
			openDir(t, root)
			if _, err := os.Stat(filepath.Join(root, "to")); err == nil {
				t.Error("it is back")
			}
		})
	}
}

func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		got[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
