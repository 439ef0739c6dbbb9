package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"

	"adit/internal/exchange/transfer"
	"adit/internal/subnet"
)

// Stat implements [subnet.Bucket].
func (b *Bucket) Stat(ctx context.Context, key string) (subnet.Object, error) {
	err := transfer.CheckPath(key)
	var o subnet.Object
	if err == nil {
		o, _, err = b.stat(ctx, key, "")
	}
	if err != nil {
		return subnet.Object{}, fmt.Errorf("look up %s in %s: %w", key, b.addr, err)
	}
	return o, nil
}

// stat asks what is under key, and fails unless it is of that ETag, if any.
func (b *Bucket) stat(ctx context.Context, key, etag string) (o subnet.Object, known checksum, err error) {
	err = b.try(ctx, func(ctx context.Context, c *call) (err error) {
		o, err = b.head(ctx, c, key, minio.StatObjectOptions{})
		known = checksumOf(c.header, o)
		return err
	})
	if err == nil && etag != "" && o.ETag != etag {
		err = fmt.Errorf("it %w: it is version %s now, not %s", subnet.ErrChanged, transfer.Clip(o.ETag), transfer.Clip(etag))
	}
	return o, known, err
}

// head asks once.
func (b *Bucket) head(ctx context.Context, c *call, key string, opts minio.StatObjectOptions) (subnet.Object, error) {
	info, err := b.client.StatObject(ctx, b.addr.Name, key, opts)
	if err != nil {
		return subnet.Object{}, b.reason(ctx, c, key, err)
	}
	modified, err := http.ParseTime(c.header.Get("Last-Modified"))
	if err != nil || info.Size < 0 || info.ETag == "" {
		return subnet.Object{}, &refusal{text: "an object without a size, a version or a date"}
	}
	return subnet.Object{Key: key, Size: info.Size, ETag: info.ETag, Modified: modified}, nil
}

// reason returns why a HEAD was refused. The answer has no room for it, which
// would leave a person to guess what is wrong with the keys; a GET's has.
func (b *Bucket) reason(ctx context.Context, c *call, key string, err error) error {
	switch c.status {
	case http.StatusMovedPermanently, http.StatusBadRequest, http.StatusForbidden:
	default:
		return err
	}
	var opts minio.GetObjectOptions
	if opts.SetRange(0, 0) != nil {
		return err // unreachable: the range is valid
	}
	body, _, _, gerr := b.client.GetObject(ctx, b.addr.Name, key, opts)
	if gerr == nil {
		body.Close()
		return err
	}
	return gerr
}

// Get implements [subnet.Bucket]. It asks for the version, its size and its
// checksum first, then for the bytes of that version alone, and for the rest of them
// as often as the connection breaks.
//
// An object that another program has uploaded in parts may have no checksum. What is
// in dst already is then believed only if want.ETag says of which version it is.
func (b *Bucket) Get(ctx context.Context, want subnet.Object, dst subnet.Draft, limit int64) error {
	if err := b.get(ctx, want, dst, limit); err != nil {
		return fmt.Errorf("get %s from %s: %w", want.Key, b.addr, err)
	}
	return nil
}

func (b *Bucket) get(ctx context.Context, want subnet.Object, dst subnet.Draft, limit int64) error {
	if err := transfer.CheckPath(want.Key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	o, known, err := b.stat(ctx, want.Key, want.ETag)
	if err != nil {
		return err
	}
	if known.hash == nil {
		known = b.askChecksum(ctx, o)
	}
	if known.hash == nil && want.ETag == "" && dst.Size() > 0 && o.Size <= limit {
		if err := dst.Truncate(0); err != nil {
			return err
		}
	}
	return transfer.Fetch(ctx, transfer.Source{
		Path: want.Key, Size: o.Size, Sum: known.sum, Hash: known.hash,
		Open: func(ctx context.Context, off int64) (io.ReadCloser, int64, error) { return b.open(ctx, o, off) },
	}, dst, limit, b.opts.Policy)
}

// open returns the bytes of a version from off on.
func (b *Bucket) open(ctx context.Context, o subnet.Object, off int64) (_ io.ReadCloser, at int64, err error) {
	wctx, w := transfer.Watch(ctx, b.opts.Stall)
	c := &call{watch: w}
	defer func() {
		if err != nil {
			err = b.judge(c, err)
			w.Stop()
		}
	}()
	var opts minio.GetObjectOptions
	err = opts.SetMatchETag(o.ETag)
	if off > 0 {
		err = errors.Join(err, opts.SetRange(off, 0))
	}
	if err != nil {
		return nil, 0, err
	}
	body, _, header, err := b.client.GetObject(context.WithValue(wctx, callKey{}, c), b.addr.Name, o.Key, opts)
	if err != nil {
		return nil, 0, err
	}
	if c.status == http.StatusPartialContent {
		if at, err = transfer.RangeStart(header.Get("Content-Range")); err != nil {
			err = &refusal{text: err.Error()}
		}
	}
	// A store may not know what If-Match means.
	if got := strings.Trim(header.Get("ETag"), `"`); err == nil && got != o.ETag {
		err = fmt.Errorf("it %w: it is version %s now, not %s", subnet.ErrChanged, transfer.Clip(got), transfer.Clip(o.ETag))
	}
	if err != nil {
		body.Close()
		return nil, 0, err
	}
	return w.Body(body), at, nil
}
