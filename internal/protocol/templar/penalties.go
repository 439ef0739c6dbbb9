package templar

import (
	"math"
	"time"
)

// Penalties says what a miner's final score and its moving average of indicators
// are multiplied with, and for what.
type Penalties struct {
	// Inactive is for each window without a gradient in the last ones. After
	// reset_inactivity_windows of them all that is known of the miner is dropped.
	Inactive float64
	// Missing are for the first gradient that could not be gathered, the second in
	// a row, and so on; the last stands for all that follow.
	Missing []float64
	// MissingLost makes that nought where fewer than gather_peers_slash_threshold
	// of all gradients could be gathered, as upstream means it.
	MissingLost bool
	// FaultMissing punishes the miner also where it was the fetching that failed.
	FaultMissing bool
	// Of MissingOf windows at most MissingMost may be missing, else the miner is
	// banned for MissingBan windows. 0 counts none.
	MissingOf, MissingMost, MissingBan int
	// MissingEval is for a gradient that could not be evaluated for want of it.
	MissingEval float64
	// RateMissing gives a missing or invalid gradient a match of its own, with
	// missing_gradient_penalty_score, in the rating of skill.
	RateMissing bool
	// Behind is for a gathered miner whose model is more steps behind than
	// sync_max_steps_behind, or which does not say.
	Behind float64
	// Overlap of idx_overlap_threshold costs the factor OverlapHigh, of
	// OverlapMax everything, and of OverlapMega a ban of OverlapBan windows too;
	// from step OverlapFrom on.
	OverlapHigh, OverlapMax, OverlapMega float64
	OverlapFrom                          int64
	OverlapBan                           int
	// More than NegativeMost of NegativeOf evaluations below nought cost the
	// factor Negative, unless the miner at rank NegativeWaivedAt was below nought
	// as well. 0 counts none.
	NegativeOf, NegativeMost, NegativeWaivedAt int
	Negative                                   float64
}

// A Standing is what a validator knows of a miner besides its skill.
type Standing struct {
	Final  float64
	Moving float64 // of indicators
	Sync   float64

	Evaluations int64
	Waiting     int64 // windows since it was last looked at, and one
	// Missed and Below are the last windows, the newest last: whether its
	// gradient was missing, and whether its score was below nought.
	Missed, Below []bool

	Inactive      bool
	InactiveSince Window
	Banned        bool // until BannedUntil, this window not included
	BannedUntil   Window
}

// smallest is the least score that is not nought.
const smallest = 1e-4

// punish multiplies what is positive of a standing.
func (s *Standing) punish(factor float64) {
	for _, v := range []*float64{&s.Final, &s.Moving} {
		if *v > 0 {
			if *v *= factor; *v < smallest {
				*v = 0
			}
		}
	}
}

// reset forgets what a miner has achieved, but not that it is banned.
func (s *Standing) reset() {
	*s = Standing{Waiting: s.Waiting, Banned: s.Banned, BannedUntil: s.BannedUntil}
}

// ban bans a miner for so many windows.
func (s *Standing) ban(w Window, windows int) {
	until := w + Window(windows)
	if !s.Banned || s.BannedUntil < until {
		s.Banned, s.BannedUntil = true, until
	}
}

// Naughty says whether a miner is neither evaluated nor gathered in a window.
func (s *Standing) Naughty(w Window) bool { return s.Banned && w < s.BannedUntil }

// Reregistered is for a uid that another hotkey has now: it starts anew, banned or
// not.
func (s *Standing) Reregistered() { *s = Standing{Waiting: 1} }

// Activity notes whether a miner is active in a window. It says whether it was
// reset, so that its skill is to be forgotten too.
func (r Rules) Activity(s *Standing, w Window, active bool) (reset bool) {
	switch {
	case active:
		s.Inactive = false
		return false
	case !s.Inactive:
		s.Inactive, s.InactiveSince = true, w
	}
	if w > s.InactiveSince+Window(r.Sparse.ResetInactivityWindows) {
		s.reset()
		return true
	}
	s.punish(r.Penalties.Inactive)
	return false
}

// Gathered notes whether a gradient of those that were to be gathered was there,
// when so great a share of all were. It says whether the miner was reset.
func (r Rules) Gathered(s *Standing, w Window, missing bool, success float64) (reset bool) {
	p := r.Penalties
	s.Missed = note(s.Missed, missing, max(p.MissingOf, 1))
	if !missing {
		return false
	}
	if p.MissingOf > 0 && count(s.Missed) > p.MissingMost {
		s.ban(w, p.MissingBan)
		s.reset()
		return true
	}
	if p.MissingLost && success < r.Sparse.GatherPeersSlashThreshold {
		s.punish(0)
		return false
	}
	if n := len(p.Missing); n > 0 {
		s.punish(p.Missing[min(inARow(s.Missed), n)-1])
	}
	return false
}

// An Evaluation is what came of looking at a miner's gradient.
type Evaluation int

// The evaluations.
const (
	Evaluated Evaluation = iota
	NotThere             // or not in time
	Fault                // it could not be fetched, by nobody's fault
	Invalid              // what was there is no gradient of the model
)

// Looked notes what came of an evaluation, of the gradient's score where there is
// one. It returns the score that counts in the rating of skill, and whether there
// is any.
func (r Rules) Looked(s *Standing, what Evaluation, score float64) (rated float64, rate bool) {
	p := r.Penalties
	switch what {
	case Evaluated:
		s.Evaluations++
		s.Below = note(s.Below, score < 0, max(p.NegativeOf, belowKept))
		return score, true
	case Fault:
		if !p.FaultMissing {
			return 0, false
		}
		s.punish(p.MissingEval)
	case NotThere:
		s.punish(p.MissingEval)
	case Invalid:
		s.Final = 0
	}
	return r.Sparse.MissingGradientPenalty, p.RateMissing && what != Fault
}

// belowKept is how many evaluations a validator remembers.
const belowKept = 20

// NegativeWaived says whether scores below nought are forgiven in a window, since
// even good miners have them: the one at a high rank has.
func (r Rules) NegativeWaived(scores []float64) bool {
	at := r.Penalties.NegativeWaivedAt
	if at == 0 || len(scores) < at {
		return false
	}
	better := 0
	for _, s := range scores {
		if s >= 0 {
			better++
		}
	}
	return better < at
}

// Negative punishes a miner whose gradients have mostly done harm.
func (r Rules) Negative(s *Standing, waived bool) {
	p := r.Penalties
	if p.NegativeOf == 0 || waived {
		return
	}
	last := s.Below[max(0, len(s.Below)-p.NegativeOf):]
	if count(last) > p.NegativeMost {
		s.punish(p.Negative)
	}
}

// Excluded says whether a miner is not gathered since its last gradients all did
// harm.
func (r Rules) Excluded(s *Standing, waived bool) bool {
	h := r.Sparse
	return h.ExcludeNegativePeers && !waived && h.ConsecutiveNegative > 0 && int64(inARow(s.Below)) >= h.ConsecutiveNegative
}

// Synced punishes a gathered miner whose model is too far behind; one that does
// not say is infinitely far.
func (r Rules) Synced(s *Standing, behind float64) {
	if !(behind <= r.Sparse.SyncMaxStepsBehind) {
		s.punish(r.Penalties.Behind)
	}
}

// A Severity is how grave an overlap is.
type Severity int

// The severities.
const (
	NoOverlap Severity = iota
	HighOverlap
	MaxOverlap
	MegaOverlap
)

func (s Severity) String() string { return [...]string{"none", "high", "max", "mega"}[s] }

// Severity judges an overlap, from 0 to 1, after so many steps: that of
// [adit/internal/score.Likeness].
func (r Rules) Severity(overlap float64, step int64) Severity {
	p := r.Penalties
	switch {
	case step < p.OverlapFrom || math.IsNaN(overlap) || overlap < r.Sparse.IdxOverlapThreshold:
		return NoOverlap
	case overlap >= p.OverlapMega:
		return MegaOverlap
	case overlap >= p.OverlapMax:
		return MaxOverlap
	}
	return HighOverlap
}

// Copier says which of a pair is the copier: the later upload, the second if they
// are of one time.
func Copier(a, b time.Time) int {
	if a.After(b) {
		return 0
	}
	return 1
}

// Overlapped punishes the copier of a pair. It says whether it was reset.
func (r Rules) Overlapped(s *Standing, w Window, how Severity) (reset bool) {
	switch how {
	case HighOverlap:
		s.punish(r.Penalties.OverlapHigh)
	case MegaOverlap:
		s.ban(w, r.Penalties.OverlapBan)
		fallthrough
	case MaxOverlap:
		s.reset()
		return true
	}
	return false
}

// note appends to the last n of what was noted.
func note(list []bool, v bool, n int) []bool {
	list = append(list, v)
	return append([]bool(nil), list[max(0, len(list)-n):]...)
}

func count(list []bool) (n int) {
	for _, v := range list {
		if v {
			n++
		}
	}
	return n
}

// inARow returns how many of the last ones are set.
func inARow(list []bool) (n int) {
	for i := len(list) - 1; i >= 0 && list[i]; i-- {
		n++
	}
	return n
}
