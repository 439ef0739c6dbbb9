package torchfile

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

// A builder turns what the machine left into the values of Decode. It copies
// every container wherever it occurs, so that the result is a tree: no value
// holds itself, and none is larger to walk than it was to build.
type builder struct {
	archive  *archive
	machine  *machine
	budget   *budget
	left     int64 // bytes of tensors that may still come
	callers  int64 // bytes set aside for a caller's map
	values   int
	storages [][]byte // what has been read of the archive, by the order of names
	tensors  []any    // those that have been read, by their numbers
	views    bool     // leaves tensors where they are
	places   []int64  // where what has been looked up begins, by the order of names
	pieces   int64    // that views are scattered in, all together
	seed     maphash.Seed
}

func newBuilder(a *archive, m *machine, limit int64) *builder {
	return &builder{archive: a, machine: m, budget: a.budget, left: limit, seed: maphash.MakeSeed()}
}

func (b *builder) build(w word, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d containers within one another", maxDepth)
	}
	if b.values++; b.values > maxValues {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	switch w.kind() {
	case kindNone:
		return nil, nil
	case kindBool:
		return w.rest() == 1, nil
	case kindTuple:
		ws, _ := b.machine.arena.elements(w)
		vs, err := b.slice(len(ws))
		for i := 0; i < len(ws) && err == nil; i++ {
			vs[i], err = b.build(ws[i], depth+1)
		}
		return Tuple(vs), err
	case kindList:
		vs, err := b.slice(b.machine.arena.count(w))
		if err != nil {
			return nil, err
		}
		for i, e := range b.machine.arena.all(w) {
			if vs[i], err = b.build(e, depth+1); err != nil {
				return nil, err
			}
		}
		return vs, nil
	case kindDict, kindOrdered:
		return b.dict(w, depth)
	case kindTensor:
		return b.tensor(w)
	}
	if err := b.budget.spend(16); err != nil { // the most that follows takes
		return nil, err
	}
	switch w.kind() {
	case kindInt, kindWide:
		n, _ := b.machine.integer(w)
		return n, nil
	case kindFloat:
		return b.machine.float(w), nil
	case kindString:
		s, _ := b.machine.text(w)
		return s, nil
	}
	if w.kind() == kindName && w.rest()&^0xff == nameDType {
		return tensor.DType(w.rest() & 0xff), nil
	}
	return nil, subnet.WithHint(fmt.Errorf("%s is no value by itself", w.describe()), hintState)
}

// slice makes one of n values, which is to go into an any.
func (b *builder) slice(n int) ([]any, error) {
	if n > maxValues-b.values {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	if err := errors.Join(b.budget.spend(16*int64(n)), b.budget.spend(24)); err != nil {
		return nil, errBudget
	}
	return make([]any, n), nil
}

// leave sets aside what a caller takes to make a map of tensors by name out of
// n items. He makes one map, of whichever dict.
func (b *builder) leave(n int) error {
	// Go's maps have slots for 8/7 of the items, up to a power of two; a slot
	// is a name, a tensor and a byte, and tables of slots are rounded to pages.
	slots := int64(8)
	for slots*7 < int64(n)*8 {
		slots *= 2
	}
	if more := 80*slots + 128 - b.callers; more > 0 {
		b.callers += more
		return b.budget.spend(more)
	}
	return nil
}

// A hashed key of a dict.
type hashed struct {
	hash uint64
	item int
}

// dict copies a dict. Python's dicts have each key once.
func (b *builder) dict(w word, depth int) (*Dict, error) {
	n := b.machine.arena.count(w) / 2
	if n > maxValues-b.values {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	const item, dict = 32, 32
	if err := errors.Join(b.budget.spend(dict), b.budget.spend(int64(n)*item), b.budget.spend(int64(n)*16),
		b.leave(n)); err != nil {
		return nil, errBudget
	}
	out := &Dict{Ordered: w.kind() == kindOrdered, Items: make([]Item, n)}
	keys := make([]hashed, n)
	for i, e := range b.machine.arena.all(w) {
		it := &out.Items[i/2]
		var err error
		if i%2 == 0 {
			if it.Key, err = b.key(e); err != nil {
				return nil, err
			}
			keys[i/2] = hashed{maphash.Comparable(b.seed, it.Key), i / 2}
			continue
		}
		if it.Value, err = b.build(e, depth+1); err != nil {
			if s, ok := it.Key.(string); ok {
				return nil, fmt.Errorf("%q: %w", s, err)
			}
			return nil, err
		}
	}
	slices.SortFunc(keys, func(x, y hashed) int {
		return cmp.Or(cmp.Compare(x.hash, y.hash), cmp.Compare(x.item, y.item))
	})
	for i := 1; i < n; i++ {
		// Two keys of one hash are taken for the same; of 2^64 they never are
		// by chance, nor by intent, as the seed is new each time.
		if keys[i].hash == keys[i-1].hash {
			return nil, fmt.Errorf("dict key %v comes twice", out.Items[keys[i].item].Key)
		}
	}
	return out, nil
}

// key builds the key of a dict.
func (b *builder) key(w word) (any, error) {
	switch w.kind() {
	case kindBool, kindInt, kindWide, kindFloat:
	case kindString:
		if s, _ := b.machine.text(w); len(s) > maxKey {
			return nil, fmt.Errorf("dict key of %d bytes is too long", len(s))
		}
	default:
		return nil, fmt.Errorf("%s as a dict's key", w.describe())
	}
	return b.build(w, 0)
}

// tensor reads the elements of one, out of the storage if they lie there in
// order, into memory of their own if not.
func (b *builder) tensor(w word) (any, error) {
	run := b.machine.arena.at(ref(w.rest()))
	number, args := int(run[0]), run[1]
	if b.tensors == nil {
		if err := b.budget.spend(16 * int64(b.machine.tensors)); err != nil {
			return nil, err
		}
		b.tensors = make([]any, b.machine.tensors)
	}
	if err := b.machine.look(args); err != nil {
		return nil, err
	}
	v := &b.machine.view
	if b.left -= v.bytes; b.left < 0 {
		return nil, subnet.WithHint(errors.New("the tensors together are larger than allowed"), hintClone)
	}
	if b.tensors[number] != nil {
		return b.tensors[number], nil
	}
	if b.views {
		t, err := b.locate(v)
		if err != nil {
			return nil, err
		}
		b.tensors[number] = t
		return t, nil
	}
	s, err := b.storage(v)
	if err != nil {
		return nil, err
	}
	// The tensor itself and its shape.
	if err := errors.Join(b.budget.spend(64), b.budget.spend(8*int64(v.rank))); err != nil {
		return nil, errBudget
	}
	t := tensor.Tensor{DType: v.dtype}
	if v.rank > 0 {
		t.Shape = append(make([]int, 0, v.rank), v.shape()...)
	}
	switch from := v.offset * int64(v.dtype.Size()); {
	case v.bytes == 0:
	case v.contiguous():
		t.Data = s[from : from+v.bytes : from+v.bytes]
	default:
		if err := b.budget.spend(v.bytes); err != nil {
			return nil, subnet.WithHint(fmt.Errorf("tensor %v of strides %v would be %d bytes when copied out of its storage of %d, more than the file gives reason for",
				slices.Clone(v.shape()), slices.Clone(v.stride()), v.bytes, len(s)), hintClone)
		}
		t.Data = v.gather(make([]byte, 0, v.bytes), s, v.offset, 0)
	}
	b.tensors[number] = t
	return t, nil
}

// storage returns the bytes of a view's storage, which are read once.
func (b *builder) storage(v *view) ([]byte, error) {
	if b.storages == nil {
		if err := b.budget.spend(24 * int64(len(b.archive.byName))); err != nil {
			return nil, err
		}
		b.storages = make([][]byte, len(b.archive.byName))
	}
	i, err := b.storageOf(v)
	if err != nil {
		return nil, err
	}
	if b.storages[i] == nil {
		data, err := b.archive.read(i)
		if err != nil {
			return nil, err
		}
		b.storages[i] = data
	}
	data := b.storages[i]
	if err := v.fills(int64(len(data))); err != nil {
		return nil, err
	}
	return data, nil
}

// storageOf returns where among the names a view's storage is.
func (b *builder) storageOf(v *view) (int, error) {
	var name [len("data/") + 64]byte
	n := copy(name[:], "data/")
	n += copy(name[n:], v.key)
	i, ok := b.archive.find(name[:n])
	if !ok || n < len("data/")+len(v.key) {
		return 0, fmt.Errorf("there is no %.200q in the file", "data/"+v.key)
	}
	return i, nil
}

// fills returns an error unless the storage has size bytes.
func (v *view) fills(size int64) error {
	if want := v.numel * int64(v.dtype.Size()); size != want {
		return fmt.Errorf("data/%s has %d bytes, not %d", v.key, size, want)
	}
	return nil
}
