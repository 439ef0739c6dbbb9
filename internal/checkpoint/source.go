package checkpoint

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"adit/internal/safetensors"
	"adit/internal/subnet"
	"adit/internal/torchfile"
)

// WriteFrom writes parameters as [Write] does, one after another: read returns the
// values of the i-th of them, and is asked for each once, when those before it have
// been written. What it returned may then be gone.
func WriteFrom(w io.Writer, format subnet.Format, params []Entry, read func(i int) ([]byte, error)) error {
	if err := writeFrom(w, format, params, read); err != nil {
		return fmt.Errorf("write checkpoint as %s: %w", format, err)
	}
	return nil
}

func writeFrom(w io.Writer, format subnet.Format, params []Entry, read func(i int) ([]byte, error)) error {
	sorted := make([]int, len(params))
	for i := range sorted {
		sorted[i] = i
	}
	slices.SortFunc(sorted, func(a, b int) int { return cmp.Compare(params[a].Name, params[b].Name) })
	var header []byte
	order := sorted
	if format == subnet.Safetensors {
		specs := make([]safetensors.Spec, len(params))
		for i, e := range params {
			specs[i] = safetensors.Spec{Name: e.Name, DType: e.DType, Shape: e.Shape}
		}
		var err error
		if header, order, err = safetensors.Header(specs, map[string]string{"format": "pt"}); err != nil {
			return err
		}
	}
	if watcher, ok := w.(Watcher); ok && slices.Equal(order, sorted) {
		read = showing(watcher.Watch(), params, read)
	}
	switch format {
	case subnet.Safetensors:
		if _, err := w.Write(header); err != nil {
			return err
		}
		for _, i := range order {
			b, err := read(i)
			if err == nil && int64(len(b)) != params[i].Size {
				err = fmt.Errorf("%d bytes, not %d", len(b), params[i].Size)
			}
			if err == nil {
				_, err = w.Write(b)
			}
			if err != nil {
				return fmt.Errorf("tensor %q: %w", params[i].Name, err)
			}
		}
		return nil
	case subnet.Torch:
		dict := &torchfile.Dict{Items: make([]torchfile.Item, len(params))}
		for at, i := range order {
			e := params[i]
			if at > 0 && params[order[at-1]].Name == e.Name {
				return fmt.Errorf("tensor %q comes twice", e.Name)
			}
			dict.Items[at] = torchfile.Item{Key: e.Name, Value: torchfile.Source{DType: e.DType, Shape: e.Shape, Read: func() ([]byte, error) { return read(i) }}}
		}
		return torchfile.Encode(w, map[string]any{stateKey: dict})
	}
	return errFormat
}

// showing returns a read that shows a visitor what it has read.
func showing(v Visitor, params []Entry, read func(i int) ([]byte, error)) func(i int) ([]byte, error) {
	return func(i int) ([]byte, error) {
		b, err := read(i)
		if err == nil {
			err = v.Begin(params[i])
		}
		if err == nil {
			_, err = v.Write(b)
		}
		return b, err
	}
}
