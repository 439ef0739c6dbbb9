package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"adit/internal/exchange/s3"
	"adit/internal/exchange/storetest"
	local "adit/internal/local/s3"
	"adit/internal/subnet"
)

// A fault spoils requests of one kind, the first few of them or, with a negative
// number, all.
type fault struct {
	of    func(r *http.Request) bool
	first int64
	spoil func(s *server, w http.ResponseWriter, r *http.Request)

	met  atomic.Int64
	over atomic.Bool
}

func (f *fault) install(s *server) {
	s.front = func(w http.ResponseWriter, r *http.Request) bool {
		if f.over.Load() || !f.of(r) {
			return false
		}
		if n := f.met.Add(1); f.first >= 0 && n > f.first {
			return false
		}
		f.spoil(s, w, r)
		return true
	}
}

func method(m string, params ...string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		for _, p := range params {
			if !r.URL.Query().Has(p) {
				return false
			}
		}
		return r.Method == m
	}
}

func download(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Count(r.URL.Path, "/") == 2
}

func answer(status int, code string, header ...string) func(*server, http.ResponseWriter, *http.Request) {
	return func(_ *server, w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>on purpose</Message></Error>", code)
		}
	}
}

// change lets the store answer, and sends what edit makes of the body.
func change(edit func(body []byte) []byte) func(*server, http.ResponseWriter, *http.Request) {
	return func(s *server, w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		s.store.ServeHTTP(rec, r)
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		body := edit(rec.Body.Bytes())
		w.Header().Set("Content-Length", strconv.Itoa(rec.Body.Len()))
		w.WriteHeader(rec.Code)
		w.Write(body)
		if len(body) < rec.Body.Len() {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
}

// lost lets the store do what is asked, and loses its answer.
func lost(s *server, _ http.ResponseWriter, r *http.Request) {
	s.store.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

func hangUp(_ *server, _ http.ResponseWriter, r *http.Request) {
	io.CopyN(io.Discard, r.Body, 1000)
	panic(http.ErrAbortHandler)
}

// stallAt sends a part of the body and then nothing, until the client has enough.
func stallAt(percent int) func(*server, http.ResponseWriter, *http.Request) {
	return func(s *server, w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		s.store.ServeHTTP(rec, r)
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes()[:rec.Body.Len()*percent/100])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

// Every way in which a store may fail for a while, in every kind of request:
// it is tried again, and all is well; or it does not end, and what was there stays.
func TestFaults(t *testing.T) {
	t.Parallel()
	small, large := storetest.Noise(1, 30_000), storetest.Noise(2, 5*smallParts/2+1)
	before := []byte("what was there before")
	put := func(data []byte, once bool) func(*testing.T, *s3.Bucket) error {
		return func(t *testing.T, b *s3.Bucket) error {
			key := "m.pt"
			if once {
				key = "new.pt"
			}
			o, err := b.Put(t.Context(), key, storetest.NewFile("m", data), once)
			if err == nil && o.Size != int64(len(data)) {
				t.Errorf("Put = %+v", o)
			}
			return err
		}
	}
	ops := map[string]struct {
		of    func(*http.Request) bool
		run   func(*testing.T, *s3.Bucket) error
		sends bool // and the body of the answer matters little
		head  bool // the answer has no body
	}{
		"put":             {method("PUT"), put(small, false), true, false},
		"put once":        {method("PUT"), put(small, true), true, false},
		"begin parts":     {method("POST", "uploads"), put(large, false), true, false},
		"put a part":      {method("PUT", "partNumber"), put(large, false), true, false},
		"end parts":       {method("POST", "uploadId"), put(large, false), true, false},
		"end parts, once": {method("POST", "uploadId"), put(large, true), true, false},
		"stat": {method("HEAD"), func(t *testing.T, b *s3.Bucket) error {
			o, err := b.Stat(t.Context(), "m.pt")
			if err == nil && o.Size != int64(len(before)) {
				t.Errorf("Stat = %+v", o)
			}
			return err
		}, false, true},
		"get": {download, func(t *testing.T, b *s3.Bucket) error {
			var d storetest.Draft
			err := b.Get(t.Context(), subnet.Object{Key: "m.pt"}, &d, 100)
			if err == nil && !bytes.Equal(d.Bytes(), before) {
				t.Errorf("Get = %q", d.Bytes())
			}
			return err
		}, false, false},
		"list": {method("GET", "list-type"), func(t *testing.T, b *s3.Bucket) error {
			list, err := b.List(t.Context(), "m", "", 5)
			if err == nil && (len(list) != 1 || list[0].Key != "m.pt") {
				t.Errorf("List = %v", list)
			}
			return err
		}, false, false},
		"remove":       {method("DELETE"), func(t *testing.T, b *s3.Bucket) error { return b.Remove(t.Context(), "other") }, true, false},
		"remove three": {method("POST", "delete"), func(t *testing.T, b *s3.Bucket) error { return b.Remove(t.Context(), "other", "a", "b") }, false, false},
		"clock":        {method("HEAD"), func(t *testing.T, b *s3.Bucket) error { _, err := b.Clock(t.Context()); return err }, false, true},
	}
	faults := map[string]func(*server, http.ResponseWriter, *http.Request){
		"500":      answer(500, "InternalError"),
		"503":      answer(503, "SlowDown"),
		"429":      answer(429, "TooManyRequests", "Retry-After", "0"),
		"hang-up":  hangUp,
		"lost":     lost,
		"garbage":  answer(502, "<<<<"),
		"conflict": answer(409, "OperationAborted"),
		"cut":      change(func(body []byte) []byte { return body[:len(body)/2] }),
	}
	// Many at once, whatever the number of cores: they do little but wait.
	var g errgroup.Group
	g.SetLimit(24)
	for opName, op := range ops {
		for faultName, spoil := range faults {
			if op.head && (faultName == "cut" || faultName == "conflict") || op.sends && faultName == "cut" ||
				opName == "clock" && faultName == "429" {
				continue // there is no body to cut, and no conflict; and a date is a date
			}
			for _, first := range []int64{1, -1} {
				g.Go(func() error {
					name := fmt.Sprintf("%s/%s/%d", opName, faultName, first)
					s := serve(t, local.Options{})
					b := open(t, s.url, writer)
					if err := put(before, false)(t, b); err != nil {
						return fmt.Errorf("%s: %w", name, err)
					}
					f := fault{of: op.of, first: first, spoil: spoil}
					f.install(s)
					err := op.run(t, b)
					if first > 0 && err != nil {
						t.Errorf("%s: %v", name, err)
					}
					if first < 0 && !errors.Is(err, subnet.ErrTemporary) {
						t.Errorf("%s: %v, want ErrTemporary", name, err)
					}
					if n := f.met.Load(); n < 1 || n > 40 {
						t.Errorf("%s: it was tried %d times", name, n)
					}
					f.over.Store(true)
					if first < 0 && faultName != "lost" {
						var d storetest.Draft
						if err := b.Get(t.Context(), subnet.Object{Key: "m.pt"}, &d, 100); err != nil || !bytes.Equal(d.Bytes(), before) {
							t.Errorf("%s: what was there is %d bytes, %v", name, d.Size(), err)
						}
						if err := op.run(t, b); err != nil {
							t.Errorf("%s: afterwards: %v", name, err)
						}
					}
					return nil
				})
			}
		}
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// A download that is disturbed in its middle.
func TestDisturbed(t *testing.T) {
	t.Parallel()
	data := storetest.Noise(1, 3*smallParts)
	flip := func(body []byte) []byte { body = bytes.Clone(body); body[len(body)/2] ^= 1; return body }
	for _, parts := range []bool{false, true} {
		single := int64(len(data))
		if parts {
			single = smallParts
		}
		for _, tt := range []struct {
			name    string
			first   int64
			spoil   func(*server, http.ResponseWriter, *http.Request)
			kind    error  // nil for success
			text    string // of the error
			written int    // bytes written in all
		}{
			{"cut once", 1, change(func(b []byte) []byte { return b[:len(b)/3] }), nil, "", len(data)},
			{"cut thrice", 3, change(func(b []byte) []byte { return b[:len(b)/2] }), nil, "", len(data)},
			{"nothing comes", -1, change(func(b []byte) []byte { return nil }), subnet.ErrTemporary, "EOF", 0},
			{"stall at 99%", 1, stallAt(99), nil, "", len(data)},
			{"stall at 0%", 1, stallAt(0), nil, "", len(data)},
			{"a wrong bit", 1, change(flip), nil, "", 2 * len(data)},
			{"wrong bits without an end", -1, change(flip), nil, "not those that the store's digest says", 2 * len(data)},
			{"403", -1, answer(403, "AccessDenied"), subnet.ErrDenied, "AccessDenied", 0},
		} {
			t.Run(fmt.Sprintf("%s/parts=%v", tt.name, parts), func(t *testing.T) {
				t.Parallel()
				s := serve(t, local.Options{})
				opts := s3.Options{Single: single}
				if strings.HasPrefix(tt.name, "stall") {
					opts.Stall = 500 * time.Millisecond
				}
				b := openWith(t, subnet.BucketAddress{Endpoint: s.url, Name: "gradients", AccessKey: writer.Access, SecretKey: writer.Secret}, opts)
				o, err := b.Put(t.Context(), "m.pt", storetest.NewFile("m", data), false)
				if err != nil || strings.Contains(o.ETag, "-") != parts {
					t.Fatal(o, err)
				}
				f := fault{of: download, first: tt.first, spoil: tt.spoil}
				f.install(s)
				var d storetest.Draft
				err = b.Get(t.Context(), o, &d, 1<<20)
				if tt.kind == nil && tt.text == "" {
					if err != nil || !bytes.Equal(d.Bytes(), data) {
						t.Errorf("Get: %v with %d bytes", err, d.Size())
					}
				} else if tt.kind != nil && !errors.Is(err, tt.kind) || tt.kind != subnet.ErrTemporary && errors.Is(err, subnet.ErrTemporary) || err == nil || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("Get: %v, want %v with %q", err, tt.kind, tt.text)
				}
				if d.Written() != tt.written {
					t.Errorf("%d bytes were written, want %d", d.Written(), tt.written)
				}
				if err != nil && d.Size() != 0 {
					t.Errorf("%d bytes were left that are not good", d.Size())
				}
			})
		}
	}
}

// An object that is replaced while somebody downloads it is not put together of
// two versions, whatever the store thinks of If-Match.
func TestReplacedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, heeds := range []bool{true, false} {
		t.Run(fmt.Sprintf("heeds If-Match=%v", heeds), func(t *testing.T) {
			t.Parallel()
			s := serve(t, local.Options{})
			b := open(t, s.url, writer)
			old, next := storetest.Noise(1, 100_000), storetest.Noise(2, 100_000)
			o, err := b.Put(t.Context(), "m.pt", storetest.NewFile("m", old), false)
			if err != nil {
				t.Fatal(err)
			}
			var gets atomic.Int64
			s.front = func(w http.ResponseWriter, r *http.Request) bool {
				if !download(r) {
					return false
				}
				if !heeds {
					r.Header.Del("If-Match") // it is signed: this is a store of another mind
					r.Header.Del("Authorization")
				}
				if gets.Add(1) > 1 {
					return false
				}
				change(func(b []byte) []byte { return b[:len(b)/2] })(&server{store: s.store}, overwriting{w, func() {
					if _, err := open(t, s.url, writer).Put(t.Context(), "m.pt", storetest.NewFile("m", next), false); err != nil {
						t.Error(err)
					}
				}}, r)
				return true
			}
			if !heeds {
				if err := s.store.Add(local.Bucket{Name: "gradients", Read: reader, Write: writer, Public: true}); err != nil {
					t.Fatal(err)
				}
			}
			var d storetest.Draft
			err = b.Get(t.Context(), o, &d, 1<<20)
			if !errors.Is(err, subnet.ErrChanged) || errors.Is(err, subnet.ErrTemporary) {
				t.Errorf("Get: %v, want ErrChanged", err)
			}
			if int(d.Size()) > len(old) || !bytes.Equal(d.Bytes(), old[:d.Size()]) {
				t.Errorf("the draft holds %d bytes of something else", d.Size())
			}
			if err := b.Get(t.Context(), subnet.Object{Key: "m.pt"}, &d, 1<<20); err != nil || !bytes.Equal(d.Bytes(), next) {
				t.Errorf("Get of the new version over the beginning of the old: %v", err)
			}
		})
	}
}

// overwriting calls then before the end of an answer.
type overwriting struct {
	http.ResponseWriter
	then func()
}

func (o overwriting) Flush() {
	o.ResponseWriter.(http.Flusher).Flush()
	o.then()
}

// A 403 in the middle of a download loses nothing of it.
func TestDeniedMeanwhile(t *testing.T) {
	t.Parallel()
	s := serve(t, local.Options{})
	b := open(t, s.url, writer)
	data := storetest.Noise(1, 100_000)
	o, err := b.Put(t.Context(), "m.pt", storetest.NewFile("m", data), false)
	if err != nil {
		t.Fatal(err)
	}
	var gets atomic.Int64
	s.front = func(w http.ResponseWriter, r *http.Request) bool {
		if !download(r) {
			return false
		}
		if gets.Add(1) == 1 {
			change(func(b []byte) []byte { return b[:70_000] })(s, w, r)
		}
		answer(403, "AccessDenied")(s, w, r)
		return true
	}
	var d storetest.Draft
	if err := b.Get(t.Context(), o, &d, 1<<20); !errors.Is(err, subnet.ErrDenied) || d.Size() != 70_000 {
		t.Errorf("Get: %v with %d bytes, want ErrDenied with 70000", err, d.Size())
	}
	s.front = nil
	if err := b.Get(t.Context(), o, &d, 1<<20); err != nil || !bytes.Equal(d.Bytes(), data) || d.Written() != len(data) {
		t.Errorf("Get, allowed again: %v with %d bytes, %d written", err, d.Size(), d.Written())
	}
}

// A store that forgets an upload in its middle, as one that was restarted.
func TestForgottenUpload(t *testing.T) {
	t.Parallel()
	s := serve(t, local.Options{})
	b := open(t, s.url, writer)
	data := storetest.Noise(1, 5*smallParts)
	f := fault{of: method("PUT", "partNumber"), first: 2, spoil: answer(404, "NoSuchUpload")}
	f.install(s)
	if _, err := b.Put(t.Context(), "m.pt", storetest.NewFile("m", data), true); err != nil {
		t.Fatal(err)
	}
	var d storetest.Draft
	if err := b.Get(t.Context(), subnet.Object{Key: "m.pt"}, &d, 1<<20); err != nil || !bytes.Equal(d.Bytes(), data) {
		t.Errorf("Get: %v", err)
	}
}

// Who is asked to wait waits.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	s := serve(t, local.Options{})
	f := fault{of: method("HEAD"), first: 1, spoil: answer(503, "SlowDown", "Retry-After", "1")}
	f.install(s)
	began := time.Now()
	if _, err := open(t, s.url, writer).Stat(t.Context(), "m.pt"); !errors.Is(err, subnet.ErrNotFound) {
		t.Error(err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("asked to wait for a second, it took %v", took)
	}
}

// A bucket with a million keys costs what is asked of it.
func TestMillionKeys(t *testing.T) {
	t.Parallel()
	const keys = 1_000_000
	var asked []string
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		from, n := 0, 1000
		if a := q.Get("start-after") + q.Get("continuation-token"); a != "" {
			fmt.Sscanf(a, "gradient-%d", &from)
			from++
		}
		fmt.Sscan(q.Get("max-keys"), &n)
		asked = append(asked, q.Get("max-keys"))
		fmt.Fprintf(w, "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>gradient-%07d</NextContinuationToken>", from+n-1)
		for i := from; i < min(from+n, keys); i++ {
			fmt.Fprintf(w, "<Contents><Key>gradient-%07d</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;0&quot;</ETag><Size>1</Size></Contents>", i)
		}
		fmt.Fprint(w, "</ListBucketResult>")
	}))
	defer h.Close()
	b := open(t, h.URL, reader)
	for _, tt := range []struct {
		max  int
		want string
	}{{64, "[64]"}, {2500, "[1000 1000 500]"}} {
		asked = nil
		list, err := b.List(t.Context(), "gradient-", "gradient-0500000", tt.max)
		if err != nil || len(list) != tt.max || list[0].Key != "gradient-0500001" || list[tt.max-1].Key != fmt.Sprintf("gradient-%07d", 500_000+tt.max) {
			t.Errorf("List of %d: %d, %v", tt.max, len(list), err)
		}
		if got := fmt.Sprint(asked); got != tt.want {
			t.Errorf("List of %d asked for %s keys, want %s", tt.max, got, tt.want)
		}
	}
}

// Stores that mean harm.
func TestHostile(t *testing.T) {
	t.Parallel()
	list := func(keys ...string) string {
		body := "<ListBucketResult><IsTruncated>false</IsTruncated>"
		for _, k := range keys {
			body += "<Contents><Key>" + k + "</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>0</ETag><Size>1</Size></Contents>"
		}
		return body + "</ListBucketResult>"
	}
	for name, tt := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		text   string
	}{
		"out of order": {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, list("a/2", "a/1")) }, "with \"a/1\" in it"},
		"twice":        {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, list("a/1", "a/1")) }, "with \"a/1\" in it"},
		"of another's": {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, list("b/1")) }, "with \"b/1\" in it"},
		"not XML":      {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }, "temporary"},
		"without an end": {func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "<ListBucketResult>")
			for junk := strings.Repeat("<x>y</x>", 8000); ; {
				if _, err := io.WriteString(w, junk); err != nil {
					return
				}
			}
		}, "larger than"},
		"an error without an end": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			for junk := strings.Repeat("x", 64000); ; {
				if _, err := io.WriteString(w, junk); err != nil {
					return
				}
			}
		}, "400"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/elsewhere", http.StatusTemporaryRedirect)
		}, "307"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := httptest.NewServer(http.HandlerFunc(tt.answer))
			defer h.Close()
			got, err := open(t, h.URL, reader).List(t.Context(), "a/", "", 10)
			if err == nil || got != nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("List = %v, %v; want an error with %q", got, err, tt.text)
			}
			if len(fmt.Sprint(err)) > 1000 {
				t.Errorf("the error has %d bytes", len(fmt.Sprint(err)))
			}
		})
	}
}

// Nothing that a failed upload has brought stays behind.
func TestAborted(t *testing.T) {
	t.Parallel()
	s := serve(t, local.Options{})
	var aborts atomic.Int64
	s.front = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete {
			aborts.Add(1)
		}
		if r.URL.Query().Get("partNumber") == "3" {
			answer(403, "AccessDenied")(s, w, r)
			return true
		}
		return false
	}
	b := open(t, s.url, writer)
	if _, err := b.Put(t.Context(), "m.pt", storetest.NewFile("m", storetest.Noise(1, 6*smallParts)), false); !errors.Is(err, subnet.ErrDenied) {
		t.Errorf("Put: %v, want ErrDenied", err)
	}
	if aborts.Load() != 1 {
		t.Errorf("the upload was aborted %d times", aborts.Load())
	}
	if _, err := b.Stat(t.Context(), "m.pt"); !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("Stat: %v, want ErrNotFound", err)
	}
}
