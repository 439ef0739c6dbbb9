package templar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"adit/internal/protocol/actor"
	"adit/internal/score"
	"adit/internal/subnet"
)

// mineSlices plays a miner of the slices: each window as its guide tells it, in that
// order, until ctx is done.
func mineSlices(ctx context.Context, env subnet.Env) error {
	n, err := newNeuron(env)
	if err != nil {
		return err
	}
	l, err := n.newLearner(ctx, 1)
	if err != nil {
		return actor.Ended(ctx, err)
	}
	defer l.model.Close()
	m := &sliceMiner{learner: l}
	if err := m.join(ctx); err != nil {
		return actor.Ended(ctx, err)
	}
	for ctx.Err() == nil {
		t, _, err := n.window(ctx)
		if err == nil && (m.Window < t || m.Window == 0 || n.cfg.Baseline) { // else it was done before a restart
			err = m.window(ctx, t)
		}
		if ctx.Err() != nil {
			break
		}
		if isUnregistered(err) {
			return err
		}
		if err != nil {
			// What a window costs is that window.
			n.Warn("lost", fmt.Sprintf("window %d did not go through", t), err, slog.Uint64("window", uint64(t)))
		} else if n.cfg.Baseline {
			continue
		}
		if err := n.waitWindow(ctx, t+1); err != nil && ctx.Err() == nil {
			n.Warn("retry", "the chain does not answer", err)
			if actor.Pause(ctx, askPause) != nil {
				break
			}
		}
	}
	return l.saveLast(ctx)
}

// A sliceMiner is a miner and what it remembers of the window before.
type sliceMiner struct {
	*learner
	before time.Time // when the last window ended for it
	pace   pace
	late   map[Window]SliceFile // what a cheat has not sent yet
}

// join brings a miner that has just started to where the network is.
func (m *sliceMiner) join(ctx context.Context) error {
	t, _, err := m.learner.neuron.window(ctx)
	if err != nil {
		return err
	}
	if m.cfg.Baseline {
		m.Say("baseline", "Training alone: nothing is downloaded, merged or uploaded.")
		return nil
	}
	if err := m.clean(ctx, t, true); err != nil && ctx.Err() == nil {
		m.Warn("retry", "what is old was not removed from the bucket", err)
	}
	if !m.cfg.SyncState {
		return nil
	}
	return m.syncState(ctx, t)
}

// window does a miner's round. An error costs the rest of it.
func (m *sliceMiner) window(ctx context.Context, t Window) error {
	began := time.Now()
	m.pace.begin(t, began)
	within, cancel := m.within(ctx, t)
	defer cancel()

	m.Step++
	m.Say("window", "New Window.", slog.Uint64("window", uint64(t)))
	m.Say("step_begun", fmt.Sprintf("Step: %d", m.Step), slog.Int64("global_step", m.Step), slog.Uint64("window", uint64(t)))

	var deltas gathered
	if !m.cfg.Baseline {
		var err error
		if m.roster, err = m.refresh(ctx, m.roster); err != nil {
			return err
		}
		at := time.Now()
		states, err := m.gather(within, StateObject, t, nil)
		if err != nil {
			return err
		}
		m.tell(t, at, "states", fmt.Sprintf("Downloaded %d window states.", states.merge.Files()), slog.Int("files", states.merge.Files()))
		at = time.Now()
		if t > 0 {
			if deltas, err = m.gather(within, DeltaObject, t-1, nil); err != nil {
				return err
			}
			m.tell(t, at, "deltas", fmt.Sprintf("Download %d window deltas.", deltas.merge.Files()), slog.Int("files", deltas.merge.Files()))
		}
		at = time.Now()
		if err := m.put(states.merge); err != nil {
			return err
		}
		m.follow(append(states.steps, deltas.steps...))
		m.tell(t, at, "applied_state", "Applied window state.")
	}

	metric, trained := m.learn(ctx, within, t)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	tail := time.Now()
	if !m.cfg.Baseline {
		if err := m.exchange(ctx, t, deltas, trained, metric); err != nil {
			return err
		}
		m.pace.end(time.Since(tail))
	}
	m.Window = t
	m.finish(ctx, t, began, metric)
	return nil
}

// exchange is the second half of a window: what the miner has learned goes out, and
// what the others have learned in the window before comes in.
func (m *sliceMiner) exchange(ctx context.Context, t Window, deltas gathered, trained bool, metric *SliceMetric) error {
	// Others read both until the next window is over, and no longer.
	useful, cancel := m.within(ctx, t+1)
	defer cancel()
	if trained {
		x, err := m.indices(t)
		if err != nil {
			return err
		}
		at := time.Now()
		slice, err := m.take(x)
		if err != nil {
			return err
		}
		delta := SliceFile{Values: slice}
		if m.rules.Version != "" {
			delta.Metric = metric
		}
		if err := m.send(useful, t, delta); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			m.Warn("upload", "the delta was not uploaded", err, slog.Uint64("window", uint64(t)))
		} else {
			m.tell(t, at, "uploaded", "Uploaded the delta.", slog.String("object", "delta"))
		}
	}
	if deltas.merge != nil {
		at := time.Now()
		if err := m.put(deltas.merge); err != nil {
			return err
		}
		m.Merged = t - 1
		m.tell(t, at, "applied_delta", "Applied window delta.")
	}
	x, err := m.indices(t + 1)
	if err != nil {
		return err
	}
	at := time.Now()
	slice, err := m.take(x)
	if err != nil {
		return err
	}
	if err := m.upload(useful, StateObject, t+1, SliceFile{Values: slice}); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		m.Warn("upload", "the state was not uploaded", err, slog.Uint64("window", uint64(t)))
	} else {
		m.tell(t, at, "uploaded", "Uploaded the state.", slog.String("object", "state"))
	}
	at = time.Now()
	if err := m.clean(ctx, t, false); err != nil && ctx.Err() == nil {
		m.Warn("retry", "what is old was not removed from the bucket", err)
	} else if err == nil {
		m.tell(t, at, "cleaned", "Cleaned file history.")
	}
	return nil
}

// send uploads a delta.
func (m *sliceMiner) send(ctx context.Context, t Window, delta SliceFile) error {
	if m.cfg.Cheat != "" {
		return m.cheatSlice(ctx, t, delta)
	}
	return m.upload(ctx, DeltaObject, t, delta)
}

// finish tells how a window went, and saves the model now and then.
func (m *sliceMiner) finish(ctx context.Context, t Window, began time.Time, metric *SliceMetric) {
	now := time.Now()
	whole := now.Sub(began)
	since := whole
	if !m.before.IsZero() {
		since = now.Sub(m.before)
	}
	m.before = now
	m.Say("finished", fmt.Sprintf("%s[+%.2fs]: Finished step.", prefix(t, whole), since.Seconds()),
		slog.Uint64("window", uint64(t)), slog.Int64("global_step", m.Step), slog.Duration("step_time", whole))
	if metric != nil {
		m.Note("metrics", "figures of the window", slog.Uint64("window", uint64(t)), slog.Int64("global_step", m.Step),
			slog.Float64("loss", metric.Loss), slog.Int64("tokens_per_step", metric.TokensPerStep), slog.Float64("tokens_per_second", metric.TokensPerSecond),
			slog.Float64("sample_rate", metric.SampleRate), slog.Float64("learning_rate", metric.LearningRate),
			slog.Float64("utilization", min(1, float64(metric.TokensPerStep)/max(metric.TokensPerSecond, 1e-9)/max(whole.Seconds(), 1e-9))))
	}
	if m.saves.due() {
		if err := m.save(ctx); err != nil && ctx.Err() == nil {
			m.Warn("save", "the model was not saved", err)
		}
	}
}

// prefix is what upstream's lines begin with: the window, and how long it took.
func prefix(w Window, took time.Duration) string {
	return fmt.Sprintf("%d (%.2fs)", w, took.Seconds())
}

// tell says what was done in a window since at.
func (n *neuron) tell(w Window, at time.Time, kind, text string, attrs ...slog.Attr) {
	took := time.Since(at)
	n.Say(kind, prefix(w, took)+": "+text, append(attrs, slog.Uint64("window", uint64(w)), slog.Duration("took", took))...)
}

// learn trains on the window's pages and takes one step. Where it cannot, the round
// goes on without: trained is false.
func (m *sliceMiner) learn(ctx, within context.Context, t Window) (metric *SliceMetric, trained bool) {
	metric, err := m.train(ctx, within, t)
	if err != nil && ctx.Err() == nil {
		m.Warn("lost", "no training in this window", err, slog.Uint64("window", uint64(t)))
	}
	return metric, err == nil
}

var errNoText = errors.New("the pages are fewer sequences than a batch has")

func (m *sliceMiner) train(ctx, within context.Context, t Window) (*SliceMetric, error) {
	m.trainer.Clear()
	random := m.random(t)
	seed := uint32(m.roster.me.UID)
	if m.cfg.Random {
		seed = rand.Uint32N(1001)
	}
	at := time.Now()
	rows, pages, err := m.text.sequences(within, seed, t)
	if err != nil {
		return nil, err
	}
	m.tell(t, at, "pages", fmt.Sprintf("Downloaded training page: %v random = %s", pageRowsOf(pages), pythonBool(m.cfg.Random)), slog.Int("rows", len(rows)))
	r, err := m.accumulate(ctx, func() bool { return within.Err() != nil || m.pace.over(time.Now()) }, rows, random)
	if err != nil {
		return nil, err
	}
	step, err := m.trainer.Apply(ctx, 1) // the gradients are summed, not averaged
	if err != nil {
		return nil, err
	}
	if step.Skipped {
		return nil, errors.New("the gradient is not finite: no step was taken")
	}
	metric := &SliceMetric{
		BatchSize: int64(m.cfg.ActualBatchSize), TokensPerStep: int64(r.tokens), TokensPerSecond: r.speed(),
		Loss: r.loss, SampleRate: float64(m.Rate), LearningRate: step.LR,
	}
	m.tell(t, r.began, "train", "Accumulated gradients:", slog.Float64("loss", r.loss), slog.Int64("global_step", m.Step), slog.Float64("lr", step.LR),
		slog.Float64("grad_norm", step.GradNorm), slog.Int("tokens", r.tokens), slog.Bool("exhausted", r.exhausted))
	m.Say("train_steps", fmt.Sprintf("Total steps: %d/%d, Rate: %.4f, Target: %.4f", r.full, r.total, float64(r.full)/float64(r.total), float64(m.Rate)))
	m.Say("train_tokens", fmt.Sprintf("Total tokens: %d, Tokens per second: %.2f", r.tokens, r.speed()))
	m.Say("train_loss", fmt.Sprintf("Loss: %.4f", r.loss))
	m.Rate = m.Rate.Next(r.exhausted)
	return metric, nil
}

// follow brings the step to that of the network, of r2.
//
// Unlike upstream, which takes the greatest that anybody says, it takes the lower
// median of what the others say, if that is greater than its own: one neuron that
// says 10^15 would end the learning of all.
func (l *learner) follow(steps []float64) {
	if l.rules.Version == "" || len(steps) == 0 {
		return
	}
	l.Step = max(l.Step, int64(score.LowerMedian(steps)))
}

func pageRowsOf(pages []Page) []string {
	var list []string
	for _, p := range pages {
		list = append(list, fmt.Sprintf("%s:%d", p.Config, p.Row))
	}
	return list
}

func pythonBool(v bool) string {
	if v {
		return "True"
	}
	return "False"
}
