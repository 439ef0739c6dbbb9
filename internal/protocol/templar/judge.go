package templar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"adit/internal/compress"
	"adit/internal/score"
	"adit/internal/subnet"
)

// punish is what a window costs those who were not there, are behind, or copied,
// before anybody is evaluated.
func (v *sparseValidator) punish(ctx context.Context, w Window, c *collection) {
	for _, uid := range v.book.uids() {
		s := v.book.Miners[uid]
		if s.Evaluations == 0 && s.Final == 0 {
			continue // nothing is thought of it yet
		}
		if v.rules.Activity(&s.Standing, w, v.active[uid]) {
			v.resetMiner(uid, w, "inactive for too long")
		} else if !v.active[uid] {
			v.slashed(uid, w, "inactive", nil)
		}
	}
	success := c.success()
	for _, uid := range c.asked {
		s := v.book.Miners[uid]
		if s == nil {
			continue
		}
		why, missing := c.missing[uid]
		if errors.Is(why, subnet.ErrTemporary) && !v.rules.Penalties.FaultMissing {
			continue // which is nobody's fault
		}
		if v.rules.Gathered(&s.Standing, w, missing, success) {
			v.resetMiner(uid, w, "missing too often")
		} else if missing {
			v.slashed(uid, w, "its gradient was not gathered", why)
		}
	}
	v.findCopies(w, c)
	for _, u := range c.updates {
		s := v.book.Miners[u.from.UID]
		if s == nil {
			continue
		}
		behind := v.behind(ctx, w, u.from.UID)
		s.Sync = v.rules.SyncScore(behind)
		v.rules.Synced(&s.Standing, behind)
		if !(behind <= v.rules.Sparse.SyncMaxStepsBehind) {
			v.slashed(u.from.UID, w, fmt.Sprintf("its model is %.2f steps behind", behind), nil)
		}
	}
}

func (v *sparseValidator) slashed(uid subnet.UID, w Window, reason string, why error) {
	s := v.book.Miners[uid]
	if why != nil {
		reason += ": " + why.Error()
	}
	v.Say("slash", fmt.Sprintf("Slashed uid %d in window %d: %s. Final score %.6g.", uid, w, reason, s.Final),
		slog.Int("uid", int(uid)), slog.Uint64("window", uint64(w)), slog.String("reason", reason), slog.Float64("final_score", s.Final), slog.Float64("moving", s.Moving))
}

// resetMiner tells of a miner of whom everything was forgotten, and forgets its skill
// too.
func (v *sparseValidator) resetMiner(uid subnet.UID, w Window, reason string) {
	v.book.Miners[uid].Rating = v.skill.New()
	v.slashed(uid, w, reason+": all is forgotten", nil)
}

// findCopies punishes who has sent the same indices as somebody before. All pairs are
// compared by a sample of chunks that nobody knew before, and those that are alike in
// it exactly.
//
// Unlike upstream, chunks of which all is sent are left out: all are alike in them.
func (v *sparseValidator) findCopies(w Window, c *collection) {
	if len(c.updates) < 2 || v.rules.Severity(1, v.Step) == NoOverlap {
		return
	}
	chunks := 0
	for _, p := range c.updates[0].parts {
		if chosenFrom(p) {
			chunks += p.Grid.Chunks()
		}
	}
	if chunks == 0 {
		return
	}
	sampling, err := score.NewSampling(chunks, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	if err != nil {
		v.Warn("copies", "copies are not looked for", err)
		return
	}
	first := slices.Clone(c.updates)
	slices.SortStableFunc(first, func(a, b *update) int { return a.object.Modified.Compare(b.object.Modified) })
	sketches := make([]*score.Sketch, len(first))
	for i, u := range first {
		sketches[i] = sampling.Sketch()
		at := 0
		for _, p := range u.parts {
			if !chosenFrom(p) {
				continue
			}
			p.Each(func(chunk int, index []uint16, value []float32) {
				err = errors.Join(err, sketches[i].Add(at+chunk, index, value))
			})
			at += p.Grid.Chunks()
		}
	}
	if err != nil {
		v.Warn("copies", "copies are not looked for", err)
		return
	}
	h := v.rules.Sparse
	copies, err := sampling.Copies(sketches, score.Limits{Overlap: h.IdxOverlapThreshold}, func(a, b int) (score.Likeness, error) {
		return likeness(first[a].parts, first[b].parts)
	})
	if err != nil {
		v.Warn("copies", "copies are not looked for", err)
		return
	}
	worst := make(map[subnet.UID]score.Copy)
	for _, found := range copies {
		uid := first[found.Copy].from.UID
		if found.Overlap > worst[uid].Overlap {
			worst[uid] = found
		}
	}
	for _, uid := range slices.Sorted(maps.Keys(worst)) {
		found := worst[uid]
		s := v.book.Miners[uid]
		how := v.rules.Severity(found.Overlap, v.Step)
		if s == nil || how == NoOverlap {
			continue
		}
		of := first[found.Original].from.UID
		reason := fmt.Sprintf("%.0f%% of its indices are those of uid %d, which was first (%v)", 100*found.Overlap, of, how)
		if v.rules.Overlapped(&s.Standing, w, how) {
			v.resetMiner(uid, w, reason)
		} else {
			v.slashed(uid, w, reason, nil)
		}
	}
}

// chosenFrom says whether a sender had to choose what it sends of a parameter.
func chosenFrom(p *compress.Part) bool { return p.Keep < p.Grid.Size() }

// likeness compares two gradients in all chunks.
func likeness(a, b []*compress.Part) (score.Likeness, error) {
	var c score.Comparison
	var err error
	for i, p := range a {
		if !chosenFrom(p) {
			continue
		}
		theirs := make([]uint16, 0, p.Grid.Chunks()*p.Keep)
		b[i].Each(func(_ int, index []uint16, _ []float32) { theirs = append(theirs, index...) })
		p.Each(func(chunk int, index []uint16, _ []float32) {
			err = errors.Join(err, c.Add(index, nil, theirs[chunk*p.Keep:][:p.Keep], nil))
		})
	}
	return c.Likeness(), err
}

// shown returns the values of the model that miners show of theirs.
func (v *sparseValidator) shown() (map[string][2]float32, error) {
	shown := make(map[string][2]float32)
	for _, p := range v.layout {
		wire, err := v.wireValues(p)
		if err != nil {
			return nil, err
		}
		if two, ok := DebugOf(wire, false); ok {
			shown[p.Name] = two
		}
	}
	return shown, nil
}

// moved averages how far these values have gone.
func (v *sparseValidator) moved() error {
	before := v.showing
	after, err := v.shown()
	if err != nil {
		return err
	}
	for name, two := range after {
		old, known := v.book.Changes[name]
		for i := range two {
			old[i] = MovingChange(old[i], float64(two[i])-float64(before[name][i]), !known)
		}
		v.book.Changes[name] = old
	}
	return nil
}

// behind returns by how many outer steps a miner's model differs from the
// validator's, as it says of the window before; infinite if it does not say. The
// validator's own values are those of v.showing.
func (v *sparseValidator) behind(ctx context.Context, w Window, uid subnet.UID) float64 {
	p, ok := v.roster.peer(uid)
	if !ok || w == 0 {
		return math.Inf(1)
	}
	if v.null(w-1, v.peersAt(w)) || len(v.book.Changes) == 0 {
		return 0 // nothing was merged in it
	}
	name := Name{Kind: DebugObject, Window: w - 1, UID: uid, Version: v.rules.Version}
	data, err := readSmall(ctx, p.bucket, name.String(), MaxDebug)
	if err != nil {
		return math.Inf(1)
	}
	d, err := DecodeDebug(&paper{data}, int64(len(data)))
	if err != nil {
		v.refuse(p.Neuron, name, err)
		return math.Inf(1)
	}
	ours := v.showing
	var steps []float64
	for _, x := range d.Values {
		own, known := ours[x.Name]
		if !known {
			continue
		}
		change := v.book.Changes[x.Name]
		for i := range own {
			steps = append(steps, StepsBehind(float64(x.Values[i]), float64(own[i]), change[i]))
		}
	}
	if len(steps) < 2*len(ours) {
		return math.Inf(1) // it leaves some out
	}
	return v.rules.AverageBehind(steps)
}

// choose draws who is evaluated in a window.
func (v *sparseValidator) choose(w Window) []subnet.UID {
	var list []EvalCandidate
	for _, p := range v.roster.peers {
		s := v.book.Miners[p.UID]
		const rao = 1e9
		if p.Hotkey != v.Me && MayBeEvaluated(&s.Standing, w, v.active[p.UID], float64(p.Stake)/rao) {
			list = append(list, EvalCandidate{p.UID, s.Ordinal(), s.Waiting})
		}
	}
	chosen := v.rules.ChooseEvaluated(list, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	for _, c := range list {
		s := v.book.Miners[c.UID]
		s.Waiting++
		if slices.Contains(chosen, c.UID) {
			s.Waiting = 1
		}
	}
	return chosen
}

// evaluate looks what the gradients of those who were chosen do to the loss. It ends
// with the window; whose turn did not come waits.
func (v *sparseValidator) evaluate(ctx context.Context, w, current Window, c *collection) error {
	within, cancel := v.within(ctx, current)
	defer cancel()
	shard, err := v.text.at(within, v.Step)
	if err != nil {
		return fmt.Errorf("text to evaluate on: %w", err)
	}
	if v.theta, err = v.snapshot(v.theta); err != nil {
		return err
	}
	medians := medianNorms(c.updates, len(v.params))
	span, err := v.span(ctx, w)
	if err != nil {
		return err
	}
	h := v.rules.Sparse
	k := int(h.ValidatorSampleMicroBS * h.MicroBatchSize)
	// Text that is nobody's: the uid is beyond all that are registered.
	const noUIDs = 1000
	other, err := Pool(subnet.UID(noUIDs+rand.IntN(1<<16-noUIDs)), w, shard.samples, h.PoolSize())
	if err != nil {
		return err
	}
	random, err := shard.sequences(EvalDraw(0, w, rand.Uint64(), other, k))
	if err != nil {
		return err
	}
	before, err := v.model.Loss(within, subnet.Sample{Given: random})
	if err != nil {
		return err
	}
	slots := make(chan struct{}, 1)
	for _, uid := range v.book.Chosen {
		if _, done := v.book.Results[uid]; done {
			continue
		}
		x := verdict{Window: w, RandomBefore: before.Mean}
		u, err := v.gathered(within, w, span, uid, c, slots)
		if err == nil {
			err = v.try(within, u, medians, shard, random, k, &x)
			if back := v.restoreParams(v.theta); back != nil {
				return errors.Join(err, back)
			}
		}
		if within.Err() != nil {
			break
		}
		switch {
		case err == nil:
		case errors.Is(err, subnet.ErrNotFound) || errors.Is(err, errDummy) || errors.Is(err, errTooLate):
			x.What, x.Reason = NotThere, err.Error()
		case errors.Is(err, subnet.ErrTemporary):
			x.What, x.Reason = Fault, err.Error()
		default:
			x.What, x.Reason = Invalid, err.Error()
		}
		v.book.Results[uid] = x
		v.keep()
	}
	return ctx.Err()
}

// gathered returns the gradient of a miner, which may have been gathered already.
func (v *sparseValidator) gathered(ctx context.Context, w Window, span Span, uid subnet.UID, c *collection, slots chan struct{}) (*update, error) {
	for _, u := range c.updates {
		if u.from.UID == uid {
			return u, nil
		}
	}
	if err, asked := c.missing[uid]; asked {
		return nil, err
	}
	return v.update(ctx, w, span, uid, slots)
}

// try looks what a gradient does to the loss on its miner's own text and on other
// text. It leaves the model changed.
func (v *sparseValidator) try(ctx context.Context, u *update, medians []float64, shard *openShard, random []subnet.Sequence, k int, x *verdict) error {
	uid := u.from.UID
	pool, err := Pool(uid, x.Window, shard.samples, v.rules.Sparse.PoolSize())
	if err != nil {
		return err
	}
	if digest, err := shard.digest(pool); err == nil && u.digest != digest {
		v.Note("digest", "a miner's pool is not the one that is its", slog.Int("uid", int(uid)), slog.String("digest", u.digest), slog.String("want", digest))
	}
	own, err := shard.sequences(EvalDraw(uid, x.Window, uint64(time.Now().UnixNano()), pool, k))
	if err != nil {
		return err
	}
	loss := func(given []subnet.Sequence, into *float64) {
		if err == nil {
			var l subnet.Loss
			l, err = v.model.Loss(ctx, subnet.Sample{Given: given})
			*into = min(l.Mean, math.MaxFloat32) // which JSON can hold
		}
	}
	loss(own, &x.OwnBefore)
	if err == nil {
		err = v.apply(u, medians)
	}
	loss(own, &x.OwnAfter)
	loss(random, &x.RandomAfter)
	if err != nil {
		return err
	}
	x.What = Evaluated
	x.Score = GradientScore(x.RandomBefore, x.RandomAfter)
	x.Better = Better(GradientScore(x.OwnBefore, x.OwnAfter), x.Score)
	switch {
	case x.Score <= 0:
		x.Reason = "it does not lower the loss on other text"
	case !x.Better:
		x.Reason = "it does no more for its own text than for other text"
	default:
		x.Reason = "it lowers the loss, most of all on its own text"
	}
	return nil
}

// apply takes a part of the outer step with one gradient alone, clipped as in the
// merge.
func (v *sparseValidator) apply(u *update, medians []float64) error {
	lr := float32(v.rules.Sparse.OuterLearningRate * v.rules.Sparse.EvalLRFactor)
	for i, p := range v.layout {
		n := p.Len()
		wire, theta := v.floats(0, n), v.floats(1, n)
		if err := decodePart(wire, u.parts[i], v.rules.Sparse.UseDCT); err != nil {
			return err
		}
		factor := float32(1)
		if norm := u.parts[i].Norm(); norm > medians[i] {
			factor = float32(medians[i] / norm)
		}
		step := wire
		if p.heads > 0 {
			step = v.floats(2, n)
			p.fromWire(step, wire)
		}
		for j, g := range step {
			theta[j] = v.theta[i][j] - float32(lr*factor*g)
		}
		if err := v.model.Write(p.engine, theta); err != nil {
			return err
		}
	}
	return nil
}

// decodePart sets dst to what one sender says of a parameter.
func decodePart(dst []float32, p *compress.Part, dct bool) error {
	if !dct {
		return p.Decode(dst)
	}
	g := compress.Gatherer{Cosine: true}
	return g.Gather(dst, []*compress.Part{p})
}

// medianNorms returns, for each parameter, the lower median of the gradients' lengths.
func medianNorms(updates []*update, params int) []float64 {
	medians := make([]float64, params)
	for i := range medians {
		norms := make([]float64, len(updates))
		for k, u := range updates {
			norms[k] = u.parts[i].Norm()
		}
		medians[i] = score.LowerMedian(norms)
	}
	return medians
}

// conclude makes the scores of a window: the rating of all who were evaluated
// against one another, and of each what it is worth.
func (v *sparseValidator) conclude(ctx context.Context, w Window) {
	uids := slices.Sorted(maps.Keys(v.book.Results))
	var players []subnet.UID
	var before []score.Rating
	var scores, good []float64
	for _, uid := range uids {
		x := v.book.Results[uid]
		s := v.book.Miners[uid]
		if x.What == Evaluated {
			good = append(good, x.Score)
			s.Moving = v.rules.MovingBinary(s.Moving, x.Better)
		}
		rated, rate := v.rules.Looked(&s.Standing, x.What, x.Score)
		if x.Rated = rate; rate {
			players, before, scores = append(players, uid), append(before, s.Rating), append(scores, rated)
		}
		v.book.Results[uid] = x
	}
	if len(players) > 1 {
		after, err := v.skill.Rate(before, scores)
		if err != nil {
			v.Warn("rating", "the skills stay as they are", err)
		}
		for i := range after {
			v.book.Miners[players[i]].Rating = after[i]
		}
	}
	waived := v.rules.NegativeWaived(good)
	for _, uid := range uids {
		x, s := v.book.Results[uid], v.book.Miners[uid]
		if x.What == Evaluated {
			if s.Sync == 0 {
				x.Behind = v.behindOnce(ctx, w, uid, s)
			}
			s.Final = v.rules.Final(s.Ordinal(), s.Moving, s.Sync, s.Evaluations)
			v.rules.Negative(&s.Standing, waived)
		}
		x.Skill, x.Moving, x.Sync, x.Final = s.Ordinal(), s.Moving, s.Sync, s.Final
		s.Last = append(s.Last, x)
		s.Last = s.Last[max(0, len(s.Last)-keptVerdicts):]
		v.book.Results[uid] = x
		v.tell(uid, s, x)
	}
}

// behindOnce is for a miner that was evaluated and not gathered.
func (v *sparseValidator) behindOnce(ctx context.Context, w Window, uid subnet.UID, s *standing) float64 {
	behind := v.behind(ctx, w, uid)
	s.Sync = v.rules.SyncScore(behind)
	return min(behind, math.MaxFloat32)
}

// tell explains a score.
func (v *sparseValidator) tell(uid subnet.UID, s *standing, x verdict) {
	words := [...]string{Evaluated: "evaluated", NotThere: "not there", Fault: "could not be fetched", Invalid: "invalid"}
	v.Say("score", fmt.Sprintf("Scored uid %d in window %d: %.6g, %s (%s).", uid, x.Window, x.Final, words[x.What], cmp.Or(x.Reason, "no reason")),
		slog.Int("uid", int(uid)), slog.String("hotkey", string(s.Hotkey)), slog.Uint64("window", uint64(x.Window)),
		slog.String("outcome", words[x.What]), slog.String("reason", x.Reason),
		slog.Float64("own_before", x.OwnBefore), slog.Float64("own_after", x.OwnAfter), slog.Float64("random_before", x.RandomBefore), slog.Float64("random_after", x.RandomAfter),
		slog.Float64("gradient_score", x.Score), slog.Bool("better_on_own", x.Better), slog.Float64("openskill_mu", s.Mu), slog.Float64("openskill_sigma", s.Sigma), slog.Float64("openskill_ordinal", x.Skill),
		slog.Float64("binary_moving_average", x.Moving), slog.Float64("sync_score", x.Sync), slog.Float64("final_score", x.Final))
}
