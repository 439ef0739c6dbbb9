package s3

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"adit/internal/exchange/transfer"
	"adit/internal/subnet"
)

// sumKey names the metadata in which we leave the SHA-256 of an object's bytes:
// the ETag of what was uploaded in parts tells nothing of them.
const sumKey = "Sha256"

// Put implements [subnet.Bucket]. The store checks every piece on arrival. An
// upload that is cut goes on with the piece that was cut; one that fails for
// good leaves nothing behind.
func (b *Bucket) Put(ctx context.Context, key string, f subnet.File, once bool) (subnet.Object, error) {
	o, err := b.put(ctx, key, f, once)
	if err != nil {
		return subnet.Object{}, fmt.Errorf("put %s into %s: %w", key, b.addr, err)
	}
	return o, nil
}

func (b *Bucket) put(ctx context.Context, key string, f subnet.File, once bool) (subnet.Object, error) {
	if err := transfer.CheckPath(key); err != nil {
		return subnet.Object{}, err
	}
	if err := ctx.Err(); err != nil {
		return subnet.Object{}, err
	}
	u := &upload{b: b, key: key, f: f, size: f.Size(), once: once}
	err := u.run(ctx)
	// AWS has new buckets so that their policy alone says who may read.
	if b.addr.Public && codeOf(err) == "AccessControlListNotSupported" {
		b.silent.Store(true)
		err = u.run(ctx)
	}
	if err != nil {
		return subnet.Object{}, err
	}
	o, _, err := b.stat(ctx, key, "")
	return o, err
}

// An upload is one file on its way.
type upload struct {
	b    *Bucket
	key  string
	f    subnet.File
	size int64
	once bool
	sum  string // SHA-256 of the whole, in hexadecimal
	sent atomic.Int64
}

func (u *upload) run(ctx context.Context) error {
	if u.size <= u.b.opts.Single {
		return u.whole(ctx)
	}
	return u.inParts(ctx)
}

// options are those of what makes the object.
func (u *upload) options(sum bool) minio.PutObjectOptions {
	o := minio.PutObjectOptions{DisableContentSha256: true} // we give the digest ourselves
	if sum {
		o.UserMetadata = map[string]string{sumKey: u.sum}
		if u.b.addr.Public && !u.b.silent.Load() {
			o.UserMetadata["X-Amz-Acl"] = "public-read"
		}
	}
	return o
}

// moved notes bytes on their way.
func (u *upload) moved(n int) { u.b.opts.Progress(u.key, u.sent.Add(int64(n)), u.size) }

// whole uploads the file in one piece.
func (u *upload) whole(ctx context.Context) error {
	p, err := digest(ctx, u.f, 0, u.size)
	if err != nil {
		return err
	}
	u.sum = p.sha256
	opts := u.options(true)
	if u.once {
		opts.SetMatchETagExcept("*")
	}
	return u.conclude(ctx, func(ctx context.Context, c *call) error {
		u.sent.Store(0)
		body := transfer.NewBody(u.f, 0, u.size, c.watch, u.moved)
		defer body.Close()
		_, err := u.b.client.PutObject(ctx, u.b.addr.Name, u.key, body, u.size, p.md5, p.sha256, opts)
		return err
	})
}

// conclude runs the step that makes the object, as often as it takes. When the
// answer to a step that was carried out is lost, the next one finds that its work is
// done already.
func (u *upload) conclude(ctx context.Context, step func(context.Context, *call) error) error {
	tries := 0
	err := u.b.try(ctx, func(ctx context.Context, c *call) error { tries++; return step(ctx, c) })
	exists := u.once && errors.Is(err, subnet.ErrChanged)
	if tries > 1 && (exists || codeOf(err) == "NoSuchUpload") {
		o, known, serr := u.b.stat(ctx, u.key, "")
		if serr == nil && o.Size == u.size && known.sum == u.sum {
			return nil
		}
	}
	if exists {
		return fmt.Errorf("%w: %w", subnet.ErrExists, err)
	}
	return err
}

// uploadsLost is how often an upload begins again because the store has
// forgotten it, as a store may that was restarted.
const uploadsLost = 3

// inParts uploads the file in parts.
func (u *upload) inParts(ctx context.Context) error {
	if u.once {
		// The store will look again at the end; this saves the way there.
		if _, _, err := u.b.stat(ctx, u.key, ""); err == nil {
			return subnet.ErrExists
		} else if !errors.Is(err, subnet.ErrNotFound) {
			return err
		}
	}
	var err error
	if u.sum, err = sumOf(ctx, u.f); err != nil {
		return err
	}
	for lost := 1; ; lost++ {
		err = u.oneUpload(ctx)
		if codeOf(err) != "NoSuchUpload" || lost == uploadsLost {
			return err
		}
	}
}

// maxParts is S3's.
const maxParts = 10_000

func (u *upload) oneUpload(ctx context.Context) (err error) {
	var id string
	err = u.b.try(ctx, func(ctx context.Context, _ *call) (err error) {
		id, err = u.b.client.NewMultipartUpload(ctx, u.b.addr.Name, u.key, u.options(true))
		return err
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			u.abort(ctx, id)
		}
	}()
	u.sent.Store(0)
	size := max(u.b.opts.PartSize, (u.size+maxParts-1)/maxParts)
	parts := make([]minio.CompletePart, (u.size+size-1)/size)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(u.b.opts.Parallel)
	for i := range parts {
		g.Go(func() (err error) {
			off := int64(i) * size
			parts[i], err = u.part(gctx, id, i+1, off, min(size, u.size-off))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	opts := u.options(false)
	if u.once {
		opts.SetMatchETagExcept("*")
	}
	return u.conclude(ctx, func(ctx context.Context, c *call) error {
		c.watch.Settle()
		_, err := u.b.client.CompleteMultipartUpload(ctx, u.b.addr.Name, u.key, id, parts, opts)
		return err
	})
}

func (u *upload) part(ctx context.Context, id string, number int, off, n int64) (minio.CompletePart, error) {
	p, err := digest(ctx, u.f, off, n)
	if err != nil {
		return minio.CompletePart{}, err
	}
	var done minio.ObjectPart
	err = u.b.try(ctx, func(ctx context.Context, c *call) (err error) {
		var sent int64
		body := transfer.NewBody(u.f, off, n, c.watch, func(n int) { sent += int64(n); u.moved(n) })
		done, err = u.b.client.PutObjectPart(ctx, u.b.addr.Name, u.key, id, number, body, n,
			minio.PutObjectPartOptions{Md5Base64: p.md5, Sha256Hex: p.sha256, DisableContentSha256: true})
		body.Close()
		if err != nil {
			u.sent.Add(-sent)
		}
		return err
	})
	if err != nil {
		return minio.CompletePart{}, fmt.Errorf("part %d: %w", number, err)
	}
	return minio.CompletePart{PartNumber: number, ETag: done.ETag}, nil
}

// abort lets the store throw away the parts, which would cost rent otherwise.
// The upload has failed, perhaps because ctx is done.
func (u *upload) abort(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), u.b.opts.Stall)
	defer cancel()
	// What it answers changes nothing any more.
	_ = u.b.once(ctx, func(ctx context.Context, _ *call) error {
		return u.b.client.AbortMultipartUpload(ctx, u.b.addr.Name, u.key, id)
	})
}

// A piece is what the store is told of bytes before they come.
type piece struct {
	md5    string // base64
	sha256 string // hexadecimal
}

func digest(ctx context.Context, f subnet.File, off, n int64) (piece, error) {
	m, s := md5.New(), sha256.New()
	if err := transfer.CopyRange(ctx, io.MultiWriter(m, s), f, off, off+n); err != nil {
		return piece{}, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return piece{base64.StdEncoding.EncodeToString(m.Sum(nil)), hex.EncodeToString(s.Sum(nil))}, nil
}

// sumOf returns the SHA-256 of f, which is read unless it says so itself.
func sumOf(ctx context.Context, f subnet.File) (string, error) {
	if s, ok := f.(interface{ SHA256() string }); ok && isSHA256(s.SHA256()) {
		return s.SHA256(), nil
	}
	s := sha256.New()
	if err := transfer.CopyRange(ctx, s, f, 0, f.Size()); err != nil {
		return "", fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return hex.EncodeToString(s.Sum(nil)), nil
}

func isSHA256(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == sha256.Size
}
