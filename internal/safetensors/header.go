package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"adit/internal/tensor"
)

// metaKey is the one name that is not a tensor's.
const metaKey = "__metadata__"

// parseHeader reads the JSON object that names the tensors. Offsets in the
// result still count from the header's end; only each tensor by itself has
// been checked.
//
// It goes by tokens because a decoder into maps would let a second entry of a
// name silently replace the first: two readers could then see two models.
func parseHeader(header []byte) (map[string]Info, map[string]string, error) {
	if !utf8.Valid(header) {
		return nil, nil, errors.New("not UTF-8")
	}
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, errors.New("does not begin with {")
	}
	p := parser{json.NewDecoder(bytes.NewReader(header))}
	p.UseNumber()
	entries := make(map[string]Info)
	var meta map[string]string
	err := p.object(func(name string) (err error) {
		if name == metaKey {
			if meta != nil {
				return fmt.Errorf("%q comes twice", name)
			}
			meta, err = p.meta()
			return err
		}
		if _, twice := entries[name]; twice {
			return fmt.Errorf("tensor %q comes twice", name)
		}
		e, err := p.info()
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		entries[name] = e
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if _, err := p.Token(); err != io.EOF {
		return nil, nil, errors.New("something follows the closing }")
	}
	return entries, meta, nil
}

// parser reads the few shapes of JSON that a header has.
type parser struct{ *json.Decoder }

// object calls value for each key, with the decoder before the key's value.
func (p parser) object(value func(key string) error) error {
	if err := p.delim('{'); err != nil {
		return err
	}
	for p.More() {
		key, err := p.str()
		if err != nil {
			return err
		}
		if err := value(key); err != nil {
			return err
		}
	}
	return p.delim('}')
}

func (p parser) delim(want json.Delim) error {
	t, err := p.Token()
	if err != nil {
		return p.cut(err)
	}
	if t != want {
		return fmt.Errorf("%v where %v should be", t, want)
	}
	return nil
}

func (p parser) cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (p parser) str() (string, error) {
	t, err := p.Token()
	if err != nil {
		return "", p.cut(err)
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%v where a string should be", t)
	}
	return s, nil
}

// ints reads an array of at most most numbers, none negative.
func (p parser) ints(most int) ([]int64, error) {
	if err := p.delim('['); err != nil {
		return nil, err
	}
	var out []int64
	for p.More() {
		t, err := p.Token()
		if err != nil {
			return nil, p.cut(err)
		}
		num, ok := t.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%v where a number should be", t)
		}
		n, err := strconv.ParseInt(num.String(), 10, strconv.IntSize)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%v is no size", num)
		}
		if len(out) == most {
			return nil, fmt.Errorf("more than %d numbers in a list", most)
		}
		out = append(out, n)
	}
	return out, p.delim(']')
}

func (p parser) meta() (map[string]string, error) {
	meta := make(map[string]string)
	err := p.object(func(key string) error {
		if _, twice := meta[key]; twice {
			return fmt.Errorf("%q comes twice in %s", key, metaKey)
		}
		v, err := p.str()
		meta[key] = v
		return err
	})
	return meta, err
}

func (p parser) info() (Info, error) {
	e := Info{Offset: -1}
	var dtype bool
	var shape []int64
	err := p.object(func(key string) error {
		switch {
		case key == "dtype" && !dtype:
			name, err := p.str()
			if err != nil {
				return err
			}
			if e.DType, dtype = tensor.ParseDType(name); !dtype {
				return fmt.Errorf("element type %q is not known here", name)
			}
		case key == "shape" && shape == nil:
			dims, err := p.ints(maxRank)
			if err != nil {
				return fmt.Errorf("shape: %w", err)
			}
			shape = append([]int64{}, dims...)
		case key == "data_offsets" && e.Offset < 0:
			ends, err := p.ints(2)
			if err != nil {
				return fmt.Errorf("data_offsets: %w", err)
			}
			if len(ends) != 2 || ends[0] > ends[1] {
				return fmt.Errorf("data_offsets %v are not a beginning and an end", ends)
			}
			e.Offset, e.Size = ends[0], ends[1]-ends[0]
		default:
			return fmt.Errorf("unexpected %q", key)
		}
		return nil
	})
	if err != nil {
		return Info{}, err
	}
	if !dtype || shape == nil || e.Offset < 0 {
		return Info{}, errors.New("dtype, shape or data_offsets is missing")
	}
	e.Shape = make([]int, len(shape))
	for i, n := range shape {
		e.Shape[i] = int(n)
	}
	size, err := tensor.Bytes(e.DType, e.Shape)
	if err != nil {
		return Info{}, err
	}
	if size != e.Size {
		return Info{}, fmt.Errorf("%v%v takes %d bytes, not %d", e.DType, e.Shape, size, e.Size)
	}
	return e, nil
}
