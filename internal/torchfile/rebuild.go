package torchfile

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"adit/internal/tensor"
)

// newStorage reads a persistent id: ("storage", class, key, device, elements).
func newStorage(id any) (storage, error) {
	bad := errors.New("persistent id is not a storage")
	t, ok := id.(Tuple)
	if !ok || len(t) != 5 || t[0] != "storage" {
		return storage{}, bad
	}
	class, ok := t[1].(name)
	if !ok {
		return storage{}, bad
	}
	dtype, ok := tensor.ParseStorage(strings.TrimPrefix(string(class), "torch "))
	key, isKey := t[2].(string)
	numel, isInt := t[4].(int64)
	if !ok || !isKey || !isInt || numel < 0 || numel > math.MaxInt64/8 {
		return storage{}, bad
	}
	return storage{key, dtype, numel}, nil
}

// reduce does what calling f would, for the three functions there are.
func (m *machine) reduce(f, args any) (any, error) {
	a, ok := args.(Tuple)
	if !ok {
		return nil, errors.New("REDUCE without a tuple of arguments")
	}
	switch f {
	case orderedDict:
		if len(a) != 0 {
			return nil, errors.New("OrderedDict with arguments")
		}
		return &Dict{Ordered: true}, nil
	case rebuildParameter: // (tensor, requires_grad, hooks)
		if len(a) == 3 {
			if v, ok := a[0].(*view); ok {
				return v, nil
			}
		}
		return nil, errors.New("_rebuild_parameter of something other than a tensor")
	case rebuildTensor:
		if m.tensors++; m.tensors > maxTensors {
			return nil, fmt.Errorf("more than %d tensors", maxTensors)
		}
		return newView(a)
	}
	return nil, fmt.Errorf("%v cannot be called", f)
}

// newView reads the arguments of _rebuild_tensor_v2: storage, offset, size,
// stride, requires_grad, hooks, and in later versions a dict of properties
// that change how elements are read, which must be empty.
func newView(a Tuple) (*view, error) {
	bad := errors.New("_rebuild_tensor_v2 with unexpected arguments")
	if len(a) != 6 && len(a) != 7 {
		return nil, bad
	}
	if len(a) == 7 && a[6] != nil {
		if d, ok := a[6].(*Dict); !ok || len(d.Items) > 0 {
			return nil, errors.New("tensor with properties beyond shape and stride is not read")
		}
	}
	s, isStorage := a[0].(storage)
	offset, isInt := a[1].(int64)
	size, err1 := ints(a[2])
	stride, err2 := ints(a[3])
	if !isStorage || !isInt || err1 != nil || err2 != nil || len(size) != len(stride) {
		return nil, bad
	}
	v := &view{storage: s, offset: offset, stride: stride, shape: make([]int, len(size))}
	for i, n := range size {
		if n > math.MaxInt {
			return nil, bad
		}
		v.shape[i] = int(n)
	}
	return v, v.check()
}

// ints reads a tuple of numbers none of which is negative.
func ints(v any) ([]int64, error) {
	t, ok := v.(Tuple)
	if !ok || len(t) > maxRank {
		return nil, errors.New("no shape")
	}
	out := make([]int64, len(t))
	for i := range t {
		if out[i], ok = t[i].(int64); !ok || out[i] < 0 {
			return nil, errors.New("no shape")
		}
	}
	return out, nil
}

// check returns an error unless all elements lie in the storage.
func (v *view) check() error {
	outside := fmt.Errorf("tensor %v of strides %v at %d is not inside its storage of %d elements", v.shape, v.stride, v.offset, v.numel)
	n, err := tensor.Bytes(v.dtype, v.shape)
	if err != nil {
		return err
	}
	if v.offset < 0 || v.offset > v.numel {
		return outside
	}
	if n == 0 {
		return nil
	}
	last := v.offset
	for i, dim := range v.shape {
		// Each step is at most numel, so that the sum cannot overflow.
		if dim > 1 && v.stride[i] > (v.numel-last)/int64(dim-1) {
			return outside
		}
		if dim > 1 {
			last += int64(dim-1) * v.stride[i]
		}
	}
	if last >= v.numel {
		return outside
	}
	return nil
}

// A builder turns what the machine left into the values of Decode. It copies
// every container wherever it occurs, so that the result is a tree: no value
// holds itself, and none is larger to walk than it was to build.
type builder struct {
	archive  *archive
	left     int64 // bytes of tensors that may still come
	loaded   int64 // bytes of storages read
	values   int
	storages map[string][]byte
	views    map[*view]tensor.Tensor
}

func (b *builder) build(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d containers within one another", maxDepth)
	}
	if b.values++; b.values > maxValues {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	switch v := v.(type) {
	case nil, bool, int64, float64, string:
		return v, nil
	case *view:
		return b.tensor(v)
	case *Dict:
		return b.dict(v, depth)
	case *list:
		return b.all(v.items, depth)
	case Tuple:
		vs, err := b.all(v, depth)
		return Tuple(vs), err
	}
	return nil, fmt.Errorf("a bare %T is no value", v)
}

func (b *builder) all(vs []any, depth int) ([]any, error) {
	if len(vs) > maxValues-b.values {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	out := make([]any, len(vs))
	for i, v := range vs {
		var err error
		if out[i], err = b.build(v, depth+1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// dict copies d. As in Python a key that comes again keeps its place and takes
// the new value.
func (b *builder) dict(d *Dict, depth int) (*Dict, error) {
	if len(d.Items) > maxValues-b.values {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	out := &Dict{Ordered: d.Ordered, Items: make([]Item, 0, len(d.Items))}
	index := make(map[any]int, len(d.Items))
	for _, it := range d.Items {
		switch it.Key.(type) {
		case string, int64, float64, bool:
		default:
			return nil, fmt.Errorf("dict key of type %T", it.Key)
		}
		v, err := b.build(it.Value, depth+1)
		if err != nil {
			if s, ok := it.Key.(string); ok {
				return nil, fmt.Errorf("%q: %w", s, err)
			}
			return nil, err
		}
		if i, again := index[it.Key]; again {
			out.Items[i].Value = v
			continue
		}
		index[it.Key] = len(out.Items)
		out.Items = append(out.Items, Item{it.Key, v})
	}
	return out, nil
}

// tensor reads the elements of v, out of the storage if they lie there in
// order, into memory of their own if not.
func (b *builder) tensor(v *view) (tensor.Tensor, error) {
	size, err := tensor.Bytes(v.dtype, v.shape)
	if err != nil {
		return tensor.Tensor{}, err
	}
	if b.left -= size; b.left < 0 {
		return tensor.Tensor{}, errors.New("the tensors together are larger than allowed")
	}
	if t, ok := b.views[v]; ok {
		return t, nil
	}
	s, err := b.storage(v.storage)
	if err != nil {
		return tensor.Tensor{}, err
	}
	t := tensor.Tensor{DType: v.dtype, Shape: v.shape}
	elem := int64(v.dtype.Size())
	switch {
	case size == 0:
	case v.contiguous():
		end := v.offset*elem + size
		t.Data = s[v.offset*elem : end : end]
	default:
		t.Data = v.gather(make([]byte, 0, size), s, v.offset, 0)
	}
	b.views[v] = t
	return t, nil
}

// storage returns the bytes of s, which are read once.
func (b *builder) storage(s storage) ([]byte, error) {
	name, want := "data/"+s.key, s.numel*int64(s.dtype.Size())
	data, ok := b.storages[name]
	if !ok {
		_, size, err := b.archive.open(name)
		if err != nil {
			return nil, err
		}
		// Entries may lie over one another; then the storages could be larger
		// than the file.
		if b.loaded += size; b.loaded > b.archive.end {
			return nil, errors.New("the storages together are larger than the file")
		}
		if data, err = b.archive.read(name, size); err != nil {
			return nil, err
		}
		b.storages[name] = data
	}
	if int64(len(data)) != want {
		return nil, fmt.Errorf("storage %q has %d bytes, not %d", s.key, len(data), want)
	}
	return data, nil
}

// contiguous reports whether the elements follow one another in row-major
// order. The stride of a dimension of one element means nothing.
func (v *view) contiguous() bool {
	step := int64(1)
	for i := len(v.shape) - 1; i >= 0; i-- {
		if v.shape[i] != 1 && v.stride[i] != step {
			return false
		}
		step *= int64(v.shape[i])
	}
	return true
}

// gather appends the elements of dimension dim and below, from element at on.
func (v *view) gather(dst, src []byte, at int64, dim int) []byte {
	elem := int64(v.dtype.Size())
	if dim == len(v.shape) {
		return append(dst, src[at*elem:(at+1)*elem]...)
	}
	if dim == len(v.shape)-1 && v.stride[dim] == 1 {
		return append(dst, src[at*elem:(at+int64(v.shape[dim]))*elem]...)
	}
	for i := range int64(v.shape[dim]) {
		dst = v.gather(dst, src, at+i*v.stride[dim], dim+1)
	}
	return dst
}
