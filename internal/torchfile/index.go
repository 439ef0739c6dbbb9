package torchfile

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

// Limits on reading tensors one after another.
const (
	maxSpan   = 32 << 20 // bytes of the file that are put in order at once
	maxPieces = 1 << 20  // such reads, of all tensors together
)

// A View is a tensor in a file of which only the place is known.
type View struct {
	DType tensor.DType
	Shape []int

	stride  []int64 // in elements
	storage int64   // where in the file its storage begins
	offset  int64   // in elements of the storage
}

// Index reads a file as [Decode] does, and leaves the tensors where they are:
// each is a *[View]. What Decode allows is allowed here too, but for tensors
// that can only be read by holding more than 32 MiB of the file in memory, such
// as a large matrix that was transposed and never copied.
func Index(r io.ReaderAt, size, limit int64) (any, error) {
	v, err := decode(r, size, limit, true)
	if err != nil {
		return nil, fmt.Errorf("torch file: %w", err)
	}
	return v, nil
}

// Size returns how many bytes the elements take.
func (v *View) Size() int64 {
	n := int64(v.DType.Size())
	for _, d := range v.Shape {
		n *= int64(d) // its product was checked
	}
	return n
}

// locate makes the View of what the machine looks at.
func (b *builder) locate(v *view) (*View, error) {
	if b.places == nil {
		if err := b.budget.spend(8 * int64(len(b.archive.byName))); err != nil {
			return nil, err
		}
		b.places = make([]int64, len(b.archive.byName))
	}
	i, err := b.storageOf(v)
	if err != nil {
		return nil, err
	}
	if b.places[i] == 0 {
		offset, size, err := b.archive.open(i)
		if err != nil {
			return nil, err
		}
		if err := v.fills(size); err != nil {
			return nil, err
		}
		b.places[i] = offset // never 0: a header is before it
	} else if err := v.fills(b.archive.known(b.archive.byName[i]).size); err != nil {
		return nil, err
	}
	if err := errors.Join(b.budget.spend(96), b.budget.spend(16*int64(v.rank))); err != nil {
		return nil, errBudget
	}
	out := &View{DType: v.dtype, storage: b.places[i], offset: v.offset}
	if v.rank > 0 {
		out.Shape, out.stride = slices.Clone(v.shape()), slices.Clone(v.stride())
	}
	n := out.pieces(0)
	if n > maxPieces-b.pieces {
		return nil, subnet.WithHint(fmt.Errorf("tensor %v of strides %v is scattered over the file", out.Shape, out.stride), hintClone)
	}
	b.pieces += n
	return out, nil
}

// span returns how many bytes of the file lie between the first and behind the
// last element of a part: that of dimension dim and below.
func (v *View) span(dim int) int64 {
	last := int64(1)
	for i := dim; i < len(v.Shape); i++ {
		if v.Shape[i] == 0 {
			return 0
		}
		last += int64(v.Shape[i]-1) * v.stride[i] // inside the storage: it was checked
	}
	return last * int64(v.DType.Size())
}

// ordered says whether the elements of such a part follow one another.
func (v *View) ordered(dim int) bool {
	step := int64(1)
	for i := len(v.Shape) - 1; i >= dim; i-- {
		if v.Shape[i] != 1 && v.stride[i] != step {
			return false
		}
		step *= int64(v.Shape[i])
	}
	return true
}

// pieces returns in how many parts that are not in order a tensor is read, more
// than maxPieces if it cannot be.
func (v *View) pieces(dim int) int64 {
	last := len(v.Shape) - 1
	switch {
	case v.Size() == 0 || dim == 0 && v.ordered(dim):
		return 0
	case v.ordered(dim):
		return 1
	case v.Shape[last] > maxSpan/v.DType.Size():
		return maxPieces + 1
	case v.span(dim) <= maxSpan:
		return 1
	case dim == last:
		return maxPieces + 1
	}
	n := v.pieces(dim + 1)
	if n > 0 && int64(v.Shape[dim]) > maxPieces/n {
		return maxPieces + 1
	}
	return n * int64(v.Shape[dim])
}

// Copy writes the elements, in row-major order, to w. It reads the file into
// buf, but for what has to be put in order.
func (v *View) Copy(w io.Writer, r io.ReaderAt, buf []byte) error {
	if v.Size() == 0 {
		return nil
	}
	return v.copy(w, r, buf, 0, v.offset)
}

func (v *View) copy(w io.Writer, r io.ReaderAt, buf []byte, dim int, at int64) error {
	elem := int64(v.DType.Size())
	from, span := v.storage+at*elem, v.span(dim)
	switch {
	case v.ordered(dim):
		for span > 0 {
			b := buf[:min(int64(len(buf)), span)]
			if err := readAt(r, b, from); err != nil {
				return err
			}
			if _, err := w.Write(b); err != nil {
				return err
			}
			from, span = from+int64(len(b)), span-int64(len(b))
		}
		return nil
	case span <= maxSpan:
		b := make([]byte, span)
		if err := readAt(r, b, from); err != nil {
			return err
		}
		return v.gather(w, b, dim)
	}
	for i := range int64(v.Shape[dim]) {
		if err := v.copy(w, r, buf, dim+1, at+i*v.stride[dim]); err != nil {
			return err
		}
	}
	return nil
}

// gather writes the part of dimension dim and below, whose span is src, in
// order. A part with a stride of nought may be larger than its span: no more of it
// than maxSpan is in memory.
func (v *View) gather(w io.Writer, src []byte, dim int) error {
	part := view{dtype: v.DType, rank: len(v.Shape)}
	copy(part.dims[:], v.Shape)
	copy(part.steps[:], v.stride)
	rows, size := part.rank, int64(v.DType.Size())
	for rows > dim && size*int64(v.Shape[rows-1]) <= maxSpan {
		rows--
		size *= int64(v.Shape[rows])
	}
	return part.rows(w, src, make([]byte, 0, size), 0, dim, rows)
}

// rows writes what gather gathers, a part of dimension rows and below at a time.
func (v *view) rows(w io.Writer, src, buf []byte, at int64, dim, rows int) error {
	if dim == rows {
		_, err := w.Write(v.gather(buf, src, at, dim))
		return err
	}
	for i := range int64(v.dims[dim]) {
		if err := v.rows(w, src, buf, at+i*v.steps[dim], dim+1, rows); err != nil {
			return err
		}
	}
	return nil
}
