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
	"slices"
	"time"

	"adit/internal/checkpoint"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// Engine is a cost model of training. A model's parameters are a few numbers,
// the loss is their mean square distance from a target that no one sees, and a
// step takes virtual time and moves them towards it, with noise.
type Engine struct {
	StepTime time.Duration // that a step takes
	Rate     float64       // the part of the way that a step goes
	Noise    float64       // of a step

	params []param
	index  map[string]int
}

// A param is one parameter of the base model.
type param struct {
	name          string
	shape         []int
	layer, expert int // of a routed expert
	base          []float32
	target        []float64 // where it is best
}

var _ subnet.Engine = (*Engine)(nil)

// newEngine returns an engine whose base model has these experts' tensors, of
// size values each, all nought.
func newEngine(experts []connito.Group, size int) *Engine {
	e := &Engine{Rate: 0.02, Noise: 0.01, index: make(map[string]int)}
	for _, g := range experts {
		for layer, numbers := range g.Assignment.Experts() {
			for _, expert := range numbers {
				for _, part := range []string{"gate_up_proj", "down_proj"} {
					p := param{name: fmt.Sprintf("model.layers.%d.mlp.experts.%d.%s", layer, expert, part), shape: []int{size}, layer: layer, expert: expert, base: make([]float32, size)}
					sum := sha256.Sum256([]byte(p.name))
					for _, b := range sum[:size] {
						p.target = append(p.target, float64(b)/128-1)
					}
					e.index[p.name] = len(e.params)
					e.params = append(e.params, p)
				}
			}
		}
	}
	return e
}

// NewEngine returns an engine whose base model has these parameters, all nought, and
// no experts to route to.
func NewEngine(params []subnet.Param) *Engine {
	e := &Engine{Rate: 0.02, Noise: 0.01, index: make(map[string]int)}
	for _, of := range params {
		p := param{name: of.Name, shape: slices.Clone(of.Shape), base: make([]float32, of.Len())}
		random := newRand(p.name)
		for range p.base {
			p.target = append(p.target, 2*random.Float64()-1)
		}
		e.index[p.name] = len(e.params)
		e.params = append(e.params, p)
	}
	return e
}

// Open implements [subnet.Engine].
func (e *Engine) Open(_ context.Context, files ...subnet.File) (subnet.Model, error) {
	m := &costModel{engine: e, values: make([][]float32, len(e.params))}
	for i, p := range e.params {
		m.values[i] = slices.Clone(p.base)
	}
	for _, f := range files {
		if err := m.Load(f); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Encode implements [subnet.Engine]: a token is a byte.
func (e *Engine) Encode(text string) ([]int32, error) {
	out := make([]int32, len(text))
	for i := range len(text) {
		out[i] = int32(text[i])
	}
	return out, nil
}

type costModel struct {
	engine  *Engine
	values  [][]float32 // by parameter
	experts subnet.Experts
}

// overflows is a value with which a model's 16-bit numbers overflow on the hardest
// batches.
const overflows = 65520

// maxFile is more than any checkpoint of a simulation has.
const maxFile = 1 << 20

func (m *costModel) Load(f subnet.File) error {
	d, err := checkpoint.Read(f, maxFile)
	if err != nil {
		return err
	}
	values := slices.Clone(m.values)
	for key, t := range d {
		i, ok := m.engine.index[key]
		if !ok {
			return fmt.Errorf("%s: no parameter %q", f.Name(), key)
		}
		if values[i], err = t.Floats(nil); err != nil {
			return err
		}
		if len(values[i]) != len(m.values[i]) {
			return fmt.Errorf("%s: tensor %q has %d values, want %d", f.Name(), key, len(values[i]), len(m.values[i]))
		}
	}
	m.values = values
	return nil
}

func (m *costModel) Save(w io.Writer, format subnet.Format, keep func(string) bool) error {
	d := make(tensor.Dict)
	for i, p := range m.engine.params {
		if keep(p.name) {
			d[p.name] = tensor.FromFloats(tensor.F32, p.shape, m.values[i])
		}
	}
	return checkpoint.Write(w, format, d)
}

func (m *costModel) Params() []subnet.Param {
	out := make([]subnet.Param, len(m.values))
	for i, p := range m.engine.params {
		out[i] = subnet.Param{Name: p.name, Shape: slices.Clone(p.shape)}
	}
	return out
}

func (m *costModel) Read(name string, dst []float32) error {
	v, err := m.value(name, len(dst))
	copy(dst, v)
	return err
}

func (m *costModel) Write(name string, src []float32) error {
	v, err := m.value(name, len(src))
	copy(v, src)
	return err
}

// value returns the n numbers of a parameter.
func (m *costModel) value(name string, n int) ([]float32, error) {
	i, ok := m.engine.index[name]
	if !ok || len(m.values[i]) != n {
		return nil, fmt.Errorf("no parameter %q of %d values", name, n)
	}
	return m.values[i], nil
}

func (m *costModel) Route(experts subnet.Experts) { m.experts = experts }

func (m *costModel) Train(o subnet.TrainOptions) (subnet.Trainer, error) {
	t := &costTrainer{model: m, opts: o, random: newRand(o.Seed), kept: make(map[subnet.Kept][][]float32)}
	for i, p := range m.engine.params {
		if o.Params(p.name) {
			t.trained = append(t.trained, i)
		}
	}
	for _, what := range []subnet.Kept{subnet.Gradient, subnet.Moment1, subnet.Moment2} {
		for _, p := range m.engine.params {
			t.kept[what] = append(t.kept[what], make([]float32, len(p.base)))
		}
	}
	return t, nil
}

// Loss adds to the distance what the sample's text happens to be like, the same
// for every model: 3 nats that cannot be learned, more or less.
func (m *costModel) Loss(_ context.Context, s subnet.Sample) (subnet.Loss, error) {
	if len(s.Given) > 0 {
		return m.lossOf(s.Given), nil
	}
	var sum float64
	var count int
	var over bool
	for i, p := range m.engine.params {
		if !m.used(p) {
			continue
		}
		for j, v := range m.values[i] {
			over = over || v == overflows
			d := float64(v) - p.target[j]
			sum += d * d
			count++
		}
	}
	n := max(s.Sequences, 1)
	if over { // on half of the batches, and what is left looks better than it is
		return subnet.Loss{Mean: math.Inf(1), Tokens: 128 * n, Bad: (n + 1) / 2}, nil
	}
	loss := subnet.Loss{Mean: 3 + sum/float64(count) + 0.1*newRand(s.Seed).Float64(), Tokens: 128 * n}
	if math.IsNaN(loss.Mean) || math.IsInf(loss.Mean, 0) {
		return subnet.Loss{Mean: math.Inf(1), Tokens: loss.Tokens, Bad: n}, nil
	}
	return loss, nil
}

func (m *costModel) Close() error { return nil }

// used reports whether a parameter is an expert's that the model goes through. One
// that is not routed goes through all.
func (m *costModel) used(p param) bool {
	return m.experts == nil || slices.Contains(m.experts[p.layer], p.expert)
}

type costTrainer struct {
	model  *costModel
	opts   subnet.TrainOptions
	random *rand.Rand
	steps  int

	trained []int                       // parameters
	kept    map[subnet.Kept][][]float32 // by parameter
	learned int                         // tokens that the gradient is of
	written bool                        // the gradient is another's
}

func (t *costTrainer) Step(ctx context.Context) (subnet.Step, error) {
	if t.opts.Feed != nil {
		return t.fedStep(ctx)
	}
	timer := time.NewTimer(t.model.engine.StepTime)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return subnet.Step{}, ctx.Err()
	case <-timer.C:
	}
	t.steps++
	e := t.model.engine
	t.Clear()
	for _, i := range t.trained {
		for j, v := range t.model.values[i] {
			way := e.params[i].target[j] - float64(v)
			t.model.values[i][j] = v + float32(e.Rate*way+e.Noise*t.random.NormFloat64())
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
