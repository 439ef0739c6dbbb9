package s3

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"adit/internal/subnet"
)

// Whatever the holder of a key sends, the store answers, and holds no more than
// it was sent.
func FuzzRequests(f *testing.F) {
	f.Add("PUT", "/gradients/a", "", "X-Amz-Acl", "public-read", "hello")
	f.Add("PUT", "/gradients/a", "partNumber=1&uploadId=x", "", "", "hello")
	f.Add("PUT", "/gradients/a", "acl", "X-Amz-Acl", "private", "")
	f.Add("PUT", "/gradients/a", "", "X-Amz-Decoded-Content-Length", "99999999999999", "5;chunk-signature=0\r\nhello\r\n0;\r\n\r\n")
	f.Add("PUT", "/gradients/a", "", "X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "-5\r\nhello\r\n0\r\n")
	f.Add("GET", "/gradients/a", "", "Range", "bytes=3-1", "")
	f.Add("GET", "/gradients/a", "", "If-Match", `"x"`, "")
	f.Add("GET", "/gradients", "list-type=2&prefix=a&delimiter=/&max-keys=2&continuation-token=!", "", "", "")
	f.Add("GET", "/gradients/a", "uploadId=x&part-number-marker=9223372036854775807", "", "", "")
	f.Add("POST", "/gradients", "delete", "", "", "<Delete><Object><Key>../a</Key></Object></Delete>")
	f.Add("POST", "/gradients/a", "uploads", "", "", "")
	f.Add("POST", "/gradients/a", "uploadId=x", "", "", "<CompleteMultipartUpload/>")
	f.Add("DELETE", "/gradients/../x", "", "", "", "")
	f.Fuzz(func(t *testing.T, method, path, query, header, value, body string) {
		u, err := url.Parse("http://127.0.0.1" + path + "?" + query)
		if err != nil || len(body) > 1<<16 || !strings.HasPrefix(path, "/") {
			return
		}
		s, err := Open(t.TempDir(), Options{
			Buckets: []Bucket{{Name: "gradients", Read: reader, Write: writer}}, MaxObject: 1 << 16,
			Emit: func(e subnet.Event) {
				if e.Kind == "bucket fault" {
					t.Error(e.Text)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(method, u.String(), bytes.NewReader([]byte(body)))
		if err != nil {
			return
		}
		req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		if header != "" {
			req.Header.Set(header, value)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, signV4(*req, writer))
		if w.Code < 200 || w.Code > 599 || w.Body.Len() > 1<<16 {
			t.Errorf("%s %s?%s: %d with %d bytes", method, path, query, w.Code, w.Body.Len())
		}
		if b := s.bucket("gradients"); len(b.keys) > 1 || len(b.keys) == 1 && b.get(b.keys[0]).Size > int64(len(body)) {
			t.Errorf("%s %s?%s left %q", method, path, query, b.keys)
		}
	})
}
