// Package safetensors reads and writes the safetensors format: the length of
// a JSON header, the header, and the tensors' bytes without gaps. It also reads
// and writes the index of a model that is spread over several such files.
//
// Files come from strangers. Nothing in them is believed before it is compared
// with the bytes that are really there, and all that is ever allocated for one
// is at most twice those bytes and a mebibyte.
package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sort"

	"adit/internal/tensor"
)

// maxHeader is the reference implementation's limit, in bytes.
const maxHeader = 100_000_000

// maxRank is more dimensions than any framework has.
const maxRank = 64

// slack is what a file may cost in memory beyond twice its bytes.
const slack = 1 << 20

// A File is the index of a safetensors file. It keeps the header in memory and
// no tensor.
type File struct {
	r       io.ReaderAt
	text    string  // the header
	entries []entry // in the names' order
	notes   []note
	noted   bool // there are notes, if perhaps none in them
}

// Info says where in the file a tensor lies.
type Info struct {
	DType  tensor.DType
	Shape  []int
	Offset int64 // from the file's beginning
	Size   int64 // bytes
}

// Open reads and checks the header of a file of that size. Every byte after
// the header belongs to exactly one tensor, or it is an error. Of the tensors
// nothing is read but the file's last byte.
func Open(r io.ReaderAt, size int64) (*File, error) {
	header, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	f := &File{r: r}
	if err = f.parse(header); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	start := 8 + int64(len(header))
	if err := f.place(start, size-start); err != nil {
		return nil, err
	}
	return f, nil
}

// Parse reads the header of a file whose tensors are not there yet: the bytes
// behind the header's length. It takes header over. The file it tells of ends with
// its last tensor, and has no [File.Reader].
func Parse(header []byte) (*File, error) {
	if len(header) > maxHeader {
		return nil, fmt.Errorf("safetensors: header of %d bytes", len(header))
	}
	f := new(File)
	if err := f.parse(header); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	var data int64
	for _, e := range f.entries {
		if data += e.size; data < 0 {
			return nil, errors.New("safetensors header: the tensors together are too large")
		}
	}
	if err := f.place(8+int64(len(header)), data); err != nil {
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

// Len returns how many tensors there are.
func (f *File) Len() int { return len(f.entries) }

// Name returns the i-th tensor's name in byte order.
func (f *File) Name(i int) string { return f.name(f.entries[i]) }

// At returns where the i-th tensor in byte order of the names lies.
func (f *File) At(i int) Info { return f.info(f.entries[i]) }

func (f *File) info(e entry) Info {
	return Info{e.dtype, f.appendShape(make([]int, 0, e.rank), e), e.offset, e.size}
}

// Names returns the tensors' names in byte order.
func (f *File) Names() []string {
	names := make([]string, len(f.entries))
	for i, e := range f.entries {
		names[i] = f.name(e)
	}
	return names
}

// Meta returns the file's own notes, nil if there are none.
func (f *File) Meta() map[string]string {
	if !f.noted {
		return nil
	}
	meta := make(map[string]string, len(f.notes))
	for _, n := range f.notes {
		meta[f.text[n.key.from:n.key.to]] = f.text[n.value.from:n.value.to]
	}
	return meta
}

// find returns the entry of that name, or false.
func (f *File) find(name string) (entry, bool) {
	i := sort.Search(len(f.entries), func(i int) bool { return f.Name(i) >= name })
	if i == len(f.entries) || f.Name(i) != name {
		return entry{}, false
	}
	return f.entries[i], true
}

// Info returns where the tensor of that name lies, or false.
func (f *File) Info(name string) (Info, bool) {
	e, ok := f.find(name)
	if !ok {
		return Info{}, false
	}
	return f.info(e), true
}

// Reader returns the bytes of the tensor of that name, nil if there is none.
func (f *File) Reader(name string) *io.SectionReader {
	e, ok := f.find(name)
	if !ok {
		return nil
	}
	return io.NewSectionReader(f.r, e.offset, e.size)
}

// dictBytes is about what a Dict made for n tensors takes: the runtime's maps
// have a power of two of slots, at most 7/8 of them taken, each of 72 bytes
// for a name and a tensor and one more.
func dictBytes(n int) int64 { return 73 << bits.Len(uint(n)*8/7) }

// Read returns all tensors of a file of that size, and its notes. It refuses a
// file of more than limit bytes before reading any of them. The tensors lie in
// one piece of memory, which stays as long as one of them does.
func Read(r io.ReaderAt, size, limit int64) (tensor.Dict, map[string]string, error) {
	if size > limit {
		return nil, nil, fmt.Errorf("safetensors: file of %d bytes is larger than the %d allowed", size, limit)
	}
	f, err := Open(r, size)
	if err != nil {
		return nil, nil, err
	}
	// Hundreds of thousands of tensors without elements are no model.
	ranks := 0
	for _, e := range f.entries {
		ranks += int(e.rank)
	}
	cost := dictBytes(len(f.entries)) + int64(ranks)*8 + int64(cap(f.entries))*32
	if cost > size+slack/4 {
		return nil, nil, fmt.Errorf("safetensors: %d tensors are too many for a file of %d bytes", len(f.entries), size)
	}
	start := 8 + int64(len(f.text))
	data, shapes := make([]byte, size-start), make([]int, 0, ranks)
	if _, err := readFull(r, data, start); err != nil {
		return nil, nil, fmt.Errorf("safetensors: read tensors: %w", err)
	}
	d := make(tensor.Dict, len(f.entries))
	for _, e := range f.entries {
		at := len(shapes)
		shapes = f.appendShape(shapes, e)
		from, to := e.offset-start, e.offset-start+e.size
		d[f.name(e)] = tensor.Tensor{DType: e.dtype, Shape: shapes[at:len(shapes):len(shapes)], Data: data[from:to:to]}
	}
	return d, f.Meta(), nil
}
