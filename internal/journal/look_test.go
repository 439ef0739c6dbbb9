package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLookChangesNothing(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d, err := Look(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.CheckLayout(); err != nil {
		t.Error(err)
	}
	if _, held, err := Holder(path, "train"); held || err != nil {
		t.Errorf("Holder of nothing = %v, %v", held, err)
	}
	if left, err := d.Leftovers(); len(left) > 0 || err != nil {
		t.Errorf("Leftovers of nothing = %v, %v", left, err)
	}
	if list, err := os.ReadDir(path); len(list) > 0 || err != nil {
		t.Errorf("the directory holds %v, %v", list, err)
	}
	if _, err := Look(filepath.Join(path, "none")); err == nil {
		t.Error("a directory that is not there can be looked into")
	}
	if err := os.WriteFile(filepath.Join(path, versionName), []byte("99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.CheckLayout(); err == nil || !strings.Contains(err.Error(), `"99"`) {
		t.Errorf("CheckLayout of another version = %v", err)
	}
}

func TestHolder(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	release, err := Lock(path, "train")
	if err != nil {
		t.Fatal(err)
	}
	if pid, held, err := Holder(path, "train"); !held || err != nil || pid != os.Getpid() {
		t.Errorf("Holder = %d, %v, %v", pid, held, err)
	}
	release()
	if _, held, err := Holder(path, "train"); held || err != nil {
		t.Errorf("Holder after release = %v, %v", held, err)
	}
	// Having been asked about is not being held.
	release, err = Lock(path, "train")
	if err != nil {
		t.Fatal(err)
	}
	release()
}

func TestLeftovers(t *testing.T) {
	t.Parallel()
	d, err := OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a/b", "c"} {
		f, err := d.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("half")); err != nil {
			t.Fatal(err)
		}
		if name == "c" { // is being written
			defer f.Close()
		} else if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got, err := d.Leftovers()
	if diff := cmp.Diff([]Leftover{{"a/b", 4}}, got); diff != "" || err != nil {
		t.Errorf("Leftovers: %v\n%s", err, diff)
	}
}
