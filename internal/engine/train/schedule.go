package train

import (
	"errors"
	"fmt"
	"math"
)

// A Curve is the shape of a learning rate after its warmup, by the name that
// the transformers library knows it by.
type Curve string

// The curves. Constant and InverseSqrt have no end; Linear and Cosine reach
// the floor at theirs.
const (
	Constant    Curve = "constant"
	Linear      Curve = "linear"
	Cosine      Curve = "cosine"
	InverseSqrt Curve = "inverse_sqrt"
)

// A Schedule gives each step its learning rate: it rises in Warmup equal steps
// to Peak and then follows Curve.
type Schedule struct {
	Curve  Curve // "" is Constant
	Peak   float64
	Warmup int     // steps
	Total  int     // steps, the warmup's included; 0 if Spent says
	Floor  float64 // what the rate does not fall below again, as a share of Peak
	// Spent returns how much of the time to train is over, from 0 to 1. With
	// it, Linear and Cosine end with the time and not with a step.
	Spent func() float64
	// Of returns the rate of step n, counted from 1, instead of all of this.
	Of func(n int) float64
}

// timescale is after how many steps, less one, the rate of an inverse square
// root without a warmup has begun to fall: the transformers library's choice.
const timescale = 10_000

// Rate returns the learning rate of step n, counted from 1.
//
// Unlike upstream, the first step has a rate above nought: one whose rate is
// nought would move the moments and nothing else.
func (s Schedule) Rate(n int) float64 {
	low := s.Peak * s.Floor
	switch {
	case s.Of != nil:
		return s.Of(n)
	case n <= s.Warmup:
		return s.Peak * float64(n) / float64(s.Warmup)
	case s.Curve == Linear:
		return low + (s.Peak-low)*(1-s.done(n))
	case s.Curve == Cosine:
		return low + (s.Peak-low)*(1+math.Cos(math.Pi*s.done(n)))/2
	case s.Curve == InverseSqrt:
		scale := float64(s.Warmup)
		if s.Warmup == 0 {
			scale = timescale
		}
		return max(low, s.Peak/math.Sqrt((float64(n-1-s.Warmup)+scale)/scale))
	default:
		return s.Peak
	}
}

// done returns how much of the way down lies behind step n, from 0 to 1.
func (s Schedule) done(n int) float64 {
	switch {
	case s.Spent != nil:
		return min(max(s.Spent(), 0), 1)
	case n > s.Total:
		return 1
	default:
		return float64(n-1-s.Warmup) / float64(s.Total-s.Warmup)
	}
}

// problems returns what is wrong with the schedule.
func (s Schedule) problems() (errs []error) {
	if s.Of != nil {
		if s.Curve != "" || s.Peak != 0 || s.Warmup != 0 || s.Total != 0 || s.Floor != 0 || s.Spent != nil {
			errs = append(errs, errors.New("schedule: a function says what the rates are, and so do other fields; give one of them"))
		}
		return errs
	}
	ends := s.Curve == Linear || s.Curve == Cosine
	switch s.Curve {
	case "", Constant, Linear, Cosine, InverseSqrt:
	default:
		errs = append(errs, fmt.Errorf("schedule: %q is not one of %s, %s, %s and %s", s.Curve, Constant, Linear, Cosine, InverseSqrt))
	}
	if !(s.Peak > 0) || math.IsInf(s.Peak, 0) {
		errs = append(errs, fmt.Errorf("learning rate: %v; give a number above 0, such as 1e-4", s.Peak))
	}
	if s.Warmup < 0 || s.Total < 0 {
		errs = append(errs, fmt.Errorf("schedule: a negative number of steps, %d of warmup and %d in all; 0 does without", s.Warmup, s.Total))
	}
	if s.Total > 0 && s.Warmup > s.Total {
		errs = append(errs, fmt.Errorf("warmup is longer than the training: %d steps of %d; shorten it", s.Warmup, s.Total))
	}
	if ends && s.Total == 0 && s.Spent == nil {
		errs = append(errs, fmt.Errorf("schedule: %s has no end; give the number of steps", s.Curve))
	}
	if !ends && s.Spent != nil {
		errs = append(errs, errors.New("schedule: only linear and cosine end with the time"))
	}
	if !(s.Floor >= 0 && s.Floor <= 1) {
		errs = append(errs, fmt.Errorf("lowest learning rate: %v of the highest; give a share from 0 to 1", s.Floor))
	}
	return errs
}
