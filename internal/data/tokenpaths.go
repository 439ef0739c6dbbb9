package data

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"adit/internal/subnet"
)

// TokenFiles returns the token files that paths name, in the order of their names
// within each folder: files ending in .bin or .npy, and those that [Encode] wrote.
// It returns none if the paths hold text instead; both at once are an error.
func TokenFiles(paths ...string) ([]string, error) {
	var found []string
	text := ""
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, subnet.WithHint(fmt.Errorf("read data: %w", err), "check the path given with --data")
		}
		inside := []string{p}
		if info.IsDir() {
			if inside, err = tokenFilesIn(p); err != nil {
				return nil, err
			}
		} else if !isTokenFile(p) {
			inside = nil
		}
		if len(inside) == 0 {
			text = p
		}
		found = append(found, inside...)
	}
	if text != "" && len(found) > 0 {
		return nil, subnet.WithHint(fmt.Errorf("%s holds tokens, but %s does not", found[0], text),
			"give either text or token files; encode the text on its own first")
	}
	return found, nil
}

// tokenFilesIn returns the token files below a folder.
func tokenFilesIn(dir string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case at != dir && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
		case !d.IsDir() && isTokenFile(at):
			found = append(found, at)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read data: %w", err)
	}
	slices.Sort(found)
	return found, nil
}

func isTokenFile(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".bin", ".npy":
		return true
	}
	_, err := readTokenInfo(path)
	return err == nil
}
