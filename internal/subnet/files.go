package subnet

import (
	"context"
	"errors"
	"io"
)

// ErrNotFound is wrapped by every error that means "there is no such thing":
// a missing file, object, repository or revision.
var ErrNotFound = errors.New("not found")

// ErrTemporary is wrapped by errors of a service that may well work a moment
// later. Whether to retry is decided by this property and nowhere else.
var ErrTemporary = errors.New("temporary failure")

// A Store is one place where neurons leave files for one another: a Hub
// repository, a bucket, a directory.
type Store interface {
	// Stage uploads f as the file path of the next Publish. Until then the
	// bytes are at the store, but nobody can find them. If f has a method
	// SHA256() string, which returns the digest of its bytes in hexadecimal,
	// a store need not read them all to learn it.
	Stage(ctx context.Context, path string, f File) error
	// Publish makes what was staged visible at once, and returns the revision
	// that names this state of the store.
	Publish(ctx context.Context, message string) (revision string, err error)
	// Get downloads a file into dst, which may already hold the beginning of
	// it. It checks the bytes against the store's own digest and fails if
	// there are more than limit. It does not commit dst.
	Get(ctx context.Context, revision, path string, dst Draft, limit int64) error
}

// A File is a finished file.
type File interface {
	io.ReaderAt
	io.Closer
	Name() string
	Size() int64
}

// A Draft is a file that nobody sees until it is committed.
type Draft interface {
	io.Writer
	// ReadAt reads back what has been written.
	io.ReaderAt
	// Size returns how many bytes the draft holds.
	Size() int64
	// Truncate cuts the draft down to size bytes.
	Truncate(size int64) error
	// Commit syncs the draft and puts it in its place.
	Commit() error
	// Close leaves the draft for a later Resume. It does nothing after Commit.
	Close() error
}

// Dir is a neuron's own directory. Names are slash-separated and relative.
// Files appear whole or not at all.
type Dir interface {
	// Open wraps ErrNotFound if there is no such file.
	Open(name string) (File, error)
	// Create starts a draft of name from nothing.
	Create(name string) (Draft, error)
	// Resume continues the draft of name that a cut connection or a crash left
	// behind, or starts one.
	Resume(name string) (Draft, error)
	// List returns the names of the entries directly under dir, sorted, with
	// drafts left out; none if there is no such directory.
	List(dir string) ([]string, error)
	// Rename moves a file or a directory, replacing what stands there.
	Rename(from, to string) error
	// Link gives a file a second name, under which it stays when the first one
	// is gone; what has that name is replaced. The bytes are shared where the
	// system can, and copied where it cannot.
	Link(from, to string) error
	// Remove removes a file or a directory with all it holds; it is no error
	// if there is none.
	Remove(name string) error
}

// Journal is a neuron's memory of what it was about to do: it outlives a kill
// at any instruction. Keys name an act, such as "cycle/12/commit1".
type Journal interface {
	// Intend records payload under key, synced to disk before it returns.
	// The first payload stands: if key was intended before, what was intended
	// then is returned, for the caller to act on, so that a repeated act
	// is the same act.
	Intend(key, payload string) (standing string, err error)
	// Done records that the act of key was carried out, with its result.
	Done(key, result string) error
	// Result returns the result recorded by Done, or false.
	Result(key string) (string, bool)
}
