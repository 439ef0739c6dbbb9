package sim

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"

	"adit/internal/checkpoint"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// Engine is a cost model of training. A model's parameters are a few numbers,
// the loss is their mean square distance from a target that no one sees, and a
// step takes virtual time and moves them towards it, with noise.
type Engine struct {
	Base     tensor.Dict   // the parameters of the base model
	StepTime time.Duration // that a step takes
	Rate     float64       // the part of the way that a step goes
	Noise    float64       // of a step
}

var _ subnet.Engine = (*Engine)(nil)

// Open implements [subnet.Engine].
func (e *Engine) Open(_ context.Context, files ...subnet.File) (subnet.Model, error) {
	m := &costModel{engine: e, params: make(map[string][]float32)}
	for key, t := range e.Base {
		vals, err := t.Floats(nil)
		if err != nil {
			return nil, err
		}
		m.params[key] = vals
	}
	for _, f := range files {
		if err := m.Load(f); err != nil {
			return nil, err
		}
	}
	return m, nil
}

type costModel struct {
	engine  *Engine
	params  map[string][]float32
	experts subnet.Experts
}

// maxFile is more than any checkpoint of a simulation has.
const maxFile = 1 << 20

func (m *costModel) Load(f subnet.File) error {
	d, err := checkpoint.Read(f, maxFile)
	if err != nil {
		return err
	}
	loaded := make(map[string][]float32, len(d))
	for key, t := range d {
		vals, err := t.Floats(nil)
		if err != nil {
			return err
		}
		if len(vals) != len(m.params[key]) {
			return fmt.Errorf("%s: tensor %q has %d values, want %d", f.Name(), key, len(vals), len(m.params[key]))
		}
		loaded[key] = vals
	}
	for key, vals := range loaded {
		m.params[key] = vals
	}
	return nil
}

func (m *costModel) Save(w io.Writer, format subnet.Format, keep func(string) bool) error {
	d := make(tensor.Dict)
	for key, vals := range m.params {
		if keep(key) {
			d[key] = tensor.FromFloats(tensor.F32, []int{len(vals)}, vals)
		}
	}
	return checkpoint.Write(w, format, d)
}

func (m *costModel) Route(experts subnet.Experts) { m.experts = experts }

func (m *costModel) Train(o subnet.TrainOptions) (subnet.Trainer, error) {
	return &costTrainer{model: m, opts: o, random: newRand(o.Seed)}, nil
}

// Loss adds to the distance what the sample's text happens to be like, the same
// for every model: 3 nats that cannot be learned, more or less.
func (m *costModel) Loss(_ context.Context, s subnet.Sample) (subnet.Loss, error) {
	var sum float64
	var count int
	for key, vals := range m.params {
		if !m.routed(key) {
			continue
		}
		for i, v := range vals {
			d := float64(v) - target(key, i)
			sum += d * d
			count++
		}
	}
	n := max(s.Sequences, 1)
	loss := subnet.Loss{Mean: 3 + sum/float64(count) + 0.1*newRand(s.Seed).Float64(), Tokens: 128 * n}
	if math.IsNaN(loss.Mean) || math.IsInf(loss.Mean, 0) {
		return subnet.Loss{Mean: math.Inf(1), Tokens: loss.Tokens, Bad: n}, nil
	}
	return loss, nil
}

func (m *costModel) Close() error { return nil }

// routed says whether a tensor is that of an expert in use.
func (m *costModel) routed(key string) bool {
	var layer, expert int
	if n, _ := fmt.Sscanf(key, "model.layers.%d.mlp.experts.%d.", &layer, &expert); n < 2 || m.experts == nil {
		return true
	}
	for _, e := range m.experts[layer] {
		if e == expert {
			return true
		}
	}
	return false
}

// target is where a parameter is best.
func target(key string, i int) float64 {
	sum := sha256.Sum256(fmt.Append(nil, key, i))
	return float64(sum[0])/128 - 1
}

type costTrainer struct {
	model  *costModel
	opts   subnet.TrainOptions
	random *rand.Rand
	steps  int
}

func (t *costTrainer) Step(ctx context.Context) (subnet.Step, error) {
	timer := time.NewTimer(t.model.engine.StepTime)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return subnet.Step{}, ctx.Err()
	case <-timer.C:
	}
	t.steps++
	for key, vals := range t.model.params {
		if !t.opts.Params(key) {
			continue
		}
		for i, v := range vals {
			way := target(key, i) - float64(v)
			vals[i] = v + float32(t.model.engine.Rate*way+t.model.engine.Noise*t.random.NormFloat64())
		}
	}
	loss, err := t.model.Loss(ctx, subnet.Sample{Seed: t.opts.Seed, Sequences: t.opts.Batch})
	return subnet.Step{Number: t.steps, Loss: loss.Mean, LR: t.opts.LR, GradNorm: 1, Tokens: 128 * t.opts.Batch}, err
}

func (t *costTrainer) Save(w io.Writer) error {
	_, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(t.steps)))
	return err
}

func (t *costTrainer) Resume(f subnet.File) error {
	var b [8]byte
	if _, err := f.ReadAt(b[:], 0); err != nil && err != io.EOF {
		return err
	}
	t.steps = int(binary.LittleEndian.Uint64(b[:]))
	return nil
}

// newRand returns randomness from a seed in words.
func newRand(seed string) *rand.Rand {
	return rand.New(rand.NewChaCha8(sha256.Sum256([]byte(cmp.Or(seed, "none")))))
}
