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
	size := f.Size()
	if size > limit {
		return nil, wrap(f, fmt.Errorf("%d bytes are more than the %d allowed", size, limit),
			"this is not a checkpoint of the configured model; check the model's name and the size limit")
	}
	magic := make([]byte, min(size, max(int64(torchfile.Prefix), int64(len(magicPointer)))))
	if n, err := f.ReadAt(magic, 0); n < len(magic) || n < 2 {
		if err == nil || err == io.EOF {
			err = fmt.Errorf("%d bytes are no checkpoint", size)
		}
		return nil, wrap(f, err, hintDamaged)
	}
	if string(magic) == magicPointer {
		return nil, wrap(f, errors.New("this is a Git LFS pointer, not the file that it stands for"),
			"fetch the file itself: git lfs pull, or download it from the hub")
	}
	if !torchfile.Is(magic) {
		d, _, err := safetensors.Read(f, size, limit)
		if err != nil {
			return nil, wrap(f, err, hintDamaged)
		}
		return d, nil
	}
	v, err := torchfile.Decode(f, size, limit)
	if err != nil {
		return nil, wrap(f, err, hintDamaged)
	}
	d, err := state(v)
	if err != nil {
		return nil, wrap(f, err, `save it with torch.save({"model_state_dict": model.state_dict()}, path)`)
	}
	return d, nil
}

const hintDamaged = "if the download was cut, remove the file and fetch it again; otherwise save it again as safetensors"

// wrap names the file. Advice that err has already is better than ours.
func wrap(f subnet.File, err error, hint string) error {
	if own := subnet.Hint(err); own != "" {
		hint = own
	}
	return subnet.WithHint(fmt.Errorf("read checkpoint %s: %w", f.Name(), err), hint)
}

// state finds the parameters in what a .pt file holds.
func state(v any) (tensor.Dict, error) {
	top, ok := v.(*torchfile.Dict)
	if !ok {
		return nil, fmt.Errorf("it holds a %s, not a dict of tensors", kind(v))
	}
	if inner, ok := top.Get(stateKey); ok {
		if top, ok = inner.(*torchfile.Dict); !ok {
			return nil, fmt.Errorf("%q is a %s, not a dict of tensors", stateKey, kind(inner))
		}
	}
	d := make(tensor.Dict, len(top.Items))
	for _, it := range top.Items {
		name, isString := it.Key.(string)
		if !isString {
			return nil, fmt.Errorf("a parameter is named %v, which is no string", it.Key)
		}
		t, isTensor := it.Value.(tensor.Tensor)
		if !isTensor {
			return nil, fmt.Errorf("entry %q is a %s, not a tensor", name, kind(it.Value))
		}
		d[name] = t
	}
	return d, nil
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
	case tensor.Tensor:
		return "tensor"
	case string:
		return "string"
	case nil:
		return "None"
	}
	return "number"
}

// Write writes the parameters. A .pt file holds them as "model_state_dict".
func Write(w io.Writer, format subnet.Format, d tensor.Dict) error {
	var err error
	switch format {
	case subnet.Safetensors:
		err = safetensors.Write(w, d, map[string]string{"format": "pt"})
	case subnet.Torch:
		err = torchfile.Encode(w, map[string]any{stateKey: d})
	default:
		err = errors.New("there is no such format")
	}
	if err != nil {
		return fmt.Errorf("write checkpoint as %s: %w", format, err)
	}
	return nil
}
