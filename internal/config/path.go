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
// then the run's. Both must exist. The guides' paths of a run end in the hotkey and
// the run, and leave out the coldkey that is before them: such a one is found too.
func ResolvePath(path string) (dir, file string, err error) {
	if _, err := os.Stat(path); path != "" && errors.Is(err, fs.ErrNotExist) {
		switch found := belowColdkey(path); len(found) {
		case 0:
		case 1:
			path = found[0]
		default:
			return "", "", subnet.WithHint(fmt.Errorf("%s: there is no such path, and below it %d coldkeys have that hotkey and run", path, len(found)),
				"name one of "+strings.Join(found, ", "))
		}
	}
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

// belowColdkey returns what a path stands for that lacks the coldkey before the
// hotkey and the run.
func belowColdkey(path string) []string {
	path = filepath.Clean(path)
	name := ""
	if ext := strings.ToLower(filepath.Ext(path)); ext == ".yaml" || ext == ".yml" {
		path, name = filepath.Dir(path), filepath.Base(path)
	}
	hotkey := filepath.Dir(path)
	base := filepath.Dir(hotkey)
	coldkeys, err := os.ReadDir(base)
	if err != nil || hotkey == "." || base == hotkey {
		return nil
	}
	var found []string
	for _, c := range coldkeys {
		dir := filepath.Join(base, c.Name(), filepath.Base(hotkey), filepath.Base(path))
		if _, err := os.Stat(filepath.Join(dir, fileName)); err == nil {
			found = append(found, filepath.Join(dir, name))
		}
	}
	return found
}

// FindRoot returns the root of the runs: what ADIT_HOME says; in a container /data,
// if there is such; or else, as upstream has it, the nearest directory from this one upwards that
// holds .git, pyproject.toml or requirements.txt.
//
// Unlike upstream, the current directory where there is none.
func FindRoot() (string, error) {
	if root := os.Getenv("ADIT_HOME"); root != "" {
		return root, nil
	}
	if _, err := os.Stat("/.dockerenv"); err == nil {
		if info, err := os.Stat("/data"); err == nil && info.IsDir() {
			return "/data", nil
		}
	}
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the root of the runs: %w", err)
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		for _, mark := range []string{".git", "pyproject.toml", "requirements.txt"} {
			if _, err := os.Stat(filepath.Join(dir, mark)); err == nil {
				return dir, nil
			}
		}
		if dir == filepath.Dir(dir) {
			return here, nil
		}
	}
}

func missing(path string) error {
	return subnet.WithHint(fmt.Errorf("%s: %w", path, subnet.ErrNotFound), "check the path, or make the run's directory first")
}
