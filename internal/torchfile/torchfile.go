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
	"errors"
	"fmt"
	"io"
	"strings"

	"adit/internal/subnet"
)

// Limits on what a file may hold, besides that of its budget. A checkpoint of a
// large model has some ten thousand tensors, described in some two megabytes.
const (
	maxDirectory = 32 << 20 // bytes of the zip's directory
	maxPickle    = 32 << 20 // bytes of data.pkl
	maxSteps     = 1 << 22  // pickle instructions
	maxMemo      = 1 << 21  // values the pickle remembers
	maxString    = 1 << 20  // bytes of one string
	maxKey       = 1 << 10  // bytes of a dict's key
	maxRank      = 64       // dimensions of one tensor
	maxDepth     = 64       // containers within containers
	maxValues    = 1 << 22  // values in the result, each occurrence counted
	maxVersion   = 10       // of the archive, the last that PyTorch itself reads
)

// What cures a file that is not read.
const (
	hintState       = "save tensors alone: torch.save(model.state_dict(), path)"
	hintProtocol    = "save it without naming a pickle_protocol, so that torch.save takes 2"
	hintClone       = "save copies: {name: t.detach().clone().contiguous() for name, t in state.items()}"
	hintSafetensors = "save it as safetensors, which every version reads"
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

// magicLegacy is how the files of torch.save began before version 1.6: with
// the pickle of a number. The archives that came then are zip files.
const (
	magicLegacy = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
	magicZip    = localSig
)

// Prefix is how many of a file's first bytes [Is] wants to see.
const Prefix = len(magicLegacy)

// Is reports whether a file that begins so is one that torch.save wrote, even
// if it is of the kind that [Decode] can only name.
func Is(prefix []byte) bool {
	s := string(prefix[:min(len(prefix), Prefix)])
	return strings.HasPrefix(s, magicZip[:2]) || s == magicLegacy
}

// Decode reads a file of that size. The result is made of *[Dict], []any,
// [Tuple], [tensor.Tensor], [tensor.DType], string, int64, float64, bool and
// nil.
//
// The file may have at most limit bytes, and so may the tensors together,
// counted wherever they occur: views of one storage count each for itself.
// Tensors that lie in the file without gaps share memory if their storages
// are shared; others are copied out of the storage. A model's parameters come
// as plain tensors.
//
// Decode allocates less than twice the size of the file and a megabyte, and
// leaves enough of that for a caller to make a map of one dict's items. A file
// that describes more than that is refused.
func Decode(r io.ReaderAt, size, limit int64) (any, error) {
	v, err := decode(r, size, limit, false)
	if err != nil {
		return nil, fmt.Errorf("torch file: %w", err)
	}
	return v, nil
}

func decode(r io.ReaderAt, size, limit int64, views bool) (any, error) {
	if size > limit {
		return nil, fmt.Errorf("%d bytes are more than the %d allowed", size, limit)
	}
	if err := begins(r, size); err != nil {
		return nil, err
	}
	budget := newBudget(size)
	a, err := openArchive(r, size, budget)
	if err != nil {
		return nil, err
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	pickle, ok, err := a.text("data.pkl", maxPickle)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.New(`there is no "data.pkl" in the file`)
	}
	m := &machine{in: pickle, arena: arena{budget: budget}}
	top, err := m.run()
	if err != nil {
		return nil, fmt.Errorf("data.pkl: at byte %d: %w", m.at, err)
	}
	b := newBuilder(a, m, limit)
	b.views = views
	return b.build(top, 0)
}

// begins refuses what is no zip file, and says what it is instead.
func begins(r io.ReaderAt, size int64) error {
	b := make([]byte, min(size, int64(Prefix)))
	if err := readAt(r, b, 0); err != nil {
		return err
	}
	switch s := string(b); {
	case s == magicLegacy:
		return subnet.WithHint(errors.New("this is the format of torch.save before version 1.6, which is not read"),
			"load it with PyTorch and save it again with torch.save(state, path), or as safetensors")
	case !strings.HasPrefix(s, magicZip):
		return subnet.WithHint(errors.New("this is no zip archive, as torch.save writes"), hintDamaged)
	}
	return nil
}

const hintDamaged = "if the download was cut, remove the file and fetch it again; otherwise save it again as safetensors"
