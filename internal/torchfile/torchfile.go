// Package torchfile reads and writes the files of torch.save: a zip archive of
// uncompressed entries, in which data.pkl describes a value as a pickle and
// data/0, data/1, … hold the bytes of its tensors.
//
// A pickle is a program. This package runs none: it follows the few
// instructions that build dicts, lists and tensors, knows the few names that
// stand for those, and names whatever else it meets in an error. The same
// goes for lengths: the file's words are compared with its bytes before
// anything is allocated.
package torchfile

import (
	"fmt"
	"io"

	"adit/internal/tensor"
)

// Limits on what a file may hold. A checkpoint of a large model has some ten
// thousand tensors, described in some two megabytes.
const (
	maxDirectory = 32 << 20 // bytes of the zip's directory
	maxEntries   = 1 << 18  // files in the zip
	maxPickle    = 32 << 20 // bytes of data.pkl
	maxSteps     = 1 << 22  // pickle instructions
	maxStack     = 1 << 20  // values on the pickle's stack
	maxMemo      = 1 << 21  // values the pickle remembers
	maxString    = 1 << 20  // bytes of one string
	maxTensors   = 1 << 18  // tensors rebuilt
	maxRank      = 64       // dimensions of one tensor
	maxDepth     = 64       // containers within containers
	maxValues    = 1 << 22  // values in the result, each occurrence counted
)

// A Dict is a Python dict or OrderedDict: pairs in their order. Keys are
// strings, int64s, float64s or bools.
type Dict struct {
	Items   []Item
	Ordered bool // an OrderedDict
}

// An Item is one pair of a Dict.
type Item struct {
	Key   any
	Value any
}

// Get returns the value of a string key, or false.
func (d *Dict) Get(key string) (any, bool) {
	for _, it := range d.Items {
		if it.Key == key {
			return it.Value, true
		}
	}
	return nil, false
}

// A Tuple is a Python tuple.
type Tuple []any

// Decode reads a file of that size. The result is made of *[Dict], []any,
// [Tuple], [tensor.Tensor], string, int64, float64, bool and nil.
//
// The file may have at most limit bytes, and so may the tensors together,
// counted wherever they occur: views of one storage count each for itself.
// Tensors that lie in the file without gaps share memory if their storages
// are shared. A model's parameters come as plain tensors.
func Decode(r io.ReaderAt, size, limit int64) (any, error) {
	if size > limit {
		return nil, fmt.Errorf("torch file of %d bytes is larger than the %d allowed", size, limit)
	}
	a, err := openArchive(r, size)
	if err != nil {
		return nil, fmt.Errorf("torch file: %w", err)
	}
	if err := a.checkByteOrder(); err != nil {
		return nil, fmt.Errorf("torch file: %w", err)
	}
	pickle, err := a.read("data.pkl", maxPickle)
	if err != nil {
		return nil, fmt.Errorf("torch file: %w", err)
	}
	m := machine{in: pickle}
	top, err := m.run()
	if err != nil {
		return nil, fmt.Errorf("torch file: data.pkl: at byte %d: %w", m.at, err)
	}
	b := builder{archive: a, left: limit, storages: make(map[string][]byte), views: make(map[*view]tensor.Tensor)}
	v, err := b.build(top, 0)
	if err != nil {
		return nil, fmt.Errorf("torch file: %w", err)
	}
	return v, nil
}
