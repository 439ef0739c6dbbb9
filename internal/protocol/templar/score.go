package templar

import (
	"math"

	"adit/internal/score"
)

// Slices (v0.1.0).

// cosineEps is the least norm that torch's cosine similarity divides by.
const cosineEps = 1e-8

// A SliceScore judges a slice by how its difference from the validator's
// parameters points the way of the validator's gradient. It is fed one parameter
// at a time.
type SliceScore struct {
	sum float64
	// Over all parameters together, as the later version wants it.
	dot, left, right float64
}

// Add takes one parameter: what the validator has at the window's places, what
// the miner sent, and the gradient there. All three are of one length.
func (s *SliceScore) Add(own, sent, gradient []float32) {
	var norm, dot, left, right float64
	for i, v := range own {
		d, g := float64(v)-float64(sent[i]), float64(gradient[i])
		norm += float64(v) * float64(v)
		dot += d * g
		left += d * d
		right += g * g
	}
	s.sum += (math.Sqrt(norm) + 1e-8) * cosine(dot, left, right)
	s.dot, s.left, s.right = s.dot+dot, s.left+left, s.right+right
}

func cosine(dot, left, right float64) float64 {
	return dot / (max(math.Sqrt(left), cosineEps) * max(math.Sqrt(right), cosineEps))
}

// Score is the sum over the parameters of cosines, each weighted with the norm of
// what the validator has. Upstream's document says a plain cosine. Where something
// was not finite, it is nought.
func (s *SliceScore) Score() float64 { return finite(s.sum) }

// Cosine is the likeness over all parameters together.
func (s *SliceScore) Cosine() float64 { return finite(cosine(s.dot, s.left, s.right)) }

func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// LossScore judges a slice of r2 by the loss on its miner's pages before it was
// written into the validator's parameters and after, where it points the way of
// the gradient at all. One that does great harm loses its average too.
func LossScore(before, after, likeness float64) (worth float64, reset bool) {
	switch delta := after - before; {
	case !(likeness > 0):
		return 0, false
	case math.IsNaN(delta) || math.IsInf(delta, 0):
		return 0, true
	case delta < 0:
		return -100 * delta, false
	case delta/before <= 0.25:
		return 0, false
	}
	return 0, true
}

// MovingSlice returns a miner's average after a window's score. The two
// generations weigh old and new the other way round.
func (r Rules) MovingSlice(old, now float64) float64 {
	if r.Losses {
		return score.Moving(old, now, r.Slice.ValidatorMovingAlpha)
	}
	return score.Moving(old, now, 1-r.Slice.ValidatorMovingAlpha)
}

// Sparse (v2.1.3 and after).

// GradientScore is how much of the loss on random text a gradient takes away.
func GradientScore(before, after float64) float64 {
	if !(before > 0) {
		return 0
	}
	return finite((before - after) / before)
}

// Better says whether a gradient does more for the text that its miner was to train
// on than for other text. If it does not, the miner has trained on something else, or
// copied.
func Better(own, random float64) bool { return own > random }

// MovingBinary returns the moving average of that: 1 where it always does, and -1
// where it never does.
func (r Rules) MovingBinary(old float64, better bool) float64 {
	return score.MovingBinary(old, better, r.Sparse.BinaryScoreMAAlpha)
}

// Final is what a miner's weight is made from, of its skill, which is μ − 3σ, of
// how sure it is that it trains on its own text, and of how well its model agrees
// with the validator's. Of the average less than the threshold counts as nothing,
// once there were enough evaluations.
func (r Rules) Final(skill, moving, sync float64, evaluations int64) float64 {
	h := r.Sparse
	if h.BMAWarmupWindows > 0 && evaluations >= h.BMAWarmupWindows && moving < h.BMAThreshold {
		return 0
	}
	return finite(skill * max(0, moving) * sync)
}

// Sync.

// leastChange is the least change of a parameter in a step that is believed.
const leastChange = 1e-9

// MovingChange returns the moving average of how far a parameter goes in an outer
// step; the first change is the first average.
func MovingChange(old, change float64, first bool) float64 {
	if change = math.Abs(change); first {
		return change
	}
	return score.Moving(old, change, 0.2)
}

// StepsBehind says by how many outer steps a value differs from the validator's,
// of which the average change is known.
func StepsBehind(theirs, ours, change float64) float64 {
	return math.Abs(theirs-ours) / max(change, leastChange)
}

// AverageBehind makes one number of the steps of many values. It is not a number if
// there are none, or if one of them is not; then the miner does not say.
func (r Rules) AverageBehind(steps []float64) float64 {
	if r.SyncTrimmed {
		return score.InterquartileMean(steps)
	}
	return score.LowerMedian(steps)
}

// SyncScore is 1 for a model that agrees with the validator's, and less the more
// steps it is behind.
func (r Rules) SyncScore(behind float64) float64 {
	if !(behind >= 0) {
		return 0
	}
	return math.Pow(1-min(behind, r.SyncLimit)/r.SyncLimit, 2.5)
}
