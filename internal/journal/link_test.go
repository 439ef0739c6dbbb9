package journal

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLinkShares takes no room for a second name.
func TestLinkShares(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	d, err := OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	w, err := d.Create("a")
	if err == nil {
		if _, err = w.Write([]byte("A")); err == nil {
			err = w.Commit()
		}
	}
	if err == nil {
		err = d.Link("a", "b/c")
	}
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.Stat(filepath.Join(root, "a"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.Stat(filepath.Join(root, "b", "c"))
	if err != nil || !os.SameFile(first, second) {
		t.Errorf("the link is another file, %v", err)
	}
	// Where there are no links, the bytes are copied.
	if err := copyFile(filepath.Join(root, "a"), filepath.Join(root, "copy")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(root, "copy")); string(got) != "A" || err != nil {
		t.Errorf("the copy has %q, %v", got, err)
	}
}
