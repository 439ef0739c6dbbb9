package exchange

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sort"

	"adit/internal/exchange/transfer"
)

// A manifest lists all files of one revision of a Mem or Dir store.
type manifest struct {
	ID      string  `json:"id"` // 40 hex digits, as a commit on the hub
	Parent  string  `json:"parent,omitempty"`
	Message string  `json:"message"`
	Files   []entry `json:"files"` // by path
}

type entry struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 digest `json:"sha256"`
}

// with returns the manifest that follows m when staged is published, or m
// itself if that changes nothing: then publishing twice is publishing once.
func (m manifest) with(staged []entry, message string) (next manifest, changed bool) {
	next = manifest{Parent: m.ID, Message: message, Files: slices.Clone(m.Files)}
	for _, e := range staged {
		i, found := slices.BinarySearchFunc(next.Files, e.Path, func(f entry, path string) int { return cmp.Compare(f.Path, path) })
		switch {
		case !found:
			next.Files = slices.Insert(next.Files, i, e)
		case next.Files[i] != e:
			next.Files[i] = e
		default:
			continue
		}
		changed = true
	}
	if !changed {
		return m, false
	}
	canonical, err := json.Marshal(next)
	if err != nil {
		panic(err) // unreachable: strings and numbers
	}
	sum := sha256.Sum256(canonical)
	next.ID = hex.EncodeToString(sum[:20])
	return next, true
}

// parseManifest reads a manifest that another process may have written.
func parseManifest(raw []byte) (manifest, error) {
	var m manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return manifest{}, err
	}
	for i, e := range m.Files {
		if err := transfer.CheckPath(e.Path); err != nil {
			return manifest{}, err
		}
		// The digest becomes a file name.
		if !e.SHA256.valid() || e.Size < 0 {
			return manifest{}, fmt.Errorf("%s: %q is not a digest, or %d not a size", e.Path, e.SHA256, e.Size)
		}
		if i > 0 && m.Files[i-1].Path >= e.Path {
			return manifest{}, fmt.Errorf("%s is out of order", e.Path)
		}
	}
	return m, nil
}

// find returns the file at path.
func (m manifest) find(path string) (entry, bool) {
	i := sort.Search(len(m.Files), func(i int) bool { return m.Files[i].Path >= path })
	if i < len(m.Files) && m.Files[i].Path == path {
		return m.Files[i], true
	}
	return entry{}, false
}

// A stage is what one writer has uploaded and not published yet.
type stage []entry

// put adds e, or replaces what was staged for its path.
func (s *stage) put(e entry) {
	i := slices.IndexFunc(*s, func(o entry) bool { return o.Path == e.Path })
	if i < 0 {
		*s = append(*s, e)
		return
	}
	(*s)[i] = e
}
