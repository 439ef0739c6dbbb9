package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"adit/internal/engine"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/model"
	"adit/internal/subnet"
)

// A file is what the engine reads a model from.
type file struct {
	*os.File
	size int64
}

func (f file) Size() int64 { return f.size }

// open opens the model in a directory that transformers wrote.
func open(ctx context.Context, dir string, seqLen int) (subnet.Model, error) {
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return nil, err
	}
	c, err := model.ParseConfig(config)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return engine.New(engine.Options{Device: cpu.New(1), Config: c, SeqLen: seqLen}).Open(ctx, file{f, info.Size()})
}

// step accumulates the batches of a file, each of tokens (B, T) and targets (B, T),
// and takes an inner step as miners do. What comes out are the losses, the
// gradients as they were summed, the norm of what the optimizer was given before it
// was clipped, the parameters after the step, and how far each went, as the network
// has it.
func step(args []string) error {
	ctx := context.Background()
	rules, err := rulesOf(args[3], args[4])
	if err != nil {
		return err
	}
	in, err := load(args[1])
	if err != nil {
		return err
	}
	var batches [][]subnet.Sequence
	for i := 0; in.values[fmt.Sprintf("tokens.%d", i)] != nil; i++ {
		batches = append(batches, sequences(in, i))
	}
	m, err := open(ctx, args[0], len(batches[0][0].Tokens))
	if err != nil {
		return err
	}
	defer m.Close()
	settings := in.of("settings") // rate, decay, share
	next := 0
	trainer, err := m.Train(subnet.TrainOptions{
		Params: func(string) bool { return true },
		Feed: func(context.Context) ([]subnet.Sequence, error) {
			next++
			return batches[next-1], nil
		},
		Batch: len(batches[0]), LR: float64(settings[0]), Rate: func(int) float64 { return float64(settings[0]) },
		Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: float64(settings[1]), DecayAll: true, ClipNorm: 1,
	})
	if err != nil {
		return err
	}
	out := dict{values: map[string][]float32{}}
	put := func(name string, shape []int, values []float32) {
		out.params = append(out.params, subnet.Param{Name: name, Shape: shape})
		out.values[name] = values
	}
	var losses []float32
	for range batches {
		s, err := trainer.Accumulate(ctx)
		if err != nil {
			return err
		}
		losses = append(losses, float32(s.Loss))
	}
	put("losses", []int{len(losses)}, losses)
	before := map[string][]float32{}
	for _, p := range m.Params() {
		grad := make([]float32, p.Len())
		before[p.Name] = make([]float32, p.Len())
		if err := errors.Join(trainer.Read(subnet.Gradient, p.Name, grad), m.Read(p.Name, before[p.Name])); err != nil {
			return err
		}
		put("grad."+p.Name, p.Shape, grad)
	}
	s, err := trainer.Apply(ctx, float64(settings[2]))
	if err != nil {
		return err
	}
	put("norm", []int{1}, []float32{float32(s.GradNorm)})
	for _, p := range m.Params() {
		after := make([]float32, p.Len())
		if err := m.Read(p.Name, after); err != nil {
			return err
		}
		put("after."+p.Name, p.Shape, after)
	}
	err = rules.OnWire(m.Params(), func(name string, dst []float32) error {
		for i, v := range out.values["after."+name] {
			dst[i] = before[name][i] - v
		}
		return nil
	}, func(p subnet.Param, values []float32) error {
		put("delta."+p.Name, p.Shape, values)
		return nil
	})
	return errors.Join(err, out.save(args[2]))
}

func sequences(in dict, batch int) []subnet.Sequence {
	name := fmt.Sprintf("tokens.%d", batch)
	at := slices.IndexFunc(in.params, func(p subnet.Param) bool { return p.Name == name })
	length := in.params[at].Shape[1]
	tokens, targets := in.of(name), in.of(strings.Replace(name, "tokens", "targets", 1))
	var list []subnet.Sequence
	for i := 0; i < len(tokens); i += length {
		var s subnet.Sequence
		for j := i; j < i+length; j++ {
			s.Tokens, s.Targets = append(s.Tokens, int32(tokens[j])), append(s.Targets, int32(targets[j]))
		}
		list = append(list, s)
	}
	return list
}

func wire(args []string) error {
	rules, err := rulesOf(args[1], args[2])
	if err != nil {
		return err
	}
	m, err := open(context.Background(), args[0], 8)
	if err != nil {
		return err
	}
	defer m.Close()
	out := dict{values: map[string][]float32{}}
	err = rules.OnWire(m.Params(), m.Read, func(p subnet.Param, values []float32) error {
		out.params = append(out.params, p)
		out.values[p.Name] = values
		return nil
	})
	return errors.Join(err, out.save(args[3]))
}
