package subnet

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// What a bucket refuses, besides [ErrNotFound] and [ErrTemporary].
var (
	// ErrExists is wrapped where something is to be made once and is there already.
	ErrExists = errors.New("already exists")
	// ErrDenied is wrapped where the keys are wrong, or do not suffice.
	ErrDenied = errors.New("access denied")
	// ErrChanged is wrapped where an object is no longer the one that was asked
	// for: somebody has overwritten it.
	ErrChanged = errors.New("has changed")
)

// A Bucket is a place of named objects that can be overwritten, such as an S3
// bucket. An object appears whole or not at all. Keys are slash-separated,
// relative, and at most 1024 bytes long.
type Bucket interface {
	// Put uploads f as key and returns what the store then says of it. With
	// once it fails with ErrExists if there is such an object already; of many
	// who try at the same time, one succeeds. If f has a method SHA256() string,
	// which returns the digest of its bytes in hexadecimal, a store may rely on it.
	Put(ctx context.Context, key string, f File, once bool) (Object, error)
	// Get downloads the version want.ETag of the object want.Key into dst; or
	// the newest, with an empty ETag. It goes on where dst ends, which must hold
	// the beginning of that version and of no other. It checks the bytes as well
	// as what the store says allows, fails with ErrChanged if the object is or
	// becomes another version, and fails if there are more bytes than limit. It
	// does not commit dst.
	Get(ctx context.Context, want Object, dst Draft, limit int64) error
	// Stat says what is there under key.
	Stat(ctx context.Context, key string) (Object, error)
	// List returns the objects whose keys begin with prefix and are greater than
	// after, sorted by key, at most max of them. Their ETag and Modified are those
	// of Stat.
	List(ctx context.Context, prefix, after string, max int) ([]Object, error)
	// Remove removes objects. It is no error if there is none of a name.
	Remove(ctx context.Context, keys ...string) error
	// Clock returns the time of the store's clock, by which [Object.Modified] is
	// set, to the second.
	Clock(ctx context.Context) (time.Time, error)
}

// An Object is what a bucket says of one version of an object.
type Object struct {
	Key  string
	Size int64
	// ETag names the version, without quotation marks.
	ETag string
	// Modified is when the upload ended, by the store's clock, to the second.
	Modified time.Time
}

// A BucketAddress says where a bucket is and with which keys it is opened.
type BucketAddress struct {
	Endpoint string // URL such as https://s3.example.org; "" for AWS
	Region   string // "" for what the endpoint is likely to want
	Name     string
	// AccessKey and SecretKey are the keys; both "" to ask as a stranger.
	AccessKey, SecretKey string
	// Public says that everybody may read what is put there, where a store lets an
	// object say so. Others must have opened the bucket themselves.
	Public bool
}

// LogValue leaves out the keys.
func (a BucketAddress) LogValue() slog.Value { return slog.StringValue(a.String()) }

// String names the bucket, without the keys.
func (a BucketAddress) String() string {
	if a.Endpoint == "" {
		return "s3://" + a.Name
	}
	return a.Endpoint + "/" + a.Name
}
