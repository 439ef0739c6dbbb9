package solo

import (
	"context"
	"fmt"
	"strconv"

	"adit/internal/data"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/model"
	"adit/internal/engine/train"
	"adit/internal/subnet"
)

func (r *run) close() {
	for _, t := range []*tokens{r.text, r.evalText} {
		if t != nil {
			_ = t.Close() // it was only read, or is a temporary file of ours
		}
	}
}

// prepare does all that comes before the first step.
func (r *run) prepare(ctx context.Context) error {
	o := r.o
	if err := prepareOut(o.Out, o.Resume); err != nil {
		return err
	}
	path, weights := o.Model, !o.Init
	if o.Resume {
		path = o.Out
	}
	src, err := openSource(path, weights)
	if err != nil {
		return err
	}
	defer src.Close()
	if src.config.Dropout != "" {
		return subnet.WithHint(fmt.Errorf("model %s: %s asks for %s, which is not built", path, configName, src.config.Dropout),
			fmt.Sprintf("set %s to 0 in config.json to train without dropout", src.config.Dropout))
	}
	if o.Tokenizer != "" {
		if err := src.useTokenizer(o.Tokenizer); err != nil {
			return err
		}
	}
	if err := r.readText(ctx, src); err != nil {
		return err
	}
	if err := r.build(ctx, src); err != nil {
		return err
	}
	if err := r.resume(); err != nil {
		return err
	}
	return r.measure()
}

// readText opens what is trained and evaluated on.
func (r *run) readText(ctx context.Context, src *source) (err error) {
	o := r.o
	if r.seqLen, err = seqLenFor(o.SeqLen, src.config); err != nil {
		return err
	}
	if r.text, err = o.Data.ready(ctx, src, src.config.VocabSize, r.w); err != nil {
		return err
	}
	if o.EvalSplit > 0 {
		var rest *data.Tokens
		if rest, r.held, err = r.text.Split(o.EvalSplit, r.seqLen+1); err != nil {
			return err
		}
		r.text.use(rest)
	}
	if len(o.EvalData) > 0 {
		d := o.Data
		d.Paths = o.EvalData
		if r.evalText, err = d.ready(ctx, src, src.config.VocabSize, r.w); err != nil {
			return err
		}
		r.held = r.evalText.Tokens
	}
	epoch := r.text.EpochLen(r.order())
	if epoch == 0 {
		return tooShort(r.text.Len(), r.seqLen)
	}
	if r.held != nil && r.held.EpochLen(inOrder(r.seqLen)) == 0 {
		return fmt.Errorf("evaluate: %w", tooShort(r.held.Len(), r.seqLen))
	}
	r.steps, err = o.steps(epoch)
	return err
}

// tooShort is the error of a text without a single sequence.
func tooShort(n int64, seqLen int) error {
	return subnet.WithHint(fmt.Errorf("the text has %d tokens, fewer than a sequence of %d and the one after it", n, seqLen),
		"give more text, or shorter sequences with --seq-len")
}

// order is that in which sequences are trained on.
func (r *run) order() data.Order {
	return data.Order{SeqLen: r.seqLen + 1, Shuffle: true, Seed: r.o.Seed, Shard: r.o.Shard, Shards: r.o.Shards}
}

// inOrder is that in which sequences are evaluated.
func inOrder(seqLen int) data.Order { return data.Order{SeqLen: seqLen + 1} }

// seqLenFor returns how long sequences are for a model.
func seqLenFor(asked int, c model.Config) (int, error) {
	switch {
	case asked == 0:
		return min(DefaultSeqLen, c.MaxPositionEmbeddings), nil
	case asked > c.Positions():
		return 0, subnet.WithHint(fmt.Errorf("sequences of %d tokens, but the model knows positions for %d", asked, c.Positions()),
			fmt.Sprintf("give --seq-len %d or less", c.Positions()))
	}
	return asked, nil
}

// build makes the model and its trainer.
func (r *run) build(ctx context.Context, src *source) (err error) {
	r.dev = &gate{Device: cpu.New(r.o.Threads)}
	if r.m, err = model.New(r.dev, src.config, r.seqLen); err != nil {
		return err
	}
	r.m.Recompute(r.o.Recompute)
	if r.o.Init {
		r.m.Init(strconv.FormatUint(r.o.Seed, 10))
	} else {
		notes, err := loadWeights(ctx, r.dev, r.m, src.dir, func(done, total int64) { r.w.Stage("loading the model", done, total) })
		if err != nil {
			return err
		}
		for _, n := range notes {
			r.w.Note(n)
		}
	}
	read := func(dst []int32, i int64) error { return r.text.Sequence(dst, r.order(), i) }
	if r.trainer, err = train.New(r.dev, r.m, r.o.trainer(r.steps, r.spent), read); err != nil {
		return err
	}
	config, err := setDType(src.raw, r.o.DType)
	if err != nil {
		return fmt.Errorf("%s: %w", configName, err)
	}
	r.saver = saver{
		dir: r.o.Out, dev: r.dev, m: r.m, trainer: r.trainer, config: config, generation: src.generate,
		files: src.files, dtype: r.o.DType, shardBytes: r.o.ShardBytes,
	}
	r.rec = r.o.record(r.text.id, r.seqLen)
	r.saved = -1
	return nil
}

// resume takes up the training in o.Out.
func (r *run) resume() error {
	if !r.o.Resume {
		return nil
	}
	old, err := readRecord(r.o.Out)
	if err != nil {
		return err
	}
	notes, err := r.rec.follows(old, r.o.Out)
	if err != nil {
		return err
	}
	if err := resume(r.o.Out, r.o.DType, r.dev, r.m, r.trainer); err != nil {
		return err
	}
	for _, n := range notes {
		r.w.Note(n)
	}
	r.rec.Step, r.rec.Tokens, r.rec.Seconds = old.Step, old.Tokens, old.Seconds
	r.saved, r.before = old.Step, old.Seconds
	return nil
}

// measure says what is about to be trained.
func (r *run) measure() error {
	c := r.m.Config()
	count := c.Count(r.seqLen)
	chosen, err := train.Match(r.o.trainer(r.steps, nil).Trained, names(r.m))
	if err != nil {
		return err // unreachable: the trainer has read them
	}
	trained := 0
	for _, p := range r.m.Params() {
		if chosen(p.Name) {
			trained += p.Hi - p.Lo
		}
	}
	if trained == count.Params {
		r.flops = count.FLOPs
	}
	r.w.Stage("measuring the processor", 0, 0)
	if dev, ok := r.dev.Device.(peaked); ok {
		r.peak = dev.Peak()
	}
	held := int64(0)
	if r.held != nil {
		held = r.held.Len()
	}
	r.w.Begin(Plan{
		Out: r.o.Out, Model: c.ModelType, Params: count.Params, Trained: trained, Tokens: r.text.Len(), Eval: held,
		First: r.rec.Step + 1, Steps: r.steps, Time: r.o.Time, PerStep: r.o.Batch * max(r.o.Accum, 1) * r.seqLen,
		Device: r.dev.Name(), Peak: Number(r.peak),
	})
	return nil
}

func names(m *model.Model) (out []string) {
	for _, p := range m.Params() {
		out = append(out, p.Name)
	}
	return out
}
