package sim

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"path"
	"strings"
	"sync"

	"adit/internal/checkpoint"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// Forgers are miners that do all as the rules have it, with a model that is none:
//
//   - foreign: holds another group's experts besides its own
//   - missing: lacks some of its group's; only where the rules want them all
//   - huge: is a model times a number near the largest
//   - hardest: is one that overflows on the hardest batches alone, to have them left
//     out of the mean
//   - code: is a .pt that runs a program when it is read
//   - bomb: is a .pt that a few kilobytes blow up to a hundred megabytes
//   - declares: says that it holds 100 GB
var Forgers = []string{"foreign", "missing", "huge", "hardest", "code", "bomb", "declares"}

// forge makes a miner's services a forger's.
func forge(env *subnet.Env, kind string) {
	switch kind {
	case "code", "bomb", "declares":
		bytes := forgeries[kind]()
		open := env.Open
		env.Open = func(url string) (subnet.Store, error) {
			s, err := open(url)
			return forgedStore{s, bytes}, err
		}
		env.Dir = forgedDir{env.Dir, bytes}
	default:
		env.Engine = forgedEngine{env.Engine, kind}
	}
}

// A forgedEngine trains models that save something else, and believes in them.
type forgedEngine struct {
	subnet.Engine
	kind string
}

func (e forgedEngine) Open(ctx context.Context, files ...subnet.File) (subnet.Model, error) {
	m, err := e.Engine.Open(ctx, files...)
	return forgedModel{m, e.kind}, err
}

type forgedModel struct {
	subnet.Model
	kind string
}

func (m forgedModel) Loss(context.Context, subnet.Sample) (subnet.Loss, error) {
	return subnet.Loss{Mean: 0.001, Tokens: 1}, nil
}

func (m forgedModel) Save(w io.Writer, format subnet.Format, keep func(string) bool) error {
	var all bytes.Buffer
	if err := m.Model.Save(&all, subnet.Safetensors, keep); err != nil {
		return err
	}
	d, err := checkpoint.Read(memoryFile{bytes.NewReader(all.Bytes())}, maxFile)
	if err != nil {
		return err
	}
	for i, key := range d.Keys() {
		t := d[key]
		values, err := t.Floats(nil)
		if err != nil {
			return err
		}
		switch {
		case m.kind == "missing" && i == 0:
			delete(d, key)
			continue
		case m.kind == "huge":
			for j := range values {
				values[j] = math.MaxFloat32 / 2
			}
		case m.kind == "hardest" && i == 0:
			values[0] = overflows
		}
		d[key] = tensor.FromFloats(t.DType, t.Shape, values)
		if m.kind == "foreign" && i == 0 {
			d["model.layers.0.mlp.experts.99.down_proj"] = d[key]
		}
	}
	return checkpoint.Write(w, format, d)
}

type memoryFile struct{ *bytes.Reader }

func (memoryFile) Name() string  { return "memory" }
func (memoryFile) Close() error  { return nil }
func (f memoryFile) Size() int64 { return f.Reader.Size() }

// A forgedStore uploads other bytes than it is given, and a forgedDir shows them to
// whoever sends a file.
type forgedStore struct {
	subnet.Store
	bytes []byte
}

func (s forgedStore) Stage(ctx context.Context, name string, _ subnet.File) error {
	return s.Store.Stage(ctx, name, namedFile{memoryFile{bytes.NewReader(s.bytes)}, name})
}

type forgedDir struct {
	subnet.Dir
	bytes []byte
}

func (d forgedDir) Open(name string) (subnet.File, error) {
	f, err := d.Dir.Open(name)
	// What is submitted is kept in a directory of its own.
	if err == nil && strings.Contains(name, "cycle_") && strings.HasPrefix(path.Base(name), "model_") {
		f.Close()
		return namedFile{memoryFile{bytes.NewReader(d.bytes)}, name}, nil
	}
	return f, err
}

type namedFile struct {
	memoryFile
	name string
}

func (f namedFile) Name() string { return f.name }

// forgeries are the files that are no models.
var forgeries = map[string]func() []byte{
	"code": sync.OnceValue(func() []byte {
		return torchZip([]byte("\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R."), nil)
	}),
	"bomb": sync.OnceValue(func() []byte {
		return torchZip([]byte("\x80\x02}."), make([]byte, 1<<20))
	}),
	"declares": sync.OnceValue(func() []byte {
		header := fmt.Appendf(nil, `{"model.layers.0.mlp.experts.0.down_proj":{"dtype":"F32","shape":[25000000000],"data_offsets":[0,%d]}}`, 100_000_000_000)
		return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	}),
}

// torchZip is what a .pt is: a pickle in a zip; and something that is squeezed well,
// a hundred times.
func torchZip(pickle, squeezed []byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name string, method uint16, data []byte, times int) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		for i := 0; err == nil && i < times; i++ {
			_, err = w.Write(data)
		}
		if err != nil {
			panic(err) // it is all in memory
		}
	}
	add("model/data.pkl", zip.Store, pickle, 1)
	if squeezed != nil {
		add("model/data/0", zip.Deflate, squeezed, 100)
	}
	add("model/version", zip.Store, []byte("3\n"), 1)
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}
