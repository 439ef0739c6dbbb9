package journal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"adit/internal/subnet"
)

// A Mem is a directory and a journal in memory, for simulations. It behaves as
// [Dir] and [File] do, crashes included. It is safe for concurrent use.
type Mem struct {
	// Fault, if set before use, is asked before each operation that could fail
	// for want of disk: "create", "resume", "write", "commit", "rename",
	// "link", "intend" or "done" of a file name or a key. Its error becomes that of
	// the operation, which then changes nothing. It must not use the Mem.
	Fault func(op, name string) error

	mu   sync.Mutex
	root *folder
	all  entries
}

var (
	_ subnet.Dir     = (*Mem)(nil)
	_ subnet.Journal = (*Mem)(nil)
)

// NewMem returns an empty directory with an empty journal.
func NewMem() *Mem { return &Mem{root: newFolder(), all: entries{}} }

// A folder is one directory of the tree. A name is either a folder or a file,
// and may have a draft besides.
type folder struct {
	folders map[string]*folder
	files   map[string][]byte // never changed once here
	drafts  map[string]*memDraft
}

func newFolder() *folder {
	return &folder{map[string]*folder{}, map[string][]byte{}, map[string]*memDraft{}}
}

// walk returns the folder that holds name, and name's last element. The folder
// is nil if there is none; make makes it.
func (m *Mem) walk(name string, make bool) (*folder, string, error) {
	at := m.root
	for {
		element, rest, deeper := strings.Cut(name, "/")
		if !deeper {
			return at, name, nil
		}
		next := at.folders[element]
		if next == nil {
			if !make {
				return nil, "", nil
			}
			if _, taken := at.files[element]; taken {
				return nil, "", fmt.Errorf("%q is not a directory", element)
			}
			next = newFolder()
			at.folders[element] = next
		}
		at, name = next, rest
	}
}

func (m *Mem) fault(op, name string) error {
	if m.Fault == nil {
		return nil
	}
	return m.Fault(op, name)
}

// Open opens a finished file for reading.
func (m *Mem) Open(name string) (subnet.File, error) {
	if err := checkName(name); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at, base, _ := m.walk(name, false)
	if at == nil {
		return nil, fmt.Errorf("open %q: %w", name, subnet.ErrNotFound)
	}
	if at.folders[base] != nil {
		return nil, fmt.Errorf("open %q: is a directory", name)
	}
	data, ok := at.files[base]
	if !ok {
		return nil, fmt.Errorf("open %q: %w", name, subnet.ErrNotFound)
	}
	return memFile{bytes.NewReader(data), name}, nil
}

// List returns the entries under dir; "" is the root.
func (m *Mem) List(dir string) ([]string, error) {
	if err := checkDir(dir); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.root
	if dir != "" && dir != "." {
		holds, base, _ := m.walk(dir, false)
		if holds == nil || holds.folders[base] == nil {
			return nil, nil
		}
		at = holds.folders[base]
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(at.folders)), maps.Keys(at.files))
	slices.Sort(names)
	return names, nil
}

// Rename moves a file or a directory, replacing what stands there.
func (m *Mem) Rename(from, to string) error {
	if err := errors.Join(checkName(from), checkName(to)); err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	if from == to || strings.HasPrefix(to, from+"/") || strings.HasPrefix(from, to+"/") {
		return fmt.Errorf("rename %q to %q: one lies in the other", from, to)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.rename(from, to); err != nil {
		return fmt.Errorf("rename %q to %q: %w", from, to, err)
	}
	return nil
}

func (m *Mem) rename(from, to string) error {
	if err := m.fault("rename", from); err != nil {
		return err
	}
	source, was, _ := m.walk(from, false)
	if source == nil {
		return subnet.ErrNotFound
	}
	sub, data := source.folders[was], source.files[was]
	if _, isFile := source.files[was]; sub == nil && !isFile {
		return subnet.ErrNotFound
	}
	target, base, err := m.walk(to, true)
	if err != nil {
		return err
	}
	delete(source.folders, was)
	delete(source.files, was)
	delete(target.folders, base)
	delete(target.files, base)
	if sub != nil {
		target.folders[base] = sub
	} else {
		target.files[base] = data
	}
	return nil
}

// Remove removes a file, or a directory with all it holds, and the draft that
// was left of it.
func (m *Mem) Remove(name string) error {
	if err := checkName(name); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at, base, _ := m.walk(name, false)
	if at == nil {
		return nil
	}
	delete(at.folders, base)
	delete(at.files, base)
	if d := at.drafts[base]; d != nil && d.open == nil {
		delete(at.drafts, base)
	}
	return nil
}

// Intend records payload under key before the act, or returns what stands.
func (m *Mem) Intend(key, payload string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.all[key]; a.intended {
		return a.payload, nil
	}
	if err := m.record("intend", record{opIntend, key, payload}); err != nil {
		return "", err
	}
	return payload, nil
}

// Done records the result of an act. Done again, the last result stands.
func (m *Mem) Done(key, result string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.record("done", record{opDone, key, result})
}

func (m *Mem) record(op string, r record) error {
	err := r.check()
	if err == nil {
		err = m.fault(op, r.Key)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", op, r.Key, err)
	}
	m.all.apply(r)
	return nil
}

// Result returns the result recorded by Done, or false.
func (m *Mem) Result(key string) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.all[key]
	return a.result, a.done
}

// Crash does what the death of the process, and with rng a power cut, does:
// drafts being written stop where they are, or lose some of their last bytes;
// what was committed or journalled stays. Whoever held a draft before the crash
// can no longer write it.
func (m *Mem) Crash(rng *rand.Rand) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.root.crash(rng)
}

func (f *folder) crash(rng *rand.Rand) {
	for _, name := range slices.Sorted(maps.Keys(f.drafts)) {
		d := f.drafts[name]
		if d.open != nil && rng != nil {
			d.data = d.data[:rng.IntN(len(d.data)+1)]
		}
		d.open = nil
	}
	for _, name := range slices.Sorted(maps.Keys(f.folders)) {
		f.folders[name].crash(rng)
	}
}

type memFile struct {
	*bytes.Reader
	name string
}

func (f memFile) Name() string { return f.name }
func (f memFile) Size() int64  { return f.Reader.Size() }
func (f memFile) Close() error { return nil }
