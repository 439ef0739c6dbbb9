package connito

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"adit/internal/checkpoint"
	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// evaluateAll evaluates those of a list that wait for it until the end of a block.
// Each outcome is kept as soon as it is known. Who has nothing to show yet, or
// whose model cannot be had at the moment, is asked again block after block; who
// is still waiting at the end goes on waiting.
func (v *validator) evaluateAll(ctx context.Context, r *round, g *groupRound, list []subnet.UID, end subnet.Block) error {
	group, ok := v.expertGroup(g.Group)
	if !ok || len(g.pending(list)) == 0 {
		return nil
	}
	if head, err := v.Chain.Head(ctx); err != nil {
		return fmt.Errorf("read head: %w", err)
	} else if head > end {
		return nil
	}
	window, cancel := actor.Until(ctx, v.Chain, end+1)
	defer cancel()
	if !v.measureBase(window, r, g, group) {
		return ctx.Err()
	}
	for window.Err() == nil {
		waiting := g.pending(list)
		if len(waiting) == 0 {
			break
		}
		if err := v.pass(window, r, g, group, waiting); err != nil {
			return err
		}
		if len(g.pending(list)) == 0 || v.NextBlock(window) != nil {
			break
		}
	}
	v.Note("evaluating", "evaluated all", slog.Uint64("cycle", r.Cycle), slog.Int("active", 0), slog.Int("pending", r.pending()))
	return ctx.Err()
}

func (v *validator) expertGroup(id int) (Group, bool) {
	for _, g := range v.cfg.Task.Groups {
		if g.ID == id {
			return g, true
		}
	}
	return Group{}, false
}

// sample is the text of a group's round.
func (v *validator) sample(g *groupRound) subnet.Sample {
	return subnet.Sample{Domain: g.Group, Seed: g.Seed, Sequences: v.cfg.Evaluation.Sequences}
}

// measureBase makes sure that the loss of the baseline is known, and that the
// model's experts are the group's. It reports whether submissions can be compared
// with anything.
func (v *validator) measureBase(ctx context.Context, r *round, g *groupRound, group Group) bool {
	v.model.Route(group.Assignment.Experts())
	if g.Baseline != nil {
		return true
	}
	err := v.load(v.model, g.Base)
	var loss subnet.Loss
	if err == nil {
		loss, err = v.model.Loss(ctx, v.sample(g))
	}
	if ctx.Err() != nil {
		return false
	}
	mean, ok := v.rules.baselineLoss(loss.Mean)
	if err != nil {
		mean, ok = v.rules.BaselineFallback, v.rules.BaselineFallback > 0
	}
	switch {
	case ok:
		g.Baseline, g.Unmeasured = &mean, ""
	case err != nil:
		g.Unmeasured = err.Error()
	default:
		g.Unmeasured = "its loss is not finite"
	}
	if g.Unmeasured != "" {
		v.Warn("baseline", "the baseline could not be evaluated", errors.New(g.Unmeasured), slog.Uint64("cycle", r.Cycle), slog.Int("group", g.Group))
	}
	return ok
}

// An arrival is a submission that was fetched, or why it could not be.
type arrival struct {
	miner *minerRound
	file  string
	err   error
}

// pass evaluates, of those who wait, all whose models can be had now. While one is
// evaluated the next is fetched.
func (v *validator) pass(ctx context.Context, r *round, g *groupRound, group Group, waiting []*minerRound) error {
	arrivals := make(chan arrival)
	fetching, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		for range arrivals { // wait for the fetcher
		}
	}()
	go func() {
		defer close(arrivals)
		for _, m := range waiting {
			file, err := v.bring(fetching, r, group, *m)
			select {
			case arrivals <- arrival{m, file, err}:
			case <-fetching.Done():
				return
			}
		}
	}()
	for a := range arrivals {
		if ctx.Err() != nil {
			return nil
		}
		if again(a.err) {
			a.miner.Tried = ""
			if !errors.Is(a.err, errNotThere) && !isTemporary(a.err) && ctx.Err() == nil {
				a.miner.Tried = a.err.Error()
			}
			continue
		}
		var why Why
		var loss subnet.Loss
		if a.err == nil {
			v.Note("evaluating", "evaluating", slog.Uint64("cycle", r.Cycle), slog.Uint64("uid", uint64(a.miner.UID)), slog.Int("active", 1), slog.Int("pending", r.pending()))
			loss, a.err = v.measure(ctx, g, a.miner.UID, a.file)
		}
		switch {
		case ctx.Err() != nil:
			return nil // it has not failed, the time is up
		case a.err != nil:
			why = whyNot(a.err)
		default:
			a.miner.File = a.file
			why = append(inspected(a.miner.Commit), measured(loss))
		}
		a.miner.settle(why, loss.Mean)
		if err := v.save(r); err != nil {
			return err
		}
		if err := v.clean(g); err != nil {
			v.Warn("clean", "a submission that was evaluated is still on disk", err)
		}
	}
	return nil
}

// errNotThere is why a submission that may still come was not evaluated.
var errNotThere = errors.New("nothing was submitted yet")

// again says whether a submission that could not be had now may be had later: unless
// it was had, and refused, or its place does not exist. Bytes that came wrong may come
// right.
func again(err error) bool {
	return err != nil && !errors.As(err, new(*refused)) && !errors.Is(err, subnet.ErrNotFound) || errors.Is(err, subnet.ErrTemporary)
}

var (
	errFetch    = errors.New("it could not be downloaded in time")
	errMeasured = errors.New("it could not be evaluated in time")
)

// bring returns the file of a submission that is what was committed to.
func (v *validator) bring(ctx context.Context, r *round, g Group, m minerRound) (string, error) {
	if !v.comes(r.Cycle, m.Hotkey, m.Commit) {
		return "", errNotThere
	}
	ctx, cancel := withTimeout(ctx, v.cfg.Evaluation.PerMinerDownloadTimeoutSec, errFetch)
	defer cancel()
	name, err := v.obtain(ctx, r.Cycle, g, m.Hotkey, m.Committed, m.Commit)
	if err != nil && context.Cause(ctx) == errFetch {
		return "", stopped(gateTimeout, errFetch)
	}
	return name, err
}

// measure returns the loss of a submission.
func (v *validator) measure(ctx context.Context, g *groupRound, uid subnet.UID, file string) (subnet.Loss, error) {
	limited, cancel := withTimeout(ctx, v.cfg.Evaluation.PerMinerEvalTimeoutSec, errMeasured)
	defer cancel()
	began := time.Now()
	if !v.complete(g.Group, file) { // what it lacks is the baseline's, not the last miner's
		if err := v.load(v.model, g.Base); err != nil {
			return subnet.Loss{}, err
		}
	}
	if err := v.load(v.model, file); err != nil {
		return subnet.Loss{}, stopped(gateParse, err)
	}
	loaded := time.Now()
	loss, err := v.model.Loss(limited, v.sample(g))
	if err != nil && context.Cause(limited) == errMeasured {
		return subnet.Loss{}, stopped(gateTimeout, errMeasured)
	}
	v.Note("evaluated", "evaluated submission", slog.Uint64("uid", uint64(uid)), slog.String("expert_group", fmt.Sprint(g.Group)),
		slog.Duration("load_time", loaded.Sub(began)), slog.Duration("eval_time", time.Since(loaded)),
		slog.Float64("eval_loss", loss.Mean), slog.Int("batches", len(loss.Sequences)))
	return loss, err
}

// complete says whether a submission, whose keys were checked when it came, has all
// of its group's: then nothing is left of the one that was evaluated before it. The
// model itself stays loaded: only the group's experts are ever replaced.
func (v *validator) complete(group int, file string) bool {
	g, ok := v.expertGroup(group)
	if !ok || v.rules.ExactKeys {
		return ok
	}
	f, err := v.Dir.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	x, err := checkpoint.Open(f, v.cfg.Ckpt.MaxBytes)
	return err == nil && x.Len() == g.Assignment.keys()
}

// withTimeout returns a context that ends, with a cause, after so many seconds.
func withTimeout(ctx context.Context, seconds int, cause error) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, time.Duration(seconds)*time.Second, cause)
}

// whyNot returns the gate that stopped an evaluation.
func whyNot(err error) Why {
	if r, ok := errors.AsType[*refused](err); ok {
		return r.why
	}
	return Why{{Name: gateDownload, Reason: err.Error()}}
}
