package templar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"adit/internal/subnet"
)

// A planner is which lists of peers a neuron knows.
type planner struct {
	PeerPlan
	any bool // one is
}

// validators returns who may be believed, the one with the most stake first: the
// leader, and those who stand in for it while it is away.
//
// Unlike upstream, where everybody waits for the one leader for as long as it is
// away. The others have its lists too, since every validator repeats what it has
// learned in its own bucket.
func (t *roster) validators() []peer {
	var list []peer
	var most uint64
	for _, p := range t.peers {
		most = max(most, p.Stake)
	}
	for _, p := range t.peers {
		// Miners may have stake too, but for the leader a permit is not asked for.
		if p.Stake > 0 && (p.Permit || p.Stake == most) {
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, func(a, b peer) int { return cmp.Or(-cmp.Compare(a.Stake, b.Stake), cmp.Compare(a.UID, b.UID)) })
	return list
}

// leads says whether this neuron is the leader: the one with the most stake of all
// that are registered, whether it has a bucket or not.
func (t *roster) leads() bool {
	stake := make(map[subnet.UID]float64)
	for _, n := range t.meta.Neurons {
		stake[n.UID] = float64(n.Stake)
	}
	uid, ok := Leader(stake)
	return ok && uid == t.me.UID
}

// startWindow returns the window in which the run began. The leader says so if
// nobody has; everybody else waits for it.
func (s *sparse) startWindow(ctx context.Context, validates bool) (Window, error) {
	key := Name{Kind: StartWindowObject, Version: s.rules.Version}.String()
	told := false
	for {
		for _, v := range s.roster.validators() {
			data, err := readSmall(ctx, v.bucket, key, MaxJSON)
			if err != nil {
				continue // it has not said so, or is away
			}
			start, err := ParseStartWindow(data)
			if err != nil {
				s.refuse(v.Neuron, Name{Kind: StartWindowObject, Version: s.rules.Version}, err)
				continue
			}
			return start, nil
		}
		if validates && s.roster.leads() {
			w, _, err := s.window(ctx)
			if err != nil {
				return 0, err
			}
			if err := s.putJSON(ctx, key, StartWindow{&w}, true); err != nil {
				return 0, fmt.Errorf("say when the run began: %w", err)
			}
			s.Say("start", fmt.Sprintf("The run begins in window %d.", w), slog.Uint64("window", uint64(w)))
			continue // to read what stands there
		}
		if !told {
			s.Say("waiting", "Waiting for the leader to say in which window the run began.")
			told = true
		}
		if err := s.NextBlock(ctx); err != nil {
			return 0, err
		}
		var err error
		if s.roster, err = s.refresh(ctx, s.roster); err != nil {
			return 0, err
		}
	}
}

// learnPeers sees that the lists of peers are known that count in a window and in
// the next one, where the neuron is about a window that may be an earlier one. Where
// nobody tells, those of before count.
//
// Unlike upstream, which asks only when the next list is about due, and would miss one
// that a leader has posted at another time.
func (s *sparse) learnPeers(ctx context.Context, w, about Window) {
	s.plan.At(about) // or a list would be forgotten for the one after it
	lists, _, err := s.peerLists(ctx, w+Window(s.rules.Sparse.PeerListWindowMargin), 2)
	if err != nil {
		if errors.Is(err, errNoPeers) {
			s.Note("peers", "nobody has posted peers yet")
		} else if ctx.Err() == nil {
			s.Warn("peers", "no list of peers could be read: the last one counts", err)
		}
		return
	}
	for _, l := range lists { // the older first
		before := s.plan.Next.FirstIn
		if !s.plan.any {
			s.plan.Now, s.plan.any = l, true
			continue
		}
		s.plan.At(about)
		if s.plan.Learn(l); s.plan.HasNext && s.plan.Next.FirstIn > before {
			s.Note("peers", fmt.Sprintf("New peers from window %d on.", l.FirstIn), slog.Any("peers", l.Peers), slog.Any("reserve_peers", l.Reserve), slog.Uint64("window", uint64(l.FirstIn)))
		}
	}
	s.plan.At(about) // or a leader that was restarted forgets it for the one that it posts
}

// peersAt returns the list that counts in a window.
func (s *sparse) peersAt(w Window) PeerList {
	if s.plan.HasNext && len(s.plan.Now.Peers) == 0 && w >= s.plan.Next.FirstIn {
		return s.plan.At(w)
	}
	list := s.plan.At(w)
	if list.FirstIn > w {
		return PeerList{}
	}
	return list
}

var errNoPeers = errors.New("no validator has posted peers")

// peerLists returns the last few lists of the leader, or of who stands in for it, that
// take effect in a window or before, the older first.
func (s *sparse) peerLists(ctx context.Context, upTo Window, most int) ([]PeerList, subnet.UID, error) {
	err := errNoPeers
	for _, v := range s.roster.validators() {
		windows, listErr := s.peerWindows(ctx, v, upTo)
		if listErr != nil {
			err = listErr
			continue
		}
		var lists []PeerList
		for _, w := range windows[max(0, len(windows)-most):] {
			name := Name{Kind: PeersObject, Window: w, Version: s.rules.Version}
			data, getErr := readSmall(ctx, v.bucket, name.String(), MaxJSON)
			if getErr != nil {
				err = getErr
				continue
			}
			l, parseErr := ParsePeers(data)
			if parseErr == nil && l.FirstIn != w {
				parseErr = fmt.Errorf("it says that it is for window %d", l.FirstIn)
			}
			if parseErr != nil {
				s.refuse(v.Neuron, name, parseErr)
				continue
			}
			lists = append(lists, l)
		}
		if len(lists) > 0 {
			return lists, v.UID, nil
		}
	}
	return nil, 0, err
}

// peerWindows returns the windows for which a validator has posted peers, ascending.
func (s *sparse) peerWindows(ctx context.Context, v peer, upTo Window) ([]Window, error) {
	var windows []Window
	const page, pages = 1000, 100
	after := ""
	for range pages {
		list, err := v.bucket.List(ctx, "peers_", after, page)
		if err != nil {
			return nil, err
		}
		for _, o := range list {
			after = o.Key
			if n, err := ParseName(o.Key); err == nil && n.Kind == PeersObject && n.Version == s.rules.Version && n.Window <= upTo {
				windows = append(windows, n.Window)
			}
		}
		if len(list) < page {
			break
		}
	}
	slices.Sort(windows)
	return windows, nil
}

// keptPeers is how many windows the lists of a validator stay in its bucket. Who
// catches up wants old ones.
const keptPeers = 1000

// repeat puts what is known of the run into the validator's own bucket, for who
// cannot reach the leader.
func (s *sparse) repeat(ctx context.Context, list PeerList) {
	start := s.Start
	err := s.putJSON(ctx, Name{Kind: StartWindowObject, Version: s.rules.Version}.String(), StartWindow{&start}, true)
	if len(list.Peers) > 0 {
		err = errors.Join(err, s.putJSON(ctx, Name{Kind: PeersObject, Window: list.FirstIn, Version: s.rules.Version}.String(), list, true))
	}
	if err != nil && ctx.Err() == nil {
		s.Warn("peers", "the own bucket does not repeat what the leader says", err)
	}
}
