package s3_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"adit/internal/exchange/s3"
	"adit/internal/exchange/storetest"
	local "adit/internal/local/s3"
	"adit/internal/subnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	writer = local.Key{Access: "writer0123456789", Secret: "writer's secret"}
	reader = local.Key{Access: "reader0123456789", Secret: "reader's secret"}
)

// smallParts makes uploads in parts of what tests can afford.
const smallParts = 64 << 10

// A server is the local network's store, with what a test puts in front of it.
type server struct {
	store *local.Store
	url   string
	// front, if set, sees requests first; false lets them through.
	front func(w http.ResponseWriter, r *http.Request) bool
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.front == nil || !s.front(w, r) {
		s.store.ServeHTTP(w, r)
	}
}

func serve(t *testing.T, opts local.Options) *server {
	t.Helper()
	opts.Buckets = append(opts.Buckets, local.Bucket{Name: "gradients", Read: reader, Write: writer})
	opts.MinPart, opts.Unsynced = smallParts, true
	if opts.Emit == nil {
		opts.Emit = func(e subnet.Event) {
			if e.Kind == "bucket fault" {
				t.Errorf("%s", e.Text)
			}
		}
	}
	store, err := local.Open(t.TempDir(), opts)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{store: store}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.url = h.URL
	return s
}

// open opens the bucket with a key.
func open(t *testing.T, url string, key local.Key) *s3.Bucket {
	t.Helper()
	return openWith(t, subnet.BucketAddress{Endpoint: url, Name: "gradients", AccessKey: key.Access, SecretKey: key.Secret}, s3.Options{})
}

func openWith(t *testing.T, addr subnet.BucketAddress, opts s3.Options) *s3.Bucket {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	opts.Attempts, opts.Backoff = 3, time.Millisecond
	opts.Transport, opts.PartSize = transport, smallParts
	b, err := s3.Open(addr, opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.RunBucket(t, storetest.BucketKind{Large: 2 * smallParts}, func(t *testing.T) func() subnet.Bucket {
		s := serve(t, local.Options{})
		return func() subnet.Bucket {
			transport := &http.Transport{MaxIdleConnsPerHost: 16}
			t.Cleanup(transport.CloseIdleConnections)
			b, err := s3.Open(subnet.BucketAddress{Endpoint: s.url, Name: "gradients", AccessKey: writer.Access, SecretKey: writer.Secret},
				s3.Options{Transport: transport, PartSize: smallParts})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	})
}

func TestOpen(t *testing.T) {
	for _, addr := range []subnet.BucketAddress{
		{Name: "gradients"},
		{Endpoint: "http://127.0.0.1:9000", Name: "gradients"},
		{Endpoint: "http://127.0.0.1:9000/", Name: "gradients", AccessKey: "a", SecretKey: "b"},
		{Endpoint: "https://" + strings.Repeat("0a", 16) + ".r2.cloudflarestorage.com", Name: strings.Repeat("0a", 16), Region: "ENAM"},
	} {
		if _, err := s3.Open(addr, s3.Options{}); err != nil {
			t.Errorf("Open(%v): %v", addr, err)
		}
	}
	for _, addr := range []subnet.BucketAddress{
		{},
		{Endpoint: "127.0.0.1:9000", Name: "gradients"},
		{Endpoint: "ftp://127.0.0.1", Name: "gradients"},
		{Endpoint: "https://user:pw@example.org", Name: "gradients"},
		{Endpoint: "https://example.org/gradients", Name: "gradients"},
		{Endpoint: "https://example.org?x=y", Name: "gradients"},
		{Endpoint: "https://example.org", Name: "a/b"},
		{Endpoint: "https://example.org", Name: "Gradients"},
		{Endpoint: "https://example.org", Name: "../x"},
		{Endpoint: "https://example.org", Name: "gradients", AccessKey: "a"},
		{Endpoint: "https://example.org", Name: "gradients", SecretKey: "a"},
	} {
		if _, err := s3.Open(addr, s3.Options{}); err == nil {
			t.Errorf("Open(%+v) succeeded", addr)
		}
	}
}

// What is wrong with keys, region or clock is said in words that help.
func TestRefused(t *testing.T) {
	t.Parallel()
	off := 10 * time.Minute
	slow := serve(t, local.Options{Now: func() time.Time { return time.Now().Add(-off) }})
	wrong := serve(t, local.Options{Now: func() time.Time { return time.Now().Add(-time.Hour) }})
	usual := serve(t, local.Options{Buckets: []local.Bucket{{Name: "others", Read: local.Key{Access: "others0123456789", Secret: "x"}}}})
	put := func(b *s3.Bucket) error {
		_, err := b.Put(t.Context(), "a", storetest.NewFile("a", []byte("a")), false)
		return err
	}
	stat := func(b *s3.Bucket) error { _, err := b.Stat(t.Context(), "a"); return err }
	list := func(b *s3.Bucket) error { _, err := b.List(t.Context(), "", "", 5); return err }
	at := func(name string, key local.Key) subnet.BucketAddress {
		return subnet.BucketAddress{Endpoint: usual.url, Name: name, AccessKey: key.Access, SecretKey: key.Secret}
	}
	if err := put(open(t, usual.url, writer)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		addr subnet.BucketAddress
		do   func(*s3.Bucket) error
		kind error
		text string
		hint string
	}{
		{"unknown key", at("gradients", local.Key{Access: "nobody0123456789", Secret: "x"}), put, subnet.ErrDenied, "InvalidAccessKeyId", "does not know the access key"},
		{"wrong secret", at("gradients", local.Key{Access: writer.Access, Secret: "x"}), put, subnet.ErrDenied, "SignatureDoesNotMatch", "copied whole"},
		{"wrong secret, asking", at("gradients", local.Key{Access: writer.Access, Secret: "x"}), stat, subnet.ErrDenied, "SignatureDoesNotMatch", "copied whole"},
		{"wrong secret, listing", at("gradients", local.Key{Access: writer.Access, Secret: "x"}), list, subnet.ErrDenied, "SignatureDoesNotMatch", "copied whole"},
		{"a reader who writes", at("gradients", reader), put, subnet.ErrDenied, "AccessDenied", "a reading key cannot write"},
		{"a reader who removes", at("gradients", reader), func(b *s3.Bucket) error { return b.Remove(t.Context(), "a") }, subnet.ErrDenied, "AccessDenied", "a reading key cannot write"},
		{"a reader who removes two", at("gradients", reader), func(b *s3.Bucket) error { return b.Remove(t.Context(), "a", "b") }, subnet.ErrDenied, "AccessDenied", "a reading key cannot write"},
		{"another's bucket", at("others", writer), stat, subnet.ErrDenied, "AccessDenied", ""},
		{"a stranger", at("gradients", local.Key{}), stat, subnet.ErrDenied, "AccessDenied", "not open to strangers"},
		{"no such bucket", at("nothing-here", writer), put, subnet.ErrNotFound, "NoSuchBucket", "name of the bucket"},
		{"no such bucket, listing", at("nothing-here", writer), list, subnet.ErrNotFound, "NoSuchBucket", "name of the bucket"},
		{"a wrong clock", subnet.BucketAddress{Endpoint: wrong.url, Name: "gradients", AccessKey: writer.Access, SecretKey: writer.Secret}, stat, nil, "RequestTimeTooSkewed", "ahead of the store's"},
	} {
		err := tt.do(openWith(t, tt.addr, s3.Options{}))
		if err == nil || tt.kind != nil && !errors.Is(err, tt.kind) || errors.Is(err, subnet.ErrTemporary) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v; want %v with %q", tt.name, err, tt.kind, tt.text)
		}
		if !strings.Contains(subnet.Hint(err), tt.hint) {
			t.Errorf("%s: hint %q, want %q", tt.name, subnet.Hint(err), tt.hint)
		}
		if err != nil && tt.addr.SecretKey != "" && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), tt.addr.AccessKey)) {
			t.Errorf("%s: %v tells of the keys", tt.name, err)
		}
	}
	// A clock that is ten minutes off is taken, and time goes by the store's.
	b := open(t, slow.url, writer)
	o, err := b.Put(t.Context(), "a", storetest.NewFile("a", []byte("a")), false)
	if err != nil {
		t.Fatal(err)
	}
	clock, err := b.Clock(t.Context())
	if err != nil || time.Since(clock).Round(time.Minute) != off || time.Since(o.Modified).Round(time.Minute) != off {
		t.Errorf("a store whose clock is %v late: it is %v, and the object of %v; %v", off, clock, o.Modified, err)
	}
	if _, err := open(t, wrong.url, writer).Clock(t.Context()); err != nil {
		t.Errorf("the clock of a store that refuses us: %v", err)
	}
}

// What a foreign store says is not believed blindly.
func TestRegionHint(t *testing.T) {
	t.Parallel()
	s := serve(t, local.Options{})
	s.front = func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusBadRequest)
		w.Write([]byte(`<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region is wrong</Message><Region>eu-west-3</Region></Error>`))
		return true
	}
	_, err := open(t, s.url, writer).Stat(t.Context(), "a")
	if err == nil || !strings.Contains(subnet.Hint(err), "eu-west-3") {
		t.Errorf("Stat in a wrong region: %v, hint %q", err, subnet.Hint(err))
	}
}

// TestPublic shows what is put to everybody, where the store can do that, and puts it
// all the same where objects may not say so.
func TestPublic(t *testing.T) {
	t.Parallel()
	for _, size := range []int{5000, 3 * smallParts} {
		for _, silent := range []bool{false, true} {
			s := serve(t, local.Options{})
			asked := 0
			s.front = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Header.Get("X-Amz-Acl") == "" {
					return false
				}
				asked++
				if silent {
					answer(http.StatusBadRequest, "AccessControlListNotSupported")(s, w, r)
				}
				return silent
			}
			data := storetest.Noise(1, size)
			b := openWith(t, subnet.BucketAddress{Endpoint: s.url, Name: "gradients", AccessKey: writer.Access, SecretKey: writer.Secret, Public: true}, s3.Options{})
			var o subnet.Object
			for range 2 {
				var err error
				if o, err = b.Put(t.Context(), "a", storetest.NewFile("a", data), false); err != nil {
					t.Fatal(err)
				}
			}
			if want := map[bool]int{false: 2, true: 1}[silent]; asked != want {
				t.Errorf("%d bytes: the store was asked %d times to show them, want %d", size, asked, want)
			}
			stranger := openWith(t, subnet.BucketAddress{Endpoint: s.url, Name: "gradients"}, s3.Options{})
			var d storetest.Draft
			err := stranger.Get(t.Context(), o, &d, int64(size))
			if silent && !errors.Is(err, subnet.ErrDenied) || !silent && (err != nil || string(d.Bytes()) != string(data)) {
				t.Errorf("%d bytes, silent %v: a stranger's Get: %v", size, silent, err)
			}
		}
	}
}

func TestStranger(t *testing.T) {
	t.Parallel()
	s := serve(t, local.Options{Buckets: []local.Bucket{{Name: "open-to-all", Write: writer, Public: true}}})
	data := storetest.Noise(1, 5000)
	w := openWith(t, subnet.BucketAddress{Endpoint: s.url, Name: "open-to-all", AccessKey: writer.Access, SecretKey: writer.Secret}, s3.Options{})
	o, err := w.Put(t.Context(), "a", storetest.NewFile("a", data), false)
	if err != nil {
		t.Fatal(err)
	}
	b := openWith(t, subnet.BucketAddress{Endpoint: s.url, Name: "open-to-all"}, s3.Options{})
	var d storetest.Draft
	if err := b.Get(t.Context(), o, &d, 5000); err != nil || string(d.Bytes()) != string(data) {
		t.Errorf("a stranger's Get: %v", err)
	}
	if list, err := b.List(t.Context(), "", "", 5); err != nil || len(list) != 1 {
		t.Errorf("a stranger's List: %v, %v", list, err)
	}
	if _, err := b.Put(t.Context(), "b", storetest.NewFile("b", data), false); !errors.Is(err, subnet.ErrDenied) {
		t.Errorf("a stranger's Put: %v, want ErrDenied", err)
	}
}
