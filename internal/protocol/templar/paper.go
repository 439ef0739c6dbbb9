package templar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"adit/internal/subnet"
)

// A paper is a draft in memory, for objects of a few kilobytes.
type paper struct{ data []byte }

func (p *paper) Write(b []byte) (int, error) { p.data = append(p.data, b...); return len(b), nil }
func (p *paper) Size() int64                 { return int64(len(p.data)) }
func (p *paper) Commit() error               { return nil }
func (p *paper) Close() error                { return nil }

func (p *paper) ReadAt(b []byte, off int64) (int, error) {
	return bytes.NewReader(p.data).ReadAt(b, off)
}

func (p *paper) Truncate(size int64) error {
	if size < 0 || size > p.Size() {
		return fmt.Errorf("truncate %d bytes to %d", p.Size(), size)
	}
	p.data = p.data[:size]
	return nil
}

var _ subnet.Draft = (*paper)(nil)

// readSmall returns an object of a few kilobytes, or megabytes.
func readSmall(ctx context.Context, b subnet.Bucket, key string, limit int64) ([]byte, error) {
	var p paper
	if err := b.Get(ctx, subnet.Object{Key: key}, &p, limit); err != nil {
		return nil, err
	}
	return p.data, nil
}

// putJSON uploads a value. With once, what is there already stands.
func (s *sparse) putJSON(ctx context.Context, key string, v any, once bool) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = s.putFile(ctx, key, blob{bytes.NewReader(data), key}, once)
	if once && errors.Is(err, subnet.ErrExists) {
		return nil
	}
	return err
}

// writeAll makes a file of the directory from bytes.
func (s *sparse) writeAll(name string, data []byte) error {
	return s.Write(name, func(w io.Writer) error { _, err := w.Write(data); return err })
}
