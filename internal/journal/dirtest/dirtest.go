// Package dirtest checks that a neuron's directory keeps its word. Every
// [subnet.Dir]'s tests call [Run], so that all of them behave alike.
package dirtest

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

// Run exercises directories that open makes: each call returns an empty one,
// and a function that opens the same one again, as after a restart.
func Run(t *testing.T, open func(t *testing.T) (d subnet.Dir, reopen func() subnet.Dir)) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, d subnet.Dir, reopen func() subnet.Dir)
	}{
		{"a fresh directory is empty", fresh},
		{"a draft is unseen until committed", unseen},
		{"a commit replaces the file", replaces},
		{"readers keep the file they opened", readers},
		{"resume continues what was left", resumes},
		{"truncate cuts and goes on", truncates},
		{"a name has one writer", oneWriter},
		{"list shows what is directly there", lists},
		{"rename moves files", renamesFile},
		{"rename replaces directories", renamesDir},
		{"a link outlives its first name", links},
		{"remove is thorough", removes},
		{"odd names are refused", oddNames},
		{"files and directories do not mix", mixes},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, reopen := open(t)
			tt.run(t, d, reopen)
		})
	}
}

func fresh(t *testing.T, d subnet.Dir, _ func() subnet.Dir) {
	wantList(t, d, "")
	wantList(t, d, "nowhere")
	wantAbsent(t, d, "nope")
	wantAbsent(t, d, "nowhere/nope")
}

func unseen(t *testing.T, d subnet.Dir, reopen func() subnet.Dir) {
	w := must(d.Create("a/b"))(t)
	write(t, w, "half")
	wantAbsent(t, d, "a/b")
	wantList(t, d, "a")
	back := make([]byte, 3)
	if n, err := w.ReadAt(back, 1); n != 3 || err != nil || string(back) != "alf" {
		t.Errorf("ReadAt(1) = %q, %v, want %q", back[:n], err, "alf")
	}
	if n, err := w.ReadAt(back, 2); n != 2 || err != io.EOF {
		t.Errorf("ReadAt(2) = %d, %v, want 2, EOF", n, err)
	}
	write(t, w, " and half")
	commit(t, w)
	wantFile(t, reopen(), "a/b", "half and half")

	if err := w.Close(); err != nil {
		t.Errorf("Close after Commit: %v", err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("Write after Commit succeeded")
	}
	if err := w.Commit(); err == nil {
		t.Error("second Commit succeeded")
	}
	wantFile(t, d, "a/b", "half and half")
}

func replaces(t *testing.T, d subnet.Dir, reopen func() subnet.Dir) {
	for _, text := range []string{"one, the longer", "two", ""} {
		put(t, d, "a", text)
		wantFile(t, d, "a", text)
	}
	wantFile(t, reopen(), "a", "")
	wantList(t, d, "", "a")
}

func readers(t *testing.T, d subnet.Dir, _ func() subnet.Dir) {
	put(t, d, "a", "old")
	f := must(d.Open("a"))(t)
	defer f.Close()
	if f.Name() != "a" || f.Size() != 3 {
		t.Errorf("opened %q of %d bytes, want %q of 3", f.Name(), f.Size(), "a")
	}
	w := must(d.Create("a"))(t)
	write(t, w, "newer")
	if got := read(t, f); got != "old" {
		t.Errorf("during a draft the file reads %q, want %q", got, "old")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func resumes(t *testing.T, d subnet.Dir, reopen func() subnet.Dir) {
	w := must(d.Resume("a/b"))(t)
	if w.Size() != 0 {
		t.Errorf("a new draft has %d bytes", w.Size())
	}
	write(t, w, "first ")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("Write after Close succeeded")
	}

	d = reopen()
	wantAbsent(t, d, "a/b")
	w = must(d.Resume("a/b"))(t)
	if w.Size() != 6 {
		t.Errorf("the resumed draft has %d bytes, want 6", w.Size())
	}
	write(t, w, "second")
	commit(t, w)
	wantFile(t, d, "a/b", "first second")

	w = must(d.Resume("a/b"))(t)
	if w.Size() != 0 {
		t.Errorf("after a commit a draft starts with %d bytes", w.Size())
	}
	write(t, w, "left")
	w.Close()
	w = must(d.Create("a/b"))(t)
	if w.Size() != 0 {
		t.Errorf("Create starts with %d bytes", w.Size())
	}
	w.Close()
}

func truncates(t *testing.T, d subnet.Dir, _ func() subnet.Dir) {
	w := must(d.Create("a"))(t)
	write(t, w, "wrong end")
	if err := w.Truncate(10); err == nil {
		t.Error("Truncate beyond the end succeeded")
	}
	if err := w.Truncate(-1); err == nil {
		t.Error("Truncate(-1) succeeded")
	}
	if err := w.Truncate(6); err != nil {
		t.Fatal(err)
	}
	if w.Size() != 6 {
		t.Errorf("Size() = %d after Truncate(6)", w.Size())
	}
	write(t, w, "start")
	commit(t, w)
	wantFile(t, d, "a", "wrong start")
}

func oneWriter(t *testing.T, d subnet.Dir, reopen func() subnet.Dir) {
	first := must(d.Create("a"))(t)
	write(t, first, "mine")
	for _, start := range []func(string) (subnet.Draft, error){d.Create, d.Resume, reopen().Create} {
		if w, err := start("a"); err == nil {
			t.Error("a second draft of the same name was started")
			w.Close()
		}
	}
	commit(t, first)
	wantFile(t, d, "a", "mine")
	put(t, d, "a", "next")
	wantFile(t, d, "a", "next")
}

func lists(t *testing.T, d subnet.Dir, reopen func() subnet.Dir) {
	for _, name := range []string{"l/2", "l/10", "l/d/x", "m/1", "top"} {
		put(t, d, name, name)
	}
	w := must(d.Create("l/draft"))(t)
	write(t, w, "x")
	w.Close()
	for _, d := range []subnet.Dir{d, reopen()} {
		wantList(t, d, "", "l", "m", "top")
		wantList(t, d, ".", "l", "m", "top")
		wantList(t, d, "l", "10", "2", "d")
		wantList(t, d, "l/d", "x")
	}
	wantList(t, d, "top") // a file is no directory: nothing is under it
}

func renamesFile(t *testing.T, d subnet.Dir, reopen func() subnet.Dir) {
	put(t, d, "a", "A")
	put(t, d, "deep/er/b", "B")
	rename(t, d, "a", "deep/c")
	wantAbsent(t, d, "a")
	wantFile(t, d, "deep/c", "A")
	rename(t, d, "deep/c", "deep/er/b")
	wantFile(t, reopen(), "deep/er/b", "A")
	wantList(t, d, "deep", "er")
	rename(t, d, "deep/er/b", "new/dir/b")
	wantFile(t, d, "new/dir/b", "A")

	if err := d.Rename("nope", "x"); !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("Rename(nope) error = %v, want ErrNotFound", err)
	}
	for _, to := range []string{"new", "new/dir", "new/dir/x"} {
		if err := d.Rename("new/dir", to); err == nil {
			t.Errorf("Rename(new/dir, %s) succeeded", to)
		}
	}
	wantFile(t, d, "new/dir/b", "A")
}

func renamesDir(t *testing.T, d subnet.Dir, reopen func() subnet.Dir) {
	put(t, d, "old/1", "old")
	put(t, d, "old/2", "old")
	put(t, d, "new/1", "new")
	put(t, d, "new/sub/3", "new")
	rename(t, d, "new", "old")
	d = reopen()
	wantList(t, d, "", "old")
	wantList(t, d, "old", "1", "sub")
	wantFile(t, d, "old/sub/3", "new")

	put(t, d, "file", "F")
	rename(t, d, "file", "old") // a file in place of a directory
	wantFile(t, d, "old", "F")
	put(t, d, "dir/x", "X")
	rename(t, d, "dir", "old") // and the other way round
	wantFile(t, reopen(), "old/x", "X")
	wantList(t, d, "", "old")
}

func links(t *testing.T, d subnet.Dir, reopen func() subnet.Dir) {
	link := func(from, to string) {
		t.Helper()
		if err := d.Link(from, to); err != nil {
			t.Fatal(err)
		}
	}
	put(t, d, "run/a", "A")
	link("run/a", "kept/in/a")
	wantFile(t, d, "run/a", "A")
	wantList(t, d, "kept/in", "a")
	put(t, d, "run/a", "another") // a new file under the name, not in the old one's place
	wantFile(t, d, "kept/in/a", "A")
	if err := d.Remove("run"); err != nil {
		t.Fatal(err)
	}
	d = reopen()
	wantFile(t, d, "kept/in/a", "A")
	put(t, d, "b", "B")
	link("b", "kept/in/a") // replaces
	wantFile(t, reopen(), "kept/in/a", "B")
	link("kept/in/a", "b") // what is the same already
	wantFile(t, d, "b", "B")
	wantList(t, d, "kept/in", "a")

	put(t, d, "dir/x", "X")
	for _, tt := range [][2]string{{"nope", "x"}, {"no/where", "x"}} {
		if err := d.Link(tt[0], tt[1]); !errors.Is(err, subnet.ErrNotFound) {
			t.Errorf("Link(%s, %s) error = %v, want ErrNotFound", tt[0], tt[1], err)
		}
	}
	for _, tt := range [][2]string{{"dir", "y"}, {"b", "dir"}, {"b", "b"}, {"b", "b/c"}, {"dir/x", "dir"}, {"b", "kept/in/a/c"}} {
		if err := d.Link(tt[0], tt[1]); err == nil {
			t.Errorf("Link(%s, %s) succeeded", tt[0], tt[1])
		}
	}
	wantFile(t, d, "dir/x", "X")
	wantFile(t, d, "b", "B")
}

func removes(t *testing.T, d subnet.Dir, reopen func() subnet.Dir) {
	for _, name := range []string{"a/b/c", "a/b/d", "a/e", "f"} {
		put(t, d, name, name)
	}
	for _, name := range []string{"a/b", "f", "nope", "no/where"} {
		if err := d.Remove(name); err != nil {
			t.Errorf("Remove(%s): %v", name, err)
		}
	}
	d = reopen()
	wantList(t, d, "", "a")
	wantList(t, d, "a", "e")

	// A draft that nobody writes any more goes with its name, or it would take
	// room for ever.
	w := must(d.Create("g"))(t)
	write(t, w, "abandoned")
	w.Close()
	if err := d.Remove("g"); err != nil {
		t.Fatal(err)
	}
	w = must(d.Resume("g"))(t)
	if w.Size() != 0 {
		t.Errorf("after Remove a draft resumes with %d bytes", w.Size())
	}
	write(t, w, "wanted")
	if err := d.Remove("g"); err != nil {
		t.Fatal(err)
	}
	commit(t, w)
	wantFile(t, d, "g", "wanted")
}

func oddNames(t *testing.T, d subnet.Dir, _ func() subnet.Dir) {
	put(t, d, "fine", "x")
	for _, name := range []string{
		"", ".", "..", "/", "/etc/passwd", "../x", "a/../../x", "a/..", "a//b", "a/", "./a", `a\b`, `..\x`, "c:x",
		"nul\x00byte", "line\nfeed", "esc\x1b[2J", strings.Repeat("x", 201), strings.Repeat("x/", 600) + "x",
		".part_a", "a/.part_b", ".adit_run.lock", "a/.adit_old_b", "adit.version", "journal.jsonl", "events.jsonl",
		"adit.version/x", "journal/mine", "events.train.1.jsonl", "\xff\xfe",
	} {
		if w, err := d.Create(name); err == nil {
			t.Errorf("Create(%q) succeeded", name)
			w.Close()
		}
		if w, err := d.Resume(name); err == nil {
			t.Errorf("Resume(%q) succeeded", name)
			w.Close()
		}
		if f, err := d.Open(name); err == nil || errors.Is(err, subnet.ErrNotFound) {
			t.Errorf("Open(%q) error = %v", name, err)
			if err == nil {
				f.Close()
			}
		}
		if err := d.Remove(name); err == nil {
			t.Errorf("Remove(%q) succeeded", name)
		}
		if d.Rename("fine", name) == nil || d.Rename(name, "fine") == nil {
			t.Errorf("Rename with %q succeeded", name)
		}
		if d.Link("fine", name) == nil || d.Link(name, "fine") == nil {
			t.Errorf("Link with %q succeeded", name)
		}
		if name != "" && name != "." {
			if _, err := d.List(name); err == nil {
				t.Errorf("List(%q) succeeded", name)
			}
		}
	}
	wantList(t, d, "", "fine")
	for _, name := range []string{"model_expgroup_0.pt", "a b", "ünï", "..x", "x..", ".hidden", "sub/adit.version"} {
		put(t, d, name, name)
		wantFile(t, d, name, name)
	}
}

func mixes(t *testing.T, d subnet.Dir, _ func() subnet.Dir) {
	put(t, d, "file", "F")
	put(t, d, "dir/x", "X")
	if w, err := d.Create("file/below"); err == nil {
		t.Error("Create below a file succeeded")
		w.Close()
	}
	wantAbsent(t, d, "file/below")
	if f, err := d.Open("dir"); err == nil || errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("Open of a directory: error = %v", err)
		if err == nil {
			f.Close()
		}
	}
	w := must(d.Create("dir"))(t)
	write(t, w, "no")
	if err := w.Commit(); err == nil {
		t.Error("a file was committed over a directory")
	}
	w.Close()
	wantFile(t, d, "file", "F")
	wantFile(t, d, "dir/x", "X")

	w = must(d.Create("gone/x"))(t)
	if err := d.Remove("gone"); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err == nil {
		t.Error("a draft was committed whose directory had been removed")
	}
	w.Close()
	wantAbsent(t, d, "gone/x")
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func write(t *testing.T, w subnet.Draft, text string) {
	t.Helper()
	before := w.Size()
	if n, err := io.WriteString(w, text); n != len(text) || err != nil {
		t.Fatalf("Write(%q) = %d, %v", text, n, err)
	}
	if got, want := w.Size(), before+int64(len(text)); got != want {
		t.Fatalf("Size() = %d after Write, want %d", got, want)
	}
}

func commit(t *testing.T, w subnet.Draft) {
	t.Helper()
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, d subnet.Dir, name, text string) {
	t.Helper()
	w := must(d.Create(name))(t)
	defer w.Close()
	write(t, w, text)
	commit(t, w)
}

func rename(t *testing.T, d subnet.Dir, from, to string) {
	t.Helper()
	if err := d.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, f subnet.File) string {
	t.Helper()
	data, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()+1))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func wantFile(t *testing.T, d subnet.Dir, name, want string) {
	t.Helper()
	f, err := d.Open(name)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	if got := read(t, f); got != want || f.Size() != int64(len(want)) || f.Name() != name {
		t.Errorf("%s reads %q (%q, %d bytes), want %q", name, got, f.Name(), f.Size(), want)
	}
}

func wantAbsent(t *testing.T, d subnet.Dir, name string) {
	t.Helper()
	f, err := d.Open(name)
	if err == nil {
		f.Close()
	}
	if !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("Open(%s) error = %v, want ErrNotFound", name, err)
	}
}

func wantList(t *testing.T, d subnet.Dir, dir string, want ...string) {
	t.Helper()
	got, err := d.List(dir)
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(append([]string{}, want...), append([]string{}, got...)); diff != "" {
		t.Errorf("List(%q) (-want +got):\n%s", dir, diff)
	}
}
