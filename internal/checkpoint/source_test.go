package checkpoint

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"adit/internal/subnet"
	"adit/internal/tensor"

	"github.com/google/go-cmp/cmp"
)

// TestWriteFrom writes what Write writes, of values that are there one at a time.
func TestWriteFrom(t *testing.T) {
	for _, format := range []subnet.Format{subnet.Safetensors, subnet.Torch} {
		for name, d := range map[string]tensor.Dict{"none": {}, "one type": uniform(), "two types": sample()} {
			var params []Entry
			for name, x := range d { // in any order
				params = append(params, Entry{name, x.DType, x.Shape, int64(len(x.Data))})
			}
			var asked []string
			var one []byte
			read := func(i int) ([]byte, error) {
				clear(one) // what was read before is gone
				asked = append(asked, params[i].Name)
				one = bytes.Clone(d[params[i].Name].Data)
				return one, nil
			}
			var b bytes.Buffer
			w := &watched{Writer: &b, seen: seen{tensors: tensor.Dict{}}}
			if err := WriteFrom(w, format, params, read); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b.Bytes(), written(t, format, d)) {
				t.Errorf("%s, %s: another file than Write makes", format, name)
			}
			inOrder := slices.Equal(asked, d.Keys())
			if len(asked) != len(d) || inOrder != (format == subnet.Torch || name != "two types") {
				t.Errorf("%s, %s: asked for %v", format, name, asked)
			}
			want := d
			if !inOrder {
				want = tensor.Dict{}
			}
			if diff := cmp.Diff(want, w.tensors, alike); diff != "" {
				t.Errorf("%s, %s: shown\n%s", format, name, diff)
			}
		}
	}
}

func TestWriteFromRefuses(t *testing.T) {
	lost := errors.New("lost")
	entry := Entry{"a", tensor.F16, []int{2}, 4}
	two := func(int) ([]byte, error) { return make([]byte, 4), nil }
	for _, tt := range []struct {
		name   string
		params []Entry
		read   func(int) ([]byte, error)
	}{
		{"cannot be read", []Entry{entry}, func(int) ([]byte, error) { return nil, lost }},
		{"too few values", []Entry{entry}, func(int) ([]byte, error) { return make([]byte, 3), nil }},
		{"twice", []Entry{entry, entry}, two},
		{"odd shape", []Entry{{"a", tensor.F16, []int{-2}, 4}}, two},
	} {
		for _, format := range []subnet.Format{subnet.Safetensors, subnet.Torch, "gguf"} {
			if err := WriteFrom(io.Discard, format, tt.params, tt.read); err == nil {
				t.Errorf("%s: written as %s", tt.name, format)
			} else if tt.name == "cannot be read" && format != "gguf" && !errors.Is(err, lost) {
				t.Errorf("%s as %s: %v", tt.name, format, err)
			}
		}
	}
	for _, format := range []subnet.Format{subnet.Safetensors, subnet.Torch} {
		if err := WriteFrom(fullDisk{lost}, format, []Entry{entry}, two); !errors.Is(err, lost) {
			t.Errorf("%s: a full disk gives %v", format, err)
		}
		if err := WriteFrom(&watched{Writer: io.Discard, seen: seen{fail: lost}}, format, []Entry{entry}, two); !errors.Is(err, lost) {
			t.Errorf("%s: a visitor's error became %v", format, err)
		}
	}
}
