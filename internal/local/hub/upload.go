package hub

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// loadKey reads the key that signs URLs, or makes one.
func (h *Hub) loadKey() error {
	name := filepath.Join(h.dir, "key")
	key, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		key = []byte(rand.Text())
		if err = h.writeFile(name, key); err == nil {
			err = os.Chmod(name, 0o600)
		}
	}
	h.key = key
	return err
}

// signedFor is how long an upload may take.
const signedFor = 24 * time.Hour

// sign returns a URL that carries its own permission: uploads come without a
// token, as they would go to an object store.
func (h *Hub) sign(r *http.Request, path string) string {
	expires := strconv.FormatInt(time.Now().Add(signedFor).Unix(), 10)
	return base(r) + path + "?expires=" + expires + "&signature=" + h.signature(path, expires)
}

func (h *Hub) signature(path, expires string) string {
	mac := hmac.New(sha256.New, h.key)
	io.WriteString(mac, path+" "+expires)
	return hex.EncodeToString(mac.Sum(nil))
}

// signed checks r's signature, and returns the object it is about. All of it
// is what sign was given, so nothing else needs to be checked.
func (h *Hub) signed(r *http.Request) (oid string, size int64, err error) {
	q := r.URL.Query()
	expires, err := strconv.ParseInt(q.Get("expires"), 10, 64)
	if err != nil || time.Now().Unix() > expires ||
		!hmac.Equal([]byte(q.Get("signature")), []byte(h.signature(r.URL.Path, q.Get("expires")))) {
		return "", 0, fail(http.StatusForbidden, "this URL is not valid, or not any more; ask for another one")
	}
	size, err = strconv.ParseInt(r.PathValue("size"), 10, 64)
	if err != nil || !validOID(r.PathValue("oid")) {
		return "", 0, fail(http.StatusBadRequest, "this URL names no object") // unreachable: it is signed
	}
	return r.PathValue("oid"), size, nil
}

// object is one of a batch, in Git LFS's words.
type object struct {
	OID     string            `json:"oid"`
	Size    int64             `json:"size"`
	Actions map[string]action `json:"actions,omitempty"`
}

type action struct {
	Href   string            `json:"href"`
	Header map[string]string `json:"header,omitempty"`
}

// batch tells a client where to upload objects; those the hub has, nowhere.
func (h *Hub) batch(w http.ResponseWriter, r *http.Request) error {
	if _, _, err := h.writable(r); err != nil {
		return err
	}
	var in struct {
		Operation string   `json:"operation"`
		Transfers []string `json:"transfers"`
		HashAlgo  string   `json:"hash_algo"`
		Objects   []object `json:"objects"`
	}
	if err := h.read(w, r, &in); err != nil {
		return err
	}
	if in.Operation != "upload" || in.HashAlgo != "" && in.HashAlgo != "sha256" {
		return fail(http.StatusUnprocessableEntity, "this hub takes uploads of sha256 objects here, nothing else")
	}
	multipart := false
	for _, t := range in.Transfers {
		multipart = multipart || t == "multipart"
	}
	h.pruning.RLock()
	defer h.pruning.RUnlock()
	out := make([]any, len(in.Objects))
	for i, o := range in.Objects {
		switch {
		case !validOID(o.OID) || o.Size < 0:
			return fail(http.StatusUnprocessableEntity, "%q of %d bytes is not an object", o.OID, o.Size)
		case o.Size > h.opts.MaxFile:
			out[i] = map[string]any{"oid": o.OID, "size": o.Size, "error": map[string]any{"code": 413,
				"message": fmt.Sprintf("the file has %d bytes, more than the %d this hub takes", o.Size, h.opts.MaxFile)}}
		case h.has(o.OID, o.Size):
			out[i] = object{OID: o.OID, Size: o.Size}
		default:
			upload := action{Href: h.sign(r, fmt.Sprintf("/lfs/object/%s/%d", o.OID, o.Size))}
			if multipart && o.Size > h.opts.PartSize {
				upload = h.parts(r, o)
			}
			verify := action{Href: base(r) + "/" + r.PathValue("owner") + "/" + r.PathValue("git") + "/info/lfs/objects/verify"}
			out[i] = object{OID: o.OID, Size: o.Size, Actions: map[string]action{"upload": upload, "verify": verify}}
		}
	}
	w.Header().Set("Content-Type", "application/vnd.git-lfs+json")
	return answer(w, map[string]any{"transfer": "basic", "objects": out})
}

// parts returns where to upload an object in parts: a URL for each, and as the
// action itself the one that puts them together.
func (h *Hub) parts(r *http.Request, o object) action {
	where := fmt.Sprintf("%s/%d/%s", o.OID, o.Size, rand.Text())
	header := map[string]string{"chunk_size": strconv.FormatInt(h.opts.PartSize, 10)}
	for n := int64(1); (n-1)*h.opts.PartSize < o.Size; n++ {
		header[strconv.FormatInt(n, 10)] = h.sign(r, fmt.Sprintf("/lfs/part/%s/%d", where, n))
	}
	return action{Href: h.sign(r, "/lfs/complete/"+where), Header: header}
}

// putObject receives an object in one piece.
func (h *Hub) putObject(w http.ResponseWriter, r *http.Request) error {
	oid, size, err := h.signed(r)
	if err != nil {
		return err
	}
	t, err := h.temp()
	if err != nil {
		return err
	}
	defer t.discard()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(t, sum), http.MaxBytesReader(w, r.Body, size))
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != oid {
		return fail(http.StatusBadRequest, "these are %d bytes of SHA-256 %s, not the %d of %s", n, got, size, oid)
	}
	h.pruning.RLock()
	defer h.pruning.RUnlock()
	if err := t.placeBlob(oid, size); err != nil {
		return err
	}
	w.Header().Set("ETag", `"`+oid+`"`)
	return answer(w, map[string]any{})
}

var uploadName = regexp.MustCompile(`^[A-Z2-7]{20,40}$`) // what rand.Text returns

// partFile is where the parts of an upload come together.
func (h *Hub) partFile(r *http.Request) (string, error) {
	upload := r.PathValue("upload")
	if !uploadName.MatchString(upload) {
		return "", fail(http.StatusBadRequest, "this URL names no upload") // unreachable: it is signed
	}
	return filepath.Join(h.dir, "tmp", "parts-"+upload), nil
}

// putPart receives a part of an object, and writes it at its place in a file
// of the whole: putting the parts together then costs no copy.
func (h *Hub) putPart(w http.ResponseWriter, r *http.Request) error {
	_, size, err := h.signed(r)
	if err != nil {
		return err
	}
	name, err := h.partFile(r)
	if err != nil {
		return err
	}
	number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	off := (number - 1) * h.opts.PartSize
	if err != nil || off < 0 || off >= size {
		return fail(http.StatusBadRequest, "the object has no part %s", r.PathValue("number"))
	}
	want := min(h.opts.PartSize, size-off)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	t := &temp{f, h}
	defer t.Close()
	if _, err := t.Seek(off, io.SeekStart); err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(t, sum), http.MaxBytesReader(w, r.Body, want))
	if err != nil {
		return err
	}
	if n != want {
		return fail(http.StatusBadRequest, "part %d has %d bytes, not %d", number, n, want)
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sum.Sum(nil)))
	return answer(w, map[string]any{})
}

// completeParts makes an object of the parts received.
func (h *Hub) completeParts(w http.ResponseWriter, r *http.Request) error {
	oid, size, err := h.signed(r)
	if err != nil {
		return err
	}
	name, err := h.partFile(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if h.has(oid, size) {
			return answer(w, map[string]any{}) // completed before, and the answer was lost
		}
		return fail(http.StatusNotFound, "there are no parts of this object; begin again")
	}
	if err != nil {
		return err
	}
	t := &temp{f, h}
	defer t.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, t); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != oid {
		t.discard()
		return fail(http.StatusBadRequest, "the parts together are %s, not %s; begin again", got, oid)
	}
	h.pruning.RLock()
	defer h.pruning.RUnlock()
	if err := t.placeBlob(oid, size); err != nil {
		return err
	}
	return answer(w, map[string]any{})
}

// verify tells a client whether an object has arrived.
func (h *Hub) verify(w http.ResponseWriter, r *http.Request) error {
	if _, _, err := h.writable(r); err != nil {
		return err
	}
	var in object
	if err := h.read(w, r, &in); err != nil {
		return err
	}
	h.pruning.RLock()
	defer h.pruning.RUnlock()
	if !validOID(in.OID) || !h.has(in.OID, in.Size) {
		return fail(http.StatusNotFound, "the object %s of %d bytes has not arrived", in.OID, in.Size)
	}
	return answer(w, map[string]any{})
}
