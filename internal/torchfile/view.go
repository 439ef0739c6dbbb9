package torchfile

import (
	"errors"
	"fmt"
	"math"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

// A view is a tensor before its elements are read: which elements of which
// storage it has.
type view struct {
	dtype  tensor.DType
	key    string // of the storage
	numel  int64  // elements of the storage
	offset int64  // in elements, as are strides
	rank   int
	dims   [maxRank]int
	steps  [maxRank]int64
	bytes  int64 // of all elements
}

func (v *view) shape() []int    { return v.dims[:v.rank] }
func (v *view) stride() []int64 { return v.steps[:v.rank] }

// storage makes a storage of a persistent id: ("storage", class, key, device,
// elements). The device is where the tensor was, which means nothing here.
func (m *machine) storage(id word) (word, error) {
	bad := func() (word, error) { return 0, errors.New("persistent id is not a storage") }
	t, ok := m.arena.elements(id)
	if !ok || len(t) != 5 {
		return bad()
	}
	word, _ := m.text(t[0])
	class := t[1].kind() == kindName && t[1].rest()&^0xff == nameStorage
	_, key := m.text(t[2])
	n, count := m.integer(t[4])
	if word != "storage" || !class || !key || !count || n < 0 || n > math.MaxInt64/8 {
		return bad()
	}
	return newWord(kindStorage, id.rest()), nil
}

// tensor makes a tensor of the arguments of _rebuild_tensor_v2.
func (m *machine) tensor(args word) (word, error) {
	if err := m.look(args); err != nil {
		return 0, err
	}
	r, run, err := m.arena.alloc(2)
	if err != nil {
		return 0, err
	}
	run[0], run[1] = word(m.tensors), args
	m.tensors++
	return newWord(kindTensor, uint64(r)), nil
}

var errArguments = errors.New("_rebuild_tensor_v2 with unexpected arguments")

// look reads the arguments of _rebuild_tensor_v2 into m.view: storage, offset,
// size, stride, requires_grad, hooks, and in later versions a dict of
// properties that change how elements are read, which must be empty. It is an
// error unless all elements lie in the storage.
func (m *machine) look(args word) error {
	a, ok := m.arena.elements(args)
	if !ok || len(a) != 6 && len(a) != 7 {
		return errArguments
	}
	if len(a) == 7 && a[6].kind() != kindNone {
		if k := a[6].kind(); k != kindDict && k != kindOrdered || m.arena.count(a[6]) > 0 {
			return subnet.WithHint(errors.New("tensor with properties beyond shape and stride is not read"),
				"resolve them before saving: t.resolve_conj().resolve_neg()")
		}
	}
	if a[0].kind() != kindStorage {
		return errArguments
	}
	v := &m.view
	id := m.arena.at(ref(a[0].rest()))[1:] // as storage has found it
	v.dtype = tensor.DType(id[1].rest() & 0xff)
	v.key, _ = m.text(id[2])
	v.numel, _ = m.integer(id[4])
	v.offset, ok = m.integer(a[1])
	size, isSize := m.arena.elements(a[2])
	stride, isStride := m.arena.elements(a[3])
	if !ok || !isSize || !isStride || len(size) != len(stride) || len(size) > maxRank {
		return errArguments
	}
	v.rank = len(size)
	for i := range size {
		n, ok := m.integer(size[i])
		step, also := m.integer(stride[i])
		if !ok || !also || n < 0 || step < 0 || n > math.MaxInt {
			return errArguments
		}
		v.dims[i], v.steps[i] = int(n), step
	}
	return v.check()
}

// check returns an error unless all elements lie in the storage.
func (v *view) check() (err error) {
	if v.bytes, err = tensor.Bytes(v.dtype, v.shape()); err != nil {
		return err
	}
	if v.offset < 0 || v.offset > v.numel {
		return v.outside()
	}
	if v.bytes == 0 {
		return nil
	}
	last := v.offset
	for i, dim := range v.shape() {
		// Each step is at most numel, so that the sum cannot overflow.
		if dim > 1 && v.steps[i] > (v.numel-last)/int64(dim-1) {
			return v.outside()
		}
		if dim > 1 {
			last += int64(dim-1) * v.steps[i]
		}
	}
	if last >= v.numel {
		return v.outside()
	}
	return nil
}

func (v *view) outside() error {
	return fmt.Errorf("tensor %v of strides %v at %d is not inside its storage of %d elements",
		append([]int{}, v.shape()...), append([]int64{}, v.stride()...), v.offset, v.numel)
}

// contiguous reports whether the elements follow one another in row-major
// order. The stride of a dimension of one element means nothing.
func (v *view) contiguous() bool {
	step := int64(1)
	for i := v.rank - 1; i >= 0; i-- {
		if v.dims[i] != 1 && v.steps[i] != step {
			return false
		}
		step *= int64(v.dims[i])
	}
	return true
}

// gather appends the elements of dimension dim and below, from element at on.
func (v *view) gather(dst, src []byte, at int64, dim int) []byte {
	elem := int64(v.dtype.Size())
	if dim == v.rank {
		return append(dst, src[at*elem:(at+1)*elem]...)
	}
	n, step := int64(v.dims[dim]), v.steps[dim]
	if dim < v.rank-1 {
		for i := range n {
			dst = v.gather(dst, src, at+i*step, dim+1)
		}
		return dst
	}
	src = src[at*elem:]
	if step == 1 {
		return append(dst, src[:n*elem]...)
	}
	to := len(dst)
	dst = dst[:to+int(n*elem)]
	switch out := dst[to:]; elem {
	case 2:
		for i := range n {
			le.PutUint16(out[2*i:], le.Uint16(src[2*i*step:]))
		}
	case 4:
		for i := range n {
			le.PutUint32(out[4*i:], le.Uint32(src[4*i*step:]))
		}
	default:
		for i := range n {
			copy(out[elem*i:elem*(i+1)], src[elem*i*step:])
		}
	}
	return dst
}
