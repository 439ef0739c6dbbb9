package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"adit/internal/subnet"
)

// fileName is the settings file in a run's directory.
const fileName = "config.yaml"

// ResolvePath says which directory and which settings file a --path means: the
// run's directory with a config.yaml in it, or a .yaml file, whose directory is
// then the run's. Both must exist.
func ResolvePath(path string) (dir, file string, err error) {
	switch ext := strings.ToLower(filepath.Ext(path)); {
	case path == "":
		return "", "", subnet.WithHint(errors.New("no path given"), "name the run's directory with --path")
	case ext == ".yaml" || ext == ".yml":
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			break // a directory that is called so
		}
		if errors.Is(err, fs.ErrNotExist) {
			return "", "", missing(path)
		}
		return filepath.Dir(path), path, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", missing(path)
	}
	if err != nil {
		return "", "", fmt.Errorf("find settings: %w", err)
	}
	if !info.IsDir() {
		return "", "", subnet.WithHint(fmt.Errorf("%s is neither a directory nor a .yaml file", path),
			"name the run's directory, or its "+fileName)
	}
	file = filepath.Join(path, fileName)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return "", "", missing(file)
	} else if err != nil {
		return "", "", fmt.Errorf("find settings: %w", err)
	}
	return path, file, nil
}

func missing(path string) error {
	return subnet.WithHint(fmt.Errorf("%s: %w", path, subnet.ErrNotFound), "check the path, or make the run's directory first")
}
