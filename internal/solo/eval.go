package solo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"adit/internal/data"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/model"
	"adit/internal/engine/train"
	"adit/internal/subnet"
)

// EvalOptions say what to evaluate, and on what.
type EvalOptions struct {
	Model     string // directory
	Tokenizer string // a tokenizer.json, or the folder that it is in; "" is the model's
	Data      Data
	SeqLen    int   // tokens; 0 is DefaultSeqLen, or what the model can
	Batch     int   // sequences that go through the model at once
	Sequences int64 // the first so many of the text; 0 is all
	Each      bool  // report the loss of each sequence
	Threads   int   // 0 is one a core
}

// maxEvalBatch is how many sequences the engine evaluates at once.
const maxEvalBatch = 8

// Validate returns every problem that can be seen without looking at the disk,
// joined.
func (o EvalOptions) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Model == "" {
		bad("no model: give its directory")
	}
	if len(o.Data.Paths) == 0 {
		bad("no text to evaluate on: give --data")
	}
	if o.Batch < 1 || o.Batch > maxEvalBatch {
		bad("--batch: %d sequences; give from 1 to %d", o.Batch, maxEvalBatch)
	}
	if o.SeqLen < 0 {
		bad("--seq-len: %d tokens; give at least 1", o.SeqLen)
	}
	if o.Sequences < 0 {
		bad("--sequences: %d; give at least 1, or 0 for all", o.Sequences)
	}
	if o.Threads < 0 {
		bad("--threads: %d; give at least 1, or 0 for one a core", o.Threads)
	}
	return errors.Join(errs...)
}

// Evaluate measures how well a model predicts a text. The result is the same, to
// the bit, for any number of threads and sequences at once.
func Evaluate(ctx context.Context, o EvalOptions, w Watcher) (Evaluated, error) {
	if err := o.Validate(); err != nil {
		return Evaluated{}, err
	}
	e, err := o.run(ctx, w, nil)
	if err != nil {
		return Evaluated{}, fmt.Errorf("evaluate: %w", err)
	}
	return e, nil
}

// run evaluates; before, if not nil, is shown the model first.
func (o EvalOptions) run(ctx context.Context, w Watcher, before func(*model.Model) error) (Evaluated, error) {
	src, err := openSource(o.Model, true)
	if err != nil {
		return Evaluated{}, err
	}
	defer src.Close()
	if o.Tokenizer != "" {
		if err := src.useTokenizer(o.Tokenizer); err != nil {
			return Evaluated{}, err
		}
	}
	seqLen, err := seqLenFor(o.SeqLen, src.config)
	if err != nil {
		return Evaluated{}, err
	}
	text, err := o.Data.ready(ctx, src, src.config.VocabSize, w)
	if err != nil {
		return Evaluated{}, err
	}
	defer text.Close()
	n := text.EpochLen(inOrder(seqLen))
	if n == 0 {
		return Evaluated{}, tooShort(text.Len(), seqLen)
	}
	if o.Sequences > 0 {
		n = min(n, o.Sequences)
	}
	dev := &gate{Device: cpu.New(o.Threads)}
	m, err := src.load(ctx, dev, seqLen, w)
	if err != nil {
		return Evaluated{}, err
	}
	if before != nil {
		if err := before(m); err != nil {
			return Evaluated{}, err
		}
	}
	e, err := evaluate(ctx, dev, m, text.Tokens, n, o.Batch, w)
	if !o.Each {
		e.Each = nil
	}
	return e, err
}

// load makes a model of s and gives it its weights.
func (s *source) load(ctx context.Context, dev *gate, seqLen int, w Watcher) (*model.Model, error) {
	m, err := model.New(dev, s.config, seqLen)
	if err != nil {
		return nil, err
	}
	notes, err := loadWeights(ctx, dev, m, s.dir, func(done, total int64) { w.Stage("loading the model", done, total) })
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		w.Note(n)
	}
	return m, nil
}

// evaluate measures m on the first n sequences of text, batch at a time.
func evaluate(ctx context.Context, dev *gate, m *model.Model, text *data.Tokens, n int64, batch int, w Watcher) (Evaluated, error) {
	order := inOrder(m.SeqLen())
	read := func(dst []int32, i int64) error { return text.Sequence(dst, order, i) }
	start := time.Now()
	var e Evaluated
	sum := 0.0
	for at := int64(0); at < n; {
		w.Stage("evaluating", at, n)
		var group []int64
		for ; at < n && len(group) < batch; at++ {
			group = append(group, at)
		}
		var l subnet.Loss
		err := dev.do(ctx, func() (err error) { l, err = train.Evaluate(ctx, m, read, group); return err })
		if err != nil {
			return Evaluated{}, err
		}
		e.Tokens += l.Tokens
		e.Bad += l.Bad
		for _, x := range l.Sequences {
			e.Each = append(e.Each, Number(x))
			sum += x
		}
	}
	// All sequences have as many tokens.
	mean := sum / float64(n)
	e.Sequences, e.Loss, e.Perplexity = len(e.Each), Number(mean), Number(math.Exp(mean))
	e.Seconds = time.Since(start).Seconds()
	e.TokensPer = float64(e.Tokens) / e.Seconds
	return e, nil
}
