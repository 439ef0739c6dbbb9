// Package safetensors reads and writes the safetensors format: the length of
// a JSON header, the header, and the tensors' bytes without gaps.
//
// Files come from strangers. Nothing in them is believed before it is
// compared with the bytes that are really there.
package safetensors

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"

	"adit/internal/tensor"
)

// maxHeader is the reference implementation's limit, in bytes.
const maxHeader = 100_000_000

// maxRank is more dimensions than any framework has.
const maxRank = 64

// A File is the index of a safetensors file. It keeps no tensor in memory.
type File struct {
	r       io.ReaderAt
	entries map[string]Info
	meta    map[string]string
}

// Info says where in the file a tensor lies.
type Info struct {
	DType  tensor.DType
	Shape  []int
	Offset int64 // from the file's beginning
	Size   int64 // bytes
}

// Open reads and checks the header of a file of that size. Every byte after
// the header belongs to exactly one tensor, or it is an error.
func Open(r io.ReaderAt, size int64) (*File, error) {
	header, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	f := &File{r: r}
	if f.entries, f.meta, err = parseHeader(header); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	start := 8 + int64(len(header))
	if err := f.place(start, size-start); err != nil {
		return nil, err
	}
	return f, nil
}

func readHeader(r io.ReaderAt, size int64) ([]byte, error) {
	var b [8]byte
	if size < 8 {
		return nil, fmt.Errorf("safetensors: %d bytes are too few for a header", size)
	}
	// A source that is shorter than it says is found out before anything is
	// allocated after its words.
	if _, err := readFull(r, b[:1], size-1); err != nil {
		return nil, fmt.Errorf("safetensors: read last byte: %w", err)
	}
	if _, err := readFull(r, b[:], 0); err != nil {
		return nil, fmt.Errorf("safetensors: read header length: %w", err)
	}
	n := binary.LittleEndian.Uint64(b[:])
	if n > maxHeader || int64(n) > size-8 {
		return nil, fmt.Errorf("safetensors: header of %d bytes in a file of %d", n, size)
	}
	header := make([]byte, n)
	if _, err := readFull(r, header, 8); err != nil {
		return nil, fmt.Errorf("safetensors: read header: %w", err)
	}
	return header, nil
}

// readFull reads all of b; io.ReaderAt may report EOF with the last byte.
func readFull(r io.ReaderAt, b []byte, off int64) (int, error) {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return n, nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// place turns offsets that count from the end of the header, at start, into
// offsets in the file, and checks that the tensors fill the data bytes there.
func (f *File) place(start, data int64) error {
	names := slices.SortedFunc(maps.Keys(f.entries), func(a, b string) int {
		x, y := f.entries[a], f.entries[b]
		return cmp.Or(cmp.Compare(x.Offset, y.Offset), cmp.Compare(x.Size, y.Size), cmp.Compare(a, b))
	})
	var next int64
	for _, name := range names {
		e := f.entries[name]
		switch {
		case e.Offset < next:
			return fmt.Errorf("safetensors: tensor %q begins at %d, inside the one before it", name, e.Offset)
		case e.Offset > next:
			return fmt.Errorf("safetensors: %d bytes before tensor %q belong to none", e.Offset-next, name)
		case e.Size > data-next:
			return fmt.Errorf("safetensors: tensor %q ends after the file, which may be cut off", name)
		}
		next += e.Size
		e.Offset += start
		f.entries[name] = e
	}
	if next != data {
		return fmt.Errorf("safetensors: the last %d bytes belong to no tensor", data-next)
	}
	return nil
}

// Names returns the tensors' names in byte order.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.entries)) }

// Meta returns the file's own notes, nil if there are none.
func (f *File) Meta() map[string]string { return f.meta }

// Info returns where the tensor of that name lies, or false.
func (f *File) Info(name string) (Info, bool) {
	e, ok := f.entries[name]
	return e, ok
}

// Reader returns the bytes of the tensor of that name, nil if there is none.
func (f *File) Reader(name string) *io.SectionReader {
	e, ok := f.entries[name]
	if !ok {
		return nil
	}
	return io.NewSectionReader(f.r, e.Offset, e.Size)
}

// Read returns all tensors of a file of that size, and its notes. It refuses a
// file of more than limit bytes before reading any of them.
func Read(r io.ReaderAt, size, limit int64) (tensor.Dict, map[string]string, error) {
	if size > limit {
		return nil, nil, fmt.Errorf("safetensors: file of %d bytes is larger than the %d allowed", size, limit)
	}
	f, err := Open(r, size)
	if err != nil {
		return nil, nil, err
	}
	d := make(tensor.Dict, len(f.entries))
	for _, name := range f.Names() {
		e := f.entries[name]
		t := tensor.Tensor{DType: e.DType, Shape: e.Shape, Data: make([]byte, e.Size)}
		if _, err := readFull(r, t.Data, e.Offset); err != nil {
			return nil, nil, fmt.Errorf("safetensors: read tensor %q: %w", name, err)
		}
		d[name] = t
	}
	return d, f.meta, nil
}
