package templar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"time"

	"adit/internal/subnet"
)

// A learner is a neuron of the slices with its model.
type learner struct {
	*neuron
	model   subnet.Model
	trainer subnet.Trainer
	text    *library
	roster  *roster

	batch []subnet.Sequence // that the trainer is to learn from next
	drawn map[Window]Indices
	progress
	saves saver
}

// A progress is how far a learner has come. It is saved with the model.
type progress struct {
	Step   int64      `json:"step"` // windows that were begun; of r2, of the whole network
	Rate   SampleRate `json:"sample_rate"`
	Window Window     `json:"window"` // the last that was finished
	Merged Window     `json:"merged"` // the last whose deltas were merged
}

// newLearner opens the model, and goes on where it was when it was last saved. The
// learning rate is multiplied with factor.
func (n *neuron) newLearner(ctx context.Context, factor float64) (*learner, error) {
	l := &learner{neuron: n, text: n.library(), drawn: make(map[Window]Indices), progress: progress{Rate: 1}, saves: saver{every: seconds(n.cfg.Save.EverySec)}}
	var err error
	if n.cfg.Baseline {
		l.roster, err = n.readRoster(ctx)
	} else {
		l.roster, err = n.refresh(ctx, nil)
	}
	if err != nil {
		return nil, err
	}
	if l.model, err = n.Engine.Open(ctx); err != nil {
		err = fmt.Errorf("open the base model: %w", err)
		if errors.Is(err, fs.ErrNotExist) {
			err = subnet.WithHint(err, "model must name a directory with config.json, tokenizer.json and model.safetensors: the model that all neurons of the network begin with")
		}
		return nil, err
	}
	h := n.rules.Slice
	l.trainer, err = l.model.Train(subnet.TrainOptions{
		Params: func(string) bool { return true },
		Seed:   string(n.Me),
		Feed:   func(context.Context) ([]subnet.Sequence, error) { return l.batch, nil },
		Batch:  n.cfg.ActualBatchSize,
		// In r2 the schedule follows the network's step, and in the first generation
		// the neuron's own. Unlike upstream's first, a restart goes on with it.
		Rate:  func(int) float64 { return factor * n.rules.Rate(l.Step-1) },
		LR:    factor * h.LearningRate,
		Beta1: h.Beta1, Beta2: h.Beta2, WeightDecay: h.WeightDecay, DecayAll: true, ClipNorm: h.GradClip,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare training: %w", err), l.model.Close())
	}
	if err := l.restore(); err != nil && !errors.Is(err, subnet.ErrNotFound) {
		n.Warn("resume", "starting from the base model: what was saved does not load", err)
	}
	return l, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// indices returns the places of a window's slice. Those of a few windows are kept.
func (l *learner) indices(w Window) (Indices, error) {
	if x, ok := l.drawn[w]; ok {
		return x, nil
	}
	x, err := DrawIndices(w, l.model.Params(), int(l.rules.Slice.Compression))
	if err != nil {
		return nil, err
	}
	const kept = 4
	for len(l.drawn) >= kept {
		oldest := w
		for v := range l.drawn {
			oldest = min(oldest, v)
		}
		if oldest == w {
			clear(l.drawn)
		}
		delete(l.drawn, oldest)
	}
	l.drawn[w] = x
	return x, nil
}

// A memory hands out one parameter of a model after the other, as if it were the
// model's own memory: what was done to one is written when the next is asked for.
type memory struct {
	read, write func(name string, values []float32) error // write nil to only look
	sizes       map[string]int

	name   string
	values []float32
	err    error
}

func (l *learner) sizes() map[string]int {
	sizes := make(map[string]int)
	for _, p := range l.model.Params() {
		sizes[p.Name] = p.Len()
	}
	return sizes
}

func (m *memory) of(name string) []float32 {
	m.flush()
	n := m.sizes[name]
	if m.err != nil || n == 0 {
		return nil
	}
	if cap(m.values) < n {
		m.values = make([]float32, n)
	}
	m.name, m.values = name, m.values[:n]
	m.err = m.read(name, m.values)
	return m.values
}

func (m *memory) flush() {
	if m.err == nil && m.name != "" && m.write != nil {
		m.err = m.write(m.name, m.values)
	}
	m.name = ""
}

// take returns what the model has at the places of a window.
func (l *learner) take(x Indices) ([]SliceValues, error) {
	m := memory{read: l.model.Read, sizes: l.sizes()}
	slice, err := x.Take(m.of)
	return slice, errors.Join(m.err, err)
}

// gradient returns the trainer's gradient at the places of a window.
func (l *learner) gradient(x Indices) ([]SliceValues, error) {
	m := memory{read: func(name string, dst []float32) error { return l.trainer.Read(subnet.Gradient, name, dst) }, sizes: l.sizes()}
	slice, err := x.Take(m.of)
	return slice, errors.Join(m.err, err)
}

// put overwrites the places with what a merge came to.
func (l *learner) put(m *SliceMerge) error {
	if m.Files() == 0 {
		return nil
	}
	at := memory{read: l.model.Read, write: l.model.Write, sizes: l.sizes()}
	err := m.Apply(at.of)
	at.flush()
	return errors.Join(at.err, err)
}

// write puts a slice into the places of the model.
func (l *learner) write(x Indices, slice []SliceValues) error {
	m := NewSliceMerge(x, false)
	if err := m.Add(slice); err != nil {
		return err
	}
	return l.put(m)
}

// tooFar is how many times longer than ours a slice may be, as a vector, before it
// is refused: no training does that in a window.
const tooFar = 10

// A gathered window is what came of downloading a window's objects of one kind.
type gathered struct {
	merge *SliceMerge
	steps []float64 // that their makers say, of r2
	from  []subnet.UID
	// picked is one of the files, drawn by lot, and picker its maker.
	picked SliceFile
	picker peer
	// samples are some values of each file, where one is picked: see [copied].
	samples map[subnet.UID][]float32
}

// gather downloads the slices of a window from all peers, and merges those that are
// whole. If lot is not nil, it picks one that is not the neuron's own.
//
// Unlike upstream's first generation, where one value of 1e38 is everybody's, a slice
// ten times as long as the neuron's own is refused.
func (l *learner) gather(ctx context.Context, kind Kind, w Window, lot *rand.Rand) (gathered, error) {
	x, err := l.indices(w)
	if err != nil {
		return gathered{}, err
	}
	own, err := l.take(x)
	if err != nil {
		return gathered{}, err
	}
	most := tooFar * norm(own)
	g := gathered{merge: NewSliceMerge(x, l.rules.EqualNorms)}
	if lot != nil {
		g.samples = make(map[subnet.UID][]float32)
	}
	others := 0
	var orders []order
	for _, p := range l.roster.peers {
		orders = append(orders, order{p, Name{Kind: kind, Window: w, Hotkey: p.Hotkey, Version: l.rules.Version}})
	}
	limit := x.MaxBytes()
	l.fetch(ctx, orders, limit, func(o order, f subnet.File, _ subnet.Object) error {
		file, err := DecodeSlice(f, f.Size(), limit)
		if err != nil {
			return err
		}
		if length := norm(file.Values); length > most && most > 0 && !math.IsInf(length, 0) {
			return fmt.Errorf("slice of norm %.3g, which is more than %d times ours", length, tooFar)
		}
		if err := g.merge.Add(file.Values); err != nil {
			return err
		}
		g.from = append(g.from, o.from.UID)
		if o.from.Hotkey == l.Me {
			return nil
		}
		if file.HasStep {
			g.steps = append(g.steps, float64(file.GlobalStep))
		}
		// Of the first n, each is picked with the same chance.
		if lot == nil {
			return nil
		}
		g.samples[o.from.UID] = sampled(file.Values)
		if others++; lot.IntN(others) == 0 {
			g.picked, g.picker = file, o.from
		}
		return nil
	})
	return g, nil
}

// norm is infinite or NaN if a value is.
func norm(slice []SliceValues) float64 {
	sum := 0.0
	for _, p := range slice {
		for _, v := range p.Values {
			sum += float64(v) * float64(v)
		}
	}
	return math.Sqrt(sum)
}

// upload puts a slice into the own bucket.
func (l *learner) upload(ctx context.Context, kind Kind, w Window, f SliceFile) error {
	name := Name{Kind: kind, Window: w, Hotkey: l.Me, Version: l.rules.Version}.String()
	if l.rules.Version != "" {
		f.GlobalStep, f.HasStep = l.Step, true
	}
	var b bytes.Buffer
	if err := EncodeSlice(&b, f); err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	_, err := l.own.Put(ctx, name, blob{bytes.NewReader(b.Bytes()), name}, false)
	return err
}

// clean removes the neuron's objects that are too old from its bucket, and with all
// set those of any age, such as an earlier process has left.
//
// Unlike upstream, which removes anybody's old objects, of the first thousand.
func (l *learner) clean(ctx context.Context, w Window, all bool) error {
	if Window(l.rules.KeptWindows) >= w {
		return nil
	}
	var old []string
	add := func(v Window) {
		for _, kind := range []Kind{StateObject, DeltaObject} {
			old = append(old, Name{Kind: kind, Window: v, Hotkey: l.Me, Version: l.rules.Version}.String())
		}
	}
	if !all {
		// A window or two may have been missed.
		for back := range Window(4) {
			if past := Window(l.rules.KeptWindows) + 1 + back; past <= w {
				add(w - past)
			}
		}
		return l.own.Remove(ctx, old...)
	}
	const page = 1000
	for _, prefix := range []string{"state-", "delta-"} {
		for after := ""; ; {
			list, err := l.own.List(ctx, prefix, after, page)
			if err != nil {
				return err
			}
			for _, o := range list {
				after = o.Key
				if name, err := ParseName(o.Key); err == nil && name.Hotkey == l.Me && l.rules.Stale(name.Window, w) {
					old = append(old, o.Key)
				}
			}
			if len(list) < page {
				break
			}
		}
	}
	if len(old) == 0 {
		return nil
	}
	return l.own.Remove(ctx, old...)
}

// A blob is a file in memory.
type blob struct {
	*bytes.Reader
	name string
}

func (b blob) Name() string { return b.name }
func (b blob) Close() error { return nil }
