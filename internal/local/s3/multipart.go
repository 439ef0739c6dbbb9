package s3

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rclone/gofakes3"
)

// uploads are those in parts that are under way. They do not outlive the
// process: a client begins again when the store does not know its upload.
type uploads struct {
	mu  sync.Mutex
	all map[gofakes3.UploadID]*upload
}

type upload struct {
	name, key string
	meta      map[string]string
	public    bool

	mu    sync.Mutex // held while the upload ends
	ended bool
	parts map[int]part
}

type part struct {
	file string
	size int64
	md5  []byte
}

// maxUploads bounds how many are under way at once.
const maxUploads = 10_000

// CreateMultipartUpload implements [gofakes3.MultipartBackend].
func (k backend) CreateMultipartUpload(ctx context.Context, name, key string, meta map[string]string) (gofakes3.UploadID, error) {
	id := gofakes3.UploadID(rand.Text())
	u := &k.s.uploads
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.all) >= maxUploads {
		return "", gofakes3.ErrSlowDown
	}
	u.all[id] = &upload{name: name, key: key, meta: meta, public: of(ctx).public, parts: make(map[int]part)}
	return id, nil
}

func (u *uploads) get(id gofakes3.UploadID, name, key string) (*upload, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	up := u.all[id]
	if up == nil || up.name != name || up.key != key {
		return nil, gofakes3.ErrNoSuchUpload
	}
	return up, nil
}

// UploadPart implements [gofakes3.MultipartBackend].
func (k backend) UploadPart(ctx context.Context, name, key string, id gofakes3.UploadID, number int, size int64, body io.Reader) (string, error) {
	up, err := k.s.uploads.get(id, name, key)
	if err != nil {
		return "", err
	}
	if size > k.s.opts.MaxObject {
		return "", refuse(ctx, tooLarge)
	}
	sum := md5.New()
	file, err := k.s.receive(body, size, sum)
	if err != nil {
		return "", k.cut(ctx, "receive a part of "+key, err)
	}
	up.mu.Lock()
	defer up.mu.Unlock()
	if up.ended {
		k.forget(file)
		return "", gofakes3.ErrNoSuchUpload
	}
	if old, ok := up.parts[number]; ok {
		k.forget(old.file)
	}
	p := part{file, size, sum.Sum(nil)}
	up.parts[number] = p
	of(ctx).etag = hex.EncodeToString(p.md5)
	return `"` + hex.EncodeToString(p.md5) + `"`, nil
}

// CompleteMultipartUpload implements [gofakes3.MultipartBackend].
func (k backend) CompleteMultipartUpload(ctx context.Context, name, key string, id gofakes3.UploadID, in *gofakes3.CompleteMultipartUploadRequest) (gofakes3.VersionID, string, error) {
	up, err := k.s.uploads.get(id, name, key)
	if err != nil {
		return "", "", err
	}
	up.mu.Lock()
	defer up.mu.Unlock()
	if up.ended {
		return "", "", gofakes3.ErrNoSuchUpload
	}
	parts, total, etag, err := up.check(ctx, in, k.s.opts)
	if err != nil {
		return "", "", err
	}
	whole := &joined{parts: parts}
	tmp, err := k.s.receive(whole, total, io.Discard)
	if err := errors.Join(err, whole.Close()); err != nil {
		k.s.fault("put together "+key, err)
		return "", "", err
	}
	req := of(ctx)
	req.public = req.public || up.public
	if err := k.keep(ctx, name, key, tmp, total, etag, up.meta); err != nil {
		return "", "", err
	}
	// The header of the answer has no ETag; its body has.
	req.etag = ""
	k.end(id, up)
	return "", `"` + etag + `"`, nil
}

// check returns the parts that the client wants, and the ETag of what they make:
// the MD5 of the parts' MD5s, and their number. up.mu is held.
func (up *upload) check(ctx context.Context, in *gofakes3.CompleteMultipartUploadRequest, opts Options) (parts []part, total int64, etag string, err error) {
	if len(in.Parts) == 0 {
		return nil, 0, "", gofakes3.ErrMalformedXML
	}
	sum := md5.New()
	for i, want := range in.Parts {
		if i > 0 && want.PartNumber <= in.Parts[i-1].PartNumber {
			return nil, 0, "", gofakes3.ErrInvalidPartOrder
		}
		p, ok := up.parts[want.PartNumber]
		if !ok || strings.Trim(want.ETag, `"`) != hex.EncodeToString(p.md5) {
			return nil, 0, "", gofakes3.ErrInvalidPart
		}
		if i < len(in.Parts)-1 && p.size < opts.MinPart {
			return nil, 0, "", refuse(ctx, &refusal{http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"})
		}
		if total += p.size; total > opts.MaxObject {
			return nil, 0, "", refuse(ctx, tooLarge)
		}
		sum.Write(p.md5)
		parts = append(parts, p)
	}
	return parts, total, hex.EncodeToString(sum.Sum(nil)) + "-" + strconv.Itoa(len(parts)), nil
}

// end forgets an upload and its parts. up.mu is held.
func (k backend) end(id gofakes3.UploadID, up *upload) {
	up.ended = true
	k.s.uploads.mu.Lock()
	delete(k.s.uploads.all, id)
	k.s.uploads.mu.Unlock()
	for _, p := range up.parts {
		k.forget(p.file)
	}
}

// forget removes a file of tmp/.
func (k backend) forget(file string) {
	if err := os.Remove(file); err != nil {
		k.s.fault("remove what is not needed", err)
	}
}

// AbortMultipartUpload implements [gofakes3.MultipartBackend].
func (k backend) AbortMultipartUpload(_ context.Context, name, key string, id gofakes3.UploadID) error {
	up, err := k.s.uploads.get(id, name, key)
	if err != nil {
		return err
	}
	up.mu.Lock()
	defer up.mu.Unlock()
	if !up.ended {
		k.end(id, up)
	}
	return nil
}

// serveParts lists the parts of an upload that are there. gofakes3 lists them too,
// but while they come, and from any number on, it trips.
func (s *Store) serveParts(w http.ResponseWriter, r *http.Request, id gofakes3.UploadID, name, key string) {
	up, err := s.uploads.get(id, name, key)
	if err != nil {
		writeRefusal(w, r, &refusal{http.StatusNotFound, "NoSuchUpload", "The specified upload does not exist."})
		return
	}
	type item struct {
		PartNumber int
		ETag       string
		Size       int64
	}
	list := struct {
		XMLName                                          xml.Name `xml:"ListPartsResult"`
		Bucket, Key, UploadId, StorageClass              string
		PartNumberMarker, NextPartNumberMarker, MaxParts int
		IsTruncated                                      bool
		Part                                             []item
	}{Bucket: name, Key: key, UploadId: string(id), StorageClass: "STANDARD", MaxParts: maxListed}
	query := r.URL.Query()
	// What is no number is as good as none.
	list.PartNumberMarker, _ = strconv.Atoi(query.Get("part-number-marker"))
	if n, err := strconv.Atoi(query.Get("max-parts")); err == nil && n >= 0 {
		list.MaxParts = min(n, maxListed)
	}
	up.mu.Lock()
	for _, n := range slices.Sorted(maps.Keys(up.parts)) {
		if n <= list.PartNumberMarker {
			continue
		}
		if len(list.Part) >= list.MaxParts {
			list.IsTruncated = true
			break
		}
		list.NextPartNumberMarker = n
		list.Part = append(list.Part, item{n, `"` + hex.EncodeToString(up.parts[n].md5) + `"`, up.parts[n].size})
	}
	up.mu.Unlock()
	w.Header().Set("Content-Type", "application/xml")
	io.WriteString(w, xml.Header)
	_ = xml.NewEncoder(w).Encode(list) // it fails if who asked is gone
}

// maxListed is how many parts S3 lists at once.
const maxListed = 1000

// joined reads parts one after the other.
type joined struct {
	parts []part
	f     *os.File
}

func (j *joined) Read(p []byte) (int, error) {
	for {
		if j.f == nil {
			if len(j.parts) == 0 {
				return 0, io.EOF
			}
			f, err := os.Open(j.parts[0].file)
			if err != nil {
				return 0, err
			}
			j.f, j.parts = f, j.parts[1:]
		}
		n, err := j.f.Read(p)
		if err == io.EOF {
			if err := j.Close(); err != nil {
				return n, err
			}
			if n == 0 {
				continue
			}
			err = nil
		}
		return n, err
	}
}

func (j *joined) Close() error {
	if j.f == nil {
		return nil
	}
	f := j.f
	j.f = nil
	return f.Close()
}
