package safetensors

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
	"unsafe"

	"adit/internal/tensor"
)

// metaKey is the one name that is not a tensor's.
const metaKey = "__metadata__"

// maxNotes bounds a file's own notes. Files with a hundred exist.
const maxNotes = 4096

// minEntry is the length of the shortest description of a tensor.
const minEntry = len(`"":{"dtype":"U8","shape":[],"data_offsets":[0,0]}`)

// An entry describes a tensor by places in the header's text. It is smaller
// than the shortest text that describes one, and so all entries together are
// smaller than the header. Shapes stay text, as a dimension can be two bytes
// there and is eight in memory.
type entry struct {
	name   span
	shape  uint32 // where the [ is
	rank   uint8
	dtype  tensor.DType
	offset int64
	size   int64
}

// A note is one pair of the file's own notes.
type note struct{ key, value span }

// parse reads the header, a JSON object that names the tensors, and keeps it.
// Offsets still count from the header's end; only each tensor by itself has
// been checked, and that no two have one name. Entries are in no order.
//
// It goes by tokens because a decoder into maps would let a second entry of a
// name silently replace the first: two readers could then see two models.
func (f *File) parse(header []byte) error {
	if !utf8.Valid(header) {
		return errors.New("not UTF-8")
	}
	if len(header) == 0 || header[0] != '{' {
		return errors.New("does not begin with {")
	}
	// Every description has a brace of its own. Braces in names make this more
	// than there are; it is never more than there is text for.
	braces := 0
	for _, c := range header {
		if c == '{' {
			braces++
		}
	}
	f.entries = make([]entry, 0, min(braces-1, len(header)/minEntry))
	p := parser{scanner: scanner{b: header}}
	err := p.object(func(key span) error {
		if string(p.at(key)) == metaKey {
			if f.noted {
				return fmt.Errorf("%q comes twice", metaKey)
			}
			f.noted = true
			return p.notes(&f.notes)
		}
		e := entry{name: key}
		if err := p.entry(&e); err != nil {
			return fmt.Errorf("tensor %s: %w", p.name(key), err)
		}
		f.entries = append(f.entries, e)
		return nil
	})
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return err
	}
	// From here on nobody writes to the header, so that names can be pieces of
	// it: a copy of each would be more memory than the file has bytes.
	f.text = unsafe.String(unsafe.SliceData(header), len(header))
	return nil
}

// parser reads the few shapes of JSON that a header has.
type parser struct {
	scanner
	dims [maxRank]int // of the tensor being read
}

func (p *parser) notes(notes *[]note) error {
	err := p.object(func(key span) error {
		if len(*notes) == maxNotes {
			return fmt.Errorf("more than %d notes in %s", maxNotes, metaKey)
		}
		value, err := p.str()
		*notes = append(*notes, note{key, value})
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(*notes, func(a, b note) int { return bytes.Compare(p.at(a.key), p.at(b.key)) })
	for i, n := range *notes {
		if i > 0 && string(p.at(n.key)) == string(p.at((*notes)[i-1].key)) {
			return fmt.Errorf("%s comes twice in %s", p.name(n.key), metaKey)
		}
	}
	return nil
}

func (p *parser) entry(e *entry) error {
	var dtype, shape, offsets bool
	err := p.object(func(key span) error {
		switch k := p.at(key); {
		case string(k) == "dtype" && !dtype:
			name, err := p.str()
			if err != nil {
				return err
			}
			if len(p.at(name)) <= 16 {
				e.dtype, dtype = tensor.ParseDType(string(p.at(name)))
			}
			if !dtype {
				return fmt.Errorf("element type %s is not known here", p.name(name))
			}
		case string(k) == "shape" && !shape:
			shape = true
			p.peek()
			e.shape = uint32(p.i)
			rank, err := p.sizes(p.dims[:])
			if err != nil {
				return fmt.Errorf("shape: %w", err)
			}
			e.rank = uint8(rank)
		case string(k) == "data_offsets" && !offsets:
			offsets = true
			var ends [2]int
			n, err := p.sizes(ends[:])
			if err != nil {
				return fmt.Errorf("data_offsets: %w", err)
			}
			if n != 2 || ends[0] > ends[1] {
				return fmt.Errorf("data_offsets %v are not a beginning and an end", [...]int{ends[0], ends[1]})
			}
			e.offset, e.size = int64(ends[0]), int64(ends[1])-int64(ends[0])
		default:
			return fmt.Errorf("unexpected %s", p.name(key))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !dtype || !shape || !offsets {
		return errors.New("dtype, shape or data_offsets is missing")
	}
	dims := p.dims[:e.rank]
	size, err := tensor.Bytes(e.dtype, dims)
	if err != nil {
		return err
	}
	if size != e.size {
		return fmt.Errorf("%v%v takes %d bytes, not %d", e.dtype, dims, size, e.size)
	}
	return nil
}

// place turns offsets that count from the end of the header, at start, into
// offsets in the file, and checks that the tensors fill the data bytes there
// and have each its own name. It leaves the entries in the names' order.
func (f *File) place(start, data int64) error {
	slices.SortFunc(f.entries, func(x, y entry) int {
		return cmp.Or(cmp.Compare(x.offset, y.offset), cmp.Compare(x.size, y.size), cmp.Compare(f.name(x), f.name(y)))
	})
	misplaced := f.fill(start, data)
	slices.SortFunc(f.entries, func(x, y entry) int { return cmp.Compare(f.name(x), f.name(y)) })
	for i := 1; i < len(f.entries); i++ {
		if name := f.name(f.entries[i]); name == f.name(f.entries[i-1]) {
			return fmt.Errorf("safetensors header: tensor %s comes twice", quote(name))
		}
	}
	return misplaced
}

func (f *File) fill(start, data int64) error {
	var next int64
	for i := range f.entries {
		e := &f.entries[i]
		switch {
		case e.offset < next:
			return fmt.Errorf("safetensors: tensor %s begins at %d, inside the one before it", quote(f.name(*e)), e.offset)
		case e.offset > next:
			return fmt.Errorf("safetensors: %d bytes before tensor %s belong to none", e.offset-next, quote(f.name(*e)))
		case e.size > data-next:
			return fmt.Errorf("safetensors: tensor %s ends after the file, which may be cut off", quote(f.name(*e)))
		}
		next += e.size
		e.offset += start
	}
	if next != data {
		return fmt.Errorf("safetensors: the last %d bytes belong to no tensor", data-next)
	}
	return nil
}

func (f *File) name(e entry) string { return f.text[e.name.from:e.name.to] }

// appendShape appends the dimensions of e, which have been checked.
func (f *File) appendShape(dst []int, e entry) []int {
	at := int(e.shape) + 1
	for range e.rank {
		for !isDigit(f.text[at]) { // a space or a comma
			at++
		}
		n := 0
		for ; isDigit(f.text[at]); at++ {
			n = 10*n + int(f.text[at]-'0')
		}
		dst = append(dst, n)
	}
	return dst
}
