package solo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"adit/internal/data"
	"adit/internal/engine/model"
	"adit/internal/engine/train"
	"adit/internal/subnet"
)

// maxBad is how many steps in a row may have a loss that is not a number before
// the training is given up: what no step updates does not get better.
const maxBad = 10

// Train trains a model and writes checkpoints to o.Out. When ctx is done it ends
// within a moment, whatever it is at, and saves what it has; that is an error that
// says how to go on, and the summary is good all the same.
func Train(ctx context.Context, o TrainOptions, w Watcher) (Summary, error) {
	if err := o.Validate(); err != nil {
		return Summary{}, err
	}
	r := &run{o: o, w: w}
	defer r.close()
	if err := r.prepare(ctx); err != nil {
		return Summary{}, fmt.Errorf("train: %w", err)
	}
	err := r.loop(ctx)
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return r.end(ctx)
	}
	return r.summary(false), fmt.Errorf("train: %w", err)
}

// A run is one training.
type run struct {
	o TrainOptions
	w Watcher

	dev      *gate
	m        *model.Model
	trainer  *train.Trainer
	saver    saver
	text     *tokens
	evalText *tokens // nil if there is none of its own
	held     *data.Tokens
	seqLen   int
	flops    float64   // for a token; 0 if they are not counted
	peak     float64   // of the device, a second
	measured time.Time // when that was last measured again
	steps    int       // to take in all; 0 if the time says when to end

	rec    record
	began  time.Time
	before float64 // seconds of training before this run

	pace      pace
	saved     int // the step of the last checkpoint; -1 if there is none
	evaluated *Evaluated
	bad       int // steps in a row without a loss that is a number
	tokens    int64
	busy      float64 // seconds in steps
	wait      float64
	skipped   int
}

// seconds returns how long the training has been going on, in all its runs.
func (r *run) seconds() float64 {
	if r.began.IsZero() {
		return r.before
	}
	return r.before + time.Since(r.began).Seconds()
}

// spent returns how much of the time to train is over.
func (r *run) spent() float64 {
	if r.o.Time <= 0 {
		return 0
	}
	return r.seconds() / r.o.Time.Seconds()
}

// done reports whether the training is complete.
func (r *run) done() bool {
	if r.o.Time > 0 {
		return r.spent() >= 1
	}
	return r.rec.Step >= r.steps
}

// loop takes steps until there are no more to take.
func (r *run) loop(ctx context.Context) error {
	r.began = time.Now()
	for !r.done() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.step(ctx); err != nil {
			return err
		}
		n := r.rec.Step
		if r.o.EvalEvery > 0 && n%r.o.EvalEvery == 0 {
			if err := r.evaluate(ctx); err != nil {
				return err
			}
		}
		if r.o.SaveEvery > 0 && n%r.o.SaveEvery == 0 {
			switch err := r.save(); {
			case errors.Is(err, errDiverged):
				return err
			case err != nil: // a full disk may have room again the next time
				r.w.Note(fmt.Sprintf("%v; the training goes on", err))
			}
		}
	}
	return r.evaluate(ctx)
}

// step takes one step and tells of it.
func (r *run) step(ctx context.Context) error {
	var s subnet.Step
	start := time.Now()
	err := r.dev.do(ctx, func() (err error) { s, err = r.trainer.Step(ctx); return err })
	if err != nil {
		return err
	}
	secs := time.Since(start).Seconds()
	r.rec.Step, r.rec.Tokens = s.Number, r.rec.Tokens+int64(s.Tokens)
	r.tokens, r.busy, r.wait = r.tokens+int64(s.Tokens), r.busy+secs, r.wait+s.Wait.Seconds()
	if s.Skipped {
		r.skipped++
	}
	r.pace.add(s, secs)
	speed := float64(s.Tokens) / secs
	out := Step{
		Step: s.Number, Loss: Number(s.Loss), LR: s.LR, GradNorm: Number(s.GradNorm), Tokens: s.Tokens,
		TokensPer: speed, PeakShare: r.share(speed), Wait: s.Wait.Seconds(), Skipped: s.Skipped, Scale: s.Scale, Balance: r.m.Balance(),
		Total: r.steps,
	}
	out.Speed, out.WaitShare = r.pace.speed()
	r.remeasure(out.Speed)
	out.Share = r.share(out.Speed)
	if r.o.Time > 0 {
		out.Spent = min(r.spent(), 1)
		out.Left = time.Duration((1 - out.Spent) * float64(r.o.Time))
	} else {
		out.Spent = float64(s.Number) / float64(r.steps)
		out.Left = time.Duration(float64(r.steps-s.Number) * r.pace.step() * float64(time.Second))
	}
	r.w.Step(out)
	if math.IsNaN(s.Loss) || math.IsInf(s.Loss, 0) {
		r.bad++
	} else {
		r.bad = 0
	}
	if r.bad == maxBad {
		return subnet.WithHint(fmt.Errorf("the loss has not been a number in %d steps, the last of them %d", maxBad, s.Number),
			"begin anew with a lower --lr, or go on from the last checkpoint with one")
	}
	return nil
}

// remeasureEvery is how often the peak is measured again at the most.
const remeasureEvery = time.Minute

// remeasure measures the peak again if the training is faster than what the
// processor seemed to be able to: it was then busy with something else.
func (r *run) remeasure(speed float64) {
	dev, ok := r.dev.Device.(peaked)
	if ok && r.share(speed) > 1 && time.Since(r.measured) > remeasureEvery {
		r.peak, r.measured = max(r.peak, dev.Peak()), time.Now()
	}
}

// A peaked device knows what it can do: floating-point operations a second.
type peaked interface{ Peak() float64 }

// share returns how much of what the device can do so many tokens a second take.
func (r *run) share(speed float64) float64 {
	if r.peak <= 0 {
		return 0
	}
	return speed * r.flops / r.peak
}

// evaluate measures the model on the text that is held out, if there is any and
// it has not been done after this step.
func (r *run) evaluate(ctx context.Context) error {
	if r.held == nil || r.evaluated != nil && r.evaluated.Step == r.rec.Step {
		return nil
	}
	all := r.held.EpochLen(inOrder(r.seqLen))
	e, err := evaluate(ctx, r.dev, r.m, r.held, all, min(r.o.Batch, maxEvalBatch), r.w)
	if err != nil {
		return err
	}
	e.Step, e.Each = r.rec.Step, nil
	r.evaluated = &e
	r.w.Evaluated(e)
	return nil
}

// save writes a checkpoint, unless there is one of this step.
func (r *run) save() error {
	if r.saved == r.rec.Step {
		return nil
	}
	r.w.Stage("saving", 0, 0)
	start := time.Now()
	r.rec.Seconds = r.seconds()
	if err := r.saver.save(r.rec); err != nil {
		return err
	}
	r.saved = r.rec.Step
	r.w.Saved(Saved{Step: r.saved, Out: r.o.Out, Seconds: time.Since(start).Seconds()})
	return nil
}

// end saves what there is when the training is over, or interrupted.
func (r *run) end(ctx context.Context) (Summary, error) {
	if r.rec.Step == 0 {
		return r.summary(true), ctx.Err() // there is nothing to save, unless nothing was asked for
	}
	if err := r.rescue(r.save()); err != nil {
		return r.summary(!r.done()), fmt.Errorf("train: %w", err)
	}
	if r.done() {
		return r.summary(false), nil
	}
	of := ""
	if r.steps > 0 {
		of = fmt.Sprintf(" of %d", r.steps)
	}
	return r.summary(true), subnet.WithHint(fmt.Errorf("interrupted after step %d%s, which is saved in %s", r.rec.Step, of, r.o.Out),
		"to go on, give the same command with --resume")
}

// rescue saves in another place what could not be saved in its own, for the
// reason err.
func (r *run) rescue(err error) error {
	if err == nil || errors.Is(err, errDiverged) {
		return err
	}
	was := r.saver.dir
	r.saver.dir = filepath.Clean(was) + "-rescued"
	if _, there := os.Lstat(r.saver.dir); there == nil {
		return err // it may be somebody's
	}
	if r.saver.save(r.rec) != nil {
		return err
	}
	r.o.Out = r.saver.dir
	return subnet.WithHint(fmt.Errorf("%w; so it is in %s instead", err, r.o.Out), "go on from there with --out, or move it where it belongs")
}

func (r *run) summary(interrupted bool) Summary {
	s := Summary{
		Out: r.o.Out, Step: r.rec.Step, Steps: r.steps, Tokens: r.rec.Tokens, Seconds: r.seconds(), Loss: Number(r.pace.loss()),
		Eval: r.evaluated, Wait: r.wait, Skipped: r.skipped, Interrupted: interrupted,
	}
	if r.busy > 0 {
		s.TokensPer = float64(r.tokens) / r.busy
		s.PeakShare = r.share(s.TokensPer)
	}
	return s
}
