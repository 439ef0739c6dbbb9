package exchange

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strconv"

	"adit/internal/subnet"
)

// A digest is what a store says about a file's bytes: 64 hex digits of SHA-256,
// or 40 of the SHA-1 that git gives a blob.
type digest string

func (d digest) valid() bool {
	raw, err := hex.DecodeString(string(d))
	return err == nil && (len(raw) == sha256.Size || len(raw) == sha1.Size)
}

// start returns the hash that, fed with a file's size bytes, sums to d.
func (d digest) start(size int64) hash.Hash {
	if len(d) == 2*sha1.Size {
		h := sha1.New()
		io.WriteString(h, "blob "+strconv.FormatInt(size, 10)+"\x00")
		return h
	}
	return sha256.New()
}

// blockBytes is how much of a file is in memory at once, and how often a
// transfer looks up whether it is still wanted.
const blockBytes = 128 << 10

// A summed file knows its SHA-256: see [subnet.Store.Stage].
type summed interface{ SHA256() string }

// sumOf returns the SHA-256 of f, which is read unless it says so itself. What
// it says must be right: whoever has bytes of that digest asks for no others.
func sumOf(ctx context.Context, f subnet.File) (digest, error) {
	if s, ok := f.(summed); ok {
		if d := digest(s.SHA256()); d.valid() && len(d) == 2*sha256.Size {
			return d, nil
		}
	}
	return hashFile(ctx, f)
}

// hashFile returns the SHA-256 of f.
func hashFile(ctx context.Context, f subnet.File) (digest, error) {
	h := sha256.New()
	if err := copyRange(ctx, h, f, 0, f.Size()); err != nil {
		return "", fmt.Errorf("hash %s: %w", f.Name(), err)
	}
	return digest(hex.EncodeToString(h.Sum(nil))), nil
}

// copyRange feeds h, usually a hash, with the bytes from up to to of r.
func copyRange(ctx context.Context, h io.Writer, r io.ReaderAt, from, to int64) error {
	section := io.NewSectionReader(r, from, to-from)
	buf := make([]byte, min(blockBytes, to-from))
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
