package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"adit/internal/exchange/transfer"
	"adit/internal/subnet"
)

// Mem holds stores in memory, by name, for simulations and tests. Its zero
// value is empty and ready. It starts no goroutine and does no I/O, so that it
// works inside testing/synctest. The hooks must be set before its first use.
type Mem struct {
	// Fault is asked before each operation, "stage", "publish" or "get", on
	// "name/path" (for publish, "name"); an error it returns is the outcome.
	// It may sleep, to simulate a slow store.
	Fault func(op, path string) error
	// Corrupt returns what a download of "name/path" sends in place of data:
	// less for a cut connection, something else for a cheat. It must not
	// change data.
	Corrupt func(path string, data []byte) []byte

	mu     sync.Mutex
	stores map[string]*memStore
	blobs  map[digest][]byte
}

type memStore struct {
	head      manifest
	revisions []manifest
}

// Open returns the store of that name, made if there is none, for one writer:
// what is staged through it is published through it.
func (m *Mem) Open(name string) subnet.Store { return &memHandle{mem: m, name: name} }

func (m *Mem) fault(op, path string) error {
	if m.Fault == nil {
		return nil
	}
	return m.Fault(op, path)
}

type memHandle struct {
	mem  *Mem
	name string

	mu     sync.Mutex
	staged stage
}

var _ subnet.Store = (*memHandle)(nil)

func (h *memHandle) Stage(ctx context.Context, path string, f subnet.File) error {
	if err := transfer.CheckPath(path); err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	if err := h.mem.fault("stage", h.name+"/"+path); err != nil {
		return fmt.Errorf("stage %s: %w", path, err)
	}
	sum, err := hashFile(ctx, f)
	if err != nil {
		return fmt.Errorf("stage %s: %w", path, err)
	}
	data := make([]byte, f.Size())
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return fmt.Errorf("stage %s: %w", path, err)
	}
	h.mem.mu.Lock()
	if h.mem.blobs == nil {
		h.mem.blobs = make(map[digest][]byte)
	}
	h.mem.blobs[sum] = data
	h.mem.mu.Unlock()

	h.mu.Lock()
	defer h.mu.Unlock()
	h.staged.put(entry{path, f.Size(), sum})
	return nil
}

var errNothingStaged = errors.New("nothing was staged")

func (h *memHandle) Publish(ctx context.Context, message string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("publish: %w", err)
	}
	if err := h.mem.fault("publish", h.name); err != nil {
		return "", fmt.Errorf("publish: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.staged) == 0 {
		return "", fmt.Errorf("publish: %w", errNothingStaged)
	}
	h.mem.mu.Lock()
	defer h.mem.mu.Unlock()
	s := h.mem.stores[h.name]
	if s == nil {
		if h.mem.stores == nil {
			h.mem.stores = make(map[string]*memStore)
		}
		s = new(memStore)
		h.mem.stores[h.name] = s
	}
	if next, changed := s.head.with(h.staged, message); changed {
		s.head = next
		s.revisions = append(s.revisions, next)
	}
	h.staged = nil
	return s.head.ID, nil
}

func (h *memHandle) Get(ctx context.Context, revision, path string, dst subnet.Draft, limit int64) error {
	if err := transfer.CheckPath(path); err != nil {
		return fmt.Errorf("get: %w", err)
	}
	full := h.name + "/" + path
	if err := h.mem.fault("get", full); err != nil {
		return fmt.Errorf("get %s: %w", path, err)
	}
	e, data, err := h.mem.lookup(h.name, revision, path)
	if err != nil {
		return fmt.Errorf("get %s: %w", path, err)
	}
	src := source{path: path, size: e.Size, digest: e.SHA256}
	src.open = func(_ context.Context, off int64) (io.ReadCloser, int64, error) {
		sent := data
		if h.mem.Corrupt != nil {
			sent = h.mem.Corrupt(full, data)
		}
		return io.NopCloser(bytes.NewReader(sent[min(off, int64(len(sent))):])), off, nil
	}
	// One attempt: what a temporary failure means is the simulation's subject.
	return fetch(ctx, src, dst, limit, transfer.Policy{Attempts: 1})
}

// lookup returns the file at path in a revision of the store called name.
func (m *Mem) lookup(name, revision, path string) (entry, []byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stores[name]
	if s == nil {
		return entry{}, nil, fmt.Errorf("store %q: %w", name, subnet.ErrNotFound)
	}
	at := s.head
	if revision != "" {
		ids := make([]string, len(s.revisions))
		for i, r := range s.revisions {
			ids[i] = r.ID
		}
		id, err := expand(revision, ids)
		if err != nil {
			return entry{}, nil, err
		}
		for _, r := range s.revisions {
			if r.ID == id {
				at = r
			}
		}
	}
	e, ok := at.find(path)
	if !ok {
		return entry{}, nil, fmt.Errorf("revision %s: %w", at.ID, subnet.ErrNotFound)
	}
	return e, m.blobs[e.SHA256], nil
}
