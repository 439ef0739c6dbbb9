package hub

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// validPath refuses what cannot be a file in a repository on every system.
func validPath(path string) bool {
	return fs.ValidPath(path) && path != "." && len(path) <= 1024 && path != ".git" && !strings.HasPrefix(path, ".git/") &&
		!strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == ':' })
}

// maxInline is the size from which on a text file is uploaded by LFS as well.
const maxInline = 1 << 20

// preupload tells a client which way its files go, and what is there already.
func (h *Hub) preupload(w http.ResponseWriter, r *http.Request) error {
	p, _, err := h.writable(r)
	if err != nil {
		return err
	}
	c, err := h.revision(p, r.PathValue("rev"))
	if err != nil {
		return err
	}
	var in struct {
		Files []struct {
			Path   string `json:"path"`
			Size   int64  `json:"size"`
			Sample []byte `json:"sample"`
		} `json:"files"`
	}
	if err := h.read(w, r, &in); err != nil {
		return err
	}
	files := make([]map[string]any, len(in.Files))
	for i, f := range in.Files {
		if !validPath(f.Path) {
			return fail(http.StatusBadRequest, "%q cannot be the path of a file", f.Path)
		}
		mode := "regular"
		if f.Size > maxInline || !isText(f.Sample) || hasLFSName(f.Path) {
			mode = "lfs"
		}
		files[i] = map[string]any{"path": f.Path, "uploadMode": mode, "shouldIgnore": false}
		if there, ok := c.find(f.Path); ok {
			files[i]["oid"] = there.Git
			if there.LFS {
				files[i]["oid"] = there.SHA256
			}
		}
	}
	return answer(w, map[string]any{"files": files})
}

// isText reports whether a file that begins so is text. The sample may end in
// the middle of a character.
func isText(sample []byte) bool {
	for cut := 0; cut < utf8.UTFMax && cut <= len(sample); cut++ {
		if head := sample[:len(sample)-cut]; utf8.Valid(head) {
			return !slices.Contains(head, 0)
		}
	}
	return false
}

// hasLFSName says of a path what .gitattributes does.
func hasLFSName(path string) bool {
	return strings.HasSuffix(path, ".bin") || strings.HasSuffix(path, ".pt") || strings.HasSuffix(path, ".safetensors")
}

// A change is what a commit wants.
type change struct {
	summary, description, parent string
	ops                          []op
}

// An op is one line of a commit.
type op struct {
	kind    string
	path    string
	content []byte // of a file
	oid     string // of an lfsFile
	size    int64  // of an lfsFile; -1 if the client does not say
}

// readChange reads a commit: JSON objects one after another, the header first.
func readChange(body io.Reader) (change, error) {
	var ch change
	dec := json.NewDecoder(body)
	for first := true; ; first = false {
		var line struct {
			Key   string          `json:"key"`
			Value json.RawMessage `json:"value"`
		}
		err := dec.Decode(&line)
		if errors.Is(err, io.EOF) && !first {
			return ch, nil
		}
		if err != nil {
			return change{}, badRequest(err)
		}
		if first != (line.Key == "header") {
			return change{}, fail(http.StatusBadRequest, "a commit begins with its header, and has one")
		}
		if err := ch.line(line.Key, line.Value); err != nil {
			return change{}, err
		}
	}
}

func (ch *change) line(key string, value json.RawMessage) error {
	var v struct {
		Summary      string `json:"summary"`
		Description  string `json:"description"`
		ParentCommit string `json:"parentCommit"`

		Path     string `json:"path"`
		Content  string `json:"content"`
		Encoding string `json:"encoding"`
		Algo     string `json:"algo"`
		OID      string `json:"oid"`
		Size     *int64 `json:"size"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return badRequest(err)
	}
	if key == "header" {
		if v.Summary == "" {
			return fail(http.StatusBadRequest, "a commit needs a summary")
		}
		ch.summary, ch.description, ch.parent = v.Summary, v.Description, strings.ToLower(v.ParentCommit)
		return nil
	}
	o := op{kind: key, path: v.Path, oid: v.OID, size: -1}
	switch key {
	case "file":
		o.content = []byte(v.Content)
		if v.Encoding == "base64" {
			var err error
			if o.content, err = base64.StdEncoding.DecodeString(v.Content); err != nil {
				return badRequest(err)
			}
		} else if v.Encoding != "" && v.Encoding != "utf-8" {
			return fail(http.StatusBadRequest, "%s: unknown encoding %q", v.Path, v.Encoding)
		}
	case "lfsFile":
		if v.Size != nil {
			o.size = *v.Size
		}
		if v.Algo != "sha256" || !validOID(v.OID) || o.size < -1 {
			return fail(http.StatusBadRequest, "%s: not a sha256 object", v.Path)
		}
	case "deletedFolder":
		o.path = strings.TrimSuffix(o.path, "/")
	case "deletedFile":
	default:
		return fail(http.StatusBadRequest, "unknown operation %q", key)
	}
	if !validPath(o.path) {
		return fail(http.StatusBadRequest, "%q cannot be the path of a file", v.Path)
	}
	ch.ops = append(ch.ops, o)
	return nil
}

// commit publishes files.
func (h *Hub) commit(w http.ResponseWriter, r *http.Request) error {
	p, user, err := h.writable(r)
	if err != nil {
		return err
	}
	if rev := r.PathValue("rev"); rev != "main" {
		return missing(revisionNotFound, "this hub has no branch %s: commits go to main", rev)
	}
	if r.URL.Query().Get("create_pr") == "1" {
		return fail(http.StatusBadRequest, "this hub has no pull requests")
	}
	ch, err := readChange(http.MaxBytesReader(w, r.Body, h.opts.MaxBody))
	if err != nil {
		return err
	}
	c, fresh, err := h.apply(p, user, ch)
	if err != nil {
		return err
	}
	if fresh {
		var files int
		var bytes int64
		for _, o := range ch.ops {
			if f, ok := c.find(o.path); ok && (o.kind == "file" || o.kind == "lfsFile") {
				files++
				bytes += f.Size
			}
		}
		h.emit(slog.LevelInfo, "hub-publish", fmt.Sprintf("hub: %s published %s: %d files, %d bytes: %s", p.id(), c.ID[:7], files, bytes, c.Title),
			slog.String("repo", p.id()), slog.String("revision", c.ID), slog.Int("files", files), slog.Int64("bytes", bytes))
		if err := h.prune(); err != nil {
			// The commit stands; old files are left for the next time.
			h.emit(slog.LevelWarn, "hub-fault", fmt.Sprintf("hub: remove old files: %v", err), slog.String("error", err.Error()))
		}
	}
	return answer(w, map[string]any{"success": true, "commitOid": c.ID, "hookOutput": "",
		"commitUrl": base(r) + "/" + p.id() + "/commit/" + c.ID})
}

// apply makes the commit, or returns the newest one if nothing changes.
func (h *Hub) apply(p *repo, user string, ch change) (c commit, fresh bool, err error) {
	// From here to the end nothing is pruned that the commit may refer to.
	h.pruning.RLock()
	defer h.pruning.RUnlock()
	files := make([]file, len(ch.ops)) // of those ops that bring one
	for i, o := range ch.ops {
		if files[i], err = h.bring(o); err != nil {
			return commit{}, false, err
		}
	}
	p.committing.Lock()
	defer p.committing.Unlock()
	h.mu.RLock()
	deleted := h.repos[repoKey(p.owner, p.name)] != p
	head := p.history[len(p.history)-1]
	h.mu.RUnlock()
	if deleted {
		return commit{}, false, missing(repoNotFound, "Repository not found")
	}
	if ch.parent != "" && (len(ch.parent) < minPrefix || !strings.HasPrefix(head.ID, ch.parent)) {
		return commit{}, false, fail(http.StatusPreconditionFailed, "A commit has happened since. Please refresh and try again.")
	}
	c = commit{Parent: head.ID, Title: ch.summary, Description: ch.description, Author: user, Date: time.Now().UTC()}
	if c.Files, err = edit(head.Files, ch.ops, files); err != nil {
		return commit{}, false, err
	}
	if slices.Equal(c.Files, head.Files) {
		return head, false, nil
	}
	c.identify()
	return c, true, h.add(p, c)
}

// bring makes sure that what o adds is here.
func (h *Hub) bring(o op) (file, error) {
	switch o.kind {
	case "file":
		return h.putContent(o.path, o.content)
	case "lfsFile":
		size, err := h.sizeOf(o.oid)
		if err != nil || o.size >= 0 && o.size != size || !h.has(o.oid, size) {
			return file{}, fail(http.StatusBadRequest, "%s: the object %s has not been uploaded", o.path, o.oid)
		}
		return lfsFile(o.path, o.oid, size), nil
	}
	return file{}, nil
}

// edit applies ops to a tree. The order of ops counts.
func edit(tree []file, ops []op, files []file) ([]file, error) {
	at := make(map[string]file, len(tree))
	for _, f := range tree {
		at[f.Path] = f
	}
	for i, o := range ops {
		switch o.kind {
		case "file", "lfsFile":
			at[o.path] = files[i]
		case "deletedFile":
			if _, ok := at[o.path]; !ok {
				return nil, missing(entryNotFound, "A file with this name doesn't exist: %s", o.path)
			}
			delete(at, o.path)
		case "deletedFolder":
			for path := range at {
				if strings.HasPrefix(path, o.path+"/") {
					delete(at, path)
				}
			}
		}
	}
	out := make([]file, 0, len(at))
	for path, f := range at {
		for dir := path; strings.Contains(dir, "/"); {
			dir = dir[:strings.LastIndex(dir, "/")]
			if _, ok := at[dir]; ok {
				return nil, fail(http.StatusBadRequest, "%s cannot be a file and a folder", dir)
			}
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b file) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}
