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

	"adit/internal/exchange/transfer"
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
	if err := transfer.CopyRange(ctx, h, f, 0, f.Size()); err != nil {
		return "", fmt.Errorf("hash %s: %w", f.Name(), err)
	}
	return digest(hex.EncodeToString(h.Sum(nil))), nil
}

// A source is one version of one file at a store.
type source struct {
	path   string
	size   int64
	digest digest
	// open is that of [transfer.Source].
	open func(ctx context.Context, off int64) (body io.ReadCloser, at int64, err error)
}

// fetch brings src into dst: see [transfer.Fetch].
func fetch(ctx context.Context, src source, dst subnet.Draft, limit int64, p transfer.Policy) error {
	if src.size >= 0 && src.size <= limit && !src.digest.valid() {
		return fmt.Errorf("%s: the store gives no digest to check it against, but %q", src.path, src.digest)
	}
	return transfer.Fetch(ctx, transfer.Source{
		Path: src.path, Size: src.size, Open: src.open,
		Sum: string(src.digest), Hash: func() hash.Hash { return src.digest.start(src.size) },
	}, dst, limit, p)
}
