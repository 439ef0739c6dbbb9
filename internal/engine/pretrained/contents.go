package pretrained

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"adit/internal/safetensors"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// DefaultShardBytes is the size at which transformers starts another file.
const DefaultShardBytes = 5_000_000_000

// Contents is what [Write] puts into a directory.
type Contents struct {
	Config     []byte   // config.json
	Generation []byte   // generation_config.json; nil for none
	Files      []string // paths of files to copy under their own names, such as tokenizer.json
	Tensors    []Source
	// ShardBytes is how many bytes of tensors one file may hold; a tensor that
	// is larger gets a file of its own. 0 means DefaultShardBytes.
	ShardBytes int64
}

// A Source is a tensor that is asked for when its turn comes, so that a model
// is never in memory a second time. One of Data and Floats is set.
type Source struct {
	Name  string
	DType tensor.DType // in the file
	Shape []int
	// Data calls use once with the tensor, which may have another float type
	// than the file shall have, and returns use's error. The tensor need not
	// last longer than the call. For a tensor of a Dir this is Dir.Use.
	Data func(use func(tensor.Tensor) error) error
	// Floats calls use once with the elements in row-major order.
	Floats func(use func([]float32) error) error
}

// bytes returns the tensor's size in the file.
func (s Source) bytes() (int64, error) {
	if !s.DType.Valid() {
		return 0, fmt.Errorf("tensor %.200q: unknown element type %v", s.Name, s.DType)
	}
	n, err := tensor.Bytes(s.DType, s.Shape)
	if err != nil {
		return 0, fmt.Errorf("tensor %.200q: %w", s.Name, err)
	}
	return n, nil
}

// A plannedShard is a file to be written.
type plannedShard struct {
	name    string
	tensors []Source
}

// plan divides the tensors among files in their order, as transformers does: a
// file is full when the next tensor would be too much. It also checks what can
// be checked before anything is written.
func (c *Contents) plan() (shards []plannedShard, total int64, err error) {
	limit := c.ShardBytes
	if limit <= 0 {
		limit = DefaultShardBytes
	}
	if !json.Valid(c.Config) {
		return nil, 0, fmt.Errorf("%s is not JSON", configFile)
	}
	if c.Generation != nil && !json.Valid(c.Generation) {
		return nil, 0, fmt.Errorf("%s is not JSON", generationFile)
	}
	if len(c.Tensors) == 0 {
		return nil, 0, errors.New("there are no tensors")
	}
	var open plannedShard
	var size int64 // of open
	seen := make(map[string]bool, len(c.Tensors))
	for _, s := range c.Tensors {
		n, err := s.bytes()
		if err != nil {
			return nil, 0, err
		}
		if seen[s.Name] {
			return nil, 0, fmt.Errorf("tensor %.200q comes twice", s.Name)
		}
		seen[s.Name] = true
		if len(open.tensors) > 0 && n > limit-size {
			shards, open, size = append(shards, open), plannedShard{}, 0
		}
		open.tensors = append(open.tensors, s)
		size += n
		if total += n; total < 0 || size < 0 {
			return nil, 0, errors.New("the tensors together are too large")
		}
	}
	shards = append(shards, open)
	if len(shards) == 1 {
		shards[0].name = singleFile
		return shards, total, nil
	}
	for i := range shards {
		shards[i].name = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
	}
	return shards, total, nil
}

// index returns the index of several shards.
func index(shards []plannedShard, total int64) ([]byte, error) {
	files := make(map[string]string)
	for _, p := range shards {
		for _, s := range p.tensors {
			files[s.Name] = p.name
		}
	}
	return safetensors.EncodeIndex(total, files)
}

// isModelFile reports whether a file of that name is written by Write, by
// transformers for the same model, or belongs to the tokenizer.
func isModelFile(name string) bool { return isSettings(name) || slices.Contains(companions, name) }

// isSettings reports whether a file of that name is one that Write makes.
func isSettings(name string) bool {
	switch name {
	case configFile, generationFile, singleFile, indexFile, torchSingle, torchIndex:
		return true
	}
	for _, pattern := range []string{"model-?????-of-?????.safetensors", "pytorch_model-?????-of-?????.bin"} {
		if ok, _ := filepath.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// checkFiles returns an error unless the files to copy can lie beside the
// others.
func (c *Contents) checkFiles() error {
	seen := make(map[string]bool)
	for _, path := range c.Files {
		name := filepath.Base(path)
		if isSettings(name) || seen[name] || strings.HasPrefix(name, ".") {
			return subnet.WithHint(fmt.Errorf("%s cannot be copied into the model: it has another %s", path, name),
				"leave the file out or give it another name")
		}
		seen[name] = true
	}
	return nil
}
