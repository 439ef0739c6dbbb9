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
	order  []model.Param
	routed error // what was wrong with the last route

	experts subnet.Experts  // that were last routed to
	laid    map[string]bool // parameters that are not as in the base model
	torn    map[string]bool // parameters of a file that could not be read to its end
	lead    *lead           // of those that train it with this process, or nil
}

var errClosed = errors.New("the model is closed")

func newLoaded(e *Engine, m *model.Model) *loaded {
	out := &loaded{e: e, m: m, params: map[string]model.Param{}, order: model.Named(m.Params()), laid: map[string]bool{}, torn: map[string]bool{}}
	for _, p := range m.Params() {
		out.params[p.Name] = p
		out.laid[p.Name] = true
	}
	return out
}

// Load replaces the parameters that f holds, all of them or none: what is wrong with
// a file shows before the first is replaced. Where the disk fails after that, the
// model is of no use until all of them have been loaded from elsewhere.
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
	index, err := checkpoint.Open(f, 8*int64(size)+64<<20)
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err) // it names the file
	}
	for _, t := range index.Sorted() {
		p, ok := l.params[t.Name]
		switch {
		case !ok:
			err = errors.New("the model has no such parameter")
		case !slices.Equal(t.Shape, p.Shape):
			err = fmt.Errorf("its shape is %v, want %v", t.Shape, p.Shape)
		case !t.DType.Float():
			err = fmt.Errorf("%v elements are not floats", t.DType)
		}
		if err != nil {
			return nil, fmt.Errorf("load %s: parameter %q: %w", f.Name(), t.Name, err)
		}
		names = append(names, t.Name)
	}
	for _, name := range names {
		l.torn[name] = true
	}
	if err := index.VisitInOrder(&laying{l: l}); err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	return names, nil
}

// A laying takes the parameters of a file into a model, one after another: no more
// than one of them is in memory twice.
type laying struct {
	l    *loaded
	of   checkpoint.Entry
	data []byte
	vals []float32
}

// Begin implements [checkpoint.Visitor].
func (y *laying) Begin(e checkpoint.Entry) error {
	y.of, y.data = e, slices.Grow(y.data[:0], int(e.Size))
	return y.finish()
}

func (y *laying) Write(b []byte) (int, error) {
	y.data = append(y.data, b...)
	return len(b), y.finish()
}

// finish gives a parameter to the model once all of it is there.
func (y *laying) finish() (err error) {
	if int64(len(y.data)) < y.of.Size {
		return nil
	}
	t := tensor.Tensor{DType: y.of.DType, Shape: y.of.Shape, Data: y.data}
	if y.vals, err = t.Floats(y.vals); err != nil {
		return err
	}
	y.l.e.opts.Device.Upload(y.l.m.Weights(y.l.params[y.of.Name]), y.vals)
	y.l.lay(y.of.Name)
	return nil
}

// whole returns an error if a file was not read to its end.
func (l *loaded) whole() error {
	if len(l.torn) > 0 {
		return fmt.Errorf("%d parameters were not read to the end of their file", len(l.torn))
	}
	return nil
}

// Save writes the parameters that keep accepts in the engine's float type, one
// after another: no more than one of them is in memory twice.
func (l *loaded) Save(w io.Writer, format subnet.Format, keep func(name string) bool) error {
	if err := l.savable(); err != nil {
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

func (l *loaded) savable() error {
	l.e.turn.Lock()
	defer l.e.turn.Unlock()
	if l.m == nil {
		return errClosed
	}
	return l.whole()
}

// download reads a parameter from the device.
func (l *loaded) download(dst []float32, p model.Param) error {
	l.e.turn.Lock()
	defer l.e.turn.Unlock()
	if l.m == nil {
		return errClosed
	}
	l.e.opts.Device.Download(dst, l.m.Weights(p))
	return nil
}

// Params lists the parameters in the order of the model's own library.
func (l *loaded) Params() []subnet.Param {
	out := make([]subnet.Param, len(l.order))
	for i, p := range l.order {
		out[i] = subnet.Param{Name: p.Name, Shape: slices.Clone(p.Shape)}
	}
	return out
}

// Read copies a parameter to dst.
func (l *loaded) Read(name string, dst []float32) error {
	p, err := l.param(name, len(dst))
	if err == nil {
		err = l.download(dst, p)
	}
	if err != nil {
		return fmt.Errorf("read parameter: %w", err)
	}
	return nil
}

// Write replaces a parameter by src.
func (l *loaded) Write(name string, src []float32) error {
	l.e.turn.Lock()
	defer l.e.turn.Unlock()
	p, err := l.param(name, len(src))
	if err == nil && l.m == nil {
		err = errClosed
	}
	if err != nil {
		return fmt.Errorf("write parameter: %w", err)
	}
	l.e.opts.Device.Upload(l.m.Weights(p), src)
	l.lay(name)
	return nil
}

// param returns a parameter of n numbers.
func (l *loaded) param(name string, n int) (model.Param, error) {
	p, ok := l.params[name]
	if !ok {
		return p, fmt.Errorf("the model has no parameter %q", name)
	}
	if have := p.Hi - p.Lo; n != have {
		return p, fmt.Errorf("%q has %d numbers, not %d", name, have, n)
	}
	return p, nil
}

// lay notes that a parameter is no more as in the base model, nor as others who
// train along were shown it.
func (l *loaded) lay(name string) {
	l.lead.dismiss()
	l.laid[name] = true
	delete(l.torn, name)
}

// Route limits the routers' choice. Experts that the model does not have are
// an error of the next Train, Step or Loss. Where fewer experts are allowed
// than the model chooses for a token, all of them are chosen.
func (l *loaded) Route(experts subnet.Experts) {
	l.e.turn.Lock()
	defer l.e.turn.Unlock()
	if l.m != nil {
		l.lead.dismiss()
		l.experts = experts
		l.routed = l.m.Route(experts)
	}
}

// ready returns why the model cannot be run, or nil.
func (l *loaded) ready() error {
	if l.m == nil {
		return errClosed
	}
	return errors.Join(l.whole(), l.routed)
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
	switch {
	case opts.Feed != nil:
		opts.Feed = l.aside(opts.Feed)
	case data == nil:
		return nil, fmt.Errorf("train: %w", errNoText)
	}
	l.lead.dismiss()
	lead, to := (*lead)(nil), train.FromSubnet(opts)
	if opts.Ranks.World > 1 {
		var err error
		if lead, to, err = l.newLead(opts); err != nil {
			return nil, fmt.Errorf("train: %w", err)
		}
	}
	t, err := train.New(l.e.opts.Device, l.m, to, l.e.reader(opts.Domain, opts.Seed))
	if err != nil {
		return nil, err
	}
	if l.lead = lead; lead != nil {
		lead.t = t
	}
	return &trainer{l, t, lead}, nil
}

// aside returns a feed that lets others have the device while it waits.
func (l *loaded) aside(feed func(context.Context) ([]subnet.Sequence, error)) func(context.Context) ([]subnet.Sequence, error) {
	return func(ctx context.Context) (batch []subnet.Sequence, err error) {
		func() {
			l.e.turn.Unlock()
			defer l.e.turn.Lock()
			batch, err = feed(ctx)
		}()
		if err == nil {
			err = l.ready()
		}
		return batch, err
	}
}

// trainer is a train.Trainer that waits for its turn at the device.
type trainer struct {
	l    *loaded
	t    *train.Trainer
	lead *lead // nil if it trains alone
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
	step := t.t.Step
	if t.lead != nil {
		step = t.lead.step
	}
	err = t.locked(func() error { s, err = step(ctx); return err })
	return s, err
}

func (t *trainer) Accumulate(ctx context.Context) (s subnet.Step, err error) {
	if t.lead != nil {
		return s, errShared
	}
	err = t.locked(func() error { s, err = t.t.Accumulate(ctx); return err })
	return s, err
}

func (t *trainer) Apply(ctx context.Context, share float64) (s subnet.Step, err error) {
	if t.lead != nil {
		return s, errShared
	}
	err = t.locked(func() error { s, err = t.t.Apply(ctx, share); return err })
	return s, err
}

func (t *trainer) Clear() {
	_ = t.locked(func() error { t.t.Clear(); return nil }) // of a closed model there is nothing to forget
}

func (t *trainer) Read(what subnet.Kept, param string, dst []float32) error {
	return t.locked(func() error { return t.t.Read(what, param, dst) })
}

func (t *trainer) Write(what subnet.Kept, param string, src []float32) error {
	return t.locked(t.alone(func() error { return t.t.Write(what, param, src) }))
}

func (t *trainer) Save(w io.Writer) error { return t.locked(func() error { return t.t.Save(w) }) }
func (t *trainer) Resume(f subnet.File) error {
	return t.locked(t.alone(func() error { return t.t.Resume(f) }))
}

// alone dismisses those who train along before it changes what they were shown: the
// trainer then has a state, which the next ones are.
func (t *trainer) alone(change func() error) func() error {
	return func() error {
		if t.lead != nil {
			t.lead.dismiss()
			t.lead.began = true
		}
		return change()
	}
}

// Loss evaluates the model on held-out sequences of the sample's domain, or on
// those that the sample brings.
func (l *loaded) Loss(ctx context.Context, s subnet.Sample) (subnet.Loss, error) {
	l.e.turn.Lock()
	defer l.e.turn.Unlock()
	if err := l.ready(); err != nil {
		return subnet.Loss{}, fmt.Errorf("evaluate: %w", err)
	}
	if len(s.Given) > 0 {
		loss, err := train.EvaluateGiven(ctx, l.m, s.Given)
		if err != nil {
			return subnet.Loss{}, fmt.Errorf("evaluate: %w", err)
		}
		return loss, nil
	}
	data := l.e.opts.Data
	if data == nil {
		return subnet.Loss{}, fmt.Errorf("evaluate: %w", errNoText)
	}
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
	l.lead.dismiss()
	l.m = nil
	return nil
}
