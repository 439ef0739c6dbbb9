package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"adit/internal/tensor"
)

// Write writes the tensors and, unless it is empty, meta. The same arguments
// give the same bytes: the header's names are sorted, and so are the tensors
// but that those of wider elements go first, which leaves every tensor aligned
// to its element.
func Write(w io.Writer, d tensor.Dict, meta map[string]string) error {
	names := d.Keys()
	for _, name := range names {
		if name == metaKey {
			return fmt.Errorf("safetensors: no tensor may be named %q", name)
		}
		if !utf8.ValidString(name) {
			return fmt.Errorf("safetensors: tensor name %q is not UTF-8", name)
		}
		if err := d[name].Check(); err != nil {
			return fmt.Errorf("safetensors: tensor %q: %w", name, err)
		}
		if len(d[name].Shape) > maxRank {
			return fmt.Errorf("safetensors: tensor %q has more than %d dimensions", name, maxRank)
		}
	}
	order := slices.Clone(names)
	slices.SortStableFunc(order, func(a, b string) int {
		return cmp.Compare(d[b].DType.Size(), d[a].DType.Size())
	})
	offsets := make(map[string]int64, len(order))
	var next int64
	for _, name := range order {
		offsets[name] = next
		next += int64(len(d[name].Data))
	}

	header, err := encodeHeader(d, names, offsets, meta)
	if err != nil {
		return fmt.Errorf("safetensors: write header: %w", err)
	}
	if _, err := w.Write(header); err != nil {
		return fmt.Errorf("safetensors: write header: %w", err)
	}
	for _, name := range order {
		if _, err := w.Write(d[name].Data); err != nil {
			return fmt.Errorf("safetensors: write tensor %q: %w", name, err)
		}
	}
	return nil
}

// encodeHeader returns the length and the header, padded with spaces to a
// multiple of 8 bytes.
func encodeHeader(d tensor.Dict, names []string, offsets map[string]int64, meta map[string]string) ([]byte, error) {
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
	for i, name := range names {
		if i > 0 || len(meta) > 0 {
			b.WriteByte(',')
		}
		if err := put(name); err != nil {
			return nil, err
		}
		t, begin := d[name], offsets[name]
		shape := t.Shape
		if shape == nil {
			shape = []int{} // a single number; JSON's null would not do
		}
		b.WriteByte(':')
		if err := put(struct {
			DType   string   `json:"dtype"`
			Shape   []int    `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}{t.DType.String(), shape, [2]int64{begin, begin + int64(len(t.Data))}}); err != nil {
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
