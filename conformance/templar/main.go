// Command templar is the Go half of a check of internal/protocol/templar against
// PyTorch: it writes Templar's objects from a description and describes what is in
// them, and does the arithmetic of a window. See run.sh.
//
//	templar write KIND RULES JSON FILE  writes an object
//	templar read KIND FILE…             describes objects, a line for each: JSON, or
//	                                    "error: " and why there is none
//	templar compress RULES HPARAMS IN OUT   IN has for each parameter its changes,
//	                                    round after round; OUT.N gets the gradient
//	                                    of round N, OUT what is unsaid in the end
//	templar outer RULES HPARAMS MODEL OUT GRADIENT…   takes an outer step of a model
//	templar merge RULES WINDOW COMPRESSION MODEL OUT SLICE…   merges slices into it
//	templar score WINDOW COMPRESSION MODEL GRADIENTS SLICE BEFORE AFTER   judges a
//	                                    slice, with the losses before and after it
//	templar step DIR IN OUT RULES HPARAMS   one inner step of the model in a directory
//	templar wire DIR RULES HPARAMS OUT  the model as the network has it
//
// Kinds are slice, checkpoint, gradient, debug and aggregator; a description is what
// encoding/json makes of the structs of the package. HPARAMS is JSON. All files are
// torch's.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"adit/internal/protocol/templar"
	"adit/internal/subnet"
	"adit/internal/torchfile"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "templar:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: see the beginning of main.go")
	}
	name, rest := args[0], args[1:]
	commands := map[string]struct {
		least int
		do    func([]string) error
	}{
		"write": {4, write}, "read": {2, read}, "compress": {4, compressAll}, "outer": {5, outer},
		"merge": {6, merge}, "score": {7, judge}, "step": {5, step}, "wire": {4, wire},
	}
	c, ok := commands[name]
	if !ok || len(rest) < c.least {
		return fmt.Errorf("%s: usage: see the beginning of main.go", name)
	}
	return c.do(rest)
}

// limit is how large a file may be.
const limit = 1 << 30

// A described checkpoint has its model beside it.
type described struct {
	templar.SliceCheckpoint
	Model []modelParam
}

type modelParam struct {
	Name   string
	Shape  []int
	Values []float32
}

func write(args []string) error {
	kind, file := args[0], args[3]
	rules, err := templar.RulesByName(args[1])
	if err != nil {
		return err
	}
	data, err := os.ReadFile(args[2])
	if err != nil {
		return err
	}
	parse := func(v any) error {
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		return d.Decode(v)
	}
	return create(file, func(w io.Writer) error {
		switch kind {
		case "slice":
			var v templar.SliceFile
			return errors.Join(parse(&v), templar.EncodeSlice(w, v))
		case "checkpoint":
			var v described
			err := parse(&v)
			params, values := v.params()
			return errors.Join(err, rules.EncodeSliceCheckpoint(w, v.SliceCheckpoint, params, values))
		case "gradient":
			var v templar.Gradient
			return errors.Join(parse(&v), templar.EncodeGradient(w, v, rules.Sparse.WireName))
		case "debug":
			var v templar.Debug
			return errors.Join(parse(&v), templar.EncodeDebug(w, v, rules.Sparse.WireName))
		case "aggregator":
			var v templar.Gathered
			return errors.Join(parse(&v), templar.EncodeGathered(w, v, rules.Sparse.WireName))
		}
		return fmt.Errorf("there is no kind %q", kind)
	})
}

func (d described) params() ([]subnet.Param, func(string) []float32) {
	params, at := make([]subnet.Param, len(d.Model)), map[string][]float32{}
	for i, p := range d.Model {
		params[i], at[p.Name] = subnet.Param{Name: p.Name, Shape: p.Shape}, p.Values
	}
	return params, func(name string) []float32 { return at[name] }
}

func create(name string, fill func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(fill(f), f.Close())
}

func read(args []string) error {
	for _, name := range args[1:] {
		line, err := describe(args[0], name)
		if err != nil {
			line = fmt.Appendf(nil, "error: %.300q", err)
		}
		fmt.Printf("%s\n", line)
	}
	return nil
}

func describe(kind, name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r, size := bytes.NewReader(b), int64(len(b))
	var v any
	switch kind {
	case "slice":
		v, err = templar.DecodeSlice(r, size, limit)
	case "gradient":
		v, err = templar.DecodeGradient(r, size, limit)
	case "debug":
		v, err = templar.DecodeDebug(r, size)
	case "aggregator":
		v, err = templar.DecodeGathered(r, size, limit)
	case "checkpoint":
		v, err = describeCheckpoint(r, size)
	default:
		err = fmt.Errorf("there is no kind %q", kind)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// describeCheckpoint loads the model into parameters of the shapes that the file
// says, since it is for its reader to know them.
func describeCheckpoint(r io.ReaderAt, size int64) (v described, err error) {
	if v.SliceCheckpoint, err = templar.OpenSliceCheckpoint(r, size, limit); err != nil {
		return v, err
	}
	top, err := torchfile.Index(r, size, limit)
	if err != nil {
		return v, err
	}
	model, _ := top.(*torchfile.Dict).Get("model_state_dict")
	for _, it := range model.(*torchfile.Dict).Items {
		view := it.Value.(*torchfile.View)
		v.Model = append(v.Model, modelParam{it.Key.(string), view.Shape, make([]float32, view.Size()/int64(view.DType.Size()))})
	}
	params, values := v.params()
	return v, v.Load(params, values)
}
