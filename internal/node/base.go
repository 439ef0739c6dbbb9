package node

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"adit/internal/safetensors"
	"adit/internal/subnet"
)

// IndexFile names the shards of a base model that is in several files.
const IndexFile = ModelFile + ".index.json"

// BaseFiles returns the paths of the files that hold a base model's parameters:
// model.safetensors, or, where there is none, the shards that its index names, in
// the order in which it first does.
func BaseFiles(dir string) ([]string, error) {
	single := filepath.Join(dir, ModelFile)
	if _, err := os.Stat(single); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return []string{single}, nil // what is wrong with it is said by whoever opens it
	}
	f, err := os.Open(filepath.Join(dir, IndexFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, subnet.WithHint(fmt.Errorf("%s has neither %s nor %s: %w", dir, ModelFile, IndexFile, err),
			"download all of the model's files, as safetensors")
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, safetensors.MaxIndex+1))
	if err != nil {
		return nil, err
	}
	index, err := safetensors.ParseIndex(text)
	if err != nil {
		return nil, subnet.WithHint(fmt.Errorf("%s: %w", f.Name(), err), "download the index again")
	}
	var paths []string
	for _, name := range index.Files() {
		paths = append(paths, filepath.Join(dir, filepath.FromSlash(name)))
	}
	return paths, nil
}

// openBase opens the files of a base model.
func openBase(dir string) ([]subnet.File, error) {
	paths, err := BaseFiles(dir)
	if err != nil {
		return nil, fmt.Errorf("base model: %w", err)
	}
	var files []subnet.File
	for _, path := range paths {
		f, err := openFile(path)
		if errors.Is(err, fs.ErrNotExist) && len(paths) > 1 {
			err = subnet.WithHint(err, "the download was not finished: "+IndexFile+" names this file")
		}
		if err != nil {
			for _, f := range files {
				err = errors.Join(err, f.Close())
			}
			return nil, fmt.Errorf("base model: %w", err)
		}
		files = append(files, f)
	}
	return files, nil
}
