package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"adit/internal/exchange/s3"
	"adit/internal/exchange/storetest"
	"adit/internal/subnet"
)

// foreign returns the address of the server that run.sh has started. Its keys may
// make buckets.
func foreign(t *testing.T) subnet.BucketAddress {
	t.Helper()
	url := os.Getenv("S3_ENDPOINT")
	if url == "" {
		t.Skip("S3_ENDPOINT names no server: see run.sh")
	}
	return subnet.BucketAddress{Endpoint: url, Region: "us-east-1", AccessKey: os.Getenv("S3_ACCESS_KEY"), SecretKey: os.Getenv("S3_SECRET_KEY")}
}

// smallest is S3's smallest part.
const smallest = 5 << 20

var made atomic.Int64

// makeBucket makes an empty bucket.
func makeBucket(t *testing.T, at subnet.BucketAddress) subnet.BucketAddress {
	t.Helper()
	at.Name = fmt.Sprintf("adit-%d-%d", os.Getpid(), made.Add(1))
	c, err := minio.New(strings.TrimPrefix(at.Endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(at.AccessKey, at.SecretKey, ""), Region: at.Region,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.MakeBucket(t.Context(), at.Name, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return at
}

func openAt(t *testing.T, at subnet.BucketAddress) *s3.Bucket {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	b, err := s3.Open(at, s3.Options{Transport: transport, PartSize: smallest})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestForeignContract(t *testing.T) {
	at := foreign(t)
	storetest.RunBucket(t, storetest.BucketKind{Large: 2 * smallest, Folders: true}, func(t *testing.T) func() subnet.Bucket {
		at := makeBucket(t, at)
		return func() subnet.Bucket { return openAt(t, at) }
	})
}

// What a server that is not ours says of wrong keys is understood too.
func TestForeignRefusals(t *testing.T) {
	at := makeBucket(t, foreign(t))
	wrong, unknown, stranger, missing := at, at, at, at
	wrong.SecretKey = strings.Repeat("0", 64)
	unknown.AccessKey = strings.Repeat("1", 32)
	stranger.AccessKey, stranger.SecretKey = "", ""
	missing.Name += "-not"
	for _, tt := range []struct {
		name string
		at   subnet.BucketAddress
		kind error
		hint string
	}{
		{"wrong secret", wrong, subnet.ErrDenied, "secret key"},
		{"unknown key", unknown, subnet.ErrDenied, "access key"},
		{"stranger", stranger, subnet.ErrDenied, "strangers"},
		{"no such bucket", missing, subnet.ErrNotFound, "name of the bucket"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := openAt(t, tt.at)
			for what, err := range map[string]error{
				"Put": func() error {
					_, err := b.Put(t.Context(), "a", storetest.NewFile("a", []byte("a")), false)
					return err
				}(),
				"List": func() error { _, err := b.List(t.Context(), "", "", 5); return err }(),
				"Stat": func() error { _, err := b.Stat(t.Context(), "a"); return err }(),
			} {
				if !errors.Is(err, tt.kind) {
					t.Errorf("%s: %v, want %v", what, err, tt.kind)
				}
				if what != "Stat" && !strings.Contains(subnet.Hint(err), tt.hint) {
					t.Errorf("%s: hint %q, want %q", what, subnet.Hint(err), tt.hint)
				}
			}
		})
	}
}
