package journal

import (
	"fmt"
	"io"

	"adit/internal/subnet"
)

// A memDraft is the bytes of a draft, which outlive whoever writes them.
type memDraft struct {
	data []byte
	open *memHandle // who writes it, or nil
}

// A memHandle is one opening of a draft.
type memHandle struct {
	m    *Mem
	name string
	in   *folder
	base string
	d    *memDraft
}

// Create starts a draft of name from nothing.
func (m *Mem) Create(name string) (subnet.Draft, error) {
	h, err := m.openDraft("create", name)
	if err != nil {
		return nil, err
	}
	return h, h.Truncate(0)
}

// Resume continues the draft of name, or starts one.
func (m *Mem) Resume(name string) (subnet.Draft, error) {
	h, err := m.openDraft("resume", name)
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (m *Mem) openDraft(op, name string) (*memHandle, error) {
	if err := checkName(name); err != nil {
		return nil, fmt.Errorf("%s %w", op, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.fault(op, name)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", op, name, err)
	}
	in, base, err := m.walk(name, true)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", op, name, err)
	}
	d := in.drafts[base]
	if d == nil {
		d = &memDraft{}
		in.drafts[base] = d
	}
	if d.open != nil {
		return nil, fmt.Errorf("%s %q: %w", op, name, errWriting)
	}
	h := &memHandle{m, name, in, base, d}
	d.open = h
	return h, nil
}

// use locks the Mem if the handle is still good.
func (h *memHandle) use(verb string) (unlock func(), err error) {
	h.m.mu.Lock()
	if h.d.open != h {
		h.m.mu.Unlock()
		return nil, fmt.Errorf("%s %q: %w", verb, h.name, errCommitted)
	}
	return h.m.mu.Unlock, nil
}

func (h *memHandle) Write(p []byte) (int, error) {
	unlock, err := h.use("write")
	if err != nil {
		return 0, err
	}
	defer unlock()
	if err := h.m.fault("write", h.name); err != nil {
		return 0, fmt.Errorf("write %q: %w", h.name, err)
	}
	h.d.data = append(h.d.data, p...)
	return len(p), nil
}

func (h *memHandle) ReadAt(p []byte, off int64) (int, error) {
	unlock, err := h.use("read")
	if err != nil {
		return 0, err
	}
	defer unlock()
	if off < 0 {
		return 0, fmt.Errorf("read %q: negative offset", h.name)
	}
	n := copy(p, h.d.data[min(off, int64(len(h.d.data))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *memHandle) Size() int64 {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	return int64(len(h.d.data))
}

func (h *memHandle) Truncate(size int64) error {
	unlock, err := h.use("truncate")
	if err != nil {
		return err
	}
	defer unlock()
	if size < 0 || size > int64(len(h.d.data)) {
		return fmt.Errorf("truncate %q to %d bytes: it has %d", h.name, size, len(h.d.data))
	}
	h.d.data = h.d.data[:size]
	return nil
}

func (h *memHandle) Commit() error {
	unlock, err := h.use("commit")
	if err != nil {
		return err
	}
	defer unlock()
	if err := h.m.fault("commit", h.name); err != nil {
		return fmt.Errorf("commit %q: %w", h.name, err)
	}
	if at, _, _ := h.m.walk(h.name, false); at != h.in {
		return fmt.Errorf("commit %q: its directory is gone", h.name)
	}
	if h.in.folders[h.base] != nil {
		return fmt.Errorf("commit %q: is a directory", h.name)
	}
	h.d.open = nil
	delete(h.in.drafts, h.base)
	h.in.files[h.base] = h.d.data
	return nil
}

func (h *memHandle) Close() error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if h.d.open == h {
		h.d.open = nil
	}
	return nil
}
