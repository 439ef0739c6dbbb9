// Package checkpoint reads and writes a model's parameters in either of the
// formats in which networks exchange them. Which one a file has is told by its
// bytes, never by its name.
package checkpoint

import (
	"errors"
	"fmt"
	"io"

	"adit/internal/safetensors"
	"adit/internal/subnet"
	"adit/internal/tensor"
	"adit/internal/torchfile"
)

// stateKey is the entry under which a .pt file holds the parameters.
const stateKey = "model_state_dict"

// magicPointer is how Git LFS begins what it leaves in the place of a large
// file. As a length of a safetensors header it would be exabytes.
const magicPointer = "version https://git-lfs"

// Read returns the parameters in f, which may have at most limit bytes. In a
// .pt file they are the entry "model_state_dict", or else the whole dict.
// Errors name the file and, where it is one tensor's, the tensor.
//
// The tensors are views over the file's bytes, which are read once; only what
// does not lie in order in a .pt file is copied.
func Read(f subnet.File, limit int64) (tensor.Dict, error) {
	torch, err := begins(f, limit)
	if err != nil {
		return nil, err
	}
	if !torch {
		d, _, err := safetensors.Read(f, f.Size(), limit)
		if err != nil {
			return nil, wrap(f, err, hintDamaged)
		}
		return d, nil
	}
	v, err := torchfile.Decode(f, f.Size(), limit)
	if err != nil {
		return nil, wrap(f, err, hintDamaged)
	}
	items, err := state(v)
	if err != nil {
		return nil, wrap(f, err, hintState)
	}
	d := make(tensor.Dict, len(items))
	if err := each(items, func(name string, t tensor.Tensor) { d[name] = t }); err != nil {
		return nil, wrap(f, err, hintState)
	}
	return d, nil
}

// begins says whether f is a .pt file, and refuses what is no checkpoint at all.
func begins(f subnet.File, limit int64) (torch bool, err error) {
	size := f.Size()
	if size > limit {
		return false, wrap(f, fmt.Errorf("%d bytes are more than the %d allowed", size, limit),
			"this is not a checkpoint of the configured model; check the model's name and the size limit")
	}
	magic := make([]byte, min(size, max(int64(torchfile.Prefix), int64(len(magicPointer)))))
	if n, err := f.ReadAt(magic, 0); n < len(magic) || n < 2 {
		if err == nil || err == io.EOF {
			err = fmt.Errorf("%d bytes are no checkpoint", size)
		}
		return false, wrap(f, err, hintDamaged)
	}
	if string(magic) == magicPointer {
		return false, wrap(f, errors.New("this is a Git LFS pointer, not the file that it stands for"),
			"fetch the file itself: git lfs pull, or download it from the hub")
	}
	return torchfile.Is(magic), nil
}

const hintDamaged = "if the download was cut, remove the file and fetch it again; otherwise save it again as safetensors"

const hintState = `save it with torch.save({"model_state_dict": model.state_dict()}, path)`

// wrap names the file. Advice that err has already is better than ours.
func wrap(f subnet.File, err error, hint string) error {
	if own := subnet.Hint(err); own != "" {
		hint = own
	}
	return subnet.WithHint(fmt.Errorf("read checkpoint %s: %w", f.Name(), err), hint)
}

// state finds the parameters in what a .pt file holds, in the dict's order.
func state(v any) ([]torchfile.Item, error) {
	top, ok := v.(*torchfile.Dict)
	if !ok {
		return nil, fmt.Errorf("it holds a %s, not a dict of tensors", kind(v))
	}
	if inner, ok := top.Get(stateKey); ok {
		if top, ok = inner.(*torchfile.Dict); !ok {
			return nil, fmt.Errorf("%q is a %s, not a dict of tensors", stateKey, kind(inner))
		}
	}
	return top.Items, nil
}

// each calls do for each of the parameters, which are tensors of that kind.
func each[T any](items []torchfile.Item, do func(name string, t T)) error {
	for _, it := range items {
		name, isString := it.Key.(string)
		if !isString {
			return fmt.Errorf("a parameter is named %v, which is no string", it.Key)
		}
		t, isTensor := it.Value.(T)
		if !isTensor {
			return fmt.Errorf("entry %q is a %s, not a tensor", name, kind(it.Value))
		}
		do(name, t)
	}
	return nil
}

// kind names a value in Python's words.
func kind(v any) string {
	switch v.(type) {
	case *torchfile.Dict:
		return "dict"
	case []any:
		return "list"
	case torchfile.Tuple:
		return "tuple"
	case tensor.Tensor, *torchfile.View:
		return "tensor"
	case string:
		return "string"
	case nil:
		return "None"
	}
	return "number"
}

// A Watcher is a writer of files that is shown the parameters too, so that it need
// not find them in the bytes.
type Watcher interface {
	io.Writer
	// Watch returns who is shown them: all, in byte-wise order of their names,
	// while the file is being written. It is not called if they come in another.
	Watch() Visitor
}

// Write writes the parameters. A .pt file holds them as "model_state_dict". If w is
// a [Watcher], it is shown them at the same time.
func Write(w io.Writer, format subnet.Format, d tensor.Dict) error {
	shown := make(chan error, 1)
	if watcher, ok := w.(Watcher); ok {
		v := watcher.Watch()
		go func() { shown <- show(v, d) }()
	} else {
		shown <- nil
	}
	var err error
	switch format {
	case subnet.Safetensors:
		err = safetensors.Write(w, d, map[string]string{"format": "pt"})
	case subnet.Torch:
		err = torchfile.Encode(w, map[string]any{stateKey: d})
	default:
		err = errFormat
	}
	if err := errors.Join(err, <-shown); err != nil {
		return fmt.Errorf("write checkpoint as %s: %w", format, err)
	}
	return nil
}

var errFormat = errors.New("there is no such format")

func show(v Visitor, d tensor.Dict) error {
	for _, name := range d.Keys() {
		t := d[name]
		if err := v.Begin(Entry{name, t.DType, t.Shape, int64(len(t.Data))}); err != nil {
			return err
		}
		if _, err := v.Write(t.Data); err != nil {
			return err
		}
	}
	return nil
}
