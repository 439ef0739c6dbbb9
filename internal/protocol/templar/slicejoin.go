package templar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"adit/internal/subnet"
)

const (
	// checkpointTimeout is how long a checkpoint may take to come.
	checkpointTimeout = 30 * time.Minute
	checkpointFile    = "checkpoint.pth"
)

// checkpointBytes is how large a checkpoint may be: the parameters, two moments of
// each, as upstream's has them, and what describes them.
func checkpointBytes(params []subnet.Param) int64 {
	n := int64(1 << 20)
	for _, p := range params {
		n += 3 * (4*int64(p.Len()) + 4096)
	}
	return n
}

// syncState puts the states of the last windows into the model, the oldest first, so
// that of two values at a place the newer stays.
//
// Unlike upstream's first version, in which the older one does.
func (l *learner) syncState(ctx context.Context, t Window) error {
	if err := l.loadCheckpoint(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.Warn("sync", "no checkpoint was loaded: what the model began with counts", err)
	}
	history := Window(l.rules.Slice.MaxHistory)
	first := t + 1 - min(t+1, history)
	found := 0
	for w := first; w <= t; w++ {
		g, err := l.gather(ctx, StateObject, w, nil)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := l.put(g.merge); err != nil {
			return err
		}
		l.follow(g.steps)
		if g.merge.Files() > 0 {
			found++
		}
	}
	share := Coverage(int(l.rules.Slice.Compression), found)
	l.Say("sync", fmt.Sprintf("Synced the state: %d windows of %d, which hold %.1f%% of the model; the rest is what it began with.", found, t+1-first, 100*share),
		slog.Int("windows", found), slog.Float64("coverage", share), slog.Int64("global_step", l.Step))
	return nil
}

// loadCheckpoint takes the model of the neuron with the most stake that has left a
// checkpoint. The first generation has none.
//
// Unlike upstream, the optimizer's moments are not taken along, scaled by the ratio of
// two learning rates: they are those of another's text, and settle within some steps.
func (l *learner) loadCheckpoint(ctx context.Context) error {
	if l.rules.CheckpointEvery == 0 {
		return nil
	}
	peers := slices.Clone(l.roster.peers)
	slices.SortStableFunc(peers, func(a, b peer) int { return -cmp.Compare(a.Stake, b.Stake) })
	var errs []error
	for _, p := range peers {
		if p.Hotkey == l.Me || !p.Permit {
			continue
		}
		name := Name{Kind: SliceCheckpointObject, Hotkey: p.Hotkey, Version: l.rules.Version}
		list, err := l.checkpointsOf(ctx, p.bucket, p.Hotkey)
		if err == nil && len(list) == 0 {
			continue
		}
		if err == nil {
			name = list[0]
			err = l.takeCheckpoint(ctx, p, name)
		}
		if err == nil {
			l.Say("checkpoint", fmt.Sprintf("Loaded checkpoint %s of uid %d.", name, p.UID), slog.Int("uid", int(p.UID)), slog.Int64("global_step", l.Step))
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.refuse(p.Neuron, name, err)
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return fmt.Errorf("checkpoint of a validator: %w", subnet.ErrNotFound)
	}
	return errors.Join(errs...)
}

// checkpointsOf lists the checkpoints of a hotkey and this version, the newest first.
func (l *learner) checkpointsOf(ctx context.Context, b subnet.Bucket, who subnet.Hotkey) ([]Name, error) {
	const most = 1000
	list, err := b.List(ctx, fmt.Sprintf("neuron_checkpoint_%s_", who), "", most)
	if err != nil {
		return nil, err
	}
	var names []Name
	for _, o := range list {
		if n, err := ParseName(o.Key); err == nil && n.Kind == SliceCheckpointObject && n.Hotkey == who && n.Version == l.rules.Version {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b Name) int { return -cmp.Compare(a.Block, b.Block) })
	return names, nil
}

func (l *learner) takeCheckpoint(ctx context.Context, p peer, name Name) error {
	ctx, cancel := context.WithTimeout(ctx, checkpointTimeout)
	defer cancel()
	limit := checkpointBytes(l.model.Params())
	file, err := l.arrive(checkpointFile, name.String())
	if err != nil {
		return err
	}
	err = p.bucket.Get(ctx, subnet.Object{Key: name.String()}, file, limit)
	if err == nil {
		err = l.readCheckpoint(file, limit)
	}
	return errors.Join(err, file.drop())
}

// readCheckpoint takes the model and the step of a checkpoint, or nothing: all of it
// is read once before any of it is taken.
func (l *learner) readCheckpoint(f subnet.File, limit int64) error {
	c, err := OpenSliceCheckpoint(f, f.Size(), limit)
	if err != nil {
		return err
	}
	for _, write := range []func(string, []float32) error{nil, l.model.Write} {
		at := memory{read: l.model.Read, write: write, sizes: l.sizes()}
		err := c.Load(l.model.Params(), at.of)
		if err == nil {
			at.flush()
		}
		if err = errors.Join(at.err, err); err != nil {
			return err
		}
	}
	l.Step = max(l.Step, c.GlobalStep)
	return nil
}

// saveCheckpoint uploads the model, and removes those checkpoints of its own that
// are more than the generation keeps.
func (l *learner) saveCheckpoint(ctx context.Context, at subnet.Block, scores, weights []float32) error {
	name := Name{Kind: SliceCheckpointObject, Hotkey: l.Me, Block: at, Version: l.rules.Version}
	c := SliceCheckpoint{GlobalStep: l.Step, Block: at, Scores: scores, Weights: weights}
	err := l.Write(checkpointFile, func(w io.Writer) error {
		m := memory{read: l.model.Read, sizes: l.sizes()}
		return errors.Join(l.rules.EncodeSliceCheckpoint(lastingWriter{w, ctx}, c, l.model.Params(), m.of), m.err)
	})
	if err != nil {
		return err
	}
	f, err := l.Dir.Open(checkpointFile)
	if err != nil {
		return err
	}
	_, err = l.own.Put(ctx, name.String(), f, false)
	if err = errors.Join(err, f.Close(), l.Dir.Remove(checkpointFile)); err != nil {
		return err
	}
	l.Say("checkpoint", "Saved checkpoint "+name.String(), slog.Uint64("block", uint64(at)), slog.Int64("global_step", l.Step))
	list, err := l.checkpointsOf(ctx, l.own, l.Me)
	if err != nil {
		return err
	}
	for i, old := range list {
		if l.rules.KeptCheckpoints > 0 && int64(i) >= l.rules.KeptCheckpoints {
			err = errors.Join(err, l.own.Remove(ctx, old.String()))
		}
	}
	return err
}
