package s3

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"go.uber.org/goleak"

	"adit/internal/subnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	writer = Key{"writer0123456789", "writer's secret"}
	reader = Key{"reader0123456789", "reader's secret"}
)

func start(t *testing.T, dir string, opts Options) (*Store, string) {
	t.Helper()
	opts.Buckets = append(opts.Buckets, Bucket{Name: "gradients", Read: reader, Write: writer})
	opts.Emit = func(e subnet.Event) {
		if e.Kind == "bucket fault" {
			t.Error(e.Text)
		}
	}
	s, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return s, h.URL
}

// client is minio-go as it comes, which sends uploads in signed chunks.
func client(t *testing.T, url string, k Key) *minio.Core {
	t.Helper()
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	c, err := minio.NewCore(strings.TrimPrefix(url, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(k.Access, k.Secret, ""), Region: "us-east-1", Transport: transport, MaxRetries: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b
}

// read returns an object.
func read(t *testing.T, c *minio.Core, key string) ([]byte, minio.ObjectInfo, error) {
	t.Helper()
	body, info, _, err := c.GetObject(t.Context(), "gradients", key, minio.GetObjectOptions{})
	if err != nil {
		return nil, info, err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	return data, info, err
}

// What was stored is there after a restart, and nothing else is.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, url := start(t, dir, Options{})
	c := client(t, url, writer)
	large := noise(6<<20 + 1)
	for key, data := range map[string][]byte{"a.pt": []byte("a"), "large.pt": large, "gone.pt": []byte("x"), "sub/a.pt": []byte("in a folder")} {
		if _, err := c.Client.PutObject(t.Context(), "gradients", key, bytes.NewReader(data), int64(len(data)),
			minio.PutObjectOptions{PartSize: 5 << 20, UserMetadata: map[string]string{"Colour": "blue"}, ContentType: "application/x-pt"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Client.PutObject(t.Context(), "gradients", "a.pt", strings.NewReader("b"), 1, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.RemoveObject(t.Context(), "gradients", "gone.pt", minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	_, before, err := read(t, c, "large.pt")
	if err != nil || !strings.HasSuffix(before.ETag, "-2") {
		t.Fatalf("%+v, %v", before, err)
	}
	// What kills leave: bytes without an object, a note half written, an upload.
	for _, name := range []string{"gradients/data/zombie.1", "gradients/meta/zombie.json.new", "tmp/upload"} {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, url = start(t, dir, Options{})
	c = client(t, url, writer)
	data, after, err := read(t, c, "large.pt")
	if err != nil || !bytes.Equal(data, large) || after.ETag != before.ETag || !after.LastModified.Equal(before.LastModified) ||
		after.UserMetadata["Colour"] != "blue" || after.ContentType != "application/x-pt" {
		t.Errorf("large.pt is %d bytes, %+v, %v; want %+v", len(data), after, err, before)
	}
	if data, _, err := read(t, c, "a.pt"); err != nil || string(data) != "b" {
		t.Errorf("a.pt is %q, %v", data, err)
	}
	var files []string
	for _, sub := range []string{"gradients/data", "gradients/meta", "tmp"} {
		entries, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(sub)))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			files = append(files, e.Name())
		}
	}
	if len(files) != 6 { // two for each of three objects
		t.Errorf("the directory holds %q", files)
	}
}

// Bytes on disk are those of the object: a person can look at them.
func TestPlainFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, url := start(t, dir, Options{})
	if _, err := client(t, url, writer).Client.PutObject(t.Context(), "gradients", "gradient-1-2.pt", strings.NewReader("hello"), 5, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "gradients", "data", "gradient-1-2.pt-*"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if raw, err := os.ReadFile(found[0]); err != nil || string(raw) != "hello" {
		t.Errorf("%s holds %q, %v", found[0], raw, err)
	}
}

func TestFileNames(t *testing.T) {
	seen := make(map[string]string)
	for _, key := range []string{"a", "A", "a/b", "a%2fb", "a:b", "CON", "con", "nul.txt", ".hidden", "größe", strings.Repeat("x", 1024), strings.Repeat("x", 1023), "a b", "a*b"} {
		name := strings.ToLower(fileName(key))
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q have the same file name", key, other)
		}
		seen[name] = key
		if len(name) > 150 || strings.ContainsAny(name, `/\:*?"<>| `) || strings.HasPrefix(name, ".") || !strings.Contains(name, "-") {
			t.Errorf("fileName(%q) = %q", key, name)
		}
	}
}

// An object that is read while it is replaced, again and again, is always one of
// the versions, whole.
func TestReadWhileReplaced(t *testing.T) {
	t.Parallel()
	_, url := start(t, t.TempDir(), Options{})
	put := func(c *minio.Core, i int) {
		data := bytes.Repeat([]byte{byte(i)}, 100_000+i)
		if _, err := c.Client.PutObject(t.Context(), "gradients", "m", bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{}); err != nil {
			t.Error(err)
		}
	}
	put(client(t, url, writer), 1)
	var wg sync.WaitGroup
	for w := range 2 {
		c := client(t, url, writer)
		wg.Go(func() {
			for i := range 20 {
				put(c, w*20+i)
			}
		})
	}
	for range 2 {
		c := client(t, url, reader)
		wg.Go(func() {
			for range 30 {
				data, info, err := read(t, c, "m")
				sum := md5.Sum(data)
				if err != nil || len(data) != 100_000+int(data[0]) || hex.EncodeToString(sum[:]) != info.ETag {
					t.Errorf("read %d bytes of %+v: %v", len(data), info, err)
				}
			}
		})
	}
	wg.Wait()
}

// sign sends a request with any method, path and header.
func sign(t *testing.T, url, method, path string, k Key, header map[string]string, body string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	if k.Access != "" {
		if req.Header.Get("X-Amz-Content-Sha256") == "" {
			req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		}
		req = signV4(*req, k)
	}
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw), resp.Header
}

// Who may do what; and what the store does not have, it says it does not have.
func TestRights(t *testing.T) {
	t.Parallel()
	other := Key{"other00123456789", "other's secret"}
	s, url := start(t, t.TempDir(), Options{Buckets: []Bucket{{Name: "others", Write: other}, {Name: "open", Write: other, Public: true}}})
	wrong := Key{writer.Access, "not the secret"}
	none := Key{}
	put := func(bucket, key string, k Key, header map[string]string) {
		t.Helper()
		if status, body, _ := sign(t, url, "PUT", "/"+bucket+"/"+key, k, header, "hello"); status != 200 {
			t.Fatalf("PUT %s/%s: %d %s", bucket, key, status, body)
		}
	}
	put("gradients", "a", writer, nil)
	put("gradients", "shown", writer, map[string]string{"X-Amz-Acl": "public-read"})
	put("gradients", "shown-later", writer, nil)
	put("others", "a", other, nil)
	put("open", "a", other, nil)
	sha := func(v string) map[string]string { return map[string]string{"X-Amz-Content-Sha256": v} }
	for i, tt := range []struct {
		method, path string
		key          Key
		header       map[string]string
		status       int
		text         string
	}{
		{"GET", "/gradients/a", reader, nil, 200, "hello"},
		{"GET", "/gradients/a", writer, nil, 200, "hello"},
		{"GET", "/gradients/a", none, nil, 403, "AccessDenied"},
		{"GET", "/gradients/a", wrong, nil, 403, "SignatureDoesNotMatch"},
		{"GET", "/gradients/a", Key{"unknown123456789", "x"}, nil, 403, "InvalidAccessKeyId"},
		{"GET", "/gradients/a", other, nil, 403, "AccessDenied"},
		{"HEAD", "/gradients/a", none, nil, 403, ""},
		{"GET", "/others/a", writer, nil, 403, "AccessDenied"},
		{"GET", "/open/a", none, nil, 200, "hello"},
		{"GET", "/open/a", reader, nil, 200, "hello"},
		{"GET", "/open?list-type=2", none, nil, 200, "<Key>a</Key>"},
		{"PUT", "/open/a", none, nil, 403, "AccessDenied"},
		{"PUT", "/open/a", writer, nil, 403, "AccessDenied"},
		{"DELETE", "/open/a", none, nil, 403, "AccessDenied"},
		{"GET", "/gradients/shown", none, nil, 200, "hello"},
		{"GET", "/gradients?list-type=2", none, nil, 403, "AccessDenied"},
		{"GET", "/gradients/shown-later", none, nil, 403, "AccessDenied"},
		{"PUT", "/gradients/shown-later?acl", reader, map[string]string{"X-Amz-Acl": "public-read"}, 403, "AccessDenied"},
		{"PUT", "/gradients/shown-later?acl", writer, map[string]string{"X-Amz-Acl": "public-read"}, 200, ""},
		{"GET", "/gradients/shown-later", none, nil, 200, "hello"}, // and it is not empty now
		{"PUT", "/gradients/shown-later?acl", writer, map[string]string{"X-Amz-Acl": "private"}, 200, ""},
		{"GET", "/gradients/shown-later", none, nil, 403, "AccessDenied"},
		{"PUT", "/gradients/nothing?acl", writer, map[string]string{"X-Amz-Acl": "public-read"}, 404, "NoSuchKey"},
		{"PUT", "/gradients/a?acl", writer, map[string]string{"X-Amz-Acl": "authenticated-read"}, 501, "NotImplemented"},
		{"PUT", "/gradients/a?acl", writer, nil, 501, "NotImplemented"},
		{"PUT", "/gradients/b", reader, nil, 403, "AccessDenied"},
		{"DELETE", "/gradients/a", reader, nil, 403, "AccessDenied"},
		{"POST", "/gradients?delete", reader, nil, 403, "AccessDenied"},
		{"POST", "/gradients/b?uploads", reader, nil, 403, "AccessDenied"},
		{"POST", "/gradients", writer, nil, 501, "NotImplemented"},
		{"GET", "/", reader, nil, 200, "<Name>gradients</Name>"},
		{"GET", "/", none, nil, 403, "AccessDenied"},
		{"PUT", "/new-bucket", writer, nil, 403, "AccessDenied"},
		{"DELETE", "/gradients", writer, nil, 403, "AccessDenied"},
		{"GET", "/nothing-here/a", writer, nil, 404, "NoSuchBucket"},
		{"GET", "/nothing-here/a", none, nil, 403, "AccessDenied"}, // a stranger learns nothing
		{"GET", "/tmp/x", writer, nil, 404, "NoSuchBucket"},
		{"PUT", "/gradients/a?tagging", writer, nil, 501, "NotImplemented"},
		{"PUT", "/gradients/a?versionId=x", writer, nil, 501, "NotImplemented"},
		{"GET", "/gradients?policy", writer, nil, 501, "NotImplemented"},
		{"PATCH", "/gradients/a", writer, nil, 501, "NotImplemented"},
		{"PUT", "/gradients/b", writer, map[string]string{"X-Amz-Copy-Source": "/others/a"}, 501, "NotImplemented"},
		{"PUT", "/gradients/b/", writer, nil, 400, "InvalidArgument"},
		{"PUT", "/gradients//b", writer, nil, 400, "InvalidArgument"},
		{"GET", "/gradients/a", reader, map[string]string{"If-Match": `"0"`}, 412, "PreconditionFailed"},
		{"GET", "/gradients/a", reader, map[string]string{"If-Match": `"5d41402abc4b2a76b9719d911017c592"`}, 200, "hello"},
		{"HEAD", "/gradients/a", reader, map[string]string{"If-Match": `"0"`}, 412, ""},
		{"GET", "/gradients/a", reader, map[string]string{"Range": "bytes=1-3"}, 206, "ell"},
		{"GET", "/gradients/a", reader, map[string]string{"Range": "bytes=9-"}, 416, "InvalidRange"},
		{"PUT", "/gradients/a", writer, map[string]string{"If-None-Match": "*"}, 412, "PreconditionFailed"},
		{"PUT", "/gradients/a", writer, map[string]string{"If-Match": `"0"`}, 412, "PreconditionFailed"},
		{"PUT", "/gradients/b", writer, map[string]string{"If-Match": `*`}, 412, "PreconditionFailed"},
		{"PUT", "/gradients/b", writer, map[string]string{"Content-Md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, 400, "BadDigest"},
		{"PUT", "/gradients/b", writer, sha(strings.Repeat("0", 64)), 400, "XAmzContentSHA256Mismatch"},
		{"PUT", "/gradients/b", writer, sha("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"), 501, "NotImplemented"},
		{"GET", "/gradients/b", writer, nil, 404, "NoSuchKey"}, // none of these made it
		{"GET", "/gradients/a", writer, nil, 200, "hello"},
	} {
		body := ""
		if tt.method == "PUT" || tt.method == "POST" {
			body = "other"
		}
		if strings.Contains(tt.path, "acl") {
			body = ""
		}
		status, text, header := sign(t, url, tt.method, tt.path, tt.key, tt.header, body)
		if status != tt.status || !strings.Contains(text, tt.text) {
			t.Errorf("%d: %s %s %v: %d %q; want %d with %q", i, tt.method, tt.path, tt.header, status, text, tt.status, tt.text)
		}
		if status >= 400 && tt.method != "HEAD" && header.Get("Content-Type") != "application/xml" {
			t.Errorf("%d: %s %s: an error of type %q", i, tt.method, tt.path, header.Get("Content-Type"))
		}
	}
	// A bucket that is added later is there at once.
	late := Key{"late000123456789", "late's secret"}
	if err := s.Add(Bucket{Name: "late-one", Read: late}); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := sign(t, url, "GET", "/late-one?list-type=2", late, nil, ""); status != 200 {
		t.Errorf("the list of a bucket added later: %d", status)
	}
}

func TestAdd(t *testing.T) {
	s, _ := start(t, t.TempDir(), Options{})
	for _, b := range []Bucket{
		{Name: "tmp"},
		{Name: ""},
		{Name: "../x"},
		{Name: "UPPER"},
		{Name: "short-key", Read: Key{"short", "x"}},
		{Name: "no-secret", Read: Key{"reader0000000000", ""}},
		{Name: "two-secrets", Read: Key{reader.Access, "another"}},
	} {
		if err := s.Add(b); err == nil {
			t.Errorf("Add(%+v) succeeded", b)
		}
	}
	if err := s.Add(Bucket{Name: "shared", Read: reader, Write: writer}); err != nil {
		t.Errorf("a key for two buckets: %v", err)
	}
}

// Lists with a delimiter, page by page.
func TestDelimiter(t *testing.T) {
	t.Parallel()
	_, url := start(t, t.TempDir(), Options{})
	c := client(t, url, writer)
	for _, key := range []string{"a", "b/1", "b/2", "b/c/3", "c", "d/1"} {
		if _, err := c.Client.PutObject(t.Context(), "gradients", key, strings.NewReader("x"), 1, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ prefix, want string }{
		{"", "a b/ c d/"}, {"b/", "b/1 b/2 b/c/"}, {"b", "b/"}, {"b/c/", "b/c/3"}, {"x", ""},
	} {
		for pageSize := 1; pageSize < 6; pageSize++ {
			var got []string
			for token := ""; ; {
				page, err := c.ListObjectsV2("gradients", tt.prefix, "", token, "/", pageSize)
				if err != nil {
					t.Fatal(err)
				}
				var keys []string
				for _, o := range page.Contents {
					keys = append(keys, o.Key)
				}
				for _, p := range page.CommonPrefixes {
					keys = append(keys, p.Prefix)
				}
				if len(keys) > pageSize {
					t.Errorf("a page of %d holds %q", pageSize, keys)
				}
				got = append(got, keys...)
				if token = page.NextContinuationToken; !page.IsTruncated {
					break
				}
			}
			if fmt.Sprint(sorted(got)) != fmt.Sprint(strings.Fields(tt.want)) {
				t.Errorf("%q in pages of %d: %q, want %s", tt.prefix, pageSize, got, tt.want)
			}
		}
	}
}

// Uploads in parts that are not as they should be.
func TestParts(t *testing.T) {
	t.Parallel()
	_, url := start(t, t.TempDir(), Options{MaxObject: 12 << 20})
	c := client(t, url, writer)
	id, err := c.NewMultipartUpload(t.Context(), "gradients", "m", minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	part := func(n, size int) minio.CompletePart {
		t.Helper()
		p, err := c.PutObjectPart(t.Context(), "gradients", "m", id, n, bytes.NewReader(noise(size)), int64(size), minio.PutObjectPartOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return minio.CompletePart{PartNumber: n, ETag: p.ETag}
	}
	first, second, third, tiny, last := part(1, 5<<20), part(2, 5<<20), part(3, 5<<20), part(4, 10), part(5, 10)
	for _, tt := range []struct {
		marker, max int
		want        string
	}{{0, 100, "1 2 3 4 5"}, {0, 2, "1 2+"}, {2, 2, "3 4+"}, {4, 2, "5"}, {5, 2, ""}, {99999, 2, ""}} {
		list, err := c.ListObjectParts(t.Context(), "gradients", "m", id, tt.marker, tt.max)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range list.ObjectParts {
			got = append(got, fmt.Sprint(p.PartNumber))
		}
		text := strings.Join(got, " ")
		if list.IsTruncated {
			text += "+"
		}
		if text != tt.want {
			t.Errorf("parts after %d, at most %d: %q, want %q", tt.marker, tt.max, text, tt.want)
		}
	}
	end := func(parts ...minio.CompletePart) string {
		_, err := c.CompleteMultipartUpload(t.Context(), "gradients", "m", id, parts, minio.PutObjectOptions{})
		return minio.ToErrorResponse(err).Code
	}
	for _, tt := range []struct {
		parts []minio.CompletePart
		want  string
	}{
		{[]minio.CompletePart{second, first}, "InvalidPartOrder"},
		{[]minio.CompletePart{first, first}, "InvalidPartOrder"},
		{[]minio.CompletePart{first, {PartNumber: 7, ETag: first.ETag}}, "InvalidPart"},
		{[]minio.CompletePart{first, {PartNumber: 2, ETag: "0"}}, "InvalidPart"},
		{[]minio.CompletePart{first, tiny, last}, "EntityTooSmall"},
		{[]minio.CompletePart{first, second, third}, "EntityTooLarge"},
	} {
		if got := end(tt.parts...); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.parts, got, tt.want)
		}
	}
	if got := end(first, second); got != "" {
		t.Fatal(got)
	}
	if data, _, err := read(t, c, "m"); err != nil || !bytes.Equal(data, append(noise(5<<20), noise(5<<20)...)) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if got := end(first, second); got != "NoSuchUpload" {
		t.Errorf("ended twice: %s", got)
	}
}

// The clock of a store may be another than this computer's.
func TestClock(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-10 * time.Minute)
	_, url := start(t, t.TempDir(), Options{Now: func() time.Time { return at }})
	status, _, header := sign(t, url, "PUT", "/gradients/a", writer, nil, "x")
	want := at.UTC().Truncate(time.Second).Format(http.TimeFormat)
	if status != 200 || header.Get("Date") != want {
		t.Errorf("PUT: %d at %s, want %s", status, header.Get("Date"), want)
	}
	if _, _, header := sign(t, url, "HEAD", "/gradients/a", reader, nil, ""); header.Get("Last-Modified") != want {
		t.Errorf("Last-Modified %s, want %s", header.Get("Last-Modified"), want)
	}
}
