package train

import (
	"fmt"
	"slices"

	"adit/internal/engine/model"
)

// A Group is parameters that are updated by constants of their own. It says
// all of its decay; of the others, what is 0 is as the rules say for all.
type Group struct {
	Names       []string // patterns, as [Match] reads them
	Rate        float64  // multiplies the schedule's; 0 is 1
	WeightDecay float64  // 0 does not decay
	DecayAll    bool     // norms and biases, too, which otherwise do not
	Beta1       float64
	Beta2       float64
	Eps         float64
	Momentum    float64
}

// constants are what a segment is updated with.
type constants struct {
	rate, decay, beta1, beta2, eps, momentum float64
}

// A span is a segment's place in the gradient and its constants.
type span struct {
	model.Segment
	lo, hi int
	constants
}

// grouping returns the number of a parameter's group: 0 for those that no
// group names, i+1 for the i-th.
func (r Rules) grouping(names []string) (func(name string) int, error) {
	groups := make([]func(string) bool, len(r.Groups))
	for i, g := range r.Groups {
		var err error
		if groups[i], err = Match(g.Names, names); err != nil {
			return nil, fmt.Errorf("group %d: %w", i+1, err)
		}
	}
	return func(name string) int {
		return 1 + slices.IndexFunc(groups, func(has func(string) bool) bool { return has(name) })
	}, nil
}

// constants returns those of a segment.
func (r Rules) constants(s model.Segment) constants {
	c := constants{1, r.WeightDecay, r.Beta1, r.Beta2, or(r.Eps, 1e-8), r.Momentum}
	all := false
	if s.Group > 0 {
		g := r.Groups[s.Group-1]
		c = constants{or(g.Rate, 1), g.WeightDecay, or(g.Beta1, c.beta1), or(g.Beta2, c.beta2), or(g.Eps, c.eps), or(g.Momentum, c.momentum)}
		all = g.DecayAll
	}
	if !s.Decay && !all {
		c.decay = 0
	}
	return c
}

// or returns x, or what stands for it if it is 0.
func or(x, otherwise float64) float64 {
	if x == 0 {
		return otherwise
	}
	return x
}

func (g Group) problems(i int) (errs []error) {
	bad := func(text string, args ...any) {
		errs = append(errs, fmt.Errorf("group %d: %s", i+1, fmt.Sprintf(text, args...)))
	}
	if len(g.Names) == 0 {
		bad("no names; give patterns of the parameters that it is for")
	}
	if !finite(g.Rate) {
		bad("rate: %v times; give a number above 0, and to freeze parameters do not train them", g.Rate)
	}
	for _, err := range moments(g.Beta1, g.Beta2, g.Eps, g.Momentum, g.WeightDecay) {
		bad("%v", err)
	}
	return errs
}

// moments returns what is wrong with the constants of an update.
func moments(beta1, beta2, eps, momentum, decay float64) (errs []error) {
	for _, c := range []struct {
		name string
		x    float64
	}{{"beta1", beta1}, {"beta2", beta2}, {"momentum", momentum}} {
		if !(c.x >= 0 && c.x < 1) {
			errs = append(errs, fmt.Errorf("%s: %v; give a number from 0 to below 1, such as 0.9", c.name, c.x))
		}
	}
	if !finite(eps) {
		errs = append(errs, fmt.Errorf("eps: %v; give a small number, such as 1e-8", eps))
	}
	if !finite(decay) {
		errs = append(errs, fmt.Errorf("weight decay: %v; give 0 or more", decay))
	}
	return errs
}
