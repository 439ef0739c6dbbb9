package templar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"adit/internal/protocol/actor"
	"adit/internal/score"
	"adit/internal/subnet"
)

// A sparseValidator is a validator of the generations with pseudo-gradients.
type sparseValidator struct {
	*sparse
	book   *standings
	skill  score.PlackettLuce
	theta  [][]float32 // the model before a window's outer step
	active map[subnet.UID]bool
	// showing are the values of the model, before the step, that miners show of theirs.
	showing map[string][2]float32
}

// validateSparse judges one window after another, until ctx is done.
func validateSparse(ctx context.Context, env subnet.Env) error {
	return playSparseValidator(ctx, env, func(*sparseValidator) {})
}

// playSparseValidator does so with a validator that prepare has had a look at.
func playSparseValidator(ctx context.Context, env subnet.Env, prepare func(*sparseValidator)) error {
	n, err := newNeuron(env)
	if err != nil {
		return err
	}
	s, err := n.newSparse(ctx)
	if err != nil {
		return actor.Ended(ctx, err)
	}
	defer s.close()
	h := n.rules.Sparse
	v := &sparseValidator{sparse: s, book: n.openStandings(), skill: score.NewPlackettLuce(h.OpenSkillBeta, h.OpenSkillTau)}
	prepare(v)
	if err := v.join(ctx, true, func() error { return v.restore(&v.sparseProgress) }, v.before); err != nil {
		return actor.Ended(ctx, err)
	}
	for {
		current, _, err := v.sparse.window(ctx)
		if err == nil {
			err = v.window(ctx, current)
		}
		if ctx.Err() != nil {
			return nil
		}
		if isUnregistered(err) {
			return err
		}
		if err != nil {
			v.Warn("lost", fmt.Sprintf("window %d was not judged to its end", v.book.Window), err, slog.Uint64("window", uint64(v.book.Window)))
		}
		if err := v.waitWindow(ctx, current+1); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			v.Warn("retry", "the chain does not answer", err)
			if actor.Pause(ctx, askPause) != nil {
				return nil
			}
		}
	}
}

// before returns the window that is judged in a current one: all before it are
// merged.
func (v *sparseValidator) before(current Window) Window {
	w, _ := v.rules.Judged(current)
	return w
}

// window does a validator's round in a current window: it is about the one before.
func (v *sparseValidator) window(ctx context.Context, current Window) error {
	began := time.Now()
	var err error
	if v.roster, err = v.refresh(ctx, v.roster); err != nil {
		return err
	}
	v.book.enrol(v.roster.meta, v.skill)
	v.active = v.whoIsActive(ctx, current)
	v.post(ctx, current)
	if err := v.catchUp(ctx, v.before); err != nil {
		return err
	}
	if err := v.comeBack(ctx, v.before); err != nil {
		return err
	}
	w, ok := v.rules.Judged(current)
	if !ok || v.Known && v.Window >= w {
		return nil
	}
	list := v.peersAt(w)
	if v.null(w, list) {
		return v.skip(w)
	}
	v.book.begin(w)
	if err := v.judge(ctx, w, current, list); err != nil {
		return err
	}
	v.setWeights(ctx)
	v.clean(ctx, w)
	v.Say("judged", fmt.Sprintf("Judged window %d: %d miners evaluated.", w, len(v.book.Results)), slog.Uint64("window", uint64(w)),
		slog.Int64("global_step", v.Step), slog.Int("evaluated_uids", len(v.book.Results)), slog.Int("active_miners", len(v.active)), slog.Duration("window_total", time.Since(began)))
	return nil
}

// judge gathers a window, scores its miners, and takes its outer step.
func (v *sparseValidator) judge(ctx context.Context, w, current Window, list PeerList) error {
	c, err := v.gather(ctx, w, list)
	if err != nil {
		return err
	}
	m, err := v.mergeGathered(ctx, w, list, c)
	if err != nil {
		return err
	}
	if v.showing, err = v.shown(); err != nil {
		return err
	}
	if v.book.Stage == begun {
		v.punish(ctx, w, c)
		v.book.Chosen = v.choose(w)
		v.book.Stage = punished
		v.keep()
	}
	if v.book.Stage == punished && len(c.updates) > 0 {
		if err := v.evaluate(ctx, w, current, c); err != nil {
			return err
		}
		v.conclude(ctx, w)
		v.book.Stage = judged
		v.keep()
	}
	if err := v.take(w, m); err != nil {
		return err
	}
	if m != nil {
		if err := v.moved(); err != nil {
			return err
		}
	}
	v.keep()
	if err := v.showDebug(ctx, w, c, true); err != nil && ctx.Err() == nil {
		v.Warn("debug", "the debug object did not get into the bucket", err)
	}
	if m != nil && v.rules.CheckpointDue(uint64(v.Step)) {
		if err := v.saveCheckpoint(ctx, w); err != nil && ctx.Err() == nil {
			v.Warn("checkpoint", "the checkpoint did not get into the bucket", err)
		}
	}
	if v.cfg.Save.EverySec == 0 || v.saves.due() {
		return v.save(v.sparseProgress, func(string) error { return nil })
	}
	if v.saves.last.IsZero() {
		v.saves.last = time.Now()
	}
	return nil
}

// mergeGathered returns what the gradients come to, and shows it to those who join.
func (v *sparseValidator) mergeGathered(ctx context.Context, w Window, list PeerList, c *collection) (merge, error) {
	if v.sums != nil {
		m, err := v.sums.merged(ctx, w, list, c)
		if err != nil || m != nil {
			return m, err
		}
	}
	if len(c.updates) == 0 {
		return nil, nil
	}
	if v.sums == nil && v.roster.leads() {
		if err := v.showGathered(ctx, w, c); err != nil && ctx.Err() == nil {
			v.Warn("aggregate", "what was gathered did not get into the bucket", err, slog.Uint64("window", uint64(w)))
		}
	}
	return v.rules.means(c.updates), nil
}

// keep writes the standings.
func (v *sparseValidator) keep() {
	if err := v.WriteJSON(standingsFile, v.book); err != nil {
		v.Warn("save", "the scores could not be written", err)
	}
}

// whoIsActive asks every bucket whether it has a gradient of one of the last windows.
func (v *sparseValidator) whoIsActive(ctx context.Context, current Window) map[subnet.UID]bool {
	active := make(map[subnet.UID]bool)
	var mu sync.Mutex
	var all sync.WaitGroup
	slots := make(chan struct{}, v.cfg.Fetch.Parallel)
	for _, p := range v.roster.peers {
		if p.Hotkey == v.Me {
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			for _, w := range v.rules.ActiveWindows(current) {
				name := Name{Kind: GradientObject, Window: w, UID: p.UID, Version: v.rules.Version}
				_, err := p.bucket.Stat(ctx, name.String())
				// While a bucket does not answer, its miner is what it was.
				if err == nil || errors.Is(err, subnet.ErrTemporary) && v.active[p.UID] {
					mu.Lock()
					active[p.UID] = true
					mu.Unlock()
					return
				}
			}
		})
	}
	all.Wait()
	return active
}

// post chooses the next peers and shows them, if this validator is the leader; and
// otherwise repeats what the leader shows.
func (v *sparseValidator) post(ctx context.Context, current Window) {
	about := v.before(current)
	v.plan.At(about)
	if !v.roster.leads() {
		v.learnPeers(ctx, current, about)
		v.repeat(ctx, v.plan.Now)
		if v.plan.HasNext {
			v.repeat(ctx, v.plan.Next)
		}
		return
	}
	if !v.plan.any {
		v.learnPeers(ctx, current, about) // its own, of before a restart, or those of the leader before it
	}
	from, due := v.rules.PeersDue(current, v.book.Posted, !v.book.HasPosted)
	if !due {
		return
	}
	initial := !v.book.HasPosted && len(v.plan.Now.Peers) == 0
	weights := make(map[subnet.UID]float64)
	for _, x := range v.book.weights(v.rules) {
		weights[x.UID] = x.Value
	}
	var candidates []Candidate
	for _, p := range v.roster.peers {
		s := v.book.Miners[p.UID]
		candidates = append(candidates, Candidate{
			UID: p.UID, Active: v.active[p.UID], Incentive: p.Incentive, Weight: weights[p.UID],
			Naughty: s.Naughty(current) || v.rules.Excluded(&s.Standing, false),
		})
	}
	list, err := v.rules.ChoosePeers(candidates, initial, current, from, rand.New(rand.NewPCG(uint64(current), 1)))
	if err != nil {
		v.Note("peers", "no peers are chosen yet", slog.String("reason", err.Error()))
		return
	}
	name := Name{Kind: PeersObject, Window: from, Version: v.rules.Version}
	if err := v.putJSON(ctx, name.String(), list, true); err != nil {
		if ctx.Err() == nil {
			v.Warn("peers", "the list of peers did not get into the bucket", err)
		}
		return
	}
	// What stands there may be of before a restart.
	if data, err := readSmall(ctx, v.own, name.String(), MaxJSON); err == nil {
		if there, err := ParsePeers(data); err == nil {
			list = there
		}
	}
	v.book.Posted, v.book.HasPosted = current, true
	v.keep()
	if !v.plan.any {
		v.plan.Now, v.plan.any = list, true
	} else {
		v.plan.Learn(list)
	}
	v.Say("peers", fmt.Sprintf("Posted %d peers and %d in reserve, from window %d on.", len(list.Peers), len(list.Reserve), from),
		slog.Any("peers", list.Peers), slog.Any("reserve_peers", list.Reserve), slog.Uint64("window", uint64(from)))
	if kept := Window(keptPeers); from > kept {
		if err := v.own.Remove(ctx, Name{Kind: PeersObject, Window: from - kept, Version: v.rules.Version}.String()); err != nil && ctx.Err() == nil {
			v.Warn("clean", "an old list of peers is still in the own bucket", err)
		}
	}
}

// setWeights sets weights when it is time, and once more in each window until they
// are set. What is to be set is written down before it is sent.
func (v *sparseValidator) setWeights(ctx context.Context) {
	b := v.book
	if v.rules.WeightsDue(Moment{Window: b.Window}) {
		b.Due, b.HasDue = b.Window, true
	}
	if !b.HasDue {
		return
	}
	key := fmt.Sprintf("weights/%d", b.Due)
	weights := b.weights(v.rules)
	standing, err := v.Journal.Intend(key, actor.JSON(weights))
	if err == nil {
		err = json.Unmarshal([]byte(standing), &weights)
	}
	if err != nil {
		v.Warn("weights-failed", "weights could not be written down", err)
		return
	}
	if _, done := v.Journal.Result(key); !done {
		block, err := v.Chain.SetWeights(ctx, weights)
		if err != nil {
			if ctx.Err() == nil {
				v.Warn("weights-failed", "weights were not set", err)
			}
			return
		}
		if err := v.Journal.Done(key, fmt.Sprint(block)); err != nil {
			v.Warn("weights-failed", "that weights were set could not be written down", err)
		}
		v.Say("weights-set", fmt.Sprintf("Set weights of %d miners in block %d.", len(weights), block), slog.Uint64("block", uint64(block)), slog.Int("miners", len(weights)))
		for _, w := range weights {
			v.Note("weight", "weight", slog.Int("uid", int(w.UID)), slog.Float64("weight", w.Value))
		}
	}
	b.HasDue, b.Set = false, weights
	v.keep()
}
