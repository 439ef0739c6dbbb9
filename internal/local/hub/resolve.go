package hub

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"strconv"
	"time"
)

// resolve serves a file's bytes, whole or from where the client asks. HEAD
// tells its size and digest.
func (h *Hub) resolve(w http.ResponseWriter, r *http.Request) error {
	p, err := h.readable(r)
	if err != nil {
		return err
	}
	c, err := h.revision(p, r.PathValue("rev"))
	if err != nil {
		return err
	}
	name := r.PathValue("path")
	f, ok := c.find(name)
	// Also with the error: a client may be asking for no more than the commit.
	w.Header().Set("X-Repo-Commit", c.ID)
	if !ok {
		return missing(entryNotFound, "Entry not found")
	}
	blob, err := os.Open(h.blob(f.SHA256))
	if errors.Is(err, fs.ErrNotExist) {
		return missing(entryNotFound, "%s of %s is gone: this hub keeps large files of the %d newest commits", name, c.ID[:7], h.opts.Keep)
	}
	if err != nil {
		return err
	}
	defer blob.Close()
	header := w.Header()
	header.Set("ETag", `"`+f.Git+`"`)
	if f.LFS {
		header.Set("ETag", `"`+f.SHA256+`"`)
		header.Set("X-Linked-Etag", `"`+f.SHA256+`"`)
		header.Set("X-Linked-Size", strconv.FormatInt(f.Size, 10))
	}
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Disposition", fmt.Sprintf("inline; filename=%q", headerText(path.Base(name))))
	counted := &countedWriter{ResponseWriter: w}
	http.ServeContent(counted, r, "", time.Time{}, blob)
	if r.Method == http.MethodGet && counted.bytes > 0 || f.Size == 0 {
		h.emit(slog.LevelInfo, "hub-download", fmt.Sprintf("hub: %s of %s at %s downloaded: %d of %d bytes", name, p.id(), c.ID[:7], counted.bytes, f.Size),
			slog.String("repo", p.id()), slog.String("revision", c.ID), slog.String("path", name), slog.Int64("bytes", counted.bytes))
	}
	return nil
}

// countedWriter counts what is sent.
type countedWriter struct {
	http.ResponseWriter
	bytes int64
}

func (c *countedWriter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes += int64(n)
	return n, err
}

// ReadFrom lets the kernel do the copying where it can.
func (c *countedWriter) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.ResponseWriter, r)
	c.bytes += n
	return n, err
}
