package subtensor

import (
	"math"
	"slices"
)

// FitWeights shapes weights by what a subnet takes, as the SDK does before it sets
// them: at least so many that are not 0, and none larger than a limit of their
// sum, both as fractions of 1. The sum of what it returns is 1. What is negative
// or not finite counts as 0. Without a single positive weight, all are equal.
//
// Unlike upstream, which computes in float32, it computes in float64.
func FitWeights(weights []float64, minAllowed int, limit float64) []float64 {
	x := make([]float64, len(weights))
	positive := 0
	for i, w := range weights {
		if w > 0 && !math.IsInf(w, 0) {
			x[i] = w
			positive++
		}
	}
	switch {
	case positive == 0 || len(x) < minAllowed:
		return equal(len(x))
	case positive < minAllowed:
		for i := range x {
			x[i] += 1e-5 // so that enough are not 0
		}
	}
	return limited(x, limit)
}

func equal(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = 1 / float64(n)
	}
	return x
}

// limited scales weights so that their sum is 1 and cuts the largest down to the
// limit of it, as the SDK's normalize_max_weight.
func limited(x []float64, limit float64) []float64 {
	const epsilon = 1e-7
	n := len(x)
	sum := 0.0
	for _, w := range x {
		sum += w
	}
	if sum == 0 || math.IsInf(sum, 0) || float64(n)*limit <= 1 {
		return equal(n)
	}
	shares := slices.Clone(x)
	for i := range shares {
		shares[i] /= sum
	}
	if slices.Max(shares) <= limit {
		return shares
	}
	sorted := slices.Sorted(slices.Values(shares))
	// With the k smallest left as they are and the others cut to the cutoff,
	// those are exactly the limit.
	k, below, total := 0, 0.0, 0.0
	for i, s := range sorted {
		total += s
		if s/(float64(n-i-1)*s+total+epsilon) < limit {
			k, below = k+1, total
		}
	}
	cutoff := (limit*below - epsilon) / (1 - limit*float64(n-k))
	total = 0
	for i := range shares {
		shares[i] = min(shares[i], cutoff)
		total += shares[i]
	}
	for i := range shares {
		shares[i] /= total
	}
	return shares
}
