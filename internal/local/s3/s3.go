// Package s3 is an object store on one machine. It speaks the S3 API well enough
// for boto3, minio-go and package exchange/s3: objects with versions, uploads in
// parts, conditional uploads, ranges, lists, and the errors a client tells apart.
//
// Requests are parsed and answers are written by rclone/gofakes3. What it lacks is
// in front of it, in gate.go: who may do what, conditions, and the check
// of what was signed; and behind it, in disk.go: objects as plain files.
//
// A store is a directory:
//
//	<bucket>/data/<name>.<version>   the bytes of an object
//	<bucket>/meta/<name>.json        which version it is, and all else about it
//	tmp/                             uploads in progress
//
// Both are written aside, synced and renamed, the bytes first. So a kill at any
// instruction leaves either the old object or the new one. Uploads in parts begin
// again after a restart. One process at a time may use the directory.
package s3

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rclone/gofakes3"

	"adit/internal/subnet"
)

// Options is how a store behaves. The zero value is a store without buckets.
type Options struct {
	Buckets []Bucket
	// MaxObject is the size of the largest object, in bytes; 0 for 64 GiB.
	MaxObject int64
	// MinPart is the size of the smallest part of an upload but the last, in bytes;
	// 0 for S3's 5 MiB.
	MinPart int64
	// Unsynced leaves it to the system when bytes reach the disk. A kill loses nothing
	// then either, but a power cut may.
	Unsynced bool
	// Now is the store's clock; nil for [time.Now].
	Now func() time.Time
	// Emit is told of each upload and of each fault of the store.
	Emit func(subnet.Event)
}

// A Bucket is a bucket and who may use it.
type Bucket struct {
	Name string
	// Read may get and list, and Write may put and remove as well. Neurons
	// publish the one and keep the other. A key may open many buckets; one without an
	// access key opens none.
	Read, Write Key
	// Public lets anybody get and list, without a key or with any.
	Public bool
}

// A Key is an access key with its secret.
type Key struct{ Access, Secret string }

// Store is an object store. It is an [http.Handler].
type Store struct {
	dir  string
	opts Options
	s3   http.Handler // gofakes3 with backend behind it

	mu      sync.RWMutex
	buckets map[string]*bucket
	keys    map[string]grant // by access key

	uploads uploads
}

var _ http.Handler = (*Store)(nil)

// Open opens the store in dir, made if there is none.
func Open(dir string, opts Options) (*Store, error) {
	if opts.MaxObject <= 0 {
		opts.MaxObject = 64 << 30
	}
	if opts.MinPart <= 0 {
		opts.MinPart = 5 << 20
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Emit == nil {
		opts.Emit = func(subnet.Event) {}
	}
	s := &Store{dir: dir, opts: opts, buckets: make(map[string]*bucket), keys: make(map[string]grant)}
	s.uploads.all = make(map[gofakes3.UploadID]*upload)
	tmp := filepath.Join(dir, "tmp")
	if err := os.RemoveAll(tmp); err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	for _, b := range opts.Buckets {
		if err := s.Add(b); err != nil {
			return nil, err
		}
	}
	s.s3 = gofakes3.New(backend{s}, gofakes3.WithTimeSkewLimit(0), gofakes3.WithTimeSource(gofakes3.FixedTimeSource(time.Time{}))).Server()
	return s, nil
}

// minAccess is how long an access key must be: clients and servers of S3 take
// shorter ones for a mistake.
const minAccess = 16

// Add makes a bucket, or takes up one that is there, with all it holds.
func (s *Store) Add(b Bucket) error {
	if err := gofakes3.ValidateBucketName(b.Name); err != nil || b.Name == "tmp" {
		return fmt.Errorf("add bucket: %q cannot be the name of one", b.Name)
	}
	for _, k := range []Key{b.Read, b.Write} {
		if k.Access != "" && (len(k.Access) < minAccess || k.Secret == "" || strings.ContainsAny(k.Access, "/,= ")) {
			return fmt.Errorf("add bucket %s: an access key has at least %d characters and a secret", b.Name, minAccess)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range []Key{b.Read, b.Write} {
		if known, ok := s.keys[k.Access]; ok && known.secret != k.Secret {
			return fmt.Errorf("add bucket %s: the access key %s has another secret already", b.Name, k.Access)
		}
	}
	have := s.buckets[b.Name]
	if have == nil {
		var err error
		if have, err = openBucket(filepath.Join(s.dir, b.Name), !s.opts.Unsynced); err != nil {
			return fmt.Errorf("add bucket %s: %w", b.Name, err)
		}
		s.buckets[b.Name] = have
	}
	have.public = b.Public
	s.grant(b.Read, b.Name, reading)
	s.grant(b.Write, b.Name, writing)
	return nil
}

// bucket returns the bucket of that name, or nil.
func (s *Store) bucket(name string) *bucket {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.buckets[name]
}

// now is the time of the store's clock, of which S3 shows whole seconds.
func (s *Store) now() time.Time { return s.opts.Now().UTC().Truncate(time.Second) }

// fault tells of what is the store's own fault.
func (s *Store) fault(doing string, err error) {
	s.opts.Emit(subnet.Event{Level: slog.LevelError, Kind: "bucket fault", Text: fmt.Sprintf("object store: %s: %v", doing, err)})
}
