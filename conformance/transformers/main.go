// Command transformers is the Go half of a check against the library
// transformers: it computes with a model directory, or reads one and writes it
// again. See run.sh.
//
//	transformers eval DIR IN OUT         IN has ids (B, T); OUT gets logits (B, T, V),
//	                                     losses (B, T) and grad.NAME of each parameter
//	transformers save DIR OUTDIR [SIZE]  a model of DIR's shape is filled with its
//	                                     parameters and written, in files of SIZE bytes
//
// IN and OUT are safetensors files. A token's target is the one after it; the
// last of a sequence has none, and a loss of 0. Gradients are of the mean.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	"adit/internal/engine/device"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/model"
	"adit/internal/engine/pretrained"
	"adit/internal/safetensors"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "transformers:", err)
		if hint := subnet.Hint(err); hint != "" {
			fmt.Fprintln(os.Stderr, "hint:", hint)
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 4 && args[0] == "eval":
		return eval(args[1], args[2], args[3])
	case len(args) == 3 && args[0] == "save":
		return save(args[1], args[2], 0)
	case len(args) == 4 && args[0] == "save":
		size, err := strconv.ParseInt(args[3], 10, 64)
		if err != nil {
			return err
		}
		return save(args[1], args[2], size)
	}
	return errors.New("usage: transformers eval DIR IN OUT | save DIR OUTDIR [SIZE]")
}

// fill makes a model of a directory's shape and gives it its parameters.
func fill(d *pretrained.Dir, dev device.Device, seqLen int) (*model.Model, error) {
	c, err := model.ParseConfig(d.Config())
	if err != nil {
		return nil, err
	}
	m, err := model.New(dev, c, seqLen)
	if err != nil {
		return nil, err
	}
	var vals []float32
	for _, p := range m.Params() {
		if vals, err = d.Floats(p.Name, vals); err != nil {
			return nil, err
		}
		if len(vals) != p.Hi-p.Lo {
			return nil, fmt.Errorf("%s has %d elements, want %d", p.Name, len(vals), p.Hi-p.Lo)
		}
		dev.Upload(m.Weights(p), vals)
	}
	return m, nil
}

func eval(dir, in, out string) error {
	ids, err := readIDs(in)
	if err != nil {
		return err
	}
	batch, seqLen := ids.Shape[0], ids.Shape[1]
	tokens, targets := make([]int32, batch*seqLen), make([]int32, batch*seqLen)
	for i := range tokens {
		tokens[i], targets[i] = int32(binary.LittleEndian.Uint64(ids.Data[8*i:])), -1
		if i%seqLen != 0 {
			targets[i-1] = tokens[i]
		}
	}

	d, err := pretrained.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	dev := cpu.New(0)
	m, err := fill(d, dev, seqLen)
	if err != nil {
		return err
	}
	vocab := m.Config().VocabSize
	logits, losses := make([]float32, len(tokens)*vocab), make([]float32, len(tokens))
	m.Logits(logits, tokens, batch)
	got := tensor.Dict{"logits": tensor.FromFloats(tensor.F32, []int{batch, seqLen, vocab}, logits)}

	// Each parameter is its own group, so that its gradient is its own segment.
	params, of := m.Params(), map[string]int{}
	for i, p := range params {
		of[p.Name] = i
	}
	_, segments := m.Select(func(p model.Param) int { return of[p.Name] })
	m.Backward(losses, tokens, targets, batch, 1/float32(batch*(seqLen-1)))
	got["losses"] = tensor.FromFloats(tensor.F32, []int{batch, seqLen}, losses)
	for _, s := range segments {
		p, vals := params[s.Group], make([]float32, s.Grad.Len())
		dev.Download(vals, s.Grad)
		got["grad."+p.Name] = tensor.FromFloats(tensor.F32, p.Shape, vals)
	}

	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := safetensors.Write(f, got, nil); err != nil {
		return err
	}
	return f.Close()
}

func readIDs(name string) (tensor.Tensor, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return tensor.Tensor{}, err
	}
	d, _, err := safetensors.Read(bytes.NewReader(b), int64(len(b)), int64(len(b)))
	if err != nil {
		return tensor.Tensor{}, err
	}
	ids, ok := d["ids"]
	if !ok || ids.DType != tensor.I64 || len(ids.Shape) != 2 || ids.Shape[0] < 1 || ids.Shape[1] < 2 {
		return tensor.Tensor{}, fmt.Errorf("%s: want ids as I64 of two dimensions", name)
	}
	return ids, nil
}

func save(dir, out string, shardBytes int64) error {
	d, err := pretrained.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	dev := cpu.New(0)
	m, err := fill(d, dev, 2)
	if err != nil {
		return err
	}
	config, err := json.Marshal(m.Config())
	if err != nil {
		return err
	}
	var tensors []pretrained.Source
	for _, p := range m.Params() {
		tensors = append(tensors, pretrained.Source{
			Name: p.Name, DType: tensor.F32, Shape: p.Shape,
			Floats: func(use func([]float32) error) error {
				vals := make([]float32, p.Hi-p.Lo)
				dev.Download(vals, m.Weights(p))
				return use(vals)
			},
		})
	}
	return pretrained.Write(out, pretrained.Contents{
		Config: config, Generation: d.Generation(), Tensors: tensors, ShardBytes: shardBytes,
	})
}
