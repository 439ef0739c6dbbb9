package checkpoint

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"adit/internal/safetensors"
	"adit/internal/subnet"
	"adit/internal/tensor"
	"adit/internal/torchfile"
)

// An Entry is a parameter without its values.
type Entry struct {
	Name  string
	DType tensor.DType
	Shape []int
	Size  int64 // bytes of the values
}

// A Visitor is shown parameters one after another: what each is, and then its
// little-endian values in pieces, whose limits mean nothing.
type Visitor interface {
	Begin(Entry) error
	io.Writer
}

// An Index is what a checkpoint says it holds. It has no values in memory, and
// reads them when it is asked to, from a file that must stay open.
type Index struct {
	file    subnet.File
	entries []placed // in the file's order
	sorted  []int    // positions among them, in byte-wise order of the names
}

// A placed is an entry and where its values are.
type placed struct {
	Entry
	offset int64           // in the file
	view   *torchfile.View // or of a .pt file
}

// Open reads what is in f, which may have at most limit bytes, as [Read] does, and
// none of the values.
func Open(f subnet.File, limit int64) (*Index, error) {
	torch, err := begins(f, limit)
	if err != nil {
		return nil, err
	}
	x := &Index{file: f}
	if torch {
		err = x.openTorch(limit)
	} else {
		err = x.openSafetensors()
	}
	if err != nil {
		return nil, err
	}
	x.sorted = make([]int, len(x.entries))
	for i := range x.sorted {
		x.sorted[i] = i
	}
	slices.SortFunc(x.sorted, func(a, b int) int { return cmp.Compare(x.entries[a].Name, x.entries[b].Name) })
	return x, nil
}

func (x *Index) openSafetensors() error {
	file, err := safetensors.Open(x.file, x.file.Size())
	if err != nil {
		return wrap(x.file, err, hintDamaged)
	}
	x.entries = make([]placed, file.Len())
	for i := range x.entries {
		x.entries[i] = place(file, i)
	}
	slices.SortStableFunc(x.entries, func(a, b placed) int { return cmp.Compare(a.offset, b.offset) })
	return nil
}

func place(file *safetensors.File, i int) placed {
	info := file.At(i)
	return placed{Entry: Entry{file.Name(i), info.DType, info.Shape, info.Size}, offset: info.Offset}
}

func (x *Index) openTorch(limit int64) error {
	v, err := torchfile.Index(x.file, x.file.Size(), limit)
	if err != nil {
		return wrap(x.file, err, hintDamaged)
	}
	items, err := state(v)
	if err != nil {
		return wrap(x.file, err, hintState)
	}
	x.entries = make([]placed, 0, len(items))
	err = each(items, func(name string, v *torchfile.View) {
		x.entries = append(x.entries, placed{Entry: Entry{name, v.DType, v.Shape, v.Size()}, view: v})
	})
	if err != nil {
		return wrap(x.file, err, hintState)
	}
	return nil
}

// Len returns how many parameters there are.
func (x *Index) Len() int { return len(x.entries) }

// Entries returns the parameters in the order in which they lie in the file; in a
// .pt file, in which they stand in the dict.
func (x *Index) Entries() []Entry {
	list := make([]Entry, len(x.entries))
	for i, e := range x.entries {
		list[i] = e.Entry
	}
	return list
}

// Sorted returns the parameters in byte-wise order of their names.
func (x *Index) Sorted() []Entry {
	list := make([]Entry, len(x.entries))
	for i, at := range x.sorted {
		list[i] = x.entries[at].Entry
	}
	return list
}

// blockBytes is how much of a file is in memory at once. It stays in the
// processor's cache until it has been looked at.
const blockBytes = 256 << 10

// Visit shows all parameters in byte-wise order of their names, which is that of
// the file if we wrote it. Values are read from the file once.
func (x *Index) Visit(v Visitor) error { return x.visit(v, x.sorted) }

// VisitInOrder shows them in the order of [Index.Entries].
func (x *Index) VisitInOrder(v Visitor) error { return x.visit(v, nil) }

func (x *Index) visit(v Visitor, order []int) error {
	buf := make([]byte, blockBytes)
	for i := range x.entries {
		at := i
		if order != nil {
			at = order[i]
		}
		e := &x.entries[at]
		if err := v.Begin(e.Entry); err != nil {
			return err
		}
		if err := x.copy(v, e, buf); err != nil {
			return wrap(x.file, fmt.Errorf("tensor %.200q: %w", e.Name, err), hintDamaged)
		}
	}
	return nil
}

func (x *Index) copy(w io.Writer, e *placed, buf []byte) error {
	if e.view != nil {
		return e.view.Copy(w, x.file, buf)
	}
	for from, to := e.offset, e.offset+e.Size; from < to; {
		b := buf[:min(int64(len(buf)), to-from)]
		if n, err := x.file.ReadAt(b, from); n < len(b) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		from += int64(len(b))
	}
	return nil
}
