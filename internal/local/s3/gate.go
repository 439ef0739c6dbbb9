package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"hash"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rclone/gofakes3"
)

// A refusal is an answer that is an error.
type refusal struct {
	status int
	code   string
	text   string
}

func (e *refusal) Error() string { return e.code + ": " + e.text }

var (
	denied       = &refusal{http.StatusForbidden, "AccessDenied", "Access Denied"}
	noBucket     = &refusal{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
	absent       = &refusal{http.StatusNotImplemented, "NotImplemented", "This object store does not have what is asked for."}
	precondition = &refusal{http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"}
	tooLarge     = &refusal{http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"}
	badKey       = &refusal{http.StatusBadRequest, "InvalidArgument", "This object store takes no keys that begin or end with a slash."}
	wrongBody    = &refusal{http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."}
)

// A request is what the backend must know of a request, and gofakes3 does not
// tell it; and what it has to say that gofakes3 cannot.
type request struct {
	who         grant
	ifMatch     string // an ETag without quotation marks, "*" for any, or ""
	ifNoneMatch string // "*" or "", of uploads
	public      bool   // uploads: anybody may get it

	etag    string   // of the answer
	refused *refusal // replaces the answer
}

type requestKey struct{}

// of returns the request that ctx belongs to.
func of(ctx context.Context) *request {
	r, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return new(request) // unreachable: every request comes through the gate
	}
	return r
}

// refuse makes e the answer.
func refuse(ctx context.Context, e *refusal) error {
	of(ctx).refused = e
	return e
}

// ServeHTTP implements [http.Handler].
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().Format(http.TimeFormat))
	who, e := s.authenticate(r)
	if e != nil {
		writeRefusal(w, r, e)
		return
	}
	name, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	req := &request{
		who:     who,
		ifMatch: strings.Trim(r.Header.Get("If-Match"), `"`),
		public:  r.Header.Get("X-Amz-Acl") == "public-read",
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		req.ifNoneMatch = r.Header.Get("If-None-Match")
	}
	e = s.admit(req, r, name, key)
	if e == nil {
		e = s.checkBody(req, r)
	}
	if e != nil {
		writeRefusal(w, r, e)
		return
	}
	if _, acl := r.URL.Query()["acl"]; acl {
		s.serveACL(w, r, req, name, key)
		return
	}
	if id := r.URL.Query().Get("uploadId"); id != "" && r.Method == http.MethodGet {
		s.serveParts(w, r, gofakes3.UploadID(id), name, key)
		return
	}
	a := &answer{ResponseWriter: w, r: r, req: req}
	if key == "" && r.URL.Query().Get("list-type") == "2" {
		a.list = new(bytes.Buffer)
	}
	s.s3.ServeHTTP(a, r.WithContext(context.WithValue(r.Context(), requestKey{}, req)))
	a.end()
}

// The parameters with which gofakes3 does what they say. It overlooks others,
// and would take PUT ?acl for an empty object.
var (
	allParams    = []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature", "x-id"}
	listParams   = []string{"list-type", "prefix", "delimiter", "max-keys", "marker", "start-after", "continuation-token", "encoding-type", "fetch-owner", "location", "versioning"}
	objectParams = []string{"response-content-type", "response-content-language", "response-expires", "response-cache-control", "response-content-disposition", "response-content-encoding"}
)

// admit says whether a request is one that this store carries out, by somebody
// who may have it.
func (s *Store) admit(req *request, r *http.Request, name, key string) *refusal {
	var needs right
	var params []string
	switch {
	case strings.HasPrefix(key, "/") || strings.HasSuffix(key, "/"):
		return badKey // gofakes3 would cut the slash off, and mean another object
	case name == "" && r.Method == http.MethodGet: // the list of buckets
		if req.who.buckets == nil {
			return denied
		}
	case name == "":
		return absent
	case key == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		needs, params = reading, listParams
	case key == "" && r.Method == http.MethodPost:
		needs, params = writing, []string{"delete"}
		if !r.URL.Query().Has("delete") {
			return absent
		}
	case key == "":
		return denied // buckets are made by who runs the store
	case r.Method == http.MethodGet && r.URL.Query().Has("uploadId"): // the list of its parts
		needs, params = writing, []string{"uploadId", "max-parts", "part-number-marker"}
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		needs, params = reading, objectParams
	case r.Method == http.MethodPut:
		needs, params = writing, []string{"uploadId", "partNumber", "acl"}
	case r.Method == http.MethodPost:
		needs, params = writing, []string{"uploads", "uploadId"}
	case r.Method == http.MethodDelete:
		needs, params = writing, []string{"uploadId"}
	default:
		return absent
	}
	if has := s.may(req.who, name); has < needs {
		b := s.bucket(name)
		public := needs == reading && b != nil && key != "" && b.isPublic(key)
		switch {
		case public:
		case b == nil && req.who.buckets != nil:
			return noBucket
		default:
			return denied
		}
	}
	if name != "" && s.bucket(name) == nil {
		return noBucket
	}
	for p := range r.URL.Query() {
		if !slices.Contains(allParams, p) && !slices.Contains(params, p) {
			return absent
		}
	}
	switch acl := r.Header.Get("X-Amz-Acl"); {
	case r.Header.Get("X-Amz-Copy-Source") != "",
		acl != "" && acl != "private" && acl != "public-read" && acl != "bucket-owner-full-control",
		req.ifNoneMatch != "" && req.ifNoneMatch != "*":
		return absent
	}
	return nil
}

// serveACL sets who may read an object: the owner, or everybody.
func (s *Store) serveACL(w http.ResponseWriter, r *http.Request, req *request, name, key string) {
	if r.Header.Get("X-Amz-Acl") == "" {
		writeRefusal(w, r, absent) // a list of people
		return
	}
	found, err := s.bucket(name).setPublic(key, req.public)
	switch {
	case err != nil:
		s.fault("set the ACL of "+key, err)
		writeRefusal(w, r, &refusal{http.StatusInternalServerError, "InternalError", "Internal Error"})
	case !found:
		writeRefusal(w, r, &refusal{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."})
	}
}

// checkBody lets the body be no longer than allowed, and be the one that was
// signed. gofakes3 checks neither.
func (s *Store) checkBody(req *request, r *http.Request) *refusal {
	if r.ContentLength > s.opts.MaxObject+s.opts.MaxObject/8 { // chunks have frames
		return tooLarge
	}
	if n := r.Header.Get("X-Amz-Decoded-Content-Length"); n != "" {
		size, err := strconv.ParseInt(n, 10, 64)
		if err != nil || size < 0 {
			return &refusal{http.StatusBadRequest, "InvalidArgument", "x-amz-decoded-content-length is no length"}
		}
		if size > s.opts.MaxObject {
			return tooLarge
		}
	}
	sum := r.Header.Get("X-Amz-Content-Sha256")
	if sum == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" {
		return absent // it would be taken for the object itself
	}
	want, err := hex.DecodeString(sum)
	if err != nil || len(want) != sha256.Size {
		return nil // an unsigned body, or one that is signed in chunks
	}
	if r.ContentLength <= 0 {
		if empty := sha256.Sum256(nil); r.ContentLength == 0 && [sha256.Size]byte(want) != empty {
			return wrongBody
		}
		return nil
	}
	r.Body = &signedBody{ReadCloser: r.Body, req: req, left: r.ContentLength, sum: sha256.New(), want: want}
	return nil
}

// signedBody is a body of which the digest is known before.
type signedBody struct {
	io.ReadCloser
	req  *request
	left int64
	sum  hash.Hash
	want []byte
}

func (b *signedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.sum.Write(p[:n])
	// Who reads may stop at the last byte, and never see the end.
	if b.left -= int64(n); b.left == 0 && n > 0 && string(b.sum.Sum(nil)) != string(b.want) {
		b.req.refused = wrongBody
		return 0, wrongBody
	}
	return n, err
}

// answer lets the backend have its say.
type answer struct {
	http.ResponseWriter
	r     *http.Request
	req   *request
	begun bool
	mute  bool // our own answer stands in for this one
	list  *bytes.Buffer
}

func (a *answer) WriteHeader(status int) {
	if a.begun {
		return
	}
	a.begun = true
	if a.req.refused != nil {
		a.mute = true
		writeRefusal(a.ResponseWriter, a.r, a.req.refused)
		return
	}
	if status >= 400 {
		a.Header().Set("Content-Type", "application/xml")
	} else if a.req.etag != "" {
		a.Header().Set("ETag", `"`+a.req.etag+`"`)
	}
	for name, values := range a.Header() {
		// AWS gives metadata back in small letters, and Python's clients can tell.
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			delete(a.Header(), name)
			a.Header()[strings.ToLower(name)] = values
		}
	}
	if a.Header().Get("Content-Range") != "" && status == http.StatusOK {
		status = http.StatusPartialContent
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if !a.begun {
		if a.Header().Get("Content-Type") == "" && a.Header().Get("ETag") == "" {
			a.Header().Set("Content-Type", "application/xml")
		}
		a.WriteHeader(http.StatusOK)
	}
	if a.mute {
		return len(p), nil
	}
	if a.list != nil {
		return a.list.Write(p)
	}
	return a.ResponseWriter.Write(p)
}

// end sends what is left of an answer.
func (a *answer) end() {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	if a.list == nil || a.mute {
		return
	}
	// gofakes3 counts keys, unless there are none.
	const last = "</ListBucketResult>"
	if body := a.list.Bytes(); bytes.HasSuffix(body, []byte(last)) && !bytes.Contains(body, []byte("<KeyCount>")) {
		a.list.Truncate(len(body) - len(last))
		a.list.WriteString("<KeyCount>0</KeyCount>" + last)
	}
	a.ResponseWriter.Write(a.list.Bytes())
}

// writeRefusal answers with an error as S3 writes it.
func writeRefusal(w http.ResponseWriter, r *http.Request, e *refusal) {
	for _, h := range []string{"ETag", "Content-Range", "Content-Length", "Last-Modified", "Accept-Ranges"} {
		w.Header().Del(h)
	}
	w.Header().Set("Content-Type", "application/xml")
	if r.ContentLength > 0 {
		// The body has not been read, and may be long.
		w.Header().Set("Connection", "close")
	}
	w.WriteHeader(e.status)
	if r.Method == http.MethodHead {
		return
	}
	body, err := xml.Marshal(struct {
		XMLName                 xml.Name `xml:"Error"`
		Code, Message, Resource string
	}{Code: e.code, Message: e.text, Resource: (&url.URL{Path: r.URL.Path}).Path})
	if err != nil {
		return // unreachable: it is three strings
	}
	io.WriteString(w, xml.Header)
	w.Write(body)
}
