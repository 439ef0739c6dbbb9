package train

import (
	"fmt"
	"math"
)

// ScalerRules are the constants of dynamic loss scaling. The zero value is
// what [DefaultScaler] returns.
type ScalerRules struct {
	Init     float64 // the scale that training begins with
	Growth   float64 // multiplies it after Interval good steps in a row
	Backoff  float64 // multiplies it after a step that overflowed
	Interval int
}

// DefaultScaler returns the constants of torch.cuda.amp.GradScaler.
func DefaultScaler() ScalerRules {
	return ScalerRules{Init: 65536, Growth: 2, Backoff: 0.5, Interval: 2000}
}

// A Scaler decides what the loss is multiplied with, so that its gradient
// neither vanishes in 16 bits nor overflows.
type Scaler struct {
	ScalerRules
	scale float32 // as PyTorch keeps it
	good  int     // steps in a row since the scale last changed
}

// The scale stays between these.
//
// Unlike upstream, it has bounds: a weight that is not a number would bring it
// to nought, whose inverse is none, and a gradient of nought to infinity.
const (
	minScale = 0x1p-24
	maxScale = 0x1p60
)

// NewScaler returns a scaler before its first step.
func NewScaler(r ScalerRules) *Scaler {
	if r == (ScalerRules{}) {
		r = DefaultScaler()
	}
	return &Scaler{ScalerRules: r, scale: float32(r.Init)}
}

// Scale returns what the next step multiplies its loss with.
func (s *Scaler) Scale() float64 { return float64(s.scale) }

// Next ends a step whose gradient was finite, or was not.
func (s *Scaler) Next(finite bool) {
	s.good++
	switch {
	case !finite:
		s.scale = float32(max(minScale, float64(s.scale)*s.Backoff))
		s.good = 0
	case s.good >= s.Interval:
		s.scale = float32(min(maxScale, float64(s.scale)*s.Growth))
		s.good = 0
	}
}

// problems returns what is wrong with the constants.
func (r ScalerRules) problems() (errs []error) {
	if r == (ScalerRules{}) {
		return nil
	}
	bad := func(name string, v any, want string) {
		errs = append(errs, fmt.Errorf("loss scale: %s %v; give %s, or none at all for PyTorch's", name, v, want))
	}
	if !(r.Init >= minScale && r.Init <= maxScale) {
		bad("init", r.Init, fmt.Sprintf("a number from %v to %v", minScale, maxScale))
	}
	if !(r.Growth > 1) || math.IsInf(r.Growth, 0) {
		bad("growth", r.Growth, "a number above 1")
	}
	if !(r.Backoff > 0 && r.Backoff < 1) {
		bad("backoff", r.Backoff, "a number between 0 and 1")
	}
	if r.Interval < 1 {
		bad("interval", r.Interval, "at least 1 step")
	}
	return errs
}
