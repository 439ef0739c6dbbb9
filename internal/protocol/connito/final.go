package connito

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"adit/internal/subnet"
)

// finalFile has the whole model as it was when training ended in the middle.
//
// Unlike upstream, which leaves it in whatever directory it was started from, it is
// in the run's; it is also written when the neuron is told to end, as the guides
// say and upstream does not do; and as everywhere the parameters are the entry
// "model_state_dict".
const finalFile = "mycelia_final.pt"

// How long training goes on after it was told to end, in all less than the five
// seconds that whoever told it waits: its last checkpoint is evaluated for the
// first, and written; then the whole model is, until the second is over.
const (
	evalGrace  = time.Second
	finalGrace = 4 * time.Second
)

// outlasting returns a context that ends so long after ctx.
func outlasting(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(d, cancel) })
	return out, func() { stop(); cancel() }
}

// saveFinal writes the whole model, if there is time and room.
func (n *neuron) saveFinal(ctx context.Context, model subnet.Model) {
	limited, cancel := outlasting(ctx, finalGrace)
	defer cancel()
	if err := n.writeFinal(limited, model); err != nil {
		n.Warn("final", "the whole model could not be saved; the last checkpoint is the run's", err)
		return
	}
	n.Say("final", "Emergency checkpoint saved", slog.String("path", finalFile))
}

func (n *neuron) writeFinal(ctx context.Context, model subnet.Model) (err error) {
	defer func() { // of a crash there may be little left that works
		if p := recover(); p != nil {
			err = fmt.Errorf("write %s: panic: %v", finalFile, p)
		}
	}()
	draft, err := n.Dir.Create(finalFile)
	if err != nil {
		return err
	}
	defer draft.Close()
	if err := model.Save(timely{draft, ctx.Err}, subnet.Torch, func(string) bool { return true }); err != nil {
		return fmt.Errorf("write %s: %w", finalFile, errors.Join(err, draft.Truncate(0)))
	}
	return draft.Commit()
}

// A timely writer writes until over returns an error.
type timely struct {
	w    io.Writer
	over func() error
}

// timelyBytes is written between two questions.
const timelyBytes = 1 << 20

func (t timely) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		if err := t.over(); err != nil {
			return done, err
		}
		n, err := t.w.Write(p[done:min(len(p), done+timelyBytes)])
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// clearUnfinished removes the checkpoints of one's own that a kill interrupted. The
// lock of the part that writes them keeps everybody else from writing any.
func (n *neuron) clearUnfinished(own func(place) bool) error {
	names, err := n.Dir.List("")
	for _, name := range names {
		if of, ok := strings.CutPrefix(name, ".tmp_"); ok {
			if p, ok := parsePlace(of); ok && own(p) {
				err = errors.Join(err, n.Dir.Remove(name))
			}
		}
	}
	return err
}

// forgetUnfinished removes what is left of downloads that were never finished, but
// for the one that is wanted. If it cannot, that costs room and nothing else.
func (n *neuron) forgetUnfinished(wanted string, g Group) {
	list, err := n.places(baselineDir)
	for _, p := range list {
		if _, whole := n.shardIn(p, g.ID); !whole && p.name != wanted {
			err = errors.Join(err, n.Dir.Remove(p.name))
		}
	}
	if err != nil {
		n.Warn("disk", "unfinished downloads are still there", err)
	}
}
