// Command torch is the Go half of a check against PyTorch and safetensors: it
// writes a sample in either format and lists what a file holds. See run.sh.
//
//	torch write FILE       writes the sample and lists it
//	torch list FILE        lists what another program wrote
//	torch copy FILE FILE   reads a checkpoint and writes it again
//
// Files named .pt are torch's, others safetensors. The name values.pt asks for
// a sample of all that a .pt file can hold, any other for parameters alone.
// A list has a line for each value: where it is, its type, and what it is.
// The Python half makes the same lines by itself.
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"adit/internal/checkpoint"
	"adit/internal/subnet"
	"adit/internal/tensor"
	"adit/internal/torchfile"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "torch:", err)
		if hint := subnet.Hint(err); hint != "" {
			fmt.Fprintln(os.Stderr, "hint:", hint)
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "write":
		return write(args[1])
	case len(args) == 2 && args[0] == "list":
		return list(args[1])
	case len(args) == 3 && args[0] == "copy":
		return copyFile(args[1], args[2])
	}
	return errors.New("usage: torch write FILE | list FILE | copy FILE FILE")
}

// parameters has a tensor of every type, of no dimensions and of no elements.
func parameters() tensor.Dict {
	vals := []float32{0, 1, -1, 0.333, 65504, 6e-8}
	return tensor.Dict{
		"model.embed.weight": tensor.FromFloats(tensor.F16, []int{2, 3}, vals),
		"model.norm.weight":  tensor.FromFloats(tensor.BF16, []int{6}, vals),
		"head <größe>":       tensor.FromFloats(tensor.F32, []int{3, 1, 2}, vals),
		"double":             tensor.FromFloats(tensor.F64, []int{6}, vals),
		"step":               {DType: tensor.I64, Data: []byte{1, 2, 3, 4, 5, 6, 7, 255}},
		"i32":                {DType: tensor.I32, Shape: []int{1}, Data: []byte{255, 0, 0, 128}},
		"i16":                {DType: tensor.I16, Shape: []int{2}, Data: []byte{1, 0, 0, 128}},
		"i8":                 {DType: tensor.I8, Shape: []int{3}, Data: []byte{0, 1, 255}},
		"u8":                 {DType: tensor.U8, Shape: []int{300}, Data: bytes.Repeat([]byte{1, 2, 255}, 100)},
		"mask":               {DType: tensor.Bool, Shape: []int{2}, Data: []byte{1, 0}},
		"none":               {DType: tensor.I64, Shape: []int{0, 3}},
	}
}

// values has all that a .pt file can hold besides parameters.
func values() *torchfile.Dict {
	half := tensor.FromFloats(tensor.F16, []int{2}, []float32{1, 2})
	return &torchfile.Dict{Items: []torchfile.Item{
		{Key: "state", Value: &torchfile.Dict{Ordered: true, Items: []torchfile.Item{
			{Key: int64(0), Value: half}, {Key: int64(1 << 40), Value: half},
		}}},
		{Key: "plain", Value: []any{nil, true, false, int64(-5), int64(math.MinInt64), 0.1, math.Inf(1), "größe", "", torchfile.Tuple{}, torchfile.Tuple{0.9, 0.999}, []any{}}},
		{Key: "quantised", Value: torchfile.Tuple{half, 0.5, int64(128), tensor.BF16, tensor.Bool}},
		{Key: true, Value: "yes"},
		{Key: 0.5, Value: "half"},
	}}
}

func write(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var v any
	switch {
	case filepath.Base(name) == "values.pt":
		v = values()
		err = torchfile.Encode(f, v)
	case filepath.Ext(name) == ".pt":
		v = &torchfile.Dict{Items: []torchfile.Item{{Key: "model_state_dict", Value: parameters()}}}
		err = checkpoint.Write(f, subnet.Torch, parameters())
	default:
		v = parameters()
		err = checkpoint.Write(f, subnet.Safetensors, parameters())
	}
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = show("", v)
	}
	return err
}

// A file is what checkpoints are read from.
type file struct {
	*os.File
	size int64
}

func (f file) Size() int64 { return f.size }

func open(name string) (file, error) {
	f, err := os.Open(name)
	if err != nil {
		return file{}, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return file{}, err
	}
	return file{f, info.Size()}, nil
}

func list(name string) error {
	f, err := open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var v any
	if filepath.Ext(name) == ".pt" {
		v, err = torchfile.Decode(f, f.size, 1<<40)
	} else {
		v, err = checkpoint.Read(f, f.size)
	}
	if err == nil {
		err = show("", v)
	}
	return err
}

func copyFile(from, to string) error {
	f, err := open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	d, err := checkpoint.Read(f, f.size)
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	format := subnet.Safetensors
	if filepath.Ext(to) == ".pt" {
		format = subnet.Torch
	}
	if err := checkpoint.Write(out, format, d); err != nil {
		return err
	}
	return out.Close()
}

// show prints the lines of v, which is at path.
func show(path string, v any) error {
	line := func(kind string, what any) { fmt.Printf("%s\t%s\t%v\n", path, kind, what) }
	all := func(kind string, vs []any) error {
		line(kind, len(vs))
		for i, e := range vs {
			if err := show(fmt.Sprintf("%s/%d", path, i), e); err != nil {
				return err
			}
		}
		return nil
	}
	switch v := v.(type) {
	case nil:
		line("none", "")
	case bool:
		line("bool", v)
	case int64:
		line("int", v)
	case float64:
		line("float", fmt.Sprintf("%016x", math.Float64bits(v)))
	case string:
		line("str", v)
	case tensor.Tensor:
		line(v.DType.String(), fmt.Sprintf("%v %x", v.Shape, sha256.Sum256(v.Data)))
	case tensor.DType:
		line("dtype", v)
	case []any:
		return all("list", v)
	case torchfile.Tuple:
		return all("tuple", v)
	case tensor.Dict:
		d := new(torchfile.Dict)
		for _, k := range v.Keys() {
			d.Items = append(d.Items, torchfile.Item{Key: k, Value: v[k]})
		}
		return show(path, d)
	case *torchfile.Dict:
		kind := "dict"
		if v.Ordered {
			kind = "ordered"
		}
		line(kind, len(v.Items))
		for _, it := range v.Items {
			if err := show(fmt.Sprintf("%s/%v", path, it.Key), it.Value); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("%s is a %T", path, v)
	}
	return nil
}
