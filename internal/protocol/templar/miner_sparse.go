package templar

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"adit/internal/compress"
	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A sparseMiner is a miner of the generations with pseudo-gradients.
type sparseMiner struct {
	*sparse
	trainer  subnet.Trainer
	feedback []*compress.Feedback // by the layout
	theta    [][]float32          // the model before a window's inner steps

	// What the trainer is fed with.
	shard *openShard
	pool  []uint32
	next  int // of the pool
	inner int64
}

// mineSparse lives the miner's part of one window after another, until ctx is done.
func mineSparse(ctx context.Context, env subnet.Env) error {
	n, err := newNeuron(env)
	if err != nil {
		return err
	}
	s, err := n.newSparse(ctx)
	if err != nil {
		return actor.Ended(ctx, err)
	}
	m := &sparseMiner{sparse: s}
	defer s.close()
	if err := m.prepare(); err != nil {
		return err
	}
	if err := m.resend(ctx); err != nil {
		return actor.Ended(ctx, err)
	}
	if err := m.join(ctx, false, m.restoreMiner, func(current Window) Window { return current }); err != nil {
		return actor.Ended(ctx, err)
	}
	if err := m.arrive(); err != nil {
		return err
	}
	for {
		if err := m.window(ctx); ctx.Err() != nil {
			return nil
		} else if isUnregistered(err) {
			return err
		} else if err != nil {
			// One lost window costs its reward and no more.
			m.Warn("lost", "the window did not go through", err, slog.Uint64("window", uint64(m.Window)))
			if err := m.NextBlock(ctx); err != nil {
				return actor.Ended(ctx, err)
			}
		}
	}
}

// prepare makes what compresses the model's differences.
func (m *sparseMiner) prepare() error {
	m.feedback = make([]*compress.Feedback, len(m.params))
	for i, p := range m.params {
		f, err := compress.NewFeedback(p.Shape, m.rules.Encoding())
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		m.feedback[i] = f
	}
	return nil
}

// arrive makes the trainer, once the model is that of the network.
func (m *sparseMiner) arrive() error {
	h := m.rules.Sparse
	a := h.Optimizer.AdamW
	precision := ""
	if h.Titan.PrecisionParam == "bfloat16" {
		precision = "bf16-mixed"
	}
	var err error
	m.trainer, err = m.model.Train(subnet.TrainOptions{
		Params: func(string) bool { return true },
		Seed:   string(m.Me),
		Feed:   m.feed,
		Batch:  m.micro(), Accumulate: m.accumulate(), Precision: precision,
		LR: a.LearningRate, Rate: func(int) float64 { return m.rules.InnerRate(m.Step, m.inner, m.Taken, m.From) },
		Beta1: a.Betas[0], Beta2: a.Betas[1], Eps: a.Eps, WeightDecay: a.WeightDecay, DecayAll: true, ClipNorm: 1,
	})
	if err != nil {
		return fmt.Errorf("prepare training: %w", err)
	}
	if !m.resumed {
		return nil
	}
	if f, err := m.Dir.Open(savedDir + savedTrainer); err == nil {
		defer f.Close()
		if err := m.trainer.Resume(f); err != nil {
			m.Warn("resume", "the optimizer begins anew: what was saved of it does not load", err)
		}
	}
	return nil
}

// micro is how many sequences are learned from at once.
func (m *sparseMiner) micro() int {
	h := m.rules.Sparse
	n := int(h.MicroBatchSize)
	if m.cfg.ActualBatchSize > 0 {
		n = m.cfg.ActualBatchSize
	}
	return max(1, min(n, int(h.BatchSize)))
}

// accumulate is how many of these make an inner step, whatever their size.
func (m *sparseMiner) accumulate() int {
	return max(1, int(m.rules.Sparse.BatchSize)/m.micro())
}

// feed returns the next samples of the pool. A small one is gone through again.
func (m *sparseMiner) feed(context.Context) ([]subnet.Sequence, error) {
	list := make([]uint32, 0, m.micro())
	for range m.micro() {
		list = append(list, m.pool[m.next%len(m.pool)])
		m.next++
	}
	return m.shard.sequences(list)
}

// window is one window of a miner: train, and when the next has begun, upload, gather
// and take the outer step, so that the model is everybody's again.
func (m *sparseMiner) window(ctx context.Context) error {
	var err error
	if m.roster, err = m.refresh(ctx, m.roster); err != nil {
		return err
	}
	if err := m.catchUp(ctx, func(current Window) Window { return current }); err != nil {
		return err
	}
	if err := m.comeBack(ctx, func(current Window) Window { return current }); err != nil {
		return err
	}
	t, _, err := m.sparse.window(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	m.Say("window", "New Window.", slog.Uint64("window", uint64(t)))
	m.learnPeers(ctx, t, t)
	m.clean(ctx, t)
	if err := m.seen(ctx, t); err != nil && ctx.Err() == nil {
		m.Warn("dummy", "nobody can see that this miner is there", err)
	}
	if m.theta, err = m.snapshot(m.theta); err != nil {
		return err
	}
	file, trained, err := m.trainWindow(ctx, t)
	if err != nil {
		if back := m.restoreParams(m.theta); back != nil {
			return errors.Join(err, back)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		m.Warn("lost", "nothing was trained in the window", err, slog.Uint64("window", uint64(t)))
	}
	if err := m.waitWindow(ctx, t+1); err != nil {
		return err
	}
	over := time.Now()
	if file != "" && m.cfg.Cheat != "" {
		file, err = m.cheatGradient(ctx, t, file)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			m.Warn("cheat", "could not cheat", err)
		}
	}
	if file != "" {
		if err := m.upload(ctx, t, file); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			m.Warn("upload", "the gradient did not get into the bucket", err, slog.Uint64("window", uint64(t)))
		}
	}
	put := time.Since(over)
	if m.roster, err = m.refresh(ctx, m.roster); err != nil {
		return err
	}
	c, err := m.mergeWindow(ctx, t, false)
	if err != nil {
		return err
	}
	if err := m.showDebug(ctx, t, c, false); err != nil && ctx.Err() == nil {
		m.Warn("debug", "the debug object did not get into the bucket", err)
	}
	m.finished(t, c, trained, began, over, put)
	if m.cfg.Save.EverySec == 0 || m.saves.due() {
		if err := m.save(m.sparseProgress, m.saveMore); err != nil {
			return err
		}
	} else if m.saves.last.IsZero() {
		m.saves.last = time.Now()
	}
	return nil
}

// finished tells of a window, under upstream's names.
func (m *sparseMiner) finished(t Window, c *collection, got inner, began, over time.Time, put time.Duration) {
	peers, success := 0, 0.0
	if c != nil {
		peers, success = len(c.updates), c.success()
	}
	m.Say("finished", fmt.Sprintf("Finished window %d: %d inner steps, loss %.4f, %d peers.", t, got.steps, got.loss, peers),
		slog.Uint64("window", uint64(t)), slog.Int64("global_step", m.Step), slog.Int("inner_steps", got.steps), slog.Int("gather_peers", peers),
		slog.Duration("step_time", time.Since(began)))
	if got.steps == 0 {
		return
	}
	m.Note("metrics", "figures of the window", slog.Uint64("window", uint64(t)), slog.Int64("global_step", m.Step), slog.Int("inner_steps", got.steps),
		slog.Float64("loss", got.loss), slog.Float64("window_entry_loss", got.first), slog.Int("tokens_per_step", got.tokens),
		slog.Float64("tokens_per_second", float64(got.tokens)/max(got.took.Seconds(), 1e-9)), slog.Float64("learning_rate", got.lr), slog.Float64("mean_grad_norm", got.norm),
		slog.Int("gather_peers", peers), slog.Float64("success_rate", success),
		slog.Duration("training", got.took), slog.Duration("put", put), slog.Duration("merge_time", time.Since(over)), slog.Duration("window_total", time.Since(began)))
}

const gradientPrefix = "gradient-"

// gradientFile is where a window's gradient is until it is uploaded.
func gradientFile(t Window) string { return fmt.Sprintf("out/%s%d", gradientPrefix, t) }

func (m *sparseMiner) gradientName(w Window) string {
	return Name{Kind: GradientObject, Window: w, UID: m.roster.me.UID, Version: m.rules.Version}.String()
}

// An inner is what came of a window's inner steps.
type inner struct {
	steps, tokens         int
	first, loss, lr, norm float64
	took                  time.Duration
}

// trainWindow takes the inner steps of a window and makes its gradient: the file that
// is to be uploaded when the window is over, or "" if there is none. The model is
// as before then.
func (m *sparseMiner) trainWindow(ctx context.Context, t Window) (string, inner, error) {
	var got inner
	file := gradientFile(t)
	if f, err := m.Dir.Open(file); err == nil {
		return file, got, f.Close() // made before a restart
	}
	list := m.peersAt(t)
	null := m.null(t, list)
	work, cancel := m.within(ctx, t)
	defer cancel()
	var err error
	if m.shard, err = m.text.at(work, m.Step); err != nil {
		return "", got, err
	}
	if m.pool, err = Pool(m.roster.me.UID, t, m.shard.samples, m.rules.Sparse.PoolSize()); err != nil {
		return "", got, err
	}
	m.next = 0
	if !null {
		if err := m.goAhead(); err != nil {
			return "", got, err
		}
	}
	began := time.Now()
	// Unlike upstream, which computes gradients of a round that nobody merges and
	// throws them away.
	for m.inner = 0; !null && m.inner < m.rules.Sparse.InnerSteps; m.inner++ {
		step, err := m.trainer.Step(work)
		if work.Err() != nil {
			break // the window is over, or all is
		}
		if err != nil {
			return "", got, fmt.Errorf("inner step %d: %w", m.inner, err)
		}
		if got.steps == 0 {
			got.first = step.Loss
		}
		m.Taken++
		n := float64(got.steps)
		got.loss, got.norm = (got.loss*n+step.Loss)/(n+1), (got.norm*n+step.GradNorm)/(n+1)
		got.lr, got.tokens = step.LR, got.tokens+step.Tokens
		got.steps++
		m.Note("step", "inner step", slog.Uint64("window", uint64(t)), slog.Int64("inner_step", m.inner), slog.Float64("loss", step.Loss),
			slog.Float64("lr", step.LR), slog.Float64("grad_norm", step.GradNorm), slog.Int("tokens", step.Tokens))
	}
	got.took = time.Since(began)
	if err := ctx.Err(); err != nil {
		return "", got, err
	}
	if got.steps == 0 {
		for _, f := range m.feedback {
			if !m.rules.goesAhead() {
				f.Clear() // as upstream: nothing is unsaid after a round without a message
			}
		}
		return "", got, m.restoreParams(m.theta)
	}
	digest, err := m.shard.digest(m.pool)
	if err != nil {
		return "", got, err
	}
	g := Gradient{Window: t, Digest: digest, Count: int64(len(m.pool)), GlobalStep: m.Step}
	if m.rules.Message == Compact {
		err = m.writeCompact(ctx, file, g)
	} else {
		err = m.writePacked(file, g)
	}
	return file, got, err
}

// feedbackFile holds what is unsaid of each parameter, float32 after float32.
const feedbackFile = "/unsaid_by_miner.bin"

// saveMore writes what the miner has besides the model: the optimizer, and what its
// gradients have not said yet.
func (m *sparseMiner) saveMore(dir string) error {
	return errors.Join(m.Write(dir+savedTrainer, m.trainer.Save), m.Write(dir+feedbackFile, func(w io.Writer) error {
		for _, f := range m.feedback {
			if err := binary.Write(w, binary.LittleEndian, f.Rest()); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (m *sparseMiner) restoreMiner() error {
	if err := m.restore(&m.sparseProgress); err != nil {
		return err
	}
	f, err := m.Dir.Open(savedDir + feedbackFile)
	if err != nil {
		return err
	}
	defer f.Close()
	r := io.NewSectionReader(f, 0, f.Size())
	for i, p := range m.params {
		rest := make([]float32, p.Len())
		if err := binary.Read(r, binary.LittleEndian, rest); err != nil {
			return err
		}
		if err := m.feedback[i].Restore(rest); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return nil
}
