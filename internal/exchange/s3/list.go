package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"adit/internal/exchange/transfer"
	"adit/internal/subnet"
)

// pageKeys is how many keys S3 lists, or removes, at once.
const pageKeys = 1000

// List implements [subnet.Bucket]. It asks for no more than it returns, page by
// page.
func (b *Bucket) List(ctx context.Context, prefix, after string, max int) ([]subnet.Object, error) {
	var all []subnet.Object
	err := b.opts.Retry(ctx, func(ctx context.Context) (bool, error) {
		before := len(all)
		for more := true; more && len(all) < max; {
			if len(all) > 0 {
				after = all[len(all)-1].Key
			}
			var page []subnet.Object
			err := b.once(ctx, func(ctx context.Context, _ *call) (err error) {
				page, more, err = b.page(ctx, prefix, after, min(max-len(all), pageKeys))
				return err
			})
			if err != nil {
				return len(all) > before, err
			}
			all = append(all, page...)
		}
		return true, ctx.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("list %q in %s: %w", prefix, b.addr, err)
	}
	return all, nil
}

// page returns up to max objects, and whether there may be more.
func (b *Bucket) page(ctx context.Context, prefix, after string, max int) (page []subnet.Object, more bool, err error) {
	owner := false
	for info := range b.client.ListObjectsIter(ctx, b.addr.Name, minio.ListObjectsOptions{
		Prefix: prefix, StartAfter: after, MaxKeys: max, Recursive: true, FetchOwner: &owner,
	}) {
		if info.Err != nil {
			return nil, false, info.Err
		}
		if !strings.HasPrefix(info.Key, prefix) || info.Key <= after || info.Size < 0 {
			return nil, false, &refusal{text: fmt.Sprintf("a list of %q after %q with %q in it", prefix, after, transfer.Clip(info.Key))}
		}
		after = info.Key
		page = append(page, subnet.Object{Key: info.Key, Size: info.Size, ETag: info.ETag, Modified: info.LastModified.UTC().Truncate(time.Second)})
		if len(page) == max {
			// To go on would ask for the next page.
			return page, true, nil
		}
	}
	return page, false, ctx.Err()
}

// Remove implements [subnet.Bucket].
func (b *Bucket) Remove(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := transfer.CheckPath(key); err != nil {
			return fmt.Errorf("remove from %s: %w", b.addr, err)
		}
	}
	for len(keys) > 0 {
		n := min(len(keys), pageKeys)
		if err := b.remove(ctx, keys[:n]); err != nil {
			return fmt.Errorf("remove %s and %d more from %s: %w", keys[0], n-1, b.addr, err)
		}
		keys = keys[n:]
	}
	return nil
}

func (b *Bucket) remove(ctx context.Context, keys []string) error {
	return b.try(ctx, func(ctx context.Context, _ *call) error {
		if len(keys) == 1 {
			err := b.client.RemoveObject(ctx, b.addr.Name, keys[0], minio.RemoveObjectOptions{})
			if r, ok := errors.AsType[minio.ErrorResponse](err); ok && r.Code == "NoSuchKey" {
				return nil
			}
			return err
		}
		results, err := b.client.RemoveObjectsWithIter(ctx, b.addr.Name, func(yield func(minio.ObjectInfo) bool) {
			for _, key := range keys {
				if !yield(minio.ObjectInfo{Key: key}) {
					return
				}
			}
		}, minio.RemoveObjectsOptions{})
		if err != nil {
			return err
		}
		for r := range results {
			if err == nil && r.Err != nil {
				err = r.Err
			}
		}
		if err == nil {
			err = ctx.Err()
		}
		return err
	})
}

// Clock implements [subnet.Bucket]: it is the date of an answer, whatever the
// answer is.
func (b *Bucket) Clock(ctx context.Context) (time.Time, error) {
	var at time.Time
	err := b.try(ctx, func(ctx context.Context, c *call) error {
		_, err := b.client.BucketExists(ctx, b.addr.Name)
		date, derr := http.ParseTime(c.header.Get("Date"))
		if derr == nil && c.status < 500 {
			at = date.UTC()
			return nil
		}
		if err == nil {
			err = &refusal{text: "no date"}
		}
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("ask %s for the time: %w", b.addr, err)
	}
	return at, nil
}
