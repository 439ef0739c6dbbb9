package templar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"adit/internal/compress"
	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A sparse is a neuron of the generations with pseudo-gradients: its model, and what
// it knows of the run.
type sparse struct {
	*neuron
	model  subnet.Model
	layout layout
	params []subnet.Param // as on the wire
	limit  int64          // bytes of a gradient
	schema *compress.Schema
	roster *roster
	text   *shards
	sums   *sums // nil but in our generation
	plan   planner
	memory [3][]float32
	saves  saver
	trail  trail
	// liars are until which window nobody is believed who has summed up wrongly, or
	// left somebody out.
	liars     map[subnet.Hotkey]Window
	validates bool
	// resumed says that the model, and what else was saved here, is gone on with.
	resumed bool
	sparseProgress
}

// A sparseProgress is how far a neuron has come. It is saved with the model.
type sparseProgress struct {
	Step   int64  `json:"global_step"` // outer steps that were taken, by all
	Window Window `json:"window"`      // the last one that was merged, or had nothing to
	Known  bool   `json:"known"`       // Window means something
	Start  Window `json:"start_window"`
	From   Start  `json:"from"` // how the model was come by
	Taken  int64  `json:"taken"`
}

// newSparse opens the model and finds out who is there. Its part of the text is that
// of the settings.
func (n *neuron) newSparse(ctx context.Context) (*sparse, error) {
	s := &sparse{neuron: n, saves: saver{every: seconds(n.cfg.Save.EverySec)}, liars: make(map[subnet.Hotkey]Window)}
	var err error
	if s.roster, err = n.refresh(ctx, nil); err != nil {
		return nil, err
	}
	if s.text, err = n.newShards(); err != nil {
		return nil, err
	}
	if s.model, err = n.Engine.Open(ctx); err != nil {
		return nil, fmt.Errorf("open the base model: %w", err)
	}
	if err := s.shape(); err != nil {
		return nil, errors.Join(err, s.model.Close())
	}
	return s, nil
}

// shape finds how the model is cut.
func (s *sparse) shape() (err error) {
	if s.layout, err = s.rules.layout(s.model.Params()); err != nil {
		return err
	}
	s.params = s.layout.params()
	if s.rules.Message == Packed12 {
		s.limit, err = s.rules.MaxGradient(s.params)
		return err
	}
	tensors := make([]compress.Tensor, len(s.params))
	for i, p := range s.params {
		tensors[i] = compress.Tensor{Name: p.Name, Shape: p.Shape}
	}
	if s.schema, err = compress.NewSchema(tensors, int(s.rules.Sparse.TopKCompression), compress.UsualGroup); err != nil {
		return err
	}
	s.limit = s.schema.MaxBytes() + maxSealText + int64(sealTail)
	s.sums = newSums(s)
	return nil
}

// close gives back what the neuron has opened.
func (s *sparse) close() error { return errors.Join(s.text.close(), s.model.Close()) }

// null says whether nobody merges anything in a window: the first ones of a run, and
// any in which no peers are known.
func (s *sparse) null(w Window, list PeerList) bool {
	return s.rules.NullRound(w, s.Start) || len(list.Peers)+len(list.Reserve) == 0
}

// save writes what [sparse.restore] reads. more writes what the role has besides.
func (s *sparse) save(progress any, more func(dir string) error) error {
	began := time.Now()
	err := errors.Join(
		s.Write(savedNew+savedModel, func(w io.Writer) error {
			return s.model.Save(w, subnet.Safetensors, func(string) bool { return true })
		}),
		s.WriteJSON(savedNew+savedProgress, progress),
		more(savedNew),
	)
	if s.sums != nil {
		err = errors.Join(err, s.sums.save(savedNew))
	}
	if err == nil {
		err = s.Dir.Rename(savedNew, savedDir)
	}
	if err != nil {
		return fmt.Errorf("save the model: %w", err)
	}
	s.saves.last, s.saves.took = time.Now(), time.Since(began)
	s.Note("saved", "Saved the model.", slog.Duration("save_time", s.saves.took), slog.Int64("global_step", s.Step), slog.Uint64("window", uint64(s.Window)))
	return nil
}

// restore goes on with what was saved. It wraps [subnet.ErrNotFound] if that is
// nothing.
func (s *sparse) restore(progress any) error {
	if err := s.ReadJSON(savedDir+savedProgress, progress); err != nil {
		return err
	}
	f, err := s.Dir.Open(savedDir + savedModel)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := s.model.Load(f); err != nil {
		return err
	}
	if s.sums != nil {
		if err := s.sums.restore(savedDir); err != nil && !errors.Is(err, subnet.ErrNotFound) {
			s.Warn("resume", "what the aggregates have left unsaid does not load", err)
		}
	}
	return nil
}

// put uploads a file of the neuron's directory to its own bucket, and tries again as
// long as ctx lives.
func (s *sparse) put(ctx context.Context, key, file string, once bool) (subnet.Object, error) {
	f, err := s.Dir.Open(file)
	if err != nil {
		return subnet.Object{}, err
	}
	defer f.Close()
	return s.putFile(ctx, key, f, once)
}

func (s *sparse) putFile(ctx context.Context, key string, f subnet.File, once bool) (subnet.Object, error) {
	for {
		object, err := s.own.Put(ctx, key, f, once)
		if err == nil || !errors.Is(err, subnet.ErrTemporary) {
			return object, err
		}
		s.Warn("retry", "the upload of "+key+" did not go through, trying again", err)
		if err := actor.Pause(ctx, pollEvery); err != nil {
			return object, err
		}
	}
}

// clean removes the neuron's gradients and debug objects that are too old.
//
// Unlike upstream, which never removes a debug object, and means to keep gradients
// longer than it does.
func (s *sparse) clean(ctx context.Context, w Window) {
	var old []string
	for _, kind := range []Kind{GradientObject, DebugObject} {
		const page = 1000
		list, err := s.own.List(ctx, kindWords[kind]+"-", "", page)
		if err != nil {
			s.Warn("clean", "the own bucket could not be listed", err)
			return
		}
		for _, o := range list {
			if n, err := ParseName(o.Key); err == nil && n.Kind == kind && n.UID == s.roster.me.UID && n.Version == s.rules.Version && s.rules.Stale(n.Window, w) {
				old = append(old, o.Key)
			}
		}
	}
	if len(old) == 0 {
		return
	}
	if err := s.own.Remove(ctx, old...); err != nil && ctx.Err() == nil {
		s.Warn("clean", "old objects are still in the own bucket", err)
	}
}

// showDebug uploads a few values of the model as it is after a window.
func (s *sparse) showDebug(ctx context.Context, w Window, c *collection, validator bool) error {
	d := Debug{GlobalStep: s.Step, Digest: s.trail.marks[w].digest}
	if c != nil {
		d.Peers, d.Skipped = c.uids(), c.skipped()
	}
	for _, p := range s.layout {
		wire, err := s.wireValues(p)
		if err != nil {
			return err
		}
		if two, ok := DebugOf(wire, validator); ok {
			d.Values = append(d.Values, DebugValues{p.Name, two})
		}
	}
	name := Name{Kind: DebugObject, Window: w, UID: s.roster.me.UID, Version: s.rules.Version}.String()
	var f paper // which needs no room on a disk: others repeat by it what was merged
	if err := EncodeDebug(&f, d, s.rules.Sparse.WireName); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, seconds(s.cfg.Fetch.TimeoutSec)) // nothing waits for it
	defer cancel()
	_, err := s.putBytes(ctx, name, f.data, false)
	return err
}

// wireValues reads a parameter of the model as the network has it.
func (s *sparse) wireValues(p place) ([]float32, error) {
	n := p.Len()
	engine := s.floats(0, n)
	if err := s.model.Read(p.engine, engine); err != nil {
		return nil, err
	}
	if p.heads == 0 {
		return engine, nil
	}
	wire := s.floats(1, n)
	p.toWire(wire, engine)
	return wire, nil
}
