package s3

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// A bucket is the objects in a directory, and what is known of them in memory.
type bucket struct {
	dir    string
	synced bool
	public bool // guarded by Store.mu

	mu      sync.RWMutex
	keys    []string // sorted
	objects map[string]*object
}

// An object is one version of one. It is never changed.
type object struct {
	Key      string            `json:"key"`
	File     string            `json:"file"` // in data/
	Size     int64             `json:"size"`
	ETag     string            `json:"etag"`
	Modified time.Time         `json:"modified"`
	Header   map[string]string `json:"header,omitempty"` // given back with it
	Public   bool              `json:"public,omitempty"`
}

func openBucket(dir string, synced bool) (*bucket, error) {
	b := &bucket{dir: dir, synced: synced, objects: make(map[string]*object)}
	for _, sub := range []string{"data", "meta"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	entries, err := os.ReadDir(filepath.Join(dir, "meta"))
	if err != nil {
		return nil, err
	}
	used := make(map[string]bool)
	for _, e := range entries {
		name := filepath.Join(dir, "meta", e.Name())
		if !strings.HasSuffix(name, ".json") {
			if err := os.Remove(name); err != nil { // a kill left it
				return nil, err
			}
			continue
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		o := new(object)
		if err := json.Unmarshal(raw, o); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		b.objects[o.Key] = o
		b.keys = append(b.keys, o.Key)
		used[o.File] = true
	}
	slices.Sort(b.keys)
	return b, b.sweep(used)
}

// sweep removes bytes that belong to no object: of versions that were replaced
// while somebody read them, and of uploads that were killed.
func (b *bucket) sweep(used map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(b.dir, "data"))
	for _, e := range entries {
		if !used[e.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(b.dir, "data", e.Name())))
		}
	}
	return err
}

// fileName is a name for key that every system takes, tells from those of all
// other keys, and lets a person recognise.
func fileName(key string) string {
	var name strings.Builder
	for _, c := range []byte(key) {
		if name.Len() > 100 {
			break
		}
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			name.WriteByte(c)
		case c == '.' && name.Len() > 0:
			name.WriteByte(c)
		default:
			fmt.Fprintf(&name, "%%%02x", c)
		}
	}
	sum := sha256.Sum256([]byte(key))
	return name.String() + "-" + hex.EncodeToString(sum[:8])
}

// get returns the object under key, or nil.
func (b *bucket) get(key string) *object {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.objects[key]
}

func (b *bucket) isPublic(key string) bool {
	o := b.get(key)
	return o != nil && o.Public
}

// open returns the object under key with its bytes, or nil.
func (b *bucket) open(key string) (*object, *os.File, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	o := b.objects[key]
	if o == nil {
		return nil, nil, nil
	}
	f, err := os.Open(filepath.Join(b.dir, "data", o.File))
	return o, f, err
}

// put makes the bytes in the file tmp the object o, if allow lets it, which is
// told of what is there. tmp is moved.
func (b *bucket) put(o *object, tmp string, allow func(there *object) error) error {
	name := fileName(o.Key)
	o.File = name + "." + strings.ToLower(rand.Text()[:8])
	data := filepath.Join(b.dir, "data", o.File)
	if err := os.Rename(tmp, data); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := b.syncDir(filepath.Dir(data)); err != nil {
		return errors.Join(err, os.Remove(data))
	}
	b.mu.Lock()
	there := b.objects[o.Key]
	err := allow(there)
	if err == nil {
		err = b.write(o)
	}
	if err == nil && there == nil {
		at, _ := slices.BinarySearch(b.keys, o.Key)
		b.keys = slices.Insert(b.keys, at, o.Key)
	}
	if err == nil {
		b.objects[o.Key] = o
	}
	b.mu.Unlock()
	if err != nil {
		b.discard(o)
		return err
	}
	if there != nil {
		b.discard(there)
	}
	return nil
}

// discard removes the bytes of a version that nobody will ask for again. On
// Windows who still reads them keeps them from being removed; the next start does
// it then.
func (b *bucket) discard(o *object) { _ = os.Remove(filepath.Join(b.dir, "data", o.File)) }

// write notes what the newest version of an object is. b.mu is held.
func (b *bucket) write(o *object) error {
	raw, err := json.Marshal(o)
	if err != nil {
		return err
	}
	name := filepath.Join(b.dir, "meta", fileName(o.Key)+".json")
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err == nil && b.synced {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return b.syncDir(filepath.Dir(name))
}

// setPublic sets whether anybody may read the object under key, and reports
// whether there is one.
func (b *bucket) setPublic(key string, public bool) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.objects[key]
	if o == nil || o.Public == public {
		return o != nil, nil
	}
	next := *o
	next.Public = public
	if err := b.write(&next); err != nil {
		return true, err
	}
	b.objects[key] = &next
	return true, nil
}

// remove removes the object under key, if there is one.
func (b *bucket) remove(key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.objects[key]
	if o == nil {
		return nil
	}
	meta := filepath.Join(b.dir, "meta", fileName(key)+".json")
	if err := os.Remove(meta); err != nil {
		return err
	}
	if err := b.syncDir(filepath.Dir(meta)); err != nil {
		return err
	}
	delete(b.objects, key)
	if at, ok := slices.BinarySearch(b.keys, key); ok {
		b.keys = slices.Delete(b.keys, at, at+1)
	}
	b.discard(o)
	return nil
}

// after calls yield with the objects whose keys begin with prefix and are
// greater than marker, until it returns false.
func (b *bucket) after(prefix, marker string, yield func(*object) bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	at, there := slices.BinarySearch(b.keys, marker)
	if there {
		at++
	}
	from, _ := slices.BinarySearch(b.keys, prefix)
	for _, key := range b.keys[max(at, from):] {
		if !strings.HasPrefix(key, prefix) || !yield(b.objects[key]) {
			return
		}
	}
}

// receive writes size bytes of r, and no others, into a new file of tmp/, synced,
// and feeds them to sum.
func (s *Store) receive(r io.Reader, size int64, sum io.Writer) (name string, err error) {
	f, err := os.OpenFile(filepath.Join(s.dir, "tmp", rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", err
	}
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(r, size+1))
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && !s.opts.Unsynced {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// syncDir makes the names in a directory outlive a power cut. Windows has no
// such call.
func (b *bucket) syncDir(dir string) error {
	if !b.synced || runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
