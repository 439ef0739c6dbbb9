// Package s3 is the client for buckets that speak the S3 API: AWS, Cloudflare
// R2, MinIO, versitygw, and the local network's own. It implements
// [subnet.Bucket] on top of minio-go, which signs and encodes.
//
// Retries, stalled connections and resumed downloads are those of package
// transfer, as with every other store; minio-go tries each request once.
package s3

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"adit/internal/exchange/transfer"
	"adit/internal/subnet"
)

// Options is how a bucket is used. The zero value is usable.
type Options struct {
	transfer.Policy
	// Transport sends the requests; nil for [http.DefaultTransport]. Buckets of
	// one endpoint do well to share one.
	Transport http.RoundTripper
	// PartSize is the size of a part, in bytes, of what is uploaded in parts;
	// 0 for 16 MiB. It is more where a file would have more than 10,000 parts.
	// S3 takes no less than 5 MiB.
	PartSize int64
	// Single is the size of a file, in bytes, up to which it is uploaded in one
	// piece; 0 for two parts. Such an object's ETag is its MD5.
	Single int64
	// Parallel is how many parts of a file are under way at once; 0 for 4.
	Parallel int
}

// A Bucket is a bucket behind the S3 API.
type Bucket struct {
	addr   subnet.BucketAddress
	opts   Options
	client minio.Core
	silent atomic.Bool // the bucket lets no object say who may read it
}

var _ subnet.Bucket = (*Bucket)(nil)

// Open returns the bucket at an address, which may come from another neuron: it
// is checked, and nothing is contacted before the bucket is used.
func Open(addr subnet.BucketAddress, opts Options) (*Bucket, error) {
	opts.Policy = opts.WithDefaults()
	opts.PartSize = cmp.Or(opts.PartSize, 16<<20)
	opts.Single = cmp.Or(opts.Single, 2*opts.PartSize)
	opts.Parallel = cmp.Or(opts.Parallel, 4)
	if opts.Transport == nil {
		opts.Transport = http.DefaultTransport
	}
	endpoint := cmp.Or(addr.Endpoint, "https://s3.amazonaws.com")
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "" {
		return nil, subnet.WithHint(fmt.Errorf("open bucket %q: %q is not the URL of an S3 endpoint", addr.Name, endpoint),
			"it looks like https://ACCOUNT.r2.cloudflarestorage.com, without the name of the bucket")
	}
	if (addr.AccessKey == "") != (addr.SecretKey == "") {
		return nil, subnet.WithHint(fmt.Errorf("open bucket %s: an access key without its secret, or the other way round", addr),
			"give both, or none for a bucket that anybody may read")
	}
	if !validBucket(addr.Name) {
		return nil, fmt.Errorf("open bucket: %q is not the name of a bucket", transfer.Clip(addr.Name))
	}
	creds := credentials.NewStaticV4(addr.AccessKey, addr.SecretKey, "")
	core, err := minio.NewCore(u.Host, &minio.Options{
		Creds: creds, Secure: u.Scheme == "https", Region: region(addr.Region, u.Hostname()),
		Transport: wire{opts.Transport}, MaxRetries: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", addr, err)
	}
	core.SetAppInfo("adit", "1")
	return &Bucket{addr: addr, opts: opts, client: *core}, nil
}

// region is what requests are signed for. Stores that know no regions take
// us-east-1; only AWS is asked, since elsewhere the question itself is refused
// to keys that may do no more than read.
func region(given, host string) string {
	switch {
	case given != "":
		// R2 calls its regions wnam, enam, … and takes them in small letters.
		return strings.ToLower(given)
	case strings.HasSuffix(host, ".r2.cloudflarestorage.com"):
		return "auto"
	case host == "amazonaws.com" || strings.HasSuffix(host, ".amazonaws.com"):
		return ""
	}
	return "us-east-1"
}

// validBucket follows the rules for names of buckets: 3 to 63 letters, digits,
// dots and hyphens. They become part of a URL.
func validBucket(name string) bool {
	return len(name) >= 3 && len(name) <= 63 && !strings.Contains(name, "..") &&
		!strings.ContainsFunc(name, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.')
		}) && strings.Trim(name, "-.") == name
}
