package templar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// validateSlices plays a validator of the slices: it follows the network two windows
// behind, and judges one miner in each, until ctx is done.
func validateSlices(ctx context.Context, env subnet.Env) error {
	n, err := newNeuron(env)
	if err != nil {
		return err
	}
	l, err := n.newLearner(ctx, n.rules.Slice.ValidatorLRFactor)
	if err != nil {
		return actor.Ended(ctx, err)
	}
	defer l.model.Close()
	v := &sliceValidator{learner: l}
	if v.book, err = n.openBook(); err != nil {
		return err
	}
	if n.cfg.SyncState {
		current, _, err := n.window(ctx)
		if err == nil {
			err = l.syncState(ctx, current)
		}
		if err != nil {
			return actor.Ended(ctx, err)
		}
	}
	for ctx.Err() == nil {
		current, head, err := n.window(ctx)
		if err == nil {
			err = v.window(ctx, current, head)
		}
		if ctx.Err() != nil {
			break
		}
		if isUnregistered(err) {
			return err
		}
		if err != nil {
			n.Warn("lost", fmt.Sprintf("window %d was not judged", current), err, slog.Uint64("window", uint64(current)))
		}
		if err := n.waitWindow(ctx, current+1); err != nil && ctx.Err() == nil {
			n.Warn("retry", "the chain does not answer", err)
			if actor.Pause(ctx, askPause) != nil {
				break
			}
		}
	}
	return l.saveLast(ctx)
}

// A sliceValidator is a validator and what it thinks of the miners.
type sliceValidator struct {
	*learner
	book *book
	pace pace
}

// window does a validator's round in a current window: it is about the one that was
// two before. An error costs the rest of it.
func (v *sliceValidator) window(ctx context.Context, current Window, head subnet.Block) error {
	w, ok := v.rules.Judged(current)
	if !ok || v.Window > 0 && w <= v.Window {
		return nil
	}
	began := time.Now()
	v.pace.begin(current, began)
	within, cancel := v.within(ctx, current)
	defer cancel()
	v.Say("window", "New Window.", slog.Uint64("window", uint64(current)), slog.Uint64("judged", uint64(w)))
	var err error
	if v.roster, err = v.refresh(ctx, v.roster); err != nil {
		return err
	}
	v.book.enrol(v.roster.meta)

	at := time.Now()
	states, err := v.gather(within, StateObject, w, nil)
	if err != nil {
		return err
	}
	v.tell(w, at, "states", fmt.Sprintf("Downloaded %d window states.", states.merge.Files()), slog.Int("files", states.merge.Files()))
	at = time.Now()
	deltas, err := v.gather(within, DeltaObject, w, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	if err != nil {
		return err
	}
	v.tell(w, at, "deltas", fmt.Sprintf("Download %d window deltas.", deltas.merge.Files()), slog.Int("files", deltas.merge.Files()))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	v.Step++
	v.follow(append(states.steps, deltas.steps...))
	at = time.Now()
	if err := v.put(states.merge); err != nil {
		return err
	}
	v.tell(w, at, "applied_state", "Applied window state.")

	if deltas.picker.bucket != nil {
		j, copied, err := v.original(within, w, deltas)
		if err == nil && !copied {
			j, err = v.judge(ctx, within, w, deltas.picker, deltas.picked)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			// It is not the miner's fault: no score is no punishment.
			v.Warn("lost", fmt.Sprintf("uid %d was not judged", deltas.picker.UID), err, slog.Int("uid", int(deltas.picker.UID)), slog.Uint64("window", uint64(w)))
		default:
			v.note(deltas.picker, j)
		}
	}
	tail := time.Now()
	v.decay(w, deltas.from)
	at = time.Now()
	if err := v.put(deltas.merge); err != nil {
		return err
	}
	v.Merged, v.Window = w, w
	v.tell(w, at, "applied_delta", "Applied window delta.")

	v.setWeights(ctx, head)
	if err := v.WriteJSON(bookFile, v.book); err != nil {
		v.Warn("save", "the scores were not saved", err)
	}
	v.checkpoint(ctx, head)
	v.pace.end(time.Since(tail))
	whole := time.Since(began)
	v.Say("finished", prefix(w, whole)+": Finished step.", slog.Uint64("window", uint64(w)), slog.Int64("global_step", v.Step), slog.Duration("step_time", whole))
	if v.saves.due() {
		if err := v.save(ctx); err != nil && ctx.Err() == nil {
			v.Warn("save", "the model was not saved", err)
		}
	}
	return ctx.Err()
}

// judge scores a miner's delta on the pages that it was to train on.
func (v *sliceValidator) judge(ctx, within context.Context, w Window, p peer, delta SliceFile) (j judgement, err error) {
	j.Window = w
	v.trainer.Clear()
	defer v.trainer.Clear()
	rows, pages, err := v.text.sequences(within, uint32(p.UID), w)
	if err != nil {
		return j, err
	}
	v.Note("pages", fmt.Sprintf("Downloaded training page: %v", pageRowsOf(pages)), slog.Int("rows", len(rows)), slog.Int("uid", int(p.UID)))
	over := func() bool { return within.Err() != nil || v.pace.over(time.Now()) }
	r, err := v.accumulate(ctx, over, rows, v.random(w))
	if err != nil {
		return j, err
	}
	if math.IsNaN(r.loss) || math.IsInf(r.loss, 0) {
		return j, errors.New("the loss of the model itself is not finite")
	}
	x, err := v.indices(w)
	if err != nil {
		return j, err
	}
	own, err := v.take(x)
	if err != nil {
		return j, err
	}
	gradient, err := v.gradient(x)
	if err != nil {
		return j, err
	}
	var s SliceScore
	sent := make(map[string][]float32, len(delta.Values))
	for _, q := range delta.Values {
		sent[q.Name] = q.Values
	}
	for i, q := range own {
		if values, ok := sent[q.Name]; ok {
			s.Add(q.Values, values, gradient[i].Values)
		}
	}
	j.Likeness, j.Before, j.Tokens = s.Cosine(), r.loss, r.tokens
	v.tell(w, r.began, "train", "Accumulated gradients:", slog.Float64("loss", r.loss), slog.Int64("global_step", v.Step), slog.Int("tokens", r.tokens), slog.Bool("exhausted", r.exhausted))
	v.Say("train_steps", fmt.Sprintf("Total steps: %d/%d, Rate: %.4f, Target: %.4f", r.full, r.total, float64(r.full)/float64(r.total), float64(v.Rate)))
	v.Say("train_tokens", fmt.Sprintf("Total tokens: %d, Tokens per second: %.2f", r.tokens, r.speed()))
	v.Say("train_loss", fmt.Sprintf("Loss: %.4f", r.loss))
	v.Note("metrics", "figures of the window", slog.Uint64("window", uint64(w)), slog.Int64("global_step", v.Step), slog.Float64("loss", r.loss),
		slog.Int("tokens_per_step", r.tokens), slog.Float64("tokens_per_second", r.speed()), slog.Float64("sample_rate", float64(v.Rate)))
	v.Rate = v.Rate.Next(r.exhausted)
	if !v.rules.Losses {
		j.Score = s.Score()
		j.Reason = "likeness to the gradient, by the norm of each parameter"
		return j, nil
	}
	if j.After, err = v.lossWith(ctx, x, own, delta.Values, r.batches); err != nil {
		return j, err
	}
	j.Score, j.Reset = LossScore(j.Before, j.After, j.Likeness)
	j.Reason = lossReason(j)
	if !(j.After <= maxLoss) { // NaN too
		j.After = maxLoss
	}
	// Unlike upstream, the step comes after the likeness is taken, and not in between
	// the gradient and the parameters that it is of.
	if _, err := v.trainer.Apply(ctx, 1); err != nil {
		return j, err
	}
	return j, nil
}

// maxLoss stands for all losses that cannot be written down.
const maxLoss = 1e30

// lossWith returns the loss on batches with a slice written into the model, which is
// then as before.
func (l *learner) lossWith(ctx context.Context, x Indices, own, slice []SliceValues, batches [][]subnet.Sequence) (mean float64, err error) {
	if err := l.write(x, slice); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.write(x, own)) }()
	for _, b := range batches {
		loss, err := l.model.Loss(ctx, subnet.Sample{Given: b})
		if err != nil {
			return 0, err
		}
		mean += loss.Mean
	}
	return mean / float64(len(batches)), nil
}

func lossReason(j judgement) string {
	switch {
	case !(j.Likeness > 0):
		return "it does not point the way of the gradient"
	case j.Reset:
		return "it makes the loss a quarter greater: its average is lost"
	case j.Score > 0:
		return "it makes the loss less"
	}
	return "it does not make the loss less"
}

// note enters a judgement, and tells it.
func (v *sliceValidator) note(p peer, j judgement) {
	m := v.book.Miners[p.UID]
	j.Average = v.rules.MovingSlice(m.Average, j.Score)
	if j.Reset {
		j.Average = 0
	}
	if j.Copy {
		m.Copies++
	}
	m.Average = j.Average
	m.Last = append(m.Last, j)
	m.Last = m.Last[max(0, len(m.Last)-keptJudgements):]
	v.Say("score", fmt.Sprintf("Scored uid %d: %.6g in window %d, %s. Average %.6g.", p.UID, j.Score, j.Window, j.Reason, j.Average),
		slog.Int("uid", int(p.UID)), slog.String("hotkey", string(p.Hotkey)), slog.Uint64("window", uint64(j.Window)), slog.Float64("score", j.Score), slog.String("reason", j.Reason),
		slog.Float64("average", j.Average), slog.Float64("likeness", j.Likeness), slog.Float64("before", j.Before), slog.Float64("after", j.After))
}

// decay lowers the averages of those who brought nothing in a window, where the
// generation does so.
func (v *sliceValidator) decay(w Window, brought []subnet.UID) {
	if v.rules.NonSubmission == 1 {
		return
	}
	for _, uid := range slices.Sorted(maps.Keys(v.book.Miners)) {
		m := v.book.Miners[uid]
		if m.Average == 0 || slices.Contains(brought, uid) {
			continue
		}
		m.Average *= v.rules.NonSubmission
		m.Absent = w
		v.Say("score", fmt.Sprintf("Lowered uid %d: nothing that could be used in window %d. Average %.6g.", uid, w, m.Average),
			slog.Int("uid", int(uid)), slog.String("hotkey", string(m.Hotkey)), slog.Uint64("window", uint64(w)), slog.String("reason", "it brought nothing"), slog.Float64("average", m.Average))
	}
}

// setWeights sets weights when it is time, and once more in each window until they
// are set.
func (v *sliceValidator) setWeights(ctx context.Context, head subnet.Block) {
	b := v.book
	b.Due = b.Due || v.rules.WeightsDue(Moment{Block: head, LastLook: b.LastLook, Step: uint64(v.Step), Window: v.Window})
	b.LastLook = head
	weights := b.weights()
	if !b.Due || len(weights) == 0 {
		return
	}
	block, err := v.Chain.SetWeights(ctx, weights)
	if err != nil {
		if ctx.Err() == nil {
			v.Warn("weights-failed", "weights were not set", err)
		}
		return
	}
	b.Due, b.Set = false, weights
	v.Say("weights-set", fmt.Sprintf("Set weights of %d miners in block %d.", len(weights), block), slog.Uint64("block", uint64(block)), slog.Int("miners", len(weights)))
	for _, w := range weights {
		v.Note("weight", "weight", slog.Int("uid", int(w.UID)), slog.Float64("weight", w.Value))
	}
}

// checkpoint saves one for others when it is time.
func (v *sliceValidator) checkpoint(ctx context.Context, head subnet.Block) {
	if !v.rules.CheckpointDue(uint64(v.Step)) {
		return
	}
	n := 0
	for _, neuron := range v.roster.meta.Neurons {
		n = max(n, int(neuron.UID)+1)
	}
	scores, weights := make([]float32, n), make([]float32, n)
	for uid, m := range v.book.Miners {
		if int(uid) < n {
			scores[uid] = float32(m.Average)
		}
	}
	for _, w := range v.book.Set {
		if int(w.UID) < n {
			weights[w.UID] = float32(w.Value)
		}
	}
	if err := v.saveCheckpoint(ctx, head, scores, weights); err != nil && ctx.Err() == nil {
		v.Warn("checkpoint", "the checkpoint was not saved", err)
	}
}
