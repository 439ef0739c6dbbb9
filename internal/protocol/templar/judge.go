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
	s.Slashed = append(s.Slashed, slash{w, reason, s.Final})
	s.Slashed = s.Slashed[max(0, len(s.Slashed)-keptVerdicts):]
	v.Say("slash", fmt.Sprintf("Slashed uid %d in window %d: %s. Final score %.6g.", uid, w, reason, s.Final),
		slog.Int("uid", int(uid)), slog.Uint64("window", uint64(w)), slog.String("reason", reason), slog.Float64("final_score", s.Final), slog.Float64("moving", s.Moving))
}

// resetMiner tells of a miner of whom everything was forgotten, and forgets its skill
// too.
func (v *sparseValidator) resetMiner(uid subnet.UID, w Window, reason string) {
	v.book.Miners[uid].Rating = v.skill.New()
	v.slashed(uid, w, reason+": all is forgotten", nil)
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
