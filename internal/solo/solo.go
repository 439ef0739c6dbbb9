// Package solo trains, evaluates and tries a language model by oneself: from a
// model directory of the Hugging Face kind and a few files of text, on this
// machine, without a network.
//
// [Train], [Evaluate] and [Generate] are what the commands of these names do.
// They tell a [Watcher] how they get on; who shows that to a person, or writes it
// down for a program, is in show.go and its neighbours. What they leave on the
// disk is whole at every instant: a checkpoint is written beside the one before
// it and takes its place.
package solo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"adit/internal/engine/model"
	"adit/internal/engine/pretrained"
	"adit/internal/subnet"
)

// The names of the files that this package looks for itself.
const (
	configName    = "config.json"
	tokenizerName = "tokenizer.json"
)

// maxConfig bounds a config.json, in bytes.
const maxConfig = 16 << 20

// A source is a model on the disk: its shape, and its weights if it has any.
type source struct {
	path      string          // as it was given
	dir       *pretrained.Dir // nil if there are no weights, or none are wanted
	config    model.Config    // of raw
	raw       []byte          // config.json
	settings  settings        // of generation_config.json, and what config.json says of it
	generate  []byte          // generation_config.json, nil if there is none
	tokenizer string          // path of tokenizer.json; "" if there is none
	files     []string        // paths of the tokenizer's files
}

// openSource opens the model at path, which is a directory, or a config.json
// alone if no weights are wanted. The caller closes it.
func openSource(path string, weights bool) (*source, error) {
	s := &source{path: path}
	if err := s.open(weights); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *source) open(weights bool) error {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return subnet.WithHint(fmt.Errorf("model %s: %w", s.path, subnet.ErrNotFound),
			"give the path of a directory with config.json, model.safetensors and tokenizer.json in it")
	case err != nil:
		return fmt.Errorf("model: %w", err)
	case weights:
		err = s.openWeights()
	case info.IsDir():
		err = s.readConfig(filepath.Join(s.path, configName), s.path)
	default:
		err = s.readConfig(s.path, "")
	}
	if err != nil {
		return err
	}
	if s.config, err = model.ParseConfig(s.raw); err != nil {
		return subnet.WithHint(fmt.Errorf("model %s: %s: %w", s.path, configName, err),
			"this program computes exactly what config.json says or nothing; use a model of a supported kind")
	}
	if s.settings, err = readSettings(s.raw, s.generate); err != nil {
		return fmt.Errorf("model %s: %w", s.path, err)
	}
	return nil
}

// openWeights opens a directory with all there is.
func (s *source) openWeights() error {
	dir, err := pretrained.Open(s.path)
	if err != nil {
		return err // it names the directory
	}
	s.dir, s.raw, s.generate = dir, dir.Config(), dir.Generation()
	s.tokenizer, s.files = dir.Tokenizer(), dir.Companions()
	return nil
}

// readConfig reads a config.json, and finds the tokenizer in dir if that is not
// "".
func (s *source) readConfig(path, dir string) error {
	raw, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return subnet.WithHint(fmt.Errorf("model %s: %s: %w", s.path, configName, subnet.ErrNotFound),
			"write a config.json for the new model there, or copy that of a model of the same kind")
	}
	if err != nil {
		return fmt.Errorf("model %s: %w", s.path, err)
	}
	s.raw = raw
	if dir == "" {
		return nil
	}
	s.findTokenizer(dir)
	return nil
}

// companions are the files by which the transformers library knows a tokenizer,
// but for those of slow ones, which this program does not read.
var companions = [...]string{tokenizerName, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"}

// findTokenizer takes the tokenizer of a directory.
func (s *source) findTokenizer(dir string) {
	s.tokenizer, s.files = "", nil
	for _, name := range companions {
		if path := filepath.Join(dir, name); isFile(path) {
			s.files = append(s.files, path)
		}
	}
	if path := filepath.Join(dir, tokenizerName); isFile(path) {
		s.tokenizer = path
	}
}

// readSmall reads a file of settings.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfig {
		return nil, fmt.Errorf("%s is no file of settings: want a regular file of at most %d bytes", path, maxConfig)
	}
	return os.ReadFile(path)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Close lets go of the files.
func (s *source) Close() error {
	if s.dir == nil {
		return nil
	}
	return s.dir.Close()
}
