package templar

import "math"

// Rate returns the learning rate of a miner's step, counted from 0 over the whole
// run: half a cosine down to eta_min and up again in the first generation; then a
// warmup, a plateau that no run has seen the end of, and a decay.
func (r Rules) Rate(step int64) float64 {
	if r.Scheme == GradientScheme {
		return r.Sparse.innerRate(step)
	}
	h := r.Slice
	if h.NumStableSteps == 0 {
		return h.EtaMin + (h.LearningRate-h.EtaMin)*(1+math.Cos(math.Pi*float64(step)/float64(max(h.CosineEpochLength, 1))))/2
	}
	switch decay := step - h.NumWarmupSteps - h.NumStableSteps; {
	case step < h.NumWarmupSteps:
		return h.LearningRate * float64(step) / float64(h.NumWarmupSteps)
	case decay < 0:
		return h.LearningRate
	default:
		return h.LearningRate * max(0, 1-math.Sqrt(float64(decay)/float64(max(h.NumDecaySteps, 1))))
	}
}

// warmupStart is the share of the rate that a warmup begins with.
const warmupStart = 1e-6

// innerRate is the rate of an inner step of the sparse generations, counted from 0:
// a linear warmup, then half a cosine to eta_min_factor of it and up again. In
// between it may stand still for so many outer steps.
func (h SparseHParams) innerRate(step int64) float64 {
	s := h.Optimizer.AdamW.Scheduler
	lr := h.Optimizer.AdamW.LearningRate
	if from, n := s.FlattenStartStep*h.InnerSteps, s.FlattenDuration*h.InnerSteps; n > 0 && step > from {
		step = max(from, step-n)
	}
	if step < s.WarmupSteps {
		return lr * ramp(warmupStart, 1, step, s.WarmupSteps)
	}
	least := lr * s.EtaMinFactor
	return least + (lr-least)*(1+math.Cos(math.Pi*float64(step-s.WarmupSteps)/float64(max(s.TMax, 1))))/2
}

// ramp goes from one value to another in n steps, and stays there.
func ramp(from, to float64, step, n int64) float64 {
	if step >= n {
		return to
	}
	return from + (to-from)*float64(step)/float64(n)
}

// AnnealRate is the rate of an inner step while the model is annealed, counted from
// 0 since that began: up to a share of the rate in a few steps, and down.
func (h SparseHParams) AnnealRate(step int64) float64 {
	a, lr := h.Anneal, h.Optimizer.AdamW.LearningRate
	if step < a.WarmupInnerSteps {
		return lr * ramp(warmupStart, a.PeakFactor, step, a.WarmupInnerSteps)
	}
	return lr * ramp(a.PeakFactor, a.MinFactor, step-a.WarmupInnerSteps, a.DecayOuterSteps*h.InnerSteps)
}

// A Start is how a miner of the sparse generations came to its model.
type Start int

const (
	// FromNothing has the initial model.
	FromNothing Start = iota
	// FromCheckpoint has one of this version's run.
	FromCheckpoint
	// FromBootstrap has the last one of the version before.
	FromBootstrap
)

// InnerRate returns the rate of an inner step: how many windows were merged before,
// which inner step of this window it is, from 0, and how many inner steps the miner
// has taken since it started. After a start its optimizer knows nothing, and the
// first steps are smaller.
func (r Rules) InnerRate(globalStep, inner int64, taken int64, start Start) float64 {
	h := r.Sparse
	rate := 0.0
	if a := h.Anneal; a.Enabled && globalStep >= a.StartGlobalStep {
		rate = h.AnnealRate((globalStep-a.StartGlobalStep)*h.InnerSteps + inner)
	} else {
		rate = h.innerRate(max(0, globalStep*h.InnerSteps-r.rewound(start)) + inner)
	}
	s := h.Optimizer.AdamW.Scheduler
	warmup := map[Start]int64{FromCheckpoint: s.WarmupInner, FromBootstrap: s.InitialWarmup}[start]
	if taken < warmup {
		rate *= float64(taken+1) / float64(warmup)
	}
	return rate
}

// rewound is how many inner steps back a miner's schedule begins.
func (r Rules) rewound(start Start) int64 {
	if start == FromNothing {
		return 0
	}
	return r.Sparse.Optimizer.AdamW.Scheduler.ReplayRewind
}

// Accumulate returns how many micro-batches an inner step is made of.
func (h SparseHParams) Accumulate() int64 {
	return max(1, h.BatchSize/h.MicroBatchSize)
}
