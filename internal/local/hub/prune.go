package hub

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// prune removes the contents that no commit within Options.Keep refers to, and
// the remains of uploads. What is younger than the grace period stays: it may
// be waiting for its commit.
func (h *Hub) prune() error {
	h.pruning.Lock()
	defer h.pruning.Unlock()
	kept := h.kept()
	before := time.Now().Add(-h.opts.Grace)
	dirs, err := os.ReadDir(filepath.Join(h.dir, "blobs"))
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range dirs {
		blobs, err := os.ReadDir(filepath.Join(h.dir, "blobs", dir.Name()))
		if err != nil {
			return err
		}
		for _, b := range blobs {
			if kept[b.Name()] {
				continue
			}
			info, err := b.Info()
			if err == nil && info.ModTime().Before(before) {
				// On Windows it fails while somebody downloads, until later.
				errs = append(errs, os.Remove(filepath.Join(h.dir, "blobs", dir.Name(), b.Name())))
			}
		}
	}
	return errors.Join(append(errs, h.clearTemp(signedFor))...)
}

// kept returns the contents that commits need.
func (h *Hub) kept() map[string]bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	kept := make(map[string]bool)
	for _, p := range h.repos {
		for i, c := range p.history {
			old := h.opts.Keep > 0 && len(p.history)-i > h.opts.Keep
			for _, f := range c.Files {
				if !f.LFS || !old {
					kept[f.SHA256] = true
				}
			}
		}
	}
	return kept
}

// clearTemp removes uploads in progress of at least that age.
func (h *Hub) clearTemp(age time.Duration) error {
	entries, err := os.ReadDir(filepath.Join(h.dir, "tmp"))
	if err != nil {
		return err
	}
	before := time.Now().Add(-age)
	var errs []error
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || age > 0 && info.ModTime().After(before) {
			continue
		}
		if err := os.Remove(filepath.Join(h.dir, "tmp", e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// sizeOf returns the size of a content that is here.
func (h *Hub) sizeOf(oid string) (int64, error) {
	info, err := os.Stat(h.blob(strings.ToLower(oid)))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
