package templar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"adit/internal/subnet"
)

// join makes the model that of the network: what was saved here, a checkpoint, or
// what all began with; then all that was merged since. until says which window is the
// first that is not caught up with, in a current one.
func (s *sparse) join(ctx context.Context, validates bool, restore func() error, until func(Window) Window) error {
	var err error
	if err = restore(); err != nil && !errors.Is(err, subnet.ErrNotFound) {
		s.Warn("resume", "what was saved does not load", err)
	}
	s.resumed = err == nil && s.Known
	saved := s.Start
	s.validates = validates
	if s.Start, err = s.startWindow(ctx, validates); err != nil {
		return err
	}
	if s.resumed && saved != s.Start {
		s.Warn("resume", "what was saved is of another run, and is left", fmt.Errorf("it began in window %d, and this one in %d", saved, s.Start))
		s.resumed = false
	}
	current, _, err := s.window(ctx)
	if err != nil {
		return err
	}
	// Old windows are in no bucket any more: then a checkpoint is nearer.
	if s.resumed && s.rules.Stale(s.Window, current) {
		s.resumed = false
	}
	if !s.resumed {
		s.sparseProgress = sparseProgress{Start: s.Start}
		if s.sums != nil {
			s.sums.forget()
		}
		if err := s.loadCheckpoint(ctx); err != nil {
			if ctx.Err() != nil {
				return err
			}
			if !errors.Is(err, subnet.ErrNotFound) {
				s.Warn("checkpoint", "no checkpoint could be loaded: begins with the base model", err)
			}
			if err := s.reopen(ctx); err != nil {
				return err
			}
		}
	} else {
		s.Say("resume", fmt.Sprintf("Resumed at step %d, after window %d.", s.Step, s.Window), slog.Int64("global_step", s.Step), slog.Uint64("window", uint64(s.Window)))
	}
	return s.catchUp(ctx, until)
}

// reopen begins with the base model again, where a file was loaded that is not to
// count.
func (s *sparse) reopen(ctx context.Context) error {
	model, err := s.Engine.Open(ctx)
	if err != nil {
		return fmt.Errorf("open the base model: %w", err)
	}
	if err := s.model.Close(); err != nil {
		return err
	}
	s.model = model
	return nil
}

// catchUp merges all windows before until, of the one that is current.
func (s *sparse) catchUp(ctx context.Context, until func(Window) Window) error {
	for {
		current, _, err := s.window(ctx)
		if err != nil {
			return err
		}
		end := until(current)
		if s.Known && s.Window+1 >= end {
			return nil
		}
		for _, w := range CatchUp(s.Start, s.Window, s.Known, end) {
			c, err := s.mergeWindow(ctx, w, true)
			if err != nil {
				return err
			}
			if c != nil && s.validates { // by which others repeat it
				if err := s.showDebug(ctx, w, c, true); err != nil && ctx.Err() == nil {
					s.Warn("debug", "the debug object did not get into the bucket", err)
				}
			}
			if c != nil {
				s.Say("catchup", fmt.Sprintf("Caught up with window %d.", w), slog.Uint64("window", uint64(w)), slog.Int64("global_step", s.Step), slog.Int("gather_peers", len(c.updates)))
			}
		}
		if end > 0 && (!s.Known || s.Window < end-1) {
			s.Window, s.Known = end-1, true
		} else if end == 0 {
			return nil
		}
	}
}

// mergeWindow takes the outer step of a window. past says that it is long over: what
// the leader has gathered is taken then, where it is there.
func (s *sparse) mergeWindow(ctx context.Context, w Window, past bool) (*collection, error) {
	list := s.peersAt(w)
	if past {
		list = PeerList{}
		if lists, _, err := s.peerLists(ctx, w, 1); err == nil {
			list = lists[0]
		} else if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	if s.null(w, list) {
		return nil, s.skip(w)
	}
	m, c, err := s.mergeOf(ctx, w, list, past)
	if err != nil {
		return nil, err
	}
	return c, s.take(w, m)
}

// skip notes a window in which nothing was merged.
func (s *sparse) skip(w Window) error {
	s.Window, s.Known = w, true
	if s.sums != nil {
		s.sums.skipped()
	}
	return s.remember()
}

// take merges what a window came to; nil if that is nothing. Only then does the
// network's step go on.
func (s *sparse) take(w Window, m merge) error {
	if m == nil {
		s.Warn("merge", "nothing was gathered: the model stays as it is", fmt.Errorf("no gradients of window %d", w))
		return s.skip(w)
	}
	if err := s.outer(m, s.rules.Sparse.OuterLearningRate); err != nil {
		return fmt.Errorf("merge window %d: %w", w, err)
	}
	s.Step++
	s.Window, s.Known = w, true
	return s.remember()
}

// mergeOf returns what a window's gradients come to: of our generation what an
// aggregator says, if it is right, and otherwise what the gradients themselves do.
func (s *sparse) mergeOf(ctx context.Context, w Window, list PeerList, past bool) (merge, *collection, error) {
	var told []subnet.UID
	var tells bool
	if past {
		told, tells = s.mergedBefore(ctx, w, list)
		if tells && len(told) == 0 {
			return nil, nil, nil // whatever others have summed up
		}
	}
	switch {
	case s.sums != nil:
		m, c, err := s.sums.accepted(ctx, w, list, past)
		if err != nil || m != nil {
			return m, c, err
		}
	case past:
		c, err := s.gatheredBefore(ctx, w, list)
		if err == nil {
			return s.rules.means(c.updates), c, nil
		}
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		s.Note("catchup", "nobody has aggregated the window: it is gathered again", slog.Uint64("window", uint64(w)), slog.String("reason", err.Error()))
	}
	if tells {
		list = PeerList{Peers: told, FirstIn: list.FirstIn}
	}
	c, err := s.gather(ctx, w, list)
	if err != nil || len(c.updates) == 0 {
		return nil, c, err
	}
	return s.rules.means(c.updates), c, nil
}

// mergedBefore returns whose gradients the leader, or who stands in for it, says that
// it has merged of a window; all of them are peers of that window.
func (s *sparse) mergedBefore(ctx context.Context, w Window, list PeerList) ([]subnet.UID, bool) {
	for _, v := range s.roster.validators() {
		if v.Hotkey == s.Me || s.distrusts(v) {
			continue
		}
		d, err := s.debugOf(ctx, v, w)
		if err != nil || d.Digest == "" {
			continue
		}
		if slices.ContainsFunc(d.Peers, func(uid subnet.UID) bool { return !slices.Contains(slices.Concat(list.Peers, list.Reserve), uid) }) {
			continue
		}
		return d.Peers, true
	}
	return nil, false
}

// gatheredBefore reads what the leader has gathered in a window.
func (s *sparse) gatheredBefore(ctx context.Context, w Window, list PeerList) (*collection, error) {
	name := Name{Kind: AggregatorObject, Window: w, Version: s.rules.Version}
	err := error(subnet.ErrNotFound)
	for _, v := range s.aggregators() {
		object, statErr := v.bucket.Stat(ctx, name.String())
		if statErr != nil {
			continue
		}
		c, getErr := s.readGathered(ctx, v, object, list)
		if getErr == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		err = getErr
		s.refuse(v.Neuron, name, getErr)
	}
	return nil, err
}

// aggregators are whose buckets may hold what was gathered: the one that all share,
// if the environment tells of it, and then those of the validators.
func (s *sparse) aggregators() []peer {
	list := s.roster.validators()
	env := make(map[string]string)
	for _, name := range AggregatorStore.EnvNames() {
		env[name] = s.Secret(name)
	}
	keys, err := AggregatorStore.KeysFrom(env, false)
	if err != nil || len(list) == 0 {
		return list
	}
	at := s.cfg.placed(s.rules.Address(keys, false))
	b, err := s.bucket(at)
	if err != nil {
		return list
	}
	shared := list[0]
	shared.at, shared.bucket = at, b
	return append([]peer{shared}, list...)
}

func (s *sparse) readGathered(ctx context.Context, v peer, object subnet.Object, list PeerList) (*collection, error) {
	limit := s.limit * int64(len(list.Peers)+len(list.Reserve)+1)
	f, err := s.fetchVersion(ctx, v, object, limit)
	if err != nil {
		return nil, err
	}
	g, err := DecodeGathered(f, f.Size(), limit)
	if err = errors.Join(err, f.drop()); err != nil {
		return nil, err
	}
	c := &collection{asked: GatherOrder(list.Peers), missing: make(map[subnet.UID]error)}
	known := slices.Concat(list.Peers, list.Reserve)
	for i, uid := range g.UIDs {
		if !slices.Contains(known, uid) || i > 0 && uid <= g.UIDs[i-1] {
			return nil, fmt.Errorf("uid %d is no peer of the window, or not in order", uid)
		}
		parts, err := s.rules.Parts(g.Gradients[i], s.params)
		if err != nil {
			return nil, fmt.Errorf("uid %d: %w", uid, err)
		}
		u := &update{parts: parts, packed: g.Gradients[i]}
		u.from.UID = uid
		c.updates = append(c.updates, u)
	}
	for _, uid := range g.Skipped {
		c.missing[uid] = subnet.ErrNotFound
	}
	return c, nil
}

// showGathered uploads what was gathered, for those who join: the leader does so, to
// the bucket that all share if it may write there, and otherwise to its own.
func (s *sparse) showGathered(ctx context.Context, w Window, c *collection) error {
	g := Gathered{GlobalStep: s.Step, UIDs: c.uids(), Skipped: c.skipped(), SuccessRate: c.success()}
	for _, u := range c.updates {
		g.Gradients = append(g.Gradients, u.packed)
	}
	// All in one order.
	for i := range g.Gradients {
		params := make([]Compressed, len(s.params))
		at := make(map[string]Compressed)
		for _, p := range g.Gradients[i].Params {
			at[p.Name] = p
		}
		for k, p := range s.params {
			params[k] = at[p.Name]
		}
		g.Gradients[i].Params = params
	}
	key := Name{Kind: AggregatorObject, Window: w, Version: s.rules.Version}.String()
	const file = "out/aggregator"
	if err := s.Write(file, func(w io.Writer) error { return EncodeGathered(w, g, s.rules.Sparse.WireName) }); err != nil {
		return err
	}
	f, err := s.Dir.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	to := s.own
	env := make(map[string]string)
	for _, name := range AggregatorStore.EnvNames() {
		env[name] = s.Secret(name)
	}
	if keys, err := AggregatorStore.KeysFrom(env, true); err == nil {
		if to, err = s.bucket(s.cfg.placed(s.rules.Address(keys, true))); err != nil {
			return err
		}
	}
	_, err = to.Put(ctx, key, f, false)
	if err == nil && to == s.own && w >= Window(s.rules.KeptWindows) {
		err = s.own.Remove(ctx, Name{Kind: AggregatorObject, Window: w - Window(s.rules.KeptWindows), Version: s.rules.Version}.String())
	}
	return err
}
