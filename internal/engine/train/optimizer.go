package train

import (
	"errors"
	"fmt"
	"math"

	"adit/internal/engine/device"
	"adit/internal/engine/model"
)

// A Method is how a gradient becomes an update.
type Method string

// The methods.
const (
	AdamW Method = "adamw" // with decoupled decay (Loshchilov and Hutter, 2019)
	SGD   Method = "sgd"   // with Nesterov's momentum, as PyTorch has it
)

// Rules are the constants of an update.
type Rules struct {
	Method       Method  // "" is AdamW
	Beta1, Beta2 float64 // AdamW's
	Eps          float64 // AdamW's; 0 is 1e-8
	Momentum     float64 // SGD's
	WeightDecay  float64 // of all but norms and biases
	Groups       []Group // the first that names a parameter has it
	ClipNorm     float64 // of the whole gradient; 0 does not clip
}

func (r Rules) problems() (errs []error) {
	switch r.Method {
	case "", AdamW, SGD:
	default:
		errs = append(errs, fmt.Errorf("optimizer: %q is not one of %s and %s", r.Method, AdamW, SGD))
	}
	errs = append(errs, moments(r.Beta1, r.Beta2, r.Eps, r.Momentum, r.WeightDecay)...)
	for i, g := range r.Groups {
		errs = append(errs, g.problems(i)...)
	}
	if !finite(r.ClipNorm) {
		errs = append(errs, fmt.Errorf("clipping norm: %v; give a number above 0, or 0 not to clip", r.ClipNorm))
	}
	return errs
}

// finite reports whether x is a number from 0 on.
func finite(x float64) bool { return x >= 0 && !math.IsInf(x, 0) }

// An Optimizer updates the trained parameters of a model after clipping their
// gradient to a global norm.
type Optimizer struct {
	dev     device.Device
	m       *model.Model
	grad    device.Buf // of all trained parameters
	trained []model.Param
	places  map[string]place // of the trained parameters
	spans   []span
	rule    rule
	clip    float64
	updates int // made
}

// A place is where the numbers of a parameter are in the gradient, and in whatever
// else is kept of all trained parameters.
type place struct{ lo, hi int }

// A rule is an optimizer's method with what it remembers of the gradients.
type rule interface {
	method() Method
	// update changes the parameters of s, whose gradient is to be multiplied
	// with scale. It is the step-th of the training, from 1.
	update(dev device.Device, s span, lr, scale float64, step int)
	// memory returns the buffers, each as long as the gradient, and PyTorch's
	// names for them.
	memory() []moment
}

type moment struct {
	name string
	buf  device.Buf
}

// NewOptimizer selects the parameters of m that are trained. There is one
// optimizer at a time for a model: a later one takes the gradients over.
func NewOptimizer(dev device.Device, m *model.Model, trained func(name string) bool, r Rules) (*Optimizer, error) {
	if err := errors.Join(r.problems()...); err != nil {
		return nil, err
	}
	groupOf, err := r.grouping(names(m))
	if err != nil {
		return nil, err
	}
	o := &Optimizer{dev: dev, m: m, clip: r.ClipNorm, places: map[string]place{}}
	at := 0
	for _, p := range m.Params() {
		if trained(p.Name) {
			o.trained = append(o.trained, p)
			o.places[p.Name] = place{at, at + p.Hi - p.Lo}
			at += p.Hi - p.Lo
		}
	}
	if len(o.trained) == 0 {
		return nil, errors.New("the model has no parameter of those to train")
	}
	var segments []model.Segment
	o.grad, segments = m.Select(func(p model.Param) int {
		if !trained(p.Name) {
			return -1
		}
		return groupOf(p.Name)
	})
	lo := 0
	for _, s := range segments {
		hi := lo + s.Grad.Len()
		o.spans = append(o.spans, span{s, lo, hi, r.constants(s)})
		lo = hi
	}
	o.rule = newRule(dev, r.Method, o.grad.Len())
	return o, nil
}

// newRule returns a method's rule for a gradient of n numbers.
func newRule(dev device.Device, method Method, n int) rule {
	if method == SGD {
		return &sgd{v: dev.NewBuf(n)}
	}
	return &adamw{m: dev.NewBuf(n), v: dev.NewBuf(n)}
}

func names(m *model.Model) (out []string) {
	for _, p := range m.Params() {
		out = append(out, p.Name)
	}
	return out
}

// Len returns how many numbers are trained.
func (o *Optimizer) Len() int { return o.grad.Len() }

// Clear begins a step: the gradient before it is forgotten.
func (o *Optimizer) Clear() { o.m.ClearGradient() }

// Update ends a step at the learning rate lr. The gradient has been multiplied
// with scale, which is undone. It returns the norm of the gradient before
// clipping; if that is not finite, nothing is updated.
func (o *Optimizer) Update(lr, scale float64) (norm float64, ok bool) {
	norm = math.Sqrt(o.dev.SumSquares(o.grad)) / scale
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, false
	}
	by := 1 / scale
	if o.clip > 0 && norm > o.clip {
		by *= o.clip / norm
	}
	o.updates++
	for _, s := range o.spans {
		o.rule.update(o.dev, s, lr*s.rate, by, o.updates)
	}
	return norm, true
}
