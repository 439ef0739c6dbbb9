package pretrained

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"sort"
	"strings"

	"adit/internal/checkpoint"
	"adit/internal/safetensors"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// A shard is one file of parameters: a mapped safetensors file, or what was in
// a file of torch.
type shard struct {
	name string // in the directory
	m    *mapping
	st   *safetensors.File

	dict tensor.Dict // of a torch file
	keys []string    // of dict, in byte order
}

// openShard opens a file whose name in the directory is slash-separated.
func openShard(dir, name string) (*shard, error) {
	f, err := openFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	s := &shard{name: name}
	if strings.HasSuffix(name, ".bin") {
		defer f.Close()
		if err := s.readTorch(f); err != nil {
			return nil, err
		}
		return s, nil
	}
	// The header is read, not mapped: it is small, and reading cannot fault.
	if s.st, err = safetensors.Open(f, f.size); err != nil {
		f.Close()
		return nil, subnet.WithHint(fmt.Errorf("%s: %w", name, err), hintDamaged)
	}
	s.m = mapFile(f)
	return s, nil
}

// readTorch reads a file of torch.save through the reader that runs no pickle.
// Tensors that share their storage, as an embedding and a head do, count each
// for itself, so that they can be more than the file; twice is plenty.
func (s *shard) readTorch(f *file) error {
	var magic [2]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil || string(magic[:]) != "PK" {
		return subnet.WithHint(fmt.Errorf("%s: it is not the zip archive that torch.save writes since version 1.6", s.name),
			"save the model again with save_pretrained, as safetensors")
	}
	limit := int64(math.MaxInt64)
	if f.size < limit/2 {
		limit = 2 * f.size
	}
	d, err := checkpoint.Read(f, limit)
	if err != nil {
		return err
	}
	s.dict, s.keys = d, d.Keys()
	return nil
}

// len returns how many tensors there are.
func (s *shard) len() int {
	if s.st != nil {
		return s.st.Len()
	}
	return len(s.keys)
}

// key returns the i-th tensor's name in byte order.
func (s *shard) key(i int) string {
	if s.st != nil {
		return s.st.Name(i)
	}
	return s.keys[i]
}

// has reports whether the shard holds the tensor of that name.
func (s *shard) has(name string) bool {
	i := sort.Search(s.len(), func(i int) bool { return s.key(i) >= name })
	return i < s.len() && s.key(i) == name
}

// tensor returns the tensor of that name, which is there. A view's bytes are
// not looked at.
func (s *shard) tensor(name string) (tensor.Tensor, error) {
	if s.st == nil {
		return s.dict[name], nil
	}
	info, _ := s.st.Info(name)
	data, err := s.m.bytes(info.Offset, info.Size)
	if err != nil {
		return tensor.Tensor{}, s.wrap(name, err)
	}
	return tensor.Tensor{DType: info.DType, Shape: info.Shape, Data: data}, nil
}

// guard calls f while it reads tensors of this shard.
func (s *shard) guard(f func() error) error {
	if s.m == nil {
		return f()
	}
	return s.m.guard(f)
}

// wrap names the file and the tensor of an error, and adds the cure of a file
// that changed.
func (s *shard) wrap(name string, err error) error {
	err = fmt.Errorf("%s: tensor %.200q: %w", s.name, name, err)
	if errors.Is(err, errChanged) {
		return subnet.WithHint(err, "let nobody write to the directory while it is read, and start again; if nobody did, download the file again")
	}
	return err
}

func (s *shard) Close() error {
	if s.m == nil {
		return nil
	}
	return s.m.Close()
}
