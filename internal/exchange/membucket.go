package exchange

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"adit/internal/exchange/transfer"
	"adit/internal/subnet"
)

// MemBuckets holds buckets in memory, by endpoint and name, for simulations and
// tests. Its zero value is empty and ready. It starts no goroutine and does no
// I/O, so that it works inside testing/synctest. The hooks must be set before
// its first use.
type MemBuckets struct {
	// Now is the clock of the stores; nil for [time.Now].
	Now func() time.Time
	// Fault is asked before each operation, "put", "get", "stat", "list", "remove"
	// or "clock", on a key, or for list on a prefix; an error it returns is the
	// outcome. It may sleep, to simulate a slow store. It sees with which keys
	// somebody comes, and may return [subnet.ErrDenied].
	Fault func(op string, at subnet.BucketAddress, key string) error
	// Corrupt returns what a download sends in place of data: less for a cut
	// connection, something else for a cheat. It must not change data.
	Corrupt func(at subnet.BucketAddress, key string, data []byte) []byte

	mu      sync.Mutex
	buckets map[bucketName]*memBucket
}

type bucketName struct{ endpoint, name string }

type memBucket struct {
	keys    []string // sorted
	objects map[string]memObject
}

type memObject struct {
	subnet.Object
	data []byte // never changed
}

// Open returns the bucket at an address, made if there is none.
func (m *MemBuckets) Open(addr subnet.BucketAddress) subnet.Bucket {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := bucketName{addr.Endpoint, addr.Name}
	if m.buckets[name] == nil {
		if m.buckets == nil {
			m.buckets = make(map[bucketName]*memBucket)
		}
		m.buckets[name] = &memBucket{objects: make(map[string]memObject)}
	}
	return &memBucketHandle{m, addr, m.buckets[name]}
}

type memBucketHandle struct {
	mem    *MemBuckets
	addr   subnet.BucketAddress
	bucket *memBucket // guarded by mem.mu
}

var _ subnet.Bucket = (*memBucketHandle)(nil)

// enter is the beginning of every operation.
func (h *memBucketHandle) enter(ctx context.Context, op, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if op != "list" && op != "clock" {
		if err := transfer.CheckPath(key); err != nil {
			return err
		}
	}
	if h.mem.Fault != nil {
		return h.mem.Fault(op, h.addr, key)
	}
	return nil
}

func (h *memBucketHandle) now() time.Time {
	if h.mem.Now != nil {
		return h.mem.Now().UTC().Truncate(time.Second)
	}
	return time.Now().UTC().Truncate(time.Second)
}

func (h *memBucketHandle) Put(ctx context.Context, key string, f subnet.File, once bool) (subnet.Object, error) {
	if err := h.enter(ctx, "put", key); err != nil {
		return subnet.Object{}, fmt.Errorf("put %s: %w", key, err)
	}
	var data bytes.Buffer
	if err := transfer.CopyRange(ctx, &data, f, 0, f.Size()); err != nil {
		return subnet.Object{}, fmt.Errorf("put %s: %w", key, err)
	}
	sum := md5.Sum(data.Bytes())
	o := memObject{subnet.Object{Key: key, Size: f.Size(), ETag: hex.EncodeToString(sum[:]), Modified: h.now()}, data.Bytes()}
	h.mem.mu.Lock()
	defer h.mem.mu.Unlock()
	at, there := slices.BinarySearch(h.bucket.keys, key)
	if there && once {
		return subnet.Object{}, fmt.Errorf("put %s: %w", key, subnet.ErrExists)
	}
	if !there {
		h.bucket.keys = slices.Insert(h.bucket.keys, at, key)
	}
	h.bucket.objects[key] = o
	return o.Object, nil
}

func (h *memBucketHandle) Get(ctx context.Context, want subnet.Object, dst subnet.Draft, limit int64) error {
	if err := h.enter(ctx, "get", want.Key); err != nil {
		return fmt.Errorf("get %s: %w", want.Key, err)
	}
	o, err := h.version(want.Key, want.ETag)
	if err != nil {
		return fmt.Errorf("get %s: %w", want.Key, err)
	}
	src := transfer.Source{Path: o.Key, Size: o.Size, Sum: o.ETag, Hash: md5.New}
	src.Open = func(_ context.Context, off int64) (io.ReadCloser, int64, error) {
		now, err := h.version(o.Key, o.ETag)
		if err != nil {
			return nil, 0, err
		}
		sent := now.data
		if h.mem.Corrupt != nil {
			sent = h.mem.Corrupt(h.addr, o.Key, sent)
		}
		return io.NopCloser(bytes.NewReader(sent[min(off, int64(len(sent))):])), off, nil
	}
	// One attempt: what a temporary failure means is the simulation's subject.
	if err := transfer.Fetch(ctx, src, dst, limit, transfer.Policy{Attempts: 1}); err != nil {
		return fmt.Errorf("get %s: %w", want.Key, err)
	}
	return nil
}

// version returns the object under key if it is of that ETag, or any with "".
func (h *memBucketHandle) version(key, etag string) (memObject, error) {
	h.mem.mu.Lock()
	defer h.mem.mu.Unlock()
	o, ok := h.bucket.objects[key]
	if !ok {
		return o, subnet.ErrNotFound
	}
	if etag != "" && o.ETag != etag {
		return o, fmt.Errorf("it %w: it is version %s now, not %s", subnet.ErrChanged, o.ETag, etag)
	}
	return o, nil
}

func (h *memBucketHandle) Stat(ctx context.Context, key string) (subnet.Object, error) {
	err := h.enter(ctx, "stat", key)
	var o memObject
	if err == nil {
		o, err = h.version(key, "")
	}
	if err != nil {
		return subnet.Object{}, fmt.Errorf("look up %s: %w", key, err)
	}
	return o.Object, nil
}

func (h *memBucketHandle) List(ctx context.Context, prefix, after string, most int) ([]subnet.Object, error) {
	if err := h.enter(ctx, "list", prefix); err != nil {
		return nil, fmt.Errorf("list %q: %w", prefix, err)
	}
	h.mem.mu.Lock()
	defer h.mem.mu.Unlock()
	keys := h.bucket.keys
	at, there := slices.BinarySearch(keys, after)
	if there {
		at++
	}
	from, _ := slices.BinarySearch(keys, prefix)
	var all []subnet.Object
	for _, key := range keys[max(at, from):] {
		if len(all) >= most || !strings.HasPrefix(key, prefix) {
			break
		}
		all = append(all, h.bucket.objects[key].Object)
	}
	return all, nil
}

func (h *memBucketHandle) Remove(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := h.enter(ctx, "remove", key); err != nil {
			return fmt.Errorf("remove %s: %w", key, err)
		}
	}
	h.mem.mu.Lock()
	defer h.mem.mu.Unlock()
	for _, key := range keys {
		if at, there := slices.BinarySearch(h.bucket.keys, key); there {
			h.bucket.keys = slices.Delete(h.bucket.keys, at, at+1)
			delete(h.bucket.objects, key)
		}
	}
	return nil
}

func (h *memBucketHandle) Clock(ctx context.Context) (time.Time, error) {
	if err := h.enter(ctx, "clock", ""); err != nil {
		return time.Time{}, fmt.Errorf("ask for the time: %w", err)
	}
	return h.now(), nil
}
