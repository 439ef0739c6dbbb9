package templar

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"adit/internal/subnet"
)

// The files of a saved learner. A directory appears whole, so that the three belong
// together.
const (
	savedDir      = "saved"
	savedNew      = ".tmp_saved"
	savedModel    = "/model.safetensors"
	savedTrainer  = "/optimizer.bin"
	savedProgress = "/progress.json"
)

// A saver says when it is time to save: now and then, and so that it takes no more
// than a tenth of the time.
type saver struct {
	every time.Duration
	last  time.Time
	took  time.Duration
}

func (s *saver) due() bool {
	return !s.last.IsZero() && time.Since(s.last) >= max(s.every, 10*s.took)
}

// quick says whether so many bytes would be saved before a person is impatient.
func (s *saver) quick(bytes int64) bool {
	if s.took == 0 {
		return bytes < 256<<20
	}
	return s.took < 2*time.Second
}

// saveLast saves once more when the role is to end, if that takes no time.
func (l *learner) saveLast(role context.Context) error {
	if l.Window == 0 || !l.saves.quick(checkpointBytes(l.model.Params())) {
		return nil
	}
	return l.save(context.WithoutCancel(role))
}

// A lastingWriter writes until ctx is done.
type lastingWriter struct {
	io.Writer
	ctx context.Context
}

func (w lastingWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.Writer.Write(p)
}

// save writes what [learner.restore] reads. What was saved before stays until all of
// it is written.
func (l *learner) save(ctx context.Context) error {
	began := time.Now()
	err := l.Write(savedNew+savedModel, func(w io.Writer) error {
		return l.model.Save(lastingWriter{w, ctx}, subnet.Safetensors, func(string) bool { return true })
	})
	if err == nil {
		err = l.Write(savedNew+savedTrainer, func(w io.Writer) error { return l.trainer.Save(lastingWriter{w, ctx}) })
	}
	if err == nil {
		err = l.WriteJSON(savedNew+savedProgress, l.progress)
	}
	if err == nil {
		err = l.Dir.Rename(savedNew, savedDir)
	}
	l.saves.last, l.saves.took = time.Now(), time.Since(began)
	if err != nil {
		return fmt.Errorf("save the model: %w", err)
	}
	l.Note("saved", "Saved the model.", slog.Duration("save_time", l.saves.took), slog.Int64("global_step", l.Step))
	return nil
}

// restore goes on with what was saved. It wraps [subnet.ErrNotFound] if that is
// nothing.
func (l *learner) restore() error {
	l.saves.last = time.Now()
	var p progress
	if err := l.ReadJSON(savedDir+savedProgress, &p); err != nil {
		return err
	}
	f, err := l.Dir.Open(savedDir + savedModel)
	if err != nil {
		return err
	}
	defer f.Close()
	state, err := l.Dir.Open(savedDir + savedTrainer)
	if err != nil {
		return err
	}
	defer state.Close()
	if err := l.model.Load(f); err != nil {
		return err
	}
	if err := l.trainer.Resume(state); err != nil {
		return err
	}
	l.progress = p
	l.Say("resume", fmt.Sprintf("Resumed at step %d.", p.Step), slog.Int64("global_step", p.Step), slog.Uint64("window", uint64(p.Window)))
	return nil
}
