package exchange

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"adit/internal/exchange/transfer"
	"adit/internal/subnet"
)

// dir is a store in a directory, which several processes may share, as long as
// its file system has hard links.
//
//	blobs/<sha256>       the bytes of files
//	revisions/<id>.json  the manifest of a revision
//	log/<number>         the id of the number-th revision
//
// A revision is published by the entry in log: it appears by a hard link, which
// only one of several writers can make. Everything it refers to was synced
// before.
type dir struct {
	root string

	mu     sync.Mutex
	staged stage
}

var _ subnet.Store = (*dir)(nil)

func openDir(root string) (subnet.Store, error) {
	return &dir{root: filepath.Clean(root)}, nil
}

func (d *dir) Stage(ctx context.Context, path string, f subnet.File) error {
	if err := transfer.CheckPath(path); err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	sum, err := sumOf(ctx, f)
	if err != nil {
		return fmt.Errorf("stage %s: %w", path, err)
	}
	e := entry{path, f.Size(), sum}
	if err := d.keep(ctx, f, e); err != nil {
		return fmt.Errorf("stage %s: %w", path, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.staged.put(e)
	return nil
}

// keep makes sure that the blob of e exists, whole.
func (d *dir) keep(ctx context.Context, f subnet.File, e entry) error {
	blob := d.blob(e.SHA256)
	if info, err := os.Stat(blob); err == nil && info.Size() == e.Size {
		return nil
	}
	return d.create(blob, os.Rename, func(w io.Writer) error {
		// Hashed once more: the file must not change under our hands.
		h := e.SHA256.start(e.Size)
		if err := transfer.CopyRange(ctx, io.MultiWriter(h, w), f, 0, e.Size); err != nil {
			return err
		}
		if fmt.Sprintf("%x", h.Sum(nil)) != string(e.SHA256) {
			return errors.New("the file was changed while it was copied")
		}
		return nil
	})
}

func (d *dir) blob(sum digest) string { return filepath.Join(d.root, "blobs", string(sum)) }

// create writes a file under a temporary name, syncs it, and puts it in its
// place with put, which is os.Rename or os.Link.
func (d *dir) create(name string, put func(from, to string) error, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(name), ".tmp-"+rand.Text())
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := put(tmp, name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// syncDir makes the names in a directory outlive a power cut. Windows has no
// such call; there the file system's journal must do.
func syncDir(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *dir) Publish(ctx context.Context, message string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.staged) == 0 {
		return "", fmt.Errorf("publish: %w", errNothingStaged)
	}
	for {
		if err := ctx.Err(); err != nil {
			return "", fmt.Errorf("publish: %w", err)
		}
		id, err := d.append(message)
		if errors.Is(err, fs.ErrExist) {
			continue // another writer was first: publish on top of that
		}
		if err != nil {
			return "", fmt.Errorf("publish: %w", err)
		}
		d.staged = nil
		return id, nil
	}
}

// append publishes what is staged after the newest revision. The error wraps
// fs.ErrExist if that is not the newest any more.
func (d *dir) append(message string) (string, error) {
	number, head, err := d.head()
	if err != nil {
		return "", err
	}
	next, changed := head.with(d.staged, message)
	if !changed {
		return head.ID, nil
	}
	raw, err := json.Marshal(next)
	if err != nil {
		return "", err
	}
	if err := d.create(d.manifest(next.ID), os.Rename, writing(raw)); err != nil {
		return "", err
	}
	err = d.create(filepath.Join(d.root, "log", fmt.Sprintf("%012d", number+1)), os.Link, writing([]byte(next.ID)))
	return next.ID, err
}

func writing(b []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(b); return err }
}

func (d *dir) manifest(id string) string { return filepath.Join(d.root, "revisions", id+".json") }

// head returns the newest revision and its number, or zeros.
func (d *dir) head() (number int, m manifest, err error) {
	entries, err := os.ReadDir(filepath.Join(d.root, "log"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, manifest{}, err
	}
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			number = max(number, n)
		}
	}
	if number == 0 {
		return 0, manifest{}, nil
	}
	id, err := readCapped(filepath.Join(d.root, "log", fmt.Sprintf("%012d", number)), 64)
	if err != nil {
		return 0, manifest{}, err
	}
	if checkRevision(string(id)) != nil {
		return 0, manifest{}, fmt.Errorf("the entry of revision %d in %s is damaged", number, d.root)
	}
	m, err = d.read(string(id))
	return number, m, err
}

// maxManifest holds a hundred thousand files.
const maxManifest = 32 << 20

func (d *dir) read(id string) (manifest, error) {
	raw, err := readCapped(d.manifest(id), maxManifest)
	if err != nil {
		return manifest{}, err
	}
	m, err := parseManifest(raw)
	if err != nil {
		return manifest{}, fmt.Errorf("manifest %s: %w", id, err)
	}
	return m, nil
}

func readCapped(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return raw, err
}

// resolve returns the manifest of a revision; "" is the newest.
func (d *dir) resolve(revision string) (manifest, error) {
	if revision == "" {
		_, m, err := d.head()
		return m, err
	}
	entries, err := os.ReadDir(filepath.Join(d.root, "revisions"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return manifest{}, err
	}
	var ids []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ".json"); ok && !strings.HasPrefix(id, ".") {
			ids = append(ids, id)
		}
	}
	id, err := expand(revision, ids)
	if err != nil {
		return manifest{}, err
	}
	return d.read(id)
}

func (d *dir) Get(ctx context.Context, revision, path string, dst subnet.Draft, limit int64) error {
	if err := transfer.CheckPath(path); err != nil {
		return fmt.Errorf("get: %w", err)
	}
	m, err := d.resolve(revision)
	if err != nil {
		return fmt.Errorf("get %s: %w", path, err)
	}
	e, ok := m.find(path)
	if !ok {
		return fmt.Errorf("get %s of revision %q: %w", path, m.ID, subnet.ErrNotFound)
	}
	src := source{path: path, size: e.Size, digest: e.SHA256}
	src.open = func(_ context.Context, off int64) (io.ReadCloser, int64, error) {
		f, err := os.Open(d.blob(e.SHA256))
		if err != nil {
			return nil, 0, fmt.Errorf("get %s: %w", path, err)
		}
		if _, err := f.Seek(off, io.SeekStart); err != nil {
			return nil, 0, errors.Join(fmt.Errorf("get %s: %w", path, err), f.Close())
		}
		return f, off, nil
	}
	return fetch(ctx, src, dst, limit, transfer.Policy{Attempts: 1})
}
