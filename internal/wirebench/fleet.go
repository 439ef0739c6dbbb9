package wirebench

import (
	"context"
	"errors"
	"fmt"
	"math"

	"adit/internal/subnet"
)

// A Source makes models; engine.Engine is one.
type Source interface {
	Fresh(seed string) (subnet.Model, error)
}

// A fleet is the miners, each with a model and an optimizer of its own.
type fleet struct {
	miners []miner
	params []subnet.Param
	sizes  map[string]int
}

type miner struct {
	model   subnet.Model
	trainer subnet.Trainer
}

func newFleet(src Source, o Options) (*fleet, error) {
	f := &fleet{sizes: make(map[string]int)}
	total := o.Inner * o.Rounds
	for i := range o.Miners {
		m, err := src.Fresh(fmt.Sprintf("wire %d", o.Seed))
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
		f.miners = append(f.miners, miner{model: m})
		f.miners[i].trainer, err = m.Train(subnet.TrainOptions{
			Params: func(string) bool { return true },
			Seed:   fmt.Sprintf("wire %d miner %d", o.Seed, i),
			Batch:  o.Batch,
			Rate:   func(step int) float64 { return o.LR * schedule(step, o.Warmup, total) },
			LR:     o.LR, Beta1: 0.9, Beta2: 0.95, WeightDecay: 0.1, ClipNorm: 1,
		})
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
	}
	f.params = f.miners[0].model.Params()
	for _, p := range f.params {
		f.sizes[p.Name] = p.Len()
	}
	return f, nil
}

// schedule is the share of the learning rate at a step, counted from 1: a linear
// warmup, then half a cosine down to nought.
func schedule(step, warmup, total int) float64 {
	if step <= warmup {
		return float64(step) / float64(warmup)
	}
	done := float64(step-warmup) / float64(max(total-warmup, 1))
	return (1 + math.Cos(math.Pi*min(done, 1))) / 2
}

func (f *fleet) close() error {
	var err error
	for _, m := range f.miners {
		err = errors.Join(err, m.model.Close())
	}
	return err
}

// train lets every miner take so many steps.
func (f *fleet) train(ctx context.Context, steps int) error {
	for i, m := range f.miners {
		for range steps {
			if _, err := m.trainer.Step(ctx); err != nil {
				return fmt.Errorf("miner %d: %w", i, err)
			}
		}
	}
	return nil
}

// numbers is how many parameters the model has, counted singly.
func (f *fleet) numbers() (n int64) {
	for _, p := range f.params {
		n += int64(p.Len())
	}
	return n
}

// tensors returns memory for all parameters.
func (f *fleet) tensors() [][]float32 {
	x := make([][]float32, len(f.params))
	for i, p := range f.params {
		x[i] = make([]float32, p.Len())
	}
	return x
}

// read copies all parameters of a miner.
func (f *fleet) read(miner int, dst [][]float32) error {
	for i, p := range f.params {
		if err := f.miners[miner].model.Read(p.Name, dst[i]); err != nil {
			return err
		}
	}
	return nil
}

// write replaces all parameters of a miner.
func (f *fleet) write(miner int, src [][]float32) error {
	for i, p := range f.params {
		if err := f.miners[miner].model.Write(p.Name, src[i]); err != nil {
			return err
		}
	}
	return nil
}
