package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"adit/internal/data"
	"adit/internal/engine"
	"adit/internal/engine/device/cpu"
	"adit/internal/node"
	"adit/internal/subnet"
)

// heldOutSequences is of how many a loss is.
const heldOutSequences = 64

// savedModel is where a neuron saves its model, in its directory.
var savedModel = filepath.Join("saved", node.ModelFile)

// measure implements [recipe]: the first validator's model, which it saves now and
// then, is evaluated on held-out text that no neuron has seen.
func (r templarRecipe) measure(ctx context.Context, n *Network, corpus *data.Corpus) error {
	s := n.state.snapshot()
	losses := s.Groups[0].Losses
	if len(losses) == 0 {
		return r.measureModel(ctx, n, corpus, filepath.Join(n.plan.genesisDir(n.dir), node.ModelFile), n.plan.FirstCycle-1)
	}
	path := filepath.Join(n.plan.neuronDir(n.dir, n.plan.role("validate")[0]), savedModel)
	info, err := os.Stat(path)
	if err != nil || info.ModTime().Equal(n.measured) || s.Cycle <= losses[len(losses)-1].Cycle {
		return nil // nothing new
	}
	n.measured = info.ModTime()
	if err := r.measureModel(ctx, n, corpus, path, s.Cycle); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil // it is being replaced: the next one will do
}

func (r templarRecipe) measureModel(ctx context.Context, n *Network, corpus *data.Corpus, path string, window uint64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	e := engine.New(engine.Options{Device: cpu.New(1), Config: toyLlama(corpus.VocabSize()), Data: corpus, SeqLen: sequenceLength})
	m, err := e.Open(ctx, modelFile{f, info.Size()})
	if err != nil {
		return fmt.Errorf("measure %s: %w", path, err)
	}
	defer m.Close()
	loss, err := m.Loss(ctx, subnet.Sample{Sequences: heldOutSequences})
	if err != nil {
		return fmt.Errorf("measure %s: %w", path, err)
	}
	n.state.update(func(*Snapshot) { n.state.baseline(GroupLoss{0, window, loss.Mean}) })
	n.emit("up", time.Now(), subnet.Event{Kind: "baseline", Text: fmt.Sprintf("held-out loss %.4f in window %d", loss.Mean, window),
		Attrs: []slog.Attr{slog.Uint64("window", window), slog.Float64("loss", loss.Mean)}})
	return nil
}

// A modelFile is a file of a model.
type modelFile struct {
	*os.File
	size int64
}

func (f modelFile) Size() int64 { return f.size }
