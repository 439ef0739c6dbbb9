package exchange

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"adit/internal/subnet"
)

// A source is one version of one file at a store.
type source struct {
	path   string
	size   int64
	digest digest
	// open returns the bytes from off on, or from an earlier place, 0, if
	// that is all the store can do; at says which.
	open func(ctx context.Context, off int64) (body io.ReadCloser, at int64, err error)
}

var errWrongBytes = errors.New("the bytes are not those that the store's digest says")

// fetch brings src into dst, going on where dst ends. Temporary failures are
// met with another attempt, as many as opts allows without a byte in between.
// Bytes that are wrong in the end, perhaps from an earlier download of another
// file, are thrown away, and all is fetched once more.
func fetch(ctx context.Context, src source, dst subnet.Draft, limit int64, opts Options) error {
	if src.size < 0 || src.size > limit {
		return fmt.Errorf("%s has %d bytes, more than the %d expected at most", src.path, src.size, limit)
	}
	if !src.digest.valid() {
		return fmt.Errorf("%s: the store gives no digest to check it against, but %q", src.path, src.digest)
	}
	f := fetcher{src: src, dst: dst, progress: opts.Progress}
	err := opts.retry(ctx, f.attempt)
	if errors.Is(err, errWrongBytes) {
		f.restart()
		err = opts.retry(ctx, f.attempt)
	}
	if errors.Is(err, errWrongBytes) {
		// A resume would only check the same bytes again.
		return errors.Join(err, dst.Truncate(0))
	}
	return err
}

type fetcher struct {
	src      source
	dst      subnet.Draft
	progress func(path string, done, total int64)

	sum    hash.Hash // of the first summed bytes of dst
	summed int64
}

func (f *fetcher) restart() { f.sum = nil }

// attempt fetches what is missing over one connection. It reports whether it
// got anything at all.
func (f *fetcher) attempt(ctx context.Context) (progressed bool, err error) {
	if f.sum == nil {
		if f.summed > 0 || f.dst.Size() > f.src.size {
			if err := f.dst.Truncate(0); err != nil {
				return false, fmt.Errorf("start %s again: %w", f.src.path, err)
			}
		}
		f.sum, f.summed = f.src.digest.start(f.src.size), 0
	}
	// What an earlier download left is part of the file's digest too.
	have := f.dst.Size()
	if err := copyRange(ctx, f.sum, f.dst, f.summed, have); err != nil {
		return false, fmt.Errorf("read back %s: %w", f.src.path, err)
	}
	f.summed = have
	f.progress(f.src.path, have, f.src.size)
	if have < f.src.size {
		if progressed, err = f.transfer(ctx, have); err != nil {
			return progressed, err
		}
	}
	if got := hex.EncodeToString(f.sum.Sum(nil)); !strings.EqualFold(got, string(f.src.digest)) {
		return progressed, fmt.Errorf("%s: %w: %s, not %s", f.src.path, errWrongBytes, got, f.src.digest)
	}
	return progressed, nil
}

func (f *fetcher) transfer(ctx context.Context, have int64) (progressed bool, err error) {
	body, at, err := f.src.open(ctx, have)
	if err != nil {
		return false, err
	}
	defer body.Close()
	switch {
	case at == have:
	case at == 0:
		if err := f.dst.Truncate(0); err != nil {
			return false, fmt.Errorf("start %s again: %w", f.src.path, err)
		}
		f.sum, f.summed = f.src.digest.start(f.src.size), 0
	default:
		return false, fmt.Errorf("%s: asked for the bytes from %d, got those from %d", f.src.path, have, at)
	}
	buf := make([]byte, max(1, min(blockBytes, f.src.size-f.summed)))
	for f.summed < f.src.size {
		if err := ctx.Err(); err != nil {
			return progressed, fmt.Errorf("download %s: %w", f.src.path, err)
		}
		n, err := body.Read(buf[:min(int64(len(buf)), f.src.size-f.summed)])
		if n > 0 {
			w, werr := f.dst.Write(buf[:n])
			f.sum.Write(buf[:max(0, w)])
			f.summed += int64(max(0, w))
			if werr != nil {
				return progressed, fmt.Errorf("store %s: %w", f.src.path, werr)
			}
			progressed = true
			f.progress(f.src.path, f.summed, f.src.size)
		}
		if err == nil {
			continue
		}
		if cause := ctx.Err(); cause != nil {
			return progressed, fmt.Errorf("download %s: %w", f.src.path, cause)
		}
		if errors.Is(err, io.EOF) && f.summed == f.src.size {
			break
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return progressed, fmt.Errorf("download %s: %w after %d of %d bytes: %w",
			f.src.path, subnet.ErrTemporary, f.summed, f.src.size, err)
	}
	return progressed, nil
}
