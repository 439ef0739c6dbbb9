package templar

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"

	"adit/internal/subnet"
)

// A trail is what a neuron's model was after the last windows, by which it sees
// whether it is still the network's: who lacked one gradient in one window has another
// model from then on, and nothing else brings it back.
//
// Unlike upstream, where such a neuron goes on with its own model, and is punished for
// being behind, until somebody restarts it.
type trail struct {
	first Window // since which it is kept without a gap
	kept  bool
	marks map[Window]mark
	// back is when the neuron has come back last.
	back    Window
	hasBack bool
}

// A mark is what a model was after a window.
type mark struct {
	step   int64
	digest string
}

const (
	// keptMarks is for how many windows marks are kept, and looked for.
	keptMarks = 6
	// restBetween is for how many windows a neuron does not come back again.
	restBetween = 2
	// digested is how many values of a parameter are in a digest, at most: a gradient
	// has some of every chunk.
	digested = 4096
)

// note keeps what the model is after a window; later windows are forgotten.
func (t *trail) note(w Window, m mark) {
	if !t.kept || w != t.last()+1 {
		*t = trail{first: w, kept: true, marks: make(map[Window]mark), back: t.back, hasBack: t.hasBack}
	}
	t.marks[w] = m
	if w >= t.first+keptMarks {
		delete(t.marks, t.first)
		t.first++
	}
}

// last is the last window that is kept, if one is.
func (t *trail) last() Window { return t.first + Window(len(t.marks)) - 1 }

// digest is a hash of some values of each parameter, at equal distances, as the
// network has them.
func (s *sparse) digest() (string, error) {
	h := sha256.New()
	for _, p := range s.layout {
		wire, err := s.wireValues(p)
		if err != nil {
			return "", err
		}
		every := max(1, (len(wire)+digested-1)/digested) | 1 // odd, so that it meets all places of chunks
		some := make([]float32, 0, min(len(wire), digested))
		for i := 0; i < len(wire); i += every {
			some = append(some, wire[i])
		}
		if err := binary.Write(h, binary.LittleEndian, some); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// remember notes what the model is after the last window.
func (s *sparse) remember() error {
	d, err := s.digest()
	if err == nil {
		s.trail.note(s.Window, mark{s.Step, d})
	}
	return err
}

// astray says whether this neuron's model is another than that of the validator with
// the most stake that tells what its own was after one of the last windows; the leader
// never is. It tells of which window it found that out.
func (s *sparse) astray(ctx context.Context) (Window, bool) {
	if !s.trail.kept {
		return 0, false
	}
	for _, v := range s.roster.validators() {
		if v.Hotkey == s.Me {
			return 0, false
		}
		if s.distrusts(v) {
			continue
		}
		for w := s.trail.last(); w >= s.trail.first && w+1 > 0; w-- {
			d, err := s.debugOf(ctx, v, w)
			if errors.Is(err, subnet.ErrNotFound) {
				if w == 0 {
					break
				}
				continue
			}
			if err != nil || d.Digest == "" {
				break
			}
			m := s.trail.marks[w]
			return w, d.Digest != m.digest || d.GlobalStep != m.step
		}
	}
	return 0, false
}

// debugOf reads what a neuron says of its model after a window.
func (s *sparse) debugOf(ctx context.Context, of peer, w Window) (Debug, error) {
	name := Name{Kind: DebugObject, Window: w, UID: of.UID, Version: s.rules.Version}
	data, err := readSmall(ctx, of.bucket, name.String(), MaxDebug)
	if err != nil {
		return Debug{}, err
	}
	return DecodeDebug(bytes.NewReader(data), int64(len(data)))
}

// distrusts says whether a validator has summed up wrongly not long ago.
func (s *sparse) distrusts(v peer) bool {
	until, is := s.liars[v.Hotkey]
	return is && s.Window <= until
}

// comeBack makes the model the network's again, if it is not: from a checkpoint, or
// from what all began with, and all that was merged since. Where that cannot be had,
// the neuron goes on with what it has, and tries again.
func (s *sparse) comeBack(ctx context.Context, until func(Window) Window) error {
	if s.trail.hasBack && s.Window < s.trail.back+restBetween {
		return nil
	}
	w, is := s.astray(ctx)
	if !is || ctx.Err() != nil {
		return ctx.Err()
	}
	s.Warn("astray", fmt.Sprintf("The model is not the network's since window %d or before: it is made anew.", w), errAstray, slog.Uint64("window", uint64(w)), slog.Int64("global_step", s.Step))
	before := s.sparseProgress
	err := s.loadCheckpoint(ctx)
	if errors.Is(err, subnet.ErrNotFound) && !s.rules.Stale(s.Start, s.Window) {
		err = s.beginAgain(ctx)
	}
	if err != nil { // nothing has changed
		if ctx.Err() == nil {
			s.Warn("astray", "the network's model cannot be had yet", err)
		}
		return ctx.Err()
	}
	s.Taken, s.From = before.Taken, before.From
	if s.sums != nil {
		s.sums.forget()
	}
	// Where this does not come to its end, the next window goes on with it.
	if err := s.catchUp(ctx, until); err != nil {
		return err
	}
	s.trail.back, s.trail.hasBack = s.Window, true
	s.Say("back", fmt.Sprintf("The model is the network's again, after window %d.", s.Window), slog.Uint64("window", uint64(s.Window)), slog.Int64("global_step", s.Step))
	return nil
}

var errAstray = errors.New("the leader's model is another")

// beginAgain gives the model the values that all began with, and leaves it open for
// who trains it.
func (s *sparse) beginAgain(ctx context.Context) error {
	base, err := s.Engine.Open(ctx)
	if err != nil {
		return fmt.Errorf("open the base model: %w", err)
	}
	for _, p := range s.layout {
		values := s.floats(0, p.Len())
		if err == nil {
			err = base.Read(p.engine, values)
		}
		if err == nil {
			err = s.model.Write(p.engine, values)
		}
	}
	s.sparseProgress = sparseProgress{Start: s.Start}
	return errors.Join(err, base.Close())
}
