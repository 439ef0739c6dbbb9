package templar

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"adit/internal/compress"
	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// An update is a miner's gradient, after all in it was checked.
type update struct {
	from   subnet.Neuron
	object subnet.Object
	parts  []*compress.Part // by the layout
	step   int64
	digest string // of the samples that its miner might train on
	// packed is what came, of upstream's generations, and message and signed are, of
	// ours.
	packed  Gradient
	message *compress.Message
	signed  Signed
}

// errDummy is why an object is not a gradient that could be merged: its miner only
// wants to be seen.
var errDummy = errors.New("a dummy")

// read takes a gradient object of a miner, or refuses it.
func (s *sparse) read(f subnet.File, w Window, from subnet.Neuron) (*update, error) {
	u := &update{from: from}
	if s.rules.Message == Compact {
		return u, s.readCompact(u, f, w)
	}
	g, err := DecodeGradient(f, f.Size(), s.limit)
	switch {
	case err != nil:
		return nil, err
	case g.Dummy:
		return nil, errDummy
	case g.Window != w:
		return nil, fmt.Errorf("gradient of window %d", g.Window)
	}
	u.packed, u.step, u.digest = g, g.GlobalStep, g.Digest
	u.parts, err = s.rules.Parts(g, s.params)
	return u, err
}

func (s *sparse) readCompact(u *update, f subnet.File, w Window) error {
	signed, length, err := readSealed(f, f.Size(), sealMagic, maxSealText)
	if err != nil {
		return err
	}
	seal, err := signed.open(s.Verify, s.rules.Version, w, u.from)
	if err != nil {
		return err
	}
	if seal.Dummy {
		return errDummy
	}
	root, err := seal.root()
	if err != nil {
		return err
	}
	m, err := compress.ReadMessage(io.NewSectionReader(f, 0, length), s.schema)
	if err != nil {
		return err
	}
	if m.Tree.Root() != root {
		return fmt.Errorf("its root is %s, and it is sealed with %s", hex.EncodeToString(rootOf(m)), seal.Root)
	}
	for i, p := range m.Parts {
		if p.Values == nil {
			return fmt.Errorf("%s has levels, as aggregates do", s.params[i].Name)
		}
	}
	u.signed, u.message, u.parts, u.step, u.digest = signed, m, m.Parts, seal.GlobalStep, seal.Digest
	return nil
}

func rootOf(m *compress.Message) []byte { r := m.Tree.Root(); return r[:] }

// errTooLate is why a gradient is not taken that was not there in time.
var errTooLate = errors.New(TooLate.String())

// A collection is what came of gathering a window.
type collection struct {
	updates []*update // by uid
	// asked are all whose gradients were wanted, and missing those of them who had
	// none, or one that was refused, with the reason.
	asked   []subnet.UID
	missing map[subnet.UID]error
	reserve int // of the updates are of those in reserve
}

// success is the share of peers whose gradients were there.
func (c *collection) success() float64 {
	return float64(len(c.updates)-c.reserve) / float64(max(len(c.asked), 1))
}

func (c *collection) uids() []subnet.UID {
	list := make([]subnet.UID, len(c.updates))
	for i, u := range c.updates {
		list[i] = u.from.UID
	}
	return list
}

// skipped returns who was asked in vain.
func (c *collection) skipped() []subnet.UID {
	var list []subnet.UID
	for uid := range c.missing {
		list = append(list, uid)
	}
	slices.Sort(list)
	return list
}

// span returns the time in which a window's gradients have to be uploaded. It can be
// told once the next window has begun.
func (n *neuron) span(ctx context.Context, w Window) (Span, error) {
	began, err := n.Chain.Time(ctx, n.rules.Start(w))
	if err != nil {
		return Span{}, err
	}
	over, err := n.Chain.Time(ctx, n.rules.Start(w+1))
	if err != nil {
		return Span{}, err
	}
	n.setClock(ctx)
	return n.rules.Uploads(began, over), nil
}

// gather downloads the gradients of a window's peers, and for those that are missing
// as many of who is in reserve. Each is refused by itself, with its uid and the
// reason: what one miner sends costs no other anything.
func (s *sparse) gather(ctx context.Context, w Window, list PeerList) (*collection, error) {
	span, err := s.span(ctx, w)
	if err != nil {
		return nil, err
	}
	c := &collection{asked: GatherOrder(list.Peers), missing: make(map[subnet.UID]error)}
	c.updates = s.collect(ctx, w, span, c.asked, c.missing)
	if lost := len(c.missing); lost > 0 && ctx.Err() == nil {
		now, later := list.StandIns(lost)
		for len(now) > 0 && c.reserve < lost && ctx.Err() == nil {
			came := s.collect(ctx, w, span, GatherOrder(now), make(map[subnet.UID]error))
			c.reserve += len(came)
			c.updates = append(c.updates, came...)
			n := min(len(later), lost-c.reserve)
			now, later = later[:n], later[n:]
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	slices.SortFunc(c.updates, func(a, b *update) int { return cmp.Compare(a.from.UID, b.from.UID) })
	s.Say("gather", fmt.Sprintf("Gathered %d of %d gradients of window %d.", len(c.updates), len(c.asked), w),
		slog.Uint64("window", uint64(w)), slog.Int("gather_peers", len(c.updates)), slog.Float64("success_rate", c.success()),
		slog.Int("reserve_used", c.reserve), slog.Any("skipped", c.skipped()))
	return c, nil
}

// collect downloads the gradients of some miners at once, a few at a time.
func (s *sparse) collect(ctx context.Context, w Window, span Span, uids []subnet.UID, missing map[subnet.UID]error) []*update {
	var mu sync.Mutex
	var list []*update
	var all sync.WaitGroup
	slots := make(chan struct{}, s.cfg.Fetch.Parallel)
	for _, uid := range uids {
		all.Go(func() {
			u, err := s.update(ctx, w, span, uid, slots)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				missing[uid] = err
				return
			}
			list = append(list, u)
		})
	}
	all.Wait()
	slices.SortFunc(list, func(a, b *update) int { return cmp.Compare(a.from.UID, b.from.UID) })
	return list
}

// update downloads one miner's gradient of a window, waiting for it until it could
// not be in time any more. A refusal is told.
func (s *sparse) update(ctx context.Context, w Window, span Span, uid subnet.UID, slots chan struct{}) (*update, error) {
	p, ok := s.roster.peer(uid)
	if !ok {
		return nil, fmt.Errorf("uid %d has no bucket: %w", uid, subnet.ErrNotFound)
	}
	name := Name{Kind: GradientObject, Window: w, UID: uid, Version: s.rules.Version}
	object, err := s.awaited(ctx, p, name, span)
	if err != nil {
		if !errors.Is(err, subnet.ErrNotFound) && ctx.Err() == nil {
			s.refuse(p.Neuron, name, err)
		}
		return nil, err
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-slots }()
	u, err := s.download(ctx, p, object, w)
	if err == nil {
		return u, nil
	}
	if ctx.Err() == nil && !errors.Is(err, errDummy) {
		s.refuse(p.Neuron, name, err)
	}
	return nil, err
}

// download reads one version of a gradient object, and no other: where the miner
// overwrites it meanwhile, the download fails.
func (s *sparse) download(ctx context.Context, p peer, object subnet.Object, w Window) (*update, error) {
	f, err := s.fetchVersion(ctx, p, object, s.limit)
	if err != nil {
		return nil, err
	}
	u, err := s.read(f, w, p.Neuron)
	if err = errors.Join(err, f.drop()); err != nil {
		return nil, err
	}
	u.object = object
	return u, nil
}

// pollEvery is how often a bucket is asked for an object that is not there yet.
const pollEvery = 500 * time.Millisecond

// awaited returns what the store says of an object that was uploaded in its span,
// as soon as there is one.
//
// Unlike upstream, an object that is there too early, such as the dummy of who has
// just started, is not the last word: the gradient may still come in its place.
func (s *sparse) awaited(ctx context.Context, p peer, name Name, span Span) (subnet.Object, error) {
	for {
		object, err := p.bucket.Stat(ctx, name.String())
		if err == nil {
			switch t := span.Place(object.Modified); t {
			case InTime:
				if object.Size > s.limit {
					return object, fmt.Errorf("%d bytes, want at most %d", object.Size, s.limit)
				}
				return object, nil
			case TooLate:
				return object, fmt.Errorf("%w: uploaded %s, want until %s", errTooLate, object.Modified.Format(time.TimeOnly), span.Max.UTC().Format(time.TimeOnly))
			default:
				err = fmt.Errorf("%v: uploaded %s, want from %s: %w", t, object.Modified.Format(time.TimeOnly), span.Min.UTC().Format(time.TimeOnly), subnet.ErrNotFound)
			}
		}
		if !errors.Is(err, subnet.ErrNotFound) && !errors.Is(err, subnet.ErrTemporary) {
			return subnet.Object{}, err
		}
		left := s.left(span.LastTry())
		if left <= 0 {
			return subnet.Object{}, err
		}
		if err := actor.Pause(ctx, min(left, pollEvery)); err != nil {
			return subnet.Object{}, err
		}
	}
}

// triesOfDownload is how often a download is begun that breaks off.
const triesOfDownload = 3

// fetchVersion downloads one version of an object, in the time that the settings
// give it; a download that breaks off goes on where it was. The file is to be dropped.
func (n *neuron) fetchVersion(ctx context.Context, p peer, object subnet.Object, limit int64) (*arrived, error) {
	role := ctx
	ctx, cancel := context.WithTimeout(ctx, seconds(n.cfg.Fetch.TimeoutSec))
	defer cancel()
	f, err := n.arrive(fmt.Sprintf("%d-%s", p.UID, object.Key), object.Key)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		err = p.bucket.Get(ctx, object, f, limit)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, subnet.ErrTemporary) || try == triesOfDownload || actor.Pause(ctx, pollEvery) != nil {
			break
		}
	}
	if role.Err() == nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("get %s: it took longer than %v s", object.Key, n.cfg.Fetch.TimeoutSec)
	}
	return nil, errors.Join(err, f.drop())
}
