package train

import (
	"math"

	"adit/internal/subnet"
)

// Rate returns the learning rate of step n, counted from 1: it rises in
// WarmupSteps equal steps to LR and falls along half a cosine that reaches
// nought when TotalSteps have been taken, or when all is Spent. With neither it
// stays at LR.
//
// Unlike upstream, the first step has a rate above nought: one whose rate is
// nought would move the moments and nothing else.
func Rate(o subnet.TrainOptions, n int) float64 {
	switch w := o.WarmupSteps; {
	case n <= w:
		return o.LR * float64(n) / float64(w)
	case o.Spent != nil:
		return o.LR * (1 + math.Cos(math.Pi*min(max(o.Spent(), 0), 1))) / 2
	case o.TotalSteps == 0:
		return o.LR
	case n > o.TotalSteps:
		return 0
	default:
		done := float64(n-1-w) / float64(o.TotalSteps-w)
		return o.LR * (1 + math.Cos(math.Pi*done)) / 2
	}
}
