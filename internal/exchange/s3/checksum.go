package s3

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"

	"adit/internal/subnet"
)

// A checksum is what is known of an object's bytes before they come; nothing,
// with a nil hash.
type checksum struct {
	sum  string // hexadecimal
	hash func() hash.Hash
}

// nvme is the polynomial of the checksum that AWS gives to every object, in
// reversed notation.
const nvme = 0x9a6c9329ac4bc9b5

// checksums are the headers in which S3 gives a checksum of an object, the best
// first. Those of the parts of an object end in a hyphen and their number, and
// are of no use here.
var checksums = []struct {
	header string
	hash   func() hash.Hash
}{
	{"X-Amz-Checksum-Sha256", sha256.New},
	{"X-Amz-Checksum-Crc64nvme", func() hash.Hash { return crc64.New(crc64.MakeTable(nvme)) }},
	{"X-Amz-Checksum-Crc32c", func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }},
	{"X-Amz-Checksum-Crc32", func() hash.Hash { return crc32.NewIEEE() }},
}

// checksumOf returns what the headers of an answer say of an object's bytes. The
// SHA-256 that our own uploads leave is what their writer says; it guards against
// bytes that are lost or changed on the way, as the others do, and not
// against the writer.
func checksumOf(h http.Header, o subnet.Object) checksum {
	if sum := h.Get("X-Amz-Meta-" + sumKey); isSHA256(sum) {
		return checksum{strings.ToLower(sum), sha256.New}
	}
	for _, c := range checksums {
		raw, err := base64.StdEncoding.DecodeString(h.Get(c.header))
		if err == nil && len(raw) == c.hash().Size() {
			return checksum{hex.EncodeToString(raw), c.hash}
		}
	}
	// The ETag of what was uploaded in one piece is its MD5, unless the store
	// has encrypted it with a key that is not its own.
	encrypted := h.Get("X-Amz-Server-Side-Encryption")
	if h.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") != "" || encrypted != "" && encrypted != "AES256" {
		return checksum{}
	}
	if raw, err := hex.DecodeString(o.ETag); err == nil && len(raw) == md5.Size {
		return checksum{o.ETag, md5.New}
	}
	return checksum{}
}

// askChecksum asks once more, for a checksum. Stores give some only to those who
// ask, and some stores do not understand the question.
func (b *Bucket) askChecksum(ctx context.Context, o subnet.Object) (known checksum) {
	err := b.once(ctx, func(ctx context.Context, c *call) error {
		again, err := b.head(ctx, c, o.Key, minio.StatObjectOptions{Checksum: true})
		if err == nil && again.ETag == o.ETag {
			known = checksumOf(c.header, o)
		}
		return err
	})
	if err != nil {
		return checksum{}
	}
	return known
}
