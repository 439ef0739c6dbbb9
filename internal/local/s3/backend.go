package s3

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/rclone/gofakes3"

	"adit/internal/subnet"
)

// backend carries out what gofakes3 has understood.
type backend struct{ s *Store }

var (
	_ gofakes3.Backend          = backend{}
	_ gofakes3.MultipartBackend = backend{}
)

// ListBuckets lists those that the key opens.
func (k backend) ListBuckets(ctx context.Context) ([]gofakes3.BucketInfo, error) {
	var all []gofakes3.BucketInfo
	for name := range of(ctx).who.buckets {
		all = append(all, gofakes3.BucketInfo{Name: name, CreationDate: gofakes3.NewContentTime(k.s.now())})
	}
	slices.SortFunc(all, func(a, b gofakes3.BucketInfo) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// ListBucket lists one page.
func (k backend) ListBucket(_ context.Context, name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	b := k.s.bucket(name)
	if b == nil {
		return nil, gofakes3.BucketNotFound(name)
	}
	list := gofakes3.NewObjectList()
	if page.MaxKeys <= 0 {
		return list, nil
	}
	var last string
	full := func() bool {
		if int64(len(list.Contents)+len(list.CommonPrefixes)) < page.MaxKeys {
			return false
		}
		list.IsTruncated, list.NextMarker = true, last
		return true
	}
	b.after(prefix.Prefix, page.Marker, func(o *object) bool {
		if d := prefix.Delimiter; d != "" {
			rest := o.Key[len(prefix.Prefix):]
			if i := strings.Index(rest, d); i >= 0 {
				common := o.Key[:len(prefix.Prefix)+i+len(d)]
				if common == last || common == page.Marker || strings.HasPrefix(page.Marker, common) {
					return true
				}
				if full() {
					return false
				}
				list.AddPrefix(common)
				last = common
				return true
			}
		}
		if full() {
			return false
		}
		last = o.Key
		list.Add(&gofakes3.Content{
			Key: o.Key, LastModified: gofakes3.NewContentTime(o.Modified), ETag: `"` + o.ETag + `"`,
			Size: o.Size, StorageClass: gofakes3.StorageStandard,
		})
		return true
	})
	return list, nil
}

// CreateBucket is not reached: see Store.admit.
func (k backend) CreateBucket(ctx context.Context, _ string) error { return refuse(ctx, denied) }

// BucketExists implements [gofakes3.Backend].
func (k backend) BucketExists(_ context.Context, name string) (bool, error) {
	return k.s.bucket(name) != nil, nil
}

// DeleteBucket is not reached: see Store.admit.
func (k backend) DeleteBucket(ctx context.Context, _ string) error { return refuse(ctx, denied) }

// GetObject implements [gofakes3.Backend].
func (k backend) GetObject(ctx context.Context, name, key string, asked *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	got, f, err := k.find(ctx, name, key)
	if err != nil {
		return nil, err
	}
	if got.Range, err = asked.Range(got.Size); err != nil {
		f.Close()
		return nil, err
	}
	got.Contents = f
	if r := got.Range; r != nil {
		got.Contents = struct {
			io.Reader
			io.Closer
		}{io.NewSectionReader(f, r.Start, r.Length), f}
	}
	return got, nil
}

// HeadObject implements [gofakes3.Backend].
func (k backend) HeadObject(ctx context.Context, name, key string) (*gofakes3.Object, error) {
	got, f, err := k.find(ctx, name, key)
	if err != nil {
		return nil, err
	}
	got.Contents = http.NoBody
	return got, f.Close()
}

// find opens an object, if it is the version that is asked for.
func (k backend) find(ctx context.Context, name, key string) (*gofakes3.Object, *os.File, error) {
	b := k.s.bucket(name)
	if b == nil {
		return nil, nil, gofakes3.BucketNotFound(name)
	}
	o, f, err := b.open(key)
	if err != nil {
		k.s.fault("open "+key, err)
		return nil, nil, err
	}
	if o == nil {
		return nil, nil, gofakes3.KeyNotFound(key)
	}
	req := of(ctx)
	if req.ifMatch != "" && req.ifMatch != "*" && req.ifMatch != o.ETag {
		f.Close()
		return nil, nil, refuse(ctx, precondition)
	}
	req.etag = o.ETag
	header := map[string]string{"Last-Modified": o.Modified.UTC().Format(http.TimeFormat)}
	for name, value := range o.Header {
		header[name] = value
	}
	hash, _, _ := strings.Cut(o.ETag, "-")
	sum, err := hex.DecodeString(hash)
	if err != nil {
		sum = nil // the gate gives the ETag
	}
	return &gofakes3.Object{Name: key, Metadata: header, Size: o.Size, Hash: sum}, f, nil
}

// PutObject implements [gofakes3.Backend].
func (k backend) PutObject(ctx context.Context, name, key string, meta map[string]string, input io.Reader, size int64) (gofakes3.PutObjectResult, error) {
	var none gofakes3.PutObjectResult
	if size > k.s.opts.MaxObject {
		return none, refuse(ctx, tooLarge)
	}
	sum := md5.New()
	tmp, err := k.s.receive(input, size, sum)
	if err != nil {
		return none, k.cut(ctx, "receive "+key, err)
	}
	return none, k.keep(ctx, name, key, tmp, size, hex.EncodeToString(sum.Sum(nil)), meta)
}

// cut says what became of a body that did not arrive whole.
func (k backend) cut(ctx context.Context, doing string, err error) error {
	req := of(ctx)
	var known gofakes3.Error
	switch {
	case req.refused != nil:
		return req.refused
	case errors.As(err, &known): // a Content-MD5 that is wrong
		return known
	case errors.Is(err, io.ErrUnexpectedEOF) || ctx.Err() != nil:
		return gofakes3.ErrIncompleteBody
	}
	k.s.fault(doing, err)
	return err
}

// keep makes what was received an object, under the conditions of the request.
func (k backend) keep(ctx context.Context, name, key, tmp string, size int64, etag string, meta map[string]string) error {
	b := k.s.bucket(name)
	if b == nil {
		k.forget(tmp)
		return gofakes3.BucketNotFound(name)
	}
	req := of(ctx)
	o := &object{Key: key, Size: size, ETag: etag, Header: lasting(meta), Public: req.public || meta["X-Amz-Acl"] == "public-read"}
	err := b.put(o, tmp, func(there *object) error {
		if req.ifNoneMatch == "*" && there != nil ||
			req.ifMatch != "" && (there == nil || req.ifMatch != "*" && req.ifMatch != there.ETag) {
			return refuse(ctx, precondition)
		}
		o.Modified = k.s.now()
		return nil
	})
	if err != nil {
		if req.refused == nil {
			k.s.fault("keep "+key, err)
		}
		return err
	}
	req.etag = etag
	k.s.opts.Emit(subnet.Event{Level: slog.LevelDebug, Kind: "bucket put", Text: fmt.Sprintf("%s/%s: %d bytes", name, key, size)})
	return nil
}

// lasting returns the headers of an upload that are given back with the object.
func lasting(meta map[string]string) map[string]string {
	kept := make(map[string]string)
	for name, value := range meta {
		switch {
		case strings.HasPrefix(name, "X-Amz-Meta-"),
			name == "Content-Type", name == "Content-Disposition", name == "Content-Language", name == "Cache-Control":
			kept[name] = value
		case name == "Content-Encoding":
			// The frames of a chunked upload are gone.
			value = strings.TrimPrefix(strings.TrimPrefix(value, "aws-chunked"), ",")
			if value != "" {
				kept[name] = value
			}
		}
	}
	return kept
}

// DeleteObject implements [gofakes3.Backend].
func (k backend) DeleteObject(_ context.Context, name, key string) (gofakes3.ObjectDeleteResult, error) {
	b := k.s.bucket(name)
	if b == nil {
		return gofakes3.ObjectDeleteResult{}, gofakes3.BucketNotFound(name)
	}
	err := b.remove(key)
	if err != nil {
		k.s.fault("remove "+key, err)
	}
	return gofakes3.ObjectDeleteResult{}, err
}

// DeleteMulti implements [gofakes3.Backend].
func (k backend) DeleteMulti(ctx context.Context, name string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	var result gofakes3.MultiDeleteResult
	for _, key := range keys {
		if _, err := k.DeleteObject(ctx, name, key); err != nil {
			result.Error = append(result.Error, gofakes3.ErrorResult{Key: key, Code: gofakes3.ErrInternal, Message: "Internal Error"})
		} else {
			result.Deleted = append(result.Deleted, gofakes3.ObjectID{Key: key})
		}
	}
	return result, nil
}

// CopyObject is not reached: see Store.admit.
func (k backend) CopyObject(ctx context.Context, _, _, _, _ string, _ map[string]string) (gofakes3.CopyObjectResult, error) {
	return gofakes3.CopyObjectResult{}, refuse(ctx, absent)
}
