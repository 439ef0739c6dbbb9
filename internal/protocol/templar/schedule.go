package templar

import (
	"time"

	"adit/internal/subnet"
)

// A Window is so many blocks in which every neuron does the same round. Windows
// are counted from block 0.
type Window uint64

// Window returns the window that a block is in.
func (r Rules) Window(b subnet.Block) Window { return Window(b / r.WindowBlocks()) }

// Start returns the first block of a window.
func (r Rules) Start(w Window) subnet.Block { return subnet.Block(w) * r.WindowBlocks() }

// A Span is the time in which what a window brought has to be in its bucket, by
// the clock of the store.
type Span struct{ Min, Max time.Time }

// Uploads returns the span of a window's gradients, of the times at which the
// window and the next one began: those of the blocks [Rules.Start] of both, as the
// chain tells them. A miner trains in the window, and uploads when it is over.
//
// In windows of a few seconds it counts that stores tell whole ones: what comes in
// the moment in which a window begins has a time before it.
func (r Rules) Uploads(began, over time.Time) Span {
	if r.PutShare > 0 {
		return Span{over.Truncate(time.Second), over.Add(time.Duration(float64(over.Sub(began)) * r.PutShare))}
	}
	return Span{over, over.Add(r.Sparse.TimeWindow())}
}

// A Timing says how a time lies to a span.
type Timing int

// The timings.
const (
	InTime Timing = iota
	TooEarly
	TooLate
)

func (t Timing) String() string { return [...]string{"in time", "TOO_EARLY", "TOO_LATE"}[t] }

// Place says how the time of an object lies: both ends of the span are in it.
func (s Span) Place(modified time.Time) Timing {
	switch {
	case modified.Before(s.Min):
		return TooEarly
	case modified.After(s.Max):
		return TooLate
	}
	return InTime
}

// lastTry is how long after the end of a span an object that was not there is
// looked for once more: the store's clock is not ours.
const lastTry = 3 * time.Second

// LastTry returns the time at which an object that was not there is looked for the
// last time. Of the short spans of a network on one machine it is sooner.
func (s Span) LastTry() time.Time { return s.Max.Add(min(lastTry, s.Max.Sub(s.Min)/8)) }

// NullRound says whether nobody merges anything in a window yet: the peers of the
// first ones are not known. Miners train without taking their steps.
func (r Rules) NullRound(w, start Window) bool {
	return r.Sparse.ValidatorOffset+r.Sparse.PeerListWindowMargin > int64(w)-int64(start)
}

// Judged returns the window that a validator is about in a current one, or false
// if there is none yet: one that is over, and whose files have come.
func (r Rules) Judged(current Window) (Window, bool) {
	lag := Window(r.JudgeLag)
	if current < lag {
		return 0, false
	}
	return current - lag, true
}

// WeightsDue says whether a validator sets weights now. The first generation asks
// the block at which it happens to look, the second counts its own steps, and the
// later ones windows.
//
// Unlike upstream, the first generation does so when a multiple of a hundred
// blocks has gone by since it looked last: there it must look at that very block,
// which it hardly ever does.
func (r Rules) WeightsDue(at Moment) bool {
	every := uint64(r.WeightsEvery)
	switch r.WeightsBy {
	case ByBlock:
		return uint64(at.Block)/every > uint64(at.LastLook)/every
	case ByStep:
		return at.Step > 0 && at.Step%every == 0
	}
	return uint64(at.Window)%every == 0
}

// A Moment is when a validator asks whether something is due.
type Moment struct {
	Block    subnet.Block
	LastLook subnet.Block // the block at which it asked before
	Step     uint64       // its global step
	Window   Window       // that it judges
}

// A Clock is what something is counted in.
type Clock int

// The clocks.
const (
	ByWindow Clock = iota
	ByBlock
	ByStep
)

// CheckpointDue says whether a checkpoint is saved after so many steps.
func (r Rules) CheckpointDue(step uint64) bool {
	return r.CheckpointEvery > 0 && step > 0 && step%uint64(r.CheckpointEvery) == 0
}

// Stale says whether an object of a window may be removed from one's own bucket.
func (r Rules) Stale(w, current Window) bool {
	return uint64(w)+uint64(r.KeptWindows) < uint64(current)
}

// PeersDue says whether a leader posts a new list of peers in a window, having
// posted the last one in another; none was posted if never is set. The list takes
// effect at the window it returns.
func (r Rules) PeersDue(w, posted Window, never bool) (from Window, due bool) {
	if !never && w < posted+Window(r.Sparse.PeerReplacementFrequency) {
		return 0, false
	}
	return w + Window(r.Sparse.PeerListWindowMargin), true
}

// ActiveWindows returns the windows of which a miner must have a gradient to be
// active, the newest first.
func (r Rules) ActiveWindows(current Window) (list []Window) {
	for i := range Window(r.Sparse.RecentWindows) + 1 {
		if i > current {
			break
		}
		list = append(list, current-i)
	}
	return list
}

// CatchUp returns the windows whose merges a neuron has to repeat before it joins
// in a current one: those after its checkpoint, or after the start of the run. What
// the last of them brought may be not aggregated yet, and is gathered again.
func CatchUp(start, checkpoint Window, has bool, current Window) []Window {
	from := start + 1
	if has {
		from = max(from, checkpoint+1)
	}
	var list []Window
	for w := from; w < current; w++ {
		list = append(list, w)
	}
	return list
}
