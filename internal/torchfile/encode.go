package torchfile

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"adit/internal/tensor"
)

// Encode writes v as torch.save would, so that torch.load reads it, with
// weights_only too. It takes what [Decode] returns, and also map[string]any
// and [tensor.Dict], which become dicts with sorted keys, [Source] and int. Tensors
// whose data is the same memory share a storage. The same value gives the same
// bytes.
func Encode(w io.Writer, v any) error {
	p := pickler{out: []byte{opProto, 2}, memo: make(map[string]int), keys: make(map[block]string)}
	if err := p.put(v, 0); err != nil {
		return fmt.Errorf("torch file: %w", err)
	}
	p.out = append(p.out, opStop)
	if err := writeArchive(w, p.out, p.storages); err != nil {
		return fmt.Errorf("torch file: %w", err)
	}
	return nil
}

// A pickler writes the instructions that a machine follows.
type pickler struct {
	out      []byte
	memo     map[string]int // where the machine remembers each global
	keys     map[block]string
	storages []storage // data/0, data/1, …
}

// A storage returns the bytes of an entry, when they are to be written.
type storage func() ([]byte, error)

// A Source is a tensor whose data is made when it is written, and may be gone
// when the next one's is.
type Source struct {
	DType tensor.DType
	Shape []int
	Read  func() ([]byte, error)
}

// batch is how many values are put into a dict or list at once, as in Python:
// as many are on the reader's stack.
const batch = 1000

// A block identifies the bytes of a storage.
type block struct {
	first *byte
	bytes int
	dtype tensor.DType
}

func (p *pickler) put(v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("more than %d containers within one another", maxDepth)
	}
	switch v := v.(type) {
	case nil:
		p.op(opNone)
	case bool:
		if v {
			p.op(opNewTrue)
		} else {
			p.op(opNewFalse)
		}
	case int:
		p.integer(int64(v))
	case int64:
		p.integer(v)
	case float64:
		bits := math.Float64bits(v)
		p.op(opBinFloat)
		for shift := 56; shift >= 0; shift -= 8 {
			p.out = append(p.out, byte(bits>>shift))
		}
	case string:
		return p.str(v)
	case tensor.Tensor:
		if err := v.Check(); err != nil {
			return err
		}
		return p.tensor(v.DType, v.Shape, func() string { return p.storage(v) })
	case Source:
		return p.source(v)
	case tensor.DType:
		if !v.Valid() {
			return fmt.Errorf("there is no %v", v)
		}
		p.global("torch " + v.Torch())
	case tensor.Dict:
		return p.dict(depth, v.Keys(), func(k string) any { return v[k] })
	case map[string]any:
		return p.dict(depth, slices.Sorted(maps.Keys(v)), func(k string) any { return v[k] })
	case *Dict:
		return p.items(v, depth)
	case []any:
		p.op(opEmptyList)
		for i, e := range v {
			switch {
			case i == 0:
				p.op(opMark)
			case i%batch == 0:
				p.op(opAppends, opMark)
			}
			if err := p.put(e, depth+1); err != nil {
				return err
			}
		}
		if len(v) > 0 {
			p.op(opAppends)
		}
	case Tuple:
		if len(v) == 0 {
			p.op(opEmptyTuple)
			return nil
		}
		p.op(opMark)
		for _, e := range v {
			if err := p.put(e, depth+1); err != nil {
				return err
			}
		}
		p.op(opTuple)
	default:
		return fmt.Errorf("a value of type %T has no place in the file", v)
	}
	return nil
}

func (p *pickler) op(ops ...byte) { p.out = append(p.out, ops...) }

func (p *pickler) integer(v int64) {
	if v == int64(int32(v)) {
		p.op(opBinInt)
		p.out = le.AppendUint32(p.out, uint32(v))
		return
	}
	p.op(opLong1, 8)
	p.out = le.AppendUint64(p.out, uint64(v))
}

func (p *pickler) str(s string) error {
	if len(s) > maxString {
		return fmt.Errorf("string of %d bytes is too long", len(s))
	}
	p.op(opBinUnicode)
	p.out = le.AppendUint32(p.out, uint32(len(s)))
	p.out = append(p.out, s...)
	return nil
}

// global names a class or function, at length the first time only.
func (p *pickler) global(n string) {
	if at, again := p.memo[n]; again {
		p.op(opBinGet, byte(at)) // there are fewer than 256
		return
	}
	module, class, _ := strings.Cut(n, " ")
	p.op(opGlobal)
	p.out = append(p.out, module+"\n"+class+"\n"...)
	p.memo[n] = len(p.memo)
	p.op(opBinPut, byte(p.memo[n]))
}

func (p *pickler) emptyDict(ordered bool) {
	if !ordered {
		p.op(opEmptyDict)
		return
	}
	p.global("collections OrderedDict")
	p.op(opEmptyTuple, opReduce)
}

func (p *pickler) items(d *Dict, depth int) error {
	p.emptyDict(d.Ordered)
	for i, it := range d.Items {
		switch {
		case i == 0:
			p.op(opMark)
		case i%batch == 0:
			p.op(opSetItems, opMark)
		}
		switch it.Key.(type) {
		case string, int64, int, float64, bool:
		default:
			return fmt.Errorf("dict key of type %T", it.Key)
		}
		if err := p.put(it.Key, depth+1); err != nil {
			return err
		}
		if err := p.put(it.Value, depth+1); err != nil {
			return fmt.Errorf("%v: %w", it.Key, err)
		}
	}
	if len(d.Items) > 0 {
		p.op(opSetItems)
	}
	return nil
}

func (p *pickler) dict(depth int, keys []string, value func(string) any) error {
	d := &Dict{Items: make([]Item, len(keys))}
	for i, k := range keys {
		d.Items[i] = Item{k, value(k)}
	}
	return p.items(d, depth)
}

// source writes a tensor whose data comes later.
func (p *pickler) source(t Source) error {
	bytes, err := tensor.Bytes(t.DType, t.Shape)
	if err != nil {
		return err
	}
	return p.tensor(t.DType, t.Shape, func() string {
		key := strconv.Itoa(len(p.storages))
		p.storages = append(p.storages, func() ([]byte, error) {
			data, err := t.Read()
			if err == nil && int64(len(data)) != bytes {
				err = fmt.Errorf("a tensor of %d bytes, not %d", len(data), bytes)
			}
			return data, err
		})
		return key
	})
}

// tensor writes a call of _rebuild_tensor_v2 with the arguments that look
// reads; storage adds the bytes and returns their key.
func (p *pickler) tensor(dtype tensor.DType, shape []int, storage func() string) error {
	if len(shape) > maxRank {
		return errors.New("tensor has too many dimensions")
	}
	stride, step := make(Tuple, len(shape)), 1
	size := make(Tuple, len(shape))
	numel := 1
	for i := len(shape) - 1; i >= 0; i-- {
		size[i], stride[i] = shape[i], step
		step *= max(shape[i], 1)
		numel *= shape[i]
	}
	p.global("torch._utils _rebuild_tensor_v2")
	p.op(opMark, opMark)
	if err := p.str("storage"); err != nil {
		return err
	}
	p.global("torch " + dtype.Storage())
	for _, s := range []string{storage(), "cpu"} {
		if err := p.str(s); err != nil {
			return err
		}
	}
	p.integer(int64(numel))
	p.op(opTuple, opBinPersID)
	p.integer(0) // offset
	for _, dims := range []Tuple{size, stride} {
		if err := p.put(dims, 0); err != nil {
			return err
		}
	}
	p.op(opNewFalse) // requires_grad
	p.emptyDict(true)
	p.op(opTuple, opReduce)
	return nil
}

// storage returns the key under which the tensor's bytes will be.
func (p *pickler) storage(t tensor.Tensor) string {
	key := strconv.Itoa(len(p.storages))
	if len(t.Data) > 0 {
		b := block{&t.Data[0], len(t.Data), t.DType}
		if old, shared := p.keys[b]; shared {
			return old
		}
		p.keys[b] = key
	}
	p.storages = append(p.storages, func() ([]byte, error) { return t.Data, nil })
	return key
}
