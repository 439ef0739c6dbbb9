package transfer

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

// A Source is one version of one file at a store.
type Source struct {
	Path string
	Size int64
	// Sum is what the store says of the bytes, in hexadecimal, and Hash returns a
	// hash that, fed with them all, sums to it. With a nil Hash the store says
	// nothing: the bytes are not checked, but for their number.
	Sum  string
	Hash func() hash.Hash
	// Open returns the bytes from off on, or from an earlier place, 0, if
	// that is all the store can do; at says which.
	Open func(ctx context.Context, off int64) (body io.ReadCloser, at int64, err error)
}

var errWrongBytes = errors.New("the bytes are not those that the store's digest says")

// BlockBytes is how much of a file is in memory at once, and how often a
// transfer looks up whether it is still wanted.
const BlockBytes = 128 << 10

// Fetch brings src into dst, going on where dst ends. Temporary failures are
// met with another attempt, as many as p allows without a byte in between.
// Bytes that are wrong in the end, perhaps from an earlier download of another
// file, are thrown away, and all is fetched once more.
func Fetch(ctx context.Context, src Source, dst subnet.Draft, limit int64, p Policy) error {
	if src.Size < 0 || src.Size > limit {
		return fmt.Errorf("%s has %d bytes, more than the %d expected at most", src.Path, src.Size, limit)
	}
	p = p.WithDefaults()
	f := fetcher{src: src, dst: dst, progress: p.Progress}
	err := p.Retry(ctx, f.attempt)
	if errors.Is(err, errWrongBytes) {
		f.restart()
		err = p.Retry(ctx, f.attempt)
	}
	if errors.Is(err, errWrongBytes) {
		// A resume would only check the same bytes again.
		return errors.Join(err, dst.Truncate(0))
	}
	return err
}

type fetcher struct {
	src      Source
	dst      subnet.Draft
	progress func(path string, done, total int64)

	sum    hash.Hash // of the first summed bytes of dst, if the store gives a digest
	summed int64
	begun  bool
}

func (f *fetcher) restart() { f.begun = false }

// begin starts to sum up the file.
func (f *fetcher) begin() {
	f.begun, f.summed, f.sum = true, 0, nil
	if f.src.Hash != nil {
		f.sum = f.src.Hash()
	}
}

// attempt fetches what is missing over one connection. It reports whether it
// got anything at all.
func (f *fetcher) attempt(ctx context.Context) (progressed bool, err error) {
	if !f.begun {
		if f.summed > 0 || f.dst.Size() > f.src.Size {
			if err := f.dst.Truncate(0); err != nil {
				return false, fmt.Errorf("start %s again: %w", f.src.Path, err)
			}
		}
		f.begin()
	}
	// What an earlier download left is part of the file's digest too.
	have := f.dst.Size()
	if f.sum != nil {
		if err := CopyRange(ctx, f.sum, f.dst, f.summed, have); err != nil {
			return false, fmt.Errorf("read back %s: %w", f.src.Path, err)
		}
	}
	f.summed = have
	f.progress(f.src.Path, have, f.src.Size)
	if have < f.src.Size {
		if progressed, err = f.transfer(ctx, have); err != nil {
			return progressed, err
		}
	}
	if f.sum == nil {
		return progressed, nil
	}
	if got := hex.EncodeToString(f.sum.Sum(nil)); !strings.EqualFold(got, f.src.Sum) {
		return progressed, fmt.Errorf("%s: %w: %s, not %s", f.src.Path, errWrongBytes, got, f.src.Sum)
	}
	return progressed, nil
}

func (f *fetcher) transfer(ctx context.Context, have int64) (progressed bool, err error) {
	body, at, err := f.src.Open(ctx, have)
	if err != nil {
		return false, err
	}
	defer body.Close()
	switch {
	case at == have:
	case at == 0:
		if err := f.dst.Truncate(0); err != nil {
			return false, fmt.Errorf("start %s again: %w", f.src.Path, err)
		}
		f.begin()
	default:
		return false, fmt.Errorf("%s: asked for the bytes from %d, got those from %d", f.src.Path, have, at)
	}
	buf := make([]byte, max(1, min(BlockBytes, f.src.Size-f.summed)))
	for f.summed < f.src.Size {
		if err := ctx.Err(); err != nil {
			return progressed, fmt.Errorf("download %s: %w", f.src.Path, err)
		}
		n, err := body.Read(buf[:min(int64(len(buf)), f.src.Size-f.summed)])
		if n > 0 {
			w, werr := f.dst.Write(buf[:n])
			if f.sum != nil {
				f.sum.Write(buf[:max(0, w)])
			}
			f.summed += int64(max(0, w))
			if werr != nil {
				return progressed, fmt.Errorf("store %s: %w", f.src.Path, werr)
			}
			progressed = true
			f.progress(f.src.Path, f.summed, f.src.Size)
		}
		if err == nil {
			continue
		}
		if cause := ctx.Err(); cause != nil {
			return progressed, fmt.Errorf("download %s: %w", f.src.Path, cause)
		}
		if errors.Is(err, io.EOF) && f.summed == f.src.Size {
			break
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return progressed, fmt.Errorf("download %s: %w after %d of %d bytes: %w",
			f.src.Path, subnet.ErrTemporary, f.summed, f.src.Size, err)
	}
	return progressed, nil
}

// CopyRange feeds h, usually a hash, with the bytes from up to to of r.
func CopyRange(ctx context.Context, h io.Writer, r io.ReaderAt, from, to int64) error {
	section := io.NewSectionReader(r, from, to-from)
	buf := make([]byte, min(BlockBytes, to-from))
	for from < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(section, buf[:min(int64(len(buf)), to-from)])
		if _, err := h.Write(buf[:n]); err != nil {
			return err
		}
		from += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}
