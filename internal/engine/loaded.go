package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"adit/internal/checkpoint"
	"adit/internal/engine/model"
	"adit/internal/engine/train"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// loaded is a model of an engine. It implements [subnet.Model].
type loaded struct {
	e      *Engine
	m      *model.Model // nil once closed
	params map[string]model.Param
	routed error // what was wrong with the last route
}

var errClosed = errors.New("the model is closed")

func newLoaded(e *Engine, m *model.Model) *loaded {
	out := &loaded{e: e, m: m, params: map[string]model.Param{}}
	for _, p := range m.Params() {
		out.params[p.Name] = p
	}
	return out
}

// Load replaces the parameters that f holds, all of them or none.
func (l *loaded) Load(f subnet.File) error {
	l.e.turn.Lock()
	defer l.e.turn.Unlock()
	_, err := l.load(f)
	return err
}

func (l *loaded) load(f subnet.File) (names []string, err error) {
	if l.m == nil {
		return nil, errClosed
	}
	size := 0
	for _, p := range l.params {
		size += p.Hi - p.Lo
	}
	// Eight bytes hold any number that is converted; the rest is for names.
	d, err := checkpoint.Read(f, 8*int64(size)+64<<20)
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err) // it names the file
	}
	names = d.Keys()
	for _, name := range names {
		p, ok := l.params[name]
		t := d[name]
		switch {
		case !ok:
			err = errors.New("the model has no such parameter")
		case !slices.Equal(t.Shape, p.Shape):
			err = fmt.Errorf("its shape is %v, want %v", t.Shape, p.Shape)
		case !t.DType.Float():
			err = fmt.Errorf("%v elements are not floats", t.DType)
		default:
			err = t.Check()
		}
		if err != nil {
			return nil, fmt.Errorf("load %s: parameter %q: %w", f.Name(), name, err)
		}
	}
	var vals []float32
	for _, name := range names {
		if vals, err = d[name].Floats(vals); err != nil {
			return nil, fmt.Errorf("load %s: parameter %q: %w", f.Name(), name, err) // unreachable: checked above
		}
		l.e.opts.Device.Upload(l.m.Weights(l.params[name]), vals)
	}
	return names, nil
}

// Save writes the parameters that keep accepts in the engine's float type, one
// after another: no more than one of them is in memory twice.
func (l *loaded) Save(w io.Writer, format subnet.Format, keep func(name string) bool) error {
	if err := l.download(nil, model.Param{}); err != nil {
		return fmt.Errorf("save model: %w", err)
	}
	var params []checkpoint.Entry
	for name, p := range l.params {
		if keep(name) {
			size := int64(p.Hi-p.Lo) * int64(l.e.opts.DType.Size())
			params = append(params, checkpoint.Entry{Name: name, DType: l.e.opts.DType, Shape: p.Shape, Size: size})
		}
	}
	var vals []float32
	err := checkpoint.WriteFrom(w, format, params, func(i int) ([]byte, error) {
		p := l.params[params[i].Name]
		vals = slices.Grow(vals[:0], p.Hi-p.Lo)[:p.Hi-p.Lo]
		if err := l.download(vals, p); err != nil {
			return nil, err
		}
		return tensor.FromFloats(l.e.opts.DType, p.Shape, vals).Data, nil
	})
	if err != nil {
		return fmt.Errorf("save model: %w", err)
	}
	return nil
}

// download reads a parameter from the device, or nothing into an empty dst.
func (l *loaded) download(dst []float32, p model.Param) error {
	l.e.turn.Lock()
	defer l.e.turn.Unlock()
	if l.m == nil {
		return errClosed
	}
	if len(dst) == 0 {
		return nil
	}
	l.e.opts.Device.Download(dst, l.m.Weights(p))
	return nil
}

// Route limits the routers' choice. Experts that the model does not have are
// an error of the next Train, Step or Loss. Where fewer experts are allowed
// than the model chooses for a token, all of them are chosen.
func (l *loaded) Route(experts subnet.Experts) {
	l.e.turn.Lock()
	defer l.e.turn.Unlock()
	if l.m != nil {
		l.routed = l.m.Route(experts)
	}
}

// ready returns why the model cannot be run, or nil.
func (l *loaded) ready() error {
	if l.m == nil {
		return errClosed
	}
	return l.routed
}

// Train prepares for training. The trainer before ends: a model has one at a
// time.
func (l *loaded) Train(opts subnet.TrainOptions) (subnet.Trainer, error) {
	l.e.turn.Lock()
	defer l.e.turn.Unlock()
	if err := l.ready(); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	data := l.e.opts.Data
	t, err := train.New(l.e.opts.Device, l.m, train.FromSubnet(opts), func(dst []int32, i int64) error {
		return data.Sequence(dst, opts.Domain, opts.Seed, i)
	})
	if err != nil {
		return nil, err
	}
	return &trainer{l, t}, nil
}

// trainer is a train.Trainer that waits for its turn at the device.
type trainer struct {
	l *loaded
	t *train.Trainer
}

func (t *trainer) locked(f func() error) error {
	t.l.e.turn.Lock()
	defer t.l.e.turn.Unlock()
	if err := t.l.ready(); err != nil {
		return err
	}
	return f()
}

func (t *trainer) Step(ctx context.Context) (s subnet.Step, err error) {
	err = t.locked(func() error { s, err = t.t.Step(ctx); return err })
	return s, err
}

func (t *trainer) Save(w io.Writer) error     { return t.locked(func() error { return t.t.Save(w) }) }
func (t *trainer) Resume(f subnet.File) error { return t.locked(func() error { return t.t.Resume(f) }) }

// Loss evaluates the model on held-out sequences of the sample's domain.
func (l *loaded) Loss(ctx context.Context, s subnet.Sample) (subnet.Loss, error) {
	l.e.turn.Lock()
	defer l.e.turn.Unlock()
	if err := l.ready(); err != nil {
		return subnet.Loss{}, fmt.Errorf("evaluate: %w", err)
	}
	data := l.e.opts.Data
	have := data.HeldOutLen(s.Domain, l.e.opts.SeqLen+1)
	if have < 1 {
		return subnet.Loss{}, fmt.Errorf("evaluate: domain %d has no held-out text of %d tokens", s.Domain, l.e.opts.SeqLen+1)
	}
	loss, err := train.Evaluate(ctx, l.m, func(dst []int32, i int64) error {
		return data.HeldOut(dst, s.Domain, i)
	}, pick(s, have))
	if err != nil {
		return subnet.Loss{}, fmt.Errorf("evaluate: %w", err)
	}
	return loss, nil
}

// Close gives the model's memory back.
func (l *loaded) Close() error {
	l.e.turn.Lock()
	defer l.e.turn.Unlock()
	l.m = nil
	return nil
}
