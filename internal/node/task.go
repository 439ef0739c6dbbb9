package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// maxTaskFile is more than a file of an expert group needs.
const maxTaskFile = 8 << 20

// ReadTask returns the bundle of the expert group in a directory, which its name
// is the last part of: its config.yaml, expert_assignment.json and, if it has one,
// shard_policy.json. The error wraps [subnet.ErrNotFound] if there is no such
// directory.
func ReadTask(dir string) ([]byte, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("task %s: %w", dir, subnet.ErrNotFound)
	}
	text, err := readTaskFile(dir, "config.yaml")
	if err != nil {
		return nil, err
	}
	config, err := yaml.YAMLToJSON(text)
	if err == nil && !json.Valid(config) { // such as of .nan
		err = errors.New("JSON has no such value")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "config.yaml"), err)
	}
	experts, err := readTaskFile(dir, "expert_assignment.json")
	if err != nil {
		return nil, err
	}
	policy, err := readTaskFile(dir, "shard_policy.json")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return connito.SealTask(filepath.Base(dir), config, experts, policy)
}

func readTaskFile(dir, name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxTaskFile+1))
	if err == nil && len(data) > maxTaskFile {
		err = fmt.Errorf("%s: more than %d bytes", f.Name(), maxTaskFile)
	}
	return data, err
}
