package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"adit/internal/engine/ranks"
	"adit/internal/engine/train"
)

// Help is one of the ranks behind the first: it trains along until the first has
// no more use for it, which is no error. open returns an engine with the same
// base model and text as the first's; it may take its time.
func Help(ctx context.Context, o ranks.Order, l ranks.Limits, open func() (*Engine, error)) error {
	m, err := ranks.Join(ctx, o, l)
	if err != nil {
		return err
	}
	defer m.Close()
	e, err := open()
	if err == nil {
		err = e.help(ctx, m, o)
	}
	if errors.Is(err, ranks.ErrGone) {
		return nil
	}
	if err != nil {
		m.Fail(err)
	}
	return err
}

func (e *Engine) help(ctx context.Context, m *ranks.Member, o ranks.Order) error {
	e.turn.Lock() // nobody else wants it
	defer e.turn.Unlock()
	if e.opts.Data == nil {
		return errNoText
	}
	l, err := e.blank()
	if len(e.opts.Base) > 0 { // else all that it has is shown
		l, err = e.open(ctx, nil)
	}
	if err != nil {
		return fmt.Errorf("open model: %w", err)
	}
	if err := m.Ready(); err != nil {
		return err
	}
	var j job
	if err := m.Job(&j); err != nil {
		return err
	}
	for _, name := range j.Shown {
		p, ok := l.params[name]
		if !ok {
			return fmt.Errorf("the model has no parameter %q", name)
		}
		vals := make([]float32, p.Hi-p.Lo)
		if err := m.Values(vals); err != nil {
			return err
		}
		e.opts.Device.Upload(l.m.Weights(p), vals)
	}
	if err := l.m.Route(j.Experts); err != nil {
		return err
	}
	spent := j.Spent
	so := j.options()
	if j.ByTime {
		so.Spent = func() float64 { return spent }
	}
	to := train.FromSubnet(so)
	to.Ranks = train.Ranks{World: o.World, Rank: o.Rank, Sum: func(_ context.Context, grad []float32, loss float64) (total float64, err error) {
		total, spent, err = m.Sum(grad, loss)
		return total, err
	}}
	t, err := train.New(e.opts.Device, l.m, to, e.reader(j.Domain, j.Seed))
	if err != nil {
		return err
	}
	if j.State {
		n := 0
		for _, name := range j.Trained {
			if p, ok := l.params[name]; ok {
				n += p.Hi - p.Lo
			}
		}
		var state bytes.Buffer
		// Two moments at most, and names.
		if err := m.Stream(&state, 8*int64(n)+64<<20); err != nil {
			return err
		}
		if err := t.Resume(shownState{bytes.NewReader(state.Bytes())}); err != nil {
			return err
		}
	}
	for {
		if _, err := t.Step(ctx); err != nil {
			return err
		}
	}
}

// reader reads the engine's own text.
func (e *Engine) reader(domain int, seed string) train.Reader {
	return func(dst []int32, i int64) error { return e.opts.Data.Sequence(dst, domain, seed, i) }
}

// shownState is a trainer's state that the first rank has shown.
type shownState struct{ *bytes.Reader }

func (shownState) Name() string { return "the first rank's state" }
func (shownState) Close() error { return nil }
