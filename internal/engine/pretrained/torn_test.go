package pretrained

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"adit/internal/subnet"
)

// killed is what a writer panics with where a kill is to strike.
type killed struct{}

// TestWriteFails lets each act on the disk fail, and then lets the writer be
// killed at each, with a model in place and without, with the exchange and
// without. What is at dir must be the one model or the other, whole.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{false, true} {
		for _, kill := range []bool{false, true} {
			for at := 0; ; at++ {
				base := t.TempDir()
				dir := filepath.Join(base, "m")
				if before {
					if err := Write(dir, model(0)); err != nil {
						t.Fatal(err)
					}
				}
				acts := 0
				injected := errors.New("injected")
				what := ""
				w := &writer{act: func(s string) error {
					if acts++; acts <= at {
						return nil
					}
					if what != "" {
						return nil
					}
					if what = s; kill {
						panic(killed{})
					}
					return injected
				}}
				err := attempt(w, dir, model(10))
				if what == "" { // nothing was left to fail
					if err != nil {
						t.Fatal(err)
					}
					check(t, dir, 10)
					break
				}
				name := fmt.Sprintf("before %v, kill %v, at %q", before, kill, what)
				switch _, statErr := os.Lstat(dir); {
				case what == "remove the old one":
					if err != nil && !kill {
						t.Errorf("%s: %v", name, err)
					}
					check(t, dir, 10)
				case what == "sync the parent" && kill:
					check(t, dir, 10)
				case before:
					check(t, dir, 0)
				case statErr == nil:
					t.Errorf("%s: something is at dir", name)
				}
				if !kill && what != "remove the old one" {
					if !errors.Is(err, injected) {
						t.Errorf("%s: %v", name, err)
					}
					if left := list(t, base); len(left) > 1 || !before && len(left) > 0 {
						t.Errorf("%s: %q are left", name, left)
					}
				}
				if err := Write(dir, model(20)); err != nil {
					t.Errorf("%s: the next Write: %v", name, err)
				}
				check(t, dir, 20)
				if left := list(t, base); len(left) > 1 && runtime.GOOS != "windows" {
					t.Errorf("%s: after the next Write %q are left", name, left)
				}
			}
		}
	}
}

// attempt writes a model and lets go of the lock if the writer is killed, as
// the system does.
func attempt(w *writer, dir string, c Contents) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if r != (killed{}) {
				panic(r)
			}
			if w.lock != nil {
				w.lock.Close()
			}
			err = errors.New("killed")
		}
	}()
	return w.write(dir, &c)
}

// TestReplace goes the way of systems that cannot exchange directories.
func TestReplace(t *testing.T) {
	t.Parallel()
	for _, kill := range []bool{false, true} {
		for at := 0; ; at++ {
			base := t.TempDir()
			dir := filepath.Join(base, "m")
			if err := Write(dir, model(0)); err != nil {
				t.Fatal(err)
			}
			acts, what := 0, ""
			injected := errors.New("injected")
			w := &writer{dir: dir, tmp: filepath.Join(base, freshPrefix(dir)+"x"), act: func(s string) error {
				if acts++; acts != at+1 {
					return nil
				}
				if what = s; kill {
					panic(killed{})
				}
				return injected
			}}
			if err := Write(w.tmp, model(10)); err != nil {
				t.Fatal(err)
			}
			err := func() (err error) {
				defer func() {
					if recover() != nil {
						err = injected
					}
				}()
				return w.replace()
			}()
			if what == "" {
				if err != nil {
					t.Fatal(err)
				}
				check(t, dir, 10)
				break
			}
			name := fmt.Sprintf("kill %v, at %q", kill, what)
			_, statErr := os.Lstat(dir)
			switch {
			case statErr != nil && kill: // between the two renames
				_, err := Open(dir)
				if !strings.Contains(subnet.Hint(err), aside(dir)) {
					t.Errorf("%s: Open: %v (%s)", name, err, subnet.Hint(err))
				}
				check(t, aside(dir), 0)
				if err := (&writer{dir: dir, act: func(string) error { return nil }}).mend(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				check(t, dir, 0)
			case what == "remove the old one", what == "sync the parent" && kill:
				check(t, dir, 10)
			default:
				check(t, dir, 0)
				if err == nil {
					t.Errorf("%s: no error", name)
				}
			}
			if err := Write(dir, model(20)); err != nil {
				t.Errorf("%s: the next Write: %v", name, err)
			}
			check(t, dir, 20)
		}
	}
}

func TestReadOnlyParent(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("everything may be written here")
	}
	base := t.TempDir()
	if err := Write(filepath.Join(base, "m"), model(0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(base, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(base, 0o777)
	if err := Write(filepath.Join(base, "m"), model(1)); !errors.Is(err, os.ErrPermission) {
		t.Errorf("Write: %v", err)
	}
	check(t, filepath.Join(base, "m"), 0)
}
