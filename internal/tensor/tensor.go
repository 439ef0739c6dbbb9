// Package tensor holds tensors as files hold them: an element type, a shape
// and little-endian bytes. It converts between float formats; arithmetic is
// the engine's.
package tensor

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// A DType is the type of a tensor's elements.
type DType uint8

// The element types that both file formats know.
const (
	F32 DType = iota
	F16
	BF16
	F64
	I64
	I32
	I16
	U8
	I8
	Bool
)

// dtypes is indexed by DType. Names are those of the safetensors format;
// storage is the class in the module torch that holds such elements, and torch
// the name of the type itself there.
var dtypes = [...]struct {
	name, storage, torch string
	size                 int
	float                bool
}{
	F32:  {"F32", "FloatStorage", "float32", 4, true},
	F16:  {"F16", "HalfStorage", "float16", 2, true},
	BF16: {"BF16", "BFloat16Storage", "bfloat16", 2, true},
	F64:  {"F64", "DoubleStorage", "float64", 8, true},
	I64:  {"I64", "LongStorage", "int64", 8, false},
	I32:  {"I32", "IntStorage", "int32", 4, false},
	I16:  {"I16", "ShortStorage", "int16", 2, false},
	U8:   {"U8", "ByteStorage", "uint8", 1, false},
	I8:   {"I8", "CharStorage", "int8", 1, false},
	Bool: {"BOOL", "BoolStorage", "bool", 1, false},
}

// ParseDType returns the type of that safetensors name, such as "BF16".
func ParseDType(name string) (DType, bool) {
	for i, d := range dtypes {
		if d.name == name {
			return DType(i), true
		}
	}
	return 0, false
}

// ParseStorage returns the element type of a torch storage class, such as
// "HalfStorage".
func ParseStorage(class string) (DType, bool) {
	for i, d := range dtypes {
		if d.storage == class {
			return DType(i), true
		}
	}
	return 0, false
}

// ParseTorch returns the type that torch calls so, such as "bfloat16".
func ParseTorch(name string) (DType, bool) {
	for i, d := range dtypes {
		if d.torch == name {
			return DType(i), true
		}
	}
	return 0, false
}

// Valid reports whether d is one of the types of this package.
func (d DType) Valid() bool { return int(d) < len(dtypes) }

// String returns the safetensors name.
func (d DType) String() string {
	if !d.Valid() {
		return fmt.Sprintf("DType(%d)", uint8(d))
	}
	return dtypes[d].name
}

// Storage returns the name of the torch storage class.
func (d DType) Storage() string { return dtypes[d].storage }

// Torch returns torch's name of the type.
func (d DType) Torch() string { return dtypes[d].torch }

// Size returns the bytes of one element.
func (d DType) Size() int { return dtypes[d].size }

// Float reports whether elements are floating-point numbers.
func (d DType) Float() bool { return d.Valid() && dtypes[d].float }

// A Tensor is an n-dimensional array in row-major order without gaps.
// A nil shape is a single number.
type Tensor struct {
	DType DType
	Shape []int
	Data  []byte // little-endian; may be shared with other tensors
}

// Numel returns how many elements the shape has.
func (t Tensor) Numel() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Check returns an error unless Data holds exactly what DType and Shape say.
func (t Tensor) Check() error {
	if !t.DType.Valid() {
		return fmt.Errorf("unknown element type %d", uint8(t.DType))
	}
	n, err := Bytes(t.DType, t.Shape)
	if err != nil {
		return err
	}
	if n != int64(len(t.Data)) {
		return fmt.Errorf("%v%v needs %d bytes, not %d", t.DType, t.Shape, n, len(t.Data))
	}
	return nil
}

// Bytes returns how many bytes a tensor of that type and shape takes. It is an
// error if a dimension is negative or the product does not fit an int. Readers
// call it for shapes that they have not allocated yet; only an error copies.
func Bytes(d DType, shape []int) (int64, error) {
	n, zero := int64(d.Size()), false
	for _, dim := range shape {
		if dim < 0 {
			return 0, fmt.Errorf("negative dimension in shape %v", slices.Clone(shape))
		}
		if dim == 0 {
			zero = true
			continue
		}
		if n > math.MaxInt/int64(dim) {
			return 0, fmt.Errorf("shape %v is too large", slices.Clone(shape))
		}
		n *= int64(dim)
	}
	if zero {
		return 0, nil
	}
	return n, nil
}

// A Dict is a set of named tensors, such as a model's parameters.
type Dict map[string]Tensor

// Keys returns the names in byte order.
func (d Dict) Keys() []string { return slices.Sorted(maps.Keys(d)) }

// Bytes returns the size of all tensors' data together.
func (d Dict) Bytes() int64 {
	var n int64
	for _, t := range d {
		n += int64(len(t.Data))
	}
	return n
}
