// Package sample chooses the next token from a model's logits. It is pure: the
// same logits, rules and seed give the same tokens.
package sample

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Rules say which tokens may be chosen, and how likely. They apply in the order
// of the fields, as in the transformers library.
type Rules struct {
	// Temperature divides the logits. 0 always takes the most likely token.
	Temperature float64
	// TopK keeps that many of the most likely tokens; 0 keeps all.
	TopK int
	// TopP keeps the fewest of the most likely tokens that together have at
	// least this probability; 1 keeps all, and 0 does too.
	TopP float64
}

// Greedy reports whether the most likely token is always taken.
func (r Rules) Greedy() bool { return r.Temperature == 0 || r.TopK == 1 }

// Validate returns every problem, joined, each with its cure.
func (r Rules) Validate() error {
	var errs []error
	if !(r.Temperature >= 0) || math.IsInf(r.Temperature, 0) {
		errs = append(errs, fmt.Errorf("temperature: %v; give a number from 0, which takes the most likely token, up", r.Temperature))
	}
	if r.TopK < 0 {
		errs = append(errs, fmt.Errorf("top-k: %d tokens; give at least 1, or 0 for all", r.TopK))
	}
	if !(r.TopP >= 0 && r.TopP <= 1) {
		errs = append(errs, fmt.Errorf("top-p: %v; give a share from 0 to 1", r.TopP))
	}
	return errors.Join(errs...)
}

// A Sampler chooses tokens one after another.
type Sampler struct {
	rules Rules
	rng   *rand.Rand
	heap  []choice // reused
}

// A choice is a token that may be chosen.
type choice struct {
	id    int32
	logit float32
	p     float64 // relative to that of the most likely token
}

// New returns a sampler at the beginning of the random numbers that seed gives.
func New(r Rules, seed uint64) (*Sampler, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return &Sampler{rules: r, rng: rand.New(rand.NewChaCha8(key))}, nil
}

// Errors of Next, which mean that the model is broken.
var (
	errNaN  = errors.New("the model computed a logit that is not a number")
	errInf  = errors.New("the model computed an infinite logit")
	errNone = errors.New("the model allows no token at all")
)

// Next chooses a token. A logit of -Inf is that of a token that is never chosen.
//
// Unlike upstream, of tokens that are equally likely the lower numbers count as
// more likely, so that TopK keeps exactly so many and not all that are level with
// the last.
func (s *Sampler) Next(logits []float32) (int32, error) {
	best, err := argmax(logits)
	if err != nil || s.rules.Greedy() {
		return best, err
	}
	kept := s.keep(logits, s.rules.TopK)
	most := float64(logits[best])
	sum := 0.0
	for i := range kept {
		kept[i].p = math.Exp((float64(kept[i].logit) - most) / s.rules.Temperature)
		sum += kept[i].p
	}
	if p := s.rules.TopP; p > 0 && p < 1 {
		kept, sum = nucleus(kept, p*sum)
	}
	at := s.rng.Float64() * sum
	for _, c := range kept {
		if at -= c.p; at < 0 {
			return c.id, nil
		}
	}
	return best, nil // the sum was rounded up
}

// argmax returns the most likely token, the first of equals.
func argmax(logits []float32) (int32, error) {
	best := -1
	for i, l := range logits {
		switch {
		case l != l:
			return 0, errNaN
		case math.IsInf(float64(l), 1):
			return 0, errInf
		case !math.IsInf(float64(l), -1) && (best < 0 || l > logits[best]):
			best = i
		}
	}
	if best < 0 {
		return 0, errNone
	}
	return int32(best), nil
}

// likelier orders choices, the most likely first.
func likelier(a, b choice) int {
	switch {
	case a.logit > b.logit:
		return -1
	case a.logit < b.logit:
		return 1
	}
	return int(a.id) - int(b.id)
}

// keep returns the k most likely tokens, or all if k is 0, the most likely first
// if their order will matter.
func (s *Sampler) keep(logits []float32, k int) []choice {
	kept := s.heap[:0]
	for i, l := range logits {
		c := choice{id: int32(i), logit: l}
		switch {
		case math.IsInf(float64(l), -1):
		case k == 0 || len(kept) < k:
			if kept = append(kept, c); len(kept) == k {
				for root := k/2 - 1; root >= 0; root-- {
					sink(kept, root)
				}
			}
		case likelier(c, kept[0]) < 0:
			kept[0] = c
			sink(kept, 0)
		}
	}
	s.heap = kept
	if k > 0 || s.rules.TopP > 0 && s.rules.TopP < 1 {
		slices.SortFunc(kept, likelier)
	}
	return kept
}

// sink restores the heap, whose root is its least likely choice, below i.
func sink(h []choice, i int) {
	for {
		least := i
		for _, child := range [...]int{2*i + 1, 2*i + 2} {
			if child < len(h) && likelier(h[least], h[child]) < 0 {
				least = child
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// nucleus returns the first of kept, which is sorted, that together have at least
// want, and what they have.
func nucleus(kept []choice, want float64) ([]choice, float64) {
	sum := 0.0
	for i, c := range kept {
		if sum += c.p; sum >= want {
			return kept[:i+1], sum
		}
	}
	return kept, sum
}
