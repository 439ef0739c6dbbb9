// Package storetest checks that a Store keeps its word. Every store's tests
// call [Run], so that all of them behave alike.
package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"adit/internal/subnet"
)

// Run exercises a store. For each test it calls empty, which returns a function
// that opens an empty place, each time as another writer.
func Run(t *testing.T, empty func(t *testing.T) func() subnet.Store) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, open func() subnet.Store)
	}{
		{"missing", testMissing},
		{"bytes in are bytes out", testBytes},
		{"published at once", testPublish},
		{"publishing twice is publishing once", testTwice},
		{"a file may say its digest", testSummed},
		{"revisions stay", testRevisions},
		{"short revisions", testShort},
		{"a download goes on", testResume},
		{"a wrong beginning is found out", testWrongBeginning},
		{"the limit holds", testLimit},
		{"writers cross", testWriters},
		{"paths stay inside", testPaths},
		{"a cancelled download can go on", testCancel},
		{"cancelled before", testCancelledBefore},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, empty(t)) })
	}
}

const noLimit = 1 << 40

// publish puts one file into s and returns the revision.
func publish(t *testing.T, s subnet.Store, path string, data []byte) string {
	t.Helper()
	if err := s.Stage(t.Context(), path, NewFile(path, data)); err != nil {
		t.Fatalf("Stage(%s): %v", path, err)
	}
	revision, err := s.Publish(t.Context(), "publish "+path)
	if err != nil {
		t.Fatalf("Publish: %v", err)
	}
	return revision
}

// want checks what a revision holds at path.
func want(t *testing.T, s subnet.Store, revision, path string, data []byte) {
	t.Helper()
	var d Draft
	if err := s.Get(t.Context(), revision, path, &d, noLimit); err != nil {
		t.Errorf("Get(%q, %s): %v", revision, path, err)
	} else if !bytes.Equal(d.Bytes(), data) {
		t.Errorf("Get(%q, %s) = %s, want %s", revision, path, show(d.Bytes()), show(data))
	}
}

// wantMissing checks that there is nothing.
func wantMissing(t *testing.T, s subnet.Store, revision, path string) {
	t.Helper()
	var d Draft
	if err := s.Get(t.Context(), revision, path, &d, noLimit); !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("Get(%q, %s) error = %v, want ErrNotFound", revision, path, err)
	}
	if d.Size() != 0 {
		t.Errorf("Get(%q, %s) wrote %d bytes of a file that is not there", revision, path, d.Size())
	}
}

func show(b []byte) string {
	if len(b) > 40 {
		return fmt.Sprintf("%d bytes %x…", len(b), b[:16])
	}
	return fmt.Sprintf("%q", b)
}

// Noise returns n bytes that look like a checkpoint: nothing compresses them.
func Noise(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func testMissing(t *testing.T, open func() subnet.Store) {
	s := open()
	wantMissing(t, s, "", "nothing.pt")
	revision := publish(t, s, "a.pt", []byte("a"))
	wantMissing(t, s, "", "nothing.pt")
	wantMissing(t, s, revision, "nothing.pt")
	wantMissing(t, s, strings.Repeat("0", 40), "a.pt")
	wantMissing(t, s, "0000000", "a.pt")
	if _, err := s.Publish(t.Context(), "nothing"); err == nil {
		t.Error("Publish of nothing succeeded")
	}
}

func testBytes(t *testing.T, open func() subnet.Store) {
	s := open()
	files := map[string][]byte{
		"empty":            {},
		"one":              {7},
		"config.json":      []byte("{\"layers\": 2}\n"),
		"model.pt":         Noise(1, 3<<20),
		"deep/er/a b+%.pt": []byte("odd name"),
		"deep/er/größe.pt": Noise(2, 70000),
	}
	for path, data := range files {
		if err := s.Stage(t.Context(), path, NewFile(path, data)); err != nil {
			t.Fatalf("Stage(%s): %v", path, err)
		}
	}
	revision, err := s.Publish(t.Context(), "all sorts\nof files")
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range files {
		want(t, s, revision, path, data)
		want(t, open(), "", path, data)
	}
}

func testPublish(t *testing.T, open func() subnet.Store) {
	s, reader := open(), open()
	publish(t, s, "old.pt", Noise(1, 5000))
	for _, path := range []string{"a.pt", "b.pt"} {
		if err := s.Stage(t.Context(), path, NewFile(path, Noise(2, 5000))); err != nil {
			t.Fatal(err)
		}
		wantMissing(t, reader, "", path)
	}
	revision, err := s.Publish(t.Context(), "both")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []string{"", revision} {
		want(t, reader, r, "a.pt", Noise(2, 5000))
		want(t, reader, r, "b.pt", Noise(2, 5000))
		want(t, reader, r, "old.pt", Noise(1, 5000)) // what was there stays
	}
}

func testTwice(t *testing.T, open func() subnet.Store) {
	first := publish(t, open(), "a.pt", Noise(1, 5000))
	// As a neuron does that was killed before it could note the first.
	if second := publish(t, open(), "a.pt", Noise(1, 5000)); second != first {
		t.Errorf("the same bytes published twice are revisions %s and %s", first, second)
	}
}

// A summedFile says its own digest.
type summedFile struct {
	subnet.File
	sum string
}

func (f summedFile) SHA256() string { return f.sum }

func testSummed(t *testing.T, open func() subnet.Store) {
	data := Noise(3, 300_000)
	sum := fmt.Sprintf("%x", sha256.Sum256(data))
	s := open()
	if err := s.Stage(t.Context(), "a.safetensors", summedFile{NewFile("a", data), sum}); err != nil {
		t.Fatal(err)
	}
	revision, err := s.Publish(t.Context(), "it said")
	if err != nil {
		t.Fatal(err)
	}
	want(t, open(), revision, "a.safetensors", data)
	// What is no digest is found out, and other bytes are not taken for these.
	for _, wrong := range []string{"", "no digest", sum[:40], strings.Repeat("0", 64)} {
		other := Noise(4, 300_000)
		err := s.Stage(t.Context(), "b.safetensors", summedFile{NewFile("b", other), wrong})
		if err != nil && len(wrong) == len(sum) {
			continue
		}
		if err == nil {
			revision, err = s.Publish(t.Context(), "it said something else")
		}
		if err != nil {
			t.Fatalf("a file of digest %q: %v", wrong, err)
		}
		want(t, open(), revision, "b.safetensors", other)
	}
}

func testRevisions(t *testing.T, open func() subnet.Store) {
	s := open()
	first := publish(t, s, "m.pt", Noise(1, 5000))
	second := publish(t, s, "m.pt", Noise(2, 6000))
	third := publish(t, s, "m.pt", Noise(1, 5000))
	if first == second || second == third || first == third {
		t.Errorf("revisions %s, %s, %s are not distinct", first, second, third)
	}
	want(t, open(), first, "m.pt", Noise(1, 5000))
	want(t, open(), second, "m.pt", Noise(2, 6000))
	want(t, open(), third, "m.pt", Noise(1, 5000))
	want(t, open(), "", "m.pt", Noise(1, 5000))
}

func testShort(t *testing.T, open func() subnet.Store) {
	s := open()
	first := publish(t, s, "m.pt", Noise(1, 5000))
	second := publish(t, s, "m.pt", Noise(2, 6000))
	want(t, s, first[:7], "m.pt", Noise(1, 5000))
	want(t, s, second[:12], "m.pt", Noise(2, 6000))
	wantMissing(t, s, second[:3], "m.pt")
}

func testResume(t *testing.T, open func() subnet.Store) {
	data := Noise(1, 300000)
	revision := publish(t, open(), "m.pt", data)
	for _, have := range []int{1, 1000, len(data) - 1, len(data)} {
		d := Draft{data: bytes.Clone(data[:have])}
		if err := open().Get(t.Context(), revision, "m.pt", &d, noLimit); err != nil {
			t.Errorf("Get with %d bytes there: %v", have, err)
		} else if !bytes.Equal(d.Bytes(), data) {
			t.Errorf("Get with %d bytes there = %s", have, show(d.Bytes()))
		} else if d.Written() != len(data)-have {
			t.Errorf("Get with %d of %d bytes there wrote %d", have, len(data), d.Written())
		}
	}
}

func testWrongBeginning(t *testing.T, open func() subnet.Store) {
	data := Noise(1, 300000)
	revision := publish(t, open(), "m.pt", data)
	for _, have := range []int{1, 1000, len(data) - 1, len(data), len(data) + 1, 2 * len(data)} {
		d := Draft{data: Noise(9, have)}
		if err := open().Get(t.Context(), revision, "m.pt", &d, noLimit); err != nil {
			t.Errorf("Get over %d wrong bytes: %v", have, err)
		} else if !bytes.Equal(d.Bytes(), data) {
			t.Errorf("Get over %d wrong bytes = %s", have, show(d.Bytes()))
		}
	}
}

func testLimit(t *testing.T, open func() subnet.Store) {
	data := Noise(1, 70000)
	s := open()
	revision := publish(t, s, "m.pt", data)
	for _, limit := range []int64{-1, 0, int64(len(data)) - 1} {
		var d Draft
		if err := s.Get(t.Context(), revision, "m.pt", &d, limit); err == nil || errors.Is(err, subnet.ErrTemporary) {
			t.Errorf("Get of %d bytes with limit %d: %v", len(data), limit, err)
		}
		if d.Written() != 0 {
			t.Errorf("Get with limit %d wrote %d bytes", limit, d.Written())
		}
	}
	var d Draft
	if err := s.Get(t.Context(), revision, "m.pt", &d, int64(len(data))); err != nil {
		t.Errorf("Get with the size as the limit: %v", err)
	}
}

func testWriters(t *testing.T, open func() subnet.Store) {
	const writers = 4
	revisions := make([]string, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			s := open()
			path := fmt.Sprintf("w%d.pt", i)
			if err := s.Stage(t.Context(), path, NewFile(path, Noise(byte(i), 3000))); err != nil {
				t.Error(err)
				return
			}
			var err error
			if revisions[i], err = s.Publish(t.Context(), path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := make(map[string]bool)
	for i, revision := range revisions {
		path := fmt.Sprintf("w%d.pt", i)
		want(t, open(), revision, path, Noise(byte(i), 3000))
		want(t, open(), "", path, Noise(byte(i), 3000))
		if seen[revision] {
			t.Errorf("two writers got revision %s", revision)
		}
		seen[revision] = true
	}
}

func testPaths(t *testing.T, open func() subnet.Store) {
	s := open()
	revision := publish(t, s, "a.pt", []byte("a"))
	for _, path := range []string{"", ".", "..", "../a.pt", "x/../a.pt", "/a.pt", "x//a.pt", "a.pt/", `x\a.pt`, "a\x00.pt", "C:/a.pt", "a\npt"} {
		if err := s.Stage(t.Context(), path, NewFile("x", []byte("x"))); err == nil {
			t.Errorf("Stage(%q) succeeded", path)
		}
		var d Draft
		if err := s.Get(t.Context(), revision, path, &d, noLimit); err == nil {
			t.Errorf("Get(%q) succeeded", path)
		}
	}
	for _, revision := range []string{"../" + revision, "..", ".", "/", "a b", "a\n", revision + "/..", "*"} {
		var d Draft
		if err := s.Get(t.Context(), revision, "a.pt", &d, noLimit); err == nil {
			t.Errorf("Get of revision %q succeeded", revision)
		}
	}
}

func testCancel(t *testing.T, open func() subnet.Store) {
	data := Noise(1, 3<<20)
	revision := publish(t, open(), "m.pt", data)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := Draft{OnWrite: cancel}
	s := open()
	if err := s.Get(ctx, revision, "m.pt", &d, noLimit); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Get error = %v, want context.Canceled", err)
	}
	have := int(d.Size())
	if have == 0 || have == len(data) {
		t.Fatalf("cancelled Get left %d of %d bytes", have, len(data))
	}
	d.OnWrite = nil
	if err := s.Get(t.Context(), revision, "m.pt", &d, noLimit); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(d.Bytes(), data) || d.Written() != len(data) {
		t.Errorf("after both parts: %s, %d bytes written for %d", show(d.Bytes()), d.Written(), len(data))
	}
}

func testCancelledBefore(t *testing.T, open func() subnet.Store) {
	s := open()
	revision := publish(t, s, "a.pt", Noise(1, 5000))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var d Draft
	if err := s.Get(ctx, revision, "a.pt", &d, noLimit); !errors.Is(err, context.Canceled) {
		t.Errorf("Get error = %v, want context.Canceled", err)
	}
	if err := s.Stage(ctx, "b.pt", NewFile("b.pt", Noise(2, 5000))); !errors.Is(err, context.Canceled) {
		t.Errorf("Stage error = %v, want context.Canceled", err)
	}
	if err := s.Stage(t.Context(), "b.pt", NewFile("b.pt", Noise(2, 5000))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Publish(ctx, "b"); !errors.Is(err, context.Canceled) {
		t.Errorf("Publish error = %v, want context.Canceled", err)
	}
	// Staged is staged: publishing can be tried again.
	if _, err := s.Publish(t.Context(), "b"); err != nil {
		t.Error(err)
	}
	want(t, s, "", "b.pt", Noise(2, 5000))
}

// NewFile returns a file that holds data.
func NewFile(name string, data []byte) subnet.File { return &file{bytes.NewReader(data), name} }

type file struct {
	*bytes.Reader
	name string
}

func (f *file) Name() string { return f.name }
func (f *file) Close() error { return nil }

// A Draft is a draft in memory. Its zero value is empty.
type Draft struct {
	// OnWrite, if set, is called after each Write.
	OnWrite func()

	data    []byte
	written int
}

var _ subnet.Draft = (*Draft)(nil)

// Bytes returns what the draft holds.
func (d *Draft) Bytes() []byte { return d.data }

// Written returns how many bytes have been written in all, so that a test can
// tell a resumed download from one that began again.
func (d *Draft) Written() int { return d.written }

func (d *Draft) Write(p []byte) (int, error) {
	d.data = append(d.data, p...)
	d.written += len(p)
	if d.OnWrite != nil {
		d.OnWrite()
	}
	return len(p), nil
}

func (d *Draft) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(d.data).ReadAt(p, off)
}

// Size returns the bytes held.
func (d *Draft) Size() int64 { return int64(len(d.data)) }

// Truncate cuts the draft to size bytes.
func (d *Draft) Truncate(size int64) error {
	if size < 0 || size > int64(len(d.data)) {
		return io.ErrShortWrite
	}
	d.data = d.data[:size]
	return nil
}

// Commit does nothing.
func (d *Draft) Commit() error { return nil }

// Close does nothing.
func (d *Draft) Close() error { return nil }
