package pretrained

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"adit/internal/safetensors"
	"adit/internal/subnet"
)

// openWeights opens the files of parameters.
func (d *Dir) openWeights() error {
	for _, kind := range [...]struct{ single, index string }{
		{singleFile, indexFile},
		{torchSingle, torchIndex},
	} {
		s, err := openShard(d.path, kind.single)
		if err == nil {
			d.shards = []*shard{s}
			return d.list()
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		b, err := d.read(kind.index, safetensors.MaxIndex)
		if err == nil {
			return d.openShards(kind.index, b)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return subnet.WithHint(fmt.Errorf("no weights: neither %s nor %s nor the like is there: %w", singleFile, indexFile, subnet.ErrNotFound),
		"download the model's weights too; weights of TensorFlow, JAX or GGUF are not read")
}

// openShards opens the files that an index names, and checks that they hold
// what it says. Tensors that it does not mention are taken as they are, as
// transformers does.
func (d *Dir) openShards(index string, b []byte) error {
	x, err := safetensors.ParseIndex(b)
	if err != nil {
		return subnet.WithHint(fmt.Errorf("%s: %w", index, err), "download the index again, or save the model again with save_pretrained")
	}
	byName := make(map[string]*shard, len(x.Files()))
	for _, name := range x.Files() {
		// The parser has refused what leaves the directory; some names mean
		// more than a file to Windows alone.
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return subnet.WithHint(fmt.Errorf("%s: file %q is outside the directory", index, name), "do not use this model: its index was tampered with")
		}
		s, err := openShard(d.path, name)
		if errors.Is(err, fs.ErrNotExist) {
			return subnet.WithHint(fmt.Errorf("%s names %s: %w", index, name, subnet.ErrNotFound), "download the missing file into the directory")
		}
		if err != nil {
			return err
		}
		d.shards = append(d.shards, s)
		byName[name] = s
	}
	for name, file := range x.All() {
		if !byName[file].has(name) {
			return subnet.WithHint(fmt.Errorf("%s: tensor %.200q, which %s says is in this file, is not", file, name, index),
				"the index and the shards are of different versions of the model; download all of them again")
		}
	}
	return d.list()
}

// list makes the list of all tensors, in the names' order.
func (d *Dir) list() error {
	n := 0
	for _, s := range d.shards {
		n += s.len()
	}
	d.tensors = make([]ref, 0, n)
	for i, s := range d.shards {
		for j := range s.len() {
			d.tensors = append(d.tensors, ref{uint32(i), uint32(j)})
		}
	}
	if n == 0 {
		return subnet.WithHint(fmt.Errorf("%s: there is no tensor in it", d.shards[0].name), "save the model again with save_pretrained")
	}
	slices.SortFunc(d.tensors, func(a, b ref) int { return cmp.Compare(d.name(a), d.name(b)) })
	for i := 1; i < n; i++ {
		a, b := d.tensors[i-1], d.tensors[i]
		if d.name(a) == d.name(b) {
			return subnet.WithHint(fmt.Errorf("tensor %.200q is in %s and in %s", d.name(a), d.shards[a.shard].name, d.shards[b.shard].name),
				"the shards are of different versions of the model; download all of them again")
		}
	}
	return nil
}

func (d *Dir) name(r ref) string { return d.shards[r.shard].key(int(r.tensor)) }
