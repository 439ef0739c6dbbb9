package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"adit/internal/compress"
	"adit/internal/protocol/templar"
	"adit/internal/subnet"
	"adit/internal/tensor"
	"adit/internal/torchfile"
)

// A dict is the tensors of a file in their order, as floats.
type dict struct {
	params []subnet.Param
	values map[string][]float32
}

func load(name string) (d dict, err error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return d, err
	}
	v, err := torchfile.Decode(bytes.NewReader(b), int64(len(b)), limit)
	if err != nil {
		return d, err
	}
	top, ok := v.(*torchfile.Dict)
	if !ok {
		return d, fmt.Errorf("%s has no dict", name)
	}
	d.values = make(map[string][]float32)
	for _, it := range top.Items {
		t, ok := it.Value.(tensor.Tensor)
		if !ok {
			return d, fmt.Errorf("%v is no tensor", it.Key)
		}
		p := subnet.Param{Name: it.Key.(string), Shape: t.Shape}
		d.params = append(d.params, p)
		if d.values[p.Name], err = t.Floats(nil); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (d dict) of(name string) []float32 { return d.values[name] }

func (d dict) save(name string) error {
	return create(name, func(w io.Writer) error {
		out := &torchfile.Dict{}
		for _, p := range d.params {
			out.Items = append(out.Items, torchfile.Item{Key: p.Name, Value: tensor.FromFloats(tensor.F32, p.Shape, d.values[p.Name])})
		}
		return torchfile.Encode(w, out)
	})
}

func rulesOf(name, hparams string) (templar.Rules, error) {
	r, err := templar.RulesByName(name)
	if err != nil {
		return r, err
	}
	r, unknown, err := r.WithHParams([]byte(hparams))
	if len(unknown) > 0 {
		err = fmt.Errorf("hparams %v mean nothing", unknown)
	}
	return r, err
}

func compressAll(args []string) error {
	rules, err := rulesOf(args[0], args[1])
	if err != nil {
		return err
	}
	in, err := load(args[2])
	if err != nil {
		return err
	}
	var feedback []*compress.Feedback
	rounds := 0
	for i := range in.params {
		p := &in.params[i]
		rounds, p.Shape = p.Shape[0], p.Shape[1:]
		f, err := compress.NewFeedback(p.Shape, rules.Encoding())
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		feedback = append(feedback, f)
	}
	for n := range rounds {
		g := templar.Gradient{Window: templar.Window(n), GlobalStep: int64(n)}
		for i, p := range in.params {
			kept, err := feedback[i].Encode(in.of(p.Name)[n*p.Len():][:p.Len()])
			if err != nil {
				return fmt.Errorf("%s: round %d: %w", p.Name, n, err)
			}
			g.Params = append(g.Params, templar.Pack(p, kept))
		}
		err := create(fmt.Sprintf("%s.%d", args[3], n), func(w io.Writer) error {
			return templar.EncodeGradient(w, g, rules.Sparse.WireName)
		})
		if err != nil {
			return err
		}
	}
	for i, p := range in.params {
		grid, err := compress.NewGrid(p.Shape)
		if err != nil {
			return err
		}
		rest := make([]float32, p.Len())
		grid.Join(rest, feedback[i].Rest())
		in.values[p.Name] = rest
	}
	return in.save(args[3])
}

func outer(args []string) error {
	rules, err := rulesOf(args[0], args[1])
	if err != nil {
		return err
	}
	model, err := load(args[2])
	if err != nil {
		return err
	}
	parts := make([][]*compress.Part, len(model.params))
	for _, name := range args[4:] {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		most, err := rules.MaxGradient(model.params)
		if err != nil {
			return err
		}
		g, err := templar.DecodeGradient(bytes.NewReader(b), int64(len(b)), most)
		if err != nil {
			return err
		}
		list, err := rules.Parts(g, model.params)
		if err != nil {
			return err
		}
		for i, p := range list {
			parts[i] = append(parts[i], p)
		}
	}
	gatherer := compress.Gatherer{Clip: true, Cosine: rules.Sparse.UseDCT}
	for i, p := range model.params {
		merged := make([]float32, p.Len())
		if err := gatherer.Gather(merged, parts[i]); err != nil {
			return err
		}
		templar.Descend(model.of(p.Name), merged, rules.Sparse.OuterLearningRate)
	}
	return model.save(args[3])
}

func indices(window, compression string, model dict) (templar.Indices, error) {
	w, err := strconv.ParseUint(window, 10, 63)
	if err != nil {
		return nil, err
	}
	c, err := strconv.Atoi(compression)
	if err != nil {
		return nil, err
	}
	return templar.DrawIndices(templar.Window(w), model.params, c)
}

func slice(name string) (templar.SliceFile, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return templar.SliceFile{}, err
	}
	return templar.DecodeSlice(bytes.NewReader(b), int64(len(b)), limit)
}

func merge(args []string) error {
	rules, err := templar.RulesByName(args[0])
	if err != nil {
		return err
	}
	model, err := load(args[3])
	if err != nil {
		return err
	}
	at, err := indices(args[1], args[2], model)
	if err != nil {
		return err
	}
	m := templar.NewSliceMerge(at, rules.EqualNorms)
	for _, name := range args[5:] {
		f, err := slice(name)
		if err == nil {
			err = m.Add(f.Values)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return errors.Join(m.Apply(model.of), model.save(args[4]))
}

func judge(args []string) error {
	model, err := load(args[2])
	if err != nil {
		return err
	}
	gradients, err := load(args[3])
	if err != nil {
		return err
	}
	sent, err := slice(args[4])
	if err != nil {
		return err
	}
	at, err := indices(args[0], args[1], model)
	if err != nil {
		return err
	}
	own, err1 := at.Take(model.of)
	grad, err2 := at.Take(gradients.of)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	var s templar.SliceScore
	for i, p := range sent.Values {
		if p.Name != own[i].Name || len(p.Values) != len(own[i].Values) {
			return fmt.Errorf("%s stands where %s should", p.Name, own[i].Name)
		}
		s.Add(own[i].Values, p.Values, grad[i].Values)
	}
	before, err1 := strconv.ParseFloat(args[5], 64)
	after, err2 := strconv.ParseFloat(args[6], 64)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	worth, reset := templar.LossScore(before, after, s.Cosine())
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"score": s.Score(), "cosine": s.Cosine(), "worth": worth, "reset": reset})
}
