package s3_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"adit/internal/exchange/storetest"
	local "adit/internal/local/s3"
	"adit/internal/subnet"
)

// An object that another program has uploaded in parts has no checksum. What a
// draft holds is believed only of a version that is named.
func TestWithoutChecksum(t *testing.T) {
	t.Parallel()
	s := serve(t, local.Options{})
	data := storetest.Noise(1, 6<<20)
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	c, err := minio.New(strings.TrimPrefix(s.url, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(writer.Access, writer.Secret, ""), Region: "us-east-1", Transport: transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutObject(t.Context(), "gradients", "m.pt", bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{PartSize: 5 << 20}); err != nil {
		t.Fatal(err)
	}
	b := open(t, s.url, reader)
	o, err := b.Stat(t.Context(), "m.pt")
	if err != nil || !strings.HasSuffix(o.ETag, "-2") {
		t.Fatal(o, err)
	}
	for name, tt := range map[string]struct {
		want    subnet.Object
		have    []byte
		written int
	}{
		"nothing there":              {o, nil, len(data)},
		"the beginning of a version": {o, data[:100_000], len(data)},
		"of what, nobody knows":      {subnet.Object{Key: "m.pt"}, storetest.Noise(2, 100_000), 100_000 + len(data)},
	} {
		var d storetest.Draft
		if _, err := d.Write(tt.have); err != nil {
			t.Fatal(err)
		}
		if err := b.Get(t.Context(), tt.want, &d, 1<<30); err != nil || !bytes.Equal(d.Bytes(), data) || d.Written() != tt.written {
			t.Errorf("%s: %v, %d bytes, %d written, want %d", name, err, d.Size(), d.Written(), tt.written)
		}
	}
}
