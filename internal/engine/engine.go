// Package engine trains and evaluates models on a device. It implements
// [subnet.Engine] over three packages: device has the operations, model the
// architecture, train the optimizer and the evaluation.
package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"adit/internal/engine/device"
	"adit/internal/engine/model"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// Data is the text, as tokens. Implementations are stateless: the same
// arguments give the same tokens.
type Data interface {
	// Sequence fills dst with the i-th training sequence of a domain in the
	// order that seed gives. There is no last one.
	Sequence(dst []int32, domain int, seed string, i int64) error
	// HeldOut fills dst with the i-th held-out sequence of a domain, in a
	// fixed order; i is below HeldOutLen for len(dst).
	HeldOut(dst []int32, domain int, i int64) error
	// HeldOutLen returns how many held-out sequences of n tokens a domain has.
	HeldOutLen(domain, n int) int64
}

// Options say what an engine works with.
type Options struct {
	Device device.Device
	Config model.Config
	Data   Data // nil for an engine that only works with text that it is given
	SeqLen int  // tokens with a target in a sequence, at most; Data fills one more
	// Encode makes tokens of a text; nil if there is no tokenizer.
	Encode func(text string) ([]int32, error)
	// Base is the base model, which Open lays its files over: a rank, which Help
	// is, has the same. None if Open is given all files.
	Base []subnet.File
	// Ranks say how it has help in training; the zero value has none.
	Ranks Ranks
	// DType is the float type of the parameters in saved files; the zero value
	// is F32, the only one from which training goes on to the bit.
	DType tensor.DType
}

// An Engine is a device with text to train on. Its models take turns at the
// device, so that they may belong to different goroutines.
type Engine struct {
	opts Options
	turn sync.Mutex
}

var _ subnet.Engine = (*Engine)(nil)

// New returns an engine. What is wrong with the options is reported by Open
// and Genesis.
func New(opts Options) *Engine { return &Engine{opts: opts} }

// blank returns a model without values.
func (e *Engine) blank() (*loaded, error) {
	if e.opts.Device == nil {
		return nil, errors.New("the engine has no device")
	}
	if !e.opts.DType.Float() {
		return nil, fmt.Errorf("parameters cannot be saved as %v", e.opts.DType)
	}
	m, err := model.New(e.opts.Device, e.opts.Config, e.opts.SeqLen)
	if err != nil {
		return nil, err
	}
	return newLoaded(e, m), nil
}

// Open loads the model that the files hold together. Every parameter must be
// in one of them.
func (e *Engine) Open(ctx context.Context, files ...subnet.File) (subnet.Model, error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	m, err := e.open(ctx, files)
	if err != nil {
		return nil, fmt.Errorf("open model: %w", err)
	}
	return m, nil
}

func (e *Engine) open(ctx context.Context, files []subnet.File) (*loaded, error) {
	base := len(e.opts.Base)
	if files = append(e.opts.Base[:base:base], files...); len(files) == 0 {
		return nil, errors.New("no files")
	}
	m, err := e.blank()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		names, err := m.load(f)
		if i == base-1 {
			clear(m.laid)
		}
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			seen[name] = true
		}
	}
	params := m.m.Params()
	for _, p := range params {
		if !seen[p.Name] {
			return nil, fmt.Errorf("%d of %d parameters are in none of %d files, such as %s", len(params)-len(seen), len(params), len(files), p.Name)
		}
	}
	return m, nil
}

// Fresh returns a model before any training. Its parameters depend on seed and
// their names alone.
func (e *Engine) Fresh(seed string) (subnet.Model, error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	m, err := e.blank()
	if err != nil {
		return nil, fmt.Errorf("new model: %w", err)
	}
	m.m.Init(seed)
	return m, nil
}

// Encode returns the tokens of a text.
func (e *Engine) Encode(text string) ([]int32, error) {
	if e.opts.Encode == nil {
		return nil, errors.New("encode a text: the engine has no tokenizer")
	}
	ids, err := e.opts.Encode(text)
	if err != nil {
		return nil, fmt.Errorf("encode a text: %w", err)
	}
	return ids, nil
}

// errNoText is the error of an engine that was to use text of its own.
var errNoText = errors.New("the engine has no text of its own")

// Close closes the base model's files.
func (e *Engine) Close() error {
	e.turn.Lock()
	defer e.turn.Unlock()
	var errs []error
	for _, f := range e.opts.Base {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Info describes the engine's model for reports.
func (e *Engine) Info() model.Count { return e.opts.Config.Count(e.opts.SeqLen) }
