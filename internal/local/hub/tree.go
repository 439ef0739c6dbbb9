package hub

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stamp is how the Hub writes times.
const stamp = "2006-01-02T15:04:05.000Z"

// info tells about a repository at a revision.
func (h *Hub) info(w http.ResponseWriter, r *http.Request) error {
	p, err := h.readable(r)
	if err != nil {
		return err
	}
	rev := r.PathValue("rev")
	if rev == "" {
		rev = "main"
	}
	c, err := h.revision(p, rev)
	if err != nil {
		return err
	}
	siblings := make([]map[string]any, len(c.Files))
	for i, f := range c.Files {
		siblings[i] = map[string]any{"rfilename": f.Path}
		if strings.EqualFold(r.URL.Query().Get("blobs"), "true") {
			siblings[i]["size"], siblings[i]["blobId"] = f.Size, f.Git
			if f.LFS {
				siblings[i]["lfs"] = map[string]any{"sha256": f.SHA256, "size": f.Size, "pointerSize": len(pointer(f.SHA256, f.Size))}
			}
		}
	}
	return answer(w, map[string]any{
		"_id": p.id(), "id": p.id(), "modelId": p.id(), "author": p.owner, "sha": c.ID, "private": p.private,
		"gated": false, "disabled": false, "downloads": 0, "likes": 0, "tags": []string{}, "siblings": siblings,
		"lastModified": c.Date.Format(stamp), "createdAt": p.created.Format(stamp),
	})
}

// entry is a file or a folder in answers.
type entry struct {
	Type string    `json:"type"` // "file" or "directory"
	OID  string    `json:"oid"`
	Size int64     `json:"size"`
	Path string    `json:"path"`
	LFS  *lfsEntry `json:"lfs,omitempty"`
}

type lfsEntry struct {
	OID         string `json:"oid"`
	Size        int64  `json:"size"`
	PointerSize int    `json:"pointerSize"`
}

func fileEntry(f file) entry {
	e := entry{Type: "file", OID: f.Git, Size: f.Size, Path: f.Path}
	if f.LFS {
		e.LFS = &lfsEntry{f.SHA256, f.Size, len(pointer(f.SHA256, f.Size))}
	}
	return e
}

// folderEntry describes a folder. Its id is not git's, but changes with what is
// in the folder, as git's does.
func folderEntry(path string, files []file) entry {
	sum := sha1.New()
	for _, f := range files {
		if strings.HasPrefix(f.Path, path+"/") {
			io.WriteString(sum, f.Git+" "+f.Path+"\n")
		}
	}
	return entry{Type: "directory", OID: hex.EncodeToString(sum.Sum(nil)), Path: path}
}

// list returns the entries under a folder, "" for all, by path.
func list(files []file, under string, recursive bool) []entry {
	prefix := ""
	if under != "" {
		prefix = under + "/"
	}
	var out []entry
	folders := make(map[string]bool)
	for _, f := range files {
		rest, ok := strings.CutPrefix(f.Path, prefix)
		if !ok {
			continue
		}
		parts := strings.Split(rest, "/")
		for i := 1; i < len(parts); i++ {
			folder := prefix + strings.Join(parts[:i], "/")
			if !folders[folder] && (recursive || i == 1) {
				folders[folder] = true
				out = append(out, folderEntry(folder, files))
			}
		}
		if recursive || len(parts) == 1 {
			out = append(out, fileEntry(f))
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// tree lists a folder.
func (h *Hub) tree(w http.ResponseWriter, r *http.Request) error {
	p, err := h.readable(r)
	if err != nil {
		return err
	}
	c, err := h.revision(p, r.PathValue("rev"))
	if err != nil {
		return err
	}
	under := r.PathValue("path")
	entries := list(c.Files, under, strings.EqualFold(r.URL.Query().Get("recursive"), "true"))
	if len(entries) == 0 && under != "" {
		return missing(entryNotFound, "%s does not exist on %q", under, r.PathValue("rev"))
	}
	// Further pages are of the same commit, though the branch may move.
	return paged(w, r, "/api/models/"+p.id()+"/tree/"+c.ID+escaped(under), entries)
}

func escaped(path string) string {
	if path == "" {
		return ""
	}
	segments := strings.Split(path, "/")
	for i := range segments {
		segments[i] = url.PathEscape(segments[i])
	}
	return "/" + strings.Join(segments, "/")
}

// pageSize is how many items an answer has at most.
const pageSize = 1000

// paged answers with one page of all, and says where the next one is.
func paged[T any](w http.ResponseWriter, r *http.Request, path string, all []T) error {
	q := r.URL.Query()
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil || limit < 1 || limit > pageSize {
		limit = pageSize
	}
	from, err := strconv.Atoi(q.Get("cursor"))
	if err != nil || from < 0 {
		from = 0
	}
	from = min(from, len(all))
	to := min(from+limit, len(all))
	if to < len(all) {
		q.Set("cursor", strconv.Itoa(to))
		w.Header().Set("Link", fmt.Sprintf("<%s%s?%s>; rel=\"next\"", base(r), path, q.Encode()))
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(len(all)))
	return answer(w, append([]T{}, all[from:to]...))
}

// pathsInfo tells about some paths; those that do not exist are left out.
func (h *Hub) pathsInfo(w http.ResponseWriter, r *http.Request) error {
	p, err := h.readable(r)
	if err != nil {
		return err
	}
	c, err := h.revision(p, r.PathValue("rev"))
	if err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, h.opts.MaxBody)
	if err := r.ParseForm(); err != nil {
		return badRequest(err)
	}
	out := []entry{}
	for _, path := range r.PostForm["paths"] {
		if f, ok := c.find(path); ok {
			out = append(out, fileEntry(f))
		} else if len(list(c.Files, path, false)) > 0 {
			out = append(out, folderEntry(path, c.Files))
		}
	}
	return answer(w, out)
}

func (h *Hub) refs(w http.ResponseWriter, r *http.Request) error {
	p, err := h.readable(r)
	if err != nil {
		return err
	}
	c, err := h.revision(p, "main")
	if err != nil {
		return err
	}
	none := []any{}
	return answer(w, map[string]any{"converts": none, "tags": none, "pullRequests": none,
		"branches": []any{map[string]string{"name": "main", "ref": "refs/heads/main", "targetCommit": c.ID}}})
}

// commits lists a revision and those before it, newest first.
func (h *Hub) commits(w http.ResponseWriter, r *http.Request) error {
	p, err := h.readable(r)
	if err != nil {
		return err
	}
	from, err := h.revision(p, r.PathValue("rev"))
	if err != nil {
		return err
	}
	type item struct {
		ID      string              `json:"id"`
		Title   string              `json:"title"`
		Message string              `json:"message"`
		Authors []map[string]string `json:"authors"`
		Date    string              `json:"date"`
	}
	var items []item
	for _, c := range slices.Backward(h.snapshot(p)) {
		if len(items) > 0 || c.ID == from.ID {
			items = append(items, item{c.ID, c.Title, c.Description, []map[string]string{{"user": c.Author}}, c.Date.Format(time.RFC3339Nano)})
		}
	}
	return paged(w, r, "/api/models/"+p.id()+"/commits/"+from.ID, items)
}
