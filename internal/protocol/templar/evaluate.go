package templar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"adit/internal/compress"
	"adit/internal/score"
	"adit/internal/subnet"
)

// evaluate looks what the gradients of those who were chosen do to the loss. It ends
// with the window; whose turn did not come waits.
func (v *sparseValidator) evaluate(ctx context.Context, w, current Window, c *collection) error {
	within, cancel := v.within(ctx, current)
	defer cancel()
	shard, err := v.text.at(within, v.Step)
	if err != nil {
		return fmt.Errorf("text to evaluate on: %w", err)
	}
	if v.theta, err = v.snapshot(v.theta); err != nil {
		return err
	}
	medians := medianNorms(c.updates, len(v.params))
	span, err := v.span(ctx, w)
	if err != nil {
		return err
	}
	h := v.rules.Sparse
	k := int(h.ValidatorSampleMicroBS * h.MicroBatchSize)
	// Text that is nobody's: the uid is beyond all that are registered.
	const noUIDs = 1000
	other, err := Pool(subnet.UID(noUIDs+rand.IntN(1<<16-noUIDs)), w, shard.samples, h.PoolSize())
	if err != nil {
		return err
	}
	random, err := shard.sequences(EvalDraw(0, w, rand.Uint64(), other, k))
	if err != nil {
		return err
	}
	before, err := v.model.Loss(within, subnet.Sample{Given: random})
	if err != nil {
		return err
	}
	slots := make(chan struct{}, 1)
	for _, uid := range v.book.Chosen {
		if _, done := v.book.Results[uid]; done {
			continue
		}
		x := verdict{Window: w, RandomBefore: before.Mean}
		u, err := v.gathered(within, w, span, uid, c, slots)
		if err == nil {
			err = v.try(within, u, medians, shard, random, k, &x)
			if back := v.restoreParams(v.theta); back != nil {
				return errors.Join(err, back)
			}
		}
		if within.Err() != nil {
			break
		}
		switch {
		case err == nil:
		case errors.Is(err, subnet.ErrNotFound) || errors.Is(err, errDummy) || errors.Is(err, errTooLate):
			x.What, x.Reason = NotThere, err.Error()
		case errors.Is(err, subnet.ErrTemporary):
			x.What, x.Reason = Fault, err.Error()
		default:
			x.What, x.Reason = Invalid, err.Error()
		}
		v.book.Results[uid] = x
		v.keep()
	}
	return ctx.Err()
}

// gathered returns the gradient of a miner, which may have been gathered already.
func (v *sparseValidator) gathered(ctx context.Context, w Window, span Span, uid subnet.UID, c *collection, slots chan struct{}) (*update, error) {
	for _, u := range c.updates {
		if u.from.UID == uid {
			return u, nil
		}
	}
	if err, asked := c.missing[uid]; asked {
		return nil, err
	}
	return v.update(ctx, w, span, uid, slots)
}

// endless is what a loss counts as that is no number: JSON can hold it.
const endless = math.MaxFloat32

// try looks what a gradient does to the loss on its miner's own text and on other
// text. It leaves the model changed.
func (v *sparseValidator) try(ctx context.Context, u *update, medians []float64, shard *openShard, random []subnet.Sequence, k int, x *verdict) error {
	uid := u.from.UID
	pool, err := Pool(uid, x.Window, shard.samples, v.rules.Sparse.PoolSize())
	if err != nil {
		return err
	}
	if digest, err := shard.digest(pool); err == nil && u.digest != digest {
		v.Note("digest", "a miner's pool is not the one that is its", slog.Int("uid", int(uid)), slog.String("digest", u.digest), slog.String("want", digest))
	}
	own, err := shard.sequences(EvalDraw(uid, x.Window, uint64(time.Now().UnixNano()), pool, k))
	if err != nil {
		return err
	}
	loss := func(given []subnet.Sequence, into *float64) {
		if err == nil {
			var l subnet.Loss
			l, err = v.model.Loss(ctx, subnet.Sample{Given: given})
			*into = min(l.Mean, endless)
		}
	}
	loss(own, &x.OwnBefore)
	if err == nil {
		err = v.apply(u, medians)
	}
	loss(own, &x.OwnAfter)
	loss(random, &x.RandomAfter)
	if err != nil {
		return err
	}
	x.What = Evaluated
	x.Score = GradientScore(x.RandomBefore, x.RandomAfter)
	// With a gradient that ruins the model whatever text was the worse before would be
	// the better.
	x.Better = x.OwnAfter < endless && Better(GradientScore(x.OwnBefore, x.OwnAfter), x.Score)
	switch {
	case x.Score <= 0:
		x.Reason = "it does not lower the loss on other text"
	case !x.Better:
		x.Reason = "it does no more for its own text than for other text"
	default:
		x.Reason = "it lowers the loss, most of all on its own text"
	}
	return nil
}

// apply takes a part of the outer step with one gradient alone, clipped as in the
// merge.
func (v *sparseValidator) apply(u *update, medians []float64) error {
	lr := float32(v.rules.Sparse.OuterLearningRate * v.rules.Sparse.EvalLRFactor)
	for i, p := range v.layout {
		n := p.Len()
		wire, theta := v.floats(0, n), v.floats(1, n)
		if err := decodePart(wire, u.parts[i], v.rules.Sparse.UseDCT); err != nil {
			return err
		}
		factor := float32(1)
		if norm := u.parts[i].Norm(); norm > medians[i] {
			factor = float32(medians[i] / norm)
		}
		step := wire
		if p.heads > 0 {
			step = v.floats(2, n)
			p.fromWire(step, wire)
		}
		for j, g := range step {
			theta[j] = v.theta[i][j] - float32(lr*factor*g)
		}
		if err := v.model.Write(p.engine, theta); err != nil {
			return err
		}
	}
	return nil
}

// decodePart sets dst to what one sender says of a parameter.
func decodePart(dst []float32, p *compress.Part, dct bool) error {
	if !dct {
		return p.Decode(dst)
	}
	g := compress.Gatherer{Cosine: true}
	return g.Gather(dst, []*compress.Part{p})
}

// medianNorms returns, for each parameter, the lower median of the gradients' lengths.
func medianNorms(updates []*update, params int) []float64 {
	medians := make([]float64, params)
	for i := range medians {
		norms := make([]float64, len(updates))
		for k, u := range updates {
			norms[k] = u.parts[i].Norm()
		}
		medians[i] = score.LowerMedian(norms)
	}
	return medians
}
