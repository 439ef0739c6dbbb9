package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"adit/internal/tensor"
)

// A Spec is a tensor without its bytes.
type Spec struct {
	Name  string
	DType tensor.DType
	Shape []int
}

// Write writes the tensors and, unless it is empty, meta. The same arguments
// give the same bytes: the header's names are sorted, and so are the tensors
// but that those of wider elements go first, which leaves every tensor aligned
// to its element.
func Write(w io.Writer, d tensor.Dict, meta map[string]string) error {
	names := d.Keys()
	specs := make([]Spec, len(names))
	for i, name := range names {
		if err := d[name].Check(); err != nil {
			return fmt.Errorf("safetensors: tensor %q: %w", name, err)
		}
		specs[i] = Spec{name, d[name].DType, d[name].Shape}
	}
	header, order, err := Header(specs, meta)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return fmt.Errorf("safetensors: write header: %w", err)
	}
	for _, i := range order {
		if _, err := w.Write(d[names[i]].Data); err != nil {
			return fmt.Errorf("safetensors: write tensor %q: %w", names[i], err)
		}
	}
	return nil
}

// Header returns what stands before the tensors' bytes in a file, and the
// order in which those must follow: positions in specs. It is for those who do
// not have all tensors at once; the result is that of [Write].
func Header(specs []Spec, meta map[string]string) (header []byte, order []int, err error) {
	sizes := make([]int64, len(specs))
	names := make([]int, len(specs)) // positions in the names' order
	for i, s := range specs {
		switch {
		case s.Name == metaKey:
			err = fmt.Errorf("no tensor may be named %q", s.Name)
		case !utf8.ValidString(s.Name):
			err = fmt.Errorf("tensor name %q is not UTF-8", s.Name)
		case !s.DType.Valid():
			err = fmt.Errorf("tensor %q: unknown element type %v", s.Name, s.DType)
		case len(s.Shape) > maxRank:
			err = fmt.Errorf("tensor %q has more than %d dimensions", s.Name, maxRank)
		default:
			if sizes[i], err = tensor.Bytes(s.DType, s.Shape); err != nil {
				err = fmt.Errorf("tensor %q: %w", s.Name, err)
			}
		}
		if err != nil {
			return nil, nil, fmt.Errorf("safetensors: %w", err)
		}
		names[i] = i
	}
	slices.SortFunc(names, func(a, b int) int { return cmp.Compare(specs[a].Name, specs[b].Name) })
	for i := 1; i < len(names); i++ {
		if name := specs[names[i]].Name; name == specs[names[i-1]].Name {
			return nil, nil, fmt.Errorf("safetensors: tensor %q comes twice", name)
		}
	}
	order = slices.Clone(names)
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(specs[b].DType.Size(), specs[a].DType.Size())
	})
	offsets := make([]int64, len(specs))
	var next int64
	for _, i := range order {
		offsets[i] = next
		if next += sizes[i]; next < 0 {
			return nil, nil, errors.New("safetensors: the tensors together are too large")
		}
	}
	header, err = encodeHeader(specs, names, offsets, sizes, meta)
	if err != nil {
		return nil, nil, fmt.Errorf("safetensors: write header: %w", err)
	}
	return header, order, nil
}

// encodeHeader returns the length and the header, padded with spaces to a
// multiple of 8 bytes.
func encodeHeader(specs []Spec, names []int, offsets, sizes []int64, meta map[string]string) ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, 8))
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	// put writes v without the newline that Encode appends.
	put := func(v any) error {
		err := enc.Encode(v)
		b.Truncate(b.Len() - 1)
		return err
	}
	b.WriteByte('{')
	if len(meta) > 0 {
		fmt.Fprintf(&b, "%q:{", metaKey)
		for i, k := range slices.Sorted(maps.Keys(meta)) {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := put(k); err != nil {
				return nil, err
			}
			b.WriteByte(':')
			if err := put(meta[k]); err != nil {
				return nil, err
			}
		}
		b.WriteByte('}')
	}
	for n, i := range names {
		if n > 0 || len(meta) > 0 {
			b.WriteByte(',')
		}
		t := specs[i]
		if err := put(t.Name); err != nil {
			return nil, err
		}
		shape := t.Shape
		if shape == nil {
			shape = []int{} // a single number; JSON's null would not do
		}
		b.WriteByte(':')
		if err := put(struct {
			DType   string   `json:"dtype"`
			Shape   []int    `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}{t.DType.String(), shape, [2]int64{offsets[i], offsets[i] + sizes[i]}}); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len()-8 > maxHeader {
		return nil, fmt.Errorf("%d bytes are too long", b.Len()-8)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(b.Len()-8))
	return b.Bytes(), nil
}
