package s3

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"

	"adit/internal/subnet"
)

func TestChecksumOf(t *testing.T) {
	const text = "123456789" // of which all checksums are known
	b64 := func(s string) string {
		raw, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(raw)
	}
	const md5, sha = "25f9e794323b453885f5181f1b624d0b", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"
	for i, tt := range []struct {
		etag   string
		header []string
		want   string // "" for nothing known
	}{
		{md5, nil, md5},
		{md5 + "-2", nil, ""},
		{"not an MD5", nil, ""},
		{"", nil, ""},
		{md5, []string{"X-Amz-Server-Side-Encryption", "AES256"}, md5},
		{md5, []string{"X-Amz-Server-Side-Encryption", "aws:kms"}, ""},
		{md5, []string{"X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256"}, ""},
		{"0-2", []string{"X-Amz-Meta-Sha256", sha}, sha},
		{"0-2", []string{"X-Amz-Meta-Sha256", "nonsense"}, ""},
		{"0-2", []string{"X-Amz-Checksum-Sha256", b64(sha)}, sha},
		{"0-2", []string{"X-Amz-Checksum-Sha256", b64(sha) + "-2"}, ""}, // of the parts
		{"0-2", []string{"X-Amz-Checksum-Crc64nvme", b64("ae8b14860a799888")}, "ae8b14860a799888"},
		{"0-2", []string{"X-Amz-Checksum-Crc32c", b64("e3069283")}, "e3069283"},
		{"0-2", []string{"X-Amz-Checksum-Crc32", b64("cbf43926")}, "cbf43926"},
		{"0-2", []string{"X-Amz-Checksum-Crc32", b64("cb")}, ""},
	} {
		h := make(http.Header)
		for j := 0; j < len(tt.header); j += 2 {
			h.Set(tt.header[j], tt.header[j+1])
		}
		known := checksumOf(h, subnet.Object{ETag: tt.etag})
		if known.sum != tt.want || (known.hash != nil) != (tt.want != "") {
			t.Errorf("%d: %q, want %q", i, known.sum, tt.want)
			continue
		}
		if known.hash != nil {
			sum := known.hash()
			sum.Write([]byte(text))
			if got := fmt.Sprintf("%x", sum.Sum(nil)); got != tt.want {
				t.Errorf("%d: the checksum of %s is %s, want %s", i, text, got, tt.want)
			}
		}
	}
}
