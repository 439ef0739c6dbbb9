package hub

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A repo is a repository with its one branch, main.
type repo struct {
	owner, name string
	private     bool
	created     time.Time
	dir         string

	// committing lets one commit at a time be made.
	committing sync.Mutex
	// history is oldest first and never empty. It only grows, so that a slice
	// of it taken under Hub.mu stays valid.
	history []commit
}

// repoKey is what a repository is found by. The Hub does not tell upper from
// lower case, nor do some file systems.
func repoKey(owner, name string) string { return strings.ToLower(owner + "/" + name) }

func (p *repo) id() string { return p.owner + "/" + p.name }

// A commit is a state of a repository.
type commit struct {
	ID          string    `json:"id"` // 40 hex digits
	Parent      string    `json:"parent,omitempty"`
	Title       string    `json:"title"`
	Description string    `json:"description,omitempty"`
	Author      string    `json:"author"`
	Date        time.Time `json:"date"`
	Files       []file    `json:"files"` // by path
}

// A file is an entry of a commit's tree.
type file struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Git    string `json:"git"` // git's id of the content or, with LFS, of the pointer
	LFS    bool   `json:"lfs,omitempty"`
}

// identify gives c its id, from its content and parent only: the same commit
// made again is the same commit.
func (c *commit) identify() {
	canonical, err := json.Marshal(commit{Parent: c.Parent, Title: c.Title, Description: c.Description, Files: c.Files})
	if err != nil {
		panic(err) // unreachable: strings and numbers
	}
	sum := sha1.Sum(canonical)
	c.ID = hex.EncodeToString(sum[:])
}

// find returns the file at path.
func (c *commit) find(path string) (file, bool) {
	i, ok := slices.BinarySearchFunc(c.Files, path, func(f file, path string) int { return strings.Compare(f.Path, path) })
	if !ok {
		return file{}, false
	}
	return c.Files[i], true
}

// snapshot returns all commits so far.
func (h *Hub) snapshot(p *repo) []commit {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return p.history
}

// minPrefix is the shortest beginning of an id that is looked up.
const minPrefix = 4

// revision returns the commit that rev names in p.
func (h *Hub) revision(p *repo, rev string) (commit, error) {
	history := h.snapshot(p)
	if rev == "main" || rev == "refs/heads/main" || rev == "HEAD" {
		return history[len(history)-1], nil
	}
	var found []commit
	if len(rev) >= minPrefix {
		for _, c := range history {
			if strings.HasPrefix(c.ID, strings.ToLower(rev)) {
				found = append(found, c)
			}
		}
	}
	switch len(found) {
	case 0:
		return commit{}, missing(revisionNotFound, "Invalid rev id: %s", rev)
	case 1:
		return found[0], nil
	}
	return commit{}, missing(revisionNotFound, "Invalid rev id: %s is ambiguous, %d commits begin with it", rev, len(found))
}

// repoFile is repo.json.
type repoFile struct {
	Owner   string    `json:"owner"`
	Name    string    `json:"name"`
	Private bool      `json:"private,omitempty"`
	Created time.Time `json:"created"`
}

// load reads all repositories. One without a ref was being made or deleted
// when the hub was killed, and does not exist.
func (h *Hub) load() error {
	dirs, err := filepath.Glob(filepath.Join(escapeGlob(h.dir), "repos", "*", "*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		ref, err := os.ReadFile(filepath.Join(dir, "refs", "main"))
		if errors.Is(err, fs.ErrNotExist) {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		var info repoFile
		if err := readJSON(filepath.Join(dir, "repo.json"), &info); err != nil {
			return err
		}
		p := &repo{owner: info.Owner, name: info.Name, private: info.Private, created: info.Created, dir: dir}
		if err := p.loadHistory(strings.TrimSpace(string(ref))); err != nil {
			return err
		}
		h.repos[repoKey(p.owner, p.name)] = p
	}
	return nil
}

// loadHistory follows the parents from head. Commits that it does not meet were
// never published.
func (p *repo) loadHistory(head string) error {
	for id := head; id != ""; {
		if raw, err := hex.DecodeString(id); err != nil || len(raw) != sha1.Size {
			return fmt.Errorf("%s: %q is not a commit", p.dir, id)
		}
		var c commit
		if err := readJSON(p.commitFile(id), &c); err != nil {
			return err
		}
		p.history = append(p.history, c)
		id = c.Parent
	}
	if len(p.history) == 0 {
		return fmt.Errorf("%s: no commits", p.dir)
	}
	slices.Reverse(p.history)
	return nil
}

func (p *repo) commitFile(id string) string { return filepath.Join(p.dir, "commits", id+".json") }

func readJSON(name string, v any) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// escapeGlob makes a directory's name match itself only.
func escapeGlob(dir string) string {
	if onWindows {
		return dir // no escapes there; [ is all that could matter
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// add puts c on top of p's history: on disk, then for all to see.
func (h *Hub) add(p *repo, c commit) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := h.writeFile(p.commitFile(c.ID), raw); err != nil {
		return err
	}
	if err := h.writeFile(filepath.Join(p.dir, "refs", "main"), []byte(c.ID+"\n")); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p.history = append(p.history, c)
	return nil
}

// attributes is the file every repository on the Hub begins with.
const attributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n*.pt filter=lfs diff=lfs merge=lfs -text\n" +
	"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"

func (h *Hub) createRepo(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Name         string `json:"name"`
		Organization string `json:"organization"`
		Type         string `json:"type"`
		Private      bool   `json:"private"`
		Visibility   string `json:"visibility"`
	}
	if err := h.read(w, r, &in); err != nil {
		return err
	}
	owner, name, err := h.ownRepo(r, in.Organization, in.Name, in.Type)
	if err != nil {
		return err
	}
	h.making.Lock()
	defer h.making.Unlock()
	key := repoKey(owner, name)
	h.mu.RLock()
	there := h.repos[key]
	h.mu.RUnlock()
	if there != nil {
		answerStatus(w, http.StatusConflict, map[string]string{
			"error": "You already created this model repo", "url": base(r) + "/" + there.id()})
		return nil
	}
	p := &repo{owner: owner, name: name, private: in.Private || in.Visibility == "private",
		created: time.Now().UTC(), dir: filepath.Join(h.dir, "repos", filepath.FromSlash(key))}
	if err := h.begin(p); err != nil {
		return errors.Join(err, os.RemoveAll(p.dir))
	}
	return answer(w, map[string]string{"url": base(r) + "/" + p.id(), "name": p.id(), "id": p.id()})
}

// begin makes p on disk, with a first commit, then for all to see.
func (h *Hub) begin(p *repo) error {
	raw, err := json.Marshal(repoFile{p.owner, p.name, p.private, p.created})
	if err != nil {
		return err
	}
	if err := h.writeFile(filepath.Join(p.dir, "repo.json"), raw); err != nil {
		return err
	}
	h.pruning.RLock()
	defer h.pruning.RUnlock()
	f, err := h.putContent(".gitattributes", []byte(attributes))
	if err != nil {
		return err
	}
	c := commit{Title: "initial commit", Author: p.owner, Date: p.created, Files: []file{f}}
	c.identify()
	if err := h.add(p, c); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.repos[repoKey(p.owner, p.name)] = p
	return nil
}

// ownRepo checks that r's user may make or delete a repository.
func (h *Hub) ownRepo(r *http.Request, organization, name, kind string) (string, string, error) {
	user, err := h.user(r)
	if err != nil {
		return "", "", err
	}
	if organization == "" {
		organization = user
	}
	if _, err := h.owner(r, organization); err != nil {
		return "", "", err
	}
	if kind != "" && kind != "model" {
		return "", "", fail(http.StatusBadRequest, "this hub has model repositories only, not a %s", kind)
	}
	if !validName(name) {
		return "", "", fail(http.StatusBadRequest, "%q cannot be the name of a repository", name)
	}
	return user, name, nil
}

func (h *Hub) deleteRepo(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Name         string `json:"name"`
		Organization string `json:"organization"`
		Type         string `json:"type"`
	}
	if err := h.read(w, r, &in); err != nil {
		return err
	}
	owner, name, err := h.ownRepo(r, in.Organization, in.Name, in.Type)
	if err != nil {
		return err
	}
	h.making.Lock()
	defer h.making.Unlock()
	h.mu.RLock()
	p := h.repos[repoKey(owner, name)]
	h.mu.RUnlock()
	if p == nil {
		return missing(repoNotFound, "Repository not found")
	}
	p.committing.Lock()
	defer p.committing.Unlock()
	// Without its ref it is gone, whatever happens to the rest.
	if err := os.Remove(filepath.Join(p.dir, "refs", "main")); err != nil {
		return err
	}
	h.mu.Lock()
	delete(h.repos, repoKey(owner, name))
	h.mu.Unlock()
	if err := os.RemoveAll(p.dir); err != nil {
		return err
	}
	return answer(w, map[string]string{})
}
