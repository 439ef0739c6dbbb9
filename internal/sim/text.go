package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"adit/internal/subnet"
)

// A sequence that is given has a target of its own, near the one that all text has
// in common: a model that learned from it is better at it than at others, and a
// little better at all.
const (
	ownPart     = 0.25 // of a sequence's target that is its own
	unlearnable = 3.0  // nats of every text
)

// lean returns what a sequence's own part is drawn from.
func lean(s subnet.Sequence) *rand.Rand {
	h := fnv.New64a()
	for _, ids := range [][]int32{s.Tokens, s.Targets} {
		_ = binary.Write(h, binary.LittleEndian, ids) // a hash takes everything
	}
	return rand.New(rand.NewPCG(h.Sum64(), 1))
}

// counted returns how many tokens have a target.
func counted(s subnet.Sequence) int {
	n := 0
	for _, to := range s.Targets {
		if to >= 0 {
			n++
		}
	}
	return n
}

// lossOf evaluates the model on sequences.
func (m *costModel) lossOf(given []subnet.Sequence) subnet.Loss {
	var out subnet.Loss
	var sum float64
	for _, s := range given {
		tokens := counted(s)
		loss := 0.0
		if tokens > 0 {
			loss = m.lossOn(s, nil)
		}
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			out.Bad++
			loss = math.Inf(1)
		}
		out.Tokens += tokens
		sum += loss * float64(max(tokens, 1))
		out.Sequences = append(out.Sequences, loss)
	}
	if out.Tokens > 0 {
		out.Mean = sum / float64(out.Tokens)
	}
	return out
}

// lossOn returns the loss on one sequence, and calls back, unless it is nil, with
// the gradient of each number.
func (m *costModel) lossOn(s subnet.Sequence, back func(param, number int, gradient float64)) float64 {
	random := lean(s)
	var sum float64
	count := m.numbers()
	for i, p := range m.engine.params {
		for j, x := range m.values[i] {
			d := float64(x) - p.target[j] - ownPart*random.NormFloat64()
			sum += d * d
			if back != nil {
				back(i, j, 2*d/float64(count))
			}
		}
	}
	return unlearnable + sum/float64(count)
}

// Accumulate implements [subnet.Trainer]. Without a feed its text is a sequence of
// the trainer's seed and step.
func (t *costTrainer) Accumulate(ctx context.Context) (subnet.Step, error) {
	batch := []subnet.Sequence{{Tokens: []int32{int32(t.random.Uint32() >> 1)}, Targets: []int32{1}}}
	if t.opts.Feed != nil {
		var err error
		if batch, err = t.opts.Feed(ctx); err != nil {
			return subnet.Step{}, err
		}
	}
	timer := time.NewTimer(t.model.engine.StepTime)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return subnet.Step{}, ctx.Err()
	case <-timer.C:
	}
	out := subnet.Step{Number: t.steps + 1}
	for _, s := range batch {
		out.Tokens += counted(s)
	}
	gradient := t.kept[subnet.Gradient]
	for _, s := range batch {
		share := float64(counted(s)) / float64(max(out.Tokens, 1))
		if share == 0 {
			continue
		}
		out.Loss += share * t.model.lossOn(s, func(i, j int, g float64) {
			if slices.Contains(t.trained, i) {
				gradient[i][j] += float32(share * g)
			}
		})
	}
	t.learned += out.Tokens
	return out, nil
}

// Apply implements [subnet.Trainer]: it goes the engine's part of the way that a
// mean gradient points, at whatever rate but nought.
func (t *costTrainer) Apply(_ context.Context, share float64) (subnet.Step, error) {
	t.steps++
	out := subnet.Step{Number: t.steps, LR: t.rate(), Tokens: t.learned}
	if t.learned == 0 && !t.written {
		out.Skipped = true
		return out, nil
	}
	var squares float64
	for _, i := range t.trained {
		for j, g := range t.kept[subnet.Gradient][i] {
			g := float64(g) * share
			squares += g * g
			// Half of count is what makes a gradient the way to the target.
			way := g * float64(t.model.numbers()) / 2
			if out.LR != 0 {
				t.model.values[i][j] -= float32(t.model.engine.Rate * way)
			}
			t.kept[subnet.Moment1][i][j] = float32(g)
			t.kept[subnet.Moment2][i][j] = float32(g * g)
		}
	}
	out.GradNorm = math.Sqrt(squares)
	t.Clear()
	return out, nil
}

// fedStep is a step on given text.
func (t *costTrainer) fedStep(ctx context.Context) (subnet.Step, error) {
	t.Clear()
	n := max(t.opts.Accumulate, 1)
	loss := 0.0
	for range n {
		s, err := t.Accumulate(ctx)
		if err != nil {
			return subnet.Step{}, err
		}
		loss += s.Loss / float64(n)
	}
	s, err := t.Apply(ctx, 1/float64(n))
	s.Loss = loss
	return s, err
}

func (t *costTrainer) Clear() {
	for _, g := range t.kept[subnet.Gradient] {
		clear(g)
	}
	t.learned, t.written = 0, false
}

func (t *costTrainer) Read(what subnet.Kept, name string, dst []float32) error {
	v, err := t.value(what, name, len(dst))
	copy(dst, v)
	return err
}

func (t *costTrainer) Write(what subnet.Kept, name string, src []float32) error {
	v, err := t.value(what, name, len(src))
	if err != nil {
		return err
	}
	copy(v, src)
	t.written = t.written || what == subnet.Gradient
	return nil
}

// value returns what is kept of the n numbers of a parameter.
func (t *costTrainer) value(what subnet.Kept, name string, n int) ([]float32, error) {
	i, ok := t.model.engine.index[name]
	if !ok || !slices.Contains(t.trained, i) || len(t.model.values[i]) != n {
		return nil, fmt.Errorf("no trained parameter %q of %d values", name, n)
	}
	if t.kept[what] == nil {
		return nil, errors.New("nothing is kept by the name " + string(what))
	}
	return t.kept[what][i], nil
}

// rate returns the learning rate of the step.
func (t *costTrainer) rate() float64 {
	if t.opts.Rate != nil {
		return t.opts.Rate(t.steps)
	}
	return t.opts.LR
}

// numbers returns how many numbers the model has.
func (m *costModel) numbers() int {
	n := 0
	for _, v := range m.values {
		n += len(v)
	}
	return n
}
