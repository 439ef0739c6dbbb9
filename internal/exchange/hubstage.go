package exchange

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"adit/internal/exchange/transfer"
	"adit/internal/subnet"
)

// An upload is a file that waits for its commit.
type upload struct {
	path   string
	size   int64
	digest digest // SHA-256 of an LFS file; git's SHA-1 of a regular one
	inline []byte // content of a regular file
	lfs    bool
}

// maxInline is the size up to which a file may travel inside the commit: the
// hub takes regular files up to 10 MB.
const maxInline = 10 << 20

// Stage uploads the bytes of a large file, and remembers those of a small one,
// which travel with the commit. It creates the repository if there is none.
func (h *hub) Stage(ctx context.Context, path string, f subnet.File) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	u, err := h.stage(ctx, path, f)
	if err != nil {
		return fmt.Errorf("stage %s in %s: %w", path, h.repo, err)
	}
	h.staged = slices.DeleteFunc(h.staged, func(o upload) bool { return o.path == path })
	h.staged = append(h.staged, u)
	return nil
}

func (h *hub) stage(ctx context.Context, path string, f subnet.File) (upload, error) {
	if err := transfer.CheckPath(path); err != nil {
		return upload{}, err
	}
	if err := h.create(ctx); err != nil {
		return upload{}, err
	}
	lfs, err := h.wantsLFS(ctx, path, f)
	if err != nil {
		return upload{}, err
	}
	u := upload{path: path, size: f.Size(), lfs: lfs}
	if !lfs {
		u.inline = make([]byte, u.size)
		if n, err := f.ReadAt(u.inline, 0); n < len(u.inline) {
			return upload{}, err
		}
		u.digest = gitBlob(u.inline)
		return u, nil
	}
	if u.digest, err = sumOf(ctx, f); err != nil {
		return upload{}, err
	}
	for again := true; ; again = false {
		err = h.uploadLFS(ctx, u, f)
		// The URLs for an upload expire, and do not outlive a restart of a
		// local hub. New ones are for the asking.
		if s, ok := errors.AsType[*transferError](err); !ok || !s.refused() || !again {
			return u, err
		}
	}
}

// wantsLFS asks the hub which way a file goes.
func (h *hub) wantsLFS(ctx context.Context, path string, f subnet.File) (bool, error) {
	if f.Size() == 0 {
		return false, nil // object stores refuse empty parts
	}
	sample := make([]byte, min(512, f.Size()))
	if n, err := f.ReadAt(sample, 0); n < len(sample) {
		return false, err
	}
	in := map[string]any{"files": []map[string]any{{
		"path": path, "size": f.Size(), "sample": base64.StdEncoding.EncodeToString(sample),
	}}}
	var out struct {
		Files []struct {
			Path       string `json:"path"`
			UploadMode string `json:"uploadMode"`
		} `json:"files"`
	}
	if err := h.call(ctx, http.MethodPost, "/api/models/"+h.repo+"/preupload/"+branch, in, &out); err != nil {
		return false, err
	}
	for _, file := range out.Files {
		if file.Path == path && file.UploadMode == "regular" && f.Size() <= maxInline {
			return false, nil
		}
	}
	return true, nil
}

// action is a step of an upload in the words of the LFS batch API.
type action struct {
	Href   string            `json:"href"`
	Header map[string]string `json:"header"`
}

// uploadLFS brings one object to the hub, unless it is there.
func (h *hub) uploadLFS(ctx context.Context, u upload, f subnet.File) error {
	in := map[string]any{
		"operation": "upload", "transfers": []string{"basic", "multipart"}, "hash_algo": "sha256",
		"ref":     map[string]string{"name": branch},
		"objects": []map[string]any{{"oid": u.digest, "size": u.size}},
	}
	var out struct {
		Objects []struct {
			OID     digest `json:"oid"`
			Actions struct {
				Upload *action `json:"upload"`
				Verify *action `json:"verify"`
			} `json:"actions"`
			Error *struct {
				Code    int    `json:"code"`
				Message string `json:"message"`
			} `json:"error"`
		} `json:"objects"`
	}
	if err := h.call(ctx, http.MethodPost, "/"+h.repo+".git/info/lfs/objects/batch", in, &out); err != nil {
		return fmt.Errorf("ask where to upload: %w", err)
	}
	if len(out.Objects) != 1 || out.Objects[0].OID != u.digest {
		return errors.New("ask where to upload: the answer is about something else")
	}
	object := out.Objects[0]
	if object.Error != nil {
		return fmt.Errorf("the hub does not take it: %d %s", object.Error.Code, transfer.Clip(object.Error.Message))
	}
	if object.Actions.Upload == nil {
		h.policy.Progress(u.path, u.size, u.size)
		return nil // the hub has these bytes
	}
	if err := h.transfer(ctx, *object.Actions.Upload, u, f); err != nil {
		return &transferError{err}
	}
	if v := object.Actions.Verify; v != nil {
		if err := h.call(ctx, http.MethodPost, v.Href, map[string]any{"oid": u.digest, "size": u.size}, nil); err != nil {
			return fmt.Errorf("verify the upload: %w", err)
		}
	}
	return nil
}

// A transferError is a failure of the transfer proper.
type transferError struct{ error }

func (e *transferError) Unwrap() error { return e.error }

// refused reports whether the URL, not the connection, was the reason.
func (e *transferError) refused() bool {
	s, ok := errors.AsType[*statusError](e.error)
	return ok && (s.status == http.StatusBadRequest || s.status == http.StatusForbidden ||
		s.status == http.StatusNotFound || s.status == http.StatusGone)
}

// maxParts is what S3 allows.
const maxParts = 10000

// transfer sends f in one piece or, if the hub names a chunk_size, in parts.
func (h *hub) transfer(ctx context.Context, a action, u upload, f subnet.File) error {
	chunk, multipart := a.Header["chunk_size"]
	if !multipart {
		_, err := h.put(ctx, a.Href, a.Header, u, f, 0, u.size)
		return err
	}
	size, err := strconv.ParseInt(chunk, 10, 64)
	if err != nil || size < 1 || (u.size-1)/size >= maxParts {
		return fmt.Errorf("the hub wants parts of %q bytes of %d", transfer.Clip(chunk), u.size)
	}
	type part struct {
		Number int    `json:"partNumber"`
		ETag   string `json:"etag"`
	}
	var parts []part
	for off := int64(0); off < u.size; off += size {
		n := len(parts) + 1
		href := a.Header[strconv.Itoa(n)]
		if href == "" { // some hubs write 00001
			href = a.Header[fmt.Sprintf("%05d", n)]
		}
		if href == "" {
			return fmt.Errorf("the hub names no place for part %d", n)
		}
		etag, err := h.put(ctx, href, nil, u, f, off, min(size, u.size-off))
		if err != nil {
			return fmt.Errorf("part %d: %w", n, err)
		}
		if etag == "" {
			return fmt.Errorf("part %d: no receipt for it", n)
		}
		parts = append(parts, part{n, etag})
	}
	return h.call(ctx, http.MethodPost, a.Href, map[string]any{"oid": u.digest, "parts": parts}, nil)
}

// put sends n bytes of f from off on, as often as it takes, and returns the
// ETag of the answer.
func (h *hub) put(ctx context.Context, href string, header map[string]string, u upload, f io.ReaderAt, off, n int64) (etag string, err error) {
	err = h.policy.Retry(ctx, func(ctx context.Context) (bool, error) {
		done := off
		etag, err = h.putOnce(ctx, href, header, f, off, n, func(moved int) {
			done += int64(moved)
			h.policy.Progress(u.path, done, u.size)
		})
		return false, err
	})
	return etag, err
}

func (h *hub) putOnce(ctx context.Context, href string, header map[string]string, f io.ReaderAt, off, n int64, moved func(int)) (string, error) {
	wctx, w := transfer.Watch(ctx, h.policy.Stall)
	defer w.Stop()
	left := n
	body := transfer.NewBody(f, off, n, w, func(k int) {
		moved(k)
		if left -= int64(k); left == 0 {
			w.Settle() // it may have gigabytes to sync before it answers
		}
	})
	defer body.Close()
	req, err := http.NewRequestWithContext(wctx, http.MethodPut, href, body)
	if err != nil {
		return "", err
	}
	req.ContentLength = n
	for k, v := range header {
		req.Header.Set(k, v)
	}
	// Without the token: the URL carries its permission itself.
	resp, err := h.client.Do(req)
	if err != nil {
		return "", w.Broken(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return "", h.refused(resp)
	}
	return resp.Header.Get("ETag"), nil
}
