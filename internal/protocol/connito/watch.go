package connito

import (
	"context"

	"adit/internal/checkpoint"
	"adit/internal/subnet"
)

// A watched draft looks at a shard's tensors as their bytes come, so that they need
// not be read again if they lie in the order in which they are hashed: as in all
// safetensors files that we write. What an earlier download left is looked at when
// whoever goes on with it reads it back.
type watched struct {
	subnet.Draft
	stream *checkpoint.Stream
	seen   *digester
}

func watch(d subnet.Draft) *watched {
	w := &watched{Draft: d}
	w.restart()
	return w
}

func (w *watched) restart() {
	w.seen = newDigester()
	w.stream = checkpoint.NewStream(w.seen)
}

// Write implements [subnet.Draft].
func (w *watched) Write(p []byte) (int, error) {
	inStep := w.stream.Size() == w.Size()
	n, err := w.Draft.Write(p)
	if inStep {
		_, _ = w.stream.Write(p[:max(n, 0)])
	}
	return n, err
}

// ReadAt implements [subnet.Draft].
func (w *watched) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.Draft.ReadAt(p, off)
	if off == w.stream.Size() {
		_, _ = w.stream.Write(p[:n])
	}
	return n, err
}

// Truncate implements [subnet.Draft].
func (w *watched) Truncate(size int64) error {
	if size < w.stream.Size() {
		w.restart()
	}
	return w.Draft.Truncate(size)
}

// contents returns what the whole file holds, or false if it has to be read.
func (w *watched) contents() (Contents, bool) {
	whole, err := w.stream.Done()
	if !whole || err != nil || w.stream.Size() != w.Size() {
		return Contents{}, false
	}
	return w.seen.contents(), true
}

// acceptDraft refuses a download that is not what was committed to.
func (n *neuron) acceptDraft(ctx context.Context, w *watched, name string, g Group, c Commit) error {
	got, ok := w.contents()
	if !ok {
		return n.accept(ctx, draftFile{w.Draft, name}, g, c)
	}
	return n.rules.inspect(got, c, g.Assignment).err()
}
