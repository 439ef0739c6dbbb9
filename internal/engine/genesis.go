package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"adit/internal/engine/model"
	"adit/internal/engine/train"
	"adit/internal/subnet"
)

// GenesisOptions say how the model that a network begins with is made.
type GenesisOptions struct {
	Seed string // of the initial parameters and the order of the text
	// Groups holds, for each domain, the experts that its text is routed to;
	// nil routes to all.
	Groups []subnet.Experts
	Steps  int // at most; 0 leaves it to the deadline
	Batch  int // sequences of each domain in a step

	LR          float64
	WarmupSteps int
	train.Rules
}

// DefaultGenesis returns what suits [model.Small]: of the rates from 1.5e-3 to
// 6e-3 and the batches from 1 to 4 that were tried on 400,000 tokens, this was
// among the best and the fastest.
func DefaultGenesis() GenesisOptions {
	return GenesisOptions{
		Seed:        "genesis",
		Batch:       4,
		LR:          2e-3,
		WarmupSteps: 40,
		Rules:       train.Rules{Beta1: 0.9, Beta2: 0.95, WeightDecay: 0.1, ClipNorm: 1},
	}
}

// Genesis trains a fresh model, all of it, on all domains: each step takes a
// batch of every domain, routed to its own group. It ends after Steps or at
// ctx's deadline, whichever is first, and at least one of them must be there.
// The learning rate follows half a cosine over whichever is more spent, so that
// it has come down when the time is up on a machine of any speed. Reaching the
// deadline is no error; being cancelled is.
func (e *Engine) Genesis(ctx context.Context, opts GenesisOptions, progress func(subnet.Step)) (subnet.Model, error) {
	m, err := e.genesis(ctx, opts, progress)
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	return m, nil
}

func (e *Engine) genesis(ctx context.Context, opts GenesisOptions, progress func(subnet.Step)) (*loaded, error) {
	deadline, timed := ctx.Deadline()
	switch {
	case opts.Steps <= 0 && !timed:
		return nil, errors.New("neither a number of steps nor a deadline")
	case len(opts.Groups) == 0:
		return nil, errors.New("no groups")
	case opts.Batch < 1:
		return nil, errors.New("batch size below 1")
	case e.opts.Data == nil:
		return nil, errNoText
	}
	e.turn.Lock()
	defer e.turn.Unlock()
	l, err := e.blank()
	if err != nil {
		return nil, err
	}
	l.m.Init(opts.Seed)
	opt, err := train.NewOptimizer(e.opts.Device, l.m, func(string) bool { return true }, opts.Rules)
	if err != nil {
		return nil, err
	}
	batch := train.NewBatch(l.m, opts.Batch)
	start := time.Now()
	for n := 1; opts.Steps <= 0 || n <= opts.Steps; n++ {
		spent := 0.0
		if opts.Steps > 0 {
			spent = float64(n-1) / float64(opts.Steps)
		}
		if timed {
			spent = max(spent, time.Since(start).Seconds()/deadline.Sub(start).Seconds())
		}
		if spent >= 1 || ctx.Err() != nil {
			break
		}
		s, err := l.genesisStep(opts, opt, batch, n, spent)
		if err != nil {
			return nil, err
		}
		if progress != nil {
			progress(s)
		}
	}
	if err := ctx.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, err
	}
	if err := l.m.Route(nil); err != nil {
		return nil, err // unreachable: all are allowed
	}
	l.m.Select(func(model.Param) int { return -1 }) // gives the gradients back
	return l, nil
}

// genesisStep learns from one batch of every domain; spent is the part of the
// training that lies behind it.
func (l *loaded) genesisStep(opts GenesisOptions, opt *train.Optimizer, batch *train.Batch, n int, spent float64) (subnet.Step, error) {
	s := subnet.Step{Number: n, LR: opts.LR * (1 + math.Cos(math.Pi*spent)) / 2}
	if n < opts.WarmupSteps {
		s.LR *= float64(n) / float64(opts.WarmupSteps)
	}
	share := 1 / float64(len(opts.Groups))
	opt.Clear()
	for domain, experts := range opts.Groups {
		if err := l.m.Route(experts); err != nil {
			return s, err
		}
		read := func(dst []int32, i int64) error { return l.e.opts.Data.Sequence(dst, domain, opts.Seed, i) }
		if err := batch.Read(read, int64(n-1)*int64(opts.Batch)); err != nil {
			return s, err
		}
		s.Loss += batch.Learn(l.m, share) * share
		s.Tokens += batch.Tokens()
	}
	var ok bool
	s.GradNorm, ok = opt.Update(s.LR, 1)
	s.Skipped = !ok
	return s, nil
}
