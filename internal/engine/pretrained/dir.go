// Package pretrained reads and writes model directories as the library
// transformers does: config.json, generation_config.json, the tokenizer's
// files, and the parameters in model.safetensors or in shards of it with an
// index; or, to read, in pytorch_model.bin.
//
// [Open] maps safetensors files into memory and hands out tensors as views of
// the mapping, so that a model costs nothing until it is looked at, and then
// only page cache. [Write] makes a directory that is whole or not there.
//
// What a directory holds comes from strangers. Nothing in it is executed; its
// words are compared with its bytes before memory is spent on them; every error
// names the file, the tensor if it is about one, and a cure.
package pretrained

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"adit/internal/subnet"
)

// The names of the files in a directory.
const (
	configFile     = "config.json"
	generationFile = "generation_config.json"
	tokenizerFile  = "tokenizer.json"
	singleFile     = "model.safetensors"
	indexFile      = "model.safetensors.index.json"
	torchSingle    = "pytorch_model.bin"
	torchIndex     = "pytorch_model.bin.index.json"
)

// maxConfig bounds the two files of settings, in bytes. The longest there are
// name a hundred thousand labels.
const maxConfig = 16 << 20

// ErrClosed is wrapped by the errors of a Dir after Close.
var ErrClosed = errors.New("the model directory is closed")

// A Dir is an open model directory. Its methods may be called from several
// goroutines at once.
type Dir struct {
	path       string
	config     []byte
	generation []byte

	mu      sync.RWMutex // held for reading while a mapping is read
	closed  bool
	shards  []*shard
	tensors []ref // in the names' order
}

// A ref is one tensor of one shard. It is this small because a file can name
// a tensor in fifty bytes.
type ref struct{ shard, tensor uint32 }

// Open opens a directory. It reads the settings and the headers of the
// safetensors files, and checks that they belong together: each tensor the
// index names lies in the shard it says, and none in two. Files of torch are
// read whole, as they cannot be checked otherwise.
//
// Of several kinds of parameters the first there is counts, in the order in
// which transformers looks: model.safetensors, its index, pytorch_model.bin,
// its index.
func Open(dir string) (*Dir, error) {
	d := &Dir{path: dir}
	if err := d.open(); err != nil {
		d.Close()
		return nil, fmt.Errorf("open model %s: %w", dir, err)
	}
	return d, nil
}

func (d *Dir) open() error {
	info, err := os.Stat(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(aside(d.path)); err == nil {
			return subnet.WithHint(fmt.Errorf("no such directory: %w", subnet.ErrNotFound),
				fmt.Sprintf("writing it was interrupted; the model from before is %s, rename that", aside(d.path)))
		}
		return subnet.WithHint(fmt.Errorf("no such directory: %w", subnet.ErrNotFound),
			"give the path of a directory with config.json and model.safetensors in it")
	case err != nil:
		return err
	case !info.IsDir():
		return subnet.WithHint(errors.New("it is a file, not a directory"),
			"give the directory that holds config.json and the weights, not one of the files")
	}
	d.config, err = d.read(configFile, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return subnet.WithHint(fmt.Errorf("%s: %w", configFile, subnet.ErrNotFound),
			"this is no model directory, or only part of one; download all of the model's files")
	}
	if err != nil {
		return err
	}
	d.generation, err = d.read(generationFile, maxConfig)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.openWeights()
}

// read returns the bytes of a file in the directory that is not empty.
func (d *Dir) read(name string, limit int64) ([]byte, error) {
	f, err := openFile(filepath.Join(d.path, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.size > limit {
		return nil, subnet.WithHint(fmt.Errorf("%s: %d bytes are more than the %d allowed", name, f.size, limit),
			"this cannot be what the name says; download the file again")
	}
	b := make([]byte, f.size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, subnet.WithHint(fmt.Errorf("%s: %w", name, err), hintDamaged)
	}
	return b, nil
}

const hintDamaged = "the file is damaged or was cut off; remove it and download it again"

// Path returns the directory.
func (d *Dir) Path() string { return d.path }

// Config returns the bytes of config.json. They are not to be written to.
func (d *Dir) Config() []byte { return d.config }

// Generation returns the bytes of generation_config.json, nil if there is
// none. They are not to be written to.
func (d *Dir) Generation() []byte { return d.generation }

// Tokenizer returns the path of tokenizer.json, "" if there is none.
func (d *Dir) Tokenizer() string {
	path := filepath.Join(d.path, tokenizerFile)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

// companions are the files that belong to a model beside its settings and
// parameters, in transformers' names.
var companions = []string{
	tokenizerFile, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
	"tokenizer.model", "vocab.json", "merges.txt", "vocab.txt", "chat_template.jinja",
}

// Companions returns the paths of the tokenizer's files that are there, for
// [Contents.Files] of a model that is made from this one.
func (d *Dir) Companions() []string {
	var paths []string
	for _, name := range companions {
		path := filepath.Join(d.path, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			paths = append(paths, path)
		}
	}
	return paths
}

// Names returns the tensors' names in byte order.
func (d *Dir) Names() []string {
	names := make([]string, len(d.tensors))
	for i, r := range d.tensors {
		names[i] = d.name(r)
	}
	return names
}

// Close unmaps the files. No tensor that was handed out may be used after it.
// It waits for calls of Use and Floats to end.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	var errs []error
	for _, s := range d.shards {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
