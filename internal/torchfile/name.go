package torchfile

import (
	"errors"
	"fmt"
	"strings"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

// The names that mean something here. A storage class is nameStorage plus its
// element type, a torch.dtype nameDType plus the type that it is.
const (
	nameOrderedDict = iota
	nameSize
	nameTensor    // rebuilds one
	nameParameter // rebuilds one with or without attributes, around a tensor
	nameParameterWithState
	nameFromType // calls another with its arguments, and sets attributes
	nameClass    // the classes that nameFromType may make
	nameStorage  = 1 << 8
	nameDType    = 2 << 8
)

// names is what a pickle calls them: module, space, name.
var names = map[string]uint64{
	"collections OrderedDict":                    nameOrderedDict,
	"torch Size":                                 nameSize,
	"torch._utils _rebuild_tensor_v2":            nameTensor,
	"torch._utils _rebuild_parameter":            nameParameter,
	"torch._utils _rebuild_parameter_with_state": nameParameterWithState,
	"torch._tensor _rebuild_from_type_v2":        nameFromType,
	"torch Tensor":                               nameClass,
	"torch.nn.parameter Parameter":               nameClass,
	"torch.nn.parameter Buffer":                  nameClass,
}

// global reads a name, if it is one of the allowed.
func (m *machine) global() (word, error) {
	start := m.next
	module, err := m.line()
	if err != nil {
		return 0, err
	}
	class, err := m.line()
	if err != nil {
		return 0, err
	}
	key := [2 * 256]byte{}
	n := copy(key[:], m.in[start:start+len(module)])
	key[n] = ' '
	n += 1 + copy(key[n+1:], class)
	if id, ok := names[string(key[:n])]; ok {
		return newWord(kindName, id), nil
	}
	if module == "torch" {
		if d, ok := tensor.ParseStorage(class); ok {
			return newWord(kindName, nameStorage|uint64(d)), nil
		}
		if d, ok := tensor.ParseTorch(class); ok {
			return newWord(kindName, nameDType|uint64(d)), nil
		}
	}
	return 0, unknown(module, class)
}

// unknown says which name is not used, and what to do if a person meant no
// harm with it.
func unknown(module, class string) error {
	full, hint := module+"."+class, hintState
	switch {
	case full == "torch._utils._rebuild_tensor_v3", strings.HasPrefix(module, "torch") && strings.HasSuffix(class, "Storage"):
		hint = "its elements have a type that is not read; convert the tensors, as with .to(torch.bfloat16)"
	case strings.Contains(class, "meta_tensor"):
		hint = "the tensor has no data; load the model's weights before saving it"
	case strings.Contains(module, "sparse"), strings.Contains(class, "sparse"), strings.Contains(class, "qtensor"), strings.Contains(class, "nested"):
		hint = "make the tensors plain: t.dequantize(), t.to_dense()"
	case strings.HasPrefix(module, "torch.distributed"):
		hint = "gather the parts of each tensor before saving: t.full_tensor()"
	case strings.HasPrefix(module, "numpy"):
		hint = "convert numpy's values before saving: torch.from_numpy(a), x.item()"
	}
	return subnet.WithHint(fmt.Errorf("the file wants to use %s: only tensors in dicts and lists are read, and nothing of a file is ever run", full), hint)
}

// reduce does what calling f would, for the functions there are.
func (m *machine) reduce(f, args word) (word, error) {
	a, ok := m.arena.elements(args)
	if !ok {
		return 0, errors.New("REDUCE without a tuple of arguments")
	}
	if f.kind() != kindName {
		return 0, fmt.Errorf("%s cannot be called", f.describe())
	}
	switch f.rest() {
	case nameOrderedDict:
		if len(a) != 0 {
			return 0, errors.New("OrderedDict with arguments")
		}
		return m.arena.container(kindOrdered)
	case nameSize:
		if len(a) == 1 && a[0].kind() == kindTuple {
			return a[0], nil
		}
		return 0, errors.New("torch.Size of something other than a tuple")
	case nameParameter, nameParameterWithState: // (tensor, requires_grad, hooks) and attributes
		if len(a) == 3+int(f.rest()-nameParameter) && a[0].kind() == kindTensor {
			return a[0], nil
		}
		return 0, errors.New("_rebuild_parameter of something other than a tensor")
	case nameFromType: // (function, class, arguments, attributes)
		if len(a) == 4 && a[0] == newWord(kindName, nameTensor) && a[1] == newWord(kindName, nameClass) {
			return m.reduce(a[0], a[2])
		}
		return 0, errors.New("_rebuild_from_type_v2 of something other than a tensor")
	case nameTensor:
		return m.tensor(args)
	}
	return 0, errors.New("a class cannot be called")
}
