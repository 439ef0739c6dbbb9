package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

// A BucketKind says what to expect of a bucket.
type BucketKind struct {
	// Large is the size of a file, in bytes, above which the bucket transfers it in
	// another way, if it has one.
	Large int
	// Folders means that the store keeps objects in folders, so that there is
	// no object "a" beside an object "a/b".
	Folders bool
}

// RunBucket exercises a bucket. For each test it calls empty, which returns a
// function that opens an empty bucket, each time as another writer.
func RunBucket(t *testing.T, kind BucketKind, empty func(t *testing.T) func() subnet.Bucket) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, open func() subnet.Bucket, kind BucketKind)
	}{
		{"missing", bucketMissing},
		{"bytes in are bytes out", bucketBytes},
		{"overwriting", bucketOverwrite},
		{"once", bucketOnce},
		{"once of many", bucketOnceOfMany},
		{"a download goes on", bucketResume},
		{"a wrong beginning is found out", bucketWrongBeginning},
		{"the limit holds", bucketLimit},
		{"lists", bucketList},
		{"long lists", bucketLongList},
		{"removing", bucketRemove},
		{"the store's clock", bucketClock},
		{"keys stay inside", bucketKeys},
		{"a cancelled download can go on", bucketCancel},
		{"cancelled before", bucketCancelledBefore},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, empty(t), kind) })
	}
}

// put uploads data, and checks what the store says of it.
func put(t *testing.T, b subnet.Bucket, key string, data []byte) subnet.Object {
	t.Helper()
	o, err := b.Put(t.Context(), key, NewFile(key, data), false)
	if err != nil {
		t.Fatalf("Put(%s): %v", key, err)
	}
	if o.Key != key || o.Size != int64(len(data)) || o.ETag == "" || o.Modified.IsZero() {
		t.Errorf("Put(%s) of %d bytes = %+v", key, len(data), o)
	}
	return o
}

// wantObject checks what is under key, whatever its version.
func wantObject(t *testing.T, b subnet.Bucket, key string, data []byte) {
	t.Helper()
	var d Draft
	if err := b.Get(t.Context(), subnet.Object{Key: key}, &d, noLimit); err != nil {
		t.Errorf("Get(%s): %v", key, err)
	} else if !bytes.Equal(d.Bytes(), data) {
		t.Errorf("Get(%s) = %s, want %s", key, show(d.Bytes()), show(data))
	}
}

func bucketMissing(t *testing.T, open func() subnet.Bucket, _ BucketKind) {
	b := open()
	put(t, b, "a", []byte("a"))
	for _, key := range []string{"b", "a-b", "A", "a.json"} {
		if _, err := b.Stat(t.Context(), key); !errors.Is(err, subnet.ErrNotFound) {
			t.Errorf("Stat(%s): %v, want ErrNotFound", key, err)
		}
		var d Draft
		if err := b.Get(t.Context(), subnet.Object{Key: key}, &d, noLimit); !errors.Is(err, subnet.ErrNotFound) || d.Size() != 0 {
			t.Errorf("Get(%s): %v, want ErrNotFound", key, err)
		}
	}
}

func bucketBytes(t *testing.T, open func() subnet.Bucket, kind BucketKind) {
	b := open()
	files := map[string][]byte{
		"empty":                   {},
		"one":                     {7},
		"gradient-1-2.pt":         Noise(1, 300_000),
		"large":                   Noise(2, kind.Large+kind.Large/2+1),
		"larger":                  Noise(3, 4*kind.Large),
		"deep/er/a b+%&=?#~.pt":   []byte("odd name"),
		"deep/er/größe.pt":        Noise(4, 70_000),
		"deep":                    []byte("a name that is a beginning of others"),
		"checkpoints/1/.metadata": []byte("a hidden one"),
		"CON":                     []byte("a device, elsewhere"),
		"con":                     []byte("another case"),
	}
	files[strings.Repeat("long/", 200)+"name"] = []byte("long")
	if kind.Folders {
		delete(files, "deep")
	}
	said := make(map[string]subnet.Object)
	for key, data := range files {
		said[key] = put(t, b, key, data)
	}
	for key, data := range files {
		got, err := open().Stat(t.Context(), key)
		if err != nil {
			t.Errorf("Stat(%s): %v", key, err)
		} else if diff := cmp.Diff(said[key], got); diff != "" {
			t.Errorf("Stat(%s) is not what Put said (-put +stat):\n%s", key, diff)
		}
		wantObject(t, open(), key, data)
	}
	list, err := open().List(t.Context(), "", "", 100)
	if err != nil || len(list) != len(files) {
		t.Errorf("List: %d objects, %v; want %d", len(list), err, len(files))
	}
	for _, o := range list {
		if diff := cmp.Diff(said[o.Key], o); diff != "" {
			t.Errorf("List is not what Put said (-put +list):\n%s", diff)
		}
	}
}

func bucketOverwrite(t *testing.T, open func() subnet.Bucket, kind BucketKind) {
	b := open()
	for _, n := range []int{5000, 3 * kind.Large} {
		first := put(t, b, "m.pt", Noise(1, n))
		again := put(t, open(), "m.pt", Noise(1, n))
		if again.Size != first.Size {
			t.Errorf("the same bytes again: %+v, then %+v", first, again)
		}
		second := put(t, open(), "m.pt", Noise(2, n))
		if first.ETag == second.ETag {
			t.Errorf("other bytes have the same version %s", first.ETag)
		}
		var d Draft
		if err := b.Get(t.Context(), first, &d, noLimit); !errors.Is(err, subnet.ErrChanged) || errors.Is(err, subnet.ErrTemporary) {
			t.Errorf("Get of a version that was overwritten: %v, want ErrChanged", err)
		}
		if d.Written() != 0 {
			t.Errorf("Get of a version that was overwritten wrote %d bytes", d.Written())
		}
		if err := b.Get(t.Context(), second, &d, noLimit); err != nil || !bytes.Equal(d.Bytes(), Noise(2, n)) {
			t.Errorf("Get of the newest version = %s, %v", show(d.Bytes()), err)
		}
	}
}

func bucketOnce(t *testing.T, open func() subnet.Bucket, kind BucketKind) {
	for i, n := range []int{5000, 3 * kind.Large} {
		key := fmt.Sprintf("once-%d", i)
		if _, err := open().Put(t.Context(), key, NewFile(key, Noise(1, n)), true); err != nil {
			t.Fatalf("the first Put once: %v", err)
		}
		for _, seed := range []byte{1, 2} {
			if _, err := open().Put(t.Context(), key, NewFile(key, Noise(seed, n)), true); !errors.Is(err, subnet.ErrExists) {
				t.Errorf("the second Put once of %d bytes: %v, want ErrExists", n, err)
			}
		}
		wantObject(t, open(), key, Noise(1, n))
		put(t, open(), key, Noise(2, n)) // who means to overwrite does
	}
}

func bucketOnceOfMany(t *testing.T, open func() subnet.Bucket, kind BucketKind) {
	for i, n := range []int{5000, 2*kind.Large + 1} {
		key := fmt.Sprintf("race-%d", i)
		var won, winner atomic.Int32
		var wg sync.WaitGroup
		for seed := range 6 {
			wg.Go(func() {
				_, err := open().Put(t.Context(), key, NewFile(key, Noise(byte(seed), n)), true)
				if err == nil {
					won.Add(1)
					winner.Store(int32(seed))
				} else if !errors.Is(err, subnet.ErrExists) {
					t.Errorf("Put once: %v", err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d of 6 made the same object of %d bytes once", won.Load(), n)
		}
		wantObject(t, open(), key, Noise(byte(winner.Load()), n))
	}
}

func bucketResume(t *testing.T, open func() subnet.Bucket, kind BucketKind) {
	for _, size := range []int{300_000, 3 * kind.Large} {
		data := Noise(1, size)
		o := put(t, open(), "m.pt", data)
		for _, have := range []int{1, 1000, len(data) - 1, len(data)} {
			d := Draft{data: bytes.Clone(data[:have])}
			if err := open().Get(t.Context(), o, &d, noLimit); err != nil {
				t.Errorf("Get with %d bytes there: %v", have, err)
			} else if !bytes.Equal(d.Bytes(), data) {
				t.Errorf("Get with %d bytes there = %s", have, show(d.Bytes()))
			} else if d.Written() != len(data)-have {
				t.Errorf("Get with %d of %d bytes there wrote %d", have, len(data), d.Written())
			}
		}
	}
}

func bucketWrongBeginning(t *testing.T, open func() subnet.Bucket, kind BucketKind) {
	for _, size := range []int{30_000, 3 * kind.Large} {
		data := Noise(1, size)
		o := put(t, open(), "m.pt", data)
		for _, have := range []int{1, 1000, len(data), len(data) + 1} {
			d := Draft{data: Noise(9, have)}
			if err := open().Get(t.Context(), o, &d, noLimit); err != nil {
				t.Errorf("Get over %d wrong bytes: %v", have, err)
			} else if !bytes.Equal(d.Bytes(), data) {
				t.Errorf("Get over %d wrong bytes = %s", have, show(d.Bytes()))
			}
		}
	}
}

func bucketLimit(t *testing.T, open func() subnet.Bucket, _ BucketKind) {
	data := Noise(1, 70_000)
	b := open()
	o := put(t, b, "m.pt", data)
	for _, limit := range []int64{-1, 0, int64(len(data)) - 1} {
		var d Draft
		if err := b.Get(t.Context(), o, &d, limit); err == nil || errors.Is(err, subnet.ErrTemporary) {
			t.Errorf("Get of %d bytes with limit %d: %v", len(data), limit, err)
		}
		if d.Written() != 0 {
			t.Errorf("Get with limit %d wrote %d bytes", limit, d.Written())
		}
	}
	var d Draft
	if err := b.Get(t.Context(), o, &d, int64(len(data))); err != nil {
		t.Errorf("Get with the size as the limit: %v", err)
	}
}

// keysOf returns the keys of a list.
func keysOf(t *testing.T, b subnet.Bucket, prefix, after string, max int) string {
	t.Helper()
	list, err := b.List(t.Context(), prefix, after, max)
	if err != nil {
		t.Fatalf("List(%q, %q, %d): %v", prefix, after, max, err)
	}
	var keys []string
	for _, o := range list {
		keys = append(keys, o.Key)
	}
	return strings.Join(keys, " ")
}

func bucketList(t *testing.T, open func() subnet.Bucket, kind BucketKind) {
	b := open()
	if got := keysOf(t, b, "", "", 10); got != "" {
		t.Errorf("an empty bucket lists %q", got)
	}
	a := "a" // a key that is the beginning of others
	if kind.Folders {
		a = "a!"
	}
	for _, key := range []string{"b", "a/2", "a/1", a, "a-1", "a/10", "c%2F", "größe", "z+ &x"} {
		put(t, b, key, []byte(key))
	}
	for _, tt := range []struct {
		prefix, after string
		max           int
		want          string
	}{
		{"", "", 100, a + " a-1 a/1 a/10 a/2 b c%2F größe z+ &x"}, // by bytes
		{"", "", 3, a + " a-1 a/1"},
		{"", "", 0, ""},
		{"", "", -1, ""},
		{"a", "", 100, a + " a-1 a/1 a/10 a/2"},
		{"a/", "", 100, "a/1 a/10 a/2"},
		{"a/1", "", 100, "a/1 a/10"},
		{"a/", "a/1", 100, "a/10 a/2"},
		{"a/", "a/1", 1, "a/10"},
		{"a/", "a/11", 5, "a/2"}, // between two
		{"a/", "b", 5, ""},
		{"b", "a", 5, "b"},
		{"c%", "", 5, "c%2F"},
		{"c/", "", 5, ""},
		{"gr", "", 5, "größe"},
		{"z+ ", "", 5, "z+ &x"},
		{"x", "", 5, ""},
	} {
		if got := keysOf(t, open(), tt.prefix, tt.after, tt.max); got != tt.want {
			t.Errorf("List(%q, %q, %d) = %q, want %q", tt.prefix, tt.after, tt.max, got, tt.want)
		}
	}
}

func bucketLongList(t *testing.T, open func() subnet.Bucket, _ BucketKind) {
	const n = 1050 // more than a page of S3's
	b := open()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < n; i += 8 {
				key := fmt.Sprintf("k-%05d", i)
				if _, err := b.Put(t.Context(), key, NewFile(key, []byte("x")), false); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, max := range []int{999, 1000, 1001, n, 5000} {
		list, err := b.List(t.Context(), "k-", "", max)
		if err != nil || len(list) != min(max, n) {
			t.Fatalf("List of at most %d = %d objects, %v", max, len(list), err)
		}
		for i, o := range list {
			if o.Key != fmt.Sprintf("k-%05d", i) {
				t.Fatalf("List of at most %d: object %d is %s", max, i, o.Key)
			}
		}
	}
	var keys []string
	for i := range n {
		keys = append(keys, fmt.Sprintf("k-%05d", i))
	}
	if err := b.Remove(t.Context(), keys...); err != nil {
		t.Fatal(err)
	}
	if got := keysOf(t, b, "", "", 10); got != "" {
		t.Errorf("after all were removed there are %s", got)
	}
}

func bucketRemove(t *testing.T, open func() subnet.Bucket, _ BucketKind) {
	b := open()
	for _, key := range []string{"a", "b", "c/d", "e"} {
		put(t, b, key, []byte(key))
	}
	if err := b.Remove(t.Context()); err != nil {
		t.Errorf("Remove of nothing: %v", err)
	}
	if err := b.Remove(t.Context(), "nothing"); err != nil {
		t.Errorf("Remove of what is not there: %v", err)
	}
	if err := b.Remove(t.Context(), "a", "nothing", "c/d"); err != nil {
		t.Error(err)
	}
	if err := open().Remove(t.Context(), "e"); err != nil {
		t.Error(err)
	}
	if got := keysOf(t, open(), "", "", 10); got != "b" {
		t.Errorf("left are %q, want b", got)
	}
	if _, err := b.Put(t.Context(), "a", NewFile("a", []byte("new")), true); err != nil {
		t.Errorf("Put once of what was removed: %v", err)
	}
	wantObject(t, open(), "a", []byte("new"))
}

func bucketClock(t *testing.T, open func() subnet.Bucket, _ BucketKind) {
	b := open()
	before, err := b.Clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o := put(t, b, "a", []byte("a"))
	after, err := b.Clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The clock ticks in seconds, and a store may round either way.
	if o.Modified.Before(before.Add(-time.Second)) || o.Modified.After(after.Add(time.Second)) {
		t.Errorf("uploaded between %v and %v, and modified at %v", before, after, o.Modified)
	}
	if o.Modified.Nanosecond() != 0 || o.Modified.Location() != time.UTC {
		t.Errorf("Modified is %v, want whole seconds of UTC", o.Modified)
	}
}

func bucketKeys(t *testing.T, open func() subnet.Bucket, _ BucketKind) {
	b := open()
	put(t, b, "a", []byte("a"))
	for _, key := range []string{"", ".", "..", "../a", "x/../a", "/a", "x//a", "a/", `x\a`, "a\x00", "a\n", "\xff", strings.Repeat("x", 1025)} {
		if _, err := b.Put(t.Context(), key, NewFile("x", []byte("x")), false); err == nil {
			t.Errorf("Put(%q) succeeded", key)
		}
		var d Draft
		if err := b.Get(t.Context(), subnet.Object{Key: key}, &d, noLimit); err == nil {
			t.Errorf("Get(%q) succeeded", key)
		}
		if _, err := b.Stat(t.Context(), key); err == nil {
			t.Errorf("Stat(%q) succeeded", key)
		}
		if err := b.Remove(t.Context(), key); err == nil {
			t.Errorf("Remove(%q) succeeded", key)
		}
	}
	if got := keysOf(t, b, "", "", 10); got != "a" {
		t.Errorf("there are %q, want a", got)
	}
}

func bucketCancel(t *testing.T, open func() subnet.Bucket, _ BucketKind) {
	data := Noise(1, 3<<20)
	b := open()
	o := put(t, b, "m.pt", data)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := Draft{OnWrite: cancel}
	if err := b.Get(ctx, o, &d, noLimit); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Get error = %v, want context.Canceled", err)
	}
	have := int(d.Size())
	if have == 0 || have == len(data) {
		t.Fatalf("cancelled Get left %d of %d bytes", have, len(data))
	}
	d.OnWrite = nil
	if err := b.Get(t.Context(), o, &d, noLimit); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(d.Bytes(), data) || d.Written() != len(data) {
		t.Errorf("after both parts: %s, %d bytes written for %d", show(d.Bytes()), d.Written(), len(data))
	}
}

func bucketCancelledBefore(t *testing.T, open func() subnet.Bucket, kind BucketKind) {
	b := open()
	put(t, b, "a", []byte("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var d Draft
	for what, err := range map[string]error{
		"Get":    b.Get(ctx, subnet.Object{Key: "a"}, &d, noLimit),
		"Remove": b.Remove(ctx, "a"),
		"Put": func() error {
			_, err := b.Put(ctx, "b", NewFile("b", Noise(1, 5000)), false)
			return err
		}(),
		"Put of much": func() error {
			_, err := b.Put(ctx, "c", NewFile("c", Noise(1, 3*kind.Large)), true)
			return err
		}(),
		"Stat":  func() error { _, err := b.Stat(ctx, "a"); return err }(),
		"List":  func() error { _, err := b.List(ctx, "", "", 1); return err }(),
		"Clock": func() error { _, err := b.Clock(ctx); return err }(),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s error = %v, want context.Canceled", what, err)
		}
	}
	if got := keysOf(t, b, "", "", 10); got != "a" {
		t.Errorf("there are %q, want a", got)
	}
}
