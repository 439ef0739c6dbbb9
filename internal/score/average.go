package score

import (
	"math"
	"slices"
)

// Moving is an exponential moving average after one more sample, of which
// alpha is the weight: (1−alpha)·average + alpha·sample. An average or sample
// that is not a finite number counts as 0.
func Moving(average, sample, alpha float64) float64 {
	return float64((1-alpha)*finite(average)) + float64(alpha*finite(sample))
}

// MovingBinary is [Moving] over yes and no: a sample is +1 or −1, so that the
// average is how much oftener it was yes than no lately.
func MovingBinary(average float64, yes bool, alpha float64) float64 {
	if yes {
		return Moving(average, 1, alpha)
	}
	return Moving(average, -1, alpha)
}

// finite is the number itself, or 0 if it is none.
func finite(x float64) float64 {
	if x-x != 0 { // of an infinity and of NaN it is NaN
		return 0
	}
	return x
}

// Normalise returns weights in proportion to the positive scores, which sum to
// 1. All others get 0: negative ones, and those that are not finite numbers.
// Without a positive score every weight is 0.
func Normalise(scores []float64) []float64 {
	weights := make([]float64, len(scores))
	top := 0.0
	for i, s := range scores {
		weights[i] = max(finite(s), 0)
		top = max(top, weights[i])
	}
	if top == 0 {
		return weights
	}
	// Divided by the greatest before they are summed, they sum to a finite
	// number however great they are.
	sum := 0.0
	for i := range weights {
		weights[i] /= top
		sum += weights[i]
	}
	for i := range weights {
		weights[i] /= sum
	}
	return weights
}

// LowerMedian is the value in the middle, and of an even number of values the
// lower of the two there, as torch.median has it. It is NaN without values, or
// if one of them is NaN.
func LowerMedian(values []float64) float64 {
	sorted := sorted(values)
	if sorted == nil {
		return math.NaN()
	}
	return sorted[(len(sorted)-1)/2]
}

// InterquartileMean is the mean of the values from the first to the third
// quartile, both included. A quartile between two values is interpolated, as
// torch.quantile does. It is NaN without values, or if one of them is NaN; with
// infinities among them it may be NaN too.
func InterquartileMean(values []float64) float64 {
	sorted := sorted(values)
	if sorted == nil {
		return math.NaN()
	}
	low, high := quantile(sorted, 0.25), quantile(sorted, 0.75)
	sum, n := 0.0, 0
	for _, v := range sorted {
		if low <= v && v <= high {
			sum += v
			n++
		}
	}
	return sum / float64(n)
}

// quantile is the value that a share q of the sorted values lies below.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	part := at - float64(i)
	if part == 0 || sorted[i] == sorted[i+1] {
		return sorted[i]
	}
	return sorted[i] + float64(part*(sorted[i+1]-sorted[i]))
}

// sorted returns the values in order, nil if there is no saying what that is.
func sorted(values []float64) []float64 {
	if len(values) == 0 || slices.ContainsFunc(values, math.IsNaN) {
		return nil
	}
	return slices.Sorted(slices.Values(values))
}
