package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"adit/internal/exchange/transfer"
	"adit/internal/subnet"
)

// Get asks for the file's size and digest first, then for its bytes, and for
// the rest of them as often as the connection breaks.
func (h *hub) Get(ctx context.Context, revision, path string, dst subnet.Draft, limit int64) error {
	if revision == "" {
		revision = branch
	}
	if err := checkRevision(revision); err != nil {
		return fmt.Errorf("get from %s: %w", h.repo, err)
	}
	if err := transfer.CheckPath(path); err != nil {
		return fmt.Errorf("get from %s: %w", h.repo, err)
	}
	var src source
	err := h.policy.Retry(ctx, func(ctx context.Context) (_ bool, err error) {
		src, err = h.stat(ctx, revision, path)
		return false, err
	})
	if err == nil {
		err = fetch(ctx, src, dst, limit, h.policy)
	}
	if err != nil {
		return fmt.Errorf("get %s of %s at %s: %w", path, h.repo, revision, err)
	}
	return nil
}

// stat asks what the hub knows about a file, with a HEAD request.
func (h *hub) stat(ctx context.Context, revision, path string) (source, error) {
	req, err := http.NewRequest(http.MethodHead, h.resolveURL(revision, path), nil)
	if err != nil {
		return source{}, err
	}
	// Compressed, the length would say nothing.
	req.Header.Set("Accept-Encoding", "identity")
	resp, w, err := h.send(ctx, req)
	if err != nil {
		return source{}, err
	}
	defer w.Stop()
	resp.Body.Close()

	src := source{path: path, size: resp.ContentLength}
	if linked := resp.Header.Get("X-Linked-Size"); linked != "" {
		if src.size, err = strconv.ParseInt(linked, 10, 64); err != nil {
			src.size = -1
		}
	} else if resp.StatusCode >= 300 {
		src.size = -1 // the length of the redirect, not of the file
	}
	if src.size < 0 {
		return source{}, fmt.Errorf("%s: the hub does not say how large it is", path)
	}
	etag := resp.Header.Get("X-Linked-Etag")
	if etag == "" {
		etag = resp.Header.Get("ETag")
	}
	src.digest = digest(strings.ToLower(strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)))

	// From here on the commit is meant, though the branch may move.
	if commit := resp.Header.Get("X-Repo-Commit"); checkRevision(commit) == nil {
		revision = commit
	}
	target := h.resolveURL(revision, path)
	src.open = func(ctx context.Context, off int64) (io.ReadCloser, int64, error) {
		return h.download(ctx, target, off)
	}
	return src, nil
}

// download opens the bytes at target from off on, or all of them.
func (h *hub) download(ctx context.Context, target string, off int64) (io.ReadCloser, int64, error) {
	req, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept-Encoding", "identity")
	if off > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", off))
	}
	resp, w, err := h.send(ctx, req)
	if err != nil {
		if s, ok := errors.AsType[*statusError](err); ok && s.status == http.StatusRequestedRangeNotSatisfiable && off > 0 {
			// What we have is not the beginning of what they have.
			return h.download(ctx, target, 0)
		}
		return nil, 0, err
	}
	var at int64
	if resp.StatusCode == http.StatusPartialContent {
		if at, err = transfer.RangeStart(resp.Header.Get("Content-Range")); err != nil {
			resp.Body.Close()
			w.Stop()
			return nil, 0, err
		}
	}
	return w.Body(resp.Body), at, nil
}
