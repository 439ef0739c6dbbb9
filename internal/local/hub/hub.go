// Package hub is a model hub on one machine. It speaks the HTTP API of the
// Hugging Face Hub well enough for huggingface_hub and for package exchange:
// repositories with one branch, commits, Git LFS uploads in one piece or in
// parts, downloads with ranges, and the errors a client tells apart.
//
// A hub is a directory:
//
//	blobs/ab/abcd…                        contents by their SHA-256
//	repos/<owner>/<name>/repo.json        what the repository is
//	repos/<owner>/<name>/commits/<id>.json  a commit with its whole tree
//	repos/<owner>/<name>/refs/main        the newest commit's id
//	tmp/                                  uploads in progress
//	key                                   signs the URLs of uploads
//
// Every file is written aside, synced and renamed: the contents first, the
// commit then, the ref last. So a kill at any instruction leaves either the old
// state or the new one. One process at a time may use the directory.
package hub

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"adit/internal/subnet"
)

// Options is how a hub behaves. The zero value is a hub that nobody can write.
type Options struct {
	// Tokens maps access tokens to user names. A user writes the repositories
	// of that name as owner, and reads the private ones among them. Anybody
	// reads the others, without a token too.
	Tokens map[string]string
	// MaxFile is the size of the largest file, in bytes; 0 for 64 GiB.
	MaxFile int64
	// MaxBody is the size of the largest request that is not an upload, in
	// bytes; 0 for 64 MiB. Small files travel in such requests.
	MaxBody int64
	// PartSize is the size of a file, in bytes, above which it is uploaded in
	// parts of that size; 0 for 64 MiB.
	PartSize int64
	// Keep is for how many of its newest commits a repository keeps large
	// files; 0 for all. Small files and the history stay.
	Keep int
	// Grace is how long an upload without a commit is kept; 0 for an hour. A
	// neuron may upload in one phase of its round and publish in a later one.
	Grace time.Duration
	// Emit is told of each publish, each download and each fault of the hub.
	Emit func(subnet.Event)
}

// Hub is a model hub. It is an [http.Handler].
type Hub struct {
	dir    string
	opts   Options
	tokens map[[sha256.Size]byte]string
	key    []byte

	api, lfs, files http.ServeMux

	mu    sync.RWMutex     // guards repos, and commits of each
	repos map[string]*repo // by lower-case owner/name
	// making serialises what makes and deletes repositories.
	making sync.Mutex
	// pruning is held to remove contents, and shared by those who are about
	// to refer to them.
	pruning sync.RWMutex

	// testOnlyWrite, if set, stands in for the disk in writes.
	testOnlyWrite func(f *os.File, p []byte) (int, error)
}

var _ http.Handler = (*Hub)(nil)

// Open opens the hub in dir, made if there is none.
func Open(dir string, opts Options) (*Hub, error) {
	if opts.MaxFile <= 0 {
		opts.MaxFile = 64 << 30
	}
	if opts.MaxBody <= 0 {
		opts.MaxBody = 64 << 20
	}
	if opts.PartSize <= 0 {
		opts.PartSize = 64 << 20
	}
	if opts.Grace <= 0 {
		opts.Grace = time.Hour
	}
	if opts.Emit == nil {
		opts.Emit = func(subnet.Event) {}
	}
	h := &Hub{dir: dir, opts: opts, tokens: make(map[[sha256.Size]byte]string), repos: make(map[string]*repo)}
	for token, user := range opts.Tokens {
		if token == "" || !validName(user) {
			return nil, fmt.Errorf("open hub: %q cannot be a user with a token", user)
		}
		// By digest, so that looking one up takes no time that tells of it.
		h.tokens[sha256.Sum256([]byte(token))] = user
	}
	for _, sub := range []string{"blobs", "repos", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("open hub: %w", err)
		}
	}
	if err := h.clearTemp(0); err != nil {
		return nil, fmt.Errorf("open hub: %w", err)
	}
	if err := h.loadKey(); err != nil {
		return nil, fmt.Errorf("open hub: %w", err)
	}
	if err := h.load(); err != nil {
		return nil, fmt.Errorf("open hub: %w", err)
	}
	if err := h.prune(); err != nil {
		return nil, fmt.Errorf("open hub: %w", err)
	}
	h.routes()
	return h, nil
}

// routes lists all that a client may ask. There are three tables, since an
// owner may have any name but "api" and "lfs".
func (h *Hub) routes() {
	for pattern, f := range map[string]handler{
		"GET /api/whoami-v2":                                  h.whoami,
		"POST /api/repos/create":                              h.createRepo,
		"DELETE /api/repos/delete":                            h.deleteRepo,
		"POST /api/validate-yaml":                             h.validateYAML,
		"GET /api/models/{owner}/{name}":                      h.info,
		"GET /api/models/{owner}/{name}/revision/{rev}":       h.info,
		"GET /api/models/{owner}/{name}/tree/{rev}":           h.tree,
		"GET /api/models/{owner}/{name}/tree/{rev}/{path...}": h.tree,
		"POST /api/models/{owner}/{name}/paths-info/{rev}":    h.pathsInfo,
		"GET /api/models/{owner}/{name}/refs":                 h.refs,
		"GET /api/models/{owner}/{name}/commits/{rev}":        h.commits,
		"POST /api/models/{owner}/{name}/preupload/{rev}":     h.preupload,
		"POST /api/models/{owner}/{name}/commit/{rev}":        h.commit,
		"/api/": unknownRoute,
	} {
		h.api.HandleFunc(pattern, h.serve(f))
	}
	for pattern, f := range map[string]handler{
		"PUT /lfs/object/{oid}/{size}":                 h.putObject,
		"PUT /lfs/part/{oid}/{size}/{upload}/{number}": h.putPart,
		"POST /lfs/complete/{oid}/{size}/{upload}":     h.completeParts,
		"/lfs/": unknownRoute,
	} {
		h.lfs.HandleFunc(pattern, h.serve(f))
	}
	for pattern, f := range map[string]handler{
		"POST /{owner}/{git}/info/lfs/objects/batch":  h.batch,
		"POST /{owner}/{git}/info/lfs/objects/verify": h.verify,
		"GET /{owner}/{name}/resolve/{rev}/{path...}": h.resolve,
		"/": unknownRoute,
	} {
		h.files.HandleFunc(pattern, h.serve(f))
	}
}

// ServeHTTP answers one request.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); first {
	case "api":
		h.api.ServeHTTP(w, r)
	case "lfs":
		h.lfs.ServeHTTP(w, r)
	default:
		h.files.ServeHTTP(w, r)
	}
}

// base is the URL under which the client of r has reached the hub.
func base(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (h *Hub) emit(level slog.Level, kind, text string, attrs ...slog.Attr) {
	h.opts.Emit(subnet.Event{Level: level, Kind: kind, Text: text, Attrs: attrs})
}
